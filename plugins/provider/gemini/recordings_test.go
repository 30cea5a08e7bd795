package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// newGuest is the adapter as Go. The module it compiles to runs the same recordings in the host's tests.
func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &gemini{}) }

var tests = suite.Suite{New: newGuest, Call: plainCall, Body: plainBody}

const plainCall = `{"op":"chat","stream":true,"model":"m","max_tokens":100}`
const plainBody = `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":"hi"}]}`

// TestRecordings plays every recording of generateContent and compares with what encoding/json reads in it.
func TestRecordings(t *testing.T) {
	tests.Recordings(t, []string{"gemini.generateContent"}, compare)
}

// compare holds a message against an independent reading of the recording.
func compare(t *testing.T, rec sdktest.Recording, m sdktest.Message) string {
	want := readRecording(rec)
	if !want.Failed && want.Text == "" && len(want.calls) == 0 && (want.Native == "" || wentWrong[want.Native]) {
		if m.Error == nil {
			t.Fatalf("there is nothing in it, got %+v", m)
		}
		return "nothing in it: an error"
	}
	what := want.Compare(t, &m)
	if what == suite.Failed {
		return what
	}
	var signatures []string
	for _, b := range m.Blocks {
		if b.Signature != "" {
			signatures = append(signatures, b.Signature)
		}
	}
	if !reflect.DeepEqual(signatures, want.signatures) {
		t.Errorf("signatures:\ngot  %.60q\nwant %.60q", signatures, want.signatures)
	}
	if m.Model != want.model || m.Skipped != want.skipped {
		t.Errorf("got model %q, %d skipped; want %q, %d", m.Model, m.Skipped, want.model, want.skipped)
	}
	suite.Calls(t, &m, len(want.calls), func(n int, b sdktest.Block) {
		w := want.calls[n]
		id, own := vendorID(b.ID)
		if b.Name != w.name || own != (w.id != "") || own && id != w.id {
			t.Errorf("call: got %s %s, want %s %s", b.ID, b.Name, w.id, w.name)
		}
		var args any
		if err := json.Unmarshal([]byte(cmp.Or(b.Text, "{}")), &args); err != nil || !reflect.DeepEqual(args, w.args) {
			t.Errorf("arguments of %s: got %q, want %v", b.Name, b.Text, w.args)
		}
	})
	if len(want.calls) > 0 && m.Stop.Reason != abi.FinishToolCalls {
		t.Errorf("reason: got %q with tool calls", m.Stop.Reason)
	}
	return what
}

// A reading is what encoding/json finds in a recording.
type reading struct {
	suite.Reading
	model            string
	signatures, held []string
	calls            []readCall
	figures          map[string]int64
	skipped          int
}

type readCall struct {
	id, name string
	args     any
}

type dict = map[string]any

// wentWrong are the reasons for ends that are no answer's, where nothing was said before.
var wentWrong = map[string]bool{"OTHER": true, "MALFORMED_FUNCTION_CALL": true, "UNEXPECTED_TOOL_CALL": true, "TOO_MANY_TOOL_CALLS": true,
	"MALFORMED_RESPONSE": true, "MISSING_THOUGHT_SIGNATURE": true, "NO_IMAGE": true, "IMAGE_OTHER": true}

func readRecording(rec sdktest.Recording) (r reading) {
	r.figures, r.Failed = map[string]int64{}, rec.Status >= 400
	for _, f := range rec.Answer().Frames {
		var doc any
		if json.Unmarshal([]byte(f.Data), &doc) != nil {
			continue // a page, or what was cut off
		}
		chunks, ok := doc.([]any)
		if !ok {
			chunks = []any{doc}
		}
		for _, c := range chunks {
			chunk, _ := c.(dict)
			if e, ok := chunk["error"].(dict); ok {
				r.Failed, r.Err = true, fmt.Sprint(e["message"])
				return r
			}
			if chunk != nil && !r.Failed {
				r.chunk(chunk)
			}
		}
	}
	return r
}

