package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// live are the plugins that a world is built on: those of a Change that is not committed yet.
type live interface {
	Slot(name string) *wasm.Slot
	Manifest(name string) (wasm.Manifest, bool)
}

var _ live = (*plugins.Change)(nil)

// pluginSpecs are the configuration's plugins, their modules read.
func pluginSpecs(cfg *config.Config) ([]plugins.Spec, error) {
	var specs []plugins.Spec
	for _, use := range pluginsInUse(cfg) {
		p := cfg.Plugin(use.name)
		s, err := pluginSpec(cfg, p, use.as)
		if err != nil {
			return nil, notLoaded(p, fmt.Errorf("plugin %s: %w", p.Name, err))
		}
		specs = append(specs, s)
	}
	return specs, nil
}

func pluginSpec(cfg *config.Config, p *config.Plugin, as wasm.Kind) (plugins.Spec, error) {
	bytes, err := moduleBytes(p.Module)
	if err != nil {
		return plugins.Spec{}, err
	}
	_, isBuiltin := cutBuiltin(p.Module)
	s := plugins.Spec{Name: p.Name, Kind: as, Bytes: bytes, Source: p.Module, Builtin: isBuiltin, Pin: p.Digest, Fuel: p.Fuel,
		FuelPerByte: p.FuelPerByte, MemoryBytes: uint64(p.MemoryBytes), LiveVersions: p.LiveVersions,
		Check: func(m wasm.Manifest) error { return checkSettings(cfg, p.Name, m) }}
	if p.IsolationGiven {
		s.Isolation = wasm.Isolation(p.Isolation)
	}
	if !isBuiltin {
		if s.Signature, err = signatureBeside(p.Module); err != nil {
			return s, err
		}
	}
	return s, nil
}

