package main

import (
	"bytes"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/names"
)

// A stream reads one answer, chunk by chunk or whole: a whole answer is one chunk whose choice holds a message instead
// of a delta.
type stream struct {
	failure.Watch
	names   names.Tools
	details bool // reasoning_details go to the caller and come back

	id      string // the vendor's, of the message
	started bool
	done    bool // Stop or Error went out
	deltas  bool // a delta came
	said    [runThinking + 1]bool
	last    run // the kind of block that text goes on with
	block   uint16
	next    uint16 // the next free block
	calls   []*call
	usage   sdk.Usage
	counted bool // a usage went out
	finish  finish
	scratch []byte
}

// A run is what the open text block holds.
type run uint8

const (
	runNone run = iota
	runText
	runThinking
)

// Frame reads a chunk, a whole answer, or the body of an error.
func (s *stream) Frame(f sdk.Frame, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(f.Data), out)
	case string(f.Data) == "[DONE]":
		s.stop(out)
	default:
		s.chunk(f, out)
	}
}

// End closes what is open. An answer that broke off gets a stop only if the vendor had said that it was finished.
func (s *stream) End(why abi.EndReason, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(nil), out)
	case s.finish.seen || why == abi.EndOfBody:
		s.stop(out)
	default:
		s.flush(out)
	}
}

func (s *stream) fail(f failure.Failure, out *sdk.Events) {
	s.done = true
	f.Emit(out)
}

// chunk reads one element. What is no JSON is an error when it is all there is, and skipped when it is one of many, unless
// its lines are elements: of a server that leaves the blank lines between its events out.
func (s *stream) chunk(f sdk.Frame, out *sdk.Events) {
	c := chunk{whole: f.Document}
	if err := c.read(f.Data); err != nil {
		if !f.Document && bytes.IndexByte(f.Data, '\n') >= 0 {
			for line := range bytes.Lines(f.Data) {
				if line = bytes.TrimSpace(line); len(line) > 0 {
					s.Frame(sdk.Frame{Event: f.Event, Data: line}, out)
				}
			}
			return
		}
		if f.Document {
			s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer is no JSON: " + err.Error()}, out)
			return
		}
		out.Skipped(1)
		return
	}
	if !c.field[chunkError].IsNull() || string(f.Event) == "error" || c.choices != jscan.Array {
		doc, _ := jscan.Parse(f.Data)
		if bad, ok := failure.Find(doc); ok {
			s.fail(bad, out)
			return
		}
	}
	usage, running := c.usage(), s.counted
	if usage != nil {
		s.count(usage, out) // before the start, so that a whole answer starts with its true count
	}
	s.start(&c, out)
	switch {
	case c.hasChoice:
		s.choices(&c, out)
	case usage == nil && c.choices == jscan.Absent:
		out.Skipped(1)
	}
	if s.done {
		return
	}
	// The count is the last thing that this protocol has before [DONE], which some leave out, except where every chunk has one.
	// Perplexity's do, and the last has a name of its own.
	last := !c.hasChoice || !running || c.field[chunkObject].Equal("chat.completion.done")
	if f.Document || s.finish.seen && s.counted && usage != nil && last {
		s.stop(out)
	}
}

// start opens the message at the first chunk that says anything of it. Azure's first is about the prompt and has
// neither id nor choices, and others give the id with the first word.
func (s *stream) start(c *chunk, out *sdk.Events) {
	if s.started || len(c.field[chunkID]) <= 2 && len(c.more) == 0 && c.choice.isEmpty() {
		return
	}
	s.started = true
	s.id = c.field[chunkID].String()
	out.MessageStart(s.id, c.field[chunkModel].String())
}

// choices reads the choices of a chunk.
func (s *stream) choices(c *chunk, out *sdk.Events) {
	s.choice(&c.choice, out)
	for _, v := range c.more {
		if s.done {
			return
		}
		var next choice
		r := jscan.NewReader(v)
		next.read(&r, c.whole)
		s.choice(&next, out)
	}
}

// choice reads a choice. Those of index 0, or of none, are one answer, in pieces at Copilot; one of another index is another
// answer, and n is never asked for, unless it has the calls for which the first ended and which that lacks. Reasoning goes
// first: in a whole message it stands behind the content.
func (s *stream) choice(c *choice, out *sdk.Events) {
	lacking := c.from != choiceDelta && len(s.calls) == 0 && reasonOf(s.finish.native) == abi.FinishToolCalls
	if c.outer[choiceIndex].IntOr(0) != 0 && !lacking {
		out.Skipped(1)
		return
	}
	if c.from == choiceDelta {
		s.deltas = true
	} else if s.deltas {
		s.dropSaid(c)
	}
	if r := c.reasoning(); r != nil {
		s.thinking(r, out)
	}
	if s.details {
		s.keepDetails(c.inner[deltaDetails], out)
	}
	s.content(c.inner[deltaContent], out)
	s.refusal(c.inner[deltaRefusal], out)
	calls := c.inner[deltaToolCalls]
	if calls.Kind() == jscan.Object { // of text-generation-inference, one call a delta
		s.toolCall(calls, c.from != choiceDelta, out)
	}
	for call := range calls.Items() {
		s.toolCall(call, c.from != choiceDelta, out)
	}
	if f := c.inner[deltaFunctionCall]; f.Kind() == jscan.Object {
		s.functionCall(f, out)
	}
	for _, v := range c.inner[deltaAnnotations:deltaReasoning] {
		if !v.IsNull() && len(v) > 2 {
			out.Skipped(1)
		}
	}
	s.finishing(c, out)
}

// dropSaid takes from a message that comes behind deltas what those said already: MiniMax ends a stream with the whole.
func (s *stream) dropSaid(c *choice) {
	if s.said[runText] {
		c.inner[deltaContent], c.inner[deltaRefusal] = nil, nil
	}
	if len(s.calls) > 0 {
		c.inner[deltaToolCalls], c.inner[deltaFunctionCall] = nil, nil
	}
	if s.said[runThinking] {
		clear(c.inner[deltaReasoning:])
	}
}
