package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// usageKeys are the fields of usageMetadata, in the vendor's order.
var usageKeys = [...]string{"promptTokenCount", "candidatesTokenCount", "totalTokenCount", "promptTokensDetails", "candidatesTokensDetails",
	"thoughtsTokenCount", "cachedContentTokenCount", "toolUsePromptTokenCount"}

// tokens are the vendor's own figures. Each chunk has those that are known so far, for the answer as a whole.
type tokens struct{ prompt, candidates, total, thoughts, cached, tools int64 }

// read takes the figures of a chunk and reports whether there were any. A later one replaces the earlier, and one that is
// absent, as those that are zero are, leaves it.
func (t *tokens) read(usage *[len(usageKeys)]jscan.Value) (found bool) {
	places := [len(usageKeys)]*int64{&t.prompt, &t.candidates, &t.total, nil, nil, &t.thoughts, &t.cached, &t.tools}
	for i, v := range usage {
		if v == nil || places[i] == nil {
			continue
		}
		if n, ok := v.Int(); ok && n >= 0 {
			*places[i], found = n, true
		}
	}
	return found
}

// usage splits the sums: the prompt holds what was read from the cache, while the answer's tokens hold neither thoughts
// nor what the vendor's tools read. Where the total knows of more, it is more that was thought. No prompt is empty: one that
// isn't counted, as beside some images, is unknown.
func (t *tokens) usage() sdk.Usage {
	output := max(t.candidates+t.thoughts, t.total-t.prompt-t.tools)
	u := sdk.UnknownUsage()
	u.Output = output
	if t.prompt > 0 {
		u.Input = max(0, t.prompt-t.cached) + t.tools
	}
	if t.cached > 0 {
		u.CacheRead = t.cached
	}
	if t.thoughts > 0 {
		u.Reasoning = t.thoughts
	}
	return u
}

// report passes the count on when it says something new. Zeros say nothing.
func (s *stream) report(out *sdk.Events) {
	if u := s.tokens.usage(); u != s.usage && s.tokens.prompt+u.Output > 0 {
		s.usage = u
		out.Usage(u)
	}
}
