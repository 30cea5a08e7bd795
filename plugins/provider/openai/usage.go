package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// count reads a usage object and passes it on when it says something new. A later one replaces the earlier; one that is
// all zeros, as some vendors begin or end with, doesn't.
func (s *stream) count(v jscan.Value, out *sdk.Events) {
	u, ok := readUsage(v)
	if !ok || u == s.usage || u.Input == 0 && u.Output == 0 && u.CacheRead == 0 {
		return
	}
	s.usage, s.counted = u, true
	out.Usage(u)
}

// readUsage splits the vendor's sums. Cache and reasoning stand in places of many names.
func readUsage(v jscan.Value) (u sdk.Usage, ok bool) {
	var prompt, completion, total int64 = 0, 0, 0
	for key, f := range v.Fields() {
		n, whole := f.Int()
		switch string(key) {
		case "prompt_tokens":
			prompt, ok = n, ok || whole
		case "completion_tokens":
			completion, ok = n, ok || whole
		case "total_tokens":
			total = n
		case "prompt_tokens_details", "prompt_token_details":
			u.CacheRead = max(u.CacheRead, f.Get("cached_tokens").IntOr(0))
			for _, written := range [...]string{"cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"} {
				u.CacheWrite = max(u.CacheWrite, f.Get(written).IntOr(0))
			}
		case "completion_tokens_details":
			u.Reasoning = max(u.Reasoning, f.Get("reasoning_tokens").IntOr(0))
		case "reasoning_tokens":
			u.Reasoning = max(u.Reasoning, n)
		case "cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens":
			u.CacheRead = max(u.CacheRead, n)
		case "cache_creation_input_tokens":
			u.CacheWrite = max(u.CacheWrite, n)
		}
	}
	if !ok {
		return u, false
	}
	oai.Split(&u, prompt, completion, total)
	return u, true
}
