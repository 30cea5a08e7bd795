package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// TestShippedConfigurationBuilds gives every provider of the shipped configuration a key: its settings must be what the
// adapters' manifests declare, and every model must be routable.
func TestShippedConfigurationBuilds(t *testing.T) {
	cfg, err := config.Load("../config.hcl", func(name string) (string, bool) {
		if strings.HasSuffix(name, "_API_KEY") {
			return "key", true
		}
		return "", false
	})
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{"anthropic": "./plugins/provider/anthropic", "openai": "./plugins/provider/openai", "floor": "./plugins/policy/floor"}
	for i := range cfg.Plugins {
		cfg.Plugins[i].Module = guest(t, sources[cfg.Plugins[i].Name])
	}
	sandbox, err := wasm.Open(t.Context(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sandbox.Close(context.WithoutCancel(t.Context()))
	books, err := capture.Open(t.Context(), capture.Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer books.Close(context.WithoutCancel(t.Context()))
	h := &host{cfg: cfg, log: hclog.NewNullLogger(), metrics: metrics.New(), health: route.NewHealth(time.Now), affinity: route.NewAffinity(time.Now),
		plugins: plugins.New(plugins.Config{Sandbox: sandbox, Store: books})}
	next, err := h.prepare(t.Context(), cfg, func(string, *wasm.Module, time.Duration) {})
	if err != nil {
		t.Fatal(err)
	}
	defer next.change.Abort()
	w := next.world
	if n := len(w.Upstreams); n < 8 {
		t.Errorf("%d providers are active, want all 8 real ones", n)
	}
	for _, e := range w.Router.Catalogue().Entries() {
		status := w.Router.Catalogue().Routable(e)
		if simulated := e.Deployments[0].Provider == "sim-openai" || e.Deployments[0].Provider == "sim-anthropic"; !simulated && status != "routable" || simulated && status != "no_credentials" {
			t.Errorf("%s: %s", e.Slug, status)
		}
	}
}
