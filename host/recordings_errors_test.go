package main

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

// errorModels are a model whose vendor fails as it was recorded, behind the adapter that speaks its protocol, and a dearer
// one of another vendor to fall over to.
const errorModels = `
%[3]s
provider "taped" {
  adapter  = %[1]q
  base_url = %[2]q
  auth "header" {
    name  = "x-key"
    value = "vendor-secret-t"
  }
}
model "first" {
  provider = "taped"
  upstream = "m"
  q_prior = "0.80"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "0.10"
    output = "0.20"
  }
}
model "next" {
  provider = "o"
  upstream = "sim-next"
  q_prior = "0.80"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "0.50"
    output = "1.00"
  }
}
`

// judged are the recorded 400s that a person has read, with what each is about: "request" ends a routed call; a "feature" that
// the model hasn't, or its size, doesn't, nor does a "key" that is refused, which some vendors say with a 400.
var judged = map[string]string{
	"anthropic/messages-err400-pydanticai-test-anthropic-explicit-effort-xhigh-unsupported-model-errors": "feature",
	"anthropic/messages-err400-reqllm-claude-3-5-haiku-20241022-object-basic":                            "feature",
	"anthropic/messages-err400-rig-error-identity-edge-validation-error-carries-identity":                "request",
	"bedrock/invoke-err400-otel-test-invoke-model-with-response-stream-invalid-model":                    "request",
	"deepseek/chat-err400-rig-wire-shape-matrix-chat-completion-re-nknown-model-with-the-provider-body":  "request",
	"deepseek/responses-err400-pydanticai-test-deepseek-responses-rejects-interleaved-function-calls":    "request",
	"doubleword/chat-err400-rig-error-matrix-invalid-temperature-blocking":                               "request",
	"gemini/generate-err400-firebase-streaming-failure-image-rejected":                                   "request",
	"gemini/generate-err400-reqllm-gemini-2-5-flash-image-object-streaming":                              "feature",
	"gemini/generate-err400-reqllm-gemini-2-5-flash-preview-tts-object-basic":                            "feature",
	"groq/chat-err400-reqllm-meta-llama-llama-4-scout-17b-16e-instruct-object-basic":                     "request",
	"groq/chat-err400-reqllm-meta-llama-llama-4-scout-17b-16e-instruct-tool-round-trip-1":                "request",
	"groq/chat-err400-reqllm-qwen-qwq-32b-token-limit":                                                   "request",
	"llamacpp/chat-err400-rig-error-matrix-malformed-request-field":                                      "request",
	"llamacpp/chat-err400-rig-multimodal-matrix-malformed-data-uri":                                      "request",
	"llamacpp/chat-err400-rig-multimodal-matrix-video-part-is-refused":                                   "feature",
	"mistral/chat-err400-rig-logprobs-rejection-matrix-streaming-ministral-3b":                           "feature",
	"mistral/chat-err400-rig-response-identity-edge-blocking-error-carries-the-correlation-id":           "request",
	"openai/chat-err400-ai-gateway-chat-bad-request":                                                     "feature",
	"openai/chat-err400-ai-gateway-chat-no-messages":                                                     "request",
	"openai/chat-err400-openllmetry-test-vision-base64-t4":                                               "request",
	"openai/chat-err400-openllmetry-test-vision-with-events-with-content-t3":                             "request",
	"openrouter/chat-err400-reqllm-openai-gpt-4-1-mini-usage":                                            "request",
	"openrouter/chat-err400-rig-response-identity-edge-routed-failure-error-shape":                       "request",
	"vertex/generate-err400-firebase-streaming-failure-http-error":                                       "request",
	"vertex/generate-err400-otel-test-generate-content-invalid-role":                                     "request",
	"vertex/generate-err400-otel-test-generate-content-invalid-temperature":                              "request",
	"xai/chat-err400-reqllm-grok-code-fast-1-reasoning-basic":                                            "feature",
	"xai/responses-err400-rig-response-identity-auth-rejection-classifies-with-contract":                 "key",
	"xai/responses-err400-rig-response-identity-provider-error-cla-ies-with-contract-but-reports-no-id":  "request",
}

