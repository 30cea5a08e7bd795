package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// sse makes frames of chunks. One without braces is the parts of a candidate.
func sse(chunks ...string) sdktest.Answer {
	a := sdktest.Answer{Status: 200}
	for _, c := range chunks {
		if !strings.HasPrefix(c, `{"candidates`) && !strings.HasPrefix(c, `{"x`) && c != "" {
			c = `{"candidates":[{"content":{"parts":[` + c + `],"role":"model"},"index":0}],"modelVersion":"m1","responseId":"r1"}`
		}
		a.Frames = append(a.Frames, sdktest.Frame{Data: c})
	}
	return a
}

func text(s string) string    { return `{"text":"` + s + `"}` }
func thought(s string) string { return `{"text":"` + s + `","thought":true}` }

func finished(reason string) string {
	return `{"candidates":[{"finishReason":"` + reason + `","index":0}],"modelVersion":"m1","responseId":"r1"}`
}

const (
	call       = `{"functionCall":{"name":"f","args":{"x":1}}}`
	signedCall = `{"functionCall":{"name":"f","args":{"x":1}},"thoughtSignature":"AB+/"}`
)

// TestAnswers is what broke others, in what order it may come.
func TestAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		answer         sdktest.Answer
		blocks, reason string
	}{
		"text":                              {sse(text("a"), text("b\\n"), finished("STOP")), "text ab\n", abi.FinishStop},
		"several parts a chunk":             {sse(text("a")+","+text("b")+","+call+","+text("c"), finished("STOP")), `text ab | call f({"x":1}) | text c`, abi.FinishToolCalls},
		"a call first":                      {sse(call, finished("STOP")), `call f({"x":1})`, abi.FinishToolCalls},
		"a call without arguments":          {sse(`{"functionCall":{"name":"f"}}`, finished("STOP")), `call f()`, abi.FinishToolCalls},
		"a call with null":                  {sse(`{"functionCall":{"name":"f","args":null}}`, finished("STOP")), `call f()`, abi.FinishToolCalls},
		"thought first":                     {sse(thought("hm"), text("a"), finished("STOP")), "thinking hm | text a", abi.FinishStop},
		"thought, call, thought, text":      {sse(thought("a"), call, thought("b"), text("c"), finished("STOP")), `thinking a | call f({"x":1}) | thinking b | text c`, abi.FinishToolCalls},
		"a signed call":                     {sse(signedCall, finished("STOP")), `thinking [gemini-c:AB+/] | call f({"x":1})`, abi.FinishToolCalls},
		"a signed call behind a thought":    {sse(thought("hm"), signedCall+","+call, finished("STOP")), `thinking hm [gemini-c:AB+/] | call f({"x":1}) | call f({"x":1})`, abi.FinishToolCalls},
		"a signed call behind text":         {sse(thought("hm"), text("a"), signedCall, finished("STOP")), `thinking hm | text a | thinking [gemini-c:AB+/] | call f({"x":1})`, abi.FinishToolCalls},
		"signed text":                       {sse(text("a"), `{"text":"b","thoughtSignature":"AB=="}`, text("c"), finished("STOP")), `text ab | thinking [gemini-t:AB==] | text c`, abi.FinishStop},
		"signed text behind a thought":      {sse(thought("hm"), `{"text":"b","thoughtSignature":"AB=="}`, finished("STOP")), `thinking hm | text b`, abi.FinishStop},
		"an empty text, signed":             {sse(text("a"), `{"text":"","thoughtSignature":"AB=="}`, finished("STOP")), `text a`, abi.FinishStop},
		"an empty text, behind a thought":   {sse(thought("hm"), `{"text":"","thoughtSignature":"AB=="}`, finished("STOP")), `thinking hm`, abi.FinishStop},
		"a signature alone":                 {sse(text("a"), `{"thoughtSignature":"AB=="}`, finished("STOP")), `text a`, abi.FinishStop},
		"an empty text, before a call":      {sse(text("a"), `{"text":"","thoughtSignature":"AB=="}`, call, finished("STOP")), `text a | thinking [gemini-e:AB==] | call f({"x":1})`, abi.FinishToolCalls},
		"a signed thought":                  {sse(`{"text":"hm","thought":true,"thoughtSignature":"AB=="}`, thought("b"), finished("STOP")), `thinking hm [gemini-p:AB==] | thinking b`, abi.FinishStop},
		"MAX_TOKENS":                        {sse(text("a"), finished("MAX_TOKENS")), "text a", abi.FinishLength},
		"MAX_TOKENS, all of it thought":     {sse(thought("hm"), finished("MAX_TOKENS")), "thinking hm", abi.FinishLength},
		"SAFETY":                            {sse(text("a"), finished("SAFETY")), "text a", abi.FinishContentFilter},
		"SAFETY, before anything":           {sse(finished("SAFETY")), "", abi.FinishContentFilter},
		"RECITATION":                        {sse(text("a"), finished("RECITATION")), "text a", abi.FinishContentFilter},
		"PROHIBITED_CONTENT":                {sse(finished("PROHIBITED_CONTENT")), "", abi.FinishContentFilter},
		"MODEL_ARMOR":                       {sse(finished("MODEL_ARMOR")), "", abi.FinishContentFilter},
		"MALFORMED_FUNCTION_CALL in text":   {sse(text("a"), finished("MALFORMED_FUNCTION_CALL")), "text a", abi.FinishStop},
		"MALFORMED_FUNCTION_CALL in calls":  {sse(call, finished("MALFORMED_FUNCTION_CALL")), `call f({"x":1})`, abi.FinishToolCalls},
		"a number for a reason":             {sse(text("a"), `{"candidates":[{"finishReason":2}]}`), "text a", abi.FinishLength},
		"a number for a filter":             {sse(text("a"), `{"candidates":[{"finishReason":7}]}`), "text a", abi.FinishContentFilter},
		"a reason of tomorrow":              {sse(text("a"), finished("BORED")), "text a", abi.FinishStop},
		"the prompt was blocked":            {sse(`{"x":0,"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`), "", abi.FinishContentFilter},
		"the prompt was only rated":         {sse(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"promptFeedback":{"safetyRatings":[]}}`), "text a", abi.FinishStop},
		"no finish":                         {sse(text("a")), "text a", abi.FinishStop},
		"no finish after a call":            {sse(call), `call f({"x":1})`, abi.FinishToolCalls},
		"nothing but a finish":              {sse(finished("STOP")), "", abi.FinishStop},
		"text behind a finish":              {sse(text("a"), finished("STOP"), text("b"), finished("STOP")), "text ab", abi.FinishStop},
		"a candidate without content":       {sse(`{"candidates":[{"index":0}]}`, `{"candidates":[{"content":{"role":"model"}}]}`, text("a"), finished("STOP")), "text a", abi.FinishStop},
		"a second candidate":                {sse(`{"candidates":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`, finished("STOP")), "text a", abi.FinishStop},
		"a second candidate apart":          {sse(text("a"), `{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"SAFETY","index":1}]}`, `{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}},{"content":{"parts":[{"text":"c"}]}}]}`, finished("STOP")), "text ac", abi.FinishStop},
		"keys in another order":             {sse(`{"candidates":[{"finishReason":"STOP","content":{"role":"model","parts":[{"thoughtSignature":"AB==","thought":true,"text":"hm"},{"thought":false,"text":"a"}]}}]}`), "thinking hm [gemini-p:AB==] | text a", abi.FinishStop},
		"escapes, and a pair of surrogates": {sse(text(`\u00e9\"\ud83d\ude80`), finished("STOP")), "text é\"🚀", abi.FinishStop},
	} {
		t.Run(name, func(t *testing.T) {
			tests.Says(t, tc.answer, tc.blocks, tc.reason)
		})
	}
}

