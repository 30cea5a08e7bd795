package gateway

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
)

// Books is what the gateway needs of the capture room.
type Books interface {
	Authenticate(ctx context.Context, key string) (*capture.Agent, error)
	Allowance(ctx context.Context, a *capture.Agent) (capture.Allowance, error)
	Reject(ctx context.Context, r *capture.Rejection) (outcomeID string, err error)
	Begin(ctx context.Context, b *capture.Begin) (Booking, error)
	Keys
	Records
}

// A Booking is a call whose decision and hold are durable: a *capture.Call.
type Booking interface {
	RaiseHold(ctx context.Context, microUSD int64) error
	Complete(ctx context.Context, d *capture.Completion) error
}

// Booked makes the capture room's books the gateway's.
func Booked(b *capture.Books) Books { return booked{b} }

type booked struct{ *capture.Books }

func (b booked) Begin(ctx context.Context, n *capture.Begin) (Booking, error) {
	call, err := b.Books.Begin(ctx, n)
	if err != nil {
		return nil, err // a nil *Call in the interface would not be nil
	}
	return call, nil
}

// A World is everything of the configuration that a call looks at. A call takes it once, at its start, and keeps it; a
// reload swaps the whole.
type World struct {
	Router    *route.Router
	Upstreams map[string]*provider.Upstream // those that are active
	Providers map[string]ProviderInfo       // all of the configuration's
	// AgentDefaults are an agent's own hints, by agent name.
	AgentDefaults map[string]route.Hints
	// BodyBytes is the largest request body. Defaults to the server's.
	BodyBytes int64
}

// ProviderInfo is what is shown of a provider block.
type ProviderInfo struct {
	Adapter string
	Active  bool
}

// Config is what a Server is made of.
type Config struct {
	World   *World
	Books   Books
	Logger  hclog.Logger
	Metrics *metrics.Metrics
	Now     func() time.Time
	// Proofs is what outsiders are given to check the books with; nil publishes nothing.
	Proofs Proofs
	// BodyBytes is the largest request body. Defaults to 32 MiB.
	BodyBytes int64
	// KeepBodies hands bodies to the books. Defaults to false.
	KeepBodies bool
	// AdminToken is the operators', which may read every tenant's records and top wallets up. Empty: nobody may.
	AdminToken string
	// Signup lets anybody make an agent. Defaults to false.
	Signup bool
	// KeptAnswerBytes is the largest answer that is kept for its Idempotency-Key. Defaults to 16 MiB.
	KeptAnswerBytes int
	// PingAfter is how long a stream may be still before a ping goes out. Defaults to 15 s.
	PingAfter time.Duration
	// CallerWithin is how long a caller may take to send its body, and to take what is written. Defaults to 5 minutes.
	CallerWithin time.Duration
	// GuestFailed is told of every failure of a guest's, with the agent's id and the hash of the body on whose call it came.
	// nil for nobody.
	GuestFailed func(err error, agentID, requestHash string)
	// CompleteWithin bounds the writing down of a call that has ended. Defaults to 30 s.
	CompleteWithin time.Duration
}

// A Server answers callers. It is an http.Handler, safe for concurrent use.
type Server struct {
	cfg    Config
	epoch  atomic.Pointer[epoch]
	router *mux.Router
	ready  atomic.Bool
	active sync.WaitGroup
	life   context.Context // ends with Cut
	cut    context.CancelFunc
}

// New makes a server that is not ready until SetReady.
func New(cfg Config) *Server {
	if cfg.BodyBytes == 0 {
		cfg.BodyBytes = 32 << 20
	}
	if cfg.KeptAnswerBytes == 0 {
		cfg.KeptAnswerBytes = 16 << 20
	}
	if cfg.PingAfter == 0 {
		cfg.PingAfter = 15 * time.Second
	}
	if cfg.CallerWithin == 0 {
		cfg.CallerWithin = 5 * time.Minute
	}
	if cfg.CompleteWithin == 0 {
		cfg.CompleteWithin = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg}
	s.life, s.cut = context.WithCancel(context.Background())
	s.epoch.Store(newEpoch(cfg.World))
	s.router = s.routes()
	return s
}

// SetReady says whether /ready answers 200: false before the start is over and while draining.
func (s *Server) SetReady(ready bool) { s.ready.Store(ready) }

// Cut ends the calls in flight: their callers are told, the vendors are let go, and what came until then is written down.
// Calls that come later are cut at once. It does not wait.
func (s *Server) Cut() { s.cut() }

// Wait returns when no call is in flight. It is for after the listener is closed.
func (s *Server) Wait() { s.active.Wait() }

// Ready is what SetReady said last.
func (s *Server) Ready() bool { return s.ready.Load() }

