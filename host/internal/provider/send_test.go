package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

const brief = 30 * time.Millisecond // a limit that is meant to pass

// failureOf wants a *Failure.
func failureOf(t *testing.T, err error) *Failure {
	t.Helper()
	var f *Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure", err)
	}
	return f
}

func TestErrorAnswers(t *testing.T) {
	tests := []struct {
		name, body string
		status     int
		header     map[string]string
		want       Failure
	}{
		{"Guest", `{"error":"too long","kind":"context_too_long"}`, 400, nil,
			Failure{Kind: abi.ErrContextTooLong, Message: "too long", RetryAfter: 1500 * time.Millisecond}},
		{"HeaderBeforeGuest", `{"error":"slow down","kind":"rate_limit"}`, 429, map[string]string{"Retry-After": "9"},
			Failure{Kind: abi.ErrRateLimit, Message: "slow down", RetryAfter: 9 * time.Second}},
		{"GuestSilent", `{}`, 503, nil, Failure{Kind: abi.ErrOverloaded, Message: "the vendor answered 503"}},
		{"Page", `<html>`, 502, map[string]string{"Content-Type": "text/html"}, Failure{Kind: abi.ErrAPI, Message: "the vendor answered 502"}},
		{"UnknownKind", `{"error":"hm","kind":"odd"}`, 401, nil, Failure{Kind: abi.ErrAPI, Message: "hm", RetryAfter: 1500 * time.Millisecond}},
		{"Empty", ``, 529, nil, Failure{Kind: abi.ErrOverloaded, Message: "the vendor answered 529"}},
		{"Echo", `{"error":"bad key operators-own","kind":"authentication"}`, 401, nil,
			Failure{Kind: abi.ErrAuthentication, Message: "bad key [redacted]", RetryAfter: 1500 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fakeAdapter{}
			u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				for k, v := range tt.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			}, func(c *Config) { c.Auth = Bearer{Token: "operators-own"} })
			_, err := send(t, u, chat())
			got := failureOf(t, err)
			if got.Phase != PhaseAnswer || got.Status != tt.status || got.Kind != tt.want.Kind || got.Message != tt.want.Message || got.RetryAfter != tt.want.RetryAfter {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if want := strings.ReplaceAll(tt.body, "operators-own", redacted); string(got.Body) != want {
				t.Errorf("body: got %s, want %s", got.Body, want)
			}
			if want := fmt.Sprintf("head document(|%s) end0", tt.body); f.kinds() != want || f.pushes != 1 {
				t.Errorf("pushed %d times: got %s, want %s", f.pushes, f.kinds(), want)
			}
		})
	}
}

func TestErrorAnswerGuestTraps(t *testing.T) {
	f := &fakeAdapter{push: func([]abi.Record) ([]abi.Record, error) { return nil, errTrap }}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusTooManyRequests) })
	_, err := send(t, u, chat())
	if got := failureOf(t, err); got.Phase != PhaseAnswer || got.Kind != abi.ErrRateLimit {
		t.Errorf("got %+v, want the vendor's refusal in spite of the guest", got)
	}
}

func TestErrorAnswerVerbatim(t *testing.T) {
	f := &fakeAdapter{features: []string{"verbatim"}, open: whole(`{"method":"POST","path":"/x","framing":"sse"}`, "")}
	big := `{"error":"x","kind":"invalid_request","pad":"` + strings.Repeat("p", 100<<10) + `"}`
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(400)
		io.WriteString(w, big)
	})
	_, err := send(t, u, &Ask{Verbatim: true, Whole: []byte("{}")})
	got := failureOf(t, err)
	if !got.Verbatim || len(got.Body) != 64<<10 || string(got.Body) != big[:64<<10] || got.Header.Get("Content-Type") != "application/problem+json" || !got.EndsCall() {
		t.Errorf("got %d bytes, %+v", len(got.Body), got.Header)
	}
}

func TestUnusableAnswers(t *testing.T) {
	var calls atomic.Int64
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		message string
		phase   Phase
	}{
		"Redirect": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, "redirects", PhaseAnswer},
		"NotModified": {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) }, "redirects", PhaseAnswer},
		"Encoding": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "x")
		}, "content-encoding", PhaseBody},
		"Page": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<p>welcome to the hotel")
		}, "web page", PhaseBody},
	} {
		t.Run(name, func(t *testing.T) {
			calls.Store(0)
			u := newUpstream(t, &fakeAdapter{}, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tt.handler(w, r)
			})
			_, err := send(t, u, chat())
			got := failureOf(t, err)
			if got.Phase != tt.phase || !strings.Contains(got.Message, tt.message) || !got.Retryable() || got.Status == 0 {
				t.Errorf("got %+v, want %s in %s", got, tt.message, tt.phase)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("requests: got %d, want 1", n)
			}
		})
	}
}

func TestConnectFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	plain := httptest.NewUnstartedServer(noVendor(t))
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	plain.StartTLS()
	defer plain.Close()
	for name, tt := range map[string]struct {
		base  string
		kind  string
		phase Phase
	}{
		"Refused":     {"http://" + closed.Addr().String(), abi.ErrAPI, PhaseConnect},
		"TLSTimeout":  {"https://" + silent.Addr().String(), abi.ErrTimeout, PhaseConnect},
		"Certificate": {plain.URL, abi.ErrAPI, PhaseConnect},
		"Private":     {"http://vendor.invalid", abi.ErrAPI, PhaseConnect},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUpstream(t, &fakeAdapter{}, noVendor(t), func(c *Config) {
				c.BaseURL, c.Auth = tt.base, Query{Name: "key", Value: "operators-own"}
				if tt.kind == abi.ErrTimeout {
					c.Limits.Connect = brief
				}
			})
			if name == "Private" { // a public name that leads to this machine
				rule := newDialRule(u.base.Hostname(), false)
				u.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{Control: rule.control}).DialContext(ctx, network, silent.Addr().String())
				}
			}
			_, err := send(t, u, chat())
			got := failureOf(t, err)
			if got.Phase != tt.phase || got.Kind != tt.kind || !got.Retryable() {
				t.Errorf("got %v, want %s in %s", err, tt.kind, tt.phase)
			}
			if name == "Private" && !errors.Is(err, ErrPrivateAddress) {
				t.Errorf("got %v, want ErrPrivateAddress", err)
			}
			if strings.Contains(err.Error(), "operators-own") {
				t.Errorf("the error repeats the credential: %v", err)
			}
		})
	}
}

