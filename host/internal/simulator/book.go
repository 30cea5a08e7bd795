package simulator

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
)

// CallsKept is how many calls a recording server remembers; older ones are forgotten.
const CallsKept = 4096

// Call is one request that a simulated vendor was sent.
type Call struct {
	Dialect string
	Path    string
	Model   string // as it was sent, directives included; empty when the body had none
	// InferenceID is the x-ainfera-inference-id header and Attempt the x-ainfera-attempt, where the caller tells them; else
	// empty and -1.
	InferenceID string
	Attempt     int
	Header      http.Header
	Body        []byte
	Status      int  // 0 while nothing was sent
	Done        bool // the answer is over
	// Disconnected says that the client went away before the answer was over.
	Disconnected bool
}

// book remembers calls.
type book struct {
	mu       sync.Mutex
	calls    []*Call
	finished int           // ever
	changed  chan struct{} // closed, and replaced, at each finish
}

func newBook() *book { return &book{changed: make(chan struct{})} }

// begin enters a call; a nil book does nothing and gives nil, which finish takes.
func (b *book) begin(dialect string, r *http.Request, model string, body []byte) *Call {
	if b == nil {
		return nil
	}
	attempt, err := strconv.Atoi(r.Header.Get("x-ainfera-attempt"))
	if err != nil {
		attempt = -1
	}
	c := &Call{
		Dialect: dialect, Path: r.URL.Path, Model: model, Header: r.Header.Clone(), Body: append([]byte(nil), body...),
		InferenceID: r.Header.Get("x-ainfera-inference-id"), Attempt: attempt,
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.calls) == CallsKept {
		b.calls = append(b.calls[:0], b.calls[CallsKept/4:]...)
	}
	b.calls = append(b.calls, c)
	return c
}

func (b *book) finish(c *Call, status int, disconnected bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c.Status, c.Disconnected, c.Done = status, disconnected, true
	b.finished++
	close(b.changed)
	b.changed = make(chan struct{})
}

// Calls returns the calls that were received, oldest first: all of them up to CallsKept. It returns none without
// Options.Record. The bodies and headers are shared and not to be changed.
func (s *Server) Calls() []Call {
	if s.book == nil {
		return nil
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	out := make([]Call, len(s.book.calls))
	for i, c := range s.book.calls {
		out[i] = *c
	}
	return out
}

// WaitFinished returns Calls once n calls in all are over, so that a test need not guess when a vendor has noticed that
// its client left. It fails when ctx ends first, or without Options.Record.
func (s *Server) WaitFinished(ctx context.Context, n int) ([]Call, error) {
	if s.book == nil {
		return nil, fmt.Errorf("wait for %d calls: the server does not record; set Options.Record", n)
	}
	for {
		s.book.mu.Lock()
		finished, changed := s.book.finished, s.book.changed
		s.book.mu.Unlock()
		if finished >= n {
			return s.Calls(), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %d finished calls, of which %d are: %w", n, finished, ctx.Err())
		}
	}
}

// Request is what a script sees of a call.
type Request struct {
	Dialect string
	Path    string
	Model   string // without directives
	Stream  bool
	Text    string // of the last user message, without directives
	Header  http.Header
	N       int // the how manyth call of this model in this dialect since the script was set, from 1
}

// scripts holds the script in force, if any.
type scripts struct {
	current atomic.Pointer[script]
}

type script struct {
	fn   func(Request) *Fault
	mu   sync.Mutex
	seen map[string]int // by dialect and model
}

// Script has fn decide what becomes of each call from now on: nil leaves the call to its directives, anything else is
// used in their place. fn is called by many goroutines at once. A nil fn ends the script.
func (s *Server) Script(fn func(Request) *Fault) {
	if fn == nil {
		s.script.current.Store(nil)
		return
	}
	s.script.current.Store(&script{fn: fn, seen: make(map[string]int)})
}

func (s *scripts) decide(dialect string, r *http.Request, a *ask) *Fault {
	cur := s.current.Load()
	if cur == nil {
		return nil
	}
	key := dialect + "\x00" + a.model
	cur.mu.Lock()
	cur.seen[key]++
	n := cur.seen[key]
	cur.mu.Unlock()
	return cur.fn(Request{
		Dialect: dialect, Path: r.URL.Path, Model: a.model, Stream: a.stream, Text: a.text, Header: r.Header, N: n,
	})
}
