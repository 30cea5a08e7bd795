package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// shortly is long enough for a loopback connection and short enough to be waited for.
const shortly = 100 * time.Millisecond

// TestVerbatimStream puts whole and spoiled streams past the tap.
func TestVerbatimStream(t *testing.T) {
	head := evStart + evBlock + evDelta
	whole := head + evClose + evStop + evLast
	failing := func(kind, message string) string {
		return "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"" + kind + "\",\"message\":\"" + message + "\"},\"request_id\":\"ID\"}\n\n"
	}
	for _, tc := range []struct {
		name   string
		pieces []string
		want   string
		status string
		tried  string // "v1" unless it falls over
	}{
		{name: "OK", pieces: []string{whole}, want: whole, status: "succeeded"},
		{name: "ByteOrderMark", pieces: []string{"\xef\xbb\xbf" + whole}, want: whole, status: "succeeded"},
		{name: "InPieces", pieces: []string{evStart[:20], evStart[20:] + evBlock[:9], evBlock[9:], evDelta + evClose, evStop, evLast}, want: whole, status: "succeeded"},
		{name: "NothingBeforeTheStart", pieces: []string{": hello\n\n", evPing, evPing + evStart + evBlock, evDelta, evPing, evClose + evStop + evLast},
			want: evStart + evBlock + evDelta + evPing + evClose + evStop + evLast, status: "succeeded"},
		{name: "NothingBehindTheEnd", pieces: []string{whole + evPing + evFault}, want: whole, status: "succeeded"},
		{name: "NothingBehindTheEndInItsOwnPiece", pieces: []string{whole, evPing, evFault, broken}, want: whole, status: "succeeded"},
		{name: "EndsWithoutMessageStop", pieces: []string{head + evClose + evStop}, want: whole, status: "succeeded"},
		{name: "EndsWithABlockOpen", pieces: []string{head + evStop}, want: head + evStop + evClose + evLast, status: "succeeded"},
		{name: "EndsInMidFrame", pieces: []string{head + evClose + strings.TrimRight(evStop, "\n")}, want: whole, status: "succeeded"},
		{name: "BreaksWithoutMessageStop", pieces: []string{head + evClose + evStop, broken}, want: whole, status: "succeeded"},
		{name: "EndsTooEarly", pieces: []string{head}, want: head + failing("api_error", "the vendor's answer was malformed"), status: "failed_provider_error"},
		{name: "BreaksTooEarly", pieces: []string{head, broken}, want: head + failing("api_error", "the connection to the vendor broke"), status: "failed_provider_error"},
		{name: "ErrorInMidStream", pieces: []string{head + evFault + evDelta}, want: head + failing("overloaded_error", "too busy"), status: "failed_provider_error"},
		{name: "ErrorRightBehindTheStart", pieces: []string{evStart + evFault}, want: evStart + failing("overloaded_error", "too busy"), status: "failed_provider_error"},
		{name: "StartsAgain", pieces: []string{evStart + evPing + evStart + ": x\n\n" + evStart + evBlock + evDelta + evClose + evStop + evLast},
			want: evStart + evPing + ": x\n\n" + evBlock + evDelta + evClose + evStop + evLast, status: "succeeded"},
		{name: "StartsAgainInPieces", pieces: []string{evStart, evStart, evStart + evBlock, evDelta + evClose + evStop + evLast}, want: whole, status: "succeeded"},
		{name: "StartsAgainAndFails", pieces: []string{evStart + evStart + evFault}, want: evStart + failing("overloaded_error", "too busy"), status: "failed_provider_error"},
		{name: "AnotherStart", pieces: []string{evStart, strings.Replace(evStart, `"id":"`, `"id":"other-`, 1)},
			want: evStart + failing("api_error", "the vendor's answer was malformed"), status: "failed_provider_error"},
		{name: "SecondStart", pieces: []string{head, evStart}, want: head + failing("api_error", "the vendor's answer was malformed"), status: "failed_provider_error"},
		{name: "ErrorBeforeTheStart", pieces: []string{evPing + evFault}, want: strings.ReplaceAll(whole, "hello", "other"), status: "succeeded", tried: "v1 v2"},
		{name: "NothingAtAll", pieces: nil, want: strings.ReplaceAll(whole, "hello", "other"), status: "succeeded", tried: "v1 v2"},
		{name: "OnlyPings", pieces: []string{evPing, evPing}, want: strings.ReplaceAll(whole, "hello", "other"), status: "succeeded", tried: "v1 v2"},
		{name: "NotAStream", pieces: []string{"{\"a\":1}"}, want: strings.ReplaceAll(whole, "hello", "other"), status: "succeeded", tried: "v1 v2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.guests["t"].refuse = abi.ErrFeatureUnsupported
			r.serve("v1", sse(tc.pieces...))
			r.serve("v2", sse(strings.ReplaceAll(whole, "hello", "other")))
			resp, body := r.post(ask("ainfera-inference", true))
			if resp.StatusCode != 200 {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			if want := strings.ReplaceAll(tc.want, "ID", resp.Header.Get("Request-Id")); body != want {
				t.Errorf("got\n%s\nwant\n%s", body, want)
			}
			if tc.tried == "" {
				tc.tried = "v1"
			}
			if got := r.tried(); got != tc.tried {
				t.Errorf("tried %q, want %q", got, tc.tried)
			}
			row := r.row(resp)
			if row.Status != tc.status {
				t.Errorf("row is %q, want %q", row.Status, tc.status)
			}
			if tc.status == schema.StatusSucceeded && (row.InputTokens != 3 || row.OutputTokens != 5 || row.UsageEstimated || row.CostMicroUSD != 8000) {
				t.Errorf("row %+v", row)
			}
			for name := range resp.Header {
				if strings.Contains(strings.ToLower(name), "ratelimit") {
					t.Errorf("the operator's %s went to the caller", name)
				}
			}
			r.clean()
		})
	}
}

