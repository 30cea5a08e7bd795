package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// reasoning is the reasoning of a choice under whichever name the vendor has for it, nil when there is none. Some send
// two names with the same text, so the first that says something is the only one read.
func (c *choice) reasoning() jscan.Value {
	for _, v := range c.inner[deltaReasoning:] {
		switch {
		case v.Kind() == jscan.String && len(v) > 2, v.Kind() == jscan.Array && v.At(0) != nil, v.Kind() == jscan.Object:
			return v
		}
	}
	return nil
}

// thinking reads reasoning: a string, or parts that each hold some.
func (s *stream) thinking(v jscan.Value, out *sdk.Events) {
	switch v.Kind() {
	case jscan.String:
		if p := s.bytes(v); len(p) > 0 {
			s.enter(runThinking, out)
			out.Thinking(s.block, p)
		}
	case jscan.Array:
		for part := range v.Items() {
			s.thinking(part, out)
		}
	case jscan.Object:
		for _, key := range [...]string{"text", "summary", "thinking", "content"} {
			if inner := v.Get(key); inner.Kind() == jscan.String || inner.Kind() == jscan.Array {
				s.thinking(inner, out)
				return
			}
		}
	}
}

// content reads a delta's content: a string, or the list of parts that Mistral and Databricks have.
func (s *stream) content(v jscan.Value, out *sdk.Events) {
	switch v.Kind() {
	case jscan.String:
		s.text(v, out)
	case jscan.Array:
		for part := range v.Items() {
			s.part(part, out)
		}
	case jscan.Object:
		s.part(v, out)
	}
}

func (s *stream) part(v jscan.Value, out *sdk.Events) {
	kind, text := v.Get("type"), v.Get("text")
	switch {
	case v.Kind() == jscan.String:
		s.text(v, out)
	case kind.Equal("thinking"), kind.Equal("reasoning"):
		s.thinking(v, out)
	case kind.Equal("refusal"):
		s.refusal(v.Get("refusal"), out)
	case text.Kind() == jscan.String:
		s.text(text, out)
	default:
		out.Skipped(1)
	}
}

// refusal reads the words of a refusal: text, but of an answer that is none.
func (s *stream) refusal(v jscan.Value, out *sdk.Events) {
	if v.Kind() == jscan.String && len(v) > 2 {
		s.finish.refused = true
		s.text(v, out)
	}
}

func (s *stream) text(v jscan.Value, out *sdk.Events) {
	if p := s.bytes(v); len(p) > 0 {
		s.enter(runText, out)
		out.Text(s.block, p)
	}
}

// bytes unescapes a string; the result is good until the next call.
func (s *stream) bytes(v jscan.Value) []byte {
	s.scratch = v.AppendString(s.scratch[:0])
	return s.scratch
}

// enter makes sure that the open block is one of this kind.
func (s *stream) enter(r run, out *sdk.Events) {
	if s.last == r {
		return
	}
	s.leave(out)
	s.last, s.block, s.said[r] = r, s.take(), true
}

// leave closes the open block of text or thinking, if any.
func (s *stream) leave(out *sdk.Events) {
	if s.last != runNone {
		out.BlockStop(s.block)
		s.last = runNone
	}
}

// take is a block number that was not used before.
func (s *stream) take() uint16 {
	n := s.next
	s.next++
	return n
}
