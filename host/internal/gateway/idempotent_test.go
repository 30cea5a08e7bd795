package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
)

const idempotencyKey = "Idempotency-Key"

// vendors has v1 and t1 answer, streamed or whole.
func (r *rig) vendors(stream bool) {
	r.serve("v1", answer(200, wholeAnswer))
	r.serve("t1", answer(200, `{"text":"hello","usage":{"input_tokens":3,"output_tokens":5},"stop":1}`))
	if stream {
		r.serve("v1", sse(evStart, evBlock, evDelta, evClose, evStop, evLast))
		r.serve("t1", sse("data: {\"text\":\"hello\"}\n\n", "data: {\"stop\":1,\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}\n\n"))
	}
}

func withDocument(model string) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":10,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}]}]}`, model)
}

// rows counts what calls leave in the books, keys aside.
func (r *rig) rows() [3]int64 {
	r.t.Helper()
	r.server.Wait()
	report, err := r.books.Check(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return [3]int64{report.Outcomes, report.Inferences, report.Events}
}

// told are the headers of an answer, but for when it was sent and that it was a repeat.
func told(h http.Header) http.Header {
	h = maps.Clone(h)
	delete(h, "Date")
	delete(h, "X-Ainfera-Replayed")
	return h
}

// mustReplay repeats a call and asserts that it is answered as the first was, without a dispatch or a row.
func (r *rig) mustReplay(first *http.Response, text, body string, header ...string) {
	r.t.Helper()
	before := r.rows()
	r.tried()
	resp, again := r.post(body, header...)
	if resp.StatusCode != first.StatusCode || again != text || resp.Header.Get("X-Ainfera-Replayed") != "true" {
		r.t.Errorf("got %d, replayed %q\n%s\nwant %d\n%s", resp.StatusCode, resp.Header.Get("X-Ainfera-Replayed"), again, first.StatusCode, text)
	}
	if got, want := fmt.Sprint(told(resp.Header)), fmt.Sprint(told(first.Header)); got != want {
		r.t.Errorf("headers\n%s\nwant\n%s", got, want)
	}
	if asked := r.tried(); asked != "" || r.rows() != before {
		r.t.Errorf("vendors asked: %q, rows %v, want %v", asked, r.rows(), before)
	}
}

// A 200 and a refusal of the request are answered again, byte by byte.
func TestReplays(t *testing.T) {
	r := newRig(t)
	r.serve("v2", answer(400, `{"type":"error","error":{"type":"invalid_request_error","message":"the vendor's own words"}}`))
	r.serve("t2", answer(429, `{"error":"slow down","kind":"rate_limit"}`, "Retry-After", "3600"))
	_, poor := r.newAgent(capture.NewAgent{Name: "poor", WalletMode: schema.WalletPrepaid})
	idle, idleKey := r.newAgent(capture.NewAgent{Name: "idle"})
	if err := r.books.SetAgentStatus(t.Context(), idle.ID, schema.AgentSuspended); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, model, body, key string
		status                 int
	}{
		{name: "PinnedVerbatim", model: "v1", status: 200},
		{name: "PinnedTranslated", model: "t1", status: 200},
		{name: "Routed", model: "ainfera-inference", status: 200},
		{name: "BadJSON", body: `{"model":`, status: 400},
		{name: "NoSuchModel", model: "nobody", status: 404},
		{name: "Capability", body: withDocument("ainfera-inference"), status: 422},
		{name: "CapabilityPinned", body: withDocument("v1"), status: 422},
		{name: "Funds", model: "v1", key: poor, status: 402},
		{name: "FundsRouted", model: "ainfera-inference", key: poor, status: 402},
		{name: "Suspended", model: "v1", key: idleKey, status: 409},
		{name: "VendorRefuses", model: "v2", status: 400},
		{name: "RateLimited", model: "t2", status: 429},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream=%v", tc.name, stream), func(t *testing.T) {
				r.t = t
				r.vendors(stream)
				body := tc.body
				if body == "" {
					body = ask(tc.model, stream)
				}
				key := tc.key
				if key == "" {
					key = r.key
				}
				header := []string{"X-Api-Key", key, idempotencyKey, t.Name()}
				first, text := r.post(body, header...)
				if first.StatusCode != tc.status || first.Header.Get("X-Ainfera-Replayed") != "" {
					t.Fatalf("got %d %v %s, want %d", first.StatusCode, first.Header, text, tc.status)
				}
				r.mustReplay(first, text, body, header...)
				r.mustReplay(first, text, body, header...)
				if id := first.Header.Get("X-Ainfera-Inference-Id"); tc.status == 200 && (id == "" || stream && first.Header.Get("Content-Type") != "text/event-stream; charset=utf-8") {
					t.Errorf("headers %v", first.Header)
				}
			})
		}
	}
	r.t = t
	r.clean()
}

