package main

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// content writes the content field of a message: one string where everything is text, which every vendor takes, and
// parts where there is more.
func (t *translation) content(parts []part) {
	t.b = jwrite.AppendKey(t.b, "content")
	if isText(parts) {
		t.b = append(t.b, '"')
		for i, p := range parts {
			if i > 0 {
				t.b = append(t.b, `\n\n`...)
			}
			t.appendText(p)
		}
		t.b = append(t.b, '"')
		return
	}
	t.b = append(t.b, '[')
	for _, p := range parts {
		if p.note != "" {
			t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"type":"text","text":`...), p.note)
			t.b = append(t.b, '}')
		}
		t.b = jwrite.AppendComma(t.b)
		switch p.kind {
		case partImage:
			t.image(p.v)
		case partFile:
			t.file(p.v)
		default:
			t.b = append(t.b, `{"type":"text","text":"`...)
			t.appendText(p)
			t.b = append(t.b, `"}`...)
		}
	}
	t.b = append(t.b, ']')
}

func isText(parts []part) bool {
	for _, p := range parts {
		if p.kind != partText && p.kind != partBlock {
			return false
		}
	}
	return true
}

// appendText appends a part's text inside an open string.
func (t *translation) appendText(p part) {
	if p.kind == partText && p.amid {
		t.b = append(append(append(t.b, reminderOpen...), inner(p.v)...), reminderClose...)
		return
	}
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

// image writes an image part: the address it has, or its data as one.
func (t *translation) image(block jscan.Value) {
	source := block.Get("source")
	t.b = append(t.b, `{"type":"image_url","image_url":{"url":`...)
	if source.Get("type").Equal("url") {
		t.b = append(t.b, source.Get("url")...)
	} else {
		t.dataURL(source)
	}
	t.b = append(t.b, "}}"...)
}

// file writes a document as OpenAI's file part.
func (t *translation) file(block jscan.Value) {
	t.b = append(t.b, `{"type":"file","file":{"filename":`...)
	if title := block.Get("title"); title.Kind() == jscan.String && len(title) > 2 {
		t.b = append(t.b, title...)
	} else {
		t.b = append(t.b, `"document.pdf"`...)
	}
	t.b = append(t.b, `,"file_data":`...)
	t.dataURL(block.Get("source"))
	t.b = append(t.b, "}}"...)
}

// dataURL writes base64 data as a string with a data URL. The host puts large data in where the reference stands.
func (t *translation) dataURL(source jscan.Value) {
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
