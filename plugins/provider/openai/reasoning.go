package main

import (
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Thinking budgets from which on the effort is called medium and high.
const (
	mediumBudget = 4096
	highBudget   = 16384
)

// reasoning asks for as much thinking as the caller did. Thinking is a wish: a model that can't is not asked, and the
// caller is told.
func (t *translation) reasoning() {
	mode := t.in.thinking.Get("type").String()
	effort := t.in.outputConfig.Get("effort").String()
	asked := mode == "enabled" || mode == "adaptive"
	for key, v := range t.in.thinking.Fields() {
		if k := string(key); k != "type" && k != "budget_tokens" && !v.IsNull() {
			t.out.Dropped("thinking." + k)
		}
	}
	if !t.call.Thinking || t.opts.reasoning == "none" {
		if asked {
			t.out.Dropped("thinking")
		}
		if effort != "" {
			t.out.Dropped("output_config.effort")
		}
		return
	}
	budget, said := t.in.thinking.Get("budget_tokens"), "output_config.effort"
	switch {
	case effort != "":
		effort = knownEffort(effort)
	case mode == "enabled":
		effort, said = effortOf(budget), "thinking"
	}
	switch t.opts.reasoning {
	case "effort":
		if effort != "" && t.allowed("reasoning_effort", said) {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "reasoning_effort"), effort)
		}
	case "object":
		if !t.reasoningObject(mode, effort, budget) && said != "thinking" && effort != "" {
			t.out.Dropped(said)
		}
	case "thinking":
		if effort != "" && said != "thinking" {
			t.out.Dropped(said)
		}
		if !budget.IsNull() {
			t.out.Dropped("thinking.budget_tokens")
		}
		if asked {
			t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"enabled"}`...)
		} else if mode == "disabled" {
			t.b = append(jwrite.AppendKey(t.b, "thinking"), `{"type":"disabled"}`...)
		}
	}
}

// reasoningObject is OpenRouter's: a budget or an effort, not both. It reports whether it said the effort.
func (t *translation) reasoningObject(mode, effort string, budget jscan.Value) bool {
	switch n, ok := budget.Int(); {
	case mode == "disabled":
		t.b = append(jwrite.AppendKey(t.b, "reasoning"), `{"enabled":false}`...)
	case ok && n > 0:
		t.b = jwrite.AppendInt(append(jwrite.AppendKey(t.b, "reasoning"), `{"max_tokens":`...), n)
		t.b = append(t.b, '}')
	case effort != "":
		t.b = jwrite.AppendString(append(jwrite.AppendKey(t.b, "reasoning"), `{"effort":`...), effort)
		t.b = append(t.b, '}')
		return true
	case mode == "adaptive":
		t.b = append(jwrite.AppendKey(t.b, "reasoning"), `{"enabled":true}`...)
	}
	return false
}

func effortOf(budget jscan.Value) string {
	switch n := budget.IntOr(mediumBudget); {
	case n < mediumBudget:
		return "low"
	case n < highBudget:
		return "medium"
	}
	return "high"
}

// knownEffort lowers the efforts that only Anthropic has to the highest that all have.
func knownEffort(effort string) string {
	if effort == "max" || effort == "xhigh" {
		return "high"
	}
	return effort
}

// format asks for structured output: output_config.format, or output_format as it was called first.
func (t *translation) format() {
	f, name := t.in.outputConfig.Get("format"), "output_config.format"
	if f.IsNull() {
		f, name = t.in.outputFormat, "output_format"
	}
	for key, v := range t.in.outputConfig.Fields() {
		if k := string(key); k != "effort" && k != "format" && !v.IsNull() {
			t.out.Dropped("output_config." + k)
		}
	}
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
	strict := f.Get("strict") // Anthropic's always are; what another dialect's caller said stands beside the schema
	t.b = jwrite.AppendBool(t.b, strict.Kind() != jscan.Bool || strict.Bool())
	t.b = append(jwrite.AppendRaw(append(t.b, `,"schema":`...), f.Get("schema")), "}}"...)
}
