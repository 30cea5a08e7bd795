package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/names"
)

// A stream reads one answer, event by event or whole: a whole answer is a response whose items are all done.
type stream struct {
	failure.Watch
	names names.Tools

	id      string // the vendor's, of the response
	model   string
	started bool
	done    bool // Stop or Error went out
	items   []*item
	run     run    // what the open block of text or thinking holds
	next    uint16 // the next free block
	finish  finish
	failing *failure.Failure // the vendor failed, and has not said why
	scratch []byte
}

// Frame reads an event, a whole answer, or the body of an error.
func (s *stream) Frame(f sdk.Frame, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(f.Data), out)
	case s.failing != nil:
		s.explained(f.Data, out)
	case f.Document:
		s.document(f.Data, out)
	case string(f.Data) == "[DONE]":
		s.stop(out)
	default:
		s.event(f, out)
	}
}

// End closes what is open. An answer that broke off gets no stop: the vendor says itself when it is finished.
func (s *stream) End(why abi.EndReason, out *sdk.Events) {
	switch {
	case s.done:
	case s.Refused():
		s.fail(s.Failure(nil), out)
	case s.failing != nil:
		s.fail(*s.failing, out)
	case why == abi.EndOfBody:
		s.stop(out)
	default:
		s.flush(out)
	}
}

func (s *stream) fail(f failure.Failure, out *sdk.Events) {
	s.done = true
	f.Emit(out)
}

// document reads an answer that is not streamed.
func (s *stream) document(data []byte, out *sdk.Events) {
	doc, err := jscan.Parse(data)
	if err != nil {
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer is no JSON: " + err.Error()}, out)
		return
	}
	s.end(doc, "", out)
}

// event reads one event of a stream. What is no JSON is skipped, unless it is the text of an error.
func (s *stream) event(f sdk.Frame, out *sdk.Events) {
	var e event
	if err := e.read(f.Data); err != nil {
		if string(f.Event) == "error" {
			s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor broke off: " + strings.ToValidUTF8(string(f.Data[:min(len(f.Data), 500)]), "\ufffd")}, out)
			return
		}
		out.Skipped(1)
		return
	}
	kind := e[eventType].Escaped()
	if len(kind) == 0 {
		kind = f.Event
	}
	switch string(kind) {
	case "response.output_text.delta":
		s.text(&e, e[eventDelta], out)
	case "response.refusal.delta":
		s.finish.refused = true
		s.text(&e, e[eventDelta], out)
	case "response.reasoning_summary_text.delta":
		s.thinking(&e, textSummary, out)
	case "response.reasoning_text.delta", "response.reasoning.delta": // the latter is older, and still vLLM's
		s.thinking(&e, textContent, out)
	case "response.function_call_arguments.delta":
		s.arguments(&e, out)
	default:
		s.rare(string(kind), f, &e, out)
	}
}

// rare reads the events that are not deltas.
func (s *stream) rare(kind string, f sdk.Frame, e *event, out *sdk.Events) {
	switch kind {
	case "response.created", "response.in_progress", "response.queued":
		s.note(e[eventResponse])
	case "response.output_item.added":
		s.added(e, out)
	case "response.output_item.done":
		s.completed(e, out)
	case "response.function_call_arguments.done":
		s.argumentsDone(e, out)
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done":
		if e[eventResponse].IsNull() && !e[eventError].IsNull() {
			s.broken(f.Data, out)
			return
		}
		s.end(e[eventResponse], strings.TrimPrefix(kind, "response."), out)
	case "response.content_part.added", "response.reasoning_part.added", "response.reasoning_summary_part.added":
		s.partAdded(e, out)
	case "response.output_text.done":
		s.textDone(e, itemMessage, 0, out)
	case "response.reasoning_summary_text.done":
		s.textDone(e, itemReasoning, textSummary, out)
	case "response.reasoning_text.done", "response.reasoning.done":
		s.textDone(e, itemReasoning, textContent, out)
	case "response.content_part.done", "response.reasoning_part.done", "response.reasoning_summary_part.done", "response.refusal.done",
		"response.output_text.annotation.added", "keepalive":
		// All of it is said again by the item when it is done.
	case "error", "response.error":
		s.broken(f.Data, out)
	default:
		s.unknown(f, e, out)
	}
}

// unknown reads an event of no type that is known: an error of some other shape, a response that is not wrapped in an
// event, or nothing to us. What belongs to an item that was skipped was counted with that.
func (s *stream) unknown(f sdk.Frame, e *event, out *sdk.Events) {
	switch {
	case string(f.Event) == "error":
		s.broken(f.Data, out)
		return
	case len(e[eventType]) > 2 && (e[eventError].IsNull() || len(e[eventItemID].Escaped()) > 0): // an item's error is not the answer's
	case e[eventObject].Equal("response"):
		s.end(f.Data, "", out)
		return
	default:
		if bad, ok := failure.Find(f.Data); ok {
			s.fail(bad, out)
			return
		}
	}
	if s.known(itemOther, e[eventIndex].IntOr(noIndex), e[eventItemID]) == nil {
		out.Skipped(1)
	}
}

// broken is an error event, whatever its shape: {"type":"error","code","message"}, {"type":"error","error":{…}}, or an
// event of that name with either.
func (s *stream) broken(data []byte, out *sdk.Events) {
	f, ok := failure.Find(data)
	if !ok {
		f = failure.Failure{Kind: abi.ErrAPI, Message: "the vendor sent an error and did not say which"}
	}
	s.fail(f, out)
}

// explained reads what follows a failure without a reason. Azure gives it in an error of its own.
func (s *stream) explained(data []byte, out *sdk.Events) {
	doc, _ := jscan.Parse(data)
	if f, ok := failure.Find(doc); ok {
		s.failing = &f
	}
	s.fail(*s.failing, out)
}

// note keeps what a response says of itself at its beginning.
func (s *stream) note(v jscan.Value) {
	var r response
	v.Pick(r[:], responseKeys[:]...)
	s.name(&r)
}

// name takes the response's id and model, as they were said first: Copilot has another id in each event.
func (s *stream) name(r *response) {
	if s.id == "" {
		s.id = r[responseID].String()
	}
	if s.model == "" {
		s.model = r[responseModel].String()
	}
}

// start opens the message at its first item. Not before: until then a vendor that fails, as many do right behind
// response.created, costs the caller nothing, since another can be asked.
func (s *stream) start(out *sdk.Events) {
	if !s.started {
		s.started = true
		out.MessageStart(s.id, s.model)
	}
}

// bytes unescapes a string; the result is good until the next call.
func (s *stream) bytes(v jscan.Value) []byte {
	s.scratch = v.AppendString(s.scratch[:0])
	return s.scratch
}

// take is a block number that was not used before.
func (s *stream) take() uint16 {
	n := s.next
	s.next++
	return n
}
