package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A finish is why the vendor says that it stopped.
type finish struct {
	seen    bool
	refused bool // a refusal was the answer
	cut     bool // the answer is incomplete
	native  string
}

// end reads the response that ends an answer, or is all of it. said is what its event calls it, "" where there is none.
func (s *stream) end(v jscan.Value, said string, out *sdk.Events) {
	var r response
	v.Pick(r[:], responseKeys[:]...)
	s.name(&r)
	status := statusOf(r[responseStatus].String(), said)
	s.count(r[responseUsage], out) // before the start, so that a whole answer starts with its true count
	if f, bad := failed(v, status); bad {
		s.flush(out)
		if said == "failed" && v.Get("error").IsNull() {
			s.failing = &f
			return
		}
		s.fail(f, out)
		return
	}
	s.output(r[responseOutput], out)
	s.finish.seen = r[responseOutput] != nil || status != ""
	s.finish.native = status
	s.finish.cut = status == "incomplete"
	if why := r[responseIncomplete].Get("reason").String(); why != "" {
		s.finish.cut, s.finish.native = true, why
	}
	s.stop(out)
}

// statusOf is what became of a response, by its own word and its event's. Some send their last event with a response
// that is still in progress, so that the event counts for more, unless the response says that it is not whole.
func statusOf(own, event string) string {
	switch {
	case event == "", own == "incomplete", own == "failed", own == "cancelled", event == "done" && own != "":
		return own
	}
	return event
}

// output reads the items of a whole response. Where they have been streamed it adds what their own ends, had they come,
// would have said, and the items that were left out. Those are told by their number of a kind: not every vendor counts in
// the list as it did in the stream.
func (s *stream) output(list jscan.Value, out *sdk.Events) {
	var streamed, listed [itemKindsEnd]int
	for _, it := range s.items {
		streamed[it.kind]++
	}
	index := int64(-1)
	for v := range list.Items() {
		index++
		var f itemFields
		v.Pick(f[:], itemKeys[:]...)
		kind := f.kind()
		listed[kind]++
		it := s.known(kind, index, f.name())
		switch {
		case listed[kind] > streamed[kind]:
			it = s.add(&item{index: index, id: f[itemID].String(), kind: kind}, out)
		case it == nil, it.done:
			continue
		}
		s.complete(it, &f, out)
	}
}

// failed reports whether a response is no answer, and why.
func failed(v jscan.Value, status string) (failure.Failure, bool) {
	if f, ok := failure.Find(v); ok {
		return f, true
	}
	f := failure.Failure{Kind: abi.ErrAPI}
	switch status {
	case "failed":
		f.Message = "the vendor failed and did not say why"
	case "cancelled":
		f.Message = "the vendor cancelled the answer"
	case "queued", "in_progress":
		f.Message = "the vendor's answer is not finished: its status is " + status
	default:
		return f, false
	}
	return f, true
}

// stop closes the answer: in the ordinary way when the vendor said that it finished or what came is whole, and with an
// error when it ended before it began or inside of a tool call.
func (s *stream) stop(out *sdk.Events) {
	cut := s.flush(out)
	switch {
	case !s.finish.seen && len(s.items) == 0:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended before it began"}, out)
	case cut && !s.finish.seen:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended inside of a tool call"}, out)
	default:
		s.start(out)
		s.done = true
		out.Stop(s.reason(), s.finish.native, "")
	}
}

// flush closes the open blocks and reports whether a tool call was cut off.
func (s *stream) flush(out *sdk.Events) (cut bool) {
	s.leave(out)
	return s.closeCalls(out)
}

// reason is the canonical reason. The vendor has no word for a tool call; whether there was one is seen.
func (s *stream) reason() string {
	switch {
	case s.finish.refused || s.finish.native == "content_filter":
		return abi.FinishContentFilter
	case s.finish.cut:
		return abi.FinishLength
	}
	for _, it := range s.items {
		if it.begun {
			return abi.FinishToolCalls
		}
	}
	return abi.FinishStop
}
