package main

import (
	"fmt"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

// at is an event's indexes and id.
func at(id string, output, part int) string {
	return fmt.Sprintf(`"item_id":%q,"output_index":%d,"content_index":%d`, id, output, part)
}

func delta(kind, where, s string) string {
	return fmt.Sprintf(`%s.delta %s,"delta":%q`, kind, where, s)
}

// unplaced are the events of an item that no index is given for.
func unplaced(kind, item string) string { return fmt.Sprintf(`output_item.%s "item":{%s}`, kind, item) }

const hmItem = `"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]`

// TestWorkAlikes has how those who copy the protocol count, name and leave out: what comes of it is the same answer once,
// in one block for what is one text.
func TestWorkAlikes(t *testing.T) {
	message := func(id, s string) string {
		return fmt.Sprintf(`"id":%q,"type":"message","role":"assistant","content":[{"type":"output_text","text":%q}]`, id, s)
	}
	const noIDCall = `"type":"function_call","call_id":"fc_%[1]s","name":"%[2]s","arguments":%[3]q`
	call := func(id, name, args string) string { return fmt.Sprintf(noIDCall, id, name, args) }
	for name, tc := range map[string]struct {
		answer []string
		blocks string
	}{
		"ids of null": {[]string{`output_text.delta "item_id":null,"delta":"a"`, `output_text.delta "item_id":null,"delta":"b"`,
			unplaced("done", `"id":null,"type":"message","content":[{"type":"output_text","text":"ab"}]`),
			unplaced("done", `"id":null,"type":"function_call","call_id":"fc_1","name":"f","arguments":"{\"x\":1}"`),
			`function_call_arguments.done "item_id":"fc_1","arguments":"{\"x\":1}"`, completed}, `text ab | call f({"x":1})`},
		// vLLM counts content_index up with each delta, and has announced but the first.
		"an index for each delta": {[]string{added(0, `"id":"a","type":"message","content":[]`), `content_part.added ` + at("a", 0, 0) + `,"part":{"type":"output_text","text":""}`,
			delta("output_text", at("a", 0, 1), "He"), delta("output_text", at("a", 0, 2), "llo"), delta("output_text", at("a", 0, 3), "!"),
			`output_text.done ` + at("a", 0, 4) + `,"text":"Hello!"`, done(0, message("a", "Hello!")), completed}, "text Hello!"},
		"an index for each delta of a thought": {[]string{added(0, `"id":"a","type":"reasoning","summary":[]`), `content_part.added ` + at("a", 0, 0) + `,"part":{"type":"output_text","text":""}`,
			delta("reasoning_text", at("a", 0, 1), "h"), delta("reasoning_text", at("a", 0, 2), "m"), done(0, `"id":"a","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]`), completed},
			"thinking hm [oar1:c:1:a]"},
		"an index for each delta of a thought, announced as such": {[]string{added(0, `"id":"a","type":"reasoning","summary":[]`), `reasoning_part.added ` + at("a", 0, 0) + `,"part":{"type":"reasoning_text","text":""}`,
			delta("reasoning_text", at("a", 0, 1), "h"), delta("reasoning_text", at("a", 0, 2), "m"), done(0, `"id":"a","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]`), completed},
			"thinking hm [oar1:c:1:a]"},
		"parts that were not announced where others were": {[]string{added(0, `"id":"a","type":"message","content":[]`), `content_part.added ` + at("b", 1, 0) + `,"part":{"type":"output_text","text":""}`,
			delta("output_text", at("b", 1, 1), "a"), delta("output_text", at("b", 1, 2), "b"), done(1, message("b", "ab")), completed}, "text ab"},
		"an index that is one too high":   {[]string{added(0, message("a", "")), delta("output_text", at("a", 0, 1), "a"), done(0, message("a", "a")), completed}, "text a"},
		"an index below zero":             {[]string{added(0, message("a", "")), delta("output_text", at("a", 0, -1), "a"), done(0, message("a", "a")), completed}, "text a"},
		"two parts that were announced":   {[]string{added(0, message("a", "")), `content_part.added ` + at("a", 0, 0), delta("output_text", at("a", 0, 0), "a"), `content_part.added ` + at("a", 0, 1), delta("output_text", at("a", 0, 1), "b"), delta("output_text", at("a", 0, 0), "c"), completed}, "text a | text b | text c"},
		"a part that only the end has":    {[]string{added(0, message("a", "")), `content_part.added ` + at("a", 0, 1), delta("output_text", at("a", 0, 1), "b"), done(0, `"id":"a","type":"message","content":[{"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]`), completed}, "text b | text a"},
		"content that is a text":          {[]string{done(0, `"id":"a","type":"message","role":"assistant","content":"hi"`), completed}, "text hi"},
		"content that is a text, as sent": {[]string{delta("output_text", at("a", 0, 0), "hi"), done(0, `"id":"a","type":"message","role":"assistant","content":"hi"`), completed}, "text hi"},

		// vLLM's end of an item counts as the next one does.
		"the end of a message one further": {[]string{added(0, message("a", "")), delta("output_text", at("a", 0, 0), "hi"), done(1, message("a", "hi")), completed}, "text hi"},
		"the end of a thought one further": {[]string{added(0, `"id":"rs_1","type":"reasoning","summary":[]`), delta("reasoning_text", at("rs_1", 0, 0), "hm"), done(1, hmItem), added(1, message("a", "")), delta("output_text", at("a", 1, 0), "hi"), done(2, message("a", "hi")), completed},
			"thinking hm [oar1:c:4:rs_1] | text hi"},
		"the end of a call one further, under another id": {[]string{added(0, fnCall("a", "f", "")), args(0, `{"x":1}`), `function_call_arguments.done "item_id":"fc_a","output_index":1,"arguments":"{\"x\":1}"`,
			done(1, `"type":"function_call","call_id":"b","name":"f","arguments":"{\"x\":1}"`), completed}, `call f({"x":1})`},

		// Ollama ends a thought behind the call that follows it, under an index that is the call's by rights.
		"a thought that ends behind its call": {[]string{added(0, `"id":"rs_1","type":"reasoning","summary":[]`), delta("reasoning_summary_text", at("rs_1", 0, 0), "hm"), added(0, fnCall("a", "f", "")), args(0, `{"x":1}`),
			done(0, fnCall("a", "f", `{"x":1}`)), done(1, reasoned("", "hm")), `completed "response":{"status":"completed","output":[{` + fnCall("a", "f", `{"x":1}`) + `},{` + reasoned("", "hm") + `}]}`}, `thinking hm | call f({"x":1})`},

		// llama.cpp has no indexes, names a call by its call_id alone, and ends all items at the end.
		"calls named by their call_id": {[]string{unplaced("added", hmItem), delta("reasoning_text", `"item_id":"rs_1"`, "hm"), unplaced("added", call("1", "f", "")),
			delta("function_call_arguments", `"item_id":"fc_1"`, `{"x":`), delta("function_call_arguments", `"item_id":"fc_1"`, `1}`), unplaced("added", call("2", "g", "")), delta("function_call_arguments", `"item_id":"fc_2"`, `{"y":2}`),
			unplaced("done", hmItem), unplaced("done", call("1", "f", `{"x":1}`)), unplaced("done", call("2", "g", `{"y":2}`)), completed},
			`thinking hm | call f({"x":1}) | call g({"y":2})`},
		"calls without an index": {[]string{unplaced("added", fnCall("1", "f", "")), unplaced("added", fnCall("2", "g", "")), unplaced("done", fnCall("1", "f", `{"x":1}`)), unplaced("done", fnCall("2", "g", `{"y":2}`)), completed},
			`call f({"x":1}) | call g({"y":2})`},

		// LiteLLM gives all items one index, or an item two.
		"one index for all": {[]string{added(0, fnCall("a", "f", "")), added(0, fnCall("b", "g", "")), `function_call_arguments.delta "item_id":"fc_a","output_index":0,"delta":"{\"x\":1}"`,
			done(0, fnCall("a", "f", `{"x":1}`)), done(0, fnCall("b", "g", `{"y":2}`)), completed}, `call f({"x":1}) | call g({"y":2})`},
		"one index for all, ends alone": {[]string{done(0, fnCall("a", "f", `{"x":1}`)), done(0, fnCall("b", "g", `{"y":2}`)), completed}, `call f({"x":1}) | call g({"y":2})`},
		"a thought under new names":     {[]string{delta("reasoning_summary_text", at("r1", 0, 0), "h"), delta("reasoning_summary_text", at("r2", 0, 0), "m"), delta("output_text", at("m1", 0, 0), "hi"), completed}, "thinking hm | text hi"},
		"an item announced twice":       {[]string{added(0, fnCall("a", "f", "")), args(0, `{"x":1}`), added(0, fnCall("a", "f", "")), done(0, fnCall("a", "f", `{"x":1}`)), completed}, `call f({"x":1})`},
		"an item announced late":        {[]string{`function_call_arguments.delta "item_id":"fc_a","output_index":0,"delta":"{\"x\":"`, added(0, fnCall("a", "f", "")), `function_call_arguments.delta "item_id":"fc_a","output_index":0,"delta":"1}"`, completed}, `call f({"x":1})`},
		"messages of one name":          {[]string{added(0, message("m", "")), delta("output_text", at("m", 0, 0), "a"), done(0, message("m", "a")), added(1, `"type":"web_search_call","id":"ws"`), delta("output_text", at("m", 2, 0), "b"), done(2, message("m", "b")), completed}, "text a | text b"},
		"indexes from one, and ends in the last response": {[]string{added(1, fnCall("a", "f", "")), added(2, fnCall("b", "g", "")), `completed "response":{"status":"completed","output":[{` + fnCall("a", "f", `{"x":1}`) + `},{` + fnCall("b", "g", `{"y":2}`) + `}]}`},
			`call f({"x":1}) | call g({"y":2})`},

		// Fireworks gives the caller's own messages back.
		"the caller's own message": {[]string{`completed "response":{"status":"completed","output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{` + said("hello") + `}]}`}, "text hello"},

		// Texts whose deltas did not come.
		"text in its done event":             {[]string{added(0, message("a", "")), `output_text.done ` + at("a", 0, 0) + `,"text":"hi"`, `output_item.done "output_index":0,"item":{"id":"a","type":"message","content":[]}`, completed}, "text hi"},
		"text in its done event and item":    {[]string{added(0, message("a", "")), `output_text.done ` + at("a", 0, 0) + `,"text":"hi"`, done(0, message("a", "hi")), completed}, "text hi"},
		"a summary in its done event":        {[]string{`reasoning_summary_part.added "item_id":"r","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}`, `reasoning_summary_text.done "item_id":"r","output_index":0,"summary_index":0,"text":"a"`, `reasoning_summary_part.added "item_id":"r","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}`, `reasoning_summary_text.done "item_id":"r","output_index":0,"summary_index":1,"text":"b"`, completed}, "thinking a\n\nb"},
		"a thought in its done event":        {[]string{`reasoning_text.done ` + at("r", 0, 0) + `,"text":"hm"`, completed}, "thinking hm"},
		"the status is behind its own event": {[]string{delta("output_text", at("a", 0, 0), "hi"), `completed "response":{"id":"r","status":"in_progress","output":[]}`}, "text hi"},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, sse(tc.answer...))
			if m.Error != nil {
				t.Fatalf("error: %+v", m.Error)
			}
			if got := m.Summary(); got != tc.blocks {
				t.Errorf("blocks: got %q, want %q", got, tc.blocks)
			}
			if m.Stop.Reason != abi.FinishStop && m.Stop.Reason != abi.FinishToolCalls {
				t.Errorf("reason: got %q", m.Stop.Reason)
			}
		})
	}
}
