package main

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
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
		t.checkSource("an image", block.Get("source"))
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
		t.checkSource("a document", source)
		return part{partFile, block}, true
	}
	t.serverBlock(kind)
	return p, false
}

// checkSource refuses what an image or a file can't be read from.
func (t *translation) checkSource(what string, source jscan.Value) {
	switch s := source.Get("type").String(); {
	case s == "url" && source.Get("url").Kind() != jscan.String:
		t.refuse(sdk.Invalid(what + " by url has no url"))
	case s != "base64" && s != "url":
		t.refuse(sdk.Unsupported(what + " by " + s + " exists at its vendor only"))
	}
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
		t.address(p.v.Get("source"))
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
		t.b = append(t.b, inner(v)...)
		said = true
	}
	if said {
		t.b = append(t.b, `"}`...)
	}
}

// file writes a document: a file by its address has no name, one that is sent needs one. OpenAI goes by the name's ending,
// which a title need not have, to see that it is a PDF.
func (t *translation) file(block jscan.Value) {
	t.b = append(jwrite.AppendComma(t.b), `{"type":"input_file"`...)
	source := block.Get("source")
	if source.Get("type").Equal("url") {
		t.b = append(jwrite.AppendKey(t.b, "file_url"), source.Get("url")...)
		return
	}
	t.b = jwrite.AppendKey(t.b, "filename")
	title := inner(block.Get("title"))
	if len(title) == 0 {
		title = jscan.Value("document.pdf")
	}
	t.b = append(append(t.b, '"'), title...)
	if !strings.HasSuffix(strings.ToLower(string(title)), ".pdf") {
		t.b = append(t.b, ".pdf"...)
	}
	t.b = append(t.b, '"')
	t.b = jwrite.AppendKey(t.b, "file_data")
	t.address(source)
}

// address writes where an image or file is: the address it has, or its data as one. The host puts large data in where
// the reference stands.
func (t *translation) address(source jscan.Value) {
	if source.Get("type").Equal("url") {
		t.b = append(t.b, source.Get("url")...)
		return
	}
	t.b = append(t.b, `"data:`...)
	t.b = append(t.b, inner(source.Get("media_type"))...)
	t.b = append(t.b, ";base64,"...)
	data := inner(source.Get("data"))
	if n, ok := reference(string(data[:min(len(data), 32)])); ok {
		_, _ = t.out.Write(t.b)
		t.out.WriteRef(n)
		t.b = t.b[:0]
	} else {
		t.b = append(t.b, data...)
	}
	t.b = append(t.b, '"')
}

// reference reads "ainfera-ref:N".
func reference(s string) (uint32, bool) {
	digits, ok := strings.CutPrefix(s, abi.RefPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil
}

// A result is a tool's.
type result struct{ id, failed, content jscan.Value }

// result writes a tool's result: its text as a string, which everybody takes, and as parts where there is more.
func (t *translation) result(r result) {
	t.b = append(jwrite.AppendComma(t.b), `{"type":"function_call_output","call_id":`...)
	t.b = jwrite.AppendString(t.b, callID(r.id.String()))
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
		t.dropCacheControl(item.Get("cache_control"))
		t.dropCitations(item.Get("citations"))
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
	t.b = append(t.b, inner(content)...)
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
	if p.kind == partText {
		t.b = append(t.b, inner(p.v)...)
		return
	}
	for _, key := range [...]string{"title", "context"} {
		if v := p.v.Get(key); len(v) > 2 {
			t.b = append(append(t.b, inner(v)...), `\n`...)
		}
	}
	source := p.v.Get("source")
	switch {
	case source.Kind() == jscan.String: // of a search result
		t.b = append(append(t.b, inner(source)...), `\n`...)
		t.appendTexts(p.v.Get("content"))
	case source.Get("type").Equal("text"):
		t.b = append(t.b, inner(source.Get("data"))...)
	default:
		t.appendTexts(source.Get("content"))
	}
}

// appendTexts appends a string, or the texts of blocks. Other blocks inside of a document are listed.
func (t *translation) appendTexts(v jscan.Value) {
	if v.Kind() == jscan.String {
		t.b = append(t.b, inner(v)...)
		return
	}
	first := true
	for block := range v.Items() {
		if kind := block.Get("type"); !kind.Equal("text") {
			t.out.Dropped("messages.content.document." + kind.String())
			continue
		}
		if !first {
			t.b = append(t.b, `\n`...)
		}
		first = false
		t.b = append(t.b, inner(block.Get("text"))...)
	}
}
