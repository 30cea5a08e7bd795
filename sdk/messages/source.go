package messages

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// CheckSource returns the error of a source that is neither base64 data nor an address. what is "an image", say.
func CheckSource(what string, source jscan.Value) error {
	switch s := source.Get("type").String(); {
	case s == "url" && source.Get("url").Kind() != jscan.String:
		return sdk.Invalid(what + " by url has no url")
	case s != "base64" && s != "url":
		return sdk.Unsupported(what + " by " + s + " exists at its vendor only")
	}
	return nil
}

// AppendAddress appends where an image or a file is, as a JSON string: the address it has, or its data as one. Of large data
// out gets b first, as with [sdk.Request.AppendData].
func AppendAddress(b []byte, source jscan.Value, out *sdk.Request) []byte {
	if source.Get("type").Equal("url") {
		return append(b, source.Get("url")...)
	}
	b = append(append(b, `"data:`...), source.Get("media_type").Escaped()...)
	b = out.AppendData(append(b, ";base64,"...), source.Get("data"))
	return append(b, '"')
}

// AppendDocument appends to an open JSON string the text of a search result, or of a document whose source is text or
// content, a line for its title, its context and its address before it. Blocks within it that are no text are listed.
func AppendDocument(b []byte, block jscan.Value, out *sdk.Request) []byte {
	var f [4]jscan.Value
	block.Pick(f[:], "title", "context", "source", "content")
	title, context, source, content := f[0], f[1], f[2], f[3]
	b = appendLine(appendLine(b, title), context)
	switch {
	case source.Kind() == jscan.String: // of a search result
		b = append(append(b, source.Escaped()...), `\n`...)
		return appendTexts(b, content, out)
	case source.Get("type").Equal("text"):
		return append(b, source.Get("data").Escaped()...)
	}
	return appendTexts(b, source.Get("content"), out)
}

func appendLine(b []byte, v jscan.Value) []byte {
	if text := v.Escaped(); len(text) > 0 {
		b = append(append(b, text...), `\n`...)
	}
	return b
}

// appendTexts appends a string, or the texts of blocks, a line each.
func appendTexts(b []byte, v jscan.Value, out *sdk.Request) []byte {
	if v.Kind() == jscan.String {
		return append(b, v.Escaped()...)
	}
	first := true
	for block := range v.Items() {
		if kind := block.Get("type"); !kind.Equal("text") {
			out.Dropped("messages.content.document." + kind.String())
			continue
		}
		if !first {
			b = append(b, `\n`...)
		}
		first = false
		b = append(b, block.Get("text").Escaped()...)
	}
	return b
}
