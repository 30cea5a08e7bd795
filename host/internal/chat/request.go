package chat

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// A Request is a caller's body, translated.
type Request struct {
	// Body is the Messages request: scalars, system, tools, messages, always the same bytes for the same body. It lacks
	// max_tokens where the caller gave none.
	Body []byte
	// Dropped are the fields for which Messages has no place, each once. A field that asks for nothing (null, false, 0)
	// is not among them.
	Dropped []string
	// Unsupported says what of the request no vendor here can be asked for, in words for the caller; empty for nothing.
	// Body is whole all the same, so that the refusal can be accounted for.
	Unsupported string
	// IncludeUsage asks for a last chunk with the usage.
	IncludeUsage bool
	// Functions says that the caller speaks the protocol's first version: it knows functions and function_call, and
	// nothing of tools.
	Functions bool
}

// Translate reads a Chat Completions body. An error is a *messages.RequestError, to be told to the caller. Routing's own
// fields (routing_hint, task_type, agent_id) pass as they are, for messages.ParseRequest.
func Translate(body []byte) (*Request, error) {
	doc, err := parse(body)
	if err != nil {
		return nil, err
	}
	t := &translation{out: Request{}, b: make([]byte, 0, len(body)+256)}
	t.b = append(t.b, '{')
	t.fields(doc)
	t.limits()
	t.reasoning()
	t.format()
	t.user()
	t.tools()
	t.conversation()
	if t.err != nil {
		return nil, t.err
	}
	t.out.Body = append(t.b, '}')
	return &t.out, nil
}

