package main

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

func newGuest() sdktest.Guest { return sdk.NewAdapterGuest(manifest, anthropic{}) }

func build(t *testing.T, call string) *sdktest.Result {
	t.Helper()
	x := sdktest.Exchange{Call: call}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		call string
		want sdktest.Request
	}{
		"streamed": {`{"op":"chat","stream":true,"model":"m","anthropic_version":"2024-01-01","beta":["a","b"],"verbatim":true}`,
			sdktest.Request{Method: "POST", Path: "/v1/messages", Framing: "sse", Whole: true,
				Headers: map[string]string{"anthropic-version": "2024-01-01", "anthropic-beta": "a,b", "accept": "text/event-stream"}}},
		"whole, from another dialect": {`{"op":"chat","model":"m","verbatim":true,"settings":{"beta":["x"]}}`,
			sdktest.Request{Method: "POST", Path: "/v1/messages", Framing: "json", Whole: true,
				Headers: map[string]string{"anthropic-version": "2023-06-01", "anthropic-beta": "x"}}},
		"betas once": {`{"op":"chat","model":"m","verbatim":true,"beta":["x","y","x"],"settings":{"beta":["y","z"]}}`,
			sdktest.Request{Method: "POST", Path: "/v1/messages", Framing: "json", Whole: true,
				Headers: map[string]string{"anthropic-version": "2023-06-01", "anthropic-beta": "x,y,z"}}},
		"count": {`{"op":"count","stream":true,"model":"m","verbatim":true}`,
			sdktest.Request{Method: "POST", Path: "/v1/messages/count_tokens", Framing: "json", Whole: true,
				Headers: map[string]string{"anthropic-version": "2023-06-01"}}},
		"bedrock, streamed": {`{"op":"chat","stream":true,"model":"us.anthropic.claude-v1:0","verbatim":true,"settings":{"platform":"bedrock"}}`,
			sdktest.Request{Method: "POST", Path: "/model/us.anthropic.claude-v1%3A0/invoke-with-response-stream", Framing: "aws-eventstream", Whole: true,
				Edits: `{"set":{"anthropic_version":"bedrock-2023-05-31"},"delete":["model","stream"]}`}},
		"bedrock, whole": {`{"op":"chat","model":"arn/x","beta":["a","b"],"verbatim":true,"settings":{"platform":"bedrock"}}`,
			sdktest.Request{Method: "POST", Path: "/model/arn%2Fx/invoke", Framing: "json", Whole: true,
				Edits: `{"set":{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["a","b"]},"delete":["model","stream"]}`}},
		"vertex, streamed": {`{"op":"chat","stream":true,"model":"claude@1","beta":["a"],"verbatim":true,"settings":{"platform":"vertex"}}`,
			sdktest.Request{Method: "POST", Path: "/claude%401:streamRawPredict", Framing: "sse", Whole: true,
				Edits:   `{"set":{"anthropic_version":"vertex-2023-10-16"},"delete":["model"]}`,
				Headers: map[string]string{"anthropic-beta": "a", "accept": "text/event-stream"}}},
		"vertex, count": {`{"op":"count","model":"c","verbatim":true,"settings":{"platform":"vertex"}}`,
			sdktest.Request{Method: "POST", Path: "/count-tokens:rawPredict", Framing: "json", Whole: true,
				Edits: `{"set":{"anthropic_version":"vertex-2023-10-16"}}`}},
		"anthropic's own betas, at anthropic": {`{"op":"chat","model":"m","verbatim":true,"beta":["oauth-2025-04-20","fast-mode-2026-02-01","x"]}`,
			sdktest.Request{Method: "POST", Path: "/v1/messages", Framing: "json", Whole: true,
				Headers: map[string]string{"anthropic-version": "2023-06-01", "anthropic-beta": "oauth-2025-04-20,fast-mode-2026-02-01,x"}}},
		"anthropic's own betas, at bedrock": {`{"op":"chat","model":"m","verbatim":true,"beta":["oauth-2025-04-20","x","fast-mode-2026-02-01","fast-mode-2026-02-01"],"settings":{"platform":"bedrock"}}`,
			sdktest.Request{Method: "POST", Path: "/model/m/invoke", Framing: "json", Whole: true,
				Edits: `{"set":{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["x"]},"delete":["model","stream","speed"]}`}},
		"anthropic's own betas, at vertex": {`{"op":"chat","model":"m","verbatim":true,"beta":["prompt-caching-scope-2026-01-05","fast-mode-2026-02-01"],"settings":{"platform":"vertex"}}`,
			sdktest.Request{Method: "POST", Path: "/m:rawPredict", Framing: "json", Whole: true,
				Edits: `{"set":{"anthropic_version":"vertex-2023-10-16"},"delete":["model","speed"]}`}},
		"betas that the operator leaves out, and one he wants": {`{"op":"count","model":"m","verbatim":true,"beta":["web-search-2025-03-05","a","ab","advisor-tool-2026-03-01"],` +
			`"settings":{"platform":"vertex","without_beta":["web-search-*","a"],"beta":["advisor-tool-2026-03-01","a"]}}`,
			sdktest.Request{Method: "POST", Path: "/count-tokens:rawPredict", Framing: "json", Whole: true,
				Edits:   `{"set":{"anthropic_version":"vertex-2023-10-16"}}`,
				Headers: map[string]string{"anthropic-beta": "a,ab,advisor-tool-2026-03-01"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := build(t, tc.call)
			if got.Refusal != nil || !reflect.DeepEqual(got.Request, tc.want) {
				t.Errorf("got  %+v %+v\nwant %+v", got.Request, got.Refusal, tc.want)
			}
		})
	}
}

