package main

import (
	"slices"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// A block is one content block of the history that becomes a part.
type block struct {
	kind blockKind
	v    jscan.Value // the block; of text, its string
	text jscan.Value // of a thought, its string
	sig  signature   // of a thought
	note string      // text that stands before it, not from the caller
	call int         // of a result, the place of its call among translation.calls
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

// messages writes the conversation. Consecutive messages of one role are one content, and so are those between which
// nothing remains.
func (t *translation) messages() {
	for m := range t.in.messages.Items() {
		var f [2]jscan.Value
		m.Pick(f[:], "role", "content")
		role := "user"
		switch {
		case f[0].Equal("user"):
		case f[0].Equal("assistant"):
			role = "model"
		default:
			t.refuse(sdk.Unsupported("a message of role " + f[0].String() + " can't be carried to this vendor"))
			return
		}
		t.message = t.message[:0]
		t.collect(f[1])
		if len(t.message) > 0 && role != t.role {
			t.turn()
			t.role, t.blocks = role, t.blocks[:0]
		}
		t.blocks = append(t.blocks, t.message...)
	}
	t.turn()
}

// turn writes the turn that was gathered. Results come first, in the order of their calls: without ids that is how the
// vendor tells them apart.
func (t *translation) turn() {
	if len(t.blocks) == 0 {
		return
	}
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"role":`...), t.role)
	t.b = append(t.b, `,"parts":[`...)
	if t.role == "model" {
		t.modelParts()
	} else {
		t.userParts()
	}
	t.b = append(t.b, "]}"...)
}

func (t *translation) userParts() {
	var results []block
	for _, n := range t.blocks {
		if n.kind == blockResult {
			results = append(results, n)
		}
	}
	slices.SortStableFunc(results, func(a, b block) int { return a.call - b.call })
	var moved []block
	for _, n := range results {
		moved = t.result(n, moved)
	}
	for _, list := range [...][]block{moved, t.blocks} {
		for _, n := range list {
			if n.kind != blockResult {
				t.part(n)
			}
		}
	}
}

// modelParts writes what the model said, in its order. A signature goes back onto the part that it came with.
func (t *translation) modelParts() {
	var pending signature // of the next call
	signed := false       // a call of this turn has a signature
	t.textEnd = -1
	for _, n := range t.blocks {
		switch n.kind {
		case blockThought:
			t.thought(n)
			if n.sig.kind == onCall {
				pending = n.sig
			}
		case blockCall:
			if pending.kind == 0 && !signed && !t.old {
				pending = unsigned
			}
			signed = true
			t.functionCall(n.v, pending)
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

// blockKeys are the fields of blocks that matter to collect.
var blockKeys = [...]string{"type", "text", "cache_control", "citations", "thinking", "signature", "id", "name", "tool_use_id"}

// collect sorts a message's content into blocks.
func (t *translation) collect(content jscan.Value) {
	if content.Kind() == jscan.String {
		if len(content) > 2 {
			t.message = append(t.message, block{kind: blockText, v: content})
		}
		return
	}
	for v := range content.Items() {
		var f [len(blockKeys)]jscan.Value
		v.Pick(f[:], blockKeys[:]...)
		t.dropCacheControl(f[2])
		if f[3].Len() > 0 {
			t.out.Dropped("messages.content.citations")
		}
		switch kind := f[0].String(); kind {
		case "text":
			if len(f[1]) > 2 {
				t.message = append(t.message, block{kind: blockText, v: f[1]})
			}
		case "thinking":
			sig, ours := readSignature(f[5])
			if !ours { // another vendor's, which this one can't read
				t.out.Dropped("messages.content.thinking")
				continue
			}
			t.message = append(t.message, block{kind: blockThought, text: f[4], sig: sig})
		case "redacted_thinking":
			t.out.Dropped("messages.content.redacted_thinking")
		case "tool_use":
			t.calls = append(t.calls, called{f[6].String(), f[7].String()})
			t.message = append(t.message, block{kind: blockCall, v: v})
		case "tool_result":
			t.message = append(t.message, block{kind: blockResult, v: v, call: t.callOf(f[8].String())})
		default:
			if n, ok := t.other(kind, v); ok {
				t.message = append(t.message, n)
			}
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

// serverBlocks are what Anthropic's own tools left in a conversation that Anthropic served before. The text that it
// wrote with their help stays.
var serverBlocks = []string{
	"server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
	"bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
	"mcp_tool_use", "mcp_tool_result", "compaction", "advisor_tool_result",
}

// other is what a block of the rarer kinds becomes, ok false when it becomes nothing.
func (t *translation) other(kind string, v jscan.Value) (n block, ok bool) {
	switch kind {
	case "image", "document":
		return t.source(kind, v), true
	case "search_result":
		return block{kind: blockWritten, v: v}, true
	}
	if slices.Contains(serverBlocks, kind) {
		t.out.Dropped("messages.content." + kind)
		return n, false
	}
	t.refuse(sdk.Unsupported("blocks of type " + kind + " can't be carried to this vendor"))
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