// TestRecordedErrors makes a call at every vendor that was recorded failing, before its answer or in the midst of it, pinned
// and routed: what the caller is told, who else was asked, and what was written down is the specification's.
func TestRecordedErrors(t *testing.T) {
	recs, err := sdktest.Recordings("openai.chat", "mistral.chat", "openai.responses", "gemini.generateContent", "anthropic.messages", "bedrock.invoke")
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	byAdapter := map[string][]*sdktest.Recording{}
	for i := range recs {
		adapter, _ := adapterOf(&recs[i])
		if adapter == "" || strings.HasSuffix(recs[i].File, ".bin") { // exceptions of AWS's are in the tests of the provider
			continue
		}
		if recs[i].Status >= 400 || readingOf(t, &recs[i]).err != "" {
			byAdapter[adapter] = append(byAdapter[adapter], &recs[i])
		}
	}
	for _, adapter := range sortedKeys(byAdapter, strings.Compare) {
		t.Run(adapter, func(t *testing.T) {
			v := newTaped(t)
			plugin := ""
			if adapter == "gemini" || adapter == "openai-responses" {
				plugin = fmt.Sprintf("plugin %q {\n module = %q\n isolation = \"shared\"\n}", adapter, guest(t, "./plugins/provider/"+adapter))
			}
			serve := func() *running { return start(t, fmt.Sprintf(errorModels, adapter, v.url, plugin)) }
			var r *running
			for _, rec := range byAdapter[adapter] {
				t.Run(rec.Path, func(t *testing.T) {
					if r == nil {
						r = serve()
					}
					f := &failing{t: t, r: r, v: v, rec: rec, about: judged[rec.Path], verbatim: adapter == "anthropic" && len(rec.Body) > 0}
					f.pinned()
					if f.waits {
						r.stop() // the deployment is kept out for as long as its vendor asked
						r = serve()
						f.r = r
					}
					f.routed()
					if f.waits {
						r.clean()
						r.stop()
						r = nil
					}
				})
			}
			if r != nil {
				r.clean()
			}
		})
	}
}

// failing is one recorded failure at a server.
type failing struct {
	t        *testing.T
	r        *running
	v        *taped
	rec      *sdktest.Recording
	verbatim bool
	about    string // as in judged; "" of a 400 that nobody has read, whose caller may be told either way
	waits    bool   // the vendor asked to be left alone
	started  bool   // it failed after its answer had begun
}

// ask makes the call, streamed where the recording is.
func (f *failing) ask(model string) (*http.Response, string) {
	f.t.Helper()
	kind := f.rec.Headers["content-type"]
	if kind == "" {
		kind = map[bool]string{true: "text/event-stream", false: "application/json"}[f.rec.Stream && f.rec.Status == 200]
	}
	var header []string
	for _, name := range []string{"retry-after", "x-should-retry"} {
		if h := f.rec.Headers[name]; h != "" {
			header = append(header, name, h)
		}
	}
	f.v.will(f.rec.Status, kind, string(f.rec.Body), 1<<20, header...)
	stream := f.rec.Stream || f.rec.Status >= 400
	return f.r.message(fmt.Sprintf(`{"model":%q,"max_tokens":64,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`, model, stream))
}

// passes says whether the vendor's judgement is of the request, and so the caller's to hear.
func (f *failing) passes() bool {
	switch f.rec.Status {
	case 413, 422:
		return true
	case 400:
		return f.about != "key"
	}
	return false
}

// ends says whether nobody else is asked on a routed call: 4xx that are about the request.
func (f *failing) ends() bool {
	switch f.rec.Status {
	case 401, 403, 404, 408, 429:
		return false
	case 400:
		return f.about == "request"
	}
	return f.rec.Status >= 400 && f.rec.Status < 500
}

// judge takes what the host makes of a 400 that nobody has read. It stays the same for what follows.
func (f *failing) judge(what string) {
	f.about = what
	f.t.Logf("nobody has read this 400, which is taken for one about the %s: %s", what, readingOf(f.t, f.rec).err)
}

func (f *failing) pinned() {
	f.t.Helper()
	resp, body := f.ask("first")
	f.waits = resp.Header.Get("retry-after") != ""
	if f.rec.Status == 200 && resp.StatusCode == 200 {
		f.started = true
		f.broken(resp, body)
		return
	}
	if f.rec.Status == 400 && f.about == "" && resp.StatusCode == http.StatusBadGateway {
		f.judge("key")
	}
	want := http.StatusBadGateway
	if f.passes() || f.rec.Status == 429 {
		want = f.rec.Status
	}
	if resp.StatusCode != want {
		f.t.Errorf("pinned: got %d %s, want %d", resp.StatusCode, body, want)
	}
	said := readingOf(f.t, f.rec).err
	switch {
	case f.passes() && f.verbatim:
		if body != string(f.rec.Body) {
			f.t.Errorf("pinned: got %s, want the vendor's own %s", body, f.rec.Body)
		}
	case f.passes() || f.rec.Status == 429:
		if got := gjson.Get(body, "error.message").Str; !strings.Contains(got, said) {
			f.t.Errorf("pinned: got %q, want the vendor's words %q", got, said)
		}
	case f.rec.Status >= 400:
		if got := gjson.Get(body, "error.upstream_status").Int(); got != int64(f.rec.Status) {
			f.t.Errorf("pinned: upstream_status: got %s, want %d", body, f.rec.Status)
		}
		if code := f.rec.Status; (code == 401 || code == 403) && said != unsaid && strings.Contains(body, said) {
			f.t.Errorf("pinned: the operator's trouble is told to the caller: %s", body)
		}
	}
	f.retryAfter(resp)
	if resp.Header.Get("x-should-retry") != "" {
		f.t.Errorf("pinned: the vendor's x-should-retry was passed on")
	}
	if row := f.row(resp); row != "failed_provider_error 0 first" {
		f.t.Errorf("pinned: row %s", row)
	}
}

