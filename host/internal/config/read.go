package config

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// logLevels are the levels of the host's logger.
var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// read turns the file's body into a configuration with its defaults, not yet checked across blocks.
func (d *decoder) read(body hcl.Body) *Config {
	cfg := Default()
	cfg.Plugins, cfg.Routing.Targets, cfg.Routing.Preferences = nil, nil, nil
	dir := ""
	d.body(body, "", &cfg.located, fields{"listen": address(&cfg.Listen)}, blocks{
		"admin":     {once: true, read: func(b *hcl.Block) { d.admin(b, &cfg.Admin) }},
		"log":       {once: true, read: func(b *hcl.Block) { d.log(b, &cfg.Log) }},
		"store":     {once: true, read: func(b *hcl.Block) { d.store(b, &cfg.Store, &dir) }},
		"audit":     {once: true, read: func(b *hcl.Block) { d.audit(b, &cfg.Audit) }},
		"limits":    {once: true, read: func(b *hcl.Block) { d.limits(b, &cfg.Limits) }},
		"signup":    {once: true, read: func(b *hcl.Block) { d.signup(b, &cfg.Signup) }},
		"simulator": {once: true, read: func(b *hcl.Block) { d.simulator(b, &cfg.Simulator) }},
		"signing":   {once: true, read: func(b *hcl.Block) { d.signing(b, &cfg.Signing) }},
		"routing":   {once: true, read: func(b *hcl.Block) { d.routing(b, &cfg.Routing) }},
		"agent":     {label: "name", read: func(b *hcl.Block) { cfg.Agents = append(cfg.Agents, d.agent(b)) }},
		"plugin":    {label: "name", read: func(b *hcl.Block) { cfg.Plugins = append(cfg.Plugins, d.plugin(b)) }},
		"provider":  {label: "name", read: func(b *hcl.Block) { cfg.Providers = append(cfg.Providers, d.provider(b)) }},
		"model":     {label: "slug", read: func(b *hcl.Block) { cfg.Models = append(cfg.Models, d.model(b)) }},
	})
	if cfg.Store.Dir = dir; dir == "" {
		cfg.Store.Dir = cfg.Store.DSN.directory()
	}
	cfg.complete()
	return cfg
}

// complete adds what always exists and the file did not declare: the canonical target, the three preferences, and the
// built-in modules that something refers to.
func (c *Config) complete() {
	if !slices.ContainsFunc(c.Routing.Targets, func(t Target) bool { return t.Name == CanonicalTarget }) {
		c.Routing.Targets = append([]Target{defaultTarget()}, c.Routing.Targets...)
	}
	for _, p := range defaultPreferences() {
		if !slices.ContainsFunc(c.Routing.Preferences, func(q Preference) bool { return q.Name == p.Name }) {
			c.Routing.Preferences = append(c.Routing.Preferences, p)
		}
	}
	need := func(name string) {
		if _, builtin := builtins[name]; builtin && c.Plugin(name) == nil {
			c.Plugins = append(c.Plugins, defaultPlugin(name))
		}
	}
	for i := range c.Providers {
		need(c.Providers[i].Adapter)
	}
	for i := range c.Routing.Preferences {
		need(c.Routing.Preferences[i].Policy)
	}
}

func (d *decoder) admin(b *hcl.Block, a *Admin) {
	d.body(b.Body, "admin", &a.located, fields{
		"listen": address(&a.Listen),
		"token":  secret(&a.Token, nil),
	}, nil)
}

func (d *decoder) log(b *hcl.Block, l *Log) {
	d.body(b.Body, "log", &l.located, fields{
		"level":  oneOf(&l.Level, logLevels...),
		"format": oneOf(&l.Format, "text", "json"),
	}, nil)
}

func (d *decoder) store(b *hcl.Block, s *Store, dir *string) {
	d.body(b.Body, "store", &s.located, fields{
		"dsn":         dsn(&s.DSN),
		"keep_bodies": boolean(&s.KeepBodies),
		"bodies_for":  duration(&s.BodiesFor),
		"dir":         str(dir),
		"lease": parsed(&s.Lease, `a duration of a second or more such as "1m"`, func(s string) (time.Duration, bool) {
			d, err := time.ParseDuration(s)
			return d, err == nil && d >= time.Second
		}),
	}, nil)
}

func (d *decoder) audit(b *hcl.Block, a *Audit) {
	d.body(b.Body, "audit", &a.located, fields{"root_interval": duration(&a.RootInterval)}, nil)
}

func (d *decoder) limits(b *hcl.Block, l *Limits) {
	d.body(b.Body, "limits", nil, fields{
		"body":             size(&l.BodyBytes, 1<<10, 1<<30),
		"upstream_connect": duration(&l.UpstreamConnect),
		"upstream_first":   duration(&l.UpstreamFirst),
		"upstream_idle":    duration(&l.UpstreamIdle),
		"upstream_total":   duration(&l.UpstreamTotal),
		"drain":            duration(&l.Drain),
	}, nil)
}

