package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// instructions writes the system prompt, whose blocks are one text there.
func (t *translation) instructions() {
	texts, err := messages.System(t.in[inSystem], t.out)
	t.refuse(err)
	for i, text := range texts {
		if i == 0 {
			t.b = append(jwrite.AppendKey(t.b, "instructions"), '"')
		} else {
			t.b = append(t.b, `\n\n`...)
		}
		t.b = append(t.b, text.Escaped()...)
	}
	if len(texts) > 0 {
		t.b = append(t.b, '"')
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
		messages.DropMarks(b[blockCacheControl], b[blockCitations], t.out)
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
