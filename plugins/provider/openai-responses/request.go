package main

import (
	"slices"
	"strings"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
	"github.com/ainfera-ai/router/sdk/names"
)

// A translation is one request on its way from the Anthropic shape to Responses.
type translation struct {
	call  *sdk.Call
	opts  *options
	in    fields
	out   *sdk.Request
	b     []byte // the body's text since the last reference
	names names.Tools
	err   error // the first refusal of something deep inside

	// Kept for their memory from message to message.
	parts   []part
	results []result
	thought []thought
}

// fields are the top-level fields of the caller's request.
type fields [len(fieldKeys)]jscan.Value

// fieldKeys are in the order in which clients tend to write them: what has a place here, what is the host's, and behind
// that what others have and Responses hasn't.
var fieldKeys = [...]string{"model", "messages", "system", "tools", "tool_choice", "metadata", "max_tokens", "temperature", "top_p", "thinking",
	"output_config", "output_format", "stop_sequences", "stream", "routing_hint", "task_type", "agent_id",
	"top_k", "context_management", "container", "mcp_servers", "service_tier", "cache_control", "speed", "inference_geo"}

const (
	inModel = iota
	inMessages
	inSystem
	inTools
	inToolChoice
	inMetadata
	inMaxTokens
	inTemperature
	inTopP
	inThinking
	inOutputConfig
	inOutputFormat
	inStop
	inStream
	inHint
	inTaskType
	inAgent
	inDropped // this and all that follow
)

// translate writes the vendor's request. The order of what it writes depends on nothing but the call.
func translate(c *sdk.Call, opts *options, out *sdk.Request, scratch []byte) (*translation, error) {
	t := &translation{call: c, opts: opts, out: out, b: scratch}
	if t.counting() && opts.countPath == "" {
		return nil, sdk.Unsupported("this vendor counts no tokens")
	}
	if err := t.read(); err != nil {
		return nil, sdk.Invalid("the request body is no JSON: " + err.Error())
	}
	t.begin()
	t.b = append(t.b, '{')
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "model"), c.Model)
	if !t.counting() {
		t.delivery()
		t.limit()
		t.raw("temperature", t.in[inTemperature])
		t.raw("top_p", t.in[inTopP])
		t.user()
	}
	t.reasoning()
	t.format()
	t.instructions()
	t.tools()
	t.b = append(jwrite.AppendKey(t.b, "input"), '[')
	t.input()
	t.b = append(t.b, "]}"...)
	if t.err != nil {
		return nil, t.err
	}
	_, _ = out.Write(t.b)
	return t, nil
}

// counting says that only the prompt's tokens are asked for.
func (t *translation) counting() bool { return t.call.Op == abi.OpCount }

func (t *translation) streaming() bool { return t.call.Stream && !t.counting() }

// begin names path and headers.
func (t *translation) begin() {
	framing, path := abi.FramingJSON, t.opts.path
	if t.streaming() {
		framing = abi.FramingSSE
	}
	if t.counting() {
		path = t.opts.countPath
	}
	if strings.Contains(path, "{model}") {
		path = strings.ReplaceAll(path, "{model}", sdk.PathEscape(t.call.Model))
	}
	t.out.Begin("POST", path, framing)
	if t.opts.query != "" {
		t.out.Query(t.opts.query)
	}
	t.out.Header("content-type", "application/json")
	if t.streaming() {
		t.out.Header("accept", "text/event-stream")
	}
}

// read sorts the caller's fields, in one walk of the body. What has no place here, stop_sequences and top_k among it, is
// listed as dropped.
func (t *translation) read() error {
	r := jscan.NewReader(t.call.Body)
	if !r.Object() {
		r.Value()
		return r.End()
	}
	strange, likely := false, 0
	for {
		n, more := r.Field(fieldKeys[:], likely)
		if !more {
			break
		}
		v := r.Value()
		if n < 0 {
			strange = true
			continue
		}
		t.in[n], likely = v, n+1
		if n >= inDropped && !v.IsNull() || n == inStop && v.Len() > 0 {
			t.out.Dropped(fieldKeys[n])
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	if strange {
		t.strange()
	}
	return nil
}

// strange lists the fields that nobody has heard of. They take a second walk, since a Reader knows no other names.
func (t *translation) strange() {
	doc, _ := jscan.Parse(t.call.Body)
	for key, v := range doc.Fields() {
		if !slices.Contains(fieldKeys[:], string(key)) && !v.IsNull() {
			t.out.Dropped(string(key))
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

// raw copies a field as it is, when it is there.
func (t *translation) raw(field string, v jscan.Value) {
	if !v.IsNull() && t.allowed(field, field) {
		t.b = append(jwrite.AppendKey(t.b, field), v...)
	}
}

// delivery says whether to stream, and that the vendor must keep nothing: the conversation is the caller's, who sends
// all of it each time.
func (t *translation) delivery() {
	if t.streaming() {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "stream"), true)
	}
	if !t.opts.leavesOut("store", t.call.Model) {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "store"), false)
	}
}

// limit writes how long the answer may get. OpenAI refuses a limit below 16, which callers use to see whether a model is
// there at all.
func (t *translation) limit() {
	limit := int64(t.call.MaxTokens)
	if limit == 0 {
		limit = t.in[inMaxTokens].IntOr(0)
	}
	if limit <= 0 || !t.allowed("max_output_tokens", "max_tokens") {
		return
	}
	if least := int64(t.opts.leastTokens); limit < least {
		t.out.Dropped("max_tokens")
		limit = least
	}
	t.b = jwrite.AppendInt(jwrite.AppendKey(t.b, "max_output_tokens"), limit)
}

// user passes metadata.user_id on.
func (t *translation) user() {
	takes := t.opts.userField != "" && !t.opts.leavesOut(t.opts.userField, t.call.Model)
	if id := oai.User(t.in[inMetadata], takes, t.out); id != "" {
		t.b = jwrite.AppendString(jwrite.AppendKey(t.b, t.opts.userField), id)
	}
}

// format asks for structured output.
func (t *translation) format() {
	f, name := messages.Format(t.in[inOutputConfig], t.in[inOutputFormat], t.out)
	if f.IsNull() {
		return
	}
	kind := f.Get("type")
	object := kind.Equal("json_object") // any JSON: a caller of the OpenAI dialect asked for it
	if !object && !kind.Equal("json_schema") {
		t.out.Dropped(name)
		return
	}
	if !t.allowed("text", name) {
		return
	}
	t.b = jwrite.AppendKey(t.b, "text")
	if object {
		t.b = append(t.b, `{"format":{"type":"json_object"}}`...)
		return
	}
	t.b = append(t.b, `{"format":{"type":"json_schema","name":"output","strict":`...)
	t.b = jwrite.AppendBool(t.b, oai.Strict(f, name, t.out))
	t.b = append(jwrite.AppendRaw(append(t.b, `,"schema":`...), f.Get("schema")), "}}"...)
}
