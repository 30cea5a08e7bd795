package main

import (
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// functionCall writes a call of the history.
func (t *translation) functionCall(n block, sig signature) {
	input := n.v
	if input.Kind() != jscan.Object {
		input = jscan.Value("{}")
	}
	t.b = append(jwrite.AppendComma(t.b), `{"functionCall":{`...)
	t.callID(t.calls[n.call].id)
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "name"), t.names.vendors(t.calls[n.call].name))
	t.b = append(append(append(t.b, `,"args":`...), input...), "}}"...)
	if sig.kind != 0 {
		t.signLast(sig)
	}
}

// callID writes a call's id when the vendor made it. It tells calls without one apart by name and order, and what another
// vendor made means nothing to it. Vertex refuses a request with an id, also one that the Gemini API made.
func (t *translation) callID(client string) {
	if id, ok := vendorID(client); ok && !t.opts.vertex {
		t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "id"), id)
	}
}

// result writes a tool's result: its text under "output", or under "error" when it is one, as the vendor has it. Images
// and files become parts of their own behind the results, each behind a note that says whose it is; they are added to
// moved.
func (t *translation) result(n block, moved []block) []block {
	if n.call < 0 {
		return moved // refused
	}
	call := t.calls[n.call]
	t.b = append(jwrite.AppendComma(t.b), `{"functionResponse":{`...)
	t.callID(call.id)
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "name"), t.names.vendors(call.name))
	t.b = append(t.b, `,"response":{`...)
	if n.wrong {
		t.b = append(t.b, `"error":"`...)
	} else {
		t.b = append(t.b, `"output":"`...)
	}
	empty, before := len(t.b), len(moved)
	t.b = append(t.b, n.v.Escaped()...)
	for item := range n.v.Items() {
		var f [4]jscan.Value
		item.Pick(f[:], "type", "text", "cache_control", "citations")
		messages.DropMarks(f[2], f[3], t.out)
		part := block{kind: blockText, v: f[1]}
		switch kind := f[0].String(); kind {
		case "text":
		case "tool_reference":
			t.out.Dropped("messages.content.tool_reference")
			continue
		default:
			var ok bool
			if part, ok = t.other(kind, item); !ok {
				continue
			}
		}
		if part.kind == blockInline || part.kind == blockAddress {
			part.note = "From the result of " + call.name + ":"
			moved = append(moved, part)
			continue
		}
		if len(t.b) > empty {
			t.b = append(t.b, `\n\n`...)
		}
		t.appendText(part)
	}
	if len(t.b) == empty && len(moved) > before {
		t.b = append(t.b, "The result is in the parts behind this one."...)
	}
	t.b = append(t.b, `"}}}`...)
	return moved
}