// After a 5xx, or an answer cut short, the next call with the key is the first again.
func TestKeyIsFreeAfterAFailure(t *testing.T) {
	r := newRig(t)
	down := answer(500, `{"type":"error","error":{"type":"api_error","message":"down"}}`)
	for _, tc := range []struct {
		name   string
		vendor http.HandlerFunc
		stream bool
		status [2]int // pinned, routed
	}{
		{name: "VendorFails", vendor: down, status: [2]int{502, 503}},
		{name: "VendorFailsStreamed", vendor: down, stream: true, status: [2]int{502, 503}},
		{name: "StreamBreaks", vendor: sse(evStart, evBlock, evDelta, broken), stream: true, status: [2]int{200, 200}},
		{name: "ErrorInTheStream", vendor: sse(evStart, evBlock, evDelta, evFault), stream: true, status: [2]int{200, 200}},
		{name: "PolicyFails", status: [2]int{0, 503}},
		{name: "BooksAway", status: [2]int{503, 503}},
	} {
		for i, model := range []string{"v1", "ainfera-inference"} {
			if tc.status[i] == 0 {
				continue
			}
			t.Run(tc.name+"/"+model, func(t *testing.T) {
				r.t = t
				for _, slug := range []string{"v1", "t1", "v2", "t2"} {
					r.serve(slug, down)
				}
				r.serve("v1", tc.vendor)
				switch tc.name {
				case "PolicyFails":
					r.policyBroken.Store(true)
				case "BooksAway":
					r.books.begin = func(context.Context) error { return errBooks }
				}
				body, header := ask(model, tc.stream), []string{idempotencyKey, t.Name()}
				resp, text := r.post(body, header...)
				if resp.StatusCode != tc.status[i] {
					t.Fatalf("got %d %s, want %d", resp.StatusCode, text, tc.status[i])
				}
				r.policyBroken.Store(false)
				r.books.begin = nil
				r.serve("v1", answer(200, wholeAnswer))
				if tc.stream {
					r.serve("v1", sse(evStart, evBlock, evDelta, evClose, evStop, evLast))
				}
				resp, text = r.post(body, header...)
				if resp.StatusCode != 200 || resp.Header.Get("X-Ainfera-Replayed") != "" || !strings.Contains(text, "hello") {
					t.Errorf("got %d %v %s, want a call of its own", resp.StatusCode, resp.Header, text)
				}
				r.mustReplay(resp, text, body, header...)
			})
		}
	}
	r.t = t
	r.clean()
}

// So it is after a panic, which is kept to its call.
func TestKeyIsFreeAfterAPanic(t *testing.T) {
	r := newRig(t)
	r.vendors(false)
	r.guests["t"].panics = "hello"
	resp, text := r.post(ask("t1", false), idempotencyKey, "k")
	if resp.StatusCode != 500 {
		t.Fatalf("got %d %s", resp.StatusCode, text)
	}
	r.server.Wait()
	r.guests["t"].panics = ""
	resp, text = r.post(ask("t1", false), idempotencyKey, "k")
	if resp.StatusCode != 200 || resp.Header.Get("X-Ainfera-Replayed") != "" {
		t.Errorf("got %d %v %s, want a call of its own", resp.StatusCode, resp.Header, text)
	}
	r.clean()
}

