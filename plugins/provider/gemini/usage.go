package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// tokens are the vendor's own figures. Each chunk has those that are known so far, for the answer as a whole.
type tokens struct{ prompt, cached, candidates, thoughts, tools, total int64 }

// read takes the figures of a chunk and reports whether there were any. A later one replaces the earlier, and one that is
// absent, as those that are zero are, leaves it.
func (t *tokens) read(v jscan.Value) (found bool) {
	for key, f := range v.Fields() {
		n, ok := f.Int()
		if !ok || n < 0 {
			continue
		}
		switch string(key) {
		case "promptTokenCount":
			t.prompt = n
		case "cachedContentTokenCount":
			t.cached = n
		case "candidatesTokenCount":
			t.candidates = n
		case "thoughtsTokenCount":
			t.thoughts = n
		case "toolUsePromptTokenCount":
			t.tools = n
		case "totalTokenCount":
			t.total = n
		default:
			continue
		}
		found = true
	}
	return found
}

// usage splits the sums: the prompt holds what was read from the cache, while the answer's tokens hold neither thoughts
// nor what the vendor's tools read. Where the total knows of more, it is more that was thought.
func (t *tokens) usage() sdk.Usage {
	output := max(t.candidates+t.thoughts, t.total-t.prompt-t.tools)
	return sdk.Usage{
		Input:     max(0, t.prompt-t.cached) + t.tools,
		Output:    output,
		CacheRead: t.cached,
		Reasoning: t.thoughts,
	}
}

// report passes the count on when it says something new.
func (s *stream) report(out *sdk.Events) {
	if u := s.tokens.usage(); u != s.usage {
		s.usage = u
		out.Usage(u)
	}
}
