package main

import (
	"slices"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
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

// reminderOpen and reminderClose stand around what a system message amid the conversation says, inside a JSON string.
// They are Claude Code's own, for models that take no such message.
const (
	reminderOpen  = `<system-reminder>\n`
	reminderClose = `\n</system-reminder>`
)

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
		t.dropCacheControl(f[6])
		if f[7].Len() > 0 {
			t.out.Dropped("messages.content.citations")
		}
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

// serverBlocks are what Anthropic's own tools left in a conversation that Anthropic served before. The text that it
// wrote with their help stays.
var serverBlocks = []string{
	"server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
	"bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
	"mcp_tool_use", "mcp_tool_result", "compaction", "advisor_tool_result",
}

// part is the part that a block becomes, ok false when it becomes none.
func (t *translation) part(kind string, block jscan.Value) (p part, ok bool) {
	switch kind {
	case "text":
		return part{kind: partText, v: block.Get("text")}, true
	case "image":
		source := block.Get("source")
		switch s := source.Get("type").String(); {
		case s == "url" && source.Get("url").Kind() != jscan.String:
			t.refuse(sdk.Invalid("an image by url has no url"))
		case s != "base64" && s != "url":
			t.refuse(sdk.Unsupported("an image by " + s + " exists at its vendor only"))
		}
		return part{kind: partImage, v: block}, true
	case "document":
		return t.document(block), true
	case "search_result":
		return part{kind: partBlock, v: block}, true
	}
	if slices.Contains(serverBlocks, kind) {
		t.out.Dropped("messages.content." + kind)
		return p, false
	}
	t.refuse(sdk.Unsupported("blocks of type " + kind + " can't be carried to this vendor"))
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
