// Package admin is the operators' listener.
//
// It is loopback by default. /ready is open, since a load balancer has no token, and so is /metrics; everything else asks
// for one: the versions of plugins, the reload of the configuration, agents and their wallets, the profiles.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"
)

// Config is what the listener is made of.
type Config struct {
	// Token is what an operator presents as a bearer. Required.
	Token string
	// Metrics serves the series. Like /ready it needs no token: it holds names and counts, and a scraper is on the same
	// network as the listener.
	Metrics http.Handler
	// Ready reports whether calls are being taken.
	Ready func() bool
	// Plugins are served under /plugins.
	Plugins Plugins
	// Reload is POST /reload: it returns what was made, as JSON, with or without an error.
	Reload func(context.Context) (json.RawMessage, error)
	// Agents are what /agents answers from. Nil: it is not there.
	Agents Agents
	// Logger defaults to one that says nothing.
	Logger hclog.Logger
}

// New makes the handler.
func New(c Config) http.Handler {
	m := mux.NewRouter().UseEncodedPath()
	m.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !c.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"status":"not ready"}`))
			return
		}
		_, _ = w.Write([]byte(`{"status":"ready"}`))
	}).Methods(http.MethodGet, http.MethodHead)
	m.Handle("/metrics", c.Metrics).Methods(http.MethodGet)
	operators := m.NewRoute().Subrouter()
	operators.Use(withToken(c.Token))
	if c.Plugins != nil {
		pluginRoutes(operators, c.Plugins)
	}
	if c.Reload != nil {
		reloadRoute(operators, c.Reload)
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Agents != nil {
		(&desk{c.Agents, c.Logger}).routes(operators)
	}
	debug := m.PathPrefix("/debug/pprof/").Subrouter()
	debug.Use(withToken(c.Token))
	debug.HandleFunc("/cmdline", pprof.Cmdline)
	debug.HandleFunc("/profile", pprof.Profile)
	debug.HandleFunc("/symbol", pprof.Symbol)
	debug.HandleFunc("/trace", pprof.Trace)
	debug.PathPrefix("/").HandlerFunc(pprof.Index)
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusNotFound, Error{Message: "there is nothing here: callers have a listener of their own", Code: "not_found"})
	})
	m.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusMethodNotAllowed, Error{Message: "another method is wanted here", Code: "method_not_allowed"})
	})
	return m
}

// withToken lets only operators in. The comparison takes the same time whatever is presented.
func withToken(token string) mux.MiddlewareFunc {
	want := sha256.Sum256([]byte(token))
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			got := sha256.Sum256([]byte(strings.TrimSpace(given)))
			if !strings.EqualFold(scheme, "bearer") || token == "" || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = w.Write([]byte(`{"error":"the admin token is missing or wrong"}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
