package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
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
	case blockThought, blockCall:
		t.refuse(sdk.Invalid("what only an assistant says, a tool's call or thinking, in a message of role user"))
	case blockResult:
		t.refuse(sdk.Invalid("a tool's result in a message of role assistant"))
	default:
		t.b = append(t.b, `{"text":"`...)
		t.appendText(n)
		t.b = append(t.b, `"}`...)
	}
}

// appendText appends a block's text inside an open string.
func (t *translation) appendText(n block) {
	switch {
	case n.kind == blockWritten:
		t.b = messages.AppendDocument(t.b, n.v, t.out)
	case n.amid:
		t.b = messages.AppendReminder(t.b, n.v)
	default:
		t.b = append(t.b, n.v.Escaped()...)
	}
}

// inline writes data within the request.
func (t *translation) inline(source jscan.Value) {
	t.b = append(t.b, `{"inlineData":{"mimeType":"`...)
	if kind := source.Get("media_type"); kind.Equal("image/jpg") { // which is no type, and refused
		t.b = append(t.b, "image/jpeg"...)
	} else {
		t.b = append(t.b, kind.Escaped()...)
	}
	t.b = append(t.b, `","data":"`...)
	t.b = t.out.AppendData(t.b, source.Get("data"))
	t.b = append(t.b, `"}}`...)
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
