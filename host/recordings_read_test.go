package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A reading is what an independent look finds in a recording: each vendor's documents, put down field by field.
type reading struct {
	text, thinking string
	calls          []said
	usage          *messages.Usage
	guessed        bool // the input was not counted, and is the guess in usage
	err            string
	nothing        bool // neither content nor an end, or out of order: no answer at all
	streamed       bool // some of it came in deltas
	finished       bool
}

// guess is what the input is estimated at where these tests settle an account.
const guess = 7

// said is one tool call.
type said struct{ name, args string }

// saidIn reads the stream that a caller gets.
func saidIn(t *testing.T, stream string) (r reading) {
	t.Helper()
	for _, e := range eventsOf(t, stream) {
		data, err := json.Marshal(e.data)
		if err != nil {
			t.Fatal(err)
		}
		v := gjson.ParseBytes(data)
		r.text += v.Get("delta.text").Str
		r.thinking += v.Get("delta.thinking").Str
		if b := v.Get("content_block"); b.Get("type").Str == "tool_use" {
			r.calls = append(r.calls, said{name: b.Get("name").Str})
		}
		if d := v.Get("delta.partial_json"); d.Exists() {
			r.calls[len(r.calls)-1].args += d.Str
		}
	}
	return r
}

// readingOf reads a recording with none of the host's framers and none of the adapters.
func readingOf(t *testing.T, rec *sdktest.Recording) (r reading) {
	t.Helper()
	if rec.Status >= 400 {
		r.err = refusalIn(rec)
		return r
	}
	chunks := chunksOf(t, rec)
	switch rec.API {
	case "openai.chat", "mistral.chat":
		r.chat(chunks, !strings.HasSuffix(rec.File, ".sse"))
	case "openai.responses":
		r.responses(chunks)
	case "gemini.generateContent":
		r.gemini(chunks)
	default:
		r.anthropic(chunks)
	}
	return r
}

