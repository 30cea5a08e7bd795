package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/names"
)

// A stream reads one answer, chunk by chunk or whole: a whole answer is one chunk that holds everything.
type stream struct {
	failure.Watch
	counting bool // the answer is countTokens'
	names    toolNames
	seed     names.Hash // of the ids of calls
	nth      int        // the number of the next call in the conversation

	id, model string // the vendor's, of the message
	started   bool
	done      bool      // Stop or Error went out
	last      run       // the kind of block that is open
	args      arguments // of the call that is open
	block     uint16
	next      uint16 // the next free block
	said      bool   // there was text or a call
	called    bool   // there was a call
	underWay  bool   // parts came, and no finish with or behind them
	goesOn    bool   // a finish need not be the last: see over
	tokens    tokens
	usage     sdk.Usage
	finish    finish
	chunk     chunk
	scratch   []byte
	held      []byte // kind and JSON string of a text's signature, until something follows it
}

// A run is what the open block holds.
type run uint8

const (
	runNone run = iota
	runText
	runThinking
	runCall // whose arguments come in pieces
)

// Frame reads a chunk, a whole answer, or the body of an error.
func (s *stream) Frame(f sdk.Frame, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(f.Data), out)
	case f.Document && beginsArray(f.Data):
		s.array(f.Data, out)
	default:
		s.read(f.Data, f.Document, out)
		if f.Document && !s.done {
			s.stop(out)
		}
	}
}

// End closes what is open. An answer that broke off gets a stop only if the vendor had said that it was finished.
func (s *stream) End(why abi.EndReason, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(nil), out)
	case s.finish.seen && !s.underWay || why == abi.EndOfBody:
		s.stop(out)
	default:
		s.cut(out)
	}
}

func (s *stream) fail(f failure.Failure, out *sdk.Events) {
	s.done = true
	f.Emit(out)
}

// beginsArray reports whether a document is an array: a stream without alt=sse, all of it at once.
func beginsArray(data []byte) bool {
	for _, c := range data {
		if c > ' ' {
			return c == '['
		}
	}
	return false
}

func (s *stream) array(data []byte, out *sdk.Events) {
	doc, err := jscan.Parse(data)
	if err != nil {
		s.noJSON(err, out)
		return
	}
	for chunk := range doc.Items() {
		if !s.done {
			s.read(chunk, false, out)
		}
	}
	if !s.done {
		s.stop(out)
	}
}

func (s *stream) noJSON(err error, out *sdk.Events) {
	s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer is no JSON: " + err.Error()}, out)
}

// read reads one element. What is no JSON is an error when it is all there is, and skipped when it is one of many.
func (s *stream) read(data []byte, whole bool, out *sdk.Events) {
	c := &s.chunk
	if err := c.read(data); err != nil {
		if whole {
			s.noJSON(err, out)
			return
		}
		out.Skipped(1)
		return
	}
	if !c.field[chunkError].IsNull() {
		doc, _ := jscan.Parse(data)
		if bad, ok := failure.Find(doc); ok {
			s.cut(out)
			s.fail(bad, out)
			return
		}
	}
	if s.counting {
		s.count(out)
		return
	}
	s.name(c)
	counted := s.tokens.read(&c.usage)
	if counted {
		s.report(out) // before the start, so that a whole answer starts with its true count
	}
	blocked := s.feedback(c.field[chunkFeedback])
	if !c.hasCandidate && !blocked && c.field[chunkUsage].IsNull() {
		out.Skipped(1)
		return
	}
	before := s.finish.seen
	for i := range c.parts {
		s.part(&c.parts[i], out)
	}
	if s.over(before, s.finishing(c)) && counted {
		s.stop(out)
	}
}

// over reports whether the answer is certain to be over, so that nobody waits for the connection's end. A finish alone
// doesn't say so: models before Gemini 2 give one with every chunk, proxies with chunks that hold nothing, and a round of
// the vendor's own tools ends in one. before is whether there was a finish before this chunk, and now whether it has one.
func (s *stream) over(before, now bool) bool {
	holds := len(s.chunk.parts) > 0
	first := now && !s.underWay && !(holds && finishesOnce(s.model))
	s.goesOn = s.goesOn || first || before && holds
	s.underWay = !now && (holds || s.underWay)
	return s.finish.seen && !s.goesOn
}

// finishesOnce knows the models that finish in their last chunk only, which is often their first: gemini-2.5-flash,
// models/gemini-3-pro-preview. A name that says nothing may be an old one's.
func finishesOnce(model string) bool {
	version, ok := strings.CutPrefix(strings.TrimPrefix(model, "models/"), "gemini-")
	return ok && version != "" && version[0] >= '2' && version[0] <= '9'
}

// name keeps what the vendor calls the answer and its model.
func (s *stream) name(c *chunk) {
	if s.id == "" {
		s.id = c.field[chunkID].String()
	}
	if s.model == "" {
		s.model = c.field[chunkModel].String()
	}
}

// start opens the message. It waits for the first content, or for the end: until then another model can be tried.
func (s *stream) start(out *sdk.Events) {
	if !s.started {
		s.started = true
		out.MessageStart(s.id, s.model)
	}
}

// count reads the answer of countTokens. It is an answer of no content, whose usage is what was asked for.
func (s *stream) count(out *sdk.Events) {
	n, ok := s.chunk.field[chunkTotal].Int()
	if !ok {
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor counted no tokens"}, out)
		return
	}
	u := sdk.UnknownUsage()
	u.Input = n
	s.start(out)
	out.Usage(u)
	s.done = true
	out.Stop(abi.FinishStop, "", "")
}
