package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	openai "github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"
	"github.com/tidwall/gjson"
)

// goClient is the official Anthropic SDK, which tries once unless more says otherwise.
func goClient(r *running, more ...option.RequestOption) sdk.Client {
	return sdk.NewClient(append([]option.RequestOption{option.WithBaseURL(r.url), option.WithAPIKey(r.key), option.WithMaxRetries(0)}, more...)...)
}

func prompted(model, text string) sdk.MessageNewParams {
	return sdk.MessageNewParams{Model: sdk.Model(model), MaxTokens: 2048, Messages: []sdk.MessageParam{sdk.NewUserMessage(sdk.NewTextBlock(text))}}
}

// lanes have a model each, to be asked for by its name.
var lanes = []struct{ name, model string }{{"translated", "o-tools"}, {"verbatim", "a-tools"}}

// TestGoSDKErrors holds what the official SDK makes of a refusal, streamed and not.
func TestGoSDKErrors(t *testing.T) {
	r := start(t)
	for _, tc := range []struct {
		name, model, text string
		status            int
		code, kind        string
	}{
		{"UnknownModel", "nobody", "x", 404, "not_found", "not_found_error"},
		{"VendorRefuses/translated", "o-tools", "x [[sim error=invalid]]", 400, "invalid_request", "invalid_request_error"},
		{"VendorRefuses/verbatim", "a-tools", "x [[sim error=invalid]]", 400, "", "invalid_request_error"}, // in the vendor's own words
		{"VendorFindsItTooLarge", "o-tools", "x [[sim error=too_large]]", 413, "invalid_request", "request_too_large"},
		{"VendorFails/translated", "o-tools", "x [[sim status=500]]", 502, "provider_failed", "api_error"},
		{"VendorFails/verbatim", "a-tools", "x [[sim status=500]]", 502, "provider_failed", "api_error"},
		{"EveryoneFails", "ainfera-inference", "x [[sim status=500]]", 503, "all_routed_models_failed", "overloaded_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := goClient(r)
			_, whole := c.Messages.New(t.Context(), prompted(tc.model, tc.text))
			s := c.Messages.NewStreaming(t.Context(), prompted(tc.model, tc.text))
			if s.Next() {
				t.Errorf("the stream begins with %s", s.Current().RawJSON())
			}
			for how, err := range map[string]error{"whole": whole, "streamed": s.Err()} {
				var api *sdk.Error
				if !errors.As(err, &api) {
					t.Fatalf("%s: got %v", how, err)
				}
				if code := gjson.Get(api.RawJSON(), "error.code").Str; api.StatusCode != tc.status || string(api.Type()) != tc.kind || code != tc.code || api.RequestID == "" {
					t.Errorf("%s: got %d %s %q of %q, want %d %s %q", how, api.StatusCode, api.Type(), code, api.RequestID, tc.status, tc.kind, tc.code)
				}
			}
		})
	}
	t.Run("WrongKey", func(t *testing.T) {
		c := goClient(r, option.WithAPIKey("ainfera_wrong"))
		_, err := c.Messages.New(t.Context(), prompted("o-tools", "x"))
		var api *sdk.Error
		if !errors.As(err, &api) || api.StatusCode != 401 || api.Type() != "authentication_error" {
			t.Errorf("got %v", err)
		}
	})
	for _, lane := range lanes {
		t.Run("InMidStream/"+lane.name, func(t *testing.T) {
			c := goClient(r)
			s := c.Messages.NewStreaming(t.Context(), prompted(lane.model, "x [[sim chunks=9 size=20 error-after=3]]"))
			text := ""
			for s.Next() {
				text += s.Current().Delta.Text
			}
			var api *sdk.Error
			if len(text) != 60 || !errors.As(s.Err(), &api) || api.Type() == "" || gjson.Get(api.RawJSON(), "request_id").Str == "" {
				t.Errorf("%d bytes of text, then %v", len(text), s.Err())
			}
		})
	}
	r.clean()
}

