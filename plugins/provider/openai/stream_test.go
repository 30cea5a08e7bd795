package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// sse makes frames of chunks. A chunk without braces is a delta of choice 0, given by its fields.
func sse(chunks ...string) sdktest.Answer {
	a := sdktest.Answer{Status: 200}
	for _, c := range chunks {
		if !strings.HasPrefix(c, "{") && c != "[DONE]" {
			c = `{"id":"c1","model":"m1","choices":[{"index":0,"delta":{` + c + `},"finish_reason":null}]}`
		}
		a.Frames = append(a.Frames, sdktest.Frame{Data: c})
	}
	return a
}

func finished(reason string) string {
	return `{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

const usageChunk = `{"id":"c1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`

func tool(index, id, name, args string) string {
	s := `"tool_calls":[{"index":` + index
	if id != "" {
		s += `,"id":` + id
	}
	return s + `,"function":{"name":` + name + `,"arguments":` + args + `}}]`
}

func TestStream(t *testing.T) {
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		blocks string
		reason string
	}{
		"text": {sse(`"role":"assistant","content":""`, `"content":"He"`, `"content":"llo \u00e9\n"`, finished("stop"), usageChunk, "[DONE]"),
			"text Hello é\n", abi.FinishStop},
		"first delta is a call": {sse(tool("0", `"a"`, `"f"`, `""`), tool("0", "null", "null", `"{\"x\":1}"`), finished("tool_calls"), "[DONE]"),
			`call f({"x":1})`, abi.FinishToolCalls},
		"reasoning_content, then text": {sse(`"reasoning_content":"hm"`, `"content":"ok"`, finished("stop"), "[DONE]"),
			"thinking hm | text ok", abi.FinishStop},
		"reasoning, said twice": {sse(`"reasoning":"hm","reasoning_content":"hm"`, `"content":"ok"`, finished("stop")),
			"thinking hm | text ok", abi.FinishStop},
		"reasoning_text": {sse(`"reasoning_text":"hm"`, `"content":"ok","reasoning_text":""`, finished("stop")), "thinking hm | text ok", abi.FinishStop},
		"reasoning, an object": {sse(`"reasoning_content":{"text":"hm"}`, `"reasoning_content":{"signature":"s"}`, `"content":"ok"`, finished("stop")),
			"thinking hm | text ok", abi.FinishStop},
		"reasoning in parts of the content": {sse(`"content":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm","signature":"s"}]}]`, `"content":[{"type":"reasoning","text":"!"},{"text":"ok"}]`, finished("stop")),
			"thinking hm! | text ok", abi.FinishStop},
		"thinking": {sse(`"thinking":"hm"`, `"content":"ok"`, finished("stop")), "thinking hm | text ok", abi.FinishStop},
		"reason, call, reason, text": {sse(`"reasoning":"a"`, tool("0", `"i"`, `"f"`, `"{}"`), `"reasoning":"b"`, `"content":"c"`, finished("stop")),
			"thinking a | call f() | thinking b | text c", abi.FinishToolCalls},
		"text after a call is a new block": {sse(`"content":"a"`, tool("0", `"i"`, `"f"`, `"{\"x\":1}"`), `"content":"b"`, finished("stop")),
			`text a | call f({"x":1}) | text b`, abi.FinishToolCalls},
		"id, name and arguments at once": {sse(tool("0", `"i"`, `"f"`, `"{\"x\":\"}\"}"`), finished("tool_calls")),
			`call f({"x":"}"})`, abi.FinishToolCalls},
		"repeated whole at the end": {sse(tool("0", `"i"`, `"f"`, `"{\"x\":"`), tool("0", `"i"`, `"f"`, `"1}"`), tool("0", `"i"`, `"f"`, `"{\"x\":1}"`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"an empty object first": {sse(tool("0", `"i"`, `"f"`, `"{}"`), tool("0", `null`, `null`, `"{\"x\":1}"`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"no arguments":        {sse(tool("0", `"i"`, `"f"`, `null`), finished("tool_calls")), `call f()`, abi.FinishToolCalls},
		"arguments null":      {sse(tool("0", `"i"`, `"f"`, `"null"`), finished("tool_calls")), `call f()`, abi.FinishToolCalls},
		"arguments an object": {sse(tool("0", `"i"`, `"f"`, `{"x":1}`), finished("tool_calls")), `call f({"x":1})`, abi.FinishToolCalls},
		"arguments coded twice": {sse(tool("0", `"i"`, `"f"`, `"\"{\\\"x\\\""`), tool("0", `"i"`, `"f"`, `":1}\""`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"name after arguments": {sse(tool("0", `"i"`, `null`, `"{\"x\":"`), tool("0", `"i"`, `"f"`, `"1}"`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"interleaved": {sse(tool("0", `"a"`, `"f"`, `"{\"x\":"`), tool("1", `"b"`, `"g"`, `"{\"y\":"`), tool("0", "null", "null", `"1}"`), tool("1", "null", "null", `"2}"`), finished("tool_calls")),
			`call f({"x":1}) | call g({"y":2})`, abi.FinishToolCalls},
		"one index for all": {sse(tool("0", `"a"`, `"f"`, `"{\"x\":1}"`), tool("0", `"b"`, `"g"`, `"{\"y\":2}"`), finished("stop")),
			`call f({"x":1}) | call g({"y":2})`, abi.FinishToolCalls},
		"no index": {sse(`"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","function":{"name":"g","arguments":"{"}}]`,
			`"tool_calls":[{"function":{"arguments":"\"y\":2}"}}]`, finished("tool_calls")),
			`call f({"x":1}) | call g({"y":2})`, abi.FinishToolCalls},
		"no id at all": {sse(`"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"name":"f","arguments":"{}"}}]`, finished("tool_calls")),
			`call f() | call f()`, abi.FinishToolCalls},
		"one index for all, ids throughout": {sse(tool("0", `"a"`, `"f"`, `"{\"x\":"`), tool("0", `"b"`, `"g"`, `"{\"y\":"`), tool("0", `"a"`, `null`, `"1}"`), tool("0", `"b"`, `null`, `"2}"`), finished("tool_calls")),
			`call f({"x":1}) | call g({"y":2})`, abi.FinishToolCalls},
		"one index for all, no ids": {sse(tool("0", `""`, `"f"`, `"{\"x\":1}"`), tool("0", `""`, `"f"`, `"{\"x\":2}"`), tool("0", `""`, `"g"`, `"{}"`), tool("0", `""`, `"h"`, `"{}"`), finished("stop")),
			`call f({"x":1}) | call f({"x":2}) | call g() | call h()`, abi.FinishToolCalls},
		"a new id in every delta": {sse(`"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]`, `"tool_calls":[{"id":"b","function":{"arguments":"1}"}}]`, finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"the name in every delta": {sse(`"tool_calls":[{"function":{"name":"f","arguments":"{\"x\":"}}]`, `"tool_calls":[{"function":{"name":"f","arguments":"1}"}}]`, `"tool_calls":[{"function":{"name":"f","arguments":"{\"x\":2}"}}]`, finished("tool_calls")),
			`call f({"x":1}) | call f({"x":2})`, abi.FinishToolCalls},
		"the name in every delta, the last empty": {sse(tool("0", `""`, `"f"`, `"{\"x\":"`), tool("0", `""`, `"f"`, `"1}"`), tool("0", `""`, `"f"`, `""`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"the id behind the whole": {sse(tool("0", ``, `"f"`, `"{\"x\":1}"`), tool("0", `"a"`, `"f"`, `null`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"a whole message without ids": {sse(`{"id":"c","choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`),
			`call f() | call f({"x":1})`, abi.FinishToolCalls},
		"a function_call of nothing": {sse(`"content":"a"`, `"content":"b","function_call":{"name":null,"arguments":null}`, `"content":"c"`, finished("stop")),
			"text abc", abi.FinishStop},
		"the id behind the name": {sse(tool("0", ``, `"f"`, `"{\"x\":"`), tool("0", `"a"`, `"f"`, `"1}"`), finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"the name behind the arguments, no index": {sse(`"tool_calls":[{"id":"a","function":{"arguments":"{\"x\":"}}]`, `"tool_calls":[{"function":{"name":"f","arguments":"1}"}}]`, finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"a call that is no list": {sse(`"tool_calls":{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}`, `"tool_calls":{"index":0,"id":"","function":{"name":null,"arguments":"1}"}}`, finished("tool_calls")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"function_call": {sse(`"function_call":{"name":"f","arguments":""}`, `"function_call":{"arguments":"{\"x\":"}`, `"function_call":{"arguments":"1}"}`, finished("function_call")),
			`call f({"x":1})`, abi.FinishToolCalls},
		"tool_calls without one":     {sse(`"content":"a"`, finished("tool_calls")), "text a", abi.FinishStop},
		"length inside a call":       {sse(tool("0", `"a"`, `"f"`, `"{\"x\":"`), finished("length")), `call f({"x":)`, abi.FinishLength},
		"no finish, no done":         {sse(`"content":"a"`), "text a", abi.FinishStop},
		"no finish after a call":     {sse(tool("0", `"a"`, `"f"`, `"{\"x\":1}"`)), `call f({"x":1})`, abi.FinishToolCalls},
		"done without finish":        {sse(`"content":"a"`, "[DONE]"), "text a", abi.FinishStop},
		"content filter":             {sse(`"content":"a"`, finished("content_filter")), "text a", abi.FinishContentFilter},
		"refusal":                    {sse(`"refusal":"I "`, `"refusal":"won't"`, finished("stop")), "text I won't", abi.FinishContentFilter},
		"a refusal among the parts":  {sse(`"content":[{"type":"refusal","refusal":"I won't"}]`, finished("stop")), "text I won't", abi.FinishContentFilter},
		"Google's own word":          {sse(`"content":"a"`, finished("PROHIBITED_CONTENT")), "text a", abi.FinishContentFilter},
		"Google's two words":         {sse(`"content":"a"`, finished("content_filter: RECITATION")), "text a", abi.FinishContentFilter},
		"malformed, behind a text":   {sse(`"content":"a"`, finished("function_call_filter: MALFORMED_FUNCTION_CALL")), "text a", abi.FinishStop},
		"the word null is no finish": {sse(`{"id":"c","choices":[{"delta":{"content":"a"},"finish_reason":"null"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, `"content":"b"`, finished("length")), "text ab", abi.FinishLength},
		"unknown reason":             {sse(`"content":"a"`, finished("because")), "text a", abi.FinishStop},
		"upper case":                 {sse(`"content":"a"`, finished("MAX_TOKENS")), "text a", abi.FinishLength},
		"parts":                      {sse(`"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]`, `"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]},"b"]`, finished("stop")), "thinking hm | text ab", abi.FinishStop},
		"several elements in one":    {sse(`{"id":"c","choices":[{"delta":{"content":"a"}}]}` + "\n" + `{"id":"c","choices":[{"delta":{"content":"b"},"finish_reason":"length"}]}` + "\r\n\n[DONE]"), "text ab", abi.FinishLength},
		"a part alone":               {sse(`"content":{"type":"text","text":"a"}`, finished("stop")), "text a", abi.FinishStop},
		"errors of nothing": {sse(`{"id":"c","choices":[{"delta":{"content":"a"},"error":{"code":null}}],"error":{}}`, `{"id":"c","choices":[{"delta":{"content":"b"},"finish_reason":"stop","error":{}}],"error":{"message":"","code":0}}`),
			"text ab", abi.FinishStop},
		"nothing but a finish":       {sse(finished("stop"), "[DONE]"), "", abi.FinishStop},
		"empty deltas":               {sse(``, `"content":null`, `"content":""`, `"content":"a","tool_calls":null`, ``, finished("stop")), "text a", abi.FinishStop},
		"azure's first chunk":        {sse(`{"id":"","model":"","choices":[],"prompt_filter_results":[]}`, `"content":"a"`, finished("stop")), "text a", abi.FinishStop},
		"after done nothing is read": {sse(`"content":"a"`, finished("stop"), "[DONE]", `"content":"b"`), "text a", abi.FinishStop},
		"the whole again at the end": {sse(`"reasoning_content":"hm"`, `"content":"a"`, tool("0", `"i"`, `"f"`, `"{}"`), `{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"hm","content":"a","tool_calls":[{"id":"i","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`, usageChunk),
			"thinking hm | text a | call f()", abi.FinishToolCalls},
		"the rest in a message at the end": {sse(`"reasoning_content":"hm"`, `{"id":"c","choices":[{"index":0,"message":{"reasoning_content":"hm","content":"a"},"finish_reason":"stop"}]}`),
			"thinking hm | text a", abi.FinishStop},
		"messages instead of deltas": {sse(`{"id":"c","choices":[{"message":{"content":"a"}}]}`, `{"id":"c","choices":[{"message":{"content":"b"},"finish_reason":"stop"}]}`),
			"text ab", abi.FinishStop},
		"text behind a finish, usage throughout": {sse(`{"id":"c","choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}`, `{"id":"c","choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, `"content":"b"`, finished("stop")),
			"text ab", abi.FinishStop},
		"another answer is not mixed in": {sse(`{"id":"c","choices":[{"index":1,"delta":{"content":"x"}}]}`, `"content":"a"`, `{"id":"c","choices":[{"index":1,"delta":{"content":"y"},"finish_reason":"length"}]}`, `"content":"b"`, finished("stop")),
			"text ab", abi.FinishStop},
		"an answer in two choices": {sse(`{"id":"c","choices":[{"delta":{"content":"a"}},{"delta":{"tool_calls":[{"index":0,"id":"i","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`),
			`text a | call f({"x":1})`, abi.FinishToolCalls},
		"an answer in two numbered choices": {sse(`{"id":"c","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"tool_calls"},{"index":1,"message":{"tool_calls":[{"id":"i","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}]}`),
			`text a | call f({"x":1})`, abi.FinishToolCalls},
		"a second choice is not read": {sse(`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}`, finished("stop")), "text a", abi.FinishStop},
	} {
		t.Run(name, func(t *testing.T) {
			tests.Says(t, tc.answer, tc.blocks, tc.reason)
		})
	}
}

func TestDocument(t *testing.T) {
	m := tests.Play(t, sdktest.Document(200, `{"id":"c9","model":"m9","choices":[{"index":0,"finish_reason":"tool_calls","message":{
		"role":"assistant","content":"Let me see.","reasoning_content":"hm","tool_calls":[
		{"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
		{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]}}],
		"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":64},"completion_tokens_details":{"reasoning_tokens":7}}}`))
	if got, want := m.Summary(), `thinking hm | text Let me see. | call f({"x":1}) | call g()`; got != want {
		t.Errorf("blocks: got %q, want %q", got, want)
	}
	if m.ID != "c9" || m.Model != "m9" || m.Blocks[2].ID != "x-functions-2ef-3a0" || m.Blocks[3].ID != "b" {
		t.Errorf("ids: got %+v", m)
	}
	want := map[string]int64{"input": 36, "output": 20, "cache_read": 64, "cache_write": 0, "cache_write_1h": 0, "reasoning": 7}
	if !reflect.DeepEqual(m.Usage, want) {
		t.Errorf("usage: got %v, want %v", m.Usage, want)
	}
}

// TestDeltaBesideMessage: which of the two is the answer, when a choice has both, is for the answer's form to say.
func TestDeltaBesideMessage(t *testing.T) {
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		blocks string
	}{
		"whole, an empty delta": {sdktest.Document(200, `{"id":"a","choices":[{"index":0,"finish_reason":"stop",
			"delta":{"role":"assistant","content":""},"message":{"role":"assistant","content":"rust"}}]}`), "text rust"},
		"whole, the message first": {sdktest.Document(200, `{"id":"a","choices":[{"index":0,"finish_reason":"stop",
			"message":{"role":"assistant","content":"rust"},"delta":{"role":"assistant","content":""}}]}`), "text rust"},
		"whole, a delta alone": {sdktest.Document(200, `{"id":"a","choices":[{"index":0,"finish_reason":"stop","delta":{"content":"rust"}}]}`), "text rust"},
		"streamed, the message so far": {sse(
			`{"id":"a","choices":[{"index":0,"message":{"content":"ru"},"delta":{"content":"ru"}}]}`,
			`{"id":"a","choices":[{"index":0,"delta":{"content":"st"},"message":{"content":"rust"}}]}`,
			`{"id":"a","choices":[{"index":0,"message":{"content":"rust"},"delta":{"content":""},"finish_reason":"stop"}]}`), "text rust"},
	} {
		t.Run(name, func(t *testing.T) { tests.Says(t, tc.answer, tc.blocks, abi.FinishStop) })
	}
}

// TestCallsAreClosedEarly: the first of two calls is closed when it is complete, not when the answer ends, since the host
// holds the second back until then.
func TestCallsAreClosedEarly(t *testing.T) {
	x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: sse(
		tool("0", `"a"`, `"f"`, `"{\"x\":1}"`), tool("1", `"b"`, `"g"`, `"{\"y\":2}"`), finished("tool_calls"))}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []abi.Kind
	for _, e := range got.Events {
		kinds = append(kinds, e.Kind)
	}
	want := []abi.Kind{abi.KindMessageStart, abi.KindToolStart, abi.KindToolDelta, abi.KindBlockStop,
		abi.KindToolStart, abi.KindToolDelta, abi.KindBlockStop, abi.KindStop}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("got %#x, want %#x", kinds, want)
	}
}

func TestUsage(t *testing.T) {
	for name, tc := range map[string]struct {
		usage string
		want  [4]int64 // input, output, cache_read, reasoning
	}{
		"plain":                   {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`, [4]int64{10, 5, 0, 0}},
		"cached":                  {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8}}`, [4]int64{2, 5, 8, 0}},
		"deepseek":                {`{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}`, [4]int64{4, 5, 6, 0}},
		"moonshot":                {`{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":6}`, [4]int64{4, 5, 6, 0}},
		"reasoning within":        {`{"prompt_tokens":10,"completion_tokens":50,"total_tokens":60,"completion_tokens_details":{"reasoning_tokens":40}}`, [4]int64{10, 50, 0, 40}},
		"reasoning beside":        {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":55,"completion_tokens_details":{"reasoning_tokens":40}}`, [4]int64{10, 45, 0, 40}},
		"reasoning not counted":   {`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"completion_tokens_details":{"reasoning_tokens":40}}`, [4]int64{10, 45, 0, 40}},
		"null details":            {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":null}`, [4]int64{10, 5, 0, 0}},
		"mistral":                 {`{"prompt_tokens":10,"completion_tokens":5,"num_cached_tokens":6,"prompt_token_details":{"cached_tokens":6}}`, [4]int64{4, 5, 6, 0}},
		"written, in the details": {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":2,"cache_creation_input_tokens":3,"cache_type":"ephemeral"}}`, [4]int64{5, 5, 2, 0}},
		"as fractions":            {`{"prompt_tokens":10.0,"completion_tokens":5.0,"total_tokens":1.5e1}`, [4]int64{10, 5, 0, 0}},
		"more cached than there":  {`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":12}}`, [4]int64{0, 5, 12, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, sse(`"content":"a"`, finished("stop"), `{"choices":[],"usage":`+tc.usage+`}`))
			if got := [4]int64{m.Usage["input"], m.Usage["output"], m.Usage["cache_read"], m.Usage["reasoning"]}; got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestUsageAnywhere: in every chunk, before the last, with choices, or in Groq's own place; it replaces and never adds.
func TestUsageAnywhere(t *testing.T) {
	const first, last = `"usage":{"prompt_tokens":10,"completion_tokens":1}`, `"usage":{"prompt_tokens":10,"completion_tokens":5}`
	for name, a := range map[string]sdktest.Answer{
		"every chunk": sse(`{"id":"c","choices":[{"delta":{"content":"a"}}],`+first+`}`,
			`{"id":"c","choices":[{"delta":{},"finish_reason":"stop"}],`+last+`}`),
		"before the last": sse(`{"id":"c","choices":[{"delta":{"content":"a"}}],`+last+`}`, finished("stop")),
		"after the last":  sse(`"content":"a"`, finished("stop"), `{"choices":[{"index":0,"delta":{}}],`+last+`}`),
		"zeros at the end": sse(`{"id":"c","choices":[{"delta":{"content":"a"}}],`+last+`}`,
			`{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}`, finished("stop")),
		"zeros with the finish": sse(`{"id":"c","choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,"completion_tokens":0}}`,
			`{"choices":[],`+last+`}`),
		"in the choice": sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop",`+last+`}]}`, "[DONE]"),
		"x_groq":        sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{`+last+`}}`),
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, a)
			if m.Usage["input"] != 10 || m.Usage["output"] != 5 {
				t.Errorf("got %v", m.Usage)
			}
		})
	}
}

// TestFinishWithUsage: where only the last chunk has a count, or says that it is the last, nothing is waited for behind it.
func TestFinishWithUsage(t *testing.T) {
	const count = `"usage":{"prompt_tokens":1,"completion_tokens":1}`
	for name, a := range map[string]sdktest.Answer{
		"only": sse(`"content":"a"`, `{"id":"c","choices":[{"delta":{},"finish_reason":"stop"}],`+count+`}`, `"content":"b"`),
		"done": sse(`{"id":"c","object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}],`+count+`}`,
			`{"id":"c","object":"chat.completion.done","choices":[{"delta":{},"finish_reason":"stop"}],`+count+`}`, `"content":"b"`),
	} {
		if m := tests.Play(t, a); m.Summary() != "text a" || m.Stop == nil {
			t.Errorf("%s: got %s, %+v", name, m.Summary(), m.Stop)
		}
	}
}

func TestStopSequence(t *testing.T) {
	m := tests.Play(t, sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"END"}]}`))
	if m.Stop.Sequence != "END" {
		t.Errorf("got %+v", m.Stop)
	}
	m = tests.Play(t, sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"STOP"}]}`))
	if m.Stop.Sequence != "STOP" {
		t.Errorf("a word that is a reason elsewhere: got %+v", m.Stop)
	}
	m = tests.Play(t, sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":128009,"matched_stop":2}]}`))
	if m.Stop.Sequence != "" {
		t.Errorf("a token's number: got %+v", m.Stop)
	}
	m = tests.Play(t, sse(`"content":"a"`, `{"choices":[{"delta":{},"finish_reason":"stop","stop_reason":"end_turn"}]}`))
	if m.Stop.Sequence != "" {
		t.Errorf("a reason: got %+v", m.Stop)
	}
}

func TestErrors(t *testing.T) {
	status := func(code int, headers map[string]string, body string) sdktest.Answer {
		a := sdktest.Document(code, body)
		a.Headers = headers
		return a
	}
	for name, tc := range map[string]struct {
		answer sdktest.Answer
		kind   string
		wait   int64
	}{
		"status":                           {status(429, map[string]string{"retry-after": "2"}, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`), abi.ErrRateLimit, 2000},
		"status, no body":                  {sdktest.Answer{Status: 503}, abi.ErrOverloaded, 0},
		"context":                          {status(400, nil, `{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}`), abi.ErrContextTooLong, 0},
		"first in a stream":                {sse(`{"error":{"message":"upstream","code":502}}`), abi.ErrAPI, 0},
		"amid a stream":                    {sse(`"content":"a"`, `{"error":{"message":"upstream","code":429}}`, `"content":"b"`), abi.ErrRateLimit, 0},
		"beside choices":                   {sse(`"content":"a"`, `{"id":"c1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":503,"message":"gone"}}`), abi.ErrOverloaded, 0},
		"within the choice":                {sse(`"content":"a"`, `{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"gone"}}]}`), abi.ErrAPI, 0},
		"within a choice without a finish": {sse(`"content":"a"`, `{"id":"c1","choices":[{"index":0,"delta":{"content":""},"finish_reason":null,"error":{"code":429,"message":"slow"}}]}`), abi.ErrRateLimit, 0},
		"a finish of error":                {sse(`"content":"a"`, finished("insufficient_system_resource")), abi.ErrOverloaded, 0},
		"minimax's, by a good status":      {sdktest.Document(200, `{"choices":null,"usage":null,"base_resp":{"status_code":1002,"status_msg":"the vendor is overloaded"}}`), abi.ErrOverloaded, 0},
		"malformed, and nothing else":      {sse(`"reasoning":"hm"`, finished("function_call_filter: MALFORMED_FUNCTION_CALL")), abi.ErrAPI, 0},
		"llama.cpp's field":                {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "error", Data: `{"code":400,"message":"the request exceeds the available context size","type":"invalid_request_error"}`}}}, abi.ErrContextTooLong, 0},
		"an event of error":                {sdktest.Answer{Status: 200, Frames: []sdktest.Frame{{Event: "error", Data: `{"message":"bad","type":"server_error"}`}}}, abi.ErrAPI, 0},
		"mistral's shape":                  {sse(`{"object":"error","message":"busy","type":"rate_limited","code":"1300"}`), abi.ErrRateLimit, 0},
		"a text":                           {sse(`"content":"a"`, `{"error":"model crashed"}`), abi.ErrAPI, 0},
		"document":                         {sdktest.Document(200, `{"error":{"message":"filtered","code":"content_filter","status":400}}`), abi.ErrInvalidRequest, 0},
		"no JSON":                          {sdktest.Document(200, `<html>`), abi.ErrAPI, 0},
		"nothing":                          {sse(), abi.ErrAPI, 0},
		"done at once":                     {sse("[DONE]"), abi.ErrAPI, 0},
		"only a role":                      {sse(`"role":"assistant"`), abi.ErrAPI, 0},
		"cut inside a call":                {sse(tool("0", `"a"`, `"f"`, `"{\"x\":"`)), abi.ErrAPI, 0},
		"empty document":                   {sdktest.Document(200, `{}`), abi.ErrAPI, 0},
		"choices of nothing":               {sdktest.Document(200, `{"id":"x","choices":[]}`), abi.ErrAPI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tests.Fails(t, tc.answer, tc.kind, tc.wait)
		})
	}
}

// TestBrokenOff: what the connection cut is the host's to tell, unless the vendor had finished.
func TestBrokenOff(t *testing.T) {
	a := sse(`"content":"a"`)
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop != nil || m.Error != nil {
		t.Errorf("got %+v %+v, want neither", m.Stop, m.Error)
	}
	a = sse(`"content":"a"`, finished("stop"))
	a.End = abi.EndBroken
	if m := tests.Play(t, a); m.Stop == nil {
		t.Error("finished, then heartbeats only: no stop")
	}
}

func TestSkipped(t *testing.T) {
	m := tests.Play(t, sse(`{"id":"c"`, `{"type":"ping"}`, `"content":"a"`, finished("stop")))
	if m.Skipped != 2 || m.Summary() != "text a" {
		t.Errorf("got %d skipped, %s", m.Skipped, m.Summary())
	}
}

// TestSkippedFields: what has no place in the answer is counted, and empty ones are not.
func TestSkippedFields(t *testing.T) {
	m := tests.Play(t, sse(`"content":"a","annotations":[{"type":"url_citation"}],"images":[],"audio":null`, `"images":[{"type":"image_url"}],"annotations":[]`, finished("stop")))
	if m.Skipped != 2 || m.Summary() != "text a" {
		t.Errorf("got %d skipped, %s", m.Skipped, m.Summary())
	}
}

// TestLateID: a first chunk without an id and without a word is not the start.
func TestLateID(t *testing.T) {
	const empty = `{"id":"","model":"","choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[]},"finish_reason":null}]}`
	if m := tests.Play(t, sse(empty, `"content":"a"`, finished("stop"))); m.ID != "c1" || m.Model != "m1" || m.Summary() != "text a" {
		t.Errorf("got %q %q %s", m.ID, m.Model, m.Summary())
	}
	if m := tests.Play(t, sse(empty, `{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}`)); m.ID != "" || m.Summary() != "text a" {
		t.Errorf("no id at all: got %q %s", m.ID, m.Summary())
	}
}

// FuzzFrame: whatever a vendor sends, the events are well formed.
func FuzzFrame(f *testing.F) {
	f.Add(`{"id":"c","choices":[{"delta":{"content":"a"}}]}`, tool("0", `"a"`, `"f"`, `"{"`), "")
	f.Add(`{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f"}}]}}]}`, `{"error":1}`, "error")
	f.Fuzz(func(t *testing.T, a, b, event string) {
		x := sdktest.Exchange{Call: plainCall, Body: plainBody, Answer: sdktest.Answer{Status: 200, Frames: []sdktest.Frame{
			{Data: a}, {Data: b, Event: event}, {Data: a, Event: event}, {Data: b}}}}
		if len(event) > 100 {
			return
		}
		if got, err := x.Run(newGuest()); err != nil && !strings.Contains(err.Error(), "are no object") {
			t.Fatalf("%v\n%+v", err, got.Events)
		}
	})
}
