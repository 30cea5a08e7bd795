package failure_test

import (
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// judge runs Answer on the Head that an adapter is shown.
func judge(status int, headers map[string]string, body string) (f failure.Failure) {
	b := jwrite.AppendInt([]byte(`{"status":`), status)
	b = append(b, `,"headers":{`...)
	for k, v := range headers {
		b = jwrite.AppendString(jwrite.AppendKey(b, k), v)
	}
	g := sdk.NewAdapterGuest(sdk.Manifest{}, probe(func(h *sdk.Head) { f = failure.Answer(h, []byte(body)) }))
	g.Open(1, abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindOpen, 0, 0, []byte(`{}`)))
	g.Push(1, abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindHead, 0, 0, append(b, "}}"...)))
	return f
}

type probe func(*sdk.Head)

func (p probe) Open(_ *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	out.Begin("POST", "/", abi.FramingSSE)
	return p, nil
}
func (p probe) Head(h *sdk.Head, _ *sdk.Events)        { p(h) }
func (p probe) Frame(sdk.Frame, *sdk.Events)           {}
func (p probe) End(why abi.EndReason, out *sdk.Events) {}

func TestAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		headers map[string]string
		body    string
		want    failure.Failure
	}{
		"openai": {401, nil, `{"error":{"message":"Bad key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
			failure.Failure{Kind: abi.ErrAuthentication, Message: "Bad key"}},
		"context by code": {400, nil, `{"error":{"message":"Too much","code":"context_length_exceeded"}}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "Too much"}},
		"context by message": {400, nil, `{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "This model's maximum context length is 4096 tokens."}},
		"context, from anthropic": {400, nil, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "prompt is too long: 210000 tokens > 200000 maximum"}},
		"context as a 500": {500, nil, `{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "the request exceeds the available context size"}},
		"unsupported by code": {400, nil, `{"error":{"message":"Use another","code":"unsupported_parameter"}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "Use another"}},
		"a parameter that was taken away": {400, nil, `{"message":"The model returned the following errors: temperature is deprecated for this model."}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "The model returned the following errors: temperature is deprecated for this model."}},
		"parameters that exclude each other": {400, nil, `{"type":"error","error":{"type":"invalid_request_error","message":"temperature and top_p cannot both be specified for this model."}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "temperature and top_p cannot both be specified for this model."}},
		"a beta that Bedrock lacks": {400, nil, `{"message":"The model returned the following errors: invalid beta flag"}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "The model returned the following errors: invalid beta flag"}},
		"a beta that Vertex lacks": {400, nil, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Unexpected value(s) `b-1` for the `anthropic-beta` header.\"}}",
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "Unexpected value(s) `b-1` for the `anthropic-beta` header."}},
		"unsupported by message": {400, nil, `{"code":"Client specified an invalid argument","error":"Model m does not support parameter reasoningEffort."}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "Model m does not support parameter reasoningEffort."}},
		"key as a 400, from xAI": {400, nil, `{"code":"invalid-argument","error":"Incorrect API key provided. You can obtain an API key from https://console.x.ai."}`,
			failure.Failure{Kind: abi.ErrAuthentication, Message: "Incorrect API key provided. You can obtain an API key from https://console.x.ai."}},
		"no endpoint": {404, nil, `{"error":{"code":404,"message":"No endpoints found that support tool use."}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "No endpoints found that support tool use."}},
		"an image is a caller's trouble": {400, nil, `{"error":{"message":"You uploaded an unsupported image.","code":"invalid_image_format","type":"invalid_request_error"}}`,
			failure.Failure{Kind: abi.ErrInvalidRequest, Message: "You uploaded an unsupported image."}},
		"model gone": {400, nil, `{"error":{"code":"model_decommissioned","message":"gone","type":"invalid_request_error"}}`,
			failure.Failure{Kind: abi.ErrNotFound, Message: "gone"}},
		"quota": {429, nil, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`,
			failure.Failure{Kind: abi.ErrBilling, Message: "You exceeded your current quota"}},
		"rate limit that speaks of tokens": {413, nil, `{"error":{"message":"Request too large on tokens per minute, please reduce your message size. Upgrade at https://x/billing","type":"tokens","code":"rate_limit_exceeded"}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "Request too large on tokens per minute, please reduce your message size. Upgrade at https://x/billing"}},
		"wait in the message": {429, nil, `{"error":{"message":"Please try again in 4.77s. Need more?","type":"tokens"}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "Please try again in 4.77s. Need more?", RetryAfterMS: 4770}},
		"wait in a header wins": {429, map[string]string{"retry-after": "2"}, `{"error":{"message":"try again in 4.77s"}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "try again in 4.77s", RetryAfterMS: 2000}},
		"wait quoted by a gateway": {429, map[string]string{"date": "Tue, 24 Feb 2026 15:00:00 GMT"},
			`{"error":{"code":429,"message":"slow","metadata":{"headers":{"X-RateLimit-Reset":"1771945210000"}}}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "slow", RetryAfterMS: 10000}},
		"gateway quoting a vendor": {400, nil, `{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"Too much\",\"code\":\"context_length_exceeded\"}}"}}}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "Provider returned error: Too much"}},
		"gateway quoting text": {429, nil, `{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"busy upstream"}}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "Provider returned error: busy upstream"}},
		"fastapi": {422, nil, `{"detail":[{"type":"extra_forbidden","loc":["body","store"],"msg":"Extra inputs are not permitted","input":false},{"loc":["body","messages",0],"msg":"bad"}]}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "store: Extra inputs are not permitted; messages: bad"}},
		"litellm": {400, nil, `{"detail":{"error":{"message":"no such model here","code":"model_not_found"}}}`,
			failure.Failure{Kind: abi.ErrNotFound, Message: "no such model here"}},
		"litellm, text": {400, nil, `{"detail":{"error":"Invalid model name"}}`, failure.Failure{Kind: abi.ErrInvalidRequest, Message: "Invalid model name"}},
		"fastapi, text": {401, nil, `{"detail":"Unauthorized"}`, failure.Failure{Kind: abi.ErrAuthentication, Message: "Unauthorized"}},
		"a string":      {404, nil, `{"error":"model not found"}`, failure.Failure{Kind: abi.ErrNotFound, Message: "model not found"}},
		"google":        {429, nil, `[{"error":{"code":429,"message":"Resource exhausted","status":"RESOURCE_EXHAUSTED"}}]`, failure.Failure{Kind: abi.ErrRateLimit, Message: "Resource exhausted"}},
		"google, with a wait": {429, nil, `{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.074824224s"}]}}`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "You exceeded your current quota", RetryAfterMS: 34074}},
		"google, in an array": {429, nil, `[{"error":{"code":429,"message":"Slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}]`,
			failure.Failure{Kind: abi.ErrRateLimit, Message: "Slow", RetryAfterMS: 7000}},
		"google, a bad key as a 400": {400, nil, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}`,
			failure.Failure{Kind: abi.ErrAuthentication, Message: "API key not valid. Please pass a valid API key."}},
		"google, no such model": {404, nil, `{"error":{"code":404,"message":"models/x is not found for API version v1beta, or is not supported for generateContent.","status":"NOT_FOUND"}}`,
			failure.Failure{Kind: abi.ErrNotFound, Message: "models/x is not found for API version v1beta, or is not supported for generateContent."}},
		"google, a mode that a model lacks": {400, nil, `{"error":{"code":400,"message":"JSON mode is not enabled for models/m","status":"INVALID_ARGUMENT"}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "JSON mode is not enabled for models/m"}},
		"google, a kind of image that it lacks": {400, nil, `{"error":{"code":400,"message":"Unsupported MIME type: image/gif","status":"INVALID_ARGUMENT"}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "Unsupported MIME type: image/gif"}},
		"google, a schema with too many states": {400, nil, `{"error":{"code":400,"message":"The schema has too many states for serving.","status":"INVALID_ARGUMENT"}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "The schema has too many states for serving."}},
		"google, a schema too deep": {400, nil, `{"error":{"code":400,"message":"FunctionDeclaration 'f' exceeds the maximum allowed nesting depth.","status":"INVALID_ARGUMENT"}}`,
			failure.Failure{Kind: abi.ErrFeatureUnsupported, Message: "FunctionDeclaration 'f' exceeds the maximum allowed nesting depth."}},
		"google, a bill as a 400": {400, nil, `{"error":{"code":400,"message":"There is no free tier where you are. Please enable billing on your project in Google AI Studio.","status":"FAILED_PRECONDITION"}}`,
			failure.Failure{Kind: abi.ErrBilling, Message: "There is no free tier where you are. Please enable billing on your project in Google AI Studio."}},
		"google, too long": {400, nil, `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`,
			failure.Failure{Kind: abi.ErrContextTooLong, Message: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}},
		"overloaded":     {529, nil, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, failure.Failure{Kind: abi.ErrOverloaded, Message: "Overloaded"}},
		"aws":            {400, nil, `{"message":"The provided model identifier is invalid."}`, failure.Failure{Kind: abi.ErrInvalidRequest, Message: "The provided model identifier is invalid."}},
		"a JSON text":    {401, nil, `"Invalid token"`, failure.Failure{Kind: abi.ErrAuthentication, Message: "Invalid token"}},
		"plain text":     {502, nil, " upstream connect error\n", failure.Failure{Kind: abi.ErrAPI, Message: "upstream connect error"}},
		"html":           {503, nil, "<html>…", failure.Failure{Kind: abi.ErrOverloaded, Message: "the vendor answered with status 503 and did not say why"}},
		"nothing":        {504, nil, "", failure.Failure{Kind: abi.ErrTimeout, Message: "the vendor answered with status 504 and did not say why"}},
		"cut short":      {400, nil, `{"error":{"mess`, failure.Failure{Kind: abi.ErrInvalidRequest, Message: "the vendor answered with status 400 and did not say why"}},
		"something else": {418, nil, `{"teapot":true}`, failure.Failure{Kind: abi.ErrInvalidRequest, Message: "the vendor answered with status 418 and did not say why"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judge(tc.status, tc.headers, tc.body); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	for name, tc := range map[string]struct {
		doc  string
		kind string // "" when it is no error
	}{
		"chunk":             {`{"id":"1","choices":[]}`, ""},
		"null error":        {`{"error":null,"choices":[{}]}`, ""},
		"nothing":           {`{}`, ""},
		"type":              {`{"error":{"message":"m","type":"overloaded_error"}}`, abi.ErrOverloaded},
		"numeric code":      {`{"error":{"message":"m","code":502}}`, abi.ErrAPI},
		"code as text":      {`{"error":{"message":"m","code":"429"}}`, abi.ErrRateLimit},
		"status code":       {`{"error":{"message":"m","type":"invalid_request_error","code":"tool_use_failed","status_code":400}}`, abi.ErrInvalidRequest},
		"beside choices":    {`{"choices":[],"error":{"message":"m","code":503}}`, abi.ErrOverloaded},
		"server error":      {`{"error":{"message":"m","type":"server_error"}}`, abi.ErrAPI},
		"a prompt":          {`{"error":{"code":"invalid_prompt","message":"m"}}`, abi.ErrInvalidRequest},
		"an image":          {`{"error":{"code":"failed_to_download_image","message":"m"}}`, abi.ErrInvalidRequest},
		"a policy":          {`{"type":"error","error":{"type":null,"code":"content_policy_violation","message":"m"}}`, abi.ErrInvalidRequest},
		"a busy server":     {`{"error":{"code":"server_is_overloaded","message":"m"}}`, abi.ErrOverloaded},
		"overloaded words":  {`{"error":{"message":"The model is overloaded"}}`, abi.ErrOverloaded},
		"object":            {`{"object":"error","message":"m","type":"rate_limited","code":"1300"}`, abi.ErrRateLimit},
		"errors":            {`{"errors":[{"message":"m"}]}`, abi.ErrAPI},
		"empty string":      {`{"error":""}`, ""},
		"empty object":      {`{"error":{}}`, ""},
		"object of nothing": {`{"error":{"message":"","code":null,"details":[],"status":0}}`, ""},
		"one word":          {`{"error":{"status":"UNAVAILABLE"}}`, abi.ErrOverloaded},
		"msg":               {`{"code":429,"msg":"too fast","success":false}`, abi.ErrRateLimit},
		"base_resp":         {`{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}`, abi.ErrBilling},
		"base_resp of 0":    {`{"base_resp":{"status_code":0,"status_msg":""}}`, ""},
		"a text":            {`"[DONE]"`, ""},
		"google gave up":    {`{"error":{"code":499,"message":"The operation was cancelled.","status":"CANCELLED"}}`, abi.ErrAPI},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := jscan.Parse([]byte(tc.doc))
			if err != nil {
				t.Fatal(err)
			}
			f, ok := failure.Find(doc)
			if ok != (tc.kind != "") || f.Kind != tc.kind {
				t.Errorf("got %+v %v, want %q", f, ok, tc.kind)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(400, `{"error":{"message":"m","metadata":{"raw":"{}"}}}`)
	f.Add(500, "\xff")
	f.Fuzz(func(t *testing.T, status int, body string) {
		got := judge(status%600, nil, body)
		if got.Kind == "" || got.Message == "" || !strings.Contains(" "+kinds+" ", " "+got.Kind+" ") {
			t.Fatalf("%q: got %+v", body, got)
		}
	})
}

const kinds = "invalid_request authentication permission billing not_found too_large rate_limit overloaded timeout api context_too_long feature_unsupported"

// TestWatch: an answer that failed is judged by head and body, and any other let pass.
func TestWatch(t *testing.T) {
	for status, want := range map[string]string{`{"status":429,"headers":{"retry-after":"2"}}`: abi.ErrRateLimit, `{"status":503}`: abi.ErrOverloaded, `{"status":200}`: ""} {
		var w failure.Watch
		g := sdk.NewAdapterGuest(sdk.Manifest{}, probe(func(h *sdk.Head) { w.Head(h, nil) }))
		g.Open(1, abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindOpen, 0, 0, []byte(`{}`)))
		batch := abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindHead, 0, 0, []byte(status))
		g.Push(1, batch)
		clear(batch) // the head must have been kept
		if w.Refused() != (want != "") {
			t.Errorf("%s: failed %v", status, w.Refused())
		}
		if !w.Refused() {
			continue
		}
		if f := w.Failure([]byte(`{"error":{"message":"slow down"}}`)); f.Kind != want || f.Message != "slow down" {
			t.Errorf("%s: got %+v", status, f)
		}
		if f := w.Failure(nil); f.Kind != want || f.Message == "" || want == abi.ErrRateLimit && f.RetryAfterMS != 2000 {
			t.Errorf("%s, no body: got %+v", status, f)
		}
	}
}
