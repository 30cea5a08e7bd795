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
	native  string
	message string
	reason  string // canonical, or failed
}

// reasons maps the vendor's words to the canonical ones; the numbers are those of its enum, for a proxy that asks for
// them, as far as the two platforms mean the same by them: 6 to 8 are filters on both, in another order. A word that isn't
// here is taken for a stop.
var reasons = map[string]string{
	"STOP": abi.FinishStop, "1": abi.FinishStop,
	"MAX_TOKENS": abi.FinishLength, "2": abi.FinishLength,
	"SAFETY": abi.FinishContentFilter, "3": abi.FinishContentFilter,
	"RECITATION": abi.FinishContentFilter, "4": abi.FinishContentFilter,
	"6": abi.FinishContentFilter, "7": abi.FinishContentFilter, "8": abi.FinishContentFilter, "11": abi.FinishContentFilter,
	"LANGUAGE": abi.FinishContentFilter, "BLOCKLIST": abi.FinishContentFilter,
	"PROHIBITED_CONTENT": abi.FinishContentFilter, "SPII": abi.FinishContentFilter,
	"MODEL_ARMOR": abi.FinishContentFilter, "IMAGE_SAFETY": abi.FinishContentFilter,
	"IMAGE_PROHIBITED_CONTENT": abi.FinishContentFilter, "IMAGE_RECITATION": abi.FinishContentFilter,
	"OTHER": failed, "5": failed,
	"MALFORMED_FUNCTION_CALL": failed, "UNEXPECTED_TOOL_CALL": failed, "TOO_MANY_TOOL_CALLS": failed,
	"MALFORMED_RESPONSE": failed, "MISSING_THOUGHT_SIGNATURE": failed, "NO_IMAGE": failed, "IMAGE_OTHER": failed,
}

// failed is the reason of an answer that went wrong. It isn't one of abi's: where nothing was said the answer is an error,
// so that another model can be tried, and where something was, what there is of it stands.
const failed = "failed"

// finishing notes the finish reason of a candidate, and reports whether it has one.
func (s *stream) finishing(c *chunk) bool {
	why := c.candidate[candidateFinish]
	native := why.String()
	if why.Kind() == jscan.Number {
		native = string(why)
	}
	if native == "" || native == "0" || native == "FINISH_REASON_UNSPECIFIED" {
		return false
	}
	s.finish.seen, s.finish.native = true, native
	s.finish.message = c.candidate[candidateMessage].String()
	if s.finish.reason = reasons[native]; s.finish.reason == "" {
		s.finish.reason = abi.FinishStop
	}
	return true
}

// feedback notes that the prompt was refused, and reports whether it was.
func (s *stream) feedback(v jscan.Value) bool {
	why := v.Get("blockReason")
	native := why.String()
	if why.Kind() == jscan.Number {
		native = string(why)
	}
	if native == "" {
		return false
	}
	s.finish = finish{seen: true, native: native, reason: abi.FinishContentFilter}
	return true
}

// stop closes the answer: in the ordinary way when the vendor said that it finished or there is something, and with an
// error when it ended before it began or amid a call. A call may end with a STOP, and be left open by MAX_TOKENS.
func (s *stream) stop(out *sdk.Events) {
	if s.finish.reason == abi.FinishStop {
		s.leave(out)
	}
	amid := s.last == runCall && s.finish.reason != abi.FinishLength
	s.cut(out)
	switch {
	case amid && !s.finish.seen:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended amid a call"}, out)
	case !s.finish.seen && !s.said:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended before it began"}, out)
	case amid, s.finish.reason == failed && !s.said:
		message := "the vendor ended the answer with finishReason " + s.finish.native
		if s.finish.message != "" {
			message += ": " + s.finish.message
		}
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: message}, out)
	default:
		s.start(out)
		s.done = true
		out.Stop(s.reason(), s.finish.native, "")
	}
}

// reason is the canonical reason. The vendor has none for a call.
func (s *stream) reason() string {
	switch r := s.finish.reason; {
	case r == abi.FinishLength, r == abi.FinishContentFilter:
		return r
	case s.called:
		return abi.FinishToolCalls
	}
	return abi.FinishStop
}
