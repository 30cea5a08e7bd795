package sdktest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// rec is a record that a script emits.
type rec struct {
	kind    abi.Kind
	block   uint16
	payload string
}

// script is a guest that answers what it was told to, whatever it is fed: open at once, events at the first push.
type script struct{ open, push []rec }

func (s *script) Open(stream uint32, _ []byte) []byte { return batch(stream, s.open) }
func (s *script) Push(stream uint32, _ []byte) []byte {
	b := batch(stream, s.push)
	s.push = nil
	return b
}
func (s *script) Close(uint32) {}

func batch(stream uint32, recs []rec) []byte {
	b := abi.AppendBatch(nil, stream)
	for _, r := range recs {
		b = abi.AppendRecord(b, r.kind, 0, r.block, []byte(r.payload))
	}
	return b
}

var (
	request = []rec{{abi.KindRequest, 0, `{"method":"POST","path":"/","framing":"sse"}`}}
	start   = rec{abi.KindMessageStart, 0, `{"id":"i","model":"m"}`}
	stop    = rec{abi.KindStop, 0, `{"reason":"stop","native":"end"}`}
)

var exchange = sdktest.Exchange{Call: `{}`, Body: `{}`, Answer: sdktest.Document(200, `{}`)}

func TestMessage(t *testing.T) {
	got, err := exchange.Run(&script{request, []rec{
		start, {abi.KindThinking, 3, "hm"}, {abi.KindSignature, 3, "s"}, {abi.KindSignature, 3, "ig"}, {abi.KindText, 1, "a"},
		{abi.KindCitation, 1, `{}`}, {abi.KindText, 1, "b"}, {abi.KindBlockStop, 1, ""}, {abi.KindToolStart, 2, `{"id":"t","name":"f"}`},
		{abi.KindToolDelta, 2, `{"x":1}`}, {abi.KindUsage, 0, `{"input":1,"output":2}`}, {abi.KindUsage, 0, `{"output":3}`},
		{abi.KindRedactedThinking, 9, "d"}, {abi.KindRawBlock, 10, `{"type":"q"}`}, {abi.KindRawDelta, 10, `{}`}, {abi.KindSkipped, 4, ""}, stop,
		{abi.KindUsage, 0, `{"reasoning":1}`},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := sdktest.Message{
		ID: "i", Model: "m", Skipped: 4, Stop: &sdktest.Stop{Reason: "stop", Native: "end"},
		Usage: map[string]int64{"input": 1, "output": 3, "reasoning": 1},
		Blocks: []sdktest.Block{
			{Number: 3, Type: "thinking", Text: "hm", Signature: "sig"},
			{Number: 1, Type: "text", Text: "ab", Citations: []string{"{}"}, Closed: true},
			{Number: 2, Type: "tool_use", ID: "t", Name: "f", Text: `{"x":1}`},
			{Number: 9, Type: "redacted_thinking", Text: "d"},
			{Number: 10, Type: "raw", Text: "{}{}"},
		},
	}
	want.Blocks[4].Text = `{"type":"q"}{}`
	if !reflect.DeepEqual(got.Message, want) {
		t.Errorf("got  %+v\nwant %+v", got.Message, want)
	}
}

func TestRequest(t *testing.T) {
	got, err := exchange.Run(&script{[]rec{
		{abi.KindDropped, 0, "top_k"}, {abi.KindRequest, 0, `{"method":"POST","path":"/p","query":"q","headers":{"a":"b"},"framing":"sse"}`},
		{abi.KindRequestBody, 0, "x"}, {abi.KindRequestRef, 0, "\x02\x00\x00\x00"}, {abi.KindRequestBody, 0, "y"},
	}, []rec{start, stop}})
	if err != nil {
		t.Fatal(err)
	}
	want := sdktest.Request{Method: "POST", Path: "/p", Query: "q", Framing: "sse", Headers: map[string]string{"a": "b"}, Body: "x<ref 2>y"}
	if !reflect.DeepEqual(got.Request, want) || len(got.Dropped) != 1 {
		t.Errorf("got %+v %v", got.Request, got.Dropped)
	}
	got, err = exchange.Run(&script{[]rec{{abi.KindRefuse, 0, `{"kind":"api","message":"no"}`}}, nil})
	if err != nil || got.Refusal == nil || got.Refusal.Message != "no" {
		t.Errorf("refusal: got %+v %v", got.Refusal, err)
	}
}

// TestCutArguments: what a limit or a filter cut off is no mistake of the adapter's; what an ordinary end leaves open is.
func TestCutArguments(t *testing.T) {
	for reason, fine := range map[string]bool{abi.FinishLength: true, abi.FinishContentFilter: true, abi.FinishToolCalls: false} {
		cut := script{request, []rec{start, {abi.KindToolStart, 0, `{"id":"a","name":"f"}`}, {abi.KindToolDelta, 0, `{"x":`}, {abi.KindStop, 0, `{"reason":"` + reason + `"}`}}}
		if _, err := exchange.Run(&cut); (err == nil) != fine {
			t.Errorf("%s: got %v", reason, err)
		}
	}
}

// TestMistakes: each of these is an adapter's mistake, and says which.
func TestMistakes(t *testing.T) {
	for name, tc := range map[string]struct {
		guest script
		says  string
	}{
		"no request":              {script{nil, nil}, "neither"},
		"two requests":            {script{append(request, request...), nil}, "two Request"},
		"events at open":          {script{[]rec{start}, nil}, "no place"},
		"a refusal among others":  {script{append(request, rec{abi.KindRefuse, 0, `{}`}), nil}, "refusal among"},
		"a short reference":       {script{append(request, rec{abi.KindRequestRef, 0, "x"}), nil}, "reference"},
		"text before the start":   {script{request, []rec{{abi.KindText, 0, "a"}}}, "before the message"},
		"two starts":              {script{request, []rec{start, start}}, "second"},
		"no stop":                 {script{request, []rec{start}}, "neither a stop"},
		"text after the stop":     {script{request, []rec{start, stop, {abi.KindText, 0, "a"}}}, "after the stop"},
		"anything after an error": {script{request, []rec{{abi.KindError, 0, `{"kind":"api"}`}, start}}, "after an error"},
		"a reason of its own":     {script{request, []rec{start, {abi.KindStop, 0, `{"reason":"eos"}`}}}, "reason"},
		"a delta of another type": {script{request, []rec{start, {abi.KindText, 0, "a"}, {abi.KindThinking, 0, "b"}}}, "of type text"},
		"a delta without a start": {script{request, []rec{start, {abi.KindToolDelta, 0, "{}"}}}, "not opened"},
		"a number used again":     {script{request, []rec{start, {abi.KindText, 0, "a"}, {abi.KindToolStart, 0, `{}`}}}, "used before"},
		"a closed block":          {script{request, []rec{start, {abi.KindText, 0, "a"}, {abi.KindBlockStop, 0, ""}, {abi.KindText, 0, "a"}}}, "closed"},
		"closed twice":            {script{request, []rec{start, {abi.KindText, 0, "a"}, {abi.KindBlockStop, 0, ""}, {abi.KindBlockStop, 0, ""}}}, "closed already"},
		"closed before opened":    {script{request, []rec{start, {abi.KindBlockStop, 0, ""}}}, "not open"},
		"a request at push":       {script{request, append([]rec{start}, request...)}, "no place"},
		"arguments that are none": {script{request, []rec{start, {abi.KindToolStart, 0, `{"id":"a","name":"f"}`}, {abi.KindToolDelta, 0, "[1]"}, stop}}, "no object"},
		"a call without a name":   {script{request, []rec{start, {abi.KindToolStart, 0, `{"id":"a"}`}, stop}}, "id or name"},
		"half a character":        {script{request, []rec{start, {abi.KindText, 0, "\xc3"}}}, "UTF-8"},
		"usage of nothing":        {script{request, []rec{{abi.KindUsage, 0, `{"tokens":1}`}}}, "not known"},
		"usage below zero":        {script{request, []rec{{abi.KindUsage, 0, `{"input":-1}`}}}, "is -1"},
		"no JSON":                 {script{request, []rec{{abi.KindMessageStart, 0, `{`}}}, "unexpected end"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exchange.Run(&tc.guest); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q in it", err, tc.says)
			}
		})
	}
}

func TestForeignBatch(t *testing.T) {
	if _, err := exchange.Run(foreign{}); err == nil || !strings.Contains(err.Error(), "stream 1") {
		t.Errorf("got %v", err)
	}
}

type foreign struct{}

func (foreign) Open(uint32, []byte) []byte { return abi.AppendBatch(nil, 1) }
func (foreign) Push(uint32, []byte) []byte { return nil }
func (foreign) Close(uint32)               {}

func TestCutSSE(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []sdktest.Frame
	}{
		"plain":       {"data: a\n\ndata:b\n\n", []sdktest.Frame{{Data: "a"}, {Data: "b"}}},
		"event":       {"event: e\ndata: a\n\n", []sdktest.Frame{{Event: "e", Data: "a"}}},
		"crlf":        {"data: a\r\n\r\ndata: b\r\n\r\n", []sdktest.Frame{{Data: "a"}, {Data: "b"}}},
		"several":     {"data: a\ndata: b\n\n", []sdktest.Frame{{Data: "a\nb"}}},
		"comments":    {": hi\n\nid: 3\n: ho\ndata: a\n\n", []sdktest.Frame{{Data: "a"}}},
		"bom":         {"\ufeffdata: a\n\n", []sdktest.Frame{{Data: "a"}}},
		"no end":      {"data: a", []sdktest.Frame{{Data: "a"}}},
		"empty data":  {"data:\n\n", []sdktest.Frame{{}}},
		"only events": {"event: e\n\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sdktest.CutSSE([]byte(tc.body)); fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestRecordings(t *testing.T) {
	t.Setenv(sdktest.ConformanceEnv, "")
	if recs, err := sdktest.Recordings("openai.chat"); recs != nil || err != nil {
		t.Errorf("without the directory: got %v %v", recs, err)
	}
	t.Setenv(sdktest.ConformanceEnv, t.TempDir())
	if _, err := sdktest.Recordings("openai.chat"); err == nil {
		t.Error("without an index: no error")
	}
}

// TestRecordingPasses: what is shown of an answer is what there is of it.
func TestRecordingPasses(t *testing.T) {
	for status, want := range map[int]bool{0: false, 200: true, 201: true, 302: false, 400: true, 529: true} {
		r := sdktest.Recording{Status: status, File: "a.json"}
		if got := r.Passes(); got != want {
			t.Errorf("%d: got %t, want %t", status, got, want)
		}
		if got := r.Answer().Frames; got != nil {
			t.Errorf("%d without a body: got %v, want no frame", status, got)
		}
	}
}

// TestRecordingsOfAny reads every API's where none is named, and those without a body, or whose headers nobody kept.
func TestRecordingsOfAny(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(sdktest.ConformanceEnv, dir)
	for name, text := range map[string]string{
		"index.json":     `[{"path":"x","api":"parrots","response_file":"a.json"},{"path":"y","api":"others","status":401}]`,
		"x/a.json":       "{}",
		"x/headers.json": `{"headers":{"Retry-After":["2"]}}`,
	} {
		path := filepath.Join(dir, "fixtures", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := sdktest.Recordings()
	if err != nil || len(recs) != 2 {
		t.Fatalf("got %v %v, want two", recs, err)
	}
	if recs[0].Headers["retry-after"] != "2" || recs[1].Headers == nil || len(recs[1].Headers) != 0 {
		t.Errorf("headers: got %v and %v", recs[0].Headers, recs[1].Headers)
	}
}

func TestElements(t *testing.T) {
	for name, tc := range map[string]struct{ file, body, want string }{
		"apart":        {"a.sse", "data: {\"a\":1}\n\ndata: [2]\n\ndata: [DONE]\n\n", `{"a":1}|[2]`},
		"line by line": {"a.sse", "data: {\"a\":1}\ndata: [2]\ndata: [DONE]\n", `{"a":1}|[2]`},
		"spread out":   {"a.sse", "data: {\ndata: \"a\":1}\n\n", "{\n\"a\":1}"},
		"whole":        {"a.json", "{\n\"a\":1}\n", "{\n\"a\":1}"},
		"no JSON":      {"a.json", "<p>\n", "<p>"},
		"empty":        {"a.json", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := sdktest.Recording{File: tc.file, Body: []byte(tc.body)}
			if got := strings.Join(r.Elements(), "|"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