// TestWholeAnswer are answers to a call that doesn't stream: what is no message falls over.
func TestWholeAnswer(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first http.HandlerFunc
		tried string
	}{
		{"OK", answer(200, wholeAnswer), "v1"},
		{"ByteOrderMark", answer(200, "\xef\xbb\xbf"+wholeAnswer), "v1"},
		{"Empty", answer(200, ""), "v1 v2"},
		{"Cut", answer(200, wholeAnswer[:80]), "v1 v2"},
		{"NoContent", answer(200, `{"type":"message","content":[],"usage":{}}`), "v1 v2"},
		{"AnError", answer(200, `{"type":"error","error":{"type":"overloaded_error","message":"too busy"}}`), "v1 v2"},
		{"NotAMessage", answer(200, `{"object":"list"}`), "v1 v2"},
		{"AWebPage", answer(200, "<html>", "Content-Type", "text/html"), "v1 v2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.guests["t"].refuse = abi.ErrFeatureUnsupported
			r.serve("v1", tc.first)
			r.serve("v2", answer(200, wholeAnswer))
			resp, body := r.post(ask("ainfera-inference", false))
			if resp.StatusCode != 200 || body != wholeAnswer || r.tried() != tc.tried {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			if row := r.row(resp); row.Status != "succeeded" || row.CostMicroUSD != 8000 {
				t.Errorf("row %+v", row)
			}
			r.clean()
		})
	}
}

// TestDocumentForAStream: a vendor that was asked to stream and answers with a document has not answered. Where that is an
// error, the attempt says which.
func TestDocumentForAStream(t *testing.T) {
	for _, tc := range []struct{ name, doc, reason string }{
		{"AMessage", wholeAnswer, abi.ErrAPI},
		{"AnError", `{"type":"error","error":{"type":"overloaded_error","message":"too busy"}}`, abi.ErrOverloaded},
		{"AnErrorOfNoType", `{"error":{"code":"429","message":"try again in 9s"}}`, abi.ErrRateLimit},
		{"BehindAByteOrderMark", "\xef\xbb\xbf" + `{"type":"error","error":{"type":"overloaded_error","message":"too busy"}}`, abi.ErrOverloaded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.guests["t"].refuse = abi.ErrFeatureUnsupported
			r.serve("v1", answer(200, tc.doc))
			resp, body := r.post(ask("v1", true))
			if resp.StatusCode != 502 || !strings.Contains(body, "the provider of v1 failed: "+tc.reason) {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			if got := gjson.Get(r.row(resp).Attempts, "0.reason").Str; got != tc.reason {
				t.Errorf("the row's reason is %q, want %q", got, tc.reason)
			}
			r.clean()
		})
	}
}

