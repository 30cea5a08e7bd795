package chat

import (
	"bytes"
	"fmt"

	"github.com/ainfera-ai/router/sdk/jscan"
)

// content writes a message's content as blocks: a string, or parts.
func (t *translation) content(param string, v jscan.Value) {
	switch v.Kind() {
	case jscan.String:
		t.text(v)
		return
	case jscan.Array:
	default:
		if !v.IsNull() {
			t.fail(param, "expected a string or an array of parts")
		}
		return
	}
	i := -1
	for p := range v.Items() {
		i++
		t.part(fmt.Sprintf("%s[%d]", param, i), p)
	}
}

func (t *translation) part(param string, p jscan.Value) {
	switch kind := p.Get("type").String(); kind {
	case "text":
		t.text(p.Get("text"))
	case "refusal":
		t.text(p.Get("refusal"))
	case "image_url":
		t.image(param+".image_url.url", p.Get("image_url"))
	case "file":
		t.file(param+".file", p.Get("file"))
	case "input_audio":
		t.unsupported(param + ": no model here takes audio")
	default:
		t.unsupported(param + ": parts of type " + clip(kind) + " are not known here")
	}
}

// image writes an image by its address, or its data.
func (t *translation) image(param string, v jscan.Value) {
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
	} else if raw := inner(url); bytes.HasPrefix(raw, dataScheme) {
		t.fail(param, "the data URL is not in base64")
	} else {
		t.b = append(append(append(t.b, `{"type":"url","url":`...), url...), '}')
	}
	t.b = append(t.b, '}')
}

// file writes a file as a document.
func (t *translation) file(param string, v jscan.Value) {
	data := v.Get("file_data")
	if data.Kind() != jscan.String {
		if !v.Get("file_id").IsNull() {
			t.unsupported(param + ".file_id: files lie at OpenAI; send the file's data")
			return
		}
		t.fail(param+".file_data", "expected the file as a data URL")
		return
	}
	kind, base64, ok := dataURL(data)
	if !ok { // some clients send the data alone
		if raw := inner(data); bytes.HasPrefix(raw, dataScheme) {
			t.fail(param+".file_data", "the data URL is not in base64")
			return
		}
		kind, base64 = []byte("application/pdf"), inner(data)
	}
	t.block()
	t.b = append(t.b, `{"type":"document","source":`...)
	t.source(kind, base64)
	if name := v.Get("filename"); name.Kind() == jscan.String && len(name) > 2 {
		t.b = append(append(t.b, `,"title":`...), name...)
	}
	t.b = append(t.b, '}')
}

func (t *translation) source(kind, data []byte) {
	t.b = append(append(append(t.b, `{"type":"base64","media_type":"`...), kind...), `","data":"`...)
	t.b = append(append(t.b, data...), `"}`...)
}

var dataScheme = []byte("data:")

// dataURL takes apart a data URL in base64. What it returns is still escaped, as in the string.
func dataURL(url jscan.Value) (kind, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(inner(url), dataScheme)
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

// inner is what stands between a string's quotes, escapes and all.
func inner(v jscan.Value) []byte {
	if v.Kind() != jscan.String || len(v) < 2 {
		return nil
	}
	return v[1 : len(v)-1]
}