// A caller that leaves in mid-stream leaves the key free, too.
func TestKeyIsFreeWhenItsCallerLeaves(t *testing.T) {
	r := newRig(t)
	hang := make(chan struct{})
	defer close(hang)
	r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
		sse(evStart, evBlock, evDelta)(w, req)
		select {
		case <-hang:
		case <-req.Context().Done():
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	resp := r.begin(ctx, ask("v1", true), idempotencyKey, "k")
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	r.vendors(true)
	resp, text := r.post(ask("v1", true), idempotencyKey, "k")
	if resp.StatusCode != 200 || resp.Header.Get("X-Ainfera-Replayed") != "" || !strings.Contains(text, "message_stop") {
		t.Errorf("got %d %v %s, want a call of its own", resp.StatusCode, resp.Header, text)
	}
	if got := r.tried(); got != "v1 v1" {
		t.Errorf("vendors asked: %q", got)
	}
	r.clean()
}

// A whole answer that its caller did not wait for is there when it asks again: it was made, and paid for.
func TestReplayOfWhatNobodyTook(t *testing.T) {
	r := newRig(t)
	r.vendors(false)
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", strings.NewReader(ask("v1", false)))
	req.Header.Set("X-Api-Key", r.key)
	req.Header.Set(idempotencyKey, "k")
	r.server.ServeHTTP(deaf{httptest.NewRecorder()}, req)
	resp, text := r.post(ask("v1", false), idempotencyKey, "k")
	if resp.StatusCode != 200 || resp.Header.Get("X-Ainfera-Replayed") != "true" || text != wholeAnswer {
		t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, text)
	}
	if inf := r.row(resp); inf.Status != schema.StatusCancelledClient || inf.CostMicroUSD == 0 {
		t.Errorf("got %s for %d, want cancelled_client and its cost", inf.Status, inf.CostMicroUSD)
	}
	r.clean()
}

