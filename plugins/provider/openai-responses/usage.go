package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// count passes a usage object on. A vendor that writes one at the start of a stream fills it with zeros, so only the
// last one is asked for.
func (s *stream) count(v jscan.Value, out *sdk.Events) {
	if u, ok := readUsage(v); ok {
		out.Usage(u)
	}
}

// readUsage splits the vendor's sums: input_tokens hold what was read from the cache and written to it, and
// output_tokens the reasoning, except where the total shows that they don't.
func readUsage(v jscan.Value) (u sdk.Usage, ok bool) {
	var input, output, total int64
	for key, f := range v.Fields() {
		n, whole := f.Int()
		switch string(key) {
		case "input_tokens", "prompt_tokens": // the latter is Chat Completions', and Fireworks's
			input, ok = n, ok || whole
		case "output_tokens", "completion_tokens":
			output, ok = n, ok || whole
		case "total_tokens":
			total = n
		case "input_tokens_details", "prompt_tokens_details":
			u.CacheRead = f.Get("cached_tokens").IntOr(0)
			u.CacheWrite = f.Get("cache_write_tokens").IntOr(0)
		case "output_tokens_details", "completion_tokens_details":
			u.Reasoning = f.Get("reasoning_tokens").IntOr(0)
		}
	}
	if !ok || input == 0 && output == 0 {
		return u, false
	}
	switch {
	case total-input > output:
		output = total - input
	case u.Reasoning > output:
		output += u.Reasoning
	}
	u.Output = output
	u.Input = max(0, input-u.CacheRead-u.CacheWrite)
	return u, true
}

// A counter reads the answer to a count of tokens: {"object":"response.input_tokens","input_tokens":11}.
type counter struct {
	refused *sdk.Head
	done    bool
}

// Head notes the status; an error's body follows.
func (c *counter) Head(h *sdk.Head, _ *sdk.Events) {
	if h.Failed() {
		kept := h.Clone()
		c.refused = &kept
	}
}

// Frame reads the count, or the body of an error.
func (c *counter) Frame(f sdk.Frame, out *sdk.Events) {
	if c.done {
		return
	}
	c.done = true
	if c.refused != nil {
		failure.Answer(c.refused, f.Data).Emit(out)
		return
	}
	doc, _ := jscan.Parse(f.Data)
	n, ok := doc.Get("input_tokens").Int()
	if !ok || n < 0 {
		bad, said := failure.Find(doc)
		if !said {
			bad = failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer holds no count of tokens"}
		}
		bad.Emit(out)
		return
	}
	u := sdk.UnknownUsage()
	u.Input = n
	out.MessageStart("", "")
	out.Usage(u)
	out.Stop(abi.FinishStop, "", "")
}

// End answers for a vendor that sent nothing.
func (c *counter) End(why abi.EndReason, out *sdk.Events) {
	switch {
	case c.done:
	case c.refused != nil:
		failure.Answer(c.refused, nil).Emit(out)
	case why == abi.EndOfBody:
		out.Error(abi.ErrAPI, "the vendor's answer holds no count of tokens", 0)
	}
}