// chunksOf are the JSON documents of a recording.
func chunksOf(t *testing.T, rec *sdktest.Recording) (out []gjson.Result) {
	t.Helper()
	if strings.HasSuffix(rec.File, ".bin") { // the conformance data has a decoded view
		view, err := os.ReadFile(filepath.Join(os.Getenv(sdktest.ConformanceEnv), "fixtures", filepath.FromSlash(rec.Path), "response.events.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(view) {
			doc := gjson.GetBytes(line, "decoded_bytes")
			if !doc.Exists() { // an exception, which has no bytes of the model's
				doc = gjson.GetBytes(line, "payload")
			}
			out = append(out, doc)
		}
		return out
	}
	for _, e := range rec.Elements() {
		doc := gjson.Parse(e)
		switch {
		case !gjson.Valid(e):
		case doc.IsArray() && rec.API == "gemini.generateContent":
			out = append(out, doc.Array()...)
		default:
			out = append(out, doc)
		}
	}
	return out
}

// unsaid is in the host's own words for a failure that the vendor has none for.
const unsaid = "did not say why"

// refusalIn is the message of an answer with an error status: JSON of any shape, plain text, or nothing that a person could
// read.
func refusalIn(rec *sdktest.Recording) string {
	body := strings.Join(rec.Elements(), "\n")
	switch {
	case gjson.Valid(body):
		return messageOf(gjson.Parse(body))
	case body == "", strings.ContainsRune("<{[", rune(body[0])):
		return unsaid
	}
	return body[:min(len(body), 400)]
}

// messageOf is the message of a vendor's error, in any of their shapes.
func messageOf(v gjson.Result) string {
	if v.Type == gjson.String && v.Str != "" {
		return v.Str
	}
	for _, key := range []string{"0", "error", "errors", "message", "msg", "detail", "base_resp", "status_msg", "Message"} {
		if inner := v.Get(key); inner.Exists() {
			if text := messageOf(inner); text != unsaid {
				return text
			}
		}
	}
	return unsaid
}

func most(r gjson.Result, paths ...string) (n int64) {
	for _, p := range paths {
		n = max(n, r.Get(p).Int())
	}
	return n
}

// An openCall is where a call of Chat Completions stands among the others.
type openCall struct {
	index  int64
	id     string
	nth    int
	legacy bool
}

func (r *reading) chat(chunks []gjson.Result, whole bool) {
	var open []openCall
	ended := ""
	for _, c := range chunks {
		if r.err = chatError(c); r.err != "" {
			return
		}
		r.chatUsage(c)
		for _, choice := range c.Get("choices").Array() {
			// One of another index is another answer, but where the first ended in calls that it lacks.
			if choice.Get("index").Int() != 0 && !(choice.Get("message").Exists() && ended == "tool_calls" && len(r.calls) == 0) {
				continue
			}
			ended = cmp.Or(choice.Get("finish_reason").Str, ended)
			d := choice.Get("delta")
			switch m := choice.Get("message"); {
			case whole && m.IsObject():
				d = m
			case d.Exists():
				r.streamed = true
			case r.text == "" || !r.streamed: // behind the deltas it is the whole again
				d = m
			}
			r.chatText(d)
			if f := d.Get("function_call"); f.IsObject() {
				r.addCall(&open, openCall{legacy: true}, f)
			}
			for n, tc := range d.Get("tool_calls").Array() {
				k := openCall{index: int64(n), id: tc.Get("id").Str}
				if i := tc.Get("index"); i.Type == gjson.Number {
					k.index = i.Int()
				} else if at := len(open) - 1; k.id == "" && at >= n && tc.Get("function.name").Str != "" && gjson.Valid(r.calls[open[at].nth].args) {
					k.index = int64(len(open)) // neither number nor id: what is whole is over
				}
				r.addCall(&open, k, tc.Get("function"))
			}
		}
	}
	nothing := r.text == "" && r.thinking == "" && len(r.calls) == 0
	switch {
	case strings.Contains(strings.ToLower(ended), "malformed_function_call") && r.text == "" && len(r.calls) == 0:
		r.err = "finish_reason " + ended
	case ended == "" && len(r.calls) > 0 && r.calls[len(r.calls)-1].args != "" && !gjson.Valid(r.calls[len(r.calls)-1].args):
		r.err = "ended inside a tool call"
	}
	r.nothing = ended == "" && nothing
}

// addCall adds a piece of a call to the one it goes on with, or begins one.
func (r *reading) addCall(open *[]openCall, k openCall, f gjson.Result) {
	args := f.Get("arguments").Str
	if f.Get("arguments").IsObject() { // itself, and not as text
		args = f.Get("arguments").Raw
	}
	for _, o := range *open {
		if o.index == k.index && o.legacy == k.legacy && (k.id == "" || k.id == o.id) {
			r.calls[o.nth].args += args
			return
		}
	}
	if f.Get("name").Str != "" {
		k.nth = len(r.calls)
		*open = append(*open, k)
		r.calls = append(r.calls, said{f.Get("name").Str, args})
	}
}

// chatError is the message of an element that is an error: it says so beside the choices, in the first of them or with the
// word for its end, or has none of a completion's fields. "" of any other.
func chatError(c gjson.Result) string {
	first := c.Get("choices.0")
	switch e := c.Get("error"); {
	case e.Exists() && e.Type != gjson.Null:
		return messageOf(c)
	case first.Get("error").IsObject():
		return messageOf(first)
	case !c.Get("choices").IsArray() && !c.Get("usage").Exists() && messageOf(c) != unsaid:
		return messageOf(c)
	}
	switch end := first.Get("finish_reason").Str; end {
	case "error", "network_error", "insufficient_system_resource", "abort":
		return "finish_reason " + end
	}
	return ""
}

// chatText reads content and reasoning. A string of reasoning is all of it; details beside one say the same again.
func (r *reading) chatText(d gjson.Result) {
	if s := cmp.Or(d.Get("reasoning_content").Str, d.Get("reasoning").Str, d.Get("reasoning_text").Str); s != "" {
		r.thinking += s
	} else {
		for _, x := range d.Get("reasoning_details").Array() {
			r.thinking += x.Get("text").Str + x.Get("summary").Str
		}
	}
	if c := d.Get("content"); c.IsArray() {
		for _, part := range c.Array() {
			r.text += part.Get("text").Str
			if part.Type == gjson.String {
				r.text += part.Str
			}
			for _, inner := range append(part.Get("thinking").Array(), part.Get("summary").Array()...) {
				r.thinking += inner.Get("text").Str
			}
		}
	} else {
		r.text += c.Str
	}
	r.text += d.Get("refusal").Str
}

func (r *reading) chatUsage(c gjson.Result) {
	u := c.Get("usage")
	if !u.IsObject() {
		u = c.Get("x_groq.usage")
	}
	if !u.IsObject() {
		u = c.Get("choices.0.usage")
	}
	if most(u, "prompt_tokens", "completion_tokens") == 0 { // some begin or end with zeros, which count nothing
		return
	}
	read := most(u, "prompt_tokens_details.cached_tokens", "prompt_token_details.cached_tokens", "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
	written := most(u, "prompt_tokens_details.cache_write_tokens", "prompt_tokens_details.cache_creation_tokens", "prompt_tokens_details.cache_creation_input_tokens", "cache_creation_input_tokens")
	thought := most(u, "completion_tokens_details.reasoning_tokens", "reasoning_tokens")
	output := u.Get("completion_tokens").Int()
	if beyond := u.Get("total_tokens").Int() - u.Get("prompt_tokens").Int() - output; beyond > 0 {
		output += beyond
	} else if thought > output {
		output += thought
	}
	r.usage = &messages.Usage{Input: max(u.Get("prompt_tokens").Int()-read-written, 0), Output: output, CacheRead: read, CacheWrite: written, Reasoning: thought}
}

// responses reads the items as their own account has them when they are done; of an answer that broke off, what has come.
func (r *reading) responses(chunks []gjson.Result) {
	var items []gjson.Result
	var last gjson.Result
	for _, e := range chunks {
		switch {
		case e.Get("type").Str == "error", e.Get("error").IsObject():
			r.err = messageOf(e)
			return
		case e.Get("output").IsArray():
			items, last = e.Get("output").Array(), e
		case e.Get("type").Str == "response.output_item.done":
			items = append(items, e.Get("item"))
		case e.Get("response").Exists():
			last = e.Get("response")
		}
	}
	switch status := last.Get("status").Str; {
	case last.Get("error").IsObject():
		r.err = messageOf(last)
		return
	case status == "queued" && len(chunks) == 1:
		r.err = "status is queued"
		return
	case status == "failed" || status == "cancelled":
		r.err = map[string]string{"failed": unsaid, "cancelled": "cancelled"}[status]
		return
	}
	if s := last.Get("status").Str; s == "queued" || s == "in_progress" || !last.Exists() {
		r.brokenOff(chunks)
		return
	}
	for _, it := range items {
		var parts []string
		for _, part := range it.Get("summary").Array() {
			parts = append(parts, part.Get("text").Str)
		}
		content := it.Get("content").Array()
		if it.Get("type").Str == "reasoning" && len(content) > 0 {
			parts = nil
		}
		for _, part := range content {
			if part.Get("type").Str == "reasoning_text" {
				parts = append(parts, part.Get("text").Str)
				continue
			}
			if it.Get("type").Str == "message" && cmp.Or(it.Get("role").Str, "assistant") == "assistant" {
				r.text += part.Get("text").Str + part.Get("refusal").Str
			}
		}
		r.thinking += strings.Join(parts, "\n\n")
		if it.Get("type").Str == "function_call" {
			r.calls = append(r.calls, said{it.Get("name").Str, it.Get("arguments").Str})
		}
	}
	if u := last.Get("usage"); most(u, "input_tokens", "output_tokens") > 0 {
		read, written := u.Get("input_tokens_details.cached_tokens").Int(), u.Get("input_tokens_details.cache_write_tokens").Int()
		output := max(u.Get("output_tokens").Int(), u.Get("total_tokens").Int()-u.Get("input_tokens").Int())
		r.usage = &messages.Usage{Input: u.Get("input_tokens").Int() - read - written, Output: output,
			CacheRead: read, CacheWrite: written, Reasoning: u.Get("output_tokens_details.reasoning_tokens").Int()}
	}
}

// brokenOff reads a stream of Responses that has no end. A call that isn't whole makes it an error.
func (r *reading) brokenOff(chunks []gjson.Result) {
	for _, e := range chunks {
		switch delta := e.Get("delta").Str; e.Get("type").Str {
		case "response.output_text.delta", "response.refusal.delta":
			r.text += delta
		case "response.reasoning_summary_text.delta", "response.reasoning_text.delta":
			r.thinking += delta
		case "response.output_item.added":
			if it := e.Get("item"); it.Get("type").Str == "function_call" {
				r.calls = append(r.calls, said{it.Get("name").Str, it.Get("arguments").Str})
			}
		case "response.function_call_arguments.delta":
			if n := len(r.calls); n > 0 {
				r.calls[n-1].args += delta
			}
		}
	}
	for _, c := range r.calls {
		if !json.Valid([]byte(cmp.Or(c.args, "{}"))) {
			r.err = "inside of a tool call"
		}
	}
	r.nothing = r.text == "" && r.thinking == "" && len(r.calls) == 0
}

func (r *reading) gemini(chunks []gjson.Result) {
	counts := map[string]int64{}
	reason := ""
	for _, c := range chunks {
		if c.Get("error").Exists() {
			r.err = messageOf(c)
			return
		}
		for key, v := range c.Get("usageMetadata").Map() {
			if v.Type == gjson.Number {
				counts[key] = v.Int()
			}
		}
		r.finished = r.finished || c.Get("promptFeedback.blockReason").Exists() || c.Get("candidates.0.finishReason").Exists()
		reason = cmp.Or(c.Get("candidates.0.finishReason").Str, reason)
		for _, part := range c.Get("candidates.0.content.parts").Array() {
			if part.Get("thought").Bool() {
				r.thinking += part.Get("text").Str
			} else {
				r.text += part.Get("text").Str
			}
			if call := part.Get("functionCall"); call.Get("name").Exists() {
				r.calls = append(r.calls, said{call.Get("name").Str, call.Get("args").Raw})
			}
			for _, piece := range part.Get("functionCall.partialArgs").Array() {
				r.piece(piece)
			}
		}
	}
	r.nothing = r.text == "" && len(r.calls) == 0 && (!r.finished || strings.Contains(wentWrong, " "+reason+" "))
	prompt, tools := counts["promptTokenCount"], counts["toolUsePromptTokenCount"]
	output := max(counts["candidatesTokenCount"]+counts["thoughtsTokenCount"], counts["totalTokenCount"]-prompt-tools)
	if r.guessed = prompt == 0; prompt+output > 0 {
		r.usage = &messages.Usage{Input: prompt - counts["cachedContentTokenCount"] + tools, Output: output,
			CacheRead: counts["cachedContentTokenCount"], Reasoning: counts["thoughtsTokenCount"]}
		if r.guessed {
			r.usage.Input = guess
		}
	}
}

// wentWrong are Google's reasons for ends that are no answer's, where nothing was said before.
const wentWrong = " OTHER MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MALFORMED_RESPONSE MISSING_THOUGHT_SIGNATURE NO_IMAGE IMAGE_OTHER "

// piece adds one of the values that the last call's arguments come in. Of no call they are of nobody knows what.
func (r *reading) piece(v gjson.Result) {
	if len(r.calls) == 0 {
		return
	}
	path := strings.NewReplacer("$.", "", "[", ".", "]", "").Replace(v.Get("jsonPath").Str)
	args := &r.calls[len(r.calls)-1].args
	value := cmp.Or(v.Get("numberValue").Raw, v.Get("boolValue").Raw, "null")
	if s := v.Get("stringValue"); s.Exists() {
		text, _ := json.Marshal(gjson.Get(*args, path).Str + s.Str)
		value = string(text)
	}
	*args, _ = sjson.SetRaw(*args, path, value)
}

// anthropic reads usage as the SDKs do, each figure the last that was said, and counts the calls. A zero takes nothing back
// unless the input is counted anew beside it, and a message that starts twice before anything is in it starts once.
func (r *reading) anthropic(chunks []gjson.Result) {
	u, written, blocks, begun := messages.Usage{}, int64(0), int64(0), ""
	var input, output, metrics bool
	take := func(v gjson.Result) {
		again := most(v, "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens") > 0
		for path, to := range map[string]*int64{"input_tokens": &u.Input, "output_tokens": &u.Output, "cache_read_input_tokens": &u.CacheRead,
			"cache_creation_input_tokens": &written, "cache_creation.ephemeral_1h_input_tokens": &u.CacheWrite1h, "output_tokens_details.thinking_tokens": &u.Reasoning} {
			if n := v.Get(path); n.Type == gjson.Number && (n.Int() > 0 || again) {
				*to = n.Int()
			}
		}
		input = input || v.Get("input_tokens").Type == gjson.Number
	}
	for _, c := range chunks {
		kind, message := c.Get("type").Str, c.Get("message")
		if at := c.Get("index"); kind == "content_block_start" && at.Int() > blocks {
			r.nothing = true // out of order
			return
		} else if kind == "content_block_start" {
			blocks = max(blocks, at.Int()+1)
		}
		if kind == "error" || kind == "" {
			r.err = messageOf(c)
			return
		}
		if kind == "message_start" && begun != "" && message.Get("id").Str == begun {
			continue
		}
		begun = cmp.Or(message.Get("id").Str, begun)
		take(message.Get("usage"))
		take(c.Get("usage"))
		reason := cmp.Or(c.Get("delta.stop_reason").Str, c.Get("stop_reason").Str)
		if content := message.Get("content").Array(); len(content) > 0 { // it is whole as it starts
			blocks = int64(len(content))
			reason = message.Get("stop_reason").Str
			output = reason != ""
		}
		output = output || c.Get("usage.output_tokens").Type == gjson.Number
		r.finished = r.finished || reason != "" || kind == "message_stop"
		if m := c.Get("amazon-bedrock-invocationMetrics.outputTokenCount"); m.Exists() && !output {
			u.Output, metrics = m.Int(), true
		}
		for _, b := range append(append(c.Get("content").Array(), message.Get("content").Array()...), c.Get("content_block")) {
			if b.Get("type").Str == "tool_use" {
				r.calls = append(r.calls, said{name: b.Get("name").Str})
			}
		}
	}
	r.nothing = !r.finished
	u.CacheWrite = max(0, written-u.CacheWrite1h)
	if input && (output || metrics) {
		r.usage = &u
	}
}