// TestVendorsWordsHoldNoKey has a vendor repeat the operator's key inside of an answer that began well.
func TestVendorsWordsHoldNoKey(t *testing.T) {
	for _, fault := range []string{
		"event: error\ndata: " + `{"type":"error","error":{"type":"api_error","message":"no use for ` + vendorsKey + `"}}` + "\n\n",
		"data: " + `{"error":{"message":"no use for ` + vendorsKey + `"}}` + "\n\n",
	} {
		r := newRig(t)
		r.serve("v1", sse(evStart+evBlock+evDelta+fault))
		_, body := r.post(ask("v1", true))
		if !strings.Contains(body, "no use for [redacted]") || strings.Contains(body+r.logs.String(), vendorsKey) {
			t.Errorf("told %s\nlogged %s", body, r.logs)
		}
		r.clean()
	}
}

// TestRestIsBooked has an adapter that tells the usage only once it hears how the answer ended.
func TestRestIsBooked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		leaves bool
		pieces []string
		why    abi.EndReason
		status string
	}{
		{name: "CallerLeaves", leaves: true, pieces: []string{"data: {\"text\":\"hello\"}\n\n"}, why: abi.EndCancelled, status: "cancelled_client"},
		{name: "ConnectionBreaks", pieces: []string{"data: {\"text\":\"hello\"}\n\n", broken}, why: abi.EndBroken, status: "failed_provider_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			told := make(chan abi.EndReason, 1)
			r.guests["t"].end = func(why abi.EndReason) string {
				told <- why
				return `{"input":70,"output":30}`
			}
			r.serve("t1", func(w http.ResponseWriter, req *http.Request) {
				sse(tc.pieces...)(w, req)
				<-req.Context().Done()
			})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			resp := r.begin(ctx, ask("t1", true))
			lines := bufio.NewScanner(resp.Body)
			for lines.Scan() && !strings.Contains(lines.Text(), "hello") {
			}
			if tc.leaves {
				leave()
			} else {
				_, _ = io.Copy(io.Discard, resp.Body)
			}
			if why := <-told; why != tc.why {
				t.Errorf("the guest heard %v, want %v", why, tc.why)
			}
			row := r.row(resp)
			if row.Status != tc.status || row.InputTokens != 70 || row.OutputTokens != 30 || row.VendorCostMicroUSD != 100_000 {
				t.Errorf("row %+v", row)
			}
			if paid := row.CostMicroUSD; tc.leaves && paid != 100_000 || !tc.leaves && paid != 0 {
				t.Errorf("charged %d", paid)
			}
			r.clean()
		})
	}
}

// TestPing has a vendor that goes still until the caller has seen a ping, in each place of a stream.
func TestPing(t *testing.T) {
	for _, lane := range []string{"v1", "t1"} {
		t.Run(lane, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *Config) { c.PingAfter = time.Millisecond })
			pieces := []string{evStart, evBlock, evDelta, evDelta, evClose + evStop}
			end := evLast
			if lane == "t1" {
				pieces, end = []string{"data: {\"text\":\"a\"}\n\n", "data: {\"text\":\"b\"}\n\n", "data: {\"text\":\"c\"}\n\n"}, "data: {\"stop\":1}\n\ndata: [DONE]\n\n"
			}
			seen := make(chan struct{})
			r.serve(lane, func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for _, p := range pieces {
					sse(p)(w, req)
					select {
					case <-seen:
					case <-req.Context().Done():
						return
					}
				}
				sse(end)(w, req)
			})
			resp := r.begin(t.Context(), ask(lane, true))
			var all strings.Builder
			lines := bufio.NewReader(resp.Body)
			pings := 0
			for {
				line, err := lines.ReadString('\n')
				all.WriteString(line)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if line == "event: ping\n" && pings < len(pieces) {
					pings++
					seen <- struct{}{}
				}
			}
			names := strings.ReplaceAll(eventNames(t, all.String()), "ping ", "")
			if !strings.HasPrefix(names, "message_start content_block_start content_block_delta ") || !strings.HasSuffix(names, "content_block_stop message_delta message_stop") {
				t.Errorf("events %s", names)
			}
			if pings != len(pieces) || !strings.HasPrefix(all.String(), "event: message_start\n") {
				t.Errorf("%d pings in\n%s", pings, all.String())
			}
			if row := r.row(resp); row.Status != schema.StatusSucceeded {
				t.Errorf("row %+v", row)
			}
		})
	}
}

