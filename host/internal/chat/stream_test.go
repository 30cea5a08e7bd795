package chat

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/abi"
)

type object = map[string]any

// chunks takes a stream's frames apart, as a client does; [DONE] must come last.
func chunks(t testing.TB, out string) []object {
	t.Helper()
	frames := strings.Split(strings.TrimSuffix(out, "\n\n"), "\n\n")
	var list []object
	for i, f := range frames {
		data, ok := strings.CutPrefix(f, "data: ")
		if !ok || strings.Contains(data, "\n") {
			t.Fatalf("not a frame: %q", f)
		}
		if i == len(frames)-1 {
			if data != "[DONE]" {
				t.Fatalf("the stream ends in %q", data)
			}
			break
		}
		var c object
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		list = append(list, c)
	}
	return list
}

// join makes a completion's message of chunks.
func join(t testing.TB, list []object) (message object, finish, usage any) {
	t.Helper()
	message = object{"role": "", "content": ""}
	var calls []any
	for i, c := range list {
		if (c["ainfera"] != nil) != (i == 0) || c["object"] != "chat.completion.chunk" {
			t.Fatalf("chunk %d: %v", i, c)
		}
		if u := c["usage"]; u != nil {
			usage = u
		}
		choices := c["choices"].([]any)
		if len(choices) == 0 {
			continue
		}
		choice := choices[0].(object)
		if finish != nil {
			t.Fatalf("a choice behind the finish reason: %v", c)
		}
		finish = choice["finish_reason"]
		for k, v := range choice["delta"].(object) {
			switch k {
			case "tool_calls":
				for _, v := range v.([]any) {
					calls = addCall(t, calls, v.(object))
				}
			case "function_call":
				was, _ := message[k].(object)
				message[k] = merge(was, v.(object))
			case "thinking_blocks":
				message[k] = v
			default:
				was, _ := message[k].(string)
				message[k] = was + v.(string)
			}
		}
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	return message, finish, usage
}

func addCall(t testing.TB, calls []any, v object) []any {
	i := int(v["index"].(float64))
	if i > len(calls) {
		t.Fatalf("call %d after %d", i, len(calls))
	}
	if i == len(calls) {
		delete(v, "index")
		return append(calls, v)
	}
	fn := calls[i].(object)["function"].(object)
	fn["arguments"] = fn["arguments"].(string) + v["function"].(object)["arguments"].(string)
	return calls
}

func merge(was, v object) object {
	if was == nil {
		return v
	}
	was["arguments"] = was["arguments"].(string) + v["arguments"].(string)
	return was
}

// answers runs events through the grammar and returns what a streamed caller and a whole one are told, or false where
// the answer breaks off.
func answers(t testing.TB, a Answer, recs []abi.Record) (streamed, whole string, ok bool) {
	t.Helper()
	w := messages.NewWriter(messages.WriterConfig{ID: "msg_1", Model: "m", Accumulate: true})
	a.ID, a.Model, a.Created, a.Ainfera = "chatcmpl-1", "m", 1, []byte(`{"agent_id":"a"}`)
	a.Usage = func() messages.Usage { return w.Result().Usage }
	s := NewStream(a)
	var out []byte
	for _, r := range recs {
		frames, err := w.Apply(nil, r)
		if err != nil {
			return "", "", false
		}
		if out, err = s.Feed(out, frames); err != nil {
			t.Fatalf("%v after %s", err, frames)
		}
	}
	frames, err := w.Finish(nil, abi.EndOfBody)
	if err != nil {
		return "", "", false
	}
	if out, err = s.Feed(out, frames); err != nil {
		t.Fatal(err)
	}
	doc, err := Completion(a, w.Message())
	if err != nil {
		t.Fatal(err)
	}
	return string(out), string(doc), true
}

// sameAnswer holds the two to each other.
func sameAnswer(t testing.TB, streamed, whole string, cut bool) {
	t.Helper()
	var doc object
	if err := json.Unmarshal([]byte(whole), &doc); err != nil {
		t.Fatalf("%v: %s", err, whole)
	}
	choice := doc["choices"].([]any)[0].(object)
	want := choice["message"].(object)
	delete(want, "refusal")
	if want["content"] == nil {
		want["content"] = ""
	}
	got, finish, usage := join(t, chunks(t, streamed))
	if cut { // of a call that a limit cut short the whole answer has {}
		delete(got, "tool_calls")
		delete(want, "tool_calls")
	}
	if !reflect.DeepEqual(got, want) || finish != choice["finish_reason"] {
		t.Fatalf("streamed %v, %v\nwhole    %v, %v", got, finish, want, choice["finish_reason"])
	}
	if usage != nil && !reflect.DeepEqual(usage, doc["usage"]) {
		t.Fatalf("usage %v, whole %v", usage, doc["usage"])
	}
}

func rec(kind abi.Kind, block uint16, payload string) abi.Record {
	return abi.Record{Kind: kind, Block: block, Payload: []byte(payload)}
}

func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		a      Answer
		recs   []abi.Record
		finish string
		says   object // of the message
		usage  string // of the whole answer
	}{
		{"Text", Answer{}, []abi.Record{rec(abi.KindText, 0, "a\"\n"), rec(abi.KindText, 0, "é🧪"), rec(abi.KindUsage, 0, `{"input":10,"output":4,"cache_read":90,"cache_write":5,"reasoning":2}`)},
			"stop", object{"role": "assistant", "content": "a\"\né🧪"},
			`{"prompt_tokens":105,"completion_tokens":4,"total_tokens":109,"prompt_tokens_details":{"cached_tokens":90},"completion_tokens_details":{"reasoning_tokens":2}}`},
		{"Usage", Answer{IncludeUsage: true}, []abi.Record{rec(abi.KindText, 0, "a"), rec(abi.KindUsage, 0, `{"input":1,"output":1}`)}, "stop", object{"content": "a"}, ""},
		{"Tools", Answer{}, []abi.Record{rec(abi.KindToolStart, 0, `{"id":"a","name":"f"}`), rec(abi.KindToolDelta, 0, `{"x":`), rec(abi.KindToolDelta, 0, `"\n"}`), rec(abi.KindToolStart, 1, `{"id":"b","name":"g"}`)},
			"tool_calls", object{"tool_calls": []any{
				object{"id": "a", "type": "function", "function": object{"name": "f", "arguments": `{"x":"\n"}`}},
				object{"id": "b", "type": "function", "function": object{"name": "g", "arguments": "{}"}}}}, ""},
		{"Functions", Answer{Functions: true}, []abi.Record{rec(abi.KindToolStart, 0, `{"id":"a","name":"f"}`), rec(abi.KindToolDelta, 0, `{"x":1}`), rec(abi.KindToolStart, 1, `{"id":"b","name":"g"}`)},
			"function_call", object{"function_call": object{"name": "f", "arguments": `{"x":1}`}}, ""},
		{"Thinking", Answer{}, []abi.Record{rec(abi.KindThinking, 0, "why"), rec(abi.KindSignature, 0, "sig"), rec(abi.KindRedactedThinking, 1, "xx"), rec(abi.KindText, 2, "so")},
			"stop", object{"reasoning_content": "why", "content": "so", "thinking_blocks": []any{
				object{"index": 0.0, "type": "thinking", "thinking": "why", "signature": "sig"}, object{"index": 1.0, "type": "redacted_thinking", "data": "xx"}}}, ""},
		{"UnsignedThinking", Answer{}, []abi.Record{rec(abi.KindThinking, 0, "why"), rec(abi.KindText, 1, "so")}, "stop", object{"reasoning_content": "why", "thinking_blocks": nil}, ""},
		{"Cut", Answer{}, []abi.Record{rec(abi.KindText, 0, "a"), rec(abi.KindStop, 0, `{"reason":"length"}`)}, "length", object{"content": "a"}, ""},
		{"Filtered", Answer{}, []abi.Record{rec(abi.KindText, 0, "a"), rec(abi.KindStop, 0, `{"reason":"content_filter"}`)}, "content_filter", object{"content": "a"}, ""},
		{"OtherBlocks", Answer{}, []abi.Record{rec(abi.KindRawBlock, 0, `{"type":"server_tool_use","id":"s"}`), rec(abi.KindRawDelta, 0, `{"type":"x"}`), rec(abi.KindText, 1, "a")}, "stop", object{"content": "a"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			streamed, whole, ok := answers(t, tc.a, tc.recs)
			if !ok {
				t.Fatal("the answer broke off")
			}
			sameAnswer(t, streamed, whole, false)
			list := chunks(t, streamed)
			message, finish, usage := join(t, list)
			for k, v := range tc.says {
				if !reflect.DeepEqual(message[k], v) {
					t.Errorf("%s: got %v, want %v", k, message[k], v)
				}
			}
			if finish != tc.finish || (usage != nil) != tc.a.IncludeUsage {
				t.Errorf("finish %v, usage %v", finish, usage)
			}
			if tc.usage != "" && !strings.Contains(whole, `"usage":`+tc.usage) {
				t.Errorf("usage in %s", whole)
			}
		})
	}
}