// TestCallsInPieces is how Vertex streams arguments: a name, values with their paths, and an empty call at the end, which
// it sometimes leaves out.
func TestCallsInPieces(t *testing.T) {
	opens := func(name string) string { return `{"functionCall":{"name":"` + name + `","willContinue":true}}` }
	more := func(pieces ...string) string {
		return `{"functionCall":{"partialArgs":[` + strings.Join(pieces, ",") + `],"willContinue":true}}`
	}
	last := func(pieces ...string) string {
		return `{"functionCall":{"partialArgs":[` + strings.Join(pieces, ",") + `]}}`
	}
	str := func(path, value string) string { return `{"jsonPath":"` + path + `","stringValue":"` + value + `"}` }
	begun := func(path, value string) string {
		return `{"jsonPath":"` + path + `","stringValue":"` + value + `","willContinue":true}`
	}
	num := func(path, value string) string { return `{"jsonPath":"` + path + `","numberValue":` + value + `}` }
	const end = `{"functionCall":{}}`
	for name, tc := range map[string]struct {
		answer         sdktest.Answer
		blocks, reason string
		skipped        int
	}{
		"a string in pieces": {sse(opens("f"), more(begun("$.a", `x\"`)), more(begun("$.a", "y")), more(str("$.a", "")), end, finished("STOP")), `call f({"a":"x\"y"})`, abi.FinishToolCalls, 0},
		"two calls": {sse(opens("f"), more(begun("$.a", "1")), more(str("$.a", "")), end, opens("g"), more(num("$.b", "2")), end, finished("STOP")),
			`call f({"a":"1"}) | call g({"b":2})`, abi.FinishToolCalls, 0},
		"all in one chunk": {sse(opens("f")+","+more(num("$.a", "1"), num("$.b", "2"))+","+end+","+text("t"), finished("STOP")), `call f({"a":1,"b":2}) | text t`, abi.FinishToolCalls, 0},
		"the first with the name": {sse(`{"functionCall":{"name":"f","id":"i","partialArgs":[`+num("$.a", "1")+`],"willContinue":true}}`, last(num("$.b", "2")), finished("STOP")),
			`call f({"a":1,"b":2})`, abi.FinishToolCalls, 0},
		"an object at first": {sse(`{"functionCall":{"name":"f","args":{},"willContinue":true}}`, last(num("$.a", "1")), finished("STOP")), `call f({"a":1})`, abi.FinishToolCalls, 0},
		"objects in lists": {sse(opens("f"), more(str("$.l[0].a", "x")), `{"functionCall":{"willContinue":true}}`, more(num("$.l[0].b.c", "1.5")), more(num("$.l[1].a", "2"), num("$.l[2]", "3")), more(num("$.m[0][0]", "4"), num("$.m[0][1]", "5"), num("$.m[1][0]", "6")), end, finished("STOP")),
			`call f({"l":[{"a":"x","b":{"c":1.5}},{"a":2},3],"m":[[4,5],[6]]})`, abi.FinishToolCalls, 0},
		"other values": {sse(opens("f"), more(`{"jsonPath":"$.t","boolValue":true}`, `{"jsonPath":"$.f","boolValue":false}`, `{"jsonPath":"$.n","nullValue":"NULL_VALUE"}`, `{"jsonPath":"$.m","nullValue":null}`), end, finished("STOP")),
			`call f({"t":true,"f":false,"n":null,"m":null})`, abi.FinishToolCalls, 0},
		"names in quotes": {sse(opens("f"), last(num(`$['a b']`, "1"), num(`$[\"c.d\"].e`, "2"), num(`$['it\\'s'][0]`, "3"), num(`$['\"']`, "4")), finished("STOP")),
			`call f({"a b":1,"c.d":{"e":2},"it's":[3],"\"":4})`, abi.FinishToolCalls, 0},
		"no arguments":             {sse(opens("f"), end, `{"functionCall":{"name":"g"}}`, finished("STOP")), `call f() | call g()`, abi.FinishToolCalls, 0},
		"no end":                   {sse(opens("f"), more(begun("$.a[0].b", "x")), finished("STOP")), `call f({"a":[{"b":"x"}]})`, abi.FinishToolCalls, 0},
		"an empty text for an end": {sse(opens("f"), last(num("$.a", "1")), text(""), finished("STOP")), `call f({"a":1})`, abi.FinishToolCalls, 0},
		"text for an end":          {sse(opens("f"), more(num("$.a", "1")), text("t"), finished("STOP")), `call f({"a":1}) | text t`, abi.FinishToolCalls, 0},
		"a call for an end":        {sse(opens("f"), more(num("$.a", "1")), signedCall, finished("STOP")), `call f({"a":1}) | thinking [gemini-c:AB+/] | call f({"x":1})`, abi.FinishToolCalls, 0},
		"signed":                   {sse(thought("hm"), `{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"AB=="}`, last(num("$.a", "1")), finished("STOP")), `thinking hm [gemini-c:AB==] | call f({"a":1})`, abi.FinishToolCalls, 0},
		"cut by MAX_TOKENS":        {sse(opens("f"), more(begun("$.a[0].b", "x")), finished("MAX_TOKENS")), `call f({"a":[{"b":"x)`, abi.FinishLength, 0},
		"what fits nowhere": {sse(opens("f"), more(num("$.a.b", "1"), num("$.a", "2"), num("$.a.b.c", "2"), num("$.a[0]", "2"), num("a", "2"), num("$", "2"), num("$[0]", "2"), num("$.", "2"), num("$.a[x]", "2"), num("$.a['b", "2"), num("$.a[", "2"), `{"jsonPath":"$.x"}`, `{}`, "7"), end, end, finished("STOP")),
			`call f({"a":{"b":1}})`, abi.FinishToolCalls, 14},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, tc.answer)
			if got := m.Summary(); got != tc.blocks || m.Error != nil || m.Stop.Reason != tc.reason || m.Skipped != tc.skipped {
				t.Errorf("got  %q, stop %+v, %d skipped, error %+v\nwant %q, %s, %d", got, m.Stop, m.Skipped, m.Error, tc.blocks, tc.reason, tc.skipped)
			}
		})
	}
	for name, a := range map[string]sdktest.Answer{
		"an error":       sse(opens("f"), more(num("$.a", "1")), `{"x":1,"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}`),
		"a wrong finish": sse(opens("f"), more(num("$.a", "1")), finished("MALFORMED_FUNCTION_CALL")),
		"no finish":      sse(opens("f"), more(num("$.a", "1"))),
	} {
		if m := tests.Play(t, a); m.Error == nil || m.Summary() != `call f({"a":1)` {
			t.Errorf("%s amid a call: got %q, %+v", name, m.Summary(), m.Error)
		}
	}
}