func TestPrivateLiteralIsOnlyItself(t *testing.T) {
	srv := httptest.NewServer(noVendor(t))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	u := newUpstream(t, &fakeAdapter{}, noVendor(t), func(c *Config) { c.BaseURL = "http://127.0.0.2:" + port })
	rule := newDialRule("127.0.0.2", false)
	u.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Control: rule.control}).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	_, err := send(t, u, chat())
	if !errors.Is(err, ErrPrivateAddress) {
		t.Errorf("got %v, want ErrPrivateAddress", err)
	}
}

func TestHeadTimeouts(t *testing.T) {
	for name, tt := range map[string]struct {
		framing string
		limit   func(*Limits)
	}{
		"Stream":   {"sse", func(l *Limits) { l.FirstByte = brief }},
		"Document": {"json", func(l *Limits) { l.Total = brief }},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{open: func(string, []byte) []abi.Record {
				return []abi.Record{request(`{"method":"POST","path":"/x","framing":"` + tt.framing + `"}`)}
			}}
			gone := make(chan struct{})
			u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				close(gone)
			}, func(c *Config) { tt.limit(&c.Limits) })
			_, err := send(t, u, chat())
			if got := failureOf(t, err); got.Kind != abi.ErrTimeout || got.Phase != PhaseSend || !got.Retryable() {
				t.Errorf("got %v, want a timeout", err)
			}
			<-gone
		})
	}
}

func TestSendCallerLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	f := &fakeAdapter{}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		close(gone)
	})
	p, err := u.Prepare(ctx, chat())
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Send(ctx)
	if !Cancelled(err) {
		t.Errorf("got %v, want the caller's leaving", err)
	}
	<-gone
}

// A connection that the vendor closes just as it is used again is no failure: nothing was answered on it.
func TestStaleConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for n := 0; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveRaw(conn, n == 0)
		}
	}()
	f := &fakeAdapter{}
	u := newUpstream(t, f, noVendor(t), func(c *Config) { c.BaseURL = "http://" + ln.Addr().String() })
	for i := range 2 {
		a, err := send(t, u, chat())
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if _, _, err := drainAll(t, a); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		a.Close()
	}
}

// serveRaw answers one request and, if it is stale, hangs up at the next; else it answers that too.
func serveRaw(conn net.Conn, stale bool) {
	defer conn.Close()
	buf := make([]byte, 4096)
	for i := 0; ; i++ {
		for seen := ""; !strings.HasSuffix(seen, "\r\n\r\n{}"); {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			seen += string(buf[:n])
		}
		if stale && i == 1 {
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 14\r\n\r\ndata: [DONE]\n\n")
	}
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		stream(w, fmt.Sprintf("data: {\"text\":\"%d\"}\n\ndata: [DONE]\n\n", r.ProtoMajor))
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	u := newUpstream(t, &fakeAdapter{}, noVendor(t), func(c *Config) { c.BaseURL = srv.URL })
	u.transport.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	u.transport.TLSClientConfig.NextProtos = nil
	a, err := send(t, u, chat())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	events, _, err := drainAll(t, a)
	if err != nil || !strings.HasPrefix(strings.Join(events, " "), "text:2 ") {
		t.Errorf("got %v, %v, want an answer over HTTP/2", events, err)
	}
}

// A simulated vendor is told which try of which call it sees; a real one is not.
func TestOnlySimulatedVendorsAreToldOurIDs(t *testing.T) {
	for _, simulated := range []bool{true, false} {
		var got http.Header
		u := newUpstream(t, &fakeAdapter{}, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() },
			func(c *Config) { c.Simulated = simulated })
		ask := chat()
		ask.InferenceID, ask.Attempt = "inf-1", 2
		if a, err := send(t, u, ask); err == nil {
			a.Close()
		}
		id, attempt := got.Get("X-Ainfera-Inference-Id"), got.Get("X-Ainfera-Attempt")
		if told := id == "inf-1" && attempt == "2"; told != simulated || !simulated && id+attempt != "" {
			t.Errorf("simulated %v: got %q, %q", simulated, id, attempt)
		}
	}
}

// The transport sends again when a kept connection turns out to be closed: the try says so, since the vendor may have seen
// both.
func TestSendsAreCounted(t *testing.T) {
	var seen atomic.Int64
	u := newUpstream(t, &fakeAdapter{}, func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1) == 2 {
			panic(http.ErrAbortHandler) // on the connection that the first call left
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for i, want := range []int{1, 2} {
		p, err := u.Prepare(t.Context(), chat())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Send(t.Context()); err == nil {
			t.Fatal("a 503 was an answer")
		}
		if got := p.Try().Sends; got != want {
			t.Errorf("call %d: got %d sends, want %d", i, got, want)
		}
	}
	if seen.Load() != 3 {
		t.Errorf("the vendor saw %d, want 3", seen.Load())
	}
}
