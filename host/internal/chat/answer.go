package chat

import (
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// An Answer is what must be known of a call to answer it.
type Answer struct {
	ID      string // of the completion
	Model   string // the slug that serves
	Created int64  // seconds since 1970
	// Ainfera is a JSON object that says which call this was: the whole answer has it at its top, a stream in its first
	// chunk.
	Ainfera []byte
	// IncludeUsage and Functions are the Request's.
	IncludeUsage, Functions bool
	// Usage is asked for when the answer is complete. It is what is booked.
	Usage func() messages.Usage
}

// appendHead appends the fields that every object of the answer begins with, from its opening brace on.
func (a *Answer) appendHead(b []byte, object string) []byte {
	b = jwrite.AppendString(append(b, `{"id":`...), a.ID)
	b = jwrite.AppendString(append(b, `,"object":`...), object)
	b = jwrite.AppendInt(append(b, `,"created":`...), a.Created)
	return jwrite.AppendString(append(b, `,"model":`...), a.Model)
}

// finish is OpenAI's word for why an answer stopped, given Anthropic's. An answer that just ended, or did not say why,
// stopped for its calls where it has any: clients look for them by this word, and not all vendors give it.
func (a *Answer) finish(stop string, calls int) string {
	switch {
	case stop == "max_tokens" || stop == "model_context_window_exceeded":
		return "length"
	case stop == "refusal":
		return "content_filter"
	case stop != "tool_use" && calls == 0:
		return "stop"
	case a.Functions:
		return "function_call"
	}
	return "tool_calls"
}

// appendUsage appends the usage object. OpenAI counts what was read from the cache, and what was written to it, as part of
// the prompt.
func appendUsage(b []byte, u messages.Usage) []byte {
	prompt := u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h
	b = jwrite.AppendInt(append(b, `{"prompt_tokens":`...), prompt)
	b = jwrite.AppendInt(append(b, `,"completion_tokens":`...), u.Output)
	b = jwrite.AppendInt(append(b, `,"total_tokens":`...), prompt+u.Output)
	b = jwrite.AppendInt(append(b, `,"prompt_tokens_details":{"cached_tokens":`...), u.CacheRead)
	b = jwrite.AppendInt(append(b, `},"completion_tokens_details":{"reasoning_tokens":`...), u.Reasoning)
	return append(b, "}}"...)
}

// Completion makes a chat.completion of a whole answer, an Anthropic message that has been checked.
func Completion(a Answer, message []byte) ([]byte, error) {
	var f [2]jscan.Value
	if _, err := jscan.ParsePick(message, f[:], "content", "stop_reason"); err != nil {
		return nil, err
	}
	var c collected
	for b := range f[0].Items() {
		c.add(&a, b)
	}
	b := a.appendHead(make([]byte, 0, len(message)+1024), "chat.completion")
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	if c.text == nil && len(c.calls) > 0 {
		b = append(b, "null"...)
	} else {
		b = append(append(append(b, '"'), c.text...), '"')
	}
	b = append(b, `,"refusal":null`...)
	if len(c.thinking) > 0 {
		b = append(append(append(b, `,"reasoning_content":"`...), c.thinking...), '"')
	}
	if c.signed {
		b = append(append(append(b, `,"thinking_blocks":[`...), c.thoughts...), ']')
	}
	switch {
	case len(c.calls) == 0:
	case a.Functions:
		b = append(append(b, `,"function_call":`...), c.calls...)
	default:
		b = append(append(append(b, `,"tool_calls":[`...), c.calls...), ']')
	}
	b = jwrite.AppendString(append(b, `},"logprobs":null,"finish_reason":`...), a.finish(f[1].String(), c.n))
	b = appendUsage(append(b, `}],"usage":`...), a.Usage())
	return append(append(append(b, `,"ainfera":`...), a.Ainfera...), '}'), nil
}

// collected is a message's content by where it goes. Text and thinking are still escaped.
type collected struct {
	text, thinking []byte
	thoughts       []byte // elements of thinking_blocks
	blocks         int    // of thoughts
	signed         bool   // one of them can be shown to its maker again
	calls          []byte
	n              int // of calls
}

func (c *collected) add(a *Answer, b jscan.Value) {
	switch kind := b.Get("type"); {
	case kind.Equal("text"):
		c.text = append(c.text, b.Get("text").Escaped()...)
	case kind.Equal("thinking"):
		text, sig := b.Get("thinking").Escaped(), b.Get("signature").Escaped()
		c.thinking = append(c.thinking, text...)
		c.thoughts = appendThinking(c.thoughts, c.blocks, text, sig)
		c.signed = c.signed || len(sig) > 0
		c.blocks++
	case kind.Equal("redacted_thinking"):
		c.thoughts = appendRedacted(c.thoughts, c.blocks, b.Get("data").Escaped())
		c.signed = true
		c.blocks++
	case kind.Equal("tool_use"):
		if a.Functions && c.n > 0 {
			return // that form has one; its caller asked for no more
		}
		c.calls = appendCall(jwrite.AppendComma(c.calls), a.Functions, b)
		c.n++
	}
}

// appendCall appends a call with all its arguments, which are JSON in a string.
func appendCall(dst []byte, legacy bool, b jscan.Value) []byte {
	if legacy {
		dst = append(dst, `{"name":`...)
	} else {
		dst = append(append(dst, `{"id":`...), raw(b.Get("id"))...)
		dst = append(dst, `,"type":"function","function":{"name":`...)
	}
	dst = append(append(dst, raw(b.Get("name"))...), `,"arguments":`...)
	dst = jwrite.AppendString(dst, []byte(raw(b.Get("input"))))
	if legacy {
		return append(dst, '}')
	}
	return append(dst, "}}"...)
}

// raw is a value as it stands, or null.
func raw(v jscan.Value) jscan.Value {
	if v == nil {
		return jscan.Value("null")
	}
	return v
}

// appendThinking appends an element of thinking_blocks. The index is for clients that put an array together from chunks.
func appendThinking(dst []byte, index int, text, signature []byte) []byte {
	dst = jwrite.AppendInt(append(jwrite.AppendComma(dst), `{"index":`...), index)
	dst = append(append(dst, `,"type":"thinking","thinking":"`...), text...)
	dst = append(append(dst, `","signature":"`...), signature...)
	return append(dst, `"}`...)
}

func appendRedacted(dst []byte, index int, data []byte) []byte {
	dst = jwrite.AppendInt(append(jwrite.AppendComma(dst), `{"index":`...), index)
	dst = append(append(dst, `,"type":"redacted_thinking","data":"`...), data...)
	return append(dst, `"}`...)
}
