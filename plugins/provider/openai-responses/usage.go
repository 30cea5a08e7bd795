package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
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

// readUsage splits the vendor's sums.
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
	oai.Split(&u, input, output, total)
	return u, true
}

// A counter reads the answer to a count of tokens: {"object":"response.input_tokens","input_tokens":11}.
type counter struct {
	failure.Watch
	done bool
}

// Frame reads the count, or the body of an error.
func (c *counter) Frame(f sdk.Frame, out *sdk.Events) {
	if c.done {
		return
	}
	c.done = true
	if c.Refused() {
		c.Failure(f.Data).Emit(out)
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
	case c.Refused():
		c.Failure(nil).Emit(out)
	case why == abi.EndOfBody:
		out.Error(abi.ErrAPI, "the vendor's answer holds no count of tokens", 0)
	}
}
