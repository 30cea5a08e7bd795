package main

import (
	"strings"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// system writes the system prompt as the first message: its blocks are one text, since many vendors take only that.
func (t *translation) system() {
	texts, err := messages.System(t.in.system, t.out)
	t.refuse(err)
	for i, text := range texts {
		if i == 0 {
			t.message(t.opts.systemRole)
			t.b = append(jwrite.AppendKey(t.b, "content"), '"')
		} else {
			t.b = append(t.b, `\n\n`...)
		}
		t.b = append(t.b, text.Escaped()...)
	}
	if len(texts) > 0 {
		t.b = append(t.b, `"}`...)
	}
}

// bridge is what the assistant says to a tool's result before the user goes on, for a vendor that insists on it.
const bridge = `,{"role":"assistant","content":"Done."}`

// message opens a message; its fields and the closing brace follow.
func (t *translation) message(role string) {
	if t.opts.strictOrder && t.role == "tool" && role == "user" {
		t.b = append(t.b, bridge...)
	}
	t.role = role
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"role":`...), role)
}

// messages writes the conversation. Consecutive messages of one role are one turn, as Anthropic reads them; some vendors
// refuse anything else. They refuse a system message behind the first, too, and Claude Code puts one behind the user's: it
// becomes part of the user's turn, marked the way Claude Code marks it for models that take none.
func (t *translation) messages() {
	var turn turn
	var f [2]jscan.Value
	for range t.in.messages.PickItems(f[:], "role", "content") {
		r, content := f[0].String(), f[1]
		amid := r == "system"
		if amid {
			r = "user"
		}
		if r != turn.role {
			t.turn(&turn)
			turn.reset(r)
		}
		from := len(turn.parts)
		t.collect(&turn, content)
		for i := from; amid && i < len(turn.parts); i++ {
			turn.parts[i].amid = true
		}
	}
	t.turn(&turn)
	if t.opts.strictOrder && t.role == "assistant" {
		t.refuse(sdk.Unsupported("this vendor doesn't go on with an answer that the caller began"))
	}
}

// turn writes a turn. Tool results come first, each a message of its own, since they must follow the calls at once.
func (t *translation) turn(n *turn) {
	if n.role == "" {
		return
	}
	if n.role == "assistant" {
		t.assistant(n)
		return
	}
	if len(n.calls) > 0 || len(n.thinking) > 0 || len(n.details) > 0 {
		t.refuse(sdk.Invalid("what only an assistant says, a tool's call or thinking, in a message of role " + n.role))
	}
	for _, r := range n.results {
		t.result(n, r)
	}
	if len(n.parts) > 0 {
		t.message(n.role)
		t.content(n.parts)
		t.b = append(t.b, '}')
	}
}

// assistant writes an assistant's turn. One that held nothing but what had to go is left out.
func (t *translation) assistant(n *turn) {
	if len(n.results) > 0 {
		t.refuse(sdk.Invalid("a tool's result in a message of role assistant"))
	}
	if len(n.parts) == 0 && len(n.calls) == 0 {
		return
	}
	t.message("assistant")
	if len(n.parts) > 0 {
		t.content(n.parts)
	} else {
		t.b = jwrite.AppendNull(jwrite.AppendKey(t.b, "content"))
	}
	if len(n.thinking) > 0 {
		t.b = append(jwrite.AppendKey(t.b, t.opts.thinkingHistory), '"')
		for _, v := range n.thinking {
			t.b = append(t.b, v.Escaped()...)
		}
		t.b = append(t.b, '"')
	}
	for i, d := range n.details {
		if i == 0 {
			t.b = append(jwrite.AppendKey(t.b, detailField), '[')
		}
		t.b = appendDetail(jwrite.AppendComma(t.b), d.v, d.text)
	}
	if len(n.details) > 0 {
		t.b = append(t.b, ']')
	}
	for i, c := range n.calls {
		if i == 0 {
			t.b = append(jwrite.AppendKey(t.b, "tool_calls"), '[')
		}
		t.toolUse(c)
	}
	if len(n.calls) > 0 {
		t.b = append(t.b, ']')
	}
	t.b = append(t.b, '}')
}

// toolUse writes a call of the history. Its arguments are JSON in a string.
func (t *translation) toolUse(block jscan.Value) {
	var id, name, input jscan.Value
	for key, v := range block.Fields() {
		switch string(key) {
		case "id":
			id = v
		case "name":
			name = v
		case "input":
			input = v
		}
	}
	if input.Kind() != jscan.Object {
		input = jscan.Value("{}")
	}
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"id":`...), t.toolID(id.String()))
	t.b = jwrite.AppendString(append(t.b, `,"type":"function","function":{"name":`...), t.names.Shorten(name.String(), oai.MaxToolName))
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "arguments"), []byte(input))
	t.b = append(t.b, "}}"...)
}

// result writes a tool's result. A tool message holds text only, so images and files go into the user's message that
// follows, each behind a note that says whose they are.
func (t *translation) result(n *turn, r result) {
	id, content := t.toolID(r.id.String()), r.content
	t.message("tool")
	t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "tool_call_id"), id)
	t.b = append(jwrite.AppendKey(t.b, "content"), '"')
	empty := len(t.b)
	if r.isError.Bool() {
		t.b = append(t.b, "Error: "...)
	}
	t.b = append(t.b, content.Escaped()...)
	first, moved := true, 0
	for item := range content.Items() {
		kind := item.Get("type").String()
		messages.DropMarks(item.Get("cache_control"), item.Get("citations"), t.out)
		if kind == "tool_reference" {
			t.out.Dropped("messages.content.tool_reference")
			continue
		}
		p, ok := t.part(kind, item)
		switch {
		case !ok:
		case p.kind == partText || p.kind == partBlock:
			if !first {
				t.b = append(t.b, `\n\n`...)
			}
			first = false
			t.appendText(p)
		default:
			p.note = strings.TrimSuffix("From the result of tool call "+id+":\n"+p.note, "\n")
			n.parts = append(n.parts, p)
			moved++
		}
	}
	if len(t.b) == empty && moved > 0 {
		t.b = append(t.b, "The result is in the next message."...)
	}
	t.b = append(t.b, `"}`...)
}