// deaf is a caller whose connection is gone.
type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Calls that come while the first runs wait for it: one dispatch, one row, one answer. A caller that leaves stops waiting.
func TestRepeatsWaitForTheFirst(t *testing.T) {
	for _, model := range []string{"v1", "ainfera-inference"} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stream=%v", model, stream), func(t *testing.T) {
				const repeats = 8
				r := newRig(t)
				dispatched, release := make(chan struct{}), make(chan struct{})
				r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
					close(dispatched) // a second dispatch panics
					<-release
					if stream {
						sse(evStart, evBlock, evDelta, evClose, evStop, evLast)(w, req)
						return
					}
					answer(200, wholeAnswer)(w, req)
				})
				var waiting atomic.Int64
				enough := make(chan struct{})
				r.books.claimKey = func() {
					if waiting.Add(1) == repeats+2 { // the first, and one that leaves
						close(enough)
					}
				}
				type reply struct {
					resp *http.Response
					text string
				}
				replies := make(chan reply, repeats+1)
				post := func() {
					resp, text := r.post(ask(model, stream), idempotencyKey, "k")
					replies <- reply{resp, text}
				}
				go post()
				<-dispatched
				ctx, leave := context.WithCancel(t.Context())
				left := make(chan error, 1)
				go func() {
					req, err := http.NewRequestWithContext(ctx, "POST", r.http.URL+"/v1/messages", strings.NewReader(ask(model, stream)))
					if err == nil {
						req.Header.Set("X-Api-Key", r.key)
						req.Header.Set(idempotencyKey, "k")
						_, err = http.DefaultClient.Do(req)
					}
					left <- err
				}()
				for range repeats {
					go post()
				}
				<-enough
				leave()
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("who left got %v", err)
				}
				resp, text := r.post(strings.Replace(ask(model, stream), "hi", "ho", 1), idempotencyKey, "k")
				if resp.StatusCode != 409 || !strings.Contains(text, "idempotency_conflict") || resp.Header.Get("X-Should-Retry") != "false" {
					t.Errorf("another body: got %d %v %s", resp.StatusCode, resp.Header, text)
				}
				if n := len(replies); n != 0 {
					t.Fatalf("%d were answered before the first was", n)
				}
				close(release)
				first, replayed := <-replies, 0
				for range repeats {
					next := <-replies
					if next.text != first.text || next.resp.Header.Get("X-Ainfera-Inference-Id") != first.resp.Header.Get("X-Ainfera-Inference-Id") {
						t.Errorf("got %v %s\nwant %v %s", next.resp.Header, next.text, first.resp.Header, first.text)
					}
					if next.resp.Header.Get("X-Ainfera-Replayed") != "" {
						replayed++
					}
				}
				if first.resp.Header.Get("X-Ainfera-Replayed") != "" {
					replayed++
				}
				if rows := r.rows(); replayed != repeats || rows[1] != 1 {
					t.Errorf("got %d replays, %v rows, want %d and one call", replayed, rows, repeats)
				}
				r.clean()
			})
		}
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	r := newRig(t, func(c *Config) { c.KeptAnswerBytes = 100 })
	r.vendors(false)
	_, other := r.newAgent(capture.NewAgent{Name: "other"})
	for _, tc := range []struct {
		name   string
		key    string
		body   string
		apiKey string
		status int
		code   string
		tried  string
	}{
		{name: "First", key: "k", body: ask("v1", false), status: 200, tried: "v1"},
		{name: "TooLargeToBeKept", key: "k", body: ask("v1", false), status: 409, code: "idempotency_answer_not_kept"},
		{name: "AnotherBody", key: "k", body: ask("v1", true), status: 409, code: "idempotency_conflict"},
		{name: "AnotherAgents", key: "k", body: ask("v1", false), apiKey: other, status: 200, tried: "v1"},
		{name: "Empty", key: "", body: ask("v1", false), status: 200, tried: "v1"},
		{name: "EmptyAgain", key: "", body: ask("v1", false), status: 200, tried: "v1"},
		{name: "Longest", key: strings.Repeat("k", 255), body: ask("v1", false), status: 200, tried: "v1"},
		{name: "TooLong", key: strings.Repeat("k", 256), body: ask("v1", false), status: 400, code: "invalid_request"},
		{name: "NotAuthenticated", key: "k", body: ask("v1", false), apiKey: "ainfera_nobody", status: 401, code: "invalid_api_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.t = t
			key := tc.apiKey
			if key == "" {
				key = r.key
			}
			before := r.rows()
			resp, text := r.post(tc.body, idempotencyKey, tc.key, "X-Api-Key", key)
			if resp.StatusCode != tc.status || !strings.Contains(text, tc.code) || tc.status == 409 && resp.Header.Get("X-Should-Retry") != "false" {
				t.Errorf("got %d %v %s, want %d %s", resp.StatusCode, resp.Header, text, tc.status, tc.code)
			}
			if got := r.tried(); got != tc.tried {
				t.Errorf("got vendors %q, want %q", got, tc.tried)
			}
			if tc.status != 200 && r.rows() != before {
				t.Errorf("got rows %v, want %v", r.rows(), before)
			}
		})
	}
	r.t = t
	r.clean()
}

// What is refused for now holds for no longer than it says.
func TestKeptRefusals(t *testing.T) {
	c := &call{s: &Server{cfg: Config{Logger: hclog.NewNullLogger(), KeptAnswerBytes: 1000}}, dialect: anthropic{}, w: httptest.NewRecorder(), id: "req_1"}
	limited := func(after time.Duration) *apiError {
		e := fail(codeProviderFailed, "slow down")
		e.status, e.retryAfter = 429, after
		return e
	}
	for _, tc := range []struct {
		name string
		err  error
		kept bool
		span time.Duration
	}{
		{"BadRequest", fail(codeInvalidRequest, "x"), true, 0},
		{"Wrapped", fmt.Errorf("parse: %w", fail(route.CodeFloor, "x")), true, 0},
		{"LimitedForAMinute", limited(time.Minute), true, time.Minute},
		{"LimitedUntilWhoKnows", limited(0), true, time.Second},
		{"Unavailable", fail(codeCaptureUnavailable, "x"), false, 0},
		{"ClientGone", errClientGone, false, 0},
		{"Stopping", errStopping, false, 0},
		{"Inside", errors.New("x"), false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := c.keptRefusal(tc.err)
			if (a != nil) != tc.kept || tc.kept && (a.For != tc.span || !strings.Contains(string(a.Body), `"request_id":"req_1"`)) {
				t.Errorf("got %+v", a)
			}
		})
	}
}
