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

// newGuest is the adapter as Go. The module that it compiles to runs the same recordings, cut in many ways, in the host's
// tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &responses{}) }

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of the Responses API and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("openai.responses")
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
			if what := compare(t, rec, got.Message); !t.Failed() {
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

// compare holds a message against an independent reading of the recording and says what kind of recording it was.
func compare(t *testing.T, rec sdktest.Recording, m sdktest.Message) string {
	want := readRecording(t, rec)
	if want.err != "" {
		if m.Error == nil || !strings.Contains(m.Error.Message, want.err) {
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
	if m.ID != want.id || m.Stop.Native != want.native || m.Stop.Reason != want.reason() || m.Skipped != want.skipped {
		t.Errorf("got id %q, stop %+v, %d skipped; want %q, %s, %s, %d", m.ID, m.Stop, m.Skipped, want.id, want.native, want.reason(), want.skipped)
	}
	compareCalls(t, m, want)
	compareReasoning(t, m, want)
	if want.usage != nil && !reflect.DeepEqual(m.Usage, want.usage) {
		t.Errorf("usage: got %v, want %v", m.Usage, want.usage)
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
		if b.Name != w.Name || sdk.VendorToolID(b.ID) != w.CallID || any(b.Text) != w.Arguments {
			t.Errorf("call: got %s %s(%s), want %s %s(%v)", b.ID, b.Name, b.Text, w.CallID, w.Name, w.Arguments)
		}
	}
	if n != len(want.calls) {
		t.Errorf("got %d calls, want %d", n, len(want.calls))
	}
}

// compareReasoning sends the answer back as the caller would, and looks for the vendor's own items in the next request.
func compareReasoning(t *testing.T, m sdktest.Message, want reading) {
	t.Helper()
	var content []map[string]any
	for _, b := range m.Blocks {
		switch b.Type {
		case "thinking":
			content = append(content, map[string]any{"type": "thinking", "thinking": b.Text, "signature": b.Signature})
		case "redacted_thinking":
			content = append(content, map[string]any{"type": "redacted_thinking", "data": b.Text})
		}
	}
	content = append(content, map[string]any{"type": "text", "text": "done"})
	body, err := json.Marshal(map[string]any{"messages": []any{map[string]any{"role": "assistant", "content": content}}})
	if err != nil {
		t.Fatal(err)
	}
	x := sdktest.Exchange{Call: `{"op":"chat","model":"m","thinking":true}`, Body: string(body)}
	next, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Input []outputItem }
	if err := json.Unmarshal([]byte(next.Request.Body), &sent); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, it := range sent.Input {
		if it.Type == "reasoning" && it.Encrypted != "" {
			got = append(got, it.ID+" "+it.Encrypted)
		}
	}
	if !reflect.DeepEqual(got, want.encrypted) {
		t.Errorf("reasoning sent back: got %q, want %q", got, want.encrypted)
	}
}

// The parts of a response that these tests look at, as encoding/json reads them.
type (
	outputItem struct {
		ID, Type, Name   string
		Arguments        any    // a string, but for the calls of the vendor's own tools
		CallID           string `json:"call_id"`
		Encrypted        string `json:"encrypted_content"`
		Content, Summary []outputPart
	}
	outputPart struct {
		Type, Text, Refusal string
		Annotations         []any
	}
	wholeResponse struct {
		ID, Status string
		Error      any
		Incomplete struct{ Reason string } `json:"incomplete_details"`
		Output     []outputItem
		Usage      map[string]any
	}
)

// A reading is what encoding/json finds in a recording.
type reading struct {
	id, text, thinking, native, err string
	calls                           []outputItem
	encrypted                       []string // id and encrypted content of the reasoning items
	skipped                         int      // items of other types, and annotations
	usage                           map[string]int64
}

func (r *reading) reason() string {
	switch {
	case r.native == "max_output_tokens":
		return abi.FinishLength
	case len(r.calls) > 0:
		return abi.FinishToolCalls
	}
	return abi.FinishStop
}

func readRecording(t *testing.T, rec sdktest.Recording) (r reading) {
	t.Helper()
	items := map[int]outputItem{}
	var last wholeResponse
	for _, f := range rec.Answer().Frames {
		if f.Data == "[DONE]" {
			continue
		}
		if rec.Status >= 400 {
			r.err = errorText(t, f.Data)
			return r
		}
		if f.Document {
			decode(t, f.Data, &last)
			for i, it := range last.Output {
				items[i] = it
			}
			r.id = last.ID
			continue
		}
		var e struct {
			Type     string
			Index    int `json:"output_index"`
			Item     *outputItem
			Response *wholeResponse
		}
		decode(t, f.Data, &e)
		if e.Type == "response.output_item.done" {
			items[e.Index] = *e.Item
		}
		if e.Response != nil {
			last = *e.Response
		}
		if r.id == "" { // Copilot gives another with each event
			r.id = last.ID
		}
	}
	r.native = last.Status
	if last.Status == "queued" {
		r.err = "status is queued"
	}
	if last.Incomplete.Reason != "" {
		r.native = last.Incomplete.Reason
	}
	r.read(items)
	r.count(last.Usage)
	return r
}

func decode(t *testing.T, data string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), into); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
}

func errorText(t *testing.T, data string) string {
	t.Helper()
	var doc map[string]any
	decode(t, data, &doc)
	switch e := doc["error"].(type) {
	case string:
		return e
	case map[string]any:
		return fmt.Sprint(e["message"])
	}
	return fmt.Sprint(doc["detail"])
}

func (r *reading) read(items map[int]outputItem) {
	for i := 0; len(items) > 0; i++ {
		it, ok := items[i]
		if !ok {
			continue
		}
		delete(items, i)
		switch it.Type {
		case "message":
			for _, p := range it.Content {
				r.text += p.Text + p.Refusal
				r.skipped += len(p.Annotations)
			}
		case "reasoning":
			parts := it.Content
			if len(parts) == 0 {
				parts = it.Summary
			}
			for i, p := range parts {
				if i > 0 {
					r.thinking += "\n\n"
				}
				r.thinking += p.Text
			}
			if it.Encrypted != "" {
				r.encrypted = append(r.encrypted, it.ID+" "+it.Encrypted)
			}
		case "function_call":
			r.calls = append(r.calls, it)
		default:
			r.skipped++
		}
	}
}

// count reads the usage as OpenAI's documents have it. What the total holds beyond both is reasoning.
func (r *reading) count(u map[string]any) {
	if u == nil {
		return
	}
	num := func(path ...string) int64 {
		var v any = u
		for _, p := range path {
			o, _ := v.(map[string]any)
			v = o[p]
		}
		f, _ := v.(float64)
		return int64(f)
	}
	read, written := num("input_tokens_details", "cached_tokens"), num("input_tokens_details", "cache_write_tokens")
	r.usage = map[string]int64{
		"input": num("input_tokens") - read - written, "output": num("total_tokens") - num("input_tokens"),
		"cache_read": read, "cache_write": written, "cache_write_1h": 0, "reasoning": num("output_tokens_details", "reasoning_tokens"),
	}
}
