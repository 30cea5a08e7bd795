// Command parley is an adapter for a vendor that streams its answers as server-sent events: text and tool calls, in the shape
// of OpenAI's Chat Completions that many vendors copied.
//
// Open, in this file, turns a call into the vendor's request; answer.go reads what comes back. Change both to what your vendor
// says, put a recorded answer of it into testdata, and run `ainfera plugin test`.
package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/adapter"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// manifest is what the host reads before any call. A feature that is missing costs traffic, a wrong one a failed call.
var manifest = sdk.Manifest{
	Name:     "parley",
	Version:  "0.1.0",
	Framing:  []string{abi.FramingSSE, abi.FramingJSON},
	Features: []string{sdk.FeatureChat, sdk.FeatureStream, sdk.FeatureTools},
	Settings: []sdk.Setting{
		{Name: "path", Type: sdk.TypeString, Default: "/chat/completions", Doc: "path below base_url"},
	},
}

func init() { adapter.Serve(manifest, vendor{}) }

func main() {} // never runs: the host calls the exports

// vendor has no state: what belongs to one answer is in the answer that Open returns.
type vendor struct{}

var _ sdk.Adapter = vendor{}

// Open builds the vendor's request. Whatever it reads from c is gone when it returns.
func (vendor) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	doc, err := jscan.Parse(c.Body)
	if err != nil {
		return nil, sdk.Invalid("the body is no JSON: " + err.Error())
	}
	b := jwrite.AppendString([]byte(`{"model":`), c.Model)
	framing := abi.FramingJSON
	if c.Stream {
		framing = abi.FramingSSE
		b = append(b, `,"stream":true,"stream_options":{"include_usage":true}`...)
	}
	if c.MaxTokens > 0 {
		b = jwrite.AppendInt(jwrite.AppendKey(b, "max_tokens"), c.MaxTokens)
	}
	var turns jscan.Value
	for key, v := range doc.Fields() {
		switch string(key) {
		case "model", "stream", "max_tokens", "system": // the call says them, or they are written with the messages
		case "messages":
			turns = v
		case "temperature", "top_p":
			b = jwrite.AppendRaw(jwrite.AppendKey(b, string(key)), v)
		case "stop_sequences":
			b = jwrite.AppendRaw(jwrite.AppendKey(b, "stop"), v)
		case "tools":
			b = appendTools(jwrite.AppendKey(b, "tools"), v)
		case "tool_choice":
			b = appendToolChoice(jwrite.AppendKey(b, "tool_choice"), v)
		default:
			out.Dropped(string(key)) // the caller is told that it got lost
		}
	}
	b = append(b, `,"messages":[`...)
	if system := textOf(doc.Get("system")); len(system) > 0 {
		b = appendMessage(b, "system", system)
	}
	for m := range turns.Items() {
		if b, err = appendTurn(b, m, out); err != nil {
			return nil, err
		}
	}
	out.Begin("POST", c.String("path"), framing)
	out.Header("content-type", "application/json")
	_, _ = out.Write(append(b, "]}"...))
	return &answer{}, nil
}

// appendTurn writes one message of the caller's. The vendor has results of tools as messages of their own.
func appendTurn(b []byte, m jscan.Value, out *sdk.Request) ([]byte, error) {
	content := m.Get("content")
	var text, calls []byte
	for block := range content.Items() {
		switch kind := block.Get("type").String(); kind {
		case "text":
			text = block.Get("text").AppendString(text)
		case "tool_use":
			if calls == nil {
				calls = []byte{'['}
			}
			calls = appendCall(jwrite.AppendComma(calls), block)
		case "tool_result":
			b = append(jwrite.AppendComma(b), `{"role":"tool","tool_call_id":`...)
			b = jwrite.AppendString(b, sdk.VendorToolID(block.Get("tool_use_id").String()))
			b = jwrite.AppendString(jwrite.AppendKey(b, "content"), textOf(block.Get("content")))
			b = append(b, '}')
		case "thinking", "redacted_thinking":
			out.Dropped("messages.thinking")
		default: // what Anthropic's own tools left can go; an image can't, and another model may take it
			if err := messages.LeaveOut(kind, out); err != nil {
				return b, err
			}
		}
	}
	if content.Kind() == jscan.String {
		text = content.AppendString(text)
	}
	if len(text) == 0 && len(calls) == 0 {
		return b, nil // results of tools alone, written above
	}
	b = appendMessage(b, m.Get("role").String(), text)
	if len(calls) > 0 {
		b = append(jwrite.AppendKey(b[:len(b)-1], "tool_calls"), calls...)
		b = append(b, "]}"...)
	}
	return b, nil
}

func appendMessage(b []byte, role string, text []byte) []byte {
	b = jwrite.AppendString(append(jwrite.AppendComma(b), `{"role":`...), role)
	return append(jwrite.AppendString(jwrite.AppendKey(b, "content"), text), '}')
}

// appendCall writes a tool call of an earlier answer. The vendor has its arguments as JSON inside a string.
func appendCall(b []byte, block jscan.Value) []byte {
	b = jwrite.AppendString(append(b, `{"id":`...), sdk.VendorToolID(block.Get("id").String()))
	b = append(b, `,"type":"function","function":{"name":`...)
	b = jwrite.AppendRaw(b, block.Get("name"))
	b = jwrite.AppendString(jwrite.AppendKey(b, "arguments"), []byte(block.Get("input")))
	return append(b, "}}"...)
}

func appendTools(b []byte, tools jscan.Value) []byte {
	b = append(b, '[')
	for t := range tools.Items() {
		b = append(jwrite.AppendComma(b), `{"type":"function","function":{"name":`...)
		b = jwrite.AppendRaw(b, t.Get("name"))
		if d := t.Get("description"); d != nil {
			b = jwrite.AppendRaw(jwrite.AppendKey(b, "description"), d)
		}
		b = jwrite.AppendRaw(jwrite.AppendKey(b, "parameters"), t.Get("input_schema"))
		b = append(b, "}}"...)
	}
	return append(b, ']')
}

func appendToolChoice(b []byte, choice jscan.Value) []byte {
	switch choice.Get("type").String() {
	case "any":
		return append(b, `"required"`...)
	case "none":
		return append(b, `"none"`...)
	case "tool":
		b = jwrite.AppendRaw(append(b, `{"type":"function","function":{"name":`...), choice.Get("name"))
		return append(b, "}}"...)
	}
	return append(b, `"auto"`...)
}

// textOf joins the text of a string, or of the text blocks of a list.
func textOf(v jscan.Value) []byte {
	if v.Kind() == jscan.String {
		return v.AppendString(nil)
	}
	var text []byte
	for block := range v.Items() {
		text = block.Get("text").AppendString(text)
	}
	return text
}
