package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const chatPath = "/v1/chat/completions"

// chatWords are the ways whose request is said in other words in the OpenAI dialect.
var chatWords = map[string]struct{ text, more string }{
	"Tools":      {"use the tool get_weather, please", `"tools":[{"type":"function","function":{"name":"get_weather","description":"the weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}}}],`},
	"Thinking":   {"Why is the sky blue?", `"reasoning_effort":"low",`},
	"Capability": {`Hello"},{"type":"file","file":{"filename":"t.pdf","file_data":"data:application/pdf;base64,QQ=="}},{"type":"text","text":"t`, ""},
	// The adapters are not asked for what is at OpenAI alone, yet the refusal is the same.
	"RefusedByTheAdapter": {`Hello"},{"type":"input_audio","input_audio":{"data":"QQ==","format":"wav"}},{"type":"text","text":"t`, ""},
}

// inChat are the ways that callers of the OpenAI dialect know. There is one lane to them, the translated one, so that a
// vendor's own words reach them never.
func inChat(ways []way) []way {
	var out []way
	for _, w := range ways {
		if w.name == "VendorFindsItTooLarge" && w.only == "a" {
			continue
		}
		if w.only == "o" {
			w.only = ""
		}
		if words, ok := chatWords[w.name]; ok {
			w.text, w.more = words.text, words.more
		} else if w.more != "" {
			panic("the way " + w.name + " is not said in the OpenAI dialect")
		}
		w.path = chatPath
		out = append(out, w)
	}
	return out
}

// hearChat reads an answer of the OpenAI dialect, and puts it in the words that the ways are written in.
func (s *sight) hearChat(t *testing.T, text string, stream bool) {
	t.Helper()
	if stream {
		text, s.Error = joinChunks(t, text)
	}
	choice := gjson.Get(text, "choices.0")
	m := choice.Get("message")
	var blocks []any
	add := func(kind string, v any) { blocks = append(blocks, map[string]any{"type": kind, "holds": v}) }
	if v := m.Get("reasoning_content").String(); v != "" {
		add("thinking", v+m.Get("thinking_blocks").Raw)
	}
	if v := m.Get("content").String(); v != "" {
		add("text", v)
	}
	for _, c := range m.Get("tool_calls").Array() {
		add("tool_use", c.Get("id").String()+c.Get("function.name").String()+fmt.Sprint(parsed(t, c.Get("function.arguments").String())))
	}
	s.Content = blocks
	s.Stop = map[string]string{"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens"}[choice.Get("finish_reason").String()]
	s.Model = gjson.Get(text, "model").String()
	s.Usage = map[string]int64{}
	for _, k := range []string{"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details.cached_tokens", "completion_tokens_details.reasoning_tokens"} {
		s.Usage[k] = gjson.Get(text, "usage."+k).Int()
	}
}

// joinChunks is the completion that a stream's chunks make, as the SDKs put it together, and the error that ended it.
func joinChunks(t *testing.T, text string) (doc string, failed any) {
	t.Helper()
	var model, content, reasoning, thoughts, finish, usage string
	type call struct{ id, name, args string }
	var calls []call
	frames := strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n")
	for i, f := range frames {
		data, ok := strings.CutPrefix(f, "data: ")
		last := i == len(frames)-1
		if !ok || last != (data == "[DONE]" || gjson.Get(data, "error").Exists()) {
			t.Fatalf("frame %d of %d: %q", i, len(frames), f)
		}
		if last {
			if e := gjson.Get(data, "error"); e.Exists() {
				failed = e.Value()
			}
			break
		}
		c := gjson.Parse(data)
		model = c.Get("model").String()
		if u := c.Get("usage"); u.IsObject() {
			usage = u.Raw
		}
		d := c.Get("choices.0.delta")
		content += d.Get("content").String()
		reasoning += d.Get("reasoning_content").String()
		thoughts += d.Get("thinking_blocks").Raw
		finish += c.Get("choices.0.finish_reason").String()
		for _, v := range d.Get("tool_calls").Array() {
			n := int(v.Get("index").Int())
			if calls = slices.Grow(calls, 1); n == len(calls) {
				calls = append(calls, call{id: v.Get("id").String(), name: v.Get("function.name").String()})
			}
			calls[n].args += v.Get("function.arguments").String()
		}
	}
	message := map[string]any{"content": content, "reasoning_content": reasoning}
	if thoughts != "" {
		message["thinking_blocks"] = json.RawMessage(thoughts)
	}
	var list []any
	for _, c := range calls {
		list = append(list, map[string]any{"id": c.id, "function": map[string]any{"name": c.name, "arguments": c.args}})
	}
	message["tool_calls"] = list
	whole := map[string]any{"model": model, "choices": []any{map[string]any{"message": message, "finish_reason": finish}}}
	if usage != "" {
		whole["usage"] = json.RawMessage(usage)
	}
	b, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), failed
}