func (r *reading) chunk(doc dict) {
	if id, _ := doc["responseId"].(string); r.ID == "" {
		r.ID = id
	}
	if model, _ := doc["modelVersion"].(string); r.model == "" {
		r.model = model
	}
	r.count(doc)
	if feedback, ok := doc["promptFeedback"].(dict); ok && feedback["blockReason"] != nil {
		r.Native = fmt.Sprint(feedback["blockReason"])
	}
	candidates, _ := doc["candidates"].([]any)
	if len(candidates) == 0 {
		if doc["usageMetadata"] == nil && r.Native == "" {
			r.skipped++
		}
		return
	}
	candidate, _ := candidates[0].(dict)
	if f := candidate["finishReason"]; f != nil {
		r.Native = fmt.Sprint(f)
	}
	content, _ := candidate["content"].(dict)
	parts, _ := content["parts"].([]any)
	for _, p := range parts {
		if p, ok := p.(dict); ok {
			r.part(p)
		}
	}
}

// part reads a part. Where its signature has to go is said here once more, in other words than in the adapter.
func (r *reading) part(p dict) {
	text, isText := p["text"].(string)
	call, isCall := p["functionCall"].(dict)
	mark := ""
	switch thought, _ := p["thought"].(bool); {
	case isCall && call["name"] == nil:
		r.pieces(call)
		return
	case isCall:
		mark = "gemini-c:"
		args := call["args"]
		if args == nil {
			args = dict{}
		}
		id, _ := call["id"].(string)
		r.calls = append(r.calls, readCall{id, fmt.Sprint(call["name"]), args})
		r.pieces(call)
	case isText && thought:
		mark = "gemini-p:"
		r.Thinking += text
	case isText && text == "":
		mark = "gemini-e:"
	case isText:
		mark = "gemini-t:"
		r.Text += text
	default:
		r.skipped++
		return
	}
	if isCall || text != "" { // what signed a text before it is passed on
		r.signatures = append(r.signatures, r.held...)
		r.held = nil
	}
	sig, _ := p["thoughtSignature"].(string)
	switch {
	case sig == "":
	case mark == "gemini-e:", mark == "gemini-t:":
		r.held = []string{mark + sig}
	default:
		r.signatures = append(r.signatures, mark+sig)
	}
}

// pieces puts the values that the last call's arguments come in where their paths say.
func (r *reading) pieces(call dict) {
	pieces, _ := call["partialArgs"].([]any)
	for _, p := range pieces {
		p, _ := p.(dict)
		path := strings.FieldsFunc(fmt.Sprint(p["jsonPath"]), func(c rune) bool { return strings.ContainsRune("$.[]", c) })
		if len(r.calls) == 0 {
			continue
		}
		last := &r.calls[len(r.calls)-1]
		last.args = put(last.args, path, p)
	}
}

func put(at any, path []string, piece dict) any {
	if len(path) == 0 {
		for _, key := range []string{"numberValue", "boolValue"} {
			if v := piece[key]; v != nil {
				return v
			}
		}
		if s, ok := piece["stringValue"].(string); ok {
			before, _ := at.(string)
			return before + s
		}
		return nil
	}
	if n, err := strconv.Atoi(path[0]); err == nil {
		list, _ := at.([]any)
		for n >= len(list) {
			list = append(list, nil)
		}
		list[n] = put(list[n], path[1:], piece)
		return list
	}
	object, ok := at.(dict)
	if !ok {
		object = dict{}
	}
	object[path[0]] = put(object[path[0]], path[1:], piece)
	return object
}

// count reads the usage as the vendor's documents have it: the last figure of each kind, thoughts and the tools' prompt
// beside the rest, what was cached within the prompt.
func (r *reading) count(doc dict) {
	u, _ := doc["usageMetadata"].(dict)
	for key, v := range u {
		if n, ok := v.(float64); ok {
			r.figures[key] = int64(n)
		}
	}
	if len(r.figures) == 0 {
		return
	}
	f := r.figures
	prompt, tools := f["promptTokenCount"], f["toolUsePromptTokenCount"]
	output := max(f["candidatesTokenCount"]+f["thoughtsTokenCount"], f["totalTokenCount"]-prompt-tools)
	if prompt+output == 0 {
		return
	}
	r.Usage = map[string]int64{"output": output}
	if prompt > 0 {
		r.Usage["input"] = prompt - f["cachedContentTokenCount"] + tools
	}
	for key, n := range map[string]int64{"cache_read": f["cachedContentTokenCount"], "reasoning": f["thoughtsTokenCount"]} {
		if n > 0 {
			r.Usage[key] = n
		}
	}
}
