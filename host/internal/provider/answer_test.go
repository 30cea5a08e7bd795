package provider

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// stream writes each part and flushes it.
func stream(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range parts {
		io.WriteString(w, p)
		w.(http.Flusher).Flush()
	}
}

func TestTranslatedStream(t *testing.T) {
	f := &fakeAdapter{}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		stream(w, ": hello\n\n", "event: delta\ndata: {\"text\":\"a\"}\n\ndata: {\"te", "xt\":\"b\"}\n\n", "data: {\"stop\":\"x\"}\n\ndata: [DONE]\n\n")
	})
	a, err := send(t, u, chat())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	events, _, err := drainAll(t, a)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(events, " "), `text:a text:b stop usage:{"output":0}`; got != want {
		t.Errorf("events: got %s, want %s", got, want)
	}
	if got, want := f.kinds(), `head frame(delta|{"text":"a"}) frame(|{"text":"b"}) frame(|{"stop":"x"}) frame(|[DONE]) end0`; got != want {
		t.Errorf("pushed: got %s, want %s", got, want)
	}
}

func TestVerbatimStream(t *testing.T) {
	f := &fakeAdapter{features: []string{"verbatim"}}
	body := ": ping\r\n\r\nevent: message_start\r\ndata: {\"a\":1}\r\n\r\nevent: message_stop\ndata: {}\n\n: bye\n"
	f.open = whole(`{"method":"POST","path":"/messages","framing":"sse"}`, "")
	var got string
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		stream(w, body[:20], body[20:])
	})
	ask := &Ask{Verbatim: true, Stream: true, Whole: []byte(`{"model":"m", "x":1}`)}
	a, err := send(t, u, ask)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if n := f.live.Load(); n != 0 {
		t.Errorf("guests after the head of a verbatim answer: got %d, want 0", n)
	}
	_, raw, err := drainAll(t, a)
	if err != nil {
		t.Fatal(err)
	}
	if string(raw) != body {
		t.Errorf("raw: got %q, want %q", raw, body)
	}
	if got != string(ask.Whole) {
		t.Errorf("sent: got %s, want %s", got, ask.Whole)
	}
	if f.pushes != 0 {
		t.Errorf("pushes: got %d, want 0", f.pushes)
	}
}

// answerOf sends a chat whose outline asks for the framing.
func answerOf(t *testing.T, f *fakeAdapter, framing string, vendor http.HandlerFunc, change ...func(*Config)) *Answer {
	t.Helper()
	if f.open == nil {
		f.open = func(string, []byte) []abi.Record {
			return []abi.Record{request(`{"method":"POST","path":"/x","framing":"` + framing + `"}`)}
		}
	}
	a, err := send(t, newUpstream(t, f, vendor, change...), chat())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestFramings(t *testing.T) {
	for name, tt := range map[string]struct {
		framing, contentType, body, want string
		document                         bool
	}{
		"JSON":            {"json", "application/json", `{"text":"a"}`, `head document(|{"text":"a"}) end0`, true},
		"JSONInsteadSSE":  {"sse", "application/json; charset=utf-8", `{"text":"a"}`, `head document(|{"text":"a"}) end0`, true},
		"SSEInsteadJSON":  {"json", "text/event-stream; charset=utf-8", "data: {\"text\":\"a\"}\n\ndata: [DONE]\n\n", `head frame(|{"text":"a"}) frame(|[DONE]) end0`, false},
		"NDJSON":          {"ndjson", "application/x-ndjson", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", `head frame(|{"text":"a"}) frame(|{"text":"b"}) end0`, false},
		"JSONArray":       {"json-array", "application/json", `[{"text":"a"},{"text":"b"}]`, `head frame(|{"text":"a"}) frame(|{"text":"b"}) end0`, false},
		"SSE":             {"sse", "text/event-stream", "data: {\"text\":\"a\"}\n\n", `head frame(|{"text":"a"}) end0`, false},
		"SSEUntold":       {"sse", "", "data: {\"text\":\"a\"}\n\n", `head frame(|{"text":"a"}) end0`, false},
		"SSEUnterminated": {"sse", "text/event-stream", "data: {\"text\":\"a\"}", `head frame(|{"text":"a"}) end0`, false},
		"Empty":           {"sse", "text/event-stream", "", `head end0`, false},
		"CommentsOnly":    {"sse", "text/event-stream", ": one\n\n: two\n\n", `head end0`, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{}
			a := answerOf(t, f, tt.framing, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", tt.contentType)
				io.WriteString(w, tt.body)
			})
			if _, _, err := drainAll(t, a); err != nil {
				t.Fatal(err)
			}
			if f.kinds() != tt.want {
				t.Errorf("pushed: got %s, want %s", f.kinds(), tt.want)
			}
			if a.Document() != tt.document || a.Status() != 200 || a.Try().FirstByte == 0 && tt.body != "" || a.Try().ReceivedBytes != int64(len(tt.body)) {
				t.Errorf("got document %v, try %+v", a.Document(), a.Try())
			}
		})
	}
}

