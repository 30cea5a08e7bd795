package main

import (
	"context"
	"errors"
	"hash/fnv"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// A try is one try of one call, by the ids that simulated vendors are told.
type try struct {
	inference string
	attempt   int
}

// vendors are the simulated vendors, and what they saw.
type vendors struct {
	sim     *simulator.Server
	urls    map[string]string // base URLs, by dialect
	servers []*http.Server
	saw     tally

	mu    sync.Mutex
	tries map[try]int // how often each was seen
}

// startVendors listens for both dialects. Beside what callers ask of them, one first try in seven is refused, so that
// routed calls fail over.
func startVendors(ctx context.Context, seed uint64) (*vendors, error) {
	v := &vendors{sim: simulator.New(simulator.Options{Seed: seed}), urls: map[string]string{}, tries: map[try]int{}}
	v.sim.Script(func(r simulator.Request) *simulator.Fault {
		h := fnv.New32a()
		h.Write([]byte(r.Header.Get("x-ainfera-inference-id")))
		switch n := h.Sum32() % 280; {
		case r.Header.Get("x-ainfera-attempt") != "0":
			return nil
		case n == 40:
			return &simulator.Fault{Error: "rate_limit", RetryAfter: 1} // and the deployment is left alone for a second
		case n < 40:
			return []*simulator.Fault{{Status: 529}, {Status: 500}, {Break: simulator.BreakCut}, {Body: "html"}}[n%4]
		}
		return nil
	})
	for dialect, base := range map[string]string{simulator.Anthropic: "", simulator.OpenAI: "/v1"} {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			v.close()
			return nil, err
		}
		srv := &http.Server{Handler: v.watched(v.sim.Handler(dialect))}
		v.servers = append(v.servers, srv)
		v.urls[dialect] = "http://" + ln.Addr().String() + base
		go func() {
			if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				v.saw.add("listeners that broke: "+err.Error(), 1)
			}
		}()
	}
	return v, nil
}

// watched notes every call before the vendor does anything with it.
func (v *vendors) watched(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		attempt, err := strconv.Atoi(r.Header.Get("x-ainfera-attempt"))
		if err != nil {
			attempt = -1
		}
		v.mu.Lock()
		v.tries[try{r.Header.Get("x-ainfera-inference-id"), attempt}]++
		v.mu.Unlock()
		v.saw.add("requests", 1)
		h.ServeHTTP(w, r)
	})
}

// seen returns what was seen so far: for each inference, how often each of its tries was.
func (v *vendors) seen() map[string]map[int]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]map[int]int{}
	for t, n := range v.tries {
		if out[t.inference] == nil {
			out[t.inference] = map[int]int{}
		}
		out[t.inference][t.attempt] = n
	}
	return out
}

func (v *vendors) close() {
	for _, s := range v.servers {
		s.Close()
	}
	v.sim.Close()
}
