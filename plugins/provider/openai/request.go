package main

import (
	"strings"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/names"
)

// A translation is one request on its way from the Anthropic shape to Chat Completions.
type translation struct {
	call  *sdk.Call
	opts  *options
	in    fields
	out   *sdk.Request
	b     []byte // the body's text since the last reference
	names names.Tools
	role  string // of the message that was written last
	err   error  // the first refusal of something deep inside
}

// fields are the top-level fields of the caller's request.
type fields struct {
	system, messages, tools, toolChoice, maxTokens, stop, temperature, topP, metadata jscan.Value
	thinking, outputConfig, outputFormat                                              jscan.Value
}

// translate writes the vendor's request. The order of what it writes depends on nothing but the call.
func translate(c *sdk.Call, opts *options, out *sdk.Request, scratch []byte) (*translation, error) {
	t := &translation{call: c, opts: opts, out: out, b: scratch}
	doc, err := jscan.Parse(c.Body)
	if err != nil {
		return nil, sdk.Invalid("the request body is no JSON: " + err.Error())
	}
	t.read(doc)
	t.begin()
	t.b = append(t.b, '{')
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "model"), c.Model)
	t.limits()
	t.sampling()
	t.user()
	t.reasoning()
	t.format()
	t.delivery()
	t.tools()
	t.b = append(jwrite.AppendKey(t.b, "messages"), '[')
	t.system()
	t.messages()
	t.b = append(t.b, "]}"...)
	if t.err != nil {
		return nil, t.err
	}
	_, _ = out.Write(t.b)
	return t, nil
}

// begin names path and headers.
func (t *translation) begin() {
	framing := abi.FramingJSON
	if t.call.Stream {
		framing = abi.FramingSSE
	}
	t.out.Begin("POST", t.path(), framing)
	if t.opts.query != "" {
		t.out.Query(t.opts.query)
	}
	t.out.Header("content-type", "application/json")
	if t.call.Stream {
		t.out.Header("accept", "text/event-stream")
	}
}

// path is the setting with the model's name in its place, where it has one.
func (t *translation) path() string {
	const place = "{model}"
	if !strings.Contains(t.opts.path, place) {
		return t.opts.path
	}
	return strings.ReplaceAll(t.opts.path, place, sdk.PathEscape(t.call.Model))
}

// read sorts the caller's fields. What has no place here is listed as dropped.
func (t *translation) read(doc jscan.Value) {
	for key, v := range doc.Fields() {
		switch string(key) {
		case "system":
			t.in.system = v
		case "messages":
			t.in.messages = v
		case "tools":
			t.in.tools = v
		case "tool_choice":
			t.in.toolChoice = v
		case "max_tokens":
			t.in.maxTokens = v
		case "stop_sequences":
			t.in.stop = v
		case "temperature":
			t.in.temperature = v
		case "top_p":
			t.in.topP = v
		case "metadata":
			t.in.metadata = v
		case "thinking":
			t.in.thinking = v
		case "output_config":
			t.in.outputConfig = v
		case "output_format":
			t.in.outputFormat = v
		case "model", "stream", "routing_hint", "task_type", "agent_id": // the host's
		default:
			if !v.IsNull() {
				t.out.Dropped(string(key))
			}
		}
	}
}

// refuse keeps the first reason not to carry the request. What is written after it is thrown away.
func (t *translation) refuse(err error) {
	if t.err == nil {
		t.err = err
	}
}

// allowed reports whether a field may be written; when it may not, its name in the caller's request is listed.
func (t *translation) allowed(field, callers string) bool {
	if t.opts.leavesOut(field, t.call.Model) {
		t.out.Dropped(callers)
		return false
	}
	return true
}

// raw copies a value as it is, when it is there.
func (t *translation) raw(field, callers string, v jscan.Value) {
	if !v.IsNull() && t.allowed(field, callers) {
		t.b = append(jwrite.AppendKey(t.b, field), v...)
	}
}

func (t *translation) limits() {
	limit := int64(t.call.MaxTokens)
	if limit == 0 {
		limit = t.in.maxTokens.IntOr(0)
	}
	if limit > 0 && t.allowed(t.opts.maxTokensField, "max_tokens") {
		t.b = jwrite.AppendInt(jwrite.AppendKey(t.b, t.opts.maxTokensField), limit)
	}
	if t.in.stop.Len() == 0 || !t.allowed("stop", "stop_sequences") {
		return
	}
	t.b = append(jwrite.AppendKey(t.b, "stop"), '[')
	n := 0
	for v := range t.in.stop.Items() {
		if n++; n > t.opts.maxStop {
			t.out.Dropped("stop_sequences")
			break
		}
		t.b = append(jwrite.AppendComma(t.b), v...)
	}
	t.b = append(t.b, ']')
}

func (t *translation) sampling() {
	t.raw("temperature", "temperature", t.in.temperature)
	t.raw("top_p", "top_p", t.in.topP)
}

// user passes metadata.user_id on.
func (t *translation) user() {
	takes := t.opts.userField != "" && !t.opts.leavesOut(t.opts.userField, t.call.Model)
	if id := oai.User(t.in.metadata, takes, t.out); id != "" {
		t.b = jwrite.AppendString(jwrite.AppendKey(t.b, t.opts.userField), id)
	}
}

// delivery says whether and how to stream. Usage is always asked for: without it nothing can be booked.
func (t *translation) delivery() {
	if !t.call.Stream {
		return
	}
	t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "stream"), true)
	if t.opts.streamOptions {
		t.b = append(jwrite.AppendKey(t.b, "stream_options"), `{"include_usage":true}`...)
	}
}