// TestSlowReader has a caller who takes nothing while the vendor sends and sends.
func TestSlowReader(t *testing.T) {
	r := newRig(t, func(c *Config) { c.CallerWithin = shortly })
	released := make(chan struct{})
	r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
		defer close(released)
		sse(evStart, evBlock)(w, req)
		big := strings.Replace(evDelta, "hello", strings.Repeat("x", 1<<16), 1)
		for req.Context().Err() == nil {
			if _, err := io.WriteString(w, big); err != nil {
				return
			}
		}
	})
	conn, err := net.Dial("tcp", r.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := ask("v1", true)
	req, err := http.NewRequest("POST", r.http.URL+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", r.key)
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	<-released
	r.server.Wait()
	entries, err := r.books.Ledger(t.Context(), r.agent.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Fatal("nothing was booked")
	}
	inf, err := r.books.Inference(t.Context(), entries[0].InferenceID)
	if err != nil || inf.Status != schema.StatusCancelledClient || inf.OutputTokens == 0 {
		t.Errorf("row %+v, %v", inf, err)
	}
	r.clean()
}

// TestCut ends a server with a stream in flight, whose vendor is still.
func TestCut(t *testing.T) {
	for _, tc := range []struct{ model, pieces string }{{"v1", evStart + evBlock + evDelta}, {"t1", "data: {\"text\":\"hello\"}\n\n"}} {
		t.Run(tc.model, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			gone := make(chan struct{})
			r.serve(tc.model, func(w http.ResponseWriter, req *http.Request) {
				defer close(gone)
				sse(tc.pieces)(w, req)
				<-req.Context().Done()
			})
			resp := r.begin(t.Context(), ask(tc.model, true))
			lines := bufio.NewReader(resp.Body)
			for line := ""; !strings.Contains(line, "hello"); {
				var err error
				if line, err = lines.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			r.server.Cut()
			rest, err := io.ReadAll(lines)
			if err != nil {
				t.Fatal(err)
			}
			_, data, found := strings.Cut(string(rest), "event: error\ndata: ")
			if !found || gjson.Get(data, "error.type").String() != "overloaded_error" || gjson.Get(data, "request_id").String() != resp.Header.Get("Request-Id") {
				t.Errorf("the end is %q", rest)
			}
			<-gone
			if row := r.row(resp); row.Status != schema.StatusFailedHost || row.Code != codeStopping || row.CostMicroUSD != 0 {
				t.Errorf("row %+v", row)
			}
			later, body := r.post(ask(tc.model, true))
			if later.StatusCode != 503 || later.Header.Get("Retry-After") != "1" {
				t.Errorf("afterwards: got %d %s", later.StatusCode, body)
			}
			r.clean()
		})
	}
}

// TestCallerLeavesBeforeTheAnswer has the caller go while the books are slow, and while the vendor is.
func TestCallerLeavesBeforeTheAnswer(t *testing.T) {
	for _, where := range []string{"Begin", "Vendor"} {
		for _, stream := range []bool{true, false} {
			t.Run(where+map[bool]string{true: "/streamed", false: "/whole"}[stream], func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				left := make(chan struct{})
				if where == "Begin" {
					r.books.begin = func(ctx context.Context) error {
						leave()
						<-left
						return ctx.Err() // the caller's going must not end it
					}
				}
				r.serve("v1", func(_ http.ResponseWriter, req *http.Request) {
					leave()
					<-req.Context().Done()
				})
				req, err := http.NewRequestWithContext(ctx, "POST", r.http.URL+"/v1/messages", strings.NewReader(ask("ainfera-inference", stream)))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("X-Api-Key", r.key)
				if resp, err := http.DefaultClient.Do(req); err == nil {
					resp.Body.Close()
					t.Fatal("an answer came")
				}
				close(left)
				r.server.Wait()
				entries, err := r.books.Ledger(t.Context(), r.agent.ID, 10)
				if err != nil || len(entries) == 0 {
					t.Fatalf("ledger %v, %v", entries, err)
				}
				inf, err := r.books.Inference(t.Context(), entries[0].InferenceID)
				if err != nil || inf.Status != schema.StatusCancelledClient {
					t.Errorf("row %+v, %v", inf, err)
				}
				if where == "Vendor" && (!inf.UsageEstimated || inf.InputTokens == 0 || inf.CostMicroUSD == 0) {
					t.Errorf("the vendor had the request: row %+v", inf)
				}
				r.clean()
			})
		}
	}
}