// retryAfter: what the vendor said in its header is what the caller is told, where it is told to wait at all.
func (f *failing) retryAfter(resp *http.Response) {
	f.t.Helper()
	got := resp.Header.Get("retry-after")
	want := f.rec.Headers["retry-after"]
	switch n, err := strconv.Atoi(want); {
	case f.passes() && got != "": // the same request is as wrong later
		f.t.Errorf("retry-after: got %q with what is the caller's to mend", got)
	case f.passes(), err != nil, n <= 0: // none, a date that is over, or no number that says anything
	case got != want:
		f.t.Errorf("retry-after: got %q, want %q", got, want)
	}
	if f.rec.Status == 429 && got == "" && want == "" && slices.Contains(f.rec.Features, "retry_after") {
		f.t.Errorf("retry-after: the vendor said one, and the caller was not told")
	}
}

func (f *failing) routed() {
	f.t.Helper()
	resp, body := f.ask("ainfera-inference")
	switch {
	case f.rec.Status != 400 || f.about != "":
	case resp.StatusCode == 200:
		f.judge("feature")
	default:
		f.judge("request")
	}
	switch {
	case f.started:
		f.broken(resp, body)
	case f.ends() && f.verbatim:
		if resp.StatusCode != f.rec.Status || body != string(f.rec.Body) {
			f.t.Errorf("routed: got %d %.60s, want the vendor's own %d %s", resp.StatusCode, body, f.rec.Status, f.rec.Body)
		}
	case f.ends():
		if resp.StatusCode != 400 {
			f.t.Errorf("routed: got %d %.60s, want 400", resp.StatusCode, body)
		}
	default:
		if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "next" || !strings.Contains(body, "imulated") {
			f.t.Errorf("routed: got %d %s from %q, want next to serve", resp.StatusCode, body, resp.Header.Get("x-ainfera-model"))
		}
		if row := f.row(resp); !strings.HasPrefix(row, "succeeded ") || !strings.HasSuffix(row, " first next") {
			f.t.Errorf("routed: row %s", row)
		}
		return
	}
	if row := f.row(resp); row != "failed_provider_error 0 first" {
		f.t.Errorf("routed: row %s", row)
	}
}

// broken is a stream that began and can't be completed: it says so in the grammar's only way, and never twice.
func (f *failing) broken(resp *http.Response, body string) {
	f.t.Helper()
	events := eventsOf(f.t, body)
	last := events[len(events)-1]
	if resp.StatusCode != 200 || events[0].name != "message_start" || last.name != "error" || strings.Contains(body, "message_stop") {
		f.t.Fatalf("got %d %s, want a stream that ends in an error", resp.StatusCode, names(events))
	}
	said := readingOf(f.t, f.rec).err
	if e, _ := last.data["error"].(map[string]any); !strings.Contains(fmt.Sprint(e["message"]), said) || last.data["request_id"] != resp.Header.Get("request-id") {
		f.t.Errorf("got %v, want the vendor's words %q", last.data, said)
	}
	if row := f.row(resp); !strings.HasPrefix(row, "failed_provider_error 0 first") {
		f.t.Errorf("row %s", row)
	}
}

// row is a call's status, its cost and who was tried, once it is written.
func (f *failing) row(resp *http.Response) string {
	f.t.Helper()
	s := &sight{}
	s.books(f.r, resp.Header.Get("request-id"))
	if len(s.Inference) != 1 {
		return fmt.Sprintf("%d inferences", len(s.Inference))
	}
	return fmt.Sprintf("%s %s %s", s.Inference[0][0], map[bool]string{true: "0", false: "some"}[s.Inference[0][15] == "0"], s.Tries)
}
