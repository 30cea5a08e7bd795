package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// billingHeader begins the system block that Claude Code puts first for Anthropic's eyes alone.
const billingHeader = "x-anthropic-billing-header"

// instructions writes the system prompt, whose blocks are one text there.
func (t *translation) instructions() {
	if t.in[inSystem].Kind() == jscan.String {
		if len(t.in[inSystem]) > 2 {
			t.b = append(jwrite.AppendKey(t.b, "instructions"), t.in[inSystem]...)
		}
		return
	}
	n := 0
	for block := range t.in[inSystem].Items() {
		text := t.systemText(block)
		if len(text) <= 2 || strings.HasPrefix(string(inner(text)), billingHeader) {
			continue
		}
		if n++; n == 1 {
			t.b = append(jwrite.AppendKey(t.b, "instructions"), '"')
		} else {
			t.b = append(t.b, `\n\n`...)
		}
		t.b = append(t.b, inner(text)...)
	}
	if n > 0 {
		t.b = append(t.b, '"')
	}
}

// systemText is the text of a system block; nothing else may stand there.
func (t *translation) systemText(block jscan.Value) jscan.Value {
	var kind, text jscan.Value
	for key, v := range block.Fields() {
		switch string(key) {
		case "type":
			kind = v
		case "text":
			text = v
		case "cache_control":
			t.dropCacheControl(v)
		}
	}
	if !kind.Equal("text") {
		t.refuse(sdk.Unsupported("a block of type " + kind.String() + " in system"))
		return nil
	}
	return text
}

// inner is what stands between the quotes, escapes and all: it may be copied into another string as it is.
func inner(s jscan.Value) jscan.Value {
	if len(s) < 2 || s[0] != '"' {
		return nil
	}
	return s[1 : len(s)-1]
}

func (t *translation) dropCacheControl(v jscan.Value) {
	if !v.IsNull() {
		t.out.Dropped("cache_control")
	}
}

// dropCitations lists the citations that a text has, or that a document is to be given.
func (t *translation) dropCitations(v jscan.Value) {
	if v.Kind() == jscan.Array && v.Len() > 0 || v.Get("enabled").Bool() {
		t.out.Dropped("messages.content.citations")
	}
}

// input writes the conversation: a flat list of items, in which messages, calls, results and reasoning stand side by
// side, in the order of the caller's blocks. The messages are most of a request, so they are walked once.
func (t *translation) input() {
	r := jscan.NewReader(t.in[inMessages])
	if !r.Array() {
		return
	}
	for r.Item() {
		t.turn(&r)
	}
}

// turn writes the items of the message that comes next. Its role stands before its content, or else that is read again;
// a message that has either twice could mean one thing to the host and another here.
func (t *translation) turn(r *jscan.Reader) {
	if !r.Object() {
		r.Value()
		return
	}
	var role, content jscan.Value
	written := false
	for {
		n, more := r.Field(turnKeys[:], 0)
		if !more {
			break
		}
		if n >= 0 && written {
			t.refuse(sdk.Invalid("a message has its role or its content twice"))
		}
		switch {
		case n == 1 && role != nil && !written:
			written = true
			t.content(role, r)
		case n == 1:
			content = r.Value()
		case n == 0:
			role = r.Value()
		default:
			r.Value()
		}
	}
	if !written && content != nil {
		again := jscan.NewReader(content)
		t.content(role, &again)
	}
}

var turnKeys = [...]string{"role", "content"}

// content writes what one side says.
func (t *translation) content(role jscan.Value, r *jscan.Reader) {
	assistant := role.Equal("assistant")
	switch r.Kind() {
	case jscan.String:
		text := r.Value()
		if len(text) <= 2 {
			return
		}
		t.message(role.String())
		if assistant {
			t.text("output_text", text)
		} else {
			t.text("input_text", text)
		}
		t.endMessage()
	case jscan.Array:
		r.Array()
		if assistant {
			t.assistant(r)
		} else {
			t.says(role, r)
		}
	default:
		r.Value()
	}
}

// A block is the fields of a content block that matter, whatever its type.
type block [len(blockKeys)]jscan.Value

var blockKeys = [...]string{"tool_use_id", "type", "content", "is_error", "text", "id", "name", "input", "thinking", "signature", "data",
	"citations", "cache_control"}

const (
	blockResultOf = iota
	blockType
	blockContent
	blockIsError
	blockText
	blockID
	blockName
	blockInput
	blockThinking
	blockSignature
	blockData
	blockCitations
	blockCacheControl
)

// message opens a message item; its content's parts and endMessage follow.
func (t *translation) message(role string) {
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"type":"message","role":`...), role)
	t.b = append(t.b, `,"content":[`...)
}

func (t *translation) endMessage() { t.b = append(t.b, "]}"...) }

// text writes a part that is the caller's text. kind is the part's type.
func (t *translation) text(kind string, text jscan.Value) {
	if text.Kind() != jscan.String {
		text = jscan.Value(`""`)
	}
	t.b = append(append(jwrite.AppendComma(t.b), `{"type":"`...), kind...)
	t.b = append(append(append(t.b, `","text":`...), text...), '}')
}

// says writes what anybody but the assistant says. Tool results come first, since they must follow the calls at once.
func (t *translation) says(role jscan.Value, r *jscan.Reader) {
	t.parts, t.results = t.parts[:0], t.results[:0]
	t.collect(r)
	for _, res := range t.results {
		t.result(res)
	}
	if len(t.parts) > 0 {
		t.message(role.String())
		for _, p := range t.parts {
			t.part(p)
		}
		t.endMessage()
	}
}

// collect sorts the blocks of a user's message.
func (t *translation) collect(r *jscan.Reader) {
	var b block
	for r.Item() {
		whole := r.Pick(b[:], blockKeys[:]...)
		t.dropCacheControl(b[blockCacheControl])
		t.dropCitations(b[blockCitations])
		switch kind := b[blockType].String(); kind {
		case "tool_result":
			t.results = append(t.results, result{b[blockResultOf], b[blockIsError], b[blockContent]})
		case "text":
			if text := b[blockText]; len(text) > 2 {
				t.parts = append(t.parts, part{partText, text})
			}
		default:
			if p, ok := t.partOf(kind, whole); ok {
				t.parts = append(t.parts, p)
			}
		}
	}
}
