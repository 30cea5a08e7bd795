package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Thinking budgets from which on the effort is called medium and high, and what an effort is as a budget. maxBudget is
// what all models with a budget take; leastBudget is what those take that can't do without.
const (
	mediumBudget = 4096
	highBudget   = 16384
	maxBudget    = 24576

	lowEffortBudget    = 1024
	mediumEffortBudget = 8192

	leastBudget   = 128
	dynamicBudget = -1
)

// thinking asks for as much thinking as the caller did. Thinking is a wish: a model that can't is not asked, and the
// caller is told.
func (t *translation) thinking() {
	mode := t.in[inThinking].Get("type").String()
	effort := t.in[inOutputConfig].Get("effort").String()
	asked := mode == "enabled" || mode == "adaptive"
	measure := t.opts.measure(t.call.Model)
	if !t.call.Thinking || measure == "none" {
		if asked {
			t.out.Dropped("thinking")
		}
		if effort != "" {
			t.out.Dropped("output_config.effort")
		}
		return
	}
	least := mode == "disabled" || mode == "" && effort == "" && t.opts.unaskedLeast
	if !asked && effort == "" && !least {
		return
	}
	t.b = append(jwrite.AppendKey(t.b, "thinkingConfig"), '{')
	if asked && !t.in[inThinking].Get("display").Equal("omitted") {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "includeThoughts"), true)
	}
	budget := t.in[inThinking].Get("budget_tokens").IntOr(0)
	if mode != "enabled" {
		budget = 0
	}
	if measure == "level" {
		t.level(least, effort, budget)
	} else {
		t.budget(least, effort, budget)
	}
	t.b = append(t.b, '}')
}

// level writes thinkingLevel. low is the least that every model has. Without a word on it the model decides.
func (t *translation) level(least bool, effort string, budget int64) {
	level := effort
	switch {
	case least, effort == "minimal":
		level = "low"
	case effort == "max", effort == "xhigh":
		level = "high"
	case effort != "":
	case budget >= highBudget:
		level = "high"
	case budget >= mediumBudget:
		level = "medium"
	case budget > 0:
		level = "low"
	default:
		return
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

// format asks for structured output: output_config.format, or output_format as it was called first.
func (t *translation) format() {
	f, name := t.in[inOutputConfig].Get("format"), "output_config.format"
	if f.IsNull() {
		f, name = t.in[inOutputFormat], "output_format"
	}
	for key, v := range t.in[inOutputConfig].Fields() {
		if k := string(key); k != "effort" && k != "format" {
			t.drop("output_config."+k, v)
		}
	}
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