// TestWholeIsStreamed: an answer in one document, as an array or in chunks makes the same message.
func TestWholeIsStreamed(t *testing.T) {
	const usage = `"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":3,"totalTokenCount":18}`
	parts := thought("hm") + "," + text("Let me see.") + "," + signedCall + "," + call
	whole := `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"finishReason":"STOP","index":0}],` + usage + `,"modelVersion":"m1","responseId":"r1"}`
	want := tests.Play(t, sdktest.Document(200, whole))
	if got, w := want.Summary(), `thinking hm | text Let me see. | thinking [gemini-c:AB+/] | call f({"x":1}) | call f({"x":1})`; got != w {
		t.Fatalf("got %q, want %q", got, w)
	}
	for name, a := range map[string]sdktest.Answer{
		"one chunk":     {Status: 200, Frames: []sdktest.Frame{{Data: whole}}},
		"an array":      sdktest.Document(200, "[\n"+whole+"\n]\n"),
		"several":       sse(thought("hm"), text("Let "), text("me see."), signedCall, call, `{"candidates":[{"finishReason":"STOP"}],`+usage+`}`),
		"parts by two":  sse(thought("h")+","+thought("m"), text("Let me")+","+text(" see."), signedCall+","+call, `{"candidates":[{"finishReason":"STOP"}],`+usage+`}`),
		"array of many": sdktest.Document(200, "["+sse(thought("hm")).Frames[0].Data+","+sse(text("Let me see.") + "," + signedCall + "," + call).Frames[0].Data+`,{"candidates":[{"finishReason":"STOP"}],`+usage+"}]"),
	} {
		if got := tests.Play(t, a); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// TestSpaces: the vendor writes a space behind each colon, proxies none and its whole answers lines.
func TestSpaces(t *testing.T) {
	const chunk = `{"candidates":[{"content":{"parts":[{"text":"a: {b}, \"c\""},` + signedCall + `],"role":"model"},"finishReason":"STOP","index":0}],` +
		`"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":18,"thoughtsTokenCount":3},"modelVersion":"m1","responseId":"r1"}`
	want := tests.Play(t, sse(chunk))
	if want.Usage["input"] != 10 || want.Usage["reasoning"] != 3 || want.ID != "r1" {
		t.Fatalf("got %+v", want)
	}
	var lines bytes.Buffer
	if err := json.Indent(&lines, []byte(chunk), "", "  "); err != nil {
		t.Fatal(err)
	}
	spaced := strings.NewReplacer(`":`, `": `).Replace(chunk)
	for name, data := range map[string]string{"spaced": spaced, "lines": lines.String(), "tabs": strings.ReplaceAll(spaced, `": `, "\" :\t")} {
		got := tests.Play(t, sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Data: data}}})
		for i := range got.Blocks { // the arguments go on as they are written
			got.Blocks[i].Text = strings.Join(strings.Fields(got.Blocks[i].Text), "")
			want.Blocks[i].Text = strings.Join(strings.Fields(want.Blocks[i].Text), "")
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// TestIDs: calls without an id get one each, the same every time, of the characters that clients take; the vendor's own
// come back to it.
func TestIDs(t *testing.T) {
	answer := sse(call, call, `{"functionCall":{"id":"8xju7mua","name":"g","args":{}}}`, `{"functionCall":{"id":"a.b:0","name":"g","args":{}}}`, finished("STOP"))
	m, again := tests.Play(t, answer), tests.Play(t, answer)
	ids := map[string]bool{}
	for i, b := range m.Blocks {
		ids[b.ID] = true
		if b.ID != again.Blocks[i].ID {
			t.Errorf("got %s, then %s", b.ID, again.Blocks[i].ID)
		}
		if strings.Trim(b.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			t.Errorf("clients refuse %q", b.ID)
		}
	}
	if len(ids) != 4 {
		t.Errorf("got %v, want 4 ids", ids)
	}
	for i, want := range []string{"", "", "8xju7mua", "a.b:0"} {
		if id, ok := vendorID(m.Blocks[i].ID); ok != (want != "") || ok && id != want {
			t.Errorf("%s goes back as %q, want %q", m.Blocks[i].ID, id, want)
		}
	}
	// In the next turn of the conversation the same call is another one, also where the vendor names no answer.
	bare := sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Data: `{"candidates":[{"content":{"parts":[` + call + `]},"finishReason":"STOP"}]}`}}}
	first := tests.Play(t, bare).Blocks[0].ID
	x := sdktest.Exchange{Call: plainCall, Answer: bare, Body: conversation(`{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"` + first + `","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + first + `","content":"1"}]}`)}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	if second := got.Message.Blocks[0].ID; second == first {
		t.Errorf("the id %s twice in a conversation", first)
	}
}

