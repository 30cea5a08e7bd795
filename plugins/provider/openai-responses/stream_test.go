package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// sse makes frames of events. One without braces is given by its type, without "response.", and its fields.
func sse(events ...string) sdktest.Answer {
	a := sdktest.Answer{Status: 200}
	for _, e := range events {
		kind := ""
		if !strings.HasPrefix(e, "{") && e != "[DONE]" {
			name, fields, _ := strings.Cut(e, " ")
			kind = "response." + name
			e = `{"type":"` + kind + `"`
			if fields != "" {
				e += "," + fields
			}
			e += "}"
		}
		a.Frames = append(a.Frames, sdktest.Frame{Event: kind, Data: e})
	}
	return a
}

// Events as OpenAI writes them, of the item at an index.

const created = `created "response":{"id":"r1","model":"m1","status":"in_progress","output":[],"usage":null}`

func added(index int, item string) string {
	return fmt.Sprintf(`output_item.added "output_index":%d,"item":{%s}`, index, item)
}

func done(index int, item string) string {
	return fmt.Sprintf(`output_item.done "output_index":%d,"item":{%s}`, index, item)
}

func text(index int, s string) string {
	return fmt.Sprintf(`output_text.delta "item_id":"i","output_index":%d,"content_index":0,"delta":%q`, index, s)
}

func summary(index, part int, s string) string {
	return fmt.Sprintf(`reasoning_summary_text.delta "item_id":"i","output_index":%d,"summary_index":%d,"delta":%q`, index, part, s)
}

func args(index int, s string) string {
	return fmt.Sprintf(`function_call_arguments.delta "item_id":"i","output_index":%d,"delta":%q`, index, s)
}

func argsDone(index int, s string) string {
	return fmt.Sprintf(`function_call_arguments.done "item_id":"i","output_index":%d,"arguments":%q`, index, s)
}

func fnCall(id, name, args string) string {
	return fmt.Sprintf(`"id":"fc_%s","type":"function_call","call_id":%q,"name":%q,"arguments":%q`, id, id, name, args)
}

const message = `"id":"msg_1","type":"message","role":"assistant","content":[]`

func said(s string) string {
	return fmt.Sprintf(`"id":"msg_1","type":"message","role":"assistant","content":[{"type":"output_text","text":%q,"annotations":[]}]`, s)
}

func reasoned(encrypted string, summary ...string) string {
	var parts []string
	for _, s := range summary {
		parts = append(parts, fmt.Sprintf(`{"type":"summary_text","text":%q}`, s))
	}
	s := `"id":"rs_1","type":"reasoning","summary":[` + strings.Join(parts, ",") + `]`
	if encrypted != "" {
		s += `,"encrypted_content":"` + encrypted + `"`
	}
	return s
}

const completed = `completed "response":{"id":"r1","model":"m1","status":"completed","output":[],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}}`

func incomplete(reason string) string {
	return `incomplete "response":{"id":"r1","status":"incomplete","incomplete_details":{"reason":"` + reason + `"},"output":[]}`
}