// TestDroppedBetas: the caller is told of those that are left out.
func TestDroppedBetas(t *testing.T) {
	for name, tc := range map[string]struct {
		call string
		want []string
	}{
		"bedrock": {`{"op":"chat","model":"m","verbatim":true,"beta":["oauth-2025-04-20","x","fast-mode-2026-02-01"],"settings":{"platform":"bedrock"}}`,
			[]string{"anthropic-beta.oauth-2025-04-20", "anthropic-beta.fast-mode-2026-02-01"}},
		"by the operator": {`{"op":"chat","model":"m","verbatim":true,"beta":["web-search-2025-03-05","a"],"settings":{"without_beta":["web-search-*"]}}`,
			[]string{"anthropic-beta.web-search-2025-03-05"}},
		"none": {`{"op":"chat","model":"m","verbatim":true,"beta":["oauth-2025-04-20"]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := build(t, tc.call); !reflect.DeepEqual(got.Dropped, tc.want) {
				t.Errorf("got %q, want %q", got.Dropped, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct{ call, kind string }{
		"translated lane":  {`{"op":"chat","model":"m"}`, abi.ErrFeatureUnsupported},
		"count on bedrock": {`{"op":"count","model":"m","verbatim":true,"settings":{"platform":"bedrock"}}`, abi.ErrFeatureUnsupported},
		"no such platform": {`{"op":"chat","model":"m","verbatim":true,"settings":{"platform":"moon"}}`, abi.ErrAPI},
	} {
		t.Run(name, func(t *testing.T) {
			if got := build(t, tc.call); got.Refusal == nil || got.Refusal.Kind != tc.kind {
				t.Errorf("got %+v, want %s", got.Refusal, tc.kind)
			}
		})
	}
}

const call = `{"op":"chat","stream":true,"model":"m","verbatim":true}`

func TestErrors(t *testing.T) {
	const shape = `{"type":"error","error":{"type":"`
	for name, tc := range map[string]struct {
		status  int
		headers map[string]string
		body    string
		kind    string
		wait    int64
	}{
		"invalid":      {400, nil, shape + `invalid_request_error","message":"temperature: range: 0..1"}}`, abi.ErrInvalidRequest, 0},
		"too long":     {400, nil, shape + `invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`, abi.ErrContextTooLong, 0},
		"too long, v4": {400, nil, shape + "invalid_request_error\",\"message\":\"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000\"}}", abi.ErrContextTooLong, 0},
		"unsupported":  {400, nil, shape + `invalid_request_error","message":"This model does not support effort level 'xhigh'."}}`, abi.ErrFeatureUnsupported, 0},
		"key":          {401, nil, shape + `authentication_error","message":"invalid x-api-key"}}`, abi.ErrAuthentication, 0},
		"money":        {400, nil, shape + `invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}`, abi.ErrBilling, 0},
		"permission":   {403, nil, shape + `permission_error","message":"no"}}`, abi.ErrPermission, 0},
		"model":        {404, nil, shape + `not_found_error","message":"model: x"}}`, abi.ErrNotFound, 0},
		"large":        {413, nil, shape + `request_too_large","message":"Request exceeds the maximum size"}}`, abi.ErrTooLarge, 0},
		"rate":         {429, map[string]string{"retry-after": "16"}, shape + `rate_limit_error","message":"slow"}}`, abi.ErrRateLimit, 16000},
		"overloaded":   {529, nil, shape + `overloaded_error","message":"Overloaded"}}`, abi.ErrOverloaded, 0},
		"no body":      {500, nil, ``, abi.ErrAPI, 0},
		"bedrock":      {429, nil, `{"message":"Too many requests, please wait before trying again."}`, abi.ErrRateLimit, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := sdktest.Document(tc.status, tc.body)
			a.Headers = tc.headers
			if tc.body == "" {
				a.Frames = nil
			}
			x := sdktest.Exchange{Call: call, Answer: a}
			got, err := x.Run(newGuest())
			if err != nil {
				t.Fatal(err)
			}
			e := got.Message.Error
			if e == nil || e.Kind != tc.kind || e.RetryAfterMS != tc.wait || e.Message == "" || len(got.Events) != 1 {
				t.Errorf("got %+v in %d events, want %s after %d", e, len(got.Events), tc.kind, tc.wait)
			}
		})
	}
}

// TestRecordedErrors: every error that was recorded gets the kind that its type names.
func TestRecordedErrors(t *testing.T) {
	recs, err := sdktest.Recordings("anthropic.messages")
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	kinds := map[int]string{401: abi.ErrAuthentication, 403: abi.ErrPermission, 404: abi.ErrNotFound, 413: abi.ErrTooLarge, 429: abi.ErrRateLimit, 529: abi.ErrOverloaded}
	n := 0
	for _, rec := range recs {
		if rec.Status < 400 {
			continue
		}
		n++
		t.Run(rec.Path, func(t *testing.T) {
			x := sdktest.Exchange{Call: call, Answer: rec.Answer()}
			got, err := x.Run(newGuest())
			if err != nil {
				t.Fatal(err)
			}
			e := got.Message.Error
			if want := kinds[rec.Status]; e == nil || want != "" && e.Kind != want {
				t.Fatalf("got %+v, want %s", e, want)
			}
			after := rec.Headers["retry-after"]
			seconds, err := strconv.ParseFloat(after, 64) // a date may be past
			if waits := e.RetryAfterMS > 0; waits != (seconds > 0) && (err == nil || after == "") {
				t.Errorf("retry-after %q: got %d ms", after, e.RetryAfterMS)
			}
		})
	}
	t.Logf("%d recorded errors judged; the %d other recordings never reach this adapter, the host's tap reads them", n, len(recs)-n)
}

// TestGoodAnswersAreSilent: should the host show frames of a good answer, they are not this adapter's.
func TestGoodAnswersAreSilent(t *testing.T) {
	x := sdktest.Exchange{Call: call, Answer: sdktest.SSE([]byte("event: message_start\ndata: {}\n\n"))}
	x.Answer.End = abi.EndCancelled
	got, err := x.Run(newGuest())
	if err != nil || len(got.Events) != 0 {
		t.Errorf("got %v %v", got.Events, err)
	}
}
