package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// between separates the parts of a summary in the one text that they become.
var between = []byte("\n\n")

// thinking reads a delta of a summary, or of the reasoning itself. Of an item that shows both only the first is passed
// on: they say the same.
func (s *stream) thinking(e *event, form proofText, out *sdk.Events) {
	p := s.bytes(e[eventDelta])
	if len(p) == 0 {
		return
	}
	it := s.item(e, itemReasoning, out)
	s.thought(it, form, it.part(e.part()), p, out)
}

func (s *stream) thought(it *item, form proofText, part int64, p []byte, out *sdk.Events) {
	if it.form == 0 {
		it.form = form
	}
	if it.form != form {
		return
	}
	again := s.run.open && s.run.it == it
	s.enter(it, 0, out)
	if again && part != it.last {
		out.Thinking(s.run.block, between)
	}
	it.seen |= bit(part)
	it.last = part
	out.Thinking(s.run.block, p)
}

// reasoningDone passes on the parts whose text did not come in deltas, and what the vendor needs to know the item by when
// it comes back: as the block's signature, or where there is no block to sign as one that can't be read.
func (s *stream) reasoningDone(it *item, f *itemFields, out *sdk.Events) {
	s.missing(it, textContent, f[itemContent], out)
	s.missing(it, textSummary, f[itemSummary], out)
	open := s.run.open && s.run.it == it
	p := proof{text: it.form, id: f[itemID].String(), encrypted: f[itemEncrypted].String()}
	switch {
	case open && (p.encrypted != "" || p.text == textContent):
		s.scratch = p.append(s.scratch[:0])
		out.Signature(s.run.block, s.scratch)
	case !open && p.encrypted != "":
		p.text = textSummary
		s.leave(out)
		s.scratch = p.append(s.scratch[:0])
		out.RedactedThinking(s.take(), s.scratch)
	}
	if open {
		s.leave(out)
	}
}

// missing passes on the parts of a list that have not come.
func (s *stream) missing(it *item, form proofText, list jscan.Value, out *sdk.Events) {
	if it.form != 0 && it.form != form {
		return
	}
	n, of, seen := 0, list.Len(), it.seen
	for part := range list.Items() {
		if p := s.bytes(part.Get("text")); len(p) > 0 && missed(seen, n, of) {
			s.thought(it, form, int64(n), p, out)
		}
		n++
	}
}