// TestStream has, among others, each of the cases that broke others and can come up in this protocol, under its name.
func TestStream(t *testing.T) {
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		blocks string
		reason string
	}{
		"text": {sse(created, `in_progress "response":{"id":"r1"}`, added(0, message), text(0, "He"), text(0, "llo é\n"), done(0, said("Hello é\n")), completed),
			"text Hello é\n", abi.FinishStop},
		"the first item is a call": {sse(created, added(0, fnCall("a", "f", "")), args(0, `{"x":`), args(0, `1}`), argsDone(0, `{"x":1}`), done(0, fnCall("a", "f", `{"x":1}`)), completed),
			`call f({"x":1})`, abi.FinishToolCalls},
		"reasoning, then a message: thinking, then text": {sse(created, added(0, reasoned("")), summary(0, 0, "h"), summary(0, 0, "m"), done(0, reasoned("enc", "hm")), added(1, message), text(1, "ok"), done(1, said("ok")), completed),
			"thinking hm [oar1:s:4:rs_1enc] | text ok", abi.FinishStop},
		"reasoning_text": {sse(created, added(0, reasoned("")), `reasoning_text.delta "output_index":0,"content_index":0,"delta":"hm"`, done(0, `"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]`), completed),
			"thinking hm [oar1:c:4:rs_1]", abi.FinishStop},
		"reasoning_text under its older name": {sse(`reasoning.delta "output_index":0,"delta":"hm"`, completed), "thinking hm", abi.FinishStop},
		"both texts of one reasoning":         {sse(summary(0, 0, "hm"), `reasoning_text.delta "output_index":0,"content_index":0,"delta":"hm, long"`, completed), "thinking hm", abi.FinishStop},
		"a summary of two parts": {sse(summary(0, 0, "a"), summary(0, 1, "b"), summary(0, 1, "c"), done(0, reasoned("", "a", "bc")), completed),
			"thinking a\n\nbc", abi.FinishStop},
		"a summary that only the end of its item has": {sse(added(0, reasoned("")), done(0, reasoned("enc", "a", "b")), completed), "thinking a\n\nb [oar1:s:4:rs_1enc]", abi.FinishStop},
		"reasoning without a text":                    {sse(added(0, reasoned("")), done(0, reasoned("enc")), added(1, message), text(1, "ok"), completed), "redacted_thinking oar1:s:4:rs_1enc | text ok", abi.FinishStop},
		"reasoning with nothing to it":                {sse(added(0, reasoned("")), done(0, reasoned("")), added(1, message), text(1, "ok"), completed), "text ok", abi.FinishStop},
		"reasoning that ends behind the message": {sse(added(0, reasoned("")), summary(0, 0, "hm"), added(1, message), text(1, "ok"), done(1, said("ok")), done(0, reasoned("enc", "hm")), completed),
			"thinking hm | text ok | redacted_thinking oar1:s:4:rs_1enc", abi.FinishStop},
		"reason, tool, reason, text": {sse(summary(0, 0, "a"), done(0, reasoned("", "a")), added(1, fnCall("i", "f", "")), args(1, "{}"), done(1, fnCall("i", "f", "{}")), summary(2, 0, "b"), text(3, "c"), completed),
			"thinking a | call f({}) | thinking b | text c", abi.FinishToolCalls},
		"id, name and all arguments at once": {sse(added(0, fnCall("i", "f", `{"x":1}`)), done(0, fnCall("i", "f", `{"x":1}`)), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"arguments only in their done event": {sse(added(0, fnCall("i", "f", "")), argsDone(0, `{"x":1}`), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"arguments only in their item's end": {sse(added(0, fnCall("i", "f", "")), done(0, fnCall("i", "f", `{"x":1}`)), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"arguments in deltas, done and end":  {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":1}`), argsDone(0, `{"x":1}`), done(0, fnCall("i", "f", `{"x":1}`)), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"deltas that stop short of the done": {sse(added(0, fnCall("i", "f", "")), args(0, `{"x"`), argsDone(0, `{"x":1}`), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"a done that is spaced differently":  {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":1}`), argsDone(0, `{"x": 1}`), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"arguments that are an object":       {sse(done(0, `"type":"function_call","call_id":"i","name":"f","arguments":{"x":1}`), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"no arguments":                       {sse(added(0, fnCall("i", "f", "")), done(0, fnCall("i", "f", "")), completed), `call f()`, abi.FinishToolCalls},
		"arguments before the item":          {sse(args(0, `{"x":`), argsDone(0, `{"x":1}`), done(0, fnCall("i", "f", `{"x":1}`)), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"a call whose item never ends":       {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":1}`), completed), `call f({"x":1})`, abi.FinishToolCalls},
		"a call without an id":               {sse(done(0, `"type":"function_call","name":"f","arguments":"{}"`), completed), `call f({})`, abi.FinishToolCalls},
		"two calls interleaved": {sse(added(0, fnCall("a", "f", "")), added(1, fnCall("b", "g", "")), args(0, `{"x":`), args(1, `{"y":`), args(0, `1}`), args(1, `2}`), argsDone(1, `{"y":2}`), argsDone(0, `{"x":1}`), completed),
			`call f({"x":1}) | call g({"y":2})`, abi.FinishToolCalls},
		"interleaved, told apart by id alone": {sse(`output_item.added "item":{`+fnCall("a", "f", "")+`}`, `output_item.added "item":{`+fnCall("b", "g", "")+`}`,
			`function_call_arguments.delta "item_id":"fc_a","delta":"{\"x\":"`, `function_call_arguments.delta "item_id":"fc_b","delta":"{}"`, `function_call_arguments.delta "item_id":"fc_a","delta":"1}"`, completed),
			`call f({"x":1}) | call g({})`, abi.FinishToolCalls},
		"two messages interleaved": {sse(added(0, message), added(1, message), text(0, "a"), text(1, "b"), text(0, "c"), completed), "text a | text b | text c", abi.FinishStop},
		"two parts of a message": {sse(`output_text.delta "output_index":0,"content_index":0,"delta":"a"`, `output_text.delta "output_index":0,"content_index":1,"delta":"b"`, completed),
			"text a | text b", abi.FinishStop},
		"text that only the end of its item has": {sse(added(0, message), done(0, said("a")), completed), "text a", abi.FinishStop},
		"the end of an item twice":               {sse(added(0, message), text(0, "a"), done(0, said("a")), done(0, said("a")), completed), "text a", abi.FinishStop},
		"no items but in the last response":      {sse(created, `completed "response":{"id":"r1","status":"completed","output":[{`+said("a")+`},{`+fnCall("i", "f", "{}")+`}]}`), "text a | call f({})", abi.FinishToolCalls},
		"an item whose end is in the last response": {sse(created, added(0, message), text(0, "a"), added(1, fnCall("i", "f", "")), `completed "response":{"id":"r1","status":"completed","output":[{`+said("a")+`},{`+fnCall("i", "f", `{"x":1}`)+`}]}`),
			`text a | call f({"x":1})`, abi.FinishToolCalls},
		"an item that only the last response has": {sse(created, added(1, message), text(1, "a"), done(1, said("a")), `completed "response":{"id":"r1","status":"completed","output":[{`+said("a")+`},{`+fnCall("i", "f", `{"x":1}`)+`}]}`),
			`text a | call f({"x":1})`, abi.FinishToolCalls},
		"incomplete: its closing frames":    {sse(created, added(0, message), text(0, "a"), incomplete("max_output_tokens")), "text a", abi.FinishLength},
		"incomplete inside of a call":       {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":`), done(0, fnCall("i", "f", `{"x":`)), incomplete("max_output_tokens")), `call f({"x":)`, abi.FinishLength},
		"incomplete in its thoughts":        {sse(created, added(0, reasoned("")), done(0, reasoned("")), incomplete("max_output_tokens")), "", abi.FinishLength},
		"incomplete for its content":        {sse(added(0, message), text(0, "a"), incomplete("content_filter")), "text a", abi.FinishContentFilter},
		"incomplete for another reason":     {sse(added(0, message), text(0, "a"), incomplete("max_tool_calls")), "text a", abi.FinishLength},
		"an error in which nothing is said": {sse(text(0, "a"), `completed "response":{"status":"completed","error":{"code":null,"message":null},"output":[]}`), "text a", abi.FinishStop},
		"incomplete by its event alone":     {sse(text(0, "a"), `incomplete "response":{"status":"completed","output":[]}`), "text a", abi.FinishLength},
		"incomplete by its status alone":    {sse(text(0, "a"), `completed "response":{"status":"incomplete","output":[]}`), "text a", abi.FinishLength},
		"incomplete by its reason alone":    {sse(text(0, "a"), `completed "response":{"status":"completed","incomplete_details":{"reason":"max_output_tokens"},"output":[]}`), "text a", abi.FinishLength},
		"refusal":                           {sse(added(0, message), `refusal.delta "output_index":0,"content_index":0,"delta":"no"`, done(0, `"type":"message","content":[{"type":"refusal","refusal":"no"}]`), completed), "text no", abi.FinishContentFilter},
		"a tool of the vendor's failed":     {sse(added(0, `"type":"mcp_call","id":"mcp_1"`), `mcp_call.failed "item_id":"mcp_1","output_index":0,"error":{"code":"x","message":"m"}`, text(1, "a"), completed), "text a", abi.FinishStop},
		"cut by a filter inside a call":     {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":`), incomplete("content_filter")), `call f({"x":)`, abi.FinishContentFilter},
		"ended without an end":              {sse(created, added(0, message), text(0, "a")), "text a", abi.FinishStop},
		"done without an end":               {sse(created, added(0, message), text(0, "a"), "[DONE]"), "text a", abi.FinishStop},
		"ended behind a call":               {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":1}`)), `call f({"x":1})`, abi.FinishToolCalls},
		"behind the end nothing is read":    {sse(added(0, message), text(0, "a"), completed, text(0, "b"), "[DONE]"), "text a", abi.FinishStop},
		"empty deltas":                      {sse(created, added(0, message), text(0, ""), args(1, ""), text(0, "a"), `output_text.delta "output_index":0,"delta":null`, completed), "text a", abi.FinishStop},
		"a response without an event":       {sse(`{"object":"response","id":"r1","status":"completed","output":[{` + said("a") + `}]}`), "text a", abi.FinishStop},
		"an event that only its frame names": {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "response.output_text.delta", Data: `{"output_index":0,"delta":"a"}`}}},
			"text a", abi.FinishStop},
	} {
		t.Run(name, func(t *testing.T) {
			tests.Says(t, tc.answer, tc.blocks, tc.reason)
		})
	}
}

// TestWholeIsAsStreamed: the same items, streamed or in one document, are the same message.
func TestWholeIsAsStreamed(t *testing.T) {
	items := []string{reasoned("enc", "a", "b"), said("Hello"), fnCall("a", "f", `{"x":1}`), fnCall("functions.g:0", "g", ""), `"type":"web_search_call","id":"ws"`,
		`"type":"message","content":[{"type":"output_text","text":"c","annotations":[{"type":"url_citation"}]},{"type":"refusal","refusal":"no"}]`}
	const end = `"id":"r1","model":"m1","status":"completed","error":null,"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":64},"output_tokens":20,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":120}`
	events := []string{created}
	for i, it := range items {
		events = append(events, added(i, it), done(i, it))
	}
	streamed := tests.Play(t, sse(append(events, `completed "response":{`+end+`,"output":[]}`)...))
	whole := tests.Play(t, sdktest.Document(200, `{`+end+`,"object":"response","output":[{`+strings.Join(items, "},{")+`}]}`))
	if !reflect.DeepEqual(streamed, whole) {
		t.Errorf("streamed %+v\nwhole    %+v", streamed, whole)
	}
	if got, want := whole.Summary(), "thinking a\n\nb [oar1:s:4:rs_1enc] | text Hello | call f({\"x\":1}) | call g() | text c | text no"; got != want {
		t.Errorf("blocks: got %q, want %q", got, want)
	}
	if whole.ID != "r1" || whole.Model != "m1" || whole.Blocks[3].ID != "x-functions-2eg-3a0" || whole.Skipped != 2 || whole.Stop.Reason != abi.FinishContentFilter {
		t.Errorf("got %+v, stop %+v", whole, whole.Stop)
	}
	want := map[string]int64{"input": 36, "output": 20, "cache_read": 64, "cache_write": 0, "cache_write_1h": 0, "reasoning": 7}
	if !reflect.DeepEqual(whole.Usage, want) {
		t.Errorf("usage: got %v, want %v", whole.Usage, want)
	}
}

// TestManyParts: a summary and a message may have any number of parts.
func TestManyParts(t *testing.T) {
	var parts, texts []string
	for i := range 70 {
		parts = append(parts, fmt.Sprint(i))
		texts = append(texts, fmt.Sprintf(`{"type":"output_text","text":"%d "}`, i))
	}
	m := tests.Play(t, sse(done(0, reasoned("", parts...)), done(1, `"type":"message","content":[`+strings.Join(texts, ",")+`]`), completed))
	if got, want := m.Text("thinking"), strings.Join(parts, "\n\n"); got != want {
		t.Errorf("thinking: got %q, want %q", got, want)
	}
	if got, want := m.Text("text"), strings.Join(parts, " ")+" "; got != want {
		t.Errorf("text: got %q, want %q", got, want)
	}
}

// TestCallsAreClosedEarly: a call is closed when it is complete, not when the answer ends, since the host holds the next
// one back until then.
func TestCallsAreClosedEarly(t *testing.T) {
	x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: sse(created, added(0, fnCall("a", "f", "")), args(0, `{"x":1}`), argsDone(0, `{"x":1}`),
		done(0, fnCall("a", "f", `{"x":1}`)), added(1, fnCall("b", "g", "")), done(1, fnCall("b", "g", "{}")), completed)}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []abi.Kind
	for _, e := range got.Events {
		kinds = append(kinds, e.Kind)
	}
	want := []abi.Kind{abi.KindMessageStart, abi.KindToolStart, abi.KindToolDelta, abi.KindBlockStop,
		abi.KindToolStart, abi.KindToolDelta, abi.KindBlockStop, abi.KindUsage, abi.KindStop}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("got %#x, want %#x", kinds, want)
	}
}

func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  [5]int64 // input, output, cache_read, cache_write, reasoning
	}{
		"plain":            {`{"input_tokens":10,"output_tokens":5,"total_tokens":15}`, [5]int64{10, 5, 0, 0, 0}},
		"cached":           {`{"input_tokens":10,"input_tokens_details":{"cached_tokens":8,"cache_write_tokens":1},"output_tokens":5}`, [5]int64{1, 5, 8, 1, 0}},
		"reasoning within": {`{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"reasoning_tokens":40},"total_tokens":60}`, [5]int64{10, 50, 0, 0, 40}},
		"reasoning beside": {`{"input_tokens":10,"output_tokens":5,"output_tokens_details":{"reasoning_tokens":40},"total_tokens":55}`, [5]int64{10, 45, 0, 0, 40}},
		"null details":     {`{"input_tokens":10,"output_tokens":5,"input_tokens_details":null,"output_tokens_details":null}`, [5]int64{10, 5, 0, 0, 0}},
		"other names":      {`{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":2},"total_tokens":15}`, [5]int64{6, 5, 4, 0, 2}},
		"too much cached":  {`{"input_tokens":10,"output_tokens":5,"input_tokens_details":{"cached_tokens":12}}`, [5]int64{0, 5, 12, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, sse(text(0, "a"), `completed "response":{"status":"completed","usage":`+tc.usage+`}`))
			if got := [5]int64{m.Usage["input"], m.Usage["output"], m.Usage["cache_read"], m.Usage["cache_write"], m.Usage["reasoning"]}; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
	for name, usage := range map[string]string{"none": `null`, "zeros": `{"input_tokens":0,"output_tokens":0,"total_tokens":0}`} {
		if m := tests.Play(t, sse(text(0, "a"), `completed "response":{"status":"completed","usage":`+usage+`}`)); m.Usage != nil {
			t.Errorf("%s: got %v, want none, so that it is estimated", name, m.Usage)
		}
	}
}

func TestErrors(t *testing.T) {
	status := func(code int, headers map[string]string, body string) sdktest.Answer {
		a := sdktest.Document(code, body)
		a.Headers = headers
		return a
	}
	failed := `failed "response":{"id":"r1","status":"failed","error":{"code":"%s","message":"m"},"output":[],"usage":{"input_tokens":9,"output_tokens":1}}`
	for name, tc := range map[string]struct {
		answer  sdktest.Answer
		kind    string
		wait    int64
		started bool
	}{
		"status":                         {status(429, map[string]string{"retry-after": "2"}, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`), abi.ErrRateLimit, 2000, false},
		"status, no body":                {sdktest.Answer{Status: 503}, abi.ErrOverloaded, 0, false},
		"context":                        {status(400, nil, `{"error":{"message":"Your input exceeds the context window of this model.","code":"context_length_exceeded"}}`), abi.ErrContextTooLong, 0, false},
		"failed":                         {sse(created, added(0, message), text(0, "a"), fmt.Sprintf(failed, "server_error")), abi.ErrAPI, 0, true},
		"failed, for its rate":           {sse(created, fmt.Sprintf(failed, "rate_limit_exceeded")), abi.ErrRateLimit, 0, false},
		"failed, for its prompt":         {sse(created, fmt.Sprintf(failed, "invalid_prompt")), abi.ErrInvalidRequest, 0, false},
		"failed, with a wait":            {sse(created, `failed "response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"Please try again in 1.5s."}}`), abi.ErrRateLimit, 1500, false},
		"failed, and not why":            {sse(created, `failed "response":{"status":"failed","error":null,"output":[]}`), abi.ErrAPI, 0, false},
		"failed, and why in the next":    {sse(created, `failed "response":{"status":"failed","error":null,"output":[]}`, `{"type":"error","error":{"type":"invalid_request_error","code":"unsupported_value","message":"m"}}`), abi.ErrFeatureUnsupported, 0, false},
		"failed, and nothing of it next": {sse(created, `failed "response":{"status":"failed","error":null,"output":[]}`, `output_text.delta "delta":"a"`), abi.ErrAPI, 0, false},
		"failed, and done":               {sse(created, `failed "response":{"status":"failed","error":null,"output":[]}`, "[DONE]"), abi.ErrAPI, 0, false},
		"failed, without a response":     {sse(`failed "error":{"code":"slow_down","message":"m"}`), abi.ErrOverloaded, 0, false},
		"cancelled":                      {sse(text(0, "a"), `cancelled "response":{"status":"cancelled","output":[]}`), abi.ErrAPI, 0, true},
		"error, flat":                    {sse(created, `{"type":"error","code":"server_error","message":"bad","param":null,"sequence_number":2}`), abi.ErrAPI, 0, false},
		"error, nested":                  {sse(created, text(0, "a"), `{"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"bad","param":null}}`), abi.ErrContextTooLong, 0, true},
		"error, without a type":          {sse(text(0, "a"), `{"error":{"message":"busy","code":529}}`), abi.ErrOverloaded, 0, true},
		"error, a text":                  {sse(`{"type":"error","error":"model crashed"}`), abi.ErrAPI, 0, false},
		"error, of no shape":             {sse(`{"type":"error"}`), abi.ErrAPI, 0, false},
		"error, named by its frame":      {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "error", Data: `{"message":"bad","code":"rate_limit_exceeded"}`}}}, abi.ErrRateLimit, 0, false},
		"error, with a type of its own":  {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "error", Data: `{"type":"overloaded_error","message":"bad"}`}}}, abi.ErrOverloaded, 0, false},
		"error, no JSON":                 {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "error", Data: `upstream reset`}}}, abi.ErrAPI, 0, false},
		"error in an event of its own":   {sse(text(0, "a"), `{"type":"vendor.trouble","error":{"message":"x","code":"slow_down"}}`), abi.ErrOverloaded, 0, true},
		"document that failed":           {sdktest.Document(200, `{"object":"response","status":"failed","error":{"code":"server_error","message":"m"},"output":[]}`), abi.ErrAPI, 0, false},
		"document that is an error":      {sdktest.Document(200, `{"error":{"message":"m","code":"invalid_api_key"}}`), abi.ErrAuthentication, 0, false},
		"document that has an error":     {sdktest.Document(200, `{"object":"response","status":"completed","error":{"code":"slow_down"},"output":[]}`), abi.ErrOverloaded, 0, false},
		"document that is queued":        {sdktest.Document(200, `{"object":"response","status":"queued","error":null,"output":[]}`), abi.ErrAPI, 0, false},
		"document that is empty":         {sdktest.Document(200, `{}`), abi.ErrAPI, 0, false},
		"document that is no JSON":       {sdktest.Document(200, `<html>`), abi.ErrAPI, 0, false},
		"nothing":                        {sse(), abi.ErrAPI, 0, false},
		"nothing but a beginning":        {sse(created), abi.ErrAPI, 0, false},
		"done at once":                   {sse("[DONE]"), abi.ErrAPI, 0, false},
		"ended inside of a call":         {sse(added(0, fnCall("i", "f", "")), args(0, `{"x":`)), abi.ErrAPI, 0, true},
		"a document where a stream ends": {sse(`{"object":"response","status":"failed","error":{"message":"m"},"output":[]}`), abi.ErrAPI, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Fails(t, tc.answer, tc.kind, tc.wait)
			if started := m.Model != "" || len(m.Blocks) > 0; started != tc.started {
				t.Errorf("the message had started: got %v, want %v", started, tc.started)
			}
		})
	}
}

