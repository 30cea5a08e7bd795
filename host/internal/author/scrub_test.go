package author

import (
	"maps"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"known":          {"a vendor-secret-1 b", "a REMOVED b"},
		"key":            {`{"echo":"sk-proj-abc_DEF0123456789"}`, `{"echo":"REMOVED"}`},
		"bearer":         {"Authorization: Bearer abcdef0123456789", "Authorization: REMOVED"},
		"organization":   {`{"organization": "acme-inc", "x": 1}`, `{"organization": "REMOVED", "x": 1}`},
		"escaped quote":  {`{"user_id":"a\"b","x":1}`, `{"user_id":"REMOVED","x":1}`},
		"org id in text": {"quota of org-a1b2c3d4 is used up", "quota of REMOVED is used up"},
		"web token":      {"eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc", "REMOVED"},
		"others' keys":   {"ghp_0123456789abcdefABCDEF hf_abcdefghijABCDEFGHIJ xoxb-1234567890-abc nvapi-0123456789ab ya29.a0AfH6SMBx-12345", "REMOVED REMOVED REMOVED REMOVED REMOVED"},
		"no key":         {"half_baked r8_short and ghost_writer", "half_baked r8_short and ghost_writer"},
		"plain text":     {`{"content":"a token, a key and an organization"}`, `{"content":"a token, a key and an organization"}`},
		"a stream":       {`data: {"delta":{"content":"skip-it"},"token":"a"}`, `data: {"delta":{"content":"skip-it"},"token":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Scrub(tc.text, "vendor-secret-1", "", "a"); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestScrubHeaders(t *testing.T) {
	got := ScrubHeaders(map[string][]string{"Content-Type": {"text/event-stream"}, "Set-Cookie": {"s=1"}, "Openai-Organization": {"acme"},
		"X-Request-Id": {"req_1"}, "Retry-After": {"3"}, "X-Ratelimit-Remaining-Tokens": {"7"}, "Cf-Ray": {"x"}})
	want := map[string]string{"content-type": "text/event-stream", "retry-after": "3", "x-ratelimit-remaining-tokens": "7"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzScrub: a known secret is never left, and what was scrubbed once stays as it is.
func FuzzScrub(f *testing.F) {
	f.Add(`{"api_key":"x"}`)
	f.Add(`"user_id":"\\"`)
	f.Fuzz(func(t *testing.T, text string) {
		const secret = "~hush!hush~"
		once := Scrub(text+secret+text, secret)
		if strings.Contains(once, secret) {
			t.Errorf("got %q", once)
		}
	})
}
