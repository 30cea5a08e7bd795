package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// newGuest is the adapter as Go. The module it compiles to runs the same recordings in the host's tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &openai{}) }

var tests = suite.Suite{New: newGuest, Call: plainCall, Body: plainBody}

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of a Chat Completions vendor and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	tests.Recordings(t, []string{"openai.chat", "mistral.chat"}, compare)
}

// compare holds a message against an independent reading of the recording.
func compare(t *testing.T, rec sdktest.Recording, m sdktest.Message) string {
	want := readRecording(t, rec)
	what := want.Compare(t, &m)
	if what == suite.Failed {
		return what
	}
	suite.Calls(t, &m, len(want.calls), func(n int, b sdktest.Block) {
		w := want.calls[n]
		if b.Name != w.name || w.id != "" && sdk.VendorToolID(b.ID) != w.id {
			t.Errorf("call: got %s %s, want %s %s", b.ID, b.Name, w.id, w.name)
		}
		if !sameJSON(b.Text, w.args) {
			t.Errorf("arguments of %s: got %q, want %q", b.Name, b.Text, w.args)
		}
	})
	if len(want.calls) > 0 && (want.Native == "stop" || want.Native == "tool_calls") && m.Stop.Reason != abi.FinishToolCalls {
		t.Errorf("reason: got %q with tool calls", m.Stop.Reason)
	}
	return what
}

// sameJSON compares arguments; none are an empty object. Text that is cut off is compared as text.
func sameJSON(a, b string) bool {
	if a == "" {
		a = "{}"
	}
	if b == "" || b == "null" {
		b = "{}"
	}
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return reflect.DeepEqual(x, y)
}

// A reading is what encoding/json finds in a recording.
type reading struct {
	suite.Reading
	calls []readCall
}

type readCall struct {
	index          int
	id, name, args string
}

type dict = map[string]any

func readRecording(t *testing.T, rec sdktest.Recording) (r reading) {
	for _, f := range rec.Answer().Frames {
		if f.Data == "[DONE]" {
			continue
		}
		var doc dict
		if err := json.Unmarshal([]byte(f.Data), &doc); err != nil {
			t.Fatalf("%q: %v", f.Data, err)
		}
		if rec.Status >= 400 || doc["error"] != nil {
			r.Err = errorText(doc)
			return r
		}
		r.chunk(doc)
	}
	return r
}

func errorText(doc dict) string {
	switch e := doc["error"].(type) {
	case string:
		return e
	case dict:
		return fmt.Sprint(e["message"])
	}
	if s, ok := doc["message"].(string); ok {
		return s
	}
	if list, ok := doc["detail"].([]any); ok {
		return list[0].(dict)["msg"].(string)
	}
	return fmt.Sprint(doc["detail"])
}

func (r *reading) chunk(doc dict) {
	if id, _ := doc["id"].(string); r.ID == "" {
		r.ID = id
	}
	r.count(doc)
	choices, _ := doc["choices"].([]any)
	if len(choices) == 0 {
		return
	}
	choice := choices[0].(dict)
	if n, _ := choice["index"].(float64); n != 0 {
		return // another answer
	}
	if f, _ := choice["finish_reason"].(string); f != "" {
		r.Native = f
	}
	delta, _ := choice["delta"].(dict)
	if delta == nil && r.Text == "" { // behind the deltas it is the whole again
		delta, _ = choice["message"].(dict)
	}
	r.delta(delta)
}

func (r *reading) delta(delta dict) {
	r.reason(delta)
	switch content := delta["content"].(type) {
	case string:
		r.Text += content
	case []any:
		for _, p := range content {
			part := p.(dict)
			if s, _ := part["text"].(string); s != "" {
				r.Text += s
			}
			inner, _ := part["thinking"].([]any)
			for _, i := range inner {
				r.Thinking += i.(dict)["text"].(string)
			}
		}
	}
	if s, _ := delta["refusal"].(string); s != "" {
		r.Text += s
	}
	if f, ok := delta["function_call"].(dict); ok {
		r.call(-1, "", f)
	}
	calls, _ := delta["tool_calls"].([]any)
	for n, c := range calls {
		call := c.(dict)
		index := n
		if i, ok := call["index"].(float64); ok {
			index = int(i)
		}
		id, _ := call["id"].(string)
		fn, _ := call["function"].(dict)
		r.call(index, id, fn)
	}
}

// reason reads the reasoning. A string is all of it; details beside one say the same again.
func (r *reading) reason(delta dict) {
	for _, key := range []string{"reasoning_content", "reasoning", "reasoning_text"} {
		if s, _ := delta[key].(string); s != "" {
			r.Thinking += s
			return
		}
	}
	details, _ := delta["reasoning_details"].([]any)
	for _, d := range details {
		for _, key := range []string{"text", "summary"} {
			s, _ := d.(dict)[key].(string)
			r.Thinking += s
		}
	}
}

func (r *reading) call(index int, id string, fn dict) {
	name, _ := fn["name"].(string)
	args, _ := fn["arguments"].(string)
	for i := range r.calls {
		if c := &r.calls[i]; c.index == index && (id == "" || id == c.id) {
			c.args += args
			return
		}
	}
	if name != "" {
		r.calls = append(r.calls, readCall{index, id, name, args})
	}
}

// count reads the usage: what the vendors' documents say of their fields, put down field by field.
func (r *reading) count(doc dict) {
	u, _ := doc["usage"].(dict)
	if x, ok := doc["x_groq"].(dict); ok && u == nil {
		u, _ = x["usage"].(dict)
	}
	if list, _ := doc["choices"].([]any); u == nil && len(list) > 0 {
		u, _ = list[0].(dict)["usage"].(dict)
	}
	if u == nil {
		return
	}
	num := func(path ...string) int64 {
		var v any = u
		for _, p := range path {
			o, _ := v.(dict)
			v = o[p]
		}
		f, _ := v.(float64)
		return int64(f)
	}
	most := func(n ...int64) (m int64) {
		for _, x := range n {
			m = max(m, x)
		}
		return m
	}
	read := most(num("prompt_tokens_details", "cached_tokens"), num("prompt_token_details", "cached_tokens"), num("cached_tokens"), num("num_cached_tokens"), num("prompt_cache_hit_tokens"), num("cache_read_input_tokens"))
	written := most(num("prompt_tokens_details", "cache_write_tokens"), num("prompt_tokens_details", "cache_creation_tokens"), num("prompt_tokens_details", "cache_creation_input_tokens"), num("cache_creation_input_tokens"))
	thought := most(num("completion_tokens_details", "reasoning_tokens"), num("reasoning_tokens"))
	output := num("completion_tokens")
	if beyond := num("total_tokens") - num("prompt_tokens") - output; beyond > 0 {
		output += beyond
	} else if thought > output {
		output += thought
	}
	r.Usage = map[string]int64{
		"input": num("prompt_tokens") - read - written, "output": output, "cache_read": read, "cache_write": written,
		"cache_write_1h": 0, "reasoning": thought,
	}
}
