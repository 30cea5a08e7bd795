package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A run is what the open block of text or thinking holds: thinking is of one item, text of one part of an item.
type run struct {
	open  bool
	it    *item
	part  int64
	block uint16
}

// enter makes sure that the open block is this one. A block that was left is not opened again: what comes for it later
// goes on in a new one.
func (s *stream) enter(it *item, part int64, out *sdk.Events) {
	if s.run.open && s.run.it == it && s.run.part == part {
		return
	}
	s.leave(out)
	s.run = run{open: true, it: it, part: part, block: s.take()}
}

// leave closes the open block of text or thinking, if any.
func (s *stream) leave(out *sdk.Events) {
	if s.run.open {
		out.BlockStop(s.run.block)
		s.run.open = false
	}
}

// text reads a delta of a message's text, or of a refusal.
func (s *stream) text(e *event, v jscan.Value, out *sdk.Events) {
	p := s.bytes(v)
	if len(p) == 0 {
		return
	}
	it := s.item(e, itemMessage, out)
	part := e[eventPart].IntOr(0)
	it.mark(part)
	s.enter(it, part, out)
	out.Text(s.run.block, p)
}

// messageDone passes on the parts whose text did not come in deltas. Annotations are counted, not passed on: Anthropic's
// citations of the web hold an index that only Anthropic can make, and would be refused there in the next turn.
func (s *stream) messageDone(it *item, f *itemFields, out *sdk.Events) {
	n := 0
	for part := range f[itemContent].Items() {
		text := part.Get("text")
		if part.Get("type").Equal("refusal") {
			s.finish.refused = true
			text = part.Get("refusal")
		}
		if p := s.bytes(text); len(p) > 0 && !has(it.seen, n) {
			s.enter(it, int64(n), out)
			out.Text(s.run.block, p)
		}
		out.Skipped(part.Get("annotations").Len())
		n++
	}
	if s.run.it == it {
		s.leave(out)
	}
}
