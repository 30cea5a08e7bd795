package chat

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// content writes a message's content as blocks: a string, or parts.
func (t *translation) content(param string, m jscan.Value) {
	v := m.Get("content")
	if v.Kind() != jscan.String && m.Get("cache_control").Kind() == jscan.Object {
		t.drop("messages.cache_control") // it belongs to a part
	}
	switch v.Kind() {
	case jscan.String:
		t.text(v, m)
	case jscan.Array:
		t.parts(param, v)
	default:
		if !v.IsNull() {
			t.fail(param, "expected a string or an array of parts")
		}
	}
}

func (t *translation) parts(param string, v jscan.Value) {
	i := -1
	for p := range v.Items() {
		i++
		t.part(fmt.Sprintf("%s[%d]", param, i), p)
	}
}

func (t *translation) part(param string, p jscan.Value) {
	switch kind := p.Get("type").String(); kind {
	case "text", "refusal":
		text := p.Get(kind)
		if text.Kind() != jscan.String && !text.IsNull() {
			t.fail(param+"."+kind, "expected a string")
		}
		t.text(text, p)
	case "image_url":
		t.image(param+".image_url.url", p)
	case "file":
		t.file(param+".file", p)
	case "input_audio":
		t.unsupported(param + ": no model here takes audio")
	default:
		t.unsupported(param + ": parts of type " + clip(kind) + " are not known here")
	}
}

// image writes an image by its address, or its data.
func (t *translation) image(param string, p jscan.Value) {
	v := p.Get("image_url")
	url := v.Get("url")
	if v.Kind() == jscan.String { // as some clients have it
		url = v
	}
	if d := v.Get("detail"); !d.IsNull() && !d.Equal("auto") {
		t.drop("messages.content.image_url.detail")
	}
	if url.Kind() != jscan.String {
		t.fail(param, "expected the image's address, or a data URL")
		return
	}
	t.block()
	t.b = append(t.b, `{"type":"image","source":`...)
	if kind, data, ok := dataURL(url); ok {
		t.source(kind, data)
	} else if raw := url.Escaped(); bytes.HasPrefix(raw, dataScheme) {
		t.fail(param, "the data URL is not in base64")
	} else {
		t.b = append(append(append(t.b, `{"type":"url","url":`...), url...), '}')
	}
	t.cache(p)
	t.b = append(t.b, '}')
}

// file writes a file as a document, or as the image that it is.
func (t *translation) file(param string, p jscan.Value) {
	v := p.Get("file")
	data := v.Get("file_data")
	if data.Kind() != jscan.String {
		if !v.Get("file_id").IsNull() {
			t.unsupported(param + ".file_id: files lie at OpenAI; send the file's data")
			return
		}
		t.fail(param+".file_data", "expected the file as a data URL")
		return
	}
	kind, encoded, ok := dataURL(data)
	if !ok { // some clients send the data alone
		if raw := data.Escaped(); bytes.HasPrefix(raw, dataScheme) {
			t.fail(param+".file_data", "the data URL is not in base64")
			return
		}
		kind, encoded = []byte("application/pdf"), data.Escaped()
	}
	t.block()
	if plain := unescaped(kind); strings.HasPrefix(plain, "image/") {
		t.b = append(t.b, `{"type":"image","source":`...)
		t.source(kind, encoded)
	} else {
		t.b = append(t.b, `{"type":"document","source":`...)
		if strings.HasPrefix(plain, "text/") || plain == "application/json" {
			t.plain(param+".file_data", encoded)
		} else {
			t.source(kind, encoded)
		}
		if name := v.Get("filename"); name.Kind() == jscan.String && len(name) > 2 {
			t.b = append(append(t.b, `,"title":`...), name...)
		}
	}
	t.cache(p)
	t.b = append(t.b, '}')
}

// plain writes the source of a text: Anthropic takes no base64 but that of a PDF.
func (t *translation) plain(param string, encoded []byte) {
	text, err := base64.StdEncoding.DecodeString(unescaped(encoded)) // which passes over line ends
	if err != nil || !utf8.Valid(text) {
		t.fail(param, "expected text in UTF-8, in base64")
		return
	}
	t.b = append(jwrite.AppendString(append(t.b, `{"type":"text","media_type":"text/plain","data":`...), text), '}')
}

// unescaped is what is written inside of a JSON string.
func unescaped(inside []byte) string { return jscan.Value(`"` + string(inside) + `"`).String() }

func (t *translation) source(kind, data []byte) {
	t.b = append(append(append(t.b, `{"type":"base64","media_type":"`...), kind...), `","data":"`...)
	t.b = append(append(t.b, data...), `"}`...)
}

var dataScheme = []byte("data:")

// dataURL takes apart a data URL in base64. What it returns is still escaped, as in the string.
func dataURL(url jscan.Value) (kind, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(url.Escaped(), dataScheme)
	if !ok {
		return nil, nil, false
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return nil, nil, false
	}
	head, ok = bytes.CutSuffix(head, []byte(";base64"))
	kind, _, _ = bytes.Cut(head, []byte(";"))
	return kind, data, ok && len(kind) > 0
}
