package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// A thought is a reasoning item that waits for what follows it.
type thought struct {
	proof proof
	text  jscan.Value
}

// assistant writes an assistant's turn: its text as messages, its calls and its reasoning as items of their own. The
// vendor refuses a reasoning item that nothing follows, which is what is left of an answer that was cut short; it goes.
func (t *translation) assistant(r *jscan.Reader) {
	t.thought = t.thought[:0]
	open := false
	var f block
	for r.Item() {
		r.Pick(f[:], blockKeys[:]...)
		messages.DropMarks(f[blockCacheControl], f[blockCitations], t.out)
		kind := f[blockType].String()
		if kind == "text" && len(f[blockText]) <= 2 {
			continue
		}
		if open && kind != "text" {
			t.endMessage()
			open = false
		}
		switch kind {
		case "text":
			t.thoughts()
			if !open {
				t.message("assistant")
				open = true
			}
			t.text("output_text", f[blockText])
		case "tool_use":
			t.thoughts()
			t.functionCall(f[blockID].String(), f[blockName].String(), f[blockInput])
		case "thinking":
			t.remember(kind, f[blockSignature], f[blockThinking])
		case "redacted_thinking":
			t.remember(kind, f[blockData], nil)
		default:
			t.refuse(messages.LeaveOut(kind, t.out))
		}
	}
	if open {
		t.endMessage()
	}
	if len(t.thought) > 0 {
		t.out.Dropped("messages.content.thinking")
	}
}

// remember keeps a block of thinking if it is one of this vendor's, for this model.
func (t *translation) remember(kind string, signature, text jscan.Value) {
	if p, ok := readProof(signature.String()); ok && t.call.Thinking && t.opts.reasoning {
		t.thought = append(t.thought, thought{p, text})
		return
	}
	t.out.Dropped("messages.content." + kind)
}

// thoughts writes the reasoning items that wait.
func (t *translation) thoughts() {
	for _, th := range t.thought {
		t.b = append(jwrite.AppendComma(t.b), `{"type":"reasoning"`...)
		if th.proof.id != "" {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "id"), th.proof.id)
		}
		t.b = append(t.b, `,"summary":[`...)
		said := len(th.text) > 2
		if said && th.proof.text == textSummary {
			t.text("summary_text", th.text)
		}
		t.b = append(t.b, ']')
		if said && th.proof.text == textContent {
			t.b = append(jwrite.AppendKey(t.b, "content"), '[')
			t.text("reasoning_text", th.text)
			t.b = append(t.b, ']')
		}
		if th.proof.encrypted != "" {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "encrypted_content"), th.proof.encrypted)
		}
		t.b = append(t.b, '}')
	}
	t.thought = t.thought[:0]
}

// functionCall writes a call of the history. Its arguments are JSON in a string.
func (t *translation) functionCall(id, name string, input jscan.Value) {
	if input.Kind() != jscan.Object {
		input = jscan.Value("{}")
	}
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"type":"function_call","call_id":`...), oai.CallID(id, maxCallID))
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "name"), t.names.Shorten(name, oai.MaxToolName))
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "arguments"), []byte(input))
	t.b = append(t.b, '}')
}
