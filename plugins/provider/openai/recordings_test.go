package main

import (
	"encoding/json"
	"reflect"
	"strings"
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
	want := readRecording(rec)
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
	calls    []readCall
	streamed bool // some of it came in deltas
}

type readCall struct {
	index          int
	id, name, args string
}

type dict = map[string]any

// unsaid is in the adapter's words for a failure that the vendor has none for.
const unsaid = "did not say why"

func readRecording(rec sdktest.Recording) (r reading) {
	if rec.Status >= 400 {
		r.Err = refusal(strings.Join(rec.Elements(), "\n"))
		return r
	}
	for _, e := range rec.Elements() {
		var doc dict
		if json.Unmarshal([]byte(e), &doc) != nil {
			continue // a keep-alive, say
		}
		if r.Err = saidError(doc); r.Err != "" {
			return r
		}
		r.chunk(doc, !strings.HasSuffix(rec.File, ".sse"))
	}
	last := len(r.calls) - 1
	switch {
	case r.Native == "" && r.Text+r.Thinking == "" && last < 0:
		r.Err = "the vendor's answer" // ended before it began, or is no JSON
	case r.Native == "" && last >= 0 && r.calls[last].args != "" && !json.Valid([]byte(r.calls[last].args)):
		r.Err = "ended inside a tool call"
	case strings.Contains(strings.ToLower(r.Native), "malformed_function_call") && r.Text == "" && last < 0:
		r.Err = "finish_reason " + r.Native
	}
	return r
}

// saidError is the message of an element that is an error: it says so beside the choices, in the first of them or with the word
// for its end, or has none of a completion's fields. "" of any other.
func saidError(doc dict) string {
	list, _ := doc["choices"].([]any)
	var first dict
	if len(list) > 0 {
		first, _ = list[0].(dict)
	}
	inner, _ := first["error"].(dict)
	_, counts := doc["usage"]
	switch {
	case doc["error"] != nil:
		return errorText(doc)
	case inner != nil:
		return errorText(inner)
	case doc["choices"] == nil && !counts && errorText(doc) != unsaid:
		return errorText(doc)
	}
	switch end := first["finish_reason"]; end {
	case "error", "network_error", "insufficient_system_resource", "abort":
		return "finish_reason " + end.(string)
	}
	return ""
}

// refusal is the message in the body of an answer with an error status.
func refusal(body string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) == nil {
		return errorText(v)
	}
	if body == "" || strings.ContainsRune("<{[", rune(body[0])) {
		return unsaid // nothing, or nothing for a person to read
	}
	return body[:min(len(body), 400)]
}

// errorText is the message of an error, in any of the vendors' shapes.
func errorText(v any) string {
	switch v := v.(type) {
	case string:
		if v != "" {
			return v
		}
	case []any:
		if len(v) > 0 {
			return errorText(v[0])
		}
	case dict:
		for _, key := range []string{"error", "errors", "message", "msg", "detail", "base_resp", "status_msg"} {
			if text := errorText(v[key]); text != unsaid {
				return text
			}
		}
	}
	return unsaid
}

func (r *reading) chunk(doc dict, whole bool) {
	if id, _ := doc["id"].(string); r.ID == "" {
		r.ID = id
	}
	r.count(doc)
	choices, _ := doc["choices"].([]any)
	for _, c := range choices {
		choice, _ := c.(dict)
		message, _ := choice["message"].(dict)
		delta, streamed := choice["delta"].(dict)
		if whole && message != nil {
			delta, streamed = message, false
		}
		// One of another index is another answer, but where the first ended in calls that it lacks.
		if n, _ := choice["index"].(float64); n != 0 && (streamed || r.Native != "tool_calls" || len(r.calls) > 0) {
			continue
		}
		if f, _ := choice["finish_reason"].(string); f != "" {
			r.Native = f
		}
		if r.streamed = r.streamed || streamed; !streamed && (r.Text == "" || !r.streamed) { // behind the deltas it is the whole again
			delta = message
		}
		r.delta(delta)
	}
}

func (r *reading) delta(delta dict) {
	r.reason(delta)
	switch content := delta["content"].(type) {
	case string:
		r.Text += content
	case []any:
		for _, p := range content {
			alone, _ := p.(string)
			part, _ := p.(dict)
			s, _ := part["text"].(string)
			r.Text += alone + s
			inner, _ := part["thinking"].([]any)
			summary, _ := part["summary"].([]any)
			for _, i := range append(inner, summary...) {
				thought, _ := i.(dict)
				s, _ := thought["text"].(string)
				r.Thinking += s
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
	if one, ok := delta["tool_calls"].(dict); ok {
		calls = []any{one}
	}
	for n, c := range calls {
		call, _ := c.(dict)
		index := n
		if i, ok := call["index"].(float64); ok {
			index = int(i)
		}
		id, _ := call["id"].(string)
		fn, _ := call["function"].(dict)
		if last := len(r.calls) - 1; call["index"] == nil && id == "" && last >= n && fn["name"] != nil && json.Valid([]byte(r.calls[last].args)) {
			index = len(r.calls) // neither number nor id: what is whole is over
		}
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
		detail, _ := d.(dict)
		for _, key := range []string{"text", "summary"} {
			s, _ := detail[key].(string)
			r.Thinking += s
		}
	}
}

func (r *reading) call(index int, id string, fn dict) {
	name, _ := fn["name"].(string)
	args, ok := fn["arguments"].(string)
	if o, whole := fn["arguments"].(dict); !ok && whole { // itself, and not as text
		text, _ := json.Marshal(o)
		args = string(text)
	}
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
		first, _ := list[0].(dict)
		u, _ = first["usage"].(dict)
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
	if num("prompt_tokens") == 0 && num("completion_tokens") == 0 {
		return // none, or the zeros that some begin or end with, which count nothing
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
		"input": max(num("prompt_tokens")-read-written, 0), "output": output, "cache_read": read, "cache_write": written,
		"cache_write_1h": 0, "reasoning": thought,
	}
}