// signatureBeside reads FILE.sig, where there is one.
func signatureBeside(path string) (string, error) {
	text, err := os.ReadFile(path + ".sig")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the module's signature: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// checkSettings holds all that the configuration sets for a plugin against what a module of it takes.
func checkSettings(cfg *config.Config, plugin string, m wasm.Manifest) error {
	for i := range cfg.Providers {
		p := &cfg.Providers[i]
		if p.Adapter != plugin {
			continue
		}
		if _, err := completed(p.Settings, m); err != nil {
			return fmt.Errorf("%s: provider %q: %w", p.Pos("settings"), p.Name, err)
		}
	}
	for i := range cfg.Routing.Preferences {
		p := &cfg.Routing.Preferences[i]
		if p.Policy != plugin {
			continue
		}
		if _, err := completed(p.Settings, m); err != nil {
			return fmt.Errorf("%s: preference %q: %w", p.Pos("settings"), p.Name, err)
		}
	}
	return nil
}

// trial is the input of a decision between nobody, and settings its last field.
const (
	trial = `{"candidates":[],"min_quality_explicit":false,"options":{"expected_cost_ranking":false,"floor_on_q_prior":true,"maker_penalty":null,"q_empirical":null,"quality_floor":null},` +
		`"policy":{"agentic_floor":null,"budget_cap_usd":null,"latency_cap_ms":null,"min_quality":"0.50","policy_name":"trial"},` +
		`"request":{"agent_id":"trial","estimated_input_tokens":1,"request_id":"trial","reserved_max_tokens":1}`
	trialSettings = `,"settings":`
)

// trySettings has policies decide with the settings of the preferences that name them, and warns of one that decides
// without them and fails with them, which it will at every call: a manifest knows a setting's type, and only the policy its
// sense. It refuses nothing, since a policy that is broken must not keep the others from serving.
func (h *host) trySettings(ctx context.Context, cfg *config.Config, from live) {
	for i := range cfg.Routing.Preferences {
		p := &cfg.Routing.Preferences[i]
		if len(p.Settings) == 0 {
			continue
		}
		settings, err := plainJSON(p.Settings)
		if err == nil {
			err = tryPolicy(ctx, from.Slot(p.Policy), settings)
		}
		if err != nil {
			h.log.Warn("a preference's settings don't work: calls that ask for it will fail", "at", p.Pos("settings").String(), "preference", p.Name,
				"policy", p.Policy, "error", err)
		}
	}
}

func tryPolicy(ctx context.Context, slot *wasm.Slot, settings []byte) error {
	m, release := slot.Acquire()
	defer release()
	if m == nil {
		return errNoPlugin
	}
	if _, _, err := m.Decide(ctx, []byte(trial+"}")); err != nil {
		return nil // it is not made for such an input, so that its failure says nothing of the settings
	}
	_, _, err := m.Decide(ctx, []byte(trial+trialSettings+string(settings)+"}"))
	return err
}

// completed are settings of the configuration with the defaults of a module's manifest.
func completed(given map[string]any, m wasm.Manifest) (json.RawMessage, error) {
	var text []byte
	if len(given) > 0 {
		var err error
		if text, err = plainJSON(given); err != nil {
			return nil, fmt.Errorf("settings: %w", err)
		}
	}
	declared := make([]provider.Setting, len(m.Settings))
	for i, s := range m.Settings {
		def, err := json.Marshal(s.Default)
		if err != nil {
			return nil, fmt.Errorf("default of setting %q: %w", s.Name, err)
		}
		declared[i] = provider.Setting{Name: s.Name, Type: s.Type, Default: def}
	}
	return provider.ValidateSettings(declared, text)
}

// placed says where in the configuration the plugin stands that was refused, so that the operator finds what to change.
func placed(cfg *config.Config, err error) error {
	var refusal *plugins.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	if refusal.Step == "settings" { // it says itself where
		return refusal.Err
	}
	return notLoaded(cfg.Plugin(refusal.Plugin), err)
}

func notLoaded(p *config.Plugin, err error) error {
	if pos := p.Pos("module"); pos.Line > 0 {
		return fmt.Errorf("%s: %w", pos, err)
	}
	return err
}

// A pluginUse is a plugin and what the configuration takes it for; either kind, where nothing names it yet.
type pluginUse struct {
	name string
	as   wasm.Kind
}

// pluginsInUse are the plugins that a provider or a preference names, and those with a block of their own.
func pluginsInUse(cfg *config.Config) []pluginUse {
	var uses []pluginUse
	seen := map[string]bool{}
	add := func(name string, as wasm.Kind) {
		if !seen[name] {
			seen[name] = true
			uses = append(uses, pluginUse{name, as})
		}
	}
	for i := range cfg.Providers {
		add(cfg.Providers[i].Adapter, wasm.KindAdapter)
	}
	for i := range cfg.Routing.Preferences {
		add(cfg.Routing.Preferences[i].Policy, wasm.KindPolicy)
	}
	for i := range cfg.Plugins {
		add(cfg.Plugins[i].Name, "")
	}
	return uses
}

func shortDigest(d string) string { return "sha256:" + bare(d)[:12] }

// bare is a digest as the books' rows hold it: hex alone.
func bare(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

// decider is a policy's slot as routing sees it.
type decider struct {
	name string
	slot *wasm.Slot
	m    *metrics.Metrics
	keep *faultKeeper
}

var _ route.Decider = decider{}

// Decide runs the version that is active now.
func (d decider) Decide(ctx context.Context, input []byte) (route.Verdict, error) {
	m, release := d.slot.Acquire()
	defer release()
	if m == nil {
		return route.Verdict{}, errNoPlugin
	}
	out, stats, err := m.Decide(ctx, input)
	d.m.Policy(d.name, stats.Duration)
	d.keep.decision(input, err)
	if err != nil {
		return route.Verdict{}, err
	}
	return route.Verdict{Output: out, Module: bare(m.Digest()), Version: m.Manifest().Version}, nil
}

// A providerAdapter is a provider's adapter: the plugin's slot, and what the provider sets.
type providerAdapter struct {
	slot  *wasm.Slot
	given map[string]any
	keep  *faultKeeper
	last  atomic.Pointer[adapter] // of the version that was asked for last
}

// acquire is what a provider calls for every request.
func (p *providerAdapter) acquire() (provider.Adapter, func()) {
	m, release := p.slot.Acquire()
	if m == nil { // the plugin's place is gone: a call that began before is told, and falls over
		return &adapter{err: errNoPlugin}, release
	}
	a := p.last.Load()
	if a == nil || a.m != m {
		a = &adapter{m: m, keep: p.keep}
		a.settings, a.err = completed(p.given, m.Manifest())
		p.last.Store(a)
	}
	return a, release
}

// errNoPlugin means that a reload took the plugin away.
var errNoPlugin = errors.New("the plugin is no longer configured")

// adapter is one version of an adapter's module as the provider room sees it.
type adapter struct {
	m        *wasm.Module
	settings json.RawMessage
	err      error
	keep     *faultKeeper
}

var _ provider.Adapter = (*adapter)(nil)

func (a *adapter) NewStream(ctx context.Context) (provider.Guest, error) {
	if a.err != nil {
		return nil, a.err
	}
	if a.keep == nil {
		return a.m.NewStream(ctx)
	}
	s, err := a.m.NewStream(ctx)
	return a.keep.stream(s, err)
}

func (a *adapter) Digest() string {
	if a.m == nil {
		return ""
	}
	return bare(a.m.Digest())
}

func (a *adapter) Feature(name string) bool { return a.m != nil && a.m.Feature(name) }

// Settings are the provider's, with this version's defaults.
func (a *adapter) Settings() json.RawMessage { return a.settings }
