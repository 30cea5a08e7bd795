package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
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
	switch {
	case p.kind == partBlock:
		t.b = messages.AppendDocument(t.b, p.v, t.out)
	case p.amid:
		t.b = messages.AppendReminder(t.b, p.v)
	default:
		t.b = append(t.b, p.v.Escaped()...)
	}
}

// image writes an image part.
func (t *translation) image(block jscan.Value) {
	t.b = append(t.b, `{"type":"image_url","image_url":{"url":`...)
	t.b = messages.AppendAddress(t.b, block.Get("source"), t.out)
	t.b = append(t.b, "}}"...)
}

// file writes a document as OpenAI's file part.
func (t *translation) file(block jscan.Value) {
	t.b = append(t.b, `{"type":"file","file":{"filename":`...)
	t.b = oai.AppendFilename(t.b, block.Get("title"))
	t.b = append(t.b, `,"file_data":`...)
	t.b = messages.AppendAddress(t.b, block.Get("source"), t.out)
	t.b = append(t.b, "}}"...)
}
