package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// newGuest is the adapter as Go. The module it compiles to runs the same recordings in the host's tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &openai{}) }

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of a Chat Completions vendor and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("openai.chat", "mistral.chat")
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
		if m.Error == nil {
			t.Fatalf("no error, want %q", want.err)
		}
		if !strings.Contains(m.Error.Message, want.err) {
			t.Errorf("error: got %+v, want %q", m.Error, want.err)
		}
		return "error"
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
	if m.ID != want.id {
		t.Errorf("id: got %q, want %q", m.ID, want.id)
	}
	compareCalls(t, m, want)
	if want.usage != nil && !reflect.DeepEqual(m.Usage, want.usage) {
		t.Errorf("usage: got %v, want %v", m.Usage, want.usage)
	}
	if m.Stop.Native != want.finish {
		t.Errorf("finish: got %q, want %q", m.Stop.Native, want.finish)
	}
	if len(want.calls) > 0 && (want.finish == "stop" || want.finish == "tool_calls") && m.Stop.Reason != abi.FinishToolCalls {
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
		if b.Name != w.name || w.id != "" && sdk.VendorToolID(b.ID) != w.id {
			t.Errorf("call: got %s %s, want %s %s", b.ID, b.Name, w.id, w.name)
		}
		if !sameJSON(b.Text, w.args) {
			t.Errorf("arguments of %s: got %q, want %q", b.Name, b.Text, w.args)
		}
	}
	if n != len(want.calls) {
		t.Errorf("got %d calls, want %d", n, len(want.calls))
	}
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
	id, text, thinking, finish, err string
	calls                           []readCall
	usage                           map[string]int64
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
			r.err = errorText(doc)
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
	if id, _ := doc["id"].(string); r.id == "" {
		r.id = id
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
		r.finish = f
	}
	delta, _ := choice["delta"].(dict)
	if delta == nil && r.text == "" { // behind the deltas it is the whole again
		delta, _ = choice["message"].(dict)
	}
	r.delta(delta)
}

func (r *reading) delta(delta dict) {
	r.reason(delta)
	switch content := delta["content"].(type) {
	case string:
		r.text += content
	case []any:
		for _, p := range content {
			part := p.(dict)
			if s, _ := part["text"].(string); s != "" {
				r.text += s
			}
			inner, _ := part["thinking"].([]any)
			for _, i := range inner {
				r.thinking += i.(dict)["text"].(string)
			}
		}
	}
	if s, _ := delta["refusal"].(string); s != "" {
		r.text += s
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
			r.thinking += s
			return
		}
	}
	details, _ := delta["reasoning_details"].([]any)
	for _, d := range details {
		for _, key := range []string{"text", "summary"} {
			s, _ := d.(dict)[key].(string)
			r.thinking += s
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
	r.usage = map[string]int64{
		"input": num("prompt_tokens") - read - written, "output": output, "cache_read": read, "cache_write": written,
		"cache_write_1h": 0, "reasoning": thought,
	}
}