func (d *decoder) signup(b *hcl.Block, s *Signup) {
	d.body(b.Body, "signup", &s.located, fields{"enabled": boolean(&s.Enabled)}, nil)
}

func (d *decoder) simulator(b *hcl.Block, s *Simulator) {
	d.body(b.Body, "simulator", nil, fields{
		"enabled": oneOf(&s.Enabled, "auto", "on", "off"),
		"at":      vendorsAt(&s.At),
	}, nil)
}

func (d *decoder) agent(b *hcl.Block) Agent {
	a := Agent{Name: d.label(b), Wallet: "metered", BalanceUSD: "0"}
	a.mark("", at(b.DefRange))
	fs := d.defaults(&a.Defaults)
	fs["tenant"] = parsed(&a.Tenant, nameWant, isName)
	fs["wallet"] = oneOf(&a.Wallet, "metered", "prepaid")
	fs["balance_usd"] = usd(&a.BalanceUSD)
	fs["per_call_cap_usd"] = usd(&a.PerCallCapUSD)
	fs["daily_cap_usd"] = usd(&a.DailyCapUSD)
	d.body(b.Body, quoted(b), &a.located, fs, nil)
	if a.Tenant == "" {
		a.Tenant = a.Name
	}
	return a
}

// defaults are the fields of hints, which agents and targets share.
func (d *decoder) defaults(h *Defaults) fields {
	return fields{
		"task_type":      oneOf(&h.TaskType, TaskTypes...),
		"min_quality":    fraction(&h.MinQuality),
		"preference":     str(&h.Preference),
		"budget_usd":     usd(&h.BudgetUSD),
		"latency_cap_ms": integer(&h.LatencyCapMS, 1, math.MaxInt32),
	}
}

func (d *decoder) plugin(b *hcl.Block) Plugin {
	p := defaultPlugin(d.label(b))
	p.mark("", at(b.DefRange))
	p.Module, p.Isolation = "", ""
	d.body(b.Body, quoted(b), &p.located, fields{
		"module":        str(&p.Module),
		"digest":        parsed(&p.Digest, `"sha256:" and 64 hex digits`, isDigest),
		"fuel":          integer(&p.Fuel, 1, 1<<40),
		"fuel_per_byte": integer(&p.FuelPerByte, 0, 1<<20),
		"memory":        size(&p.MemoryBytes, 1<<20, 4<<30),
		"isolation":     oneOf(&p.Isolation, IsolationShared, IsolationStream),
		"live_versions": integer(&p.LiveVersions, 1, 64),
		"watch":         boolean(&p.Watch),
	}, nil)
	p.IsolationGiven = p.Isolation != ""
	d.module(&p)
	return p
}

// module settles where a plugin's bytes come from, and how it is isolated.
func (d *decoder) module(p *Plugin) {
	_, known := builtins[p.Name]
	if p.Module == "" && known {
		p.Module = BuiltinScheme + p.Name
	}
	name, builtin := strings.CutPrefix(p.Module, BuiltinScheme)
	switch _, known := builtins[name]; {
	case p.Module == "":
		d.errorf(p.Pos(""), `plugin %q: expected module = "builtin:<name>" or the path of a .wasm`, p.Name)
	case builtin && !known:
		d.errorf(p.Pos("module"), "plugin %q: module: expected a built-in module%s", p.Name, d.among(name, names(builtins)))
	case builtin && p.Watch:
		d.errorf(p.Pos("watch"), "plugin %q: watch: a built-in module does not change; expected the path of a .wasm as module", p.Name)
	case !builtin:
		p.Module = beside(d.filename, p.Module)
	}
	if p.Isolation == "" {
		p.Isolation = IsolationStream
		if builtin {
			p.Isolation = IsolationShared
		}
	}
}

func (d *decoder) routing(b *hcl.Block, r *Routing) {
	d.body(b.Body, "routing", nil, fields{
		"min_quality":      fraction(&r.MinQuality),
		"preference_live":  boolean(&r.PreferenceLive),
		"session_affinity": boolean(&r.SessionAffinity),
	}, blocks{
		"target":     {label: "name", read: func(b *hcl.Block) { r.Targets = append(r.Targets, d.target(b)) }},
		"preference": {label: "name", read: func(b *hcl.Block) { r.Preferences = append(r.Preferences, d.preference(b)) }},
	})
}

func (d *decoder) target(b *hcl.Block) Target {
	t := Target{Name: d.label(b)}
	if t.Name == CanonicalTarget {
		t = defaultTarget()
	}
	t.mark("", at(b.DefRange))
	fs := d.defaults(&t.Defaults)
	fs["aliases"] = list(&t.Aliases, checkName)
	fs["aliases_until"] = date(&t.AliasesUntil)
	d.body(b.Body, quoted(b), &t.located, fs, nil)
	return t
}

func (d *decoder) preference(b *hcl.Block) Preference {
	p := Preference{Name: d.label(b), Policy: "floor"}
	p.mark("", at(b.DefRange))
	d.body(b.Body, quoted(b), &p.located, fields{
		"policy":   str(&p.Policy),
		"settings": settings(&p.Settings, &p.located),
	}, nil)
	return p
}