// TestForeignFrames reads frames as vendors write them: other spacing, no event names, data in the block's start, lines
// that end in CRLF, and events between that nobody knows.
func TestForeignFrames(t *testing.T) {
	s := NewStream(Answer{Model: "m", Ainfera: []byte("{}"), Usage: func() messages.Usage { return messages.Usage{} }})
	in := ": hello\n\nevent: message_start\r\ndata: {\"type\": \"message_start\", \"message\": {}}\r\n\r\n" +
		"data: {\"index\": 0, \"type\": \"content_block_start\", \"content_block\": {\"text\": \"a\", \"type\": \"text\"}}\n\n" +
		"event: ping\ndata: {\"type\": \"ping\"}\n\nevent: novelty\ndata: {}\n\n" +
		"data: {\"delta\": {\"text\": \"b\\u00e9\", \"type\": \"text_delta\"}, \"index\": 0, \"type\": \"content_block_delta\"}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"q\": \"x\"}}}\n\n" +
		"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	out, err := s.Feed(nil, []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	message, finish, _ := join(t, chunks(t, string(out)))
	want := object{"role": "assistant", "content": "abé", "tool_calls": []any{object{"id": "t", "type": "function", "function": object{"name": "f", "arguments": `{"q": "x"}`}}}}
	if !reflect.DeepEqual(message, want) || finish != "tool_calls" {
		t.Errorf("got %v, %v", message, finish)
	}
}

