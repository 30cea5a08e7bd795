package main

import (
	"slices"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// A turn is what one side says.
type turn struct {
	role     string
	from, to int // its blocks
}

// A block is one content block of the history that becomes a part.
type block struct {
	kind blockKind
	// v is of text its string, of a call its input, of a result its content, and else the block.
	v     jscan.Value
	text  jscan.Value // of a thought, its string
	sig   signature   // of a thought
	note  string      // text that stands before it, not from the caller
	call  int         // of a call or a result, the place among translation.calls
	wrong bool        // of a result, that it is an error
	amid  bool        // of a text, that the caller's program says it and not its user
}

type blockKind uint8

const (
	blockText    blockKind = iota
	blockWritten           // a text document or search result, written as text
	blockInline            // an image or a file by its data
	blockAddress           // an image or a file by its address
	blockThought
	blockCall
	blockResult
)

// A called is a tool call of the history.
type called struct{ id, name string }

var messageKeys = [...]string{"role", "content"}

// messages reads the conversation into turns. Consecutive messages of one role are one turn, and so are those between
// which nothing remains.
func (t *translation) messages(r *jscan.Reader) {
	r.Array()
	for r.Item() {
		if !r.Object() {
			r.Value()
			continue
		}
		from := len(t.blocks)
		var role jscan.Value
		for n, ok := r.Field(messageKeys[:], 0); ok; n, ok = r.Field(messageKeys[:], n+1) {
			switch {
			case n == 0:
				role = r.Value()
			case n == 1:
				t.content(r)
			default:
				r.Value()
			}
		}
		t.message(role, from)
	}
}

// message ends a message whose blocks begin at from. A system message amid the conversation, which Claude Code puts behind
// the user's, becomes part of the user's turn: this vendor has one system prompt, and it stands first.
func (t *translation) message(v jscan.Value, from int) {
	role := "user"
	switch {
	case v.Equal("user"):
	case v.Equal("assistant"):
		role = "model"
	case v.Equal("system"):
		for i := from; i < len(t.blocks); i++ {
			t.blocks[i].amid = true
		}
	default:
		t.refuse(sdk.Unsupported("a message of role " + v.String() + " can't be carried to this vendor"))
	}
	last := len(t.turns) - 1
	switch {
	case from == len(t.blocks):
	case last >= 0 && t.turns[last].role == role:
		t.turns[last].to = len(t.blocks)
	default:
		t.turns = append(t.turns, turn{role, from, len(t.blocks)})
	}
}

// turn writes a turn.
func (t *translation) turn(n turn) {
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"role":`...), n.role)
	t.b = append(t.b, `,"parts":[`...)
	if n.role == "model" {
		t.modelParts(t.blocks[n.from:n.to])
	} else {
		t.userParts(t.blocks[n.from:n.to])
	}
	t.b = append(t.b, "]}"...)
}

// userParts writes what the user said. Results come first, in the order of their calls: without ids that is how the vendor
// tells them apart.
func (t *translation) userParts(blocks []block) {
	var results, moved []block
	for _, n := range blocks {
		if n.kind == blockResult {
			results = append(results, n)
		}
	}
	slices.SortStableFunc(results, func(a, b block) int { return a.call - b.call })
	for _, n := range results {
		moved = t.result(n, moved)
	}
	for _, list := range [...][]block{moved, blocks} {
		for _, n := range list {
			if n.kind != blockResult {
				t.part(n)
			}
		}
	}
}

// modelParts writes what the model said, in its order. A signature goes back onto the part that it came with.
func (t *translation) modelParts(blocks []block) {
	var pending signature // of the next call
	called := false       // this turn has had a call; those beside the first need no signature
	t.textEnd = -1
	for _, n := range blocks {
		switch n.kind {
		case blockThought:
			t.thought(n)
			if n.sig.kind == onCall {
				pending = n.sig
			}
		case blockCall:
			if pending.kind == 0 && !called && !t.old {
				pending = unsigned
			}
			called = true
			t.functionCall(n, pending)
			pending = signature{}
		default:
			t.part(n)
			if n.kind == blockText {
				t.textEnd = len(t.b)
			}
		}
	}
}

// thought writes a thinking block: the thought, and the signature where it belongs on a part that has been or is a
// thought itself.
func (t *translation) thought(n block) {
	if len(n.text) > 2 {
		t.b = append(append(append(jwrite.AppendComma(t.b), `{"text":`...), n.text...), `,"thought":true}`...)
	}
	switch n.sig.kind {
	case onThought:
		if len(n.text) <= 2 {
			t.b = append(jwrite.AppendComma(t.b), `{"text":"","thought":true}`...)
		}
		t.signLast(n.sig)
	case onText, onEmptyText:
		if n.sig.kind == onEmptyText || t.textEnd != len(t.b) {
			t.b = append(jwrite.AppendComma(t.b), `{"text":""}`...)
		}
		t.signLast(n.sig)
	}
}

// signLast signs the part that was written last.
func (t *translation) signLast(s signature) {
	t.b = append(t.b[:len(t.b)-1], `,"thoughtSignature":"`...)
	t.b = append(append(t.b, s.data...), `"}`...)
}

// blockKeys are the fields of blocks that matter here, in the order in which clients have them.
var blockKeys = [...]string{"type", "text", "thinking", "signature", "id", "name", "input", "tool_use_id", "content", "is_error",
	"cache_control", "citations"}

const (
	inType = iota
	inText
	inThought
	inSignature
	inID
	inName
	inInput
	inToolUseID
	inContent
	inIsError
	inCacheControl
	inCitations
)

// content reads a message's content into blocks.
func (t *translation) content(r *jscan.Reader) {
	if r.Kind() == jscan.String {
		t.text(r.Value())
		return
	}
	if !r.Array() {
		r.Value()
		return
	}
	for r.Item() {
		var f [len(blockKeys)]jscan.Value
		t.block(r.Pick(f[:], blockKeys[:]...), &f)
	}
}

func (t *translation) text(v jscan.Value) {
	if v.Kind() == jscan.String && len(v) > 2 {
		t.blocks = append(t.blocks, block{kind: blockText, v: v})
	}
}

// block keeps a block that becomes a part, and lists or refuses one that doesn't.
func (t *translation) block(v jscan.Value, f *[len(blockKeys)]jscan.Value) {
	messages.DropMarks(f[inCacheControl], f[inCitations], t.out)
	switch kind := f[inType].String(); kind {
	case "text":
		t.text(f[inText])
	case "thinking":
		sig, ours := readSignature(f[inSignature])
		if !ours { // another vendor's, which this one can't read
			t.out.Dropped("messages.content.thinking")
			return
		}
		t.blocks = append(t.blocks, block{kind: blockThought, text: f[inThought], sig: sig})
	case "redacted_thinking":
		t.out.Dropped("messages.content.redacted_thinking")
	case "tool_use":
		t.blocks = append(t.blocks, block{kind: blockCall, v: f[inInput], call: len(t.calls)})
		t.calls = append(t.calls, called{f[inID].String(), f[inName].String()})
	case "tool_result":
		t.blocks = append(t.blocks, block{kind: blockResult, v: f[inContent], wrong: f[inIsError].Bool(), call: t.callOf(f[inToolUseID].String())})
	default:
		if n, ok := t.other(kind, v); ok {
			t.blocks = append(t.blocks, n)
		}
	}
}

// callOf is the place of the call with an id, the last if there are several.
func (t *translation) callOf(id string) int {
	for i := len(t.calls) - 1; i >= 0; i-- {
		if t.calls[i].id == id {
			return i
		}
	}
	t.refuse(sdk.Invalid("a tool_result answers " + id + ", and no tool_use before it has that id"))
	return -1
}

// other is what a block of the rarer kinds becomes, ok false when it becomes nothing.
func (t *translation) other(kind string, v jscan.Value) (n block, ok bool) {
	switch kind {
	case "image", "document":
		return t.source(kind, v), true
	case "search_result":
		return block{kind: blockWritten, v: v}, true
	}
	t.refuse(messages.LeaveOut(kind, t.out))
	return n, false
}

// source is the block of an image or a document, by where its data is.
func (t *translation) source(kind string, v jscan.Value) block {
	source := v.Get("source")
	switch s := source.Get("type").String(); {
	case s == "base64":
		return block{kind: blockInline, v: v}
	case s == "url" && source.Get("url").Kind() != jscan.String:
		t.refuse(sdk.Invalid("a block of type " + kind + " by url has no url"))
	case s == "url" && t.opts.urls:
		return block{kind: blockAddress, v: v}
	case kind == "document" && (s == "text" || s == "content"):
		return block{kind: blockWritten, v: v}
	default:
		t.refuse(sdk.Unsupported("a block of type " + kind + " by " + s + " can't be carried to this vendor"))
	}
	return block{kind: blockInline, v: v}
}
