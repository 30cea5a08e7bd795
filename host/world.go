package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/gateway"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/host/internal/simulator"
)

// builder turns the configuration into the rooms' own values. It opens nothing.
type builder struct {
	cfg       *config.Config
	plugins   live
	simulated map[string]string // dialect → base URL, empty while the simulator is off
	log       hclog.Logger
	metrics   *metrics.Metrics
	health    *route.Health
	affinity  *route.Affinity
	keep      *faultKeeper
}

// world is everything a call looks at.
func (b *builder) world() (*gateway.World, error) {
	w := &gateway.World{Upstreams: map[string]*provider.Upstream{}, Providers: map[string]gateway.ProviderInfo{}, AgentDefaults: map[string]route.Hints{},
		BodyBytes: b.cfg.Limits.BodyBytes}
	for i := range b.cfg.Providers {
		p := &b.cfg.Providers[i]
		offered, _ := b.cfg.Offered(p)
		w.Providers[p.Name] = gateway.ProviderInfo{Adapter: p.Adapter, Active: offered}
		if !offered {
			continue
		}
		up, err := b.upstream(p)
		if err != nil {
			return nil, fmt.Errorf("provider %q: %w", p.Name, err)
		}
		w.Upstreams[p.Name] = up
	}
	for i := range b.cfg.Agents {
		a := &b.cfg.Agents[i]
		w.AgentDefaults[a.Name] = hints(a.Defaults)
	}
	var err error
	w.Router, err = b.router(func(name string) bool { return w.Upstreams[name] != nil })
	return w, err
}

func (b *builder) upstream(p *config.Provider) (*provider.Upstream, error) {
	m, ok := b.plugins.Manifest(p.Adapter)
	if !ok {
		return nil, fmt.Errorf("no plugin %q is loaded", p.Adapter)
	}
	settings, err := completed(p.Settings, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Pos("settings"), err)
	}
	adapter := &providerAdapter{slot: b.plugins.Slot(p.Adapter), given: p.Settings, keep: b.keep.of(p.Adapter)}
	base := p.BaseURL
	private := p.AllowPrivate
	dialect, simulated := p.Simulated()
	if simulated {
		base, private = b.simulated[dialect], true
	}
	l := b.cfg.Limits
	auth, err := authOf(p)
	if err != nil {
		return nil, err
	}
	return provider.New(provider.Config{Name: p.Name, BaseURL: base, Auth: auth, Settings: settings, Adapter: adapter.acquire,
		Limits:       provider.Limits{Connect: l.UpstreamConnect, FirstByte: l.UpstreamFirst, Idle: l.UpstreamIdle, Total: l.UpstreamTotal},
		AllowPrivate: private, Simulated: simulated, Logger: b.log.Named("provider").With("provider", p.Name)})
}

func (b *builder) router(alive func(string) bool) (*route.Router, error) {
	entries := make([]*route.Entry, len(b.cfg.Models))
	for i := range b.cfg.Models {
		e, err := entry(&b.cfg.Models[i])
		if err != nil {
			return nil, fmt.Errorf("model %q: %w", b.cfg.Models[i].Slug, err)
		}
		entries[i] = e
	}
	var targets []*route.Target
	for i := range b.cfg.Routing.Targets {
		t := &b.cfg.Routing.Targets[i]
		target := &route.Target{Name: t.Name, Aliases: t.Aliases, Defaults: hints(t.Defaults)}
		if !t.AliasesUntil.IsZero() {
			target.AliasesUntil = t.AliasesUntil.Format("2006-01-02")
		}
		targets = append(targets, target)
	}
	catalogue, err := route.NewCatalogue(entries, targets, alive)
	if err != nil {
		return nil, err
	}
	var prefs []*route.Preference
	for i := range b.cfg.Routing.Preferences {
		p := &b.cfg.Routing.Preferences[i]
		pref := &route.Preference{Name: p.Name, Policy: p.Policy, Decider: decider{p.Policy, b.plugins.Slot(p.Policy), b.metrics, b.keep.of(p.Policy)}}
		if len(p.Settings) > 0 {
			if pref.Settings, err = plainJSON(p.Settings); err != nil {
				return nil, fmt.Errorf("preference %q: settings: %w", p.Name, err)
			}
		}
		prefs = append(prefs, pref)
	}
	return route.New(route.Config{Catalogue: catalogue, Preferences: prefs, MinQuality: b.cfg.Routing.MinQuality,
		PreferenceLive: preferenceLive(b.cfg.Routing.PreferenceLive), SessionAffinity: b.cfg.Routing.SessionAffinity,
		Health: b.health, Affinity: b.affinity, Now: time.Now, AliasHit: b.aliasHit})
}

