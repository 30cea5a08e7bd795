package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// newGuest is the adapter as Go. The module it compiles to runs the same recordings in the host's tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &gemini{}) }

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of generateContent and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("gemini.generateContent")
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	table := map[string]int{}
	for _, rec := range recs {
		outcome := "failed"
		t.Run(rec.Path, func(t *testing.T) {
			defer func() { table[rec.Vendor+" "+outcome]++ }()
			x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: rec.Answer()}
			got, err := x.Run(newGuest())
			if err != nil {
				t.Fatal(err)
			}
			x.Together = true
			together, err := x.Run(newGuest())
			if err != nil || !reflect.DeepEqual(got, together) {
				t.Errorf("in one batch (%v) it reads differently", err)
			}
			if what := compare(t, rec, got); !t.Failed() {
				outcome = what
			}
		})
	}
	rows := make([]string, 0, len(table))
	for k, n := range table {
		rows = append(rows, fmt.Sprintf("%-40s %d", k, n))
	}
	sort.Strings(rows)
	t.Logf("%d recordings:\n%s", len(recs), strings.Join(rows, "\n"))
}

// compare holds a result against an independent reading of the recording and says what kind of recording it was.
func compare(t *testing.T, rec sdktest.Recording, got *sdktest.Result) string {
	want := readRecording(t, rec)
	m := got.Message
	if want.err != "" {
		if m.Error == nil || !strings.Contains(m.Error.Message, want.err) {
			t.Fatalf("error: got %+v, want %q", m.Error, want.err)
		}
		return "error"
	}
	if want.finish == "" && want.text == "" {
		if m.Error == nil {
			t.Fatalf("there is nothing in it, got %+v", m)
		}
		return "nothing in it: an error"
	}
	if m.Error != nil {
		t.Fatalf("error: %+v", m.Error)
	}
	if got := m.Text("text"); got != want.text {
		t.Errorf("text: got %q, want %q", got, want.text)
	}
	if got := m.Text("thinking"); got != want.thinking {
		t.Errorf("thinking: got %q, want %q", got, want.thinking)
	}
	var signatures []string
	for _, b := range m.Blocks {
		if b.Signature != "" {
			signatures = append(signatures, b.Signature)
		}
	}
	if !reflect.DeepEqual(signatures, want.signatures) {
		t.Errorf("signatures:\ngot  %.60q\nwant %.60q", signatures, want.signatures)
	}
	if m.ID != want.id || m.Model != want.model || m.Skipped != want.skipped {
		t.Errorf("got id %q, model %q, %d skipped; want %q, %q, %d", m.ID, m.Model, m.Skipped, want.id, want.model, want.skipped)
	}
	compareCalls(t, m, want)
	if want.usage != nil && !reflect.DeepEqual(m.Usage, want.usage) {
		t.Errorf("usage: got %v, want %v", m.Usage, want.usage)
	}
	if m.Stop.Native != want.finish {
		t.Errorf("finish: got %q, want %q", m.Stop.Native, want.finish)
	}
	if len(want.calls) > 0 && m.Stop.Reason != abi.FinishToolCalls {
		t.Errorf("reason: got %q with tool calls", m.Stop.Reason)
	}
	if want.usage == nil {
		return "passed, no usage in it"
	}
	return "passed"
}

func compareCalls(t *testing.T, m sdktest.Message, want reading) {
	t.Helper()
	n := 0
	for _, b := range m.Blocks {
		if b.Type != "tool_use" {
			continue
		}
		if n >= len(want.calls) {
			t.Fatalf("a call too many: %+v", b)
		}
		w := want.calls[n]
		n++
		id, own := vendorID(b.ID)
		if b.Name != w.name || own != (w.id != "") || own && id != w.id {
			t.Errorf("call: got %s %s, want %s %s", b.ID, b.Name, w.id, w.name)
		}
		var args any
		if err := json.Unmarshal([]byte(cmp.Or(b.Text, "{}")), &args); err != nil || !reflect.DeepEqual(args, w.args) {
			t.Errorf("arguments of %s: got %q, want %v", b.Name, b.Text, w.args)
		}
	}
	if n != len(want.calls) {
		t.Errorf("got %d calls, want %d", n, len(want.calls))
	}
}

// A reading is what encoding/json finds in a recording.
type reading struct {
	id, model, text, thinking, finish, err string
	signatures, held                       []string
	calls                                  []readCall
	usage                                  map[string]int64
	figures                                map[string]int64
	skipped                                int
}

type readCall struct {
	id, name string
	args     any
}

type dict = map[string]any