// TestFailedIsCounted: what a vendor says that a failed answer has used is passed on.
func TestFailedIsCounted(t *testing.T) {
	m := tests.Play(t, sse(created, text(0, "a"), `failed "response":{"status":"failed","error":{"message":"m"},"usage":{"input_tokens":9,"output_tokens":1}}`))
	if m.Error == nil || m.Usage["input"] != 9 || m.Usage["output"] != 1 {
		t.Errorf("got %+v, usage %v", m.Error, m.Usage)
	}
}

// TestBrokenOff: what the connection cut is the host's to tell, unless the vendor had finished.
func TestBrokenOff(t *testing.T) {
	a := sse(created, text(0, "a"))
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop != nil || m.Error != nil {
		t.Errorf("got %+v %+v, want neither", m.Stop, m.Error)
	}
	a = sse(created, text(0, "a"), completed)
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop == nil {
		t.Error("finished, then heartbeats only: no stop")
	}
}

// TestSkipped counts what is not recognised: once an item of another type, whatever events it has, and once each event of
// no type that is known.
func TestSkipped(t *testing.T) {
	m := tests.Play(t, sse(created, added(0, `"type":"web_search_call","id":"ws"`), `web_search_call.searching "output_index":0,"item_id":"ws"`, `web_search_call.completed "output_index":0,"item_id":"ws"`,
		done(0, `"type":"web_search_call","id":"ws"`), added(1, message), text(1, "a"), `moon_phase "phase":"full"`, `{"type":"keepalive"}`, `{"id":"r1"`, `{"n":1}`,
		`output_text.annotation.added "output_index":1,"annotation":{"type":"url_citation","url":"https://x"}`,
		done(1, `"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"https://x"}]}]`), completed))
	if m.Skipped != 5 || m.Summary() != "text a" {
		t.Errorf("got %d skipped, %s; want an item, an annotation, an event, what is no JSON and what is nothing", m.Skipped, m.Summary())
	}
}