// preferenceLive reads the variable at every call, so that the dial is opened without a restart.
func preferenceLive(configured bool) func() bool {
	return func() bool { return configured || os.Getenv("AINFERA_ROUTING_PREFERENCE_LIVE") == "1" }
}

func (b *builder) aliasHit(legacy, canonical string) {
	b.log.Info("router_alias_hit", "legacy", legacy, "canonical", canonical)
	b.metrics.Alias(legacy, canonical)
}

func entry(m *config.Model) (*route.Entry, error) {
	e := &route.Entry{Slug: m.Slug, Names: m.Names, Brand: m.Brand, QPrior: m.QPrior, Allowed: m.MAllowed, Context: m.Context, MaxOutput: m.MaxOutput,
		CanTools: m.Has(config.CanTools), CanImages: m.Has(config.CanImages), CanDocuments: m.Has(config.CanDocuments), CanThink: m.Has(config.CanThinking),
		ThinkingForm: m.Thinking}
	if m.LatencyMS > 0 {
		e.LatencyMS = &m.LatencyMS
	}
	if m.AgenticIndex != "" {
		f, err := strconv.ParseFloat(m.AgenticIndex, 64)
		if err != nil {
			return nil, fmt.Errorf("agentic_index: %w", err)
		}
		e.AgenticIndex = &f
	}
	for _, d := range m.Deployments {
		e.Deployments = append(e.Deployments, route.Deployment{Provider: d.Provider, Upstream: d.Upstream, Priority: d.Priority, Weight: d.Weight})
	}
	if m.Price == nil {
		return e, nil
	}
	var err error
	e.Prices, err = prices(m.Price)
	return e, err
}

// prices fills the cache's prices in from the nearest kind that has one.
func prices(p *config.Price) (*route.Prices, error) {
	out := &route.Prices{}
	write := or(p.CacheWrite, p.Input)
	for _, f := range []struct {
		dst  *money.Price
		text string
	}{{&out.Input, p.Input}, {&out.Output, p.Output}, {&out.CacheRead, or(p.CacheRead, p.Input)}, {&out.CacheWrite, write},
		{&out.CacheWrite1h, or(p.CacheWrite1h, write)}} {
		var err error
		if *f.dst, err = money.ParsePrice(f.text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func hints(d config.Defaults) route.Hints {
	return route.Hints{TaskType: d.TaskType, MinQuality: d.MinQuality, Preference: d.Preference, BudgetUSD: d.BudgetUSD, LatencyMS: d.LatencyCapMS}
}

// plainJSON is v with its keys sorted and nothing escaped for HTML, as canonical JSON wants it.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// authOf is the configuration's auth block as the provider room takes it; nil where there is none to add. A simulated
// vendor wants a key as the real one does, and any will do.
func authOf(p *config.Provider) (provider.Auth, error) {
	a := &p.Auth
	switch a.Kind {
	case config.AuthNone, "":
		switch dialect, _ := p.Simulated(); dialect {
		case simulator.Anthropic:
			return provider.Header{Name: "x-api-key", Value: "simulated"}, nil
		case simulator.OpenAI, simulator.Responses:
			return provider.Bearer{Token: "simulated"}, nil
		case simulator.Gemini:
			return provider.Header{Name: "x-goog-api-key", Value: "simulated"}, nil
		}
		return nil, nil
	case config.AuthBearer:
		return provider.Bearer{Token: provider.Secret(a.Token.Reveal())}, nil
	case config.AuthHeader:
		return provider.Header{Name: a.Name, Value: provider.Secret(a.Value.Reveal())}, nil
	case config.AuthQuery:
		return provider.Query{Name: a.Name, Value: provider.Secret(a.Value.Reveal())}, nil
	case config.AuthGoogle:
		return provider.Google{Credentials: provider.Secret(a.Credentials.Reveal()), Scope: a.Scope}, nil
	case config.AuthSigV4:
		return provider.SigV4{Region: a.Region, Service: a.Service, AccessKeyID: a.AccessKeyID.Reveal(),
			SecretAccessKey: provider.Secret(a.SecretAccessKey.Reveal()), SessionToken: provider.Secret(a.SessionToken.Reveal())}, nil
	}
	return nil, fmt.Errorf("auth %q is not served by this build", a.Kind)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
