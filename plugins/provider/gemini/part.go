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
	s.enter(r, out)
	s.scratch = v.AppendString(s.scratch[:0])
	if r == runText {
		s.said = true
		out.Text(s.block, s.scratch)
	} else {
		out.Thinking(s.block, s.scratch)
	}
}

// sign passes a signature on, as that of the thinking that is open or of a thinking block of its own, and closes it.
func (s *stream) sign(kind byte, sig jscan.Value, out *sdk.Events) {
	s.enter(runThinking, out)
	s.scratch = sig.AppendString(appendMarked(s.scratch[:0], kind, nil))
	out.Signature(s.block, s.scratch)
	s.leave(out)
}

// call reads a call, or some of one: Vertex can send the name first, the arguments in pieces, and an empty call behind the
// last of them.
func (s *stream) call(v, sig jscan.Value, out *sdk.Events) {
	var f [len(callKeys)]jscan.Value
	v.Pick(f[:], callKeys[:]...)
	name := f[callName].String()
	if name == "" {
		if s.last != runCall || len(sig) > 2 {
			out.Skipped(1) // a call of nobody knows what, or a signature that comes too late to stand before it
		}
		if s.last == runCall {
			s.pieces(&f, out)
		}
		return
	}
	if len(sig) > 2 {
		if s.last != runThinking {
			s.leave(out)
		}
		s.sign(onCall, sig, out)
	}
	s.leave(out)
	s.start(out)
	id := f[callID].String()
	if id != "" {
		id = clientID(id)
	} else {
		id = madeID(s.seed, s.id, name, s.nth)
	}
	s.nth++
	s.said, s.called = true, true
	s.last, s.block = runCall, s.take()
	out.ToolStart(s.block, id, s.names.Full(name))
	args := f[callArgs]
	if args.Kind() == jscan.Object && (args.Len() > 0 || !f[callGoesOn].Bool() && f[callPieces].Len() == 0) {
		out.ToolDelta(s.block, args)
		s.cut(out)
		return
	}
	if !args.IsNull() && args.Kind() != jscan.Object {
		out.Skipped(1)
	}
	s.pieces(&f, out)
}

var callKeys = [...]string{"name", "args", "id", "partialArgs", "willContinue"}

const (
	callName = iota
	callArgs
	callID
	callPieces
	callGoesOn
)

// pieces reads what there is of the open call's arguments, and closes it unless more is to come.
func (s *stream) pieces(f *[len(callKeys)]jscan.Value, out *sdk.Events) {
	s.scratch = s.scratch[:0]
	for piece := range f[callPieces].Items() {
		var ok bool
		if s.scratch, ok = s.args.add(s.scratch, piece); !ok {
			out.Skipped(1)
		}
	}
	if len(s.scratch) > 0 {
		out.ToolDelta(s.block, s.scratch)
	}
	if !f[callGoesOn].Bool() {
		s.leave(out)
	}
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

// leave closes the open block, if any.
func (s *stream) leave(out *sdk.Events) {
	if s.last == runCall {
		if s.scratch = s.args.end(s.scratch[:0]); len(s.scratch) > 0 {
			out.ToolDelta(s.block, s.scratch)
		}
	}
	s.cut(out)
}

// cut closes the open block as it is, if any: the arguments of a call that was broken off stay so.
func (s *stream) cut(out *sdk.Events) {
	s.args.reset()
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