func TestVerbatimDocument(t *testing.T) {
	f := &fakeAdapter{features: []string{"verbatim"}, open: whole(`{"method":"POST","path":"/x","framing":"json"}`, "")}
	body := ` {"content":[ ] }` + "\n"
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })
	a, err := send(t, u, &Ask{Verbatim: true, Whole: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	piece, err := a.Next(t.Context())
	if err != nil || !piece.Document || string(piece.Raw) != body || len(piece.Frames) != 1 || string(piece.Frames[0].Data) != strings.TrimSpace(body) {
		t.Errorf("got %+v, %v", piece, err)
	}
	if _, err := a.Next(t.Context()); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
	if a.Rest() != nil {
		t.Error("the verbatim lane has something for the books")
	}
}

func TestDocumentTooLarge(t *testing.T) {
	a := answerOf(t, &fakeAdapter{}, "json", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"text":"`+strings.Repeat("x", 5000)+`"}`)
	}, func(c *Config) { c.Limits.DocumentBytes = 4096 })
	_, _, err := drainAll(t, a)
	if got := failureOf(t, err); got.Phase != PhaseBody || got.Kind != abi.ErrAPI {
		t.Errorf("got %v, want the body's failure", err)
	}
}

// All the frames of one read are one call of the guest, and a big answer is read in bigger pieces.
func TestPushesAreBatched(t *testing.T) {
	f := &fakeAdapter{}
	one := "data: {\"text\":\"" + strings.Repeat("x", 85) + "\"}\n\n"
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(one)*4000))
		io.WriteString(w, strings.Repeat(one, 4000))
	})
	events, _, err := drainAll(t, a)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(strings.Join(events, " "), "text:"); got != 4000 {
		t.Errorf("events: got %d, want 4000", got)
	}
	// 400 KB in reads of at most 32 KiB; how many the network makes of it is its business, yet never one a frame.
	if f.pushes > 1000 || len(a.buf) != largeReadBytes {
		t.Errorf("pushes: got %d with a buffer of %d", f.pushes, len(a.buf))
	}
}

func TestErrorInStream(t *testing.T) {
	f := &fakeAdapter{}
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		stream(w, "data: {\"text\":\"a\"}\n\ndata: {\"error\":\"busy\",\"kind\":\"overloaded\"}\n\ndata: {\"text\":\"b\"}\n\n")
		<-r.Context().Done() // cancelled, since nothing more is wanted
	})
	events, _, err := drainAll(t, a)
	got := failureOf(t, err)
	if got.Kind != abi.ErrOverloaded || got.Message != "busy" || got.Phase != PhaseBody || got.Status != 200 || got.RetryAfter != 1500*time.Millisecond || !got.Retryable() {
		t.Errorf("got %+v", got)
	}
	if strings.Join(events, " ") != "text:a" {
		t.Errorf("events: got %v, want what came before the error", events)
	}
	if a.Rest() != nil {
		t.Error("asked a guest that had reported an error for more")
	}
	if _, again := a.Next(t.Context()); again != err {
		t.Errorf("Next once more: got %v, want the same", again)
	}
}

func TestGuestFaultsInStream(t *testing.T) {
	for name, push := range map[string]func([]abi.Record) ([]abi.Record, error){
		"Trap":     func([]abi.Record) ([]abi.Record, error) { return nil, errTrap },
		"NotEvent": func([]abi.Record) ([]abi.Record, error) { return []abi.Record{{Kind: abi.KindRequestBody}}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{push: push}
			a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
				stream(w, "data: {\"text\":\"a\"}\n\n")
				<-r.Context().Done()
			})
			_, _, err := drainAll(t, a)
			if got := failureOf(t, err); got.Phase != PhaseGuest || got.Module != "sha256:fake" || got.Status != 200 {
				t.Errorf("got %v, want the guest's failure", err)
			}
			if a.Rest() != nil || f.pushes != 1 {
				t.Errorf("a guest that failed was asked again: %d pushes", f.pushes)
			}
		})
	}
}

func TestStreamTimeouts(t *testing.T) {
	for name, tt := range map[string]struct {
		framing string
		parts   []string
		limit   func(*Limits)
	}{
		"FirstByte": {"sse", nil, func(l *Limits) { l.FirstByte = brief }},
		"Idle":      {"sse", []string{"data: {\"text\":\"a\"}\n\n"}, func(l *Limits) { l.Idle = brief }},
		"Total":     {"json", []string{`{"text":`}, func(l *Limits) { l.Total = brief * 4 }},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{}
			a := answerOf(t, f, tt.framing, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				stream(w, append(tt.parts, "")...)
				<-r.Context().Done()
			}, func(c *Config) { tt.limit(&c.Limits) })
			events, _, err := drainAll(t, a)
			got := failureOf(t, err)
			if got.Kind != abi.ErrTimeout || got.Phase != PhaseBody || Cancelled(err) {
				t.Errorf("got %v, want a timeout", err)
			}
			if name == "Idle" {
				if strings.Join(events, " ") != "text:a" || text(t, a.Rest()) != `usage:{"output":2}` {
					t.Errorf("events %v: want the text, then the books' usage with the end's reason", events)
				}
			} else if f.pushes != 0 {
				t.Errorf("pushes: got %d, want 0", f.pushes)
			}
		})
	}
}

// A vendor that says nothing but that it is there may do so as long as a whole answer may take.
func TestCommentsAreNoAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		first, beat, want string
		complete          bool
	}{
		"Cut":      {"data: {\"text\":\"a\"}\n\n", ": still here\n\n", "text:a", false},
		"Pings":    {"data: {\"text\":\"a\"}\n\n", "event: ping\ndata: {\"type\":\"ping\"}\n\n", "text:a", false},
		"Complete": {"data: {\"finish\":\"x\"}\n\n", ": still here\n\n", "stop", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{}
			if tc.complete { // an adapter that knows the reason, and waits for the usage
				f.push = func(recs []abi.Record) (out []abi.Record, _ error) {
					if recs[len(recs)-1].Kind == abi.KindEnd {
						out = []abi.Record{{Kind: abi.KindStop, Payload: []byte(`{"reason":"stop"}`)}}
					}
					return out, nil
				}
			}
			a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(200)
				stream(w, tc.first)
				for r.Context().Err() == nil {
					stream(w, tc.beat)
					select {
					case <-r.Context().Done():
					case <-time.After(brief / 10):
					}
				}
			}, func(c *Config) { c.Limits.Total = brief })
			events, _, err := drainAll(t, a)
			if !tc.complete {
				if got := failureOf(t, err); got.Kind != abi.ErrTimeout {
					t.Errorf("got %v, want a timeout", err)
				}
			} else if err != nil {
				t.Errorf("got %v, want an answer that is complete", err)
			}
			got := strings.ReplaceAll(strings.Join(events, " "), " text:", "") // what the fake makes of a ping
			if got != tc.want {
				t.Errorf("events: got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestBroken(t *testing.T) {
	f := &fakeAdapter{}
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		stream(w, "data: {\"text\":\"a\"}\n\ndata: {\"text\":\"cut")
		panic(http.ErrAbortHandler)
	})
	events, _, err := drainAll(t, a)
	if got := failureOf(t, err); got.Phase != PhaseBody || got.Kind != abi.ErrAPI || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want a broken connection", err)
	}
	if strings.Join(events, " ") != "text:a" {
		t.Errorf("events: got %v", events)
	}
	if got, want := text(t, a.Rest()), `usage:{"output":2}`; got != want {
		t.Errorf("rest: got %s, want %s", got, want)
	}
	if a.Rest() != nil {
		t.Error("Rest said it twice")
	}
}

// A vendor that breaks off after it has said why it stopped has answered.
func TestBrokenAfterStop(t *testing.T) {
	f := &fakeAdapter{}
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		stream(w, "data: {\"stop\":\"x\"}\n\n")
		panic(http.ErrAbortHandler)
	})
	events, _, err := drainAll(t, a)
	if got, want := strings.Join(events, " "), `stop usage:{"output":0}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// Heartbeats after the end don't keep a stream open, with a [DONE] or without.
func TestHeartbeatsAfterTheEnd(t *testing.T) {
	for name, last := range map[string]string{"Done": "data: [DONE]\n\n", "Stop": "data: {\"stop\":\"x\"}\n\n"} {
		t.Run(name, func(t *testing.T) {
			f := &fakeAdapter{}
			a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
				stream(w, last)
				for r.Context().Err() == nil {
					stream(w, ": keep-alive\n\n")
					select {
					case <-r.Context().Done():
					case <-time.After(time.Millisecond):
					}
				}
			}, func(c *Config) { c.Limits.Linger = brief })
			events, _, err := drainAll(t, a)
			if err != nil || !strings.HasSuffix(strings.Join(events, " "), `usage:{"output":0}`) {
				t.Errorf("got %v, %v, want an ordinary end", events, err)
			}
		})
	}
}

// Usage that comes after the finish reason is waited for.
func TestLateUsage(t *testing.T) {
	f := &fakeAdapter{}
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		stream(w, "data: {\"stop\":\"x\"}\n\n", ": still here\n\n", "data: {\"text\":\"usage\"}\n\n")
	})
	events, _, err := drainAll(t, a)
	if got, want := strings.Join(events, " "), `stop text:usage usage:{"output":0}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestCallerLeaves(t *testing.T) {
	for _, where := range []string{"Send", "Next"} {
		t.Run(where, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			sendCtx, nextCtx := ctx, t.Context()
			if where == "Next" {
				sendCtx, nextCtx = t.Context(), ctx
			}
			f := &fakeAdapter{}
			gone := make(chan struct{})
			u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
				stream(w, "data: {\"text\":\"a\"}\n\n")
				<-r.Context().Done()
				close(gone)
			})
			p, err := u.Prepare(t.Context(), chat())
			if err != nil {
				t.Fatal(err)
			}
			a, err := p.Send(sendCtx)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if _, err := a.Next(nextCtx); err != nil {
				t.Fatal(err)
			}
			cancel()
			if _, err := a.Next(nextCtx); !Cancelled(err) {
				t.Errorf("got %v, want the caller's leaving", err)
			}
			<-gone // while the answer is still open: at once, not when it is closed
			if got, want := text(t, a.Rest()), `usage:{"output":1}`; got != want {
				t.Errorf("rest: got %s, want %s", got, want)
			}
		})
	}
}

// Rest in the middle, for a caller whose connection turned out to be gone.
func TestRestInTheMiddle(t *testing.T) {
	f := &fakeAdapter{}
	gone := make(chan struct{})
	a := answerOf(t, f, "sse", func(w http.ResponseWriter, r *http.Request) {
		stream(w, "data: {\"text\":\"a\"}\n\n")
		<-r.Context().Done()
		close(gone)
	})
	if _, err := a.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, a.Rest()), `usage:{"output":1}`; got != want {
		t.Errorf("rest: got %s, want %s", got, want)
	}
	<-gone
	if _, err := a.Next(t.Context()); !Cancelled(err) {
		t.Errorf("Next after Rest: got %v, want the caller's leaving", err)
	}
	a.Close()
	if a.Rest() != nil {
		t.Error("Rest after Close said something")
	}
}

// The connection of a stream that ended with [DONE] is used again, though nobody asked for the body's own end.
func TestConnectionIsReused(t *testing.T) {
	remotes := map[string]bool{}
	f := &fakeAdapter{}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		stream(w, "data: {\"stop\":\"x\"}\n\ndata: [DONE]\n\n")
	})
	for range 3 {
		a, err := send(t, u, chat())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := drainAll(t, a); err != nil {
			t.Fatal(err)
		}
		a.Close()
	}
	if len(remotes) != 1 {
		t.Errorf("connections: got %d, want 1", len(remotes))
	}
}

// Many calls at once, each with its own text, some of which are abandoned.
func TestManyAtOnce(t *testing.T) {
	const calls = 64
	f := &fakeAdapter{open: func(_ string, body []byte) []abi.Record {
		return []abi.Record{request(`{"method":"POST","path":"/x","framing":"sse"}`), {Kind: abi.KindRequestBody, Payload: body}}
	}}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		for range 20 {
			stream(w, "data: {\"text\":\""+string(b)+"\"}\n\n")
		}
		stream(w, "data: [DONE]\n\n")
	})
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			mine := "call" + strconv.Itoa(i)
			p, err := u.Prepare(t.Context(), &Ask{Stream: true, Body: []byte(mine)})
			if err != nil {
				t.Error(err)
				return
			}
			a, err := p.Send(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Close()
			if i%4 == 0 {
				if _, err := a.Next(t.Context()); err != nil {
					t.Error(err)
				}
				a.Rest()
				return
			}
			events, _, err := drainAll(t, a)
			if got, want := strings.Count(strings.Join(events, " "), "text:"+mine), 20; err != nil || got != want {
				t.Errorf("%s: got %d texts, %v, want %d", mine, got, err, want)
			}
		})
	}
	wg.Wait()
}
