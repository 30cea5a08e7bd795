package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// reasoning asks for as much thinking as the caller did.
func (t *translation) reasoning() {
	w := messages.ReadThinking(t.in.thinking, t.in.outputConfig, t.out)
	if !w.Display.IsNull() {
		t.out.Dropped("thinking.display")
	}
	if !t.call.Thinking || t.opts.reasoning == "none" {
		w.Drop(t.out)
		return
	}
	effort, said := w.Level(), "output_config.effort"
	if w.Effort == "" {
		said = "thinking"
	}
	switch t.opts.reasoning {
	case "effort":
		if effort != "" && t.allowed("reasoning_effort", said) {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "reasoning_effort"), effort)
		}
	case "object":
		if !t.reasoningObject(&w, effort) {
			w.DropEffort(t.out)
		}
	case "thinking":
		w.DropEffort(t.out)
		if !w.Budget.IsNull() {
			t.out.Dropped("thinking.budget_tokens")
		}
		if w.Asked() {
			t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"enabled"}`...)
		} else if w.Mode == "disabled" {
			t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"disabled"}`...)
		}
	}
}

// reasoningObject is OpenRouter's: a budget or an effort, not both. It reports whether it said the effort.
func (t *translation) reasoningObject(w *messages.Thinking, effort string) bool {
	switch n, ok := w.Budget.Int(); {
	case w.Mode == "disabled":
		t.b = append(jwrite.AppendKey(t.b, "reasoning"), `{"enabled":false}`...)
	case ok && n > 0:
		t.b = jwrite.AppendInt(append(jwrite.AppendKey(t.b, "reasoning"), `{"max_tokens":`...), n)
		t.b = append(t.b, '}')
	case effort != "":
		t.b = jwrite.AppendString(append(jwrite.AppendKey(t.b, "reasoning"), `{"effort":`...), effort)
		t.b = append(t.b, '}')
		return true
	case w.Mode == "adaptive":
		t.b = append(jwrite.AppendKey(t.b, "reasoning"), `{"enabled":true}`...)
	}
	return false
}

// format asks for structured output.
func (t *translation) format() {
	f, name := messages.Format(t.in.outputConfig, t.in.outputFormat, t.out)
	if f.IsNull() {
		return
	}
	kind := f.Get("type")
	object := kind.Equal("json_object") // any JSON: a caller of the OpenAI dialect asked for it
	if !object && !kind.Equal("json_schema") {
		t.out.Dropped(name)
		return
	}
	if !t.allowed("response_format", name) {
		return
	}
	t.b = jwrite.AppendKey(t.b, "response_format")
	if object {
		t.b = append(t.b, `{"type":"json_object"}`...)
		return
	}
	t.b = append(t.b, `{"type":"json_schema","json_schema":{"name":"output","strict":`...)
	t.b = jwrite.AppendBool(t.b, oai.Strict(f, name, t.out))
	t.b = append(jwrite.AppendRaw(append(t.b, `,"schema":`...), f.Get("schema")), "}}"...)
}
