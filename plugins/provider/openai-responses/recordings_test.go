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

// newGuest is the adapter as Go. The module that it compiles to runs the same recordings, cut in many ways, in the host's
// tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &responses{}) }

var tests = suite.Suite{New: newGuest, Call: plainCall, Body: plainBody}

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of the Responses API and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	tests.Recordings(t, []string{"openai.responses"}, compare)
}

// compare holds a message against an independent reading of the recording.
func compare(t *testing.T, rec sdktest.Recording, m sdktest.Message) string {
	want := readRecording(t, rec)
	if want.brokenOff {
		return "broken off, which the host's tests look at"
	}
	what := want.Compare(t, &m)
	if what == suite.Failed {
		return what
	}
	if m.Stop.Reason != want.reason() || m.Skipped != want.skipped {
		t.Errorf("got reason %q, %d skipped; want %s, %d", m.Stop.Reason, m.Skipped, want.reason(), want.skipped)
	}
	suite.Calls(t, &m, len(want.calls), func(n int, b sdktest.Block) {
		w := want.calls[n]
		if b.Name != w.Name || sdk.VendorToolID(b.ID) != w.CallID || any(b.Text) != w.Arguments {
			t.Errorf("call: got %s %s(%s), want %s %s(%v)", b.ID, b.Name, b.Text, w.CallID, w.Name, w.Arguments)
		}
	})
	compareReasoning(t, m, want)
	return what
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
		Role             string
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
	suite.Reading
	calls     []outputItem
	encrypted []string // id and encrypted content of the reasoning items
	skipped   int      // items of other types, and annotations

	incomplete, refused, brokenOff bool
}

func (r *reading) reason() string {
	switch {
	case r.Native == "content_filter" || r.refused:
		return abi.FinishContentFilter
	case r.incomplete:
		return abi.FinishLength
	case len(r.calls) > 0:
		return abi.FinishToolCalls
	}
	return abi.FinishStop
}

func readRecording(t *testing.T, rec sdktest.Recording) (r reading) {
	t.Helper()
	items, begun := map[int]outputItem{}, false
	if rec.Status >= 400 {
		r.Failed, r.Err = true, errorText(string(rec.Body))
		return r
	}
	var last wholeResponse
	for _, f := range rec.Answer().Frames {
		if !json.Valid([]byte(f.Data)) {
			continue // [DONE], or what was cut off
		}
		if text := errorText(f.Data); text != "" {
			r.Failed, r.Err = true, text
			return r
		}
		if f.Document {
			decode(t, f.Data, &last)
			for i, it := range last.Output {
				items[i] = it
			}
			r.ID = last.ID
			continue
		}
		var e struct {
			Type     string
			Index    int `json:"output_index"`
			Item     *outputItem
			Response *wholeResponse
		}
		decode(t, f.Data, &e)
		begun = begun || e.Item != nil
		if e.Type == "response.output_item.done" && e.Item != nil {
			items[e.Index] = *e.Item
		}
		if e.Response != nil {
			last = *e.Response
		}
		if r.ID == "" { // Copilot gives another with each event
			r.ID = last.ID
		}
	}
	r.Native, r.incomplete = last.Status, last.Status == "incomplete"
	switch status := last.Status; {
	case status == "failed" || status == "cancelled":
		r.Failed = true
		return r
	case status == "queued" || status == "in_progress" || status == "" && last.Output == nil:
		r.brokenOff = begun
		r.Failed = !r.brokenOff
		return r
	}
	if len(last.Output) > len(items) { // some ended without a word of it
		for i, it := range last.Output {
			items[i] = it
		}
	}
	if last.Incomplete.Reason != "" {
		r.Native = last.Incomplete.Reason
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

// errorText is what an error says, of a status, in a stream or in the response that it ends; "" of anything else.
func errorText(data string) string {
	var doc map[string]any
	if json.Unmarshal([]byte(data), &doc) != nil {
		return ""
	}
	if response, ok := doc["response"].(map[string]any); ok && doc["error"] == nil {
		doc = response
	}
	switch e := doc["error"].(type) {
	case string:
		return e
	case map[string]any:
		return fmt.Sprint(e["message"])
	}
	for _, key := range []string{"detail", "message"} {
		if text, ok := doc[key].(string); ok {
			return text
		}
	}
	return ""
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
			if it.Role != "" && it.Role != "assistant" {
				r.skipped++ // the caller's own, given back
				continue
			}
			for _, p := range it.Content {
				r.Text += p.Text + p.Refusal
				r.refused = r.refused || p.Refusal != ""
				r.skipped += len(p.Annotations)
			}
		case "reasoning":
			parts := it.Content
			if len(parts) == 0 {
				parts = it.Summary
			}
			for i, p := range parts {
				if i > 0 {
					r.Thinking += "\n\n"
				}
				r.Thinking += p.Text
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
	if num("input_tokens")+num("output_tokens") == 0 {
		return // zeros count nothing
	}
	read, written := num("input_tokens_details", "cached_tokens"), num("input_tokens_details", "cache_write_tokens")
	r.Usage = map[string]int64{
		"input": num("input_tokens") - read - written, "output": max(num("output_tokens"), num("total_tokens")-num("input_tokens")),
		"cache_read": read, "cache_write": written, "cache_write_1h": 0, "reasoning": num("output_tokens_details", "reasoning_tokens"),
	}
}
