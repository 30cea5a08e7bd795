package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// part reads a part: a thought, text, a call, any of them signed. Of others, such as the code that the vendor runs
// itself, nobody asked for any.
func (s *stream) part(p *part, out *sdk.Events) {
	text, call, sig := p.field[partText], p.field[partCall], p.field[partSignature]
	if call.Kind() == jscan.Object || len(text) > 2 {
		s.release(out)
	}
	switch {
	case call.Kind() == jscan.Object:
		s.call(call, sig, out)
	case text.Kind() != jscan.String && (sig.Kind() != jscan.String || p.all.Len() > 1):
		s.goesOn = true
		out.Skipped(1)
	case p.field[partThought].Bool():
		s.text(runThinking, text, out)
		if len(sig) > 2 {
			s.sign(onThought, sig, out)
		}
	default:
		s.text(runText, text, out)
		switch {
		case len(sig) <= 2:
		case len(text) > 2:
			s.hold(onText, sig)
		default:
			s.hold(onEmptyText, sig)
		}
	}
}

// hold keeps a text's signature until something follows. The last text's is dropped: the vendor recommends to send it
// back and does not insist, and clients that show an answer's last block, as Claude Code does when it prints, would show
// the empty block that carries it.
func (s *stream) hold(kind byte, sig jscan.Value) {
	s.held = append(s.held[:0], kind)
	s.held = append(s.held, sig...)
}

// release emits the signature that is held, since something follows.
func (s *stream) release(out *sdk.Events) {
	if len(s.held) == 0 {
		return
	}
	kind, sig := s.held[0], jscan.Value(s.held[1:])
	s.leave(out)
	s.sign(kind, sig, out)
	s.held = s.held[:0]
}

func (s *stream) text(r run, v jscan.Value, out *sdk.Events) {
	if len(v) <= 2 {
		return
	}
	s.scratch = v.AppendString(s.scratch[:0])
	s.enter(r, out)
	if r == runText {
		s.said = true
		out.Text(s.block, s.scratch)
	} else {
		out.Thinking(s.block, s.scratch)
	}
}

// sign passes a signature on, as that of the thinking that is open or of a thinking block of its own, and closes it.
func (s *stream) sign(kind byte, sig jscan.Value, out *sdk.Events) {
	s.scratch = sig.AppendString(appendMarked(s.scratch[:0], kind, nil))
	s.enter(runThinking, out)
	out.Signature(s.block, s.scratch)
	s.leave(out)
}

// call reads a call, which always comes whole.
func (s *stream) call(v, sig jscan.Value, out *sdk.Events) {
	var f [3]jscan.Value
	v.Pick(f[:], "name", "args", "id")
	name := f[0].String()
	if name == "" {
		out.Skipped(1) // a call of nobody knows what
		return
	}
	if len(sig) > 2 {
		if s.last == runText {
			s.leave(out)
		}
		s.sign(onCall, sig, out)
	}
	s.leave(out)
	s.start(out)
	id := f[2].String()
	if id != "" {
		id = clientID(id)
	} else {
		id = madeID(s.seed, s.id, name, s.nth)
	}
	s.nth++
	if full, ok := s.names[name]; ok {
		name = full
	}
	s.said, s.called = true, true
	block := s.take()
	out.ToolStart(block, id, name)
	if args := f[1]; args.Kind() == jscan.Object {
		out.ToolDelta(block, args)
	} else if !args.IsNull() {
		out.Skipped(1)
	}
	out.BlockStop(block)
}

// enter makes sure that the open block is one of this kind.
func (s *stream) enter(r run, out *sdk.Events) {
	if s.last == r {
		return
	}
	s.start(out)
	s.leave(out)
	s.last, s.block = r, s.take()
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