// TestVendorsFrames reads what vendors of the Anthropic dialect make of its grammar and callers of it are used to.
func TestVendorsFrames(t *testing.T) {
	call := func(id, args string) any {
		return object{"id": id, "type": "function", "function": object{"name": "f", "arguments": args}}
	}
	for _, tc := range []struct {
		name   string
		data   []string
		want   object
		finish string
	}{
		{"an index again", []string{
			`{"type":"message_start","message":{"content":[]}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"web_search_tool_result","content":[]}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"b"}}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`}, object{"role": "assistant", "content": "ab"}, "stop"},
		{"whole when it starts", []string{
			`{"type":"message_start","message":{"content":[{"type":"code_execution_tool_result","content":{}},{"type":"tool_use","id":"t","name":"f","input":{"x":1}}],"stop_reason":"tool_use"}}`},
			object{"role": "assistant", "content": "", "tool_calls": []any{call("t", `{"x":1}`)}}, "tool_calls"},
		{"begun when it starts", []string{
			`{"type":"message_start","message":{"content":[{"type":"text","text":"a"}]}}`,
			`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"b"}}`,
			`{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}`}, object{"role": "assistant", "content": "ab"}, "length"},
		{"a call that is left open", []string{
			`{"type":"message_start","message":{}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
			`{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`},
			object{"role": "assistant", "content": "", "tool_calls": []any{call("t", "{}")}}, "tool_calls"},
		{"a call, and no word of it", []string{
			`{"type":"message_start","message":{}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`},
			object{"role": "assistant", "content": "", "tool_calls": []any{call("t", `{"x":`)}}, "tool_calls"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := NewStream(Answer{Model: "m", Ainfera: []byte("{}"), Usage: func() messages.Usage { return messages.Usage{} }})
			var out []byte
			for _, data := range append(tc.data, `{"type":"message_stop"}`) {
				var err error
				if out, err = s.Feed(out, []byte("data: "+data+"\n\n")); err != nil {
					t.Fatal(err)
				}
			}
			message, finish, _ := join(t, chunks(t, string(out)))
			if !reflect.DeepEqual(message, tc.want) || finish != tc.finish {
				t.Errorf("got %v, %v\nwant %v, %v", message, finish, tc.want, tc.finish)
			}
		})
	}
}

// TestWholeWithoutAWordOfItsCalls: what a stream says of calls that nobody stopped for, a whole answer does.
func TestWholeWithoutAWordOfItsCalls(t *testing.T) {
	a := Answer{Ainfera: []byte("{}"), Usage: func() messages.Usage { return messages.Usage{} }}
	got, err := Completion(a, []byte(`{"content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":"end_turn"}`))
	if err != nil || !strings.Contains(string(got), `"finish_reason":"tool_calls"`) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestBrokenFrames(t *testing.T) {
	for _, in := range []string{
		"event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"text\":\"x\"}}\n\n",
		"event: content_block_delta\ndata: [\n\n",
		"event: content_block_start\ndata: {\"index\":1,\"content_block\":{\"type\":\"text\"}}\n\n",
		"event: message_start\ndata: {\n\n",
		"event: message_delta\ndata: {\n\n",
		"data: nothing\n\n",
	} {
		out, err := NewStream(Answer{}).Feed(nil, []byte(in))
		if _, ok := err.(*messages.GrammarError); !ok || len(out) > 0 {
			t.Errorf("%q: got %q, %v", in, out, err)
		}
	}
}

// FuzzAnswers holds that whatever an adapter says, a client that joins the chunks has what it would have been sent whole.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x00hello\x01\x00world"), false)
	f.Add([]byte("\x02a thought\x03signed\x04f\x05{\"a\":1}\x04g\x00text"), true)
	f.Add([]byte("\x06data\x04f\x05{\"a\x07length"), false)
	f.Fuzz(func(t *testing.T, script []byte, functions bool) {
		var recs []abi.Record
		block, cut := uint16(0), false
		for len(script) > 0 {
			op := script[0]
			n := 1
			for n < len(script) && script[n] >= 8 {
				n++
			}
			arg := string(script[1:n])
			script = script[n:]
			switch op % 8 {
			case 0:
				recs = append(recs, rec(abi.KindText, block, arg))
			case 1:
				block++
			case 2:
				recs = append(recs, rec(abi.KindThinking, block, arg))
			case 3:
				recs = append(recs, rec(abi.KindSignature, block, arg))
			case 4:
				block++
				recs = append(recs, rec(abi.KindToolStart, block, fmt.Sprintf(`{"id":"t%d","name":"f"}`, block)))
			case 5:
				recs = append(recs, rec(abi.KindToolDelta, block, arg))
			case 6:
				block++
				recs = append(recs, rec(abi.KindRedactedThinking, block, arg))
			case 7:
				reason := []string{"stop", "length", "content_filter"}[len(arg)%3]
				cut = cut || reason != "stop"
				recs = append(recs, rec(abi.KindStop, 0, `{"reason":"`+reason+`"}`))
			}
		}
		streamed, whole, ok := answers(t, Answer{IncludeUsage: functions, Functions: functions}, recs)
		if ok {
			sameAnswer(t, streamed, whole, cut)
		}
	})
}

func BenchmarkFeed(b *testing.B) {
	frame := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"some words of it\"}}\n\n")
	s := NewStream(Answer{ID: "chatcmpl-1", Model: "m"})
	buf, err := s.Feed(nil, []byte("event: content_block_start\ndata: {\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = s.Feed(buf[:0], frame); err != nil {
			b.Fatal(err)
		}
	}
}