func (s *Server) routes() *mux.Router {
	m := mux.NewRouter().UseEncodedPath().SkipClean(true) // a cleaned path would be answered by a redirect
	m.HandleFunc("/", s.root).Methods(http.MethodGet)
	m.HandleFunc("/health", s.health).Methods(http.MethodGet)
	m.HandleFunc("/openapi.json", s.openapi).Methods(http.MethodGet)
	m.HandleFunc("/v1/messages", s.calls(anthropic{})).Methods(http.MethodPost)
	m.HandleFunc("/v1/messages/count_tokens", s.handle(anthropic{}, (*call).count)).Methods(http.MethodPost)
	m.HandleFunc("/v1/chat/completions", s.calls(openai{})).Methods(http.MethodPost)
	m.HandleFunc("/v1/inference", s.calls(inference{})).Methods(http.MethodPost)
	m.HandleFunc("/v1/models", s.models).Methods(http.MethodGet)
	m.HandleFunc("/v1/providers", s.providers).Methods(http.MethodGet)
	s.visited(m)
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, fail(codeNotFound, "there is nothing at "+clip(r.URL.Path, 200)))
	})
	m.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", s.methods(r))
		s.refuse(w, r, fail(codeMethod, "method "+clip(r.Method, 20)+" is not allowed at "+clip(r.URL.Path, 200)))
	})
	return m
}

// methods lists what the request's path would take.
func (s *Server) methods(r *http.Request) string {
	list := http.MethodHead
	for _, method := range [...]string{http.MethodGet, http.MethodPost, http.MethodPatch} {
		probe := *r
		probe.Method = method
		var m mux.RouteMatch
		if s.router.Match(&probe, &m) && m.MatchErr == nil {
			list += ", " + method
		}
	}
	return list
}

// ServeHTTP gives every response its request id before anything else can happen.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := "req_" + plainID(capture.NewID())
	h := w.Header()
	h["Request-Id"] = []string{id}
	h["X-Request-Id"] = []string{id}
	if r.Method == http.MethodHead { // probes, at whatever path
		s.head(w)
		return
	}
	// It holds for what net/http reads behind a refusal, too. A writer that knows no deadlines has no connection to hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.cfg.CallerWithin))
	s.router.ServeHTTP(w, r)
}

// readLittle bounds the time in which net/http reads on in a body that nobody wants before it answers: the caller may be
// waiting to be told, and the answer's own time is running.
func (s *Server) readLittle(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(min(5*time.Second, s.cfg.CallerWithin/2)))
}

// readNoMore takes the deadline of the body off: from here on a read only tells whether the caller is still there.
func (s *Server) readNoMore(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// allowWrite gives the caller its time to take what is written next. net/http takes the deadline off after the call.
func (s *Server) allowWrite(w http.ResponseWriter, now time.Time) {
	_ = http.NewResponseController(w).SetWriteDeadline(now.Add(s.cfg.CallerWithin))
}

func requestID(w http.ResponseWriter) string { return w.Header().Get("Request-Id") }

// refuse answers an error that belongs to no call, in the dialect of its path.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e *apiError) {
	var d dialect = platform{}
	switch p := r.URL.Path; {
	case p == "/v1/messages", strings.HasPrefix(p, "/v1/messages/"):
		d = anthropic{}
	case strings.HasPrefix(p, "/v1/chat/"):
		d = openai{}
	case p == "/v1/inference":
		d = inference{}
	}
	s.readLittle(w)
	e.write(w, d, requestID(w))
}

func (s *Server) head(w http.ResponseWriter) {
	s.readLittle(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
}

func (s *Server) root(w http.ResponseWriter, _ *http.Request) {
	s.writeJSON(w, []byte(`{"service":"Ainfera API","documentation":"/openapi.json","endpoints":["POST /v1/messages","POST /v1/messages/count_tokens","POST /v1/chat/completions","POST /v1/inference","GET /v1/models","GET /v1/providers","GET /health"]}`))
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.writeJSON(w, []byte(`{"status":"ok"}`))
}

func (s *Server) writeJSON(w http.ResponseWriter, body []byte) {
	s.readLittle(w)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // a caller that is gone needs no answer
}

// keysOf finds the caller's keys: in Authorization and x-api-key, those that can be ours.
func keysOf(h http.Header) []string {
	var keys []string
	add := func(k string) {
		if k = strings.TrimSpace(k); strings.HasPrefix(k, "ainfera_") && len(keys) < 2 && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for _, v := range h["Authorization"] {
		if len(v) > 7 && strings.EqualFold(v[:7], "bearer ") {
			add(v[7:])
		}
	}
	for _, v := range h["X-Api-Key"] {
		add(v)
	}
	return keys
}

// clip bounds what of a caller's is put into a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

const (
	headerItemBytes = 80
	headerItems     = 32
)

// headerText makes text of a guest's fit for a header: one line of printable ASCII, of bounded length.
func headerText(s string) string {
	b := make([]byte, 0, min(len(s), headerItemBytes))
	for i := 0; i < len(s) && len(b) < headerItemBytes; i++ {
		if c := s[i]; c >= ' ' && c <= '~' && c != ',' {
			b = append(b, c)
		}
	}
	return strings.TrimSpace(string(b))
}

// headerList joins the items of a header, each once.
func headerList(items []string) string {
	var out []string
	for _, item := range items {
		if item = headerText(item); item != "" && len(out) < headerItems && !slices.Contains(out, item) {
			out = append(out, item)
		}
	}
	return strings.Join(out, ", ")
}
