package messages

import "github.com/tidwall/gjson"

// usage merges what the vendor reports. It is cumulative, so a later number counts. Where a vendor counts input again,
// so do its zeros: what a compaction read from the cache is not the answer's. Elsewhere a zero doesn't take back a number,
// since some vendors send zeros for what they have said already.
func (t *Tap) usage(u gjson.Result) {
	r := &t.res
	counted := u.Get("input_tokens").Int() > 0 || u.Get("cache_read_input_tokens").Int() > 0 || u.Get("cache_creation_input_tokens").Int() > 0
	merge := func(to *int64, v gjson.Result) {
		if n := v.Int(); v.Type == gjson.Number && (n > 0 || n == 0 && counted) {
			*to = n
		}
	}
	u.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "input_tokens":
			merge(&r.Usage.Input, v)
			r.InputSeen = r.InputSeen || v.Type == gjson.Number
		case "output_tokens":
			merge(&r.Usage.Output, v)
			r.OutputSeen = r.OutputSeen || v.Type == gjson.Number
		case "cache_read_input_tokens":
			merge(&r.Usage.CacheRead, v)
		case "cache_creation_input_tokens":
			if merge(&t.writes, v); t.writes < r.Usage.CacheWrite1h { // unless it is said below how they were written
				r.Usage.CacheWrite1h = t.writes
			}
		case "output_tokens_details":
			merge(&r.Usage.Reasoning, v.Get("thinking_tokens"))
		}
		return true
	})
	merge(&r.Usage.CacheWrite1h, u.Get("cache_creation.ephemeral_1h_input_tokens"))
	r.Usage.CacheWrite = max(0, t.writes-r.Usage.CacheWrite1h)
}

// total takes usage that counts the whole output.
func (t *Tap) total(u gjson.Result) {
	t.usage(u)
	t.res.UsageSeen = t.res.UsageSeen || t.res.InputSeen && u.Get("output_tokens").Type == gjson.Number
}

// bedrock reads what Bedrock adds to the last event: counts of its own, and whether a guardrail spoke in the model's
// place. Then message_start has said all that was used, which may be nothing.
func (t *Tap) bedrock(data []byte) {
	r := &t.res
	metrics, guardrail := gjson.GetBytes(data, "amazon-bedrock-invocationMetrics"), gjson.GetBytes(data, "amazon-bedrock-guardrailAction")
	count := func(name string) int64 { return max(0, metrics.Get(name).Int()) }
	switch {
	case metrics.Get("outputTokenCount").Type == gjson.Number:
		if !r.inputCounted() {
			r.Usage.Input, r.Usage.CacheRead = count("inputTokenCount"), count("cacheReadInputTokenCount")
			r.Usage.CacheWrite = count("cacheWriteInputTokenCount")
		}
		r.Usage.Output = count("outputTokenCount")
		r.InputSeen, r.OutputSeen, r.UsageSeen = true, true, true
	case guardrail.Str == "INTERVENED":
		r.UsageSeen = r.InputSeen && r.OutputSeen
	}
}
