package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// reasoning asks for as much thinking as the caller did. Where thinking is wanted the reasoning items are asked for in a form
// that can be sent back, since a vendor that stores nothing can't look them up.
func (t *translation) reasoning() {
	w := messages.ReadThinking(t.in[inThinking], t.in[inOutputConfig], t.out)
	if !t.call.Thinking || !t.opts.reasoning || t.opts.leavesOut("reasoning", t.call.Model) {
		w.Drop(t.out)
		return
	}
	fixed := oai.IsFixedGrok(t.call.Model)
	if !w.Budget.IsNull() && (fixed || w.Effort != "") {
		t.out.Dropped("thinking.budget_tokens")
	}
	effort := ""
	if fixed {
		w.DropEffort(t.out)
	} else {
		effort = w.Level()
	}
	summary := ""
	if w.Asked() && !w.Display.Equal("omitted") {
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
	if w.Asked() && !t.counting() && !t.opts.leavesOut("include", t.call.Model) {
		t.b = append(jwrite.AppendKey(t.b, "include"), `["reasoning.encrypted_content"]`...)
	}
}
