package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/messages"
)

// A turn is what one side says, sorted by where it goes.
type turn struct {
	role     string
	parts    []part // text, images, documents
	results  []result
	calls    []jscan.Value // tool_use blocks
	thinking []jscan.Value // the thinking of thinking blocks
	details  []detail
}

// A part is a piece of content.
type part struct {
	kind partKind
	v    jscan.Value // a string for text, the block for the rest
	note string      // text that stands before it: whose it is, a file's context
	amid bool        // of a text, that the caller's program says it and not its user
}

type partKind uint8

const (
	partText partKind = iota
	partImage
	partFile
	partBlock // a text document or search result, written as text
)

// A result is a tool_result block, its fields as they were when the block was walked: they are long.
type result struct{ id, content, isError jscan.Value }

func (n *turn) reset(role string) {
	*n = turn{role: role, parts: n.parts[:0], results: n.results[:0], calls: n.calls[:0], thinking: n.thinking[:0], details: n.details[:0]}
}

// collect sorts a message's content into the turn.
func (t *translation) collect(n *turn, content jscan.Value) {
	if content.Kind() == jscan.String {
		if len(content) > 2 {
			n.parts = append(n.parts, part{kind: partText, v: content})
		}
		return
	}
	var f [10]jscan.Value
	for block := range content.PickItems(f[:], "type", "text", "thinking", "tool_use_id", "content", "is_error", "cache_control", "citations",
		"signature", "data") {
		kind, text, thinking, res := f[0], f[1], f[2], result{f[3], f[4], f[5]}
		messages.DropMarks(f[6], f[7], t.out)
		switch k := kind.String(); k {
		case "tool_result":
			n.results = append(n.results, res)
		case "tool_use":
			n.calls = append(n.calls, block)
		case "thinking", "redacted_thinking":
			proof := f[8]
			if k == "redacted_thinking" {
				proof = f[9]
			}
			t.thought(n, k, thinking, proof)
		case "text":
			if len(text) > 2 {
				n.parts = append(n.parts, part{kind: partText, v: text})
			}
		default:
			if p, ok := t.part(k, block); ok {
				n.parts = append(n.parts, p)
			}
		}
	}
}

// thought sorts a block of thinking into the turn, where the vendor takes it.
func (t *translation) thought(n *turn, kind string, text, proof jscan.Value) {
	if t.opts.thinkingHistory == detailField {
		if d, ours := readDetail(proof, text); ours {
			n.details = append(n.details, d)
			return
		}
	} else if t.opts.thinkingHistory != "" && kind == "thinking" {
		n.thinking = append(n.thinking, text)
		return
	}
	t.out.Dropped("messages.content." + kind)
}

// part is the part that a block becomes, ok false when it becomes none.
func (t *translation) part(kind string, block jscan.Value) (p part, ok bool) {
	switch kind {
	case "text":
		return part{kind: partText, v: block.Get("text")}, true
	case "image":
		t.refuse(messages.CheckSource("an image", block.Get("source")))
		return part{kind: partImage, v: block}, true
	case "document":
		return t.document(block), true
	case "search_result":
		return part{kind: partBlock, v: block}, true
	}
	t.refuse(messages.LeaveOut(kind, t.out))
	return p, false
}

// document is a document's part: text is written out, files go only where the vendor takes them.
func (t *translation) document(block jscan.Value) part {
	switch s := block.Get("source").Get("type").String(); s {
	case "text", "content":
		return part{kind: partBlock, v: block}
	case "base64":
		if !t.opts.documents {
			t.refuse(sdk.Unsupported("this vendor takes no documents"))
		}
		return part{kind: partFile, v: block, note: block.Get("context").String()}
	default:
		t.refuse(sdk.Unsupported("a document by " + s + " can't be carried to this vendor"))
	}
	return part{kind: partFile, v: block}
}