// TestGoSDKsTryAgain has both SDKs try as often as they may, and holds what makes them: the status, and the headers
// x-should-retry and retry-after.
func TestGoSDKsTryAgain(t *testing.T) {
	r := start(t, catalogue, `
agent "capped" {
  daily_cap_usd = "0.000001"
}
`)
	key := r.keys["capped"]
	for _, tc := range []struct {
		name, model, text, key string
		tries, status          int
		waits                  time.Duration
	}{
		{"Overloaded", "ainfera-inference", "x [[sim status=500]]", r.key, 2, 503, 0},
		{"VendorFails", "a-tools", "x [[sim status=500]]", r.key, 2, 502, 0},
		{"Refused", "a-tools", "x [[sim error=invalid]]", r.key, 1, 400, 0},
		{"CapIsSpent", "a-tools", "x", key, 1, 402, 0},
		{"ToldToWait", "o-tools", "x [[sim status=429 retry-after=1]]", r.key, 2, 429, time.Second},
	} {
		for _, stream := range []bool{false, true} {
			if tc.waits > 0 && stream {
				continue // a wait is enough
			}
			t.Run(fmt.Sprintf("%s/stream=%t", tc.name, stream), func(t *testing.T) {
				tries := 0
				count := func(req *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
					tries++
					return next(req)
				}
				begun := time.Now()
				c := goClient(r, option.WithAPIKey(tc.key), option.WithMaxRetries(1), option.WithMiddleware(count))
				var err error
				if stream {
					s := c.Messages.NewStreaming(t.Context(), prompted(tc.model, tc.text))
					s.Next()
					err = s.Err()
				} else {
					_, err = c.Messages.New(t.Context(), prompted(tc.model, tc.text))
				}
				var api *sdk.Error
				if !errors.As(err, &api) || api.StatusCode != tc.status || tries != tc.tries {
					t.Errorf("Anthropic's: %d tries, %v; want %d and %d", tries, err, tc.tries, tc.status)
				}
				if took := time.Since(begun); took < tc.waits {
					t.Errorf("Anthropic's took %v, and was told to wait %v", took, tc.waits)
				}
				tries = 0
				o := openaiClient(r, openaioption.WithAPIKey(tc.key), openaioption.WithMaxRetries(1), openaioption.WithMiddleware(count))
				asked := openai.ChatCompletionNewParams{Model: tc.model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(tc.text)}}
				if stream {
					s := o.Chat.Completions.NewStreaming(t.Context(), asked)
					s.Next()
					err = s.Err()
				} else {
					_, err = o.Chat.Completions.New(t.Context(), asked)
				}
				var theirs *openai.Error
				if !errors.As(err, &theirs) || theirs.StatusCode != tc.status || tries != tc.tries {
					t.Errorf("OpenAI's: %d tries, %v; want %d and %d", tries, err, tc.tries, tc.status)
				}
			})
		}
	}
	r.clean()
}

// TestGoSDKCallerLeaves has a caller leave in mid-stream, who pays for what it had.
func TestGoSDKCallerLeaves(t *testing.T) {
	r := start(t)
	for i, lane := range lanes {
		ctx, cancel := context.WithCancel(t.Context())
		c := goClient(r)
		s := c.Messages.NewStreaming(ctx, prompted(lane.model, "x [[sim chunks=9 size=200 silent-after=3]]"))
		for n := 0; n < 3 && s.Next(); {
			if s.Current().Delta.Text != "" {
				n++
			}
		}
		cancel()
		if _, err := r.sim.WaitFinished(t.Context(), i+1); err != nil {
			t.Fatal(err)
		}
		if s.Next() || !errors.Is(s.Err(), context.Canceled) {
			t.Errorf("%s: the SDK ends with %v", lane.name, s.Err())
		}
	}
	r.stop() // waits for the calls in flight, and for what they write
	if got := r.left(t); got != len(lanes) {
		t.Errorf("%d callers left in mid-stream, want %d", got, len(lanes))
	}
	r.clean()
}
