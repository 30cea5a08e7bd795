package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// The dialects a Server speaks, and the keys of what Start returns.
const (
	Anthropic = "anthropic"
	OpenAI    = "openai"
	Responses = "openai-responses"
	Gemini    = "gemini"
)

// Options are what New takes. The zero value is a vendor that answers at once and remembers nothing.
type Options struct {
	// Logger gets a line at debug level for each call served. Defaults to none.
	Logger hclog.Logger
	// Seed enters the ids that answers carry, so that two servers give different ones. Defaults to 0.
	Seed uint64
	// FirstByte is how long a vendor thinks before it sends anything. Defaults to 0.
	FirstByte time.Duration
	// Between is the pause between two pieces of a streamed answer; an answer in one document takes as long as its
	// pieces would have. Defaults to 0.
	Between time.Duration
	// Models is what the list of models shows. Any model name is served, listed or not. Defaults to sim-small,
	// sim-large and sim-think.
	Models []string
	// Record keeps the last CallsKept calls, bodies and headers (keys among them) included, for Calls. It is meant for
	// tests. Defaults to false.
	Record bool
}

// Server is a set of simulated vendors. It is safe for concurrent use, and to be made with New.
type Server struct {
	log    hclog.Logger
	opt    Options
	book   *book
	script scripts

	mu      sync.Mutex
	servers []*http.Server
	unwatch []func() bool // of the contexts that Start was given
	closed  chan struct{} // what silent answers wait for, beside their client
	done    sync.WaitGroup
}

// New makes the vendors. Nothing listens until Start; Handler serves without it.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = hclog.NewNullLogger()
	}
	if len(opt.Models) == 0 {
		opt.Models = []string{"sim-small", "sim-large", "sim-think"}
	}
	s := &Server{log: opt.Logger, opt: opt, closed: make(chan struct{})}
	if opt.Record {
		s.book = newBook()
	}
	return s
}

// Handler serves one dialect, such as Anthropic, at the paths of the vendor: an Anthropic base URL ends before /v1, one
// of OpenAI's with it, a Gemini one with /v1beta. It panics on another dialect, which is a mistake in the calling code.
func (s *Server) Handler(name string) http.Handler {
	switch name {
	case Anthropic:
		return &handler{server: s, dialect: anthropic{}}
	case OpenAI:
		return &handler{server: s, dialect: openai{}}
	case Responses:
		return &handler{server: s, dialect: responses{}}
	case Gemini:
		return &handler{server: s, dialect: gemini{}}
	}
	panic(fmt.Sprintf("simulator: no dialect %q", name))
}

// Start listens on a free port of 127.0.0.1 for each dialect and returns their base URLs, as a configuration would
// name them. The vendors stop when ctx ends or at Close, whichever is first; a closed server does not start again.
func (s *Server) Start(ctx context.Context) (map[string]string, error) {
	bases := map[string]string{Anthropic: "", OpenAI: "/v1", Responses: "/v1", Gemini: "/v1beta"}
	urls := make(map[string]string, len(bases))
	for name, base := range bases {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err == nil {
			err = s.serve(name, ln)
		}
		if err != nil {
			s.Close()
			return nil, fmt.Errorf("start the simulated %s: %w", name, err)
		}
		urls[name] = "http://" + ln.Addr().String() + base
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	s.mu.Lock()
	s.unwatch = append(s.unwatch, stop)
	s.mu.Unlock()
	s.log.Debug("simulated vendors listening", Anthropic, urls[Anthropic], OpenAI, urls[OpenAI], Responses, urls[Responses],
		Gemini, urls[Gemini])
	return urls, nil
}

func (s *Server) serve(name string, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s.Handler(name),
		ReadHeaderTimeout: 30 * time.Second,
		// net/http reports here what a test does on purpose: broken connections and the like.
		ErrorLog: s.log.Named(name).StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		ln.Close()
		return http.ErrServerClosed
	default:
	}
	s.servers = append(s.servers, srv)
	s.done.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("simulated vendor stopped", "dialect", name, "error", err)
		}
	})
	return nil
}

// Close ends every answer that is under way, stops listening and waits for the listeners. Calling it again does
// nothing. The error is always nil; it is there so that a Server is an io.Closer.
func (s *Server) Close() error {
	s.mu.Lock()
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	servers, unwatch := s.servers, s.unwatch
	s.servers, s.unwatch = nil, nil
	s.mu.Unlock()
	for _, stop := range unwatch {
		stop()
	}
	for _, srv := range servers {
		srv.Close()
	}
	s.done.Wait()
	return nil
}
