package main

import (
	"bytes"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A call is what an item that calls a function has beside the rest.
type call struct {
	callID string
	name   string
	block  uint16
	begun  bool   // its ToolStart went out
	args   []byte // the arguments' text as far as it has come
	sent   int    // how much of it went out
	closed bool   // and so did the end of the block
}

// describe takes the call's names, and begins it once both are known.
func (s *stream) describe(it *item, f *itemFields, out *sdk.Events) {
	if it.name == "" {
		it.name = f[itemName].String()
	}
	if it.callID == "" {
		it.callID = f[itemCallID].String()
	}
	if it.name != "" && it.callID != "" {
		s.begin(it, out)
	}
}

// begin opens the call's block, and passes on the arguments that came before.
func (s *stream) begin(it *item, out *sdk.Events) {
	if it.begun {
		return
	}
	s.leave(out)
	it.begun, it.block = true, s.take()
	out.ToolStart(it.block, sdk.ClientToolID(s.idOf(it)), s.names.Full(it.name))
	s.pass(it, out)
}

// idOf is the id that the result is to be given under: the call's, the item's, or one that is unique in its answer.
func (s *stream) idOf(it *item) string {
	switch {
	case it.callID != "":
		return it.callID
	case it.id != "":
		return it.id
	}
	return oai.MadeCallID(s.id, it.name, it.block)
}

// pass passes on the arguments that have not gone out.
func (s *stream) pass(it *item, out *sdk.Events) {
	if it.begun && !it.closed {
		out.ToolDelta(it.block, it.args[it.sent:])
		it.sent = len(it.args)
	}
}

// arguments reads a delta of a call's arguments.
func (s *stream) arguments(e *event, out *sdk.Events) {
	it := s.item(e, itemCall, out)
	if it.closed {
		return
	}
	it.args = e[eventDelta].AppendString(it.args)
	s.pass(it, out)
}

// argumentsDone reads response.function_call_arguments.done. It has no id of the call, so one that was not announced
// waits for the end of its item.
func (s *stream) argumentsDone(e *event, out *sdk.Events) {
	it := s.item(e, itemCall, out)
	if it.name == "" {
		it.name = e[eventName].String()
	}
	if it.begun {
		s.callDone(it, e[eventArguments], out)
		return
	}
	s.fill(it, e[eventArguments])
}

// again is the call whose item ends under a name and an index of its own, as vLLM's do: it is known by what it says.
func (s *stream) again(f *itemFields) *item {
	args := s.bytes(f[itemArguments])
	for i := len(s.items) - 1; i >= 0; i-- {
		it := s.items[i]
		if it.kind == itemCall && !it.done && f[itemName].Equal(it.name) && len(args) > 0 && bytes.Equal(it.args, args) {
			return it
		}
	}
	return nil
}

// callDone ends a call. whole is its arguments once more: all of them, or what the deltas have left out.
func (s *stream) callDone(it *item, whole jscan.Value, out *sdk.Events) {
	if it.closed {
		return
	}
	s.fill(it, whole)
	if !it.begun {
		return // its id or name is missing; the end of the answer makes one up, or skips it
	}
	s.pass(it, out)
	it.closed = true
	out.BlockStop(it.block)
}

// fill adds what the whole has more than has come. A whole that differs from that is the same, written in another way.
func (s *stream) fill(it *item, whole jscan.Value) {
	p := []byte(whole) // the object itself, from some
	if whole.Kind() != jscan.Object {
		p = s.bytes(whole)
	}
	if bytes.HasPrefix(p, it.args) {
		it.args = append(it.args, p[len(it.args):]...)
	}
}

// closeCalls ends the calls that are still open and reports whether one of them was cut off.
func (s *stream) closeCalls(out *sdk.Events) (cut bool) {
	for _, it := range s.items {
		if it.kind != itemCall || it.closed {
			continue
		}
		if it.name == "" {
			out.Skipped(1) // a call of nobody knows what
			continue
		}
		s.begin(it, out)
		if len(it.args) > 0 && !it.done {
			_, err := jscan.Parse(it.args)
			cut = cut || err != nil
		}
		it.closed = true
		out.BlockStop(it.block)
	}
	return cut
}
