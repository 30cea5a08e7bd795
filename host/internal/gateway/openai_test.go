package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/schema"
)

// chat sends a body to /v1/chat/completions, up to the response's head.
func (r *rig) chat(body string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.http.URL+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (r *rig) chatted(body string) (*http.Response, string) {
	r.t.Helper()
	resp := r.chat(body)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

// sdkEvents are what the official SDK's decoder makes of a stream.
func sdkEvents(t *testing.T, text string) (data []string) {
	t.Helper()
	d := ssestream.NewDecoder(&http.Response{Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(strings.NewReader(text))})
	for d.Next() {
		data = append(data, string(bytes.TrimSpace(d.Event().Data)))
	}
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestChatPing has a vendor that goes still until the caller has seen a ping.
func TestChatPing(t *testing.T) {
	for _, lane := range []string{"v1", "t1"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *Config) { c.PingAfter = time.Millisecond })
			begin, end := evStart+evBlock+evDelta, evDelta+evClose+evStop+evLast
			if lane == "t1" {
				begin, end = "data: {\"text\":\"hello\"}\n\n", "data: {\"text\":\"hello\"}\n\ndata: {\"stop\":1}\n\ndata: [DONE]\n\n"
			}
			seen := make(chan struct{})
			r.serve(lane, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				sse(begin)(w, req)
				select {
				case <-seen:
				case <-req.Context().Done():
					return
				}
				sse(end)(w, req)
			})
			resp := r.chat(ask(lane, true))
			var all strings.Builder
			lines, pings := bufio.NewReader(resp.Body), 0
			for {
				line, err := lines.ReadString('\n')
				all.WriteString(line)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if line == ": ping\n" {
					if pings++; pings == 1 {
						close(seen)
					}
				}
			}
			events, said := sdkEvents(t, all.String()), ""
			for _, e := range events[:len(events)-1] {
				if !gjson.Valid(e) {
					t.Errorf("an event that is no JSON: %q", e)
				}
				said += gjson.Get(e, "choices.0.delta.content").Str
			}
			if pings == 0 || strings.Contains(all.String(), ": ping\n\n") || said != "hellohello" || events[len(events)-1] != "[DONE]" {
				t.Errorf("%d pings in\n%s", pings, all.String())
			}
		})
	}
}

// TestChatHashes has the books hold what the caller sent and what it got, not what was made of them.
func TestChatHashes(t *testing.T) {
	r := newRig(t)
	r.serve("v1", answer(200, wholeAnswer))
	r.serve("t1", sse("data: {\"text\":\"hello\"}\n\ndata: {\"usage\":{\"input\":3,\"output\":5}}\n\ndata: {\"stop\":1}\n\n"))
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	for _, tc := range []struct {
		model  string
		stream bool
	}{{"v1", false}, {"t1", true}} {
		body := ask(tc.model, tc.stream)
		resp, text := r.chatted(body)
		row := r.row(resp)
		if resp.StatusCode != 200 || row.RequestHash != sum(body) || row.ResponseHash != sum(text) || row.Endpoint != "/v1/chat/completions" {
			t.Errorf("%s: row %+v of %s", tc.model, row, text)
		}
	}
	r.clean()
}

// TestChatHeaders tells the caller in its own words what was left out and what was changed.
func TestChatHeaders(t *testing.T) {
	r := newRig(t)
	r.guests["v"].dropped = []string{"stop_sequences", "metadata.user_id"}
	r.serve("v1", answer(200, wholeAnswer))
	resp, text := r.chatted(`{"model":"v1","max_completion_tokens":9999,"logprobs":true,"temperature":1.5,"reasoning_effort":"low","stop":"x","user":"u","messages":[{"role":"user","content":"hi"}]}`)
	if got, want := resp.Header.Get("X-Ainfera-Dropped"), "logprobs, reasoning_effort, stop, user"; resp.StatusCode != 200 || got != want {
		t.Errorf("dropped %q, want %q: %s", got, want, text)
	}
	if got, want := resp.Header.Get("X-Ainfera-Edited"), "max_tokens lowered, reasoning_effort removed, temperature lowered"; got != want {
		t.Errorf("edited %q, want %q", got, want)
	}
	if ids := gjson.Get(text, "ainfera"); ids.Get("inference_id").Str != resp.Header.Get("X-Ainfera-Inference-Id") || ids.Get("audit_url").Str != resp.Header.Get("X-Ainfera-Audit-Url") {
		t.Errorf("ids %s", ids.Raw)
	}
	if m := gjson.Get(text, "model").Str; m != "v1" {
		t.Errorf("model %s", m)
	}
}

// TestChatStreamsEnd holds how a stream ends on the lane where the vendor speaks Anthropic.
func TestChatStreamsEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		pieces []string
		last   string // the data of the last event, or the code of its error
		status string
	}{
		"Properly":              {[]string{evStart + evBlock, evDelta, evClose + evStop + evLast}, "[DONE]", schema.StatusSucceeded},
		"WithoutMessageStop":    {[]string{evStart + evBlock, evDelta, evClose + evStop}, "[DONE]", schema.StatusSucceeded},
		"BrokenBehindTheReason": {[]string{evStart + evBlock, evDelta, evClose + evStop, broken}, "[DONE]", schema.StatusSucceeded},
		"Broken":                {[]string{evStart + evBlock, evDelta, broken}, codeProviderFailed, schema.StatusFailedProviderError},
		"Cut":                   {[]string{evStart + evBlock, evDelta}, codeProviderFailed, schema.StatusFailedProviderError},
		"Fault":                 {[]string{evStart + evBlock, evDelta + evFault}, codeProviderFailed, schema.StatusFailedProviderError},
		"NotADelta":             {[]string{evStart + evBlock, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\\q\"}}\n\n"}, codeProviderFailed, schema.StatusFailedProviderError},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.serve("v1", sse(tc.pieces...))
			resp, text := r.chatted(ask("v1", true))
			events := sdkEvents(t, text)
			last := events[len(events)-1]
			if code := gjson.Get(last, "error.code").Str; code != "" {
				last = code
			}
			if last != tc.last || strings.Count(text, "[DONE]") > 1 || strings.Count(text, `"error"`) > 1 {
				t.Errorf("the stream ends in %s:\n%s", last, text)
			}
			if row := r.row(resp); row.Status != tc.status {
				t.Errorf("booked %s, want %s", row.Status, tc.status)
			}
			r.clean()
		})
	}
}
