package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A finish is why the vendor says that it stopped.
type finish struct {
	seen     bool
	refused  bool // a refusal was the answer
	native   string
	sequence string
}

// reasons maps the words there are for a finish, OpenAI's and its copyists', to the canonical ones. errorFinish and
// failedFinish are none of abi's: the one makes an error of the answer, the other of an answer in which nothing was said.
var reasons = map[string]string{
	"stop": abi.FinishStop, "eos": abi.FinishStop, "end_turn": abi.FinishStop, "stop_sequence": abi.FinishStop,
	"length": abi.FinishLength, "max_tokens": abi.FinishLength, "model_length": abi.FinishLength, "max_length": abi.FinishLength,
	"max_output_tokens": abi.FinishLength, "model_context_window_exceeded": abi.FinishLength,
	"tool_calls": abi.FinishToolCalls, "tool_call": abi.FinishToolCalls, "tool_use": abi.FinishToolCalls,
	"function_call":  abi.FinishToolCalls,
	"content_filter": abi.FinishContentFilter, "safety": abi.FinishContentFilter, "sensitive": abi.FinishContentFilter,
	"refusal": abi.FinishContentFilter, "guardrail": abi.FinishContentFilter,
	"recitation": abi.FinishContentFilter, "blocklist": abi.FinishContentFilter, "prohibited_content": abi.FinishContentFilter,
	"spii": abi.FinishContentFilter, "image_safety": abi.FinishContentFilter, // Gemini's own
	"malformed_function_call": failedFinish, "unexpected_tool_call": failedFinish,
	"error": errorFinish, "network_error": errorFinish, "insufficient_system_resource": errorFinish, "abort": errorFinish,
}

const (
	errorFinish  = "error"
	failedFinish = "failed"
)

// reasonOf looks a word up. Google writes two, "content_filter: RECITATION", of which either may say it.
func reasonOf(native string) string {
	first, second, _ := strings.Cut(strings.ToLower(native), ": ")
	if r := reasons[first]; r != "" {
		return r
	}
	return reasons[second]
}

// finishing notes the finish reason of a choice, when it has one.
func (s *stream) finishing(c *choice, out *sdk.Events) {
	why := c.outer[choiceFinish]
	if bad, ok := errorIn(c.outer[choiceError]); ok {
		s.flush(out)
		s.fail(bad, out)
		return
	}
	if why.Kind() != jscan.String || len(why) == 2 || why.Equal("null") {
		return
	}
	s.finish.seen = true
	s.finish.native = why.String()
	for _, v := range c.outer[choiceStop : choiceMatched+1] {
		// Of vLLM and SGLang: a number is a token, a string the sequence. Of others it is one more word for the reason, as they
		// spell those: "STOP" is a sequence that callers like.
		if v.Kind() == jscan.String && reasons[v.String()] == "" {
			s.finish.sequence = v.String()
		}
	}
	r := reasonOf(s.finish.native)
	if r == errorFinish || r == failedFinish && !s.said[runText] && len(s.calls) == 0 {
		s.flush(out)
		s.fail(failureOf(s.finish.native), out)
	}
}

// errorIn is the error that OpenRouter puts into a choice.
func errorIn(v jscan.Value) (failure.Failure, bool) {
	if v.Kind() != jscan.Object {
		return failure.Failure{}, false
	}
	return failure.Find(append(append([]byte(`{"error":`), v...), '}'))
}

// failureOf is the error of a finish that is one.
func failureOf(native string) failure.Failure {
	kind := abi.ErrAPI
	if native == "insufficient_system_resource" {
		kind = abi.ErrOverloaded
	}
	return failure.Failure{Kind: kind, Message: "the vendor ended the answer with finish_reason " + native}
}

// stop closes the answer: in the ordinary way when the vendor said that it finished or what came is whole, and with an
// error when it ended before it began or inside a tool call.
func (s *stream) stop(out *sdk.Events) {
	cut := s.flush(out)
	switch {
	case !s.started, !s.finish.seen && s.next == 0:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended before it began"}, out)
	case cut && !s.finish.seen:
		s.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended inside a tool call"}, out)
	default:
		s.done = true
		out.Stop(s.reason(), s.finish.native, s.finish.sequence)
	}
}

// flush closes the open blocks and reports whether a tool call was cut off.
func (s *stream) flush(out *sdk.Events) (cut bool) {
	s.leave(out)
	return s.closeCalls(out)
}

// reason is the canonical reason. Whether there was a tool call is seen, not believed: some vendors say "stop" after
// one, others "tool_calls" without.
func (s *stream) reason() string {
	called := false
	for _, c := range s.calls {
		called = called || c.begun
	}
	switch r := reasonOf(s.finish.native); {
	case s.finish.refused:
		return abi.FinishContentFilter
	case r == abi.FinishLength, r == abi.FinishContentFilter:
		return r
	case called:
		return abi.FinishToolCalls
	}
	return abi.FinishStop
}