func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  [4]int64 // input, output, cache_read, reasoning
	}{
		"plain":              {`{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}`, [4]int64{10, 5, 0, 0}},
		"thoughts beside":    {`{"promptTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":40,"totalTokenCount":55}`, [4]int64{10, 45, 0, 40}},
		"thoughts alone":     {`{"promptTokenCount":10,"thoughtsTokenCount":40,"totalTokenCount":50}`, [4]int64{10, 40, 0, 40}},
		"cached":             {`{"promptTokenCount":10,"cachedContentTokenCount":8,"candidatesTokenCount":5,"totalTokenCount":15}`, [4]int64{2, 5, 8, 0}},
		"a tool's prompt":    {`{"promptTokenCount":10,"toolUsePromptTokenCount":7,"candidatesTokenCount":5,"totalTokenCount":22}`, [4]int64{17, 5, 0, 0}},
		"the total has more": {`{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":30}`, [4]int64{10, 20, 0, 0}},
		"no total":           {`{"promptTokenCount":10,"candidatesTokenCount":5}`, [4]int64{10, 5, 0, 0}},
		"nonsense":           {`{"promptTokenCount":"x","candidatesTokenCount":-5,"totalTokenCount":7,"trafficType":"ON_DEMAND"}`, [4]int64{0, 7, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, sse(text("a"), `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":`+tc.usage+`}`))
			if got := [4]int64{m.Usage["input"], m.Usage["output"], m.Usage["cache_read"], m.Usage["reasoning"]}; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestUsageUnknown: a prompt that isn't counted is not one of no tokens, and zeros count nothing.
func TestUsageUnknown(t *testing.T) {
	for usage, want := range map[string]map[string]int64{
		`{"candidatesTokenCount":23,"thoughtsTokenCount":67}`:                         {"output": 90, "reasoning": 67},
		`{"promptTokenCount":0,"candidatesTokenCount":23}`:                            {"output": 23},
		`{"promptTokenCount":9,"totalTokenCount":9}`:                                  {"input": 9, "output": 0},
		`{"promptTokenCount":8,"cachedContentTokenCount":8,"candidatesTokenCount":0}`: {"input": 0, "output": 0, "cache_read": 8},
		`{"promptTokenCount":0,"candidatesTokenCount":0,"totalTokenCount":0}`:         nil,
	} {
		m := tests.Play(t, sse(`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":`+usage+`}`))
		if len(m.Usage) != len(want) || len(want) > 0 && !reflect.DeepEqual(m.Usage, want) {
			t.Errorf("%s: got %v, want %v", usage, m.Usage, want)
		}
	}
}

// TestUsageInEveryChunk: figures replace each other and are never added up; one that a chunk leaves out stays.
func TestUsageInEveryChunk(t *testing.T) {
	m := tests.Play(t, sse(
		`{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}],"usageMetadata":{"promptTokenCount":54,"totalTokenCount":116,"thoughtsTokenCount":62}}`,
		`{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":54,"candidatesTokenCount":4,"totalTokenCount":120,"thoughtsTokenCount":62}}`,
		`{"candidates":[{"content":{"parts":[{"text":"b"}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"}}`,
		`{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":54,"candidatesTokenCount":14,"totalTokenCount":130,"thoughtsTokenCount":62}}`,
	))
	want := map[string]int64{"input": 54, "output": 76, "reasoning": 62}
	if !reflect.DeepEqual(m.Usage, want) {
		t.Errorf("got %v, want %v", m.Usage, want)
	}
}

// TestFinishAmid: a finish that has been counted is not the last word where more may come.
func TestFinishAmid(t *testing.T) {
	counted := func(parts, finish string) string {
		if finish != "" {
			finish = `,"finishReason":"` + finish + `"`
		}
		return `{"candidates":[{"content":{"parts":[` + parts + `]}` + finish + `}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":5,"totalTokenCount":8}}`
	}
	code, result := `{"executableCode":{"language":"PYTHON","code":"1"}}`, `{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}`
	for name, tc := range map[string]struct {
		answer         sdktest.Answer
		blocks, reason string
	}{
		"one in every chunk":             {sse(counted(text("a"), "STOP"), counted(text("b"), "STOP"), counted(call, "STOP")), `text ab | call f({"x":1})`, abi.FinishToolCalls},
		"one in every chunk, cut":        {sse(counted(text("a"), "STOP"), counted(text("b"), "MAX_TOKENS")), "text ab", abi.FinishLength},
		"before anything":                {sse(counted("", "STOP"), counted(text("a"), ""), counted("", "STOP"), counted(text("b"), "")), "text ab", abi.FinishStop},
		"at the end of a tool's round":   {sse(counted(text("a"), ""), counted(code, "STOP"), counted(result, ""), counted(text("b"), ""), counted(text("c"), "STOP")), "text abc", abi.FinishStop},
		"before anything, by a new name": {sse(`{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3},"modelVersion":"gemini-3-pro"}`, counted(text("a"), ""), counted("", "STOP")), "text a", abi.FinishStop},
		"in every chunk, by an old name": {sse(`{"candidates":[{"content":{"parts":[`+text("a")+`]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3},"modelVersion":"gemini-1.5-pro-002"}`, counted(text("b"), "STOP")), "text ab", abi.FinishStop},
		"behind a tool's round":          {sse(counted(text("a"), ""), counted(code, ""), counted("", "STOP"), counted(text("b"), "STOP")), "text ab", abi.FinishStop},
		"twice":                          {sse(counted(text("a"), ""), finished("STOP"), counted(text("b"), "STOP"), counted(text("c"), "STOP")), "text abc", abi.FinishStop},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, tc.answer)
			if got := m.Summary(); got != tc.blocks || m.Error != nil || m.Stop.Reason != tc.reason {
				t.Errorf("got %q, stop %+v, error %+v; want %q, %s", got, m.Stop, m.Error, tc.blocks, tc.reason)
			}
		})
	}
}