// parse checks the body's JSON.
func parse(body []byte) (jscan.Value, error) {
	doc, err := jscan.Parse(body)
	var syntax *jscan.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, messages.SyntaxAt(body, syntax.Offset, syntax.What)
	case err != nil:
		return nil, &messages.RequestError{Message: err.Error()}
	case doc.Kind() != jscan.Object:
		return nil, messages.SyntaxAt(body, 0, "expected a JSON object")
	case !utf8.Valid(body):
		at := 0
		for at < len(body) {
			r, n := utf8.DecodeRune(body[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return nil, messages.SyntaxAt(body, at, "the text is not UTF-8")
	}
	return doc, nil
}

// A translation is one request on its way to the Messages shape.
type translation struct {
	in   map[string]jscan.Value // the fields that are read
	out  Request
	b    []byte
	turn turn
	err  error // the first that is for the caller
}

// read are the fields that are taken apart. The first ones of them pass as they are.
var read = map[string]bool{
	"model": true, "stream": true, "temperature": true, "top_p": true, "top_k": true, "thinking": true,
	"routing_hint": true, "task_type": true, "agent_id": true,

	"messages": false, "tools": false, "tool_choice": false, "functions": false, "function_call": false,
	"parallel_tool_calls": false, "max_tokens": false, "max_completion_tokens": false, "stop": false,
	"reasoning_effort": false, "response_format": false, "user": false, "safety_identifier": false, "metadata": false,
	"stream_options": false, "n": false, "modalities": false,
}

// fields sorts the top-level fields, writes those that mean the same on both sides, and lists those that mean nothing.
func (t *translation) fields(doc jscan.Value) {
	t.in = make(map[string]jscan.Value, 16)
	for key, v := range doc.Fields() {
		name := string(key)
		same, known := read[name]
		_, twice := t.in[name]
		switch {
		case known && twice:
			t.fail(name, "the field is there twice")
		case known:
			t.in[name] = v
			if same && !v.IsNull() && !(name == "thinking" && v.Kind() != jscan.Object) {
				t.b = append(jwrite.AppendKey(t.b, name), v...)
			}
		case !idle(v), name == "seed" && !v.IsNull(): // a seed of 0 is one
			t.drop(name)
		}
	}
	if n, ok := t.in["n"].Int(); ok && n > 1 {
		t.fail("n", "only one choice is given: ask again for another")
	}
	t.out.IncludeUsage = t.in["stream_options"].Get("include_usage").Bool()
	for v := range t.in["modalities"].Items() {
		if !v.Equal("text") {
			t.unsupported("modalities: answers are text only")
		}
	}
}

// idle says that a field asks for nothing.
func idle(v jscan.Value) bool {
	if v.IsNull() || v.Kind() == jscan.Bool && !v.Bool() {
		return true
	}
	n, ok := v.Float()
	return ok && n == 0
}

// fail keeps the first error. What is written after it is thrown away.
func (t *translation) fail(param, format string, args ...any) {
	if t.err == nil {
		t.err = &messages.RequestError{Param: param, Message: fmt.Sprintf(format, args...)}
	}
}

// drop lists a field that has no place.
func (t *translation) drop(name string) {
	for _, have := range t.out.Dropped {
		if have == name {
			return
		}
	}
	t.out.Dropped = append(t.out.Dropped, name)
}

// unsupported notes what can't be had from anybody.
func (t *translation) unsupported(what string) {
	if t.out.Unsupported == "" {
		t.out.Unsupported = what
	}
}

// limits writes where the answer must end.
func (t *translation) limits() {
	limit := t.in["max_completion_tokens"]
	if limit.IsNull() {
		limit = t.in["max_tokens"]
	}
	if !limit.IsNull() {
		t.b = append(jwrite.AppendKey(t.b, "max_tokens"), limit...)
	}
	stop := t.in["stop"]
	switch stop.Kind() {
	case jscan.String:
		t.b = append(append(append(jwrite.AppendKey(t.b, "stop_sequences"), '['), stop...), ']')
	case jscan.Array:
		if stop.Len() > 0 {
			t.b = append(jwrite.AppendKey(t.b, "stop_sequences"), stop...)
		}
	default:
		if !stop.IsNull() {
			t.fail("stop", "expected a string or an array of strings")
		}
	}
}

// budgets are the thinking budgets, in tokens, that stand for OpenAI's efforts. The adapter of the OpenAI dialect turns
// them into the same efforts again.
var budgets = map[string]int{"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}

// reasoning asks for thinking. A caller that knows of Anthropic's thinking field has said it better there.
func (t *translation) reasoning() {
	effort := t.in["reasoning_effort"]
	if thinking := t.in["thinking"]; thinking.Kind() == jscan.Object || effort.IsNull() {
		if !thinking.IsNull() && thinking.Kind() != jscan.Object {
			t.drop("thinking")
		}
		return
	}
	budget, known := budgets[effort.String()]
	switch {
	case effort.Equal("none"):
		t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"disabled"}`...)
	case !known:
		t.drop("reasoning_effort")
	default:
		t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"enabled","budget_tokens":`...)
		t.b = append(jwrite.AppendInt(t.b, budget), '}')
	}
}

// format asks for structured output. Two things of it are not Messages', and go beside the schema for the adapters that
// know them: any JSON at all, and a schema that is not meant strictly, which is how OpenAI takes one unless it is told.
func (t *translation) format() {
	f := t.in["response_format"]
	switch kind := f.Get("type").String(); kind {
	case "", "text":
	case "json_object":
		t.b = append(jwrite.AppendKey(t.b, "output_config"), `{"format":{"type":"json_object"}}`...)
	case "json_schema":
		schema := f.Get("json_schema").Get("schema")
		if schema.Kind() != jscan.Object {
			t.fail("response_format.json_schema.schema", "expected a JSON schema")
			return
		}
		t.b = append(jwrite.AppendKey(t.b, "output_config"), `{"format":{"type":"json_schema","schema":`...)
		t.b = append(t.b, schema...)
		if !f.Get("json_schema").Get("strict").Bool() {
			t.b = append(t.b, `,"strict":false`...)
		}
		t.b = append(t.b, "}}"...)
	default:
		t.drop("response_format")
	}
}

// user says on whose behalf the caller asks.
func (t *translation) user() {
	meta := t.in["metadata"]
	for key, v := range meta.Fields() {
		if string(key) != "user_id" && !v.IsNull() {
			t.drop("metadata." + string(key))
		}
	}
	for _, id := range [...]jscan.Value{t.in["user"], t.in["safety_identifier"], meta.Get("user_id")} {
		if id.Kind() == jscan.String && len(id) > 2 {
			t.b = append(append(jwrite.AppendKey(t.b, "metadata"), `{"user_id":`...), id...)
			t.b = append(t.b, '}')
			return
		}
	}
}
