package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// A part is a piece of a user's content.
type part struct {
	kind partKind
	v    jscan.Value // a string for text, the block for the rest
}

type partKind uint8

const (
	partText  partKind = iota
	partBlock          // a text document or search result, written as text
	partImage
	partFile
)

// partOf is the part that a block becomes, ok false when it becomes none.
func (t *translation) partOf(kind string, block jscan.Value) (p part, ok bool) {
	switch kind {
	case "text":
		return part{partText, block.Get("text")}, true
	case "image":
		t.refuse(messages.CheckSource("an image", block.Get("source")))
		return part{partImage, block}, true
	case "search_result":
		return part{partBlock, block}, true
	case "document":
		source := block.Get("source")
		if k := source.Get("type"); k.Equal("text") || k.Equal("content") {
			return part{partBlock, block}, true
		}
		if !t.opts.documents {
			t.refuse(sdk.Unsupported("this vendor takes no documents"))
		}
		t.refuse(messages.CheckSource("a document", source))
		return part{partFile, block}, true
	}
	t.refuse(messages.LeaveOut(kind, t.out))
	return p, false
}

// part writes a part of a message or a result.
func (t *translation) part(p part) {
	switch p.kind {
	case partText:
		t.text("input_text", p.v)
		return
	case partBlock:
		t.b = append(jwrite.AppendComma(t.b), `{"type":"input_text","text":"`...)
		t.appendText(p)
		t.b = append(t.b, '"')
	case partImage:
		t.b = append(jwrite.AppendComma(t.b), `{"type":"input_image","image_url":`...)
		t.b = messages.AppendAddress(t.b, p.v.Get("source"), t.out)
	case partFile:
		t.about(p.v)
		t.file(p.v)
	}
	t.b = append(t.b, '}')
}

// about writes what a document says of its file and no field of the vendor's takes: its context, and the title of one that
// is not sent along.
func (t *translation) about(block jscan.Value) {
	keys := []string{"title", "context"}
	if !block.Get("source").Get("type").Equal("url") {
		keys = keys[1:]
	}
	said := false
	for _, key := range keys {
		v := block.Get(key)
		if v.Kind() != jscan.String || len(v) <= 2 {
			continue
		}
		if said {
			t.b = append(t.b, `\n`...)
		} else {
			t.b = append(jwrite.AppendComma(t.b), `{"type":"input_text","text":"`...)
		}
		t.b = append(t.b, v.Escaped()...)
		said = true
	}
	if said {
		t.b = append(t.b, `"}`...)
	}
}

// file writes a document: a file by its address has no name, one that is sent needs one.
func (t *translation) file(block jscan.Value) {
	t.b = append(jwrite.AppendComma(t.b), `{"type":"input_file"`...)
	source := block.Get("source")
	if source.Get("type").Equal("url") {
		t.b = append(jwrite.AppendKey(t.b, "file_url"), source.Get("url")...)
		return
	}
	t.b = jwrite.AppendKey(t.b, "filename")
	t.b = oai.AppendFilename(t.b, block.Get("title"))
	t.b = jwrite.AppendKey(t.b, "file_data")
	t.b = messages.AppendAddress(t.b, source, t.out)
}

// A result is a tool's.
type result struct{ id, failed, content jscan.Value }

// result writes a tool's result: its text as a string, which everybody takes, and as parts where there is more.
func (t *translation) result(r result) {
	t.b = append(jwrite.AppendComma(t.b), `{"type":"function_call_output","call_id":`...)
	t.b = jwrite.AppendString(t.b, oai.CallID(r.id.String(), maxCallID))
	t.b = jwrite.AppendKey(t.b, "output")
	from := len(t.parts)
	media := t.resultParts(r.content)
	if media {
		t.mediaOutput(t.parts[from:], r.failed.Bool())
	} else {
		t.textOutput(r.content, t.parts[from:], r.failed.Bool())
	}
	t.b = append(t.b, '}')
	t.parts = t.parts[:from]
}

// resultParts puts a result's blocks behind the message's parts, and reports whether one of them is more than text.
func (t *translation) resultParts(content jscan.Value) (media bool) {
	for item := range content.Items() {
		kind := item.Get("type").String()
		messages.DropMarks(item.Get("cache_control"), item.Get("citations"), t.out)
		if kind == "tool_reference" {
			t.out.Dropped("messages.content.tool_reference")
			continue
		}
		p, ok := t.partOf(kind, item)
		if !ok {
			continue
		}
		t.parts = append(t.parts, p)
		if p.kind == partImage || p.kind == partFile {
			media = true
			if !t.opts.resultParts {
				t.refuse(sdk.Unsupported("this vendor takes no images or documents in a tool's result"))
			}
		}
	}
	return media
}

func (t *translation) textOutput(content jscan.Value, parts []part, failed bool) {
	t.b = append(t.b, '"')
	if failed {
		t.b = append(t.b, "Error: "...)
	}
	t.b = append(t.b, content.Escaped()...)
	for i, p := range parts {
		if i > 0 {
			t.b = append(t.b, `\n\n`...)
		}
		t.appendText(p)
	}
	t.b = append(t.b, '"')
}

func (t *translation) mediaOutput(parts []part, failed bool) {
	t.b = append(t.b, '[')
	if failed {
		t.b = append(t.b, `{"type":"input_text","text":"Error:"}`...)
	}
	for _, p := range parts {
		t.part(p)
	}
	t.b = append(t.b, ']')
}

// appendText appends the text of a part inside of an open string.
func (t *translation) appendText(p part) {
	if p.kind == partBlock {
		t.b = messages.AppendDocument(t.b, p.v, t.out)
		return
	}
	t.b = append(t.b, p.v.Escaped()...)
}
