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
// caller is told. Where thinking is wanted the reasoning items are asked for in a form that can be sent back, since a
// vendor that stores nothing can't look them up.
func (t *translation) reasoning() {
	mode := t.in[inThinking].Get("type").String()
	effort := t.in[inOutputConfig].Get("effort").String()
	asked := mode == "enabled" || mode == "adaptive"
	for key, v := range t.in[inThinking].Fields() {
		if k := string(key); k != "type" && k != "budget_tokens" && k != "display" && !v.IsNull() {
			t.out.Dropped("thinking." + k)
		}
	}
	if !t.call.Thinking || !t.opts.reasoning || t.opts.leavesOut("reasoning", t.call.Model) {
		if asked {
			t.out.Dropped("thinking")
		}
		if effort != "" {
			t.out.Dropped("output_config.effort")
		}
		return
	}
	budget, fixed := t.in[inThinking].Get("budget_tokens"), isFixedGrok(t.call.Model)
	if !budget.IsNull() && (fixed || effort != "") {
		t.out.Dropped("thinking.budget_tokens")
	}
	switch {
	case fixed && effort != "":
		t.out.Dropped("output_config.effort")
		effort = ""
	case fixed:
	case effort != "":
		effort = knownEffort(effort)
	case mode == "enabled":
		effort = effortOf(budget)
	}
	summary := ""
	if asked && !t.in[inThinking].Get("display").Equal("omitted") {
		summary = t.opts.summary
	}
	if effort != "" || summary != "" {
		t.b = append(jwrite.AppendKey(t.b, "reasoning"), '{')
		if effort != "" {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "effort"), effort)
		}
		if summary != "" {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "summary"), summary)
		}
		t.b = append(t.b, '}')
	}
	if asked && !t.counting() && !t.opts.leavesOut("include", t.call.Model) {
		t.b = append(jwrite.AppendKey(t.b, "include"), `["reasoning.encrypted_content"]`...)
	}
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

// knownEffort lowers the efforts that few models have to the highest that all have.
func knownEffort(effort string) string {
	if effort == "max" || effort == "xhigh" {
		return "high"
	}
	return effort
}
