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
	s.enter(it, it.part(e[eventPart].IntOr(0)), out)
	out.Text(s.run.block, p)
}

// textDone reads the end of a part, which says all of it again: that counts where no delta of it came. form is that of a
// thought.
func (s *stream) textDone(e *event, kind itemKind, form proofText, out *sdk.Events) {
	text, part := e[eventText], e.part()
	if len(text) <= 2 {
		return
	}
	it := s.item(e, kind, out)
	if it.done || it.seen != 0 && (it.told&bit(part) == 0 || it.seen&bit(part) != 0) {
		return
	}
	if kind == itemMessage {
		s.text(e, text, out)
		return
	}
	e[eventDelta] = text
	s.thinking(e, form, out)
}

// messageDone passes on the parts whose text did not come in deltas. Annotations are counted, not passed on: Anthropic's
// citations of the web hold an index that only Anthropic can make, and would be refused there in the next turn.
func (s *stream) messageDone(it *item, f *itemFields, out *sdk.Events) {
	content := f[itemContent]
	if p := s.bytes(content); len(p) > 0 && it.seen == 0 { // some write it as a text
		s.enter(it, 0, out)
		out.Text(s.run.block, p)
	}
	n, of := 0, content.Len()
	for part := range content.Items() {
		text := part.Get("text")
		if part.Get("type").Equal("refusal") {
			s.finish.refused = true
			text = part.Get("refusal")
		}
		if p := s.bytes(text); len(p) > 0 && missed(it.seen, n, of) {
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
