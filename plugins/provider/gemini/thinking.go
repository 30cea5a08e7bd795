package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// What an effort is as a budget. maxBudget is what all models with a budget take; leastBudget is what those take that can't do
// without.
const (
	lowEffortBudget    = 1024
	mediumEffortBudget = 8192
	maxBudget          = 24576

	leastBudget   = 128
	dynamicBudget = -1
)

// thinking asks for as much thinking as the caller did.
func (t *translation) thinking() {
	w := messages.ReadThinking(t.in[inThinking], t.in[inOutputConfig], t.out)
	measure := t.opts.measure(t.call.Model)
	if !t.call.Thinking || measure == "none" {
		w.Drop(t.out)
		return
	}
	least := w.Mode == "disabled" || w.Mode == "" && w.Effort == "" && t.opts.unaskedLeast
	if !w.Asked() && w.Effort == "" && !least {
		return
	}
	t.b = append(jwrite.AppendKey(t.b, "thinkingConfig"), '{')
	if w.Asked() && !w.Display.Equal("omitted") {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "includeThoughts"), true)
	}
	budget := w.Budget.IntOr(0)
	if w.Mode != "enabled" {
		budget = 0
	}
	if measure == "budget" {
		t.budget(least, w.Effort, budget)
	} else if least || w.Effort != "" || budget > 0 { // without a word on it the model decides
		t.level(least, w.Level())
	}
	t.b = append(t.b, '}')
}

// level writes thinkingLevel. low is the least that every model has.
func (t *translation) level(least bool, level string) {
	if least || level == "minimal" {
		level = "low"
	}
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "thinkingLevel"), level)
}

// budget writes thinkingBudget. An effort goes before a budget, as it is the newer word.
func (t *translation) budget(least bool, effort string, budget int64) {
	switch {
	case least:
		budget = 0
		if isPro(t.call.Model) {
			budget = leastBudget
		}
	case effort == "low", effort == "minimal":
		budget = lowEffortBudget
	case effort == "medium":
		budget = mediumEffortBudget
	case effort != "":
		budget = maxBudget
	case budget == 0:
		budget = dynamicBudget
	case budget > maxBudget:
		budget = maxBudget
		t.out.Dropped("thinking.budget_tokens") // as it was: the vendor refuses more
	}
	t.b = jwrite.AppendInt(jwrite.AppendKey(t.b, "thinkingBudget"), budget)
}

// format asks for structured output.
func (t *translation) format() {
	f, name := messages.Format(t.in[inOutputConfig], t.in[inOutputFormat], t.out)
	schema := f.Get("schema")
	switch {
	case f.IsNull():
	case !f.Get("type").Equal("json_schema") || schema.Kind() != jscan.Object:
		t.out.Dropped(name)
	case t.old && t.in[inTools].Len() > 0:
		t.refuse(sdk.Unsupported("this model takes no tools together with a format for its output"))
	case t.in[inTools].Len() > 0 && t.forced():
		t.refuse(sdk.Unsupported("this vendor forces no tool together with a format for the output"))
	default:
		t.b = append(jwrite.AppendKey(t.b, "responseMimeType"), `"application/json"`...)
		t.b = append(jwrite.AppendKey(t.b, "responseJsonSchema"), schema...)
	}
}