func TestCount(t *testing.T) {
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		tokens int64
		err    string
	}{
		"OK":         {sdktest.Document(200, `{"object":"response.input_tokens","input_tokens":11}`), 11, ""},
		"ErrStatus":  {sdktest.Document(404, `{"error":{"message":"no such path"}}`), 0, abi.ErrNotFound},
		"ErrInside":  {sdktest.Document(200, `{"error":{"message":"slow","code":"rate_limit_exceeded"}}`), 0, abi.ErrRateLimit},
		"ErrNoCount": {sdktest.Document(200, `{}`), 0, abi.ErrAPI},
		"ErrNothing": {sdktest.Answer{Status: 200}, 0, abi.ErrAPI},
		"ErrNoBody":  {sdktest.Answer{Status: 500}, 0, abi.ErrAPI},
	} {
		t.Run(name, func(t *testing.T) {
			x := sdktest.Exchange{Call: `{"op":"count","model":"m"}`, Body: plainBody, Answer: tc.answer}
			got, err := x.Run(newGuest())
			if err != nil {
				t.Fatal(err)
			}
			m := got.Message
			if tc.err != "" {
				if m.Error == nil || m.Error.Kind != tc.err {
					t.Errorf("got %+v, want %s", m.Error, tc.err)
				}
				return
			}
			if want := map[string]int64{"input": tc.tokens}; !reflect.DeepEqual(m.Usage, want) || m.Stop == nil {
				t.Errorf("got %v, %+v", m.Usage, m.Stop)
			}
		})
	}
}

// FuzzFrame: whatever a vendor sends, the events are well formed.
func FuzzFrame(f *testing.F) {
	frames := sse(created, added(0, reasoned("")), summary(0, 0, "hm"), done(0, reasoned("enc", "hm")), added(1, fnCall("i", "f", "")), args(1, `{"x":1}`),
		done(1, fnCall("i", "f", `{"x":1}`)), text(2, "a"), done(2, said("a")), completed).Frames
	for i := range frames {
		f.Add(frames[i].Data, frames[(i+1)%len(frames)].Data, frames[i].Event)
	}
	f.Add(`{"type":"error"}`, `{"error":1}`, "error")
	f.Fuzz(func(t *testing.T, a, b, event string) {
		if len(event) > 100 {
			return
		}
		for _, frames := range [][]sdktest.Frame{{{Data: a}, {Data: b, Event: event}, {Data: a, Event: event}, {Data: b}}, {{Data: a, Document: true}}} {
			x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: sdktest.Answer{Status: 200, Frames: frames}}
			if got, err := x.Run(newGuest()); err != nil && !strings.Contains(err.Error(), "are no object") {
				t.Fatalf("%v\n%+v", err, got.Events)
			}
		}
	})
}