// TestStopComesWithTheLastChunk: an answer that is finished and counted doesn't wait for the connection's end, also one of a
// single chunk, as most calls are.
func TestStopComesWithTheLastChunk(t *testing.T) {
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		blocks string
	}{
		"of several": {sse(text("a"), `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`, text("never read")), "text a"},
		"of one": {sse(`{"candidates":[{"content":{"parts":[`+call+`]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1},"modelVersion":"models/gemini-2.5-flash"}`,
			text("never read")), `call f({"x":1})`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.answer.End = abi.EndBroken
			if m := tests.Play(t, tc.answer); m.Stop == nil || m.Summary() != tc.blocks {
				t.Errorf("got %q, stop %v", m.Summary(), m.Stop)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	status := func(code int, headers map[string]string, body string) sdktest.Answer {
		a := sdktest.Document(code, body)
		a.Headers = headers
		return a
	}
	const quota = `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}`
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		kind   string
		wait   int64
	}{
		"retryDelay":               {status(429, nil, quota), abi.ErrRateLimit, 34500},
		"an array of errors":       {status(429, nil, "["+quota+"]"), abi.ErrRateLimit, 34500},
		"a header goes before it":  {status(429, map[string]string{"retry-after": "2"}, quota), abi.ErrRateLimit, 2000},
		"status, no body":          {sdktest.Answer{Status: 503}, abi.ErrOverloaded, 0},
		"overloaded":               {status(503, nil, `{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`), abi.ErrOverloaded, 0},
		"a key, as a 400":          {status(400, nil, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}`), abi.ErrAuthentication, 0},
		"too long":                 {status(400, nil, `{"error":{"code":400,"message":"The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}}`), abi.ErrContextTooLong, 0},
		"no such model":            {status(404, nil, `{"error":{"code":404,"message":"models/x is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}`), abi.ErrNotFound, 0},
		"first in a stream":        {sse(`{"x":1,"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}`), abi.ErrOverloaded, 0},
		"amid a stream":            {sse(text("a"), `{"x":1,"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}`, text("b")), abi.ErrAPI, 0},
		"amid an array":            {sdktest.Document(200, `[`+sse(text("a")).Frames[0].Data+`,{"error":{"code":500,"message":"Internal","status":"INTERNAL"}}]`), abi.ErrAPI, 0},
		"behind a finish":          {sse(text("a"), finished("STOP"), `{"x":1,"error":{"code":503,"message":"gone","status":"UNAVAILABLE"}}`), abi.ErrOverloaded, 0},
		"no JSON":                  {sdktest.Document(200, `<html>`), abi.ErrAPI, 0},
		"no JSON, in an array":     {sdktest.Document(200, `[{]`), abi.ErrAPI, 0},
		"nothing":                  {sse(), abi.ErrAPI, 0},
		"an empty document":        {sdktest.Document(200, `{}`), abi.ErrAPI, 0},
		"an empty array":           {sdktest.Document(200, `[]`), abi.ErrAPI, 0},
		"candidates of nothing":    {sdktest.Document(200, `{"candidates":[]}`), abi.ErrAPI, 0},
		"only usage":               {sse(`{"x":1,"usageMetadata":{"promptTokenCount":1}}`), abi.ErrAPI, 0},
		"only a thought":           {sse(thought("hm")), abi.ErrAPI, 0},
		"MALFORMED_FUNCTION_CALL":  {sse(finished("MALFORMED_FUNCTION_CALL")), abi.ErrAPI, 0},
		"the same after a thought": {sse(thought("hm"), finished("MALFORMED_FUNCTION_CALL")), abi.ErrAPI, 0},
		"OTHER, and nothing said":  {sse(finished("OTHER")), abi.ErrAPI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tests.Fails(t, tc.answer, tc.kind, tc.wait)
		})
	}
	if m := tests.Play(t, sse(finished("MALFORMED_FUNCTION_CALL"))); len(m.Blocks) > 0 || m.ID != "" {
		t.Errorf("the message had started: %+v", m)
	}
}

// TestBrokenOff: what the connection cut is the host's to tell, unless the vendor had finished.
func TestBrokenOff(t *testing.T) {
	a := sse(text("a"))
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop != nil || m.Error != nil {
		t.Errorf("got %+v %+v, want neither", m.Stop, m.Error)
	}
	a = sse(text("a"), finished("STOP"), text("b"))
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop != nil || m.Error != nil || m.Summary() != "text ab" {
		t.Errorf("went on, and was cut: got %q, %+v %+v, want neither", m.Summary(), m.Stop, m.Error)
	}
	a = sse(`{"x":0,"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}}`)
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop == nil {
		t.Error("blocked, then heartbeats only: no stop")
	}
	a = sse(text("a"), finished("STOP"))
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop == nil {
		t.Error("finished, then heartbeats only: no stop")
	}
}

func TestSkipped(t *testing.T) {
	m := tests.Play(t, sse(text("a"), `{"candidates":[`, `{"x":1}`, `{"executableCode":{"code":"1"},"thoughtSignature":"AA=="},{"codeExecutionResult":{}},{"inlineData":{}}`,
		`{"functionCall":{}},{"functionCall":{"name":"f","args":"x"}},7`, text("b"), finished("STOP")))
	if got := m.Summary(); m.Skipped != 8 || got != "text a | call f() | text b" {
		t.Errorf("got %d skipped, %s", m.Skipped, got)
	}
}

func TestCount(t *testing.T) {
	x := sdktest.Exchange{Call: `{"op":"count","model":"gemini-2.5-pro"}`, Body: plainBody, Answer: sdktest.Document(200, `{"totalTokens":31,"promptTokensDetails":[]}`)}
	got, err := x.Run(newGuest())
	if err != nil || got.Message.Usage["input"] != 31 || got.Message.Stop == nil || len(got.Message.Blocks) != 0 {
		t.Errorf("got %v %+v", err, got.Message)
	}
	x.Answer = sdktest.Document(200, `{}`)
	if got, err = x.Run(newGuest()); err != nil || got.Message.Error == nil {
		t.Errorf("no count: got %v %+v", err, got.Message)
	}
}

// FuzzFrame: whatever a vendor sends, the events are well formed.
func FuzzFrame(f *testing.F) {
	f.Add(sse(text("a")).Frames[0].Data, sse(signedCall).Frames[0].Data, false)
	f.Add(`{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"AA"}]}}]}`, `{"error":1}`, false)
	f.Add(sse(`{"functionCall":{"name":"f","willContinue":true}}`).Frames[0].Data, sse(`{"functionCall":{"partialArgs":[{"jsonPath":"$.a[0]['b']","stringValue":"x","willContinue":true}],"willContinue":true}}`).Frames[0].Data, false)
	f.Add(`[{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]}}]}]`, `{"promptFeedback":{"blockReason":"X"}}`, true)
	f.Fuzz(func(t *testing.T, a, b string, document bool) {
		x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: sdktest.Answer{Status: 200, Frames: []sdktest.Frame{
			{Data: a, Document: document}, {Data: b}, {Data: a}, {Data: b, Document: document}}}}
		got, err := x.Run(newGuest())
		if err != nil {
			t.Fatalf("%v\n%+v", err, got.Events)
		}
		for _, blk := range got.Message.Blocks {
			if blk.Type == "tool_use" && strings.Trim(blk.ID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
				t.Fatalf("clients refuse %q", blk.ID)
			}
		}
	})
}