// TestPanic has a bug in an adapter, before and behind the first byte. The call gets its row, the server goes on.
func TestPanic(t *testing.T) {
	r := newRig(t)
	r.guests["t"].panics = "bug"
	r.serve("t2", sse("data: {\"text\":\"fine\"}\n\ndata: {\"stop\":1}\n\n"))
	for _, tc := range []struct {
		name, first string
		status      int
		events      string
	}{
		{"BeforeTheFirstByte", "data: {\"text\":\"bug\"}\n\n", 500, ""},
		{"InMidStream", "data: {\"text\":\"hello\"}\n\n", 200, "message_start content_block_start content_block_delta error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			seen := make(chan struct{})
			r.serve("t1", func(w http.ResponseWriter, req *http.Request) {
				sse(tc.first)(w, req)
				select {
				case <-seen:
				case <-req.Context().Done():
					return
				}
				sse("data: {\"text\":\"bug\"}\n\n")(w, req)
			})
			resp := r.begin(t.Context(), ask("t1", true))
			close(seen)
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tc.status {
				t.Fatalf("got %d %s", resp.StatusCode, b)
			}
			if tc.events == "" && gjson.GetBytes(b, "error.code").String() != codeInternal {
				t.Errorf("error %s", b)
			} else if tc.events != "" && eventNames(t, string(b)) != tc.events {
				t.Errorf("events %s", eventNames(t, string(b)))
			}
			if row := r.row(resp); row.Status != schema.StatusFailedHost || row.Code != codeInternal || row.CostMicroUSD != 0 {
				t.Errorf("row %+v", row)
			}
		})
	}
	r.books.authenticate = func(context.Context, string) error { panic("a bug") }
	if resp, body := r.post(ask("t2", true)); resp.StatusCode != 500 || gjson.Get(body, "request_id").String() == "" {
		t.Errorf("before anything was booked: %d %s", resp.StatusCode, body)
	}
	r.books.authenticate = nil
	if resp, body := r.post(ask("t2", true)); resp.StatusCode != 200 || !strings.Contains(r.logs.String(), "call panicked") {
		t.Errorf("afterwards: %d %s", resp.StatusCode, body)
	}
	r.clean()
}

// TestDrain stops the listener with a stream in flight: it goes on to its end.
func TestDrain(t *testing.T) {
	r := newRig(t)
	stopped := make(chan struct{})
	r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
		sse(evStart+evBlock+evDelta)(w, req)
		<-stopped
		sse(evClose+evStop+evLast)(w, req)
	})
	resp := r.begin(t.Context(), ask("v1", true))
	r.http.Config.RegisterOnShutdown(func() { close(stopped) })
	ended := make(chan error)
	go func() { ended <- r.http.Config.Shutdown(context.WithoutCancel(t.Context())) }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != evStart+evBlock+evDelta+evClose+evStop+evLast {
		t.Errorf("got %s, %v", body, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if row := r.row(resp); row.Status != schema.StatusSucceeded {
		t.Errorf("row %+v", row)
	}
	r.clean()
}

// TestCallerLeavesAtTheEnd has a caller hang up on message_stop, as some do, while the vendor keeps its side open.
func TestCallerLeavesAtTheEnd(t *testing.T) {
	r := newRig(t)
	r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
		sse(evStart+evBlock+evDelta+evClose+evStop+evLast)(w, req)
		<-req.Context().Done()
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	resp := r.begin(ctx, ask("v1", true))
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && lines.Text() != "event: message_stop" {
	}
	leave()
	if row := r.row(resp); row.Status != schema.StatusSucceeded || row.OutputTokens != 5 {
		t.Errorf("row %+v", row)
	}
	r.clean()
}