func readRecording(t *testing.T, rec sdktest.Recording) (r reading) {
	r.figures = map[string]int64{}
	for _, f := range rec.Answer().Frames {
		var doc any
		if err := json.Unmarshal([]byte(f.Data), &doc); err != nil {
			t.Fatalf("%q: %v", f.Data, err)
		}
		chunks, ok := doc.([]any)
		if !ok {
			chunks = []any{doc}
		}
		for _, c := range chunks {
			chunk := c.(dict)
			if e, ok := chunk["error"].(dict); ok {
				r.err = e["message"].(string)
				return r
			}
			r.chunk(chunk)
		}
	}
	return r
}

func (r *reading) chunk(doc dict) {
	if id, _ := doc["responseId"].(string); r.id == "" {
		r.id = id
	}
	if model, _ := doc["modelVersion"].(string); r.model == "" {
		r.model = model
	}
	r.count(doc)
	if feedback, ok := doc["promptFeedback"].(dict); ok && feedback["blockReason"] != nil {
		r.finish = fmt.Sprint(feedback["blockReason"])
	}
	candidates, _ := doc["candidates"].([]any)
	if len(candidates) == 0 {
		if doc["usageMetadata"] == nil && r.finish == "" {
			r.skipped++
		}
		return
	}
	candidate := candidates[0].(dict)
	if f := candidate["finishReason"]; f != nil {
		r.finish = fmt.Sprint(f)
	}
	content, _ := candidate["content"].(dict)
	parts, _ := content["parts"].([]any)
	for _, p := range parts {
		r.part(p.(dict))
	}
}

// part reads a part. Where its signature has to go is said here once more, in other words than in the adapter.
func (r *reading) part(p dict) {
	text, isText := p["text"].(string)
	call, isCall := p["functionCall"].(dict)
	mark := ""
	switch thought, _ := p["thought"].(bool); {
	case isCall && call["name"] == nil:
		r.pieces(call)
		return
	case isCall:
		mark = "gemini-c:"
		args := call["args"]
		if args == nil {
			args = dict{}
		}
		id, _ := call["id"].(string)
		r.calls = append(r.calls, readCall{id, call["name"].(string), args})
		r.pieces(call)
	case isText && thought:
		mark = "gemini-p:"
		r.thinking += text
	case isText && text == "":
		mark = "gemini-e:"
	case isText:
		mark = "gemini-t:"
		r.text += text
	default:
		r.skipped++
		return
	}
	if isCall || text != "" { // what signed a text before it is passed on
		r.signatures = append(r.signatures, r.held...)
		r.held = nil
	}
	sig, _ := p["thoughtSignature"].(string)
	switch {
	case sig == "":
	case mark == "gemini-e:", mark == "gemini-t:":
		r.held = []string{mark + sig}
	default:
		r.signatures = append(r.signatures, mark+sig)
	}
}

// pieces puts the values that the last call's arguments come in where their paths say.
func (r *reading) pieces(call dict) {
	pieces, _ := call["partialArgs"].([]any)
	for _, p := range pieces {
		path := strings.FieldsFunc(p.(dict)["jsonPath"].(string), func(c rune) bool { return strings.ContainsRune("$.[]", c) })
		last := &r.calls[len(r.calls)-1]
		last.args = put(last.args, path, p.(dict))
	}
}

func put(at any, path []string, piece dict) any {
	if len(path) == 0 {
		for _, key := range []string{"numberValue", "boolValue"} {
			if v := piece[key]; v != nil {
				return v
			}
		}
		if s, ok := piece["stringValue"].(string); ok {
			before, _ := at.(string)
			return before + s
		}
		return nil
	}
	if n, err := strconv.Atoi(path[0]); err == nil {
		list, _ := at.([]any)
		if n == len(list) {
			list = append(list, nil)
		}
		list[n] = put(list[n], path[1:], piece)
		return list
	}
	object, ok := at.(dict)
	if !ok {
		object = dict{}
	}
	object[path[0]] = put(object[path[0]], path[1:], piece)
	return object
}

// count reads the usage as the vendor's documents have it: the last figure of each kind, thoughts and the tools' prompt
// beside the rest, what was cached within the prompt.
func (r *reading) count(doc dict) {
	u, _ := doc["usageMetadata"].(dict)
	for key, v := range u {
		if n, ok := v.(float64); ok {
			r.figures[key] = int64(n)
		}
	}
	if len(r.figures) == 0 {
		return
	}
	f := r.figures
	r.usage = map[string]int64{
		"input":  f["promptTokenCount"] - f["cachedContentTokenCount"] + f["toolUsePromptTokenCount"],
		"output": f["candidatesTokenCount"] + f["thoughtsTokenCount"],
	}
	for key, n := range map[string]int64{"cache_read": f["cachedContentTokenCount"], "reasoning": f["thoughtsTokenCount"]} {
		if n > 0 {
			r.usage[key] = n
		}
	}
}
