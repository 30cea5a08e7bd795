package main

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// part writes a block that may stand on either side: text, an image, a file.
func (t *translation) part(n block) {
	if n.note != "" {
		t.b = append(jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"text":`...), n.note), '}')
	}
	t.b = jwrite.AppendComma(t.b)
	switch n.kind {
	case blockInline:
		t.inline(n.v.Get("source"))
	case blockAddress:
		t.address(n.v)
	default:
		t.b = append(t.b, `{"text":"`...)
		t.appendText(n)
		t.b = append(t.b, `"}`...)
	}
}

// appendText appends a block's text inside an open string.
func (t *translation) appendText(n block) {
	if n.kind == blockText && n.amid {
		t.b = append(append(append(t.b, reminderOpen...), inner(n.v)...), reminderClose...)
		return
	}
	if n.kind == blockText {
		t.b = append(t.b, inner(n.v)...)
		return
	}
	for _, key := range [...]string{"title", "context"} {
		if v := n.v.Get(key); len(v) > 2 && v.Kind() == jscan.String {
			t.b = append(append(t.b, inner(v)...), `\n`...)
		}
	}
	source := n.v.Get("source")
	switch {
	case source.Kind() == jscan.String: // of a search result
		t.b = append(append(t.b, inner(source)...), `\n`...)
		t.appendTexts(n.v.Get("content"))
	case source.Get("type").Equal("text"):
		t.b = append(t.b, inner(source.Get("data"))...)
	default:
		t.appendTexts(source.Get("content"))
	}
}

// appendTexts appends a string, or the texts of blocks. Other blocks inside a document are listed.
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

// inline writes data within the request. The host puts large data in where the reference stands.
func (t *translation) inline(source jscan.Value) {
	t.b = append(t.b, `{"inlineData":{"mimeType":"`...)
	if kind := source.Get("media_type"); kind.Equal("image/jpg") { // which is no type, and refused
		t.b = append(t.b, "image/jpeg"...)
	} else {
		t.b = append(t.b, inner(kind)...)
	}
	t.b = append(t.b, `","data":"`...)
	data := inner(source.Get("data"))
	if n, ok := reference(string(data[:min(len(data), 32)])); ok {
		_, _ = t.out.Write(t.b)
		t.out.WriteRef(n)
		t.b = t.b[:0]
	} else {
		t.b = append(t.b, data...)
	}
	t.b = append(t.b, `"}}`...)
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

// address writes the address of an image or a PDF file for the vendor to fetch.
func (t *translation) address(v jscan.Value) {
	url := v.Get("source").Get("url")
	t.b = append(t.b, `{"fileData":{"mimeType":"`...)
	if v.Get("type").Equal("document") {
		t.b = append(t.b, "application/pdf"...)
	} else {
		t.b = append(t.b, imageType(url.String())...)
	}
	t.b = append(append(append(t.b, `","fileUri":`...), url...), "}}"...)
}

// imageType is what an address's ending says that it is. Vertex insists on a type; an address that doesn't say is most
// likely a photograph, and the vendor looks at the data anyway.
func imageType(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	switch ending := strings.ToLower(url[strings.LastIndexByte(url, '.')+1:]); ending {
	case "png", "gif", "webp", "heic", "heif":
		return "image/" + ending
	}
	return "image/jpeg"
}
