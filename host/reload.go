package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/gateway"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/simulator"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// reloading is what a host needs to take another configuration while it serves. One reload runs at a time.
type reloading struct {
	mu        sync.Mutex
	current   *config.Config // nil until the first reload
	ended     bool
	simulator *simulator.Server
	simulated map[string]string // dialect → base URL; kept once started
	life      context.Context
	tasks     sync.WaitGroup
}

// begin starts what runs beside the calls: following other hosts' activations, watching files, reloading on SIGHUP. The
// function that it returns ends all of it and waits.
func (h *host) begin() (end func()) {
	life, cancel := context.WithCancel(context.Background())
	r := &h.reloading
	r.life = life
	r.tasks.Go(func() { h.plugins.Follow(life) })
	for _, w := range h.watched {
		r.tasks.Go(func() { h.watch(life, w) })
	}
	hups := make(chan os.Signal, 1)
	signal.Notify(hups, syscall.SIGHUP)
	r.tasks.Go(func() {
		defer signal.Stop(hups)
		for {
			select {
			case <-life.Done():
				return
			case <-hups:
				h.reloadOnSignal(life)
			}
		}
	})
	return func() {
		cancel()
		r.mu.Lock()
		r.ended = true
		r.mu.Unlock()
		r.tasks.Wait()
	}
}

// limits are those of the newest configuration.
func (r *reloading) limits(first *config.Config) config.Limits {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		return r.current.Limits
	}
	return first.Limits
}

func (r *reloading) closeSimulator(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.simulator == nil {
		return nil
	}
	return r.simulator.Close()
}

// next is a configuration that is ready to serve, and that nobody sees yet.
type next struct {
	change *plugins.Change
	world  *gateway.World
}

// prepare loads a configuration's plugins and builds its world. After an error nothing has changed.
func (h *host) prepare(ctx context.Context, cfg *config.Config, loaded func(string, *wasm.Module, time.Duration)) (*next, error) {
	specs, err := pluginSpecs(cfg)
	if err != nil {
		return nil, err
	}
	change, err := h.plugins.Prepare(ctx, specs, plugins.Signing{Keys: cfg.Signing.Keys, Required: cfg.Signing.Required}, loaded)
	if err != nil {
		return nil, placed(cfg, err)
	}
	world, err := h.world(ctx, cfg, change)
	if err != nil {
		change.Abort()
		return nil, err
	}
	h.trySettings(ctx, cfg, change)
	return &next{change, world}, nil
}

// world builds what calls look at, and starts the simulated vendors when nobody else can serve and they don't run
// elsewhere.
func (h *host) world(ctx context.Context, cfg *config.Config, from live) (*gateway.World, error) {
	r := &h.reloading
	if cfg.SimulatorOn() && len(cfg.Simulator.At) == 0 && r.simulator == nil {
		sim := simulator.New(simulator.Options{Logger: h.log.Named("simulator")})
		urls, err := sim.Start(context.WithoutCancel(ctx)) // it must outlive the signal: streams in flight are drained
		if err != nil {
			return nil, fmt.Errorf("start the simulated vendors: %w", err)
		}
		r.simulator, r.simulated = sim, urls
	}
	simulated := r.simulated
	if len(cfg.Simulator.At) > 0 {
		simulated = cfg.Simulator.At
	}
	b := &builder{cfg: cfg, plugins: from, simulated: simulated, log: h.log, metrics: h.metrics, health: h.health, affinity: h.affinity, keep: h.keep}
	return b.world()
}

// A reloaded is what a reload came to, as operators are shown it.
type reloaded struct {
	Loaded []string `json:"loaded"` // plugins that were loaded anew
	// Agents are those that were made. Their keys are shown this once.
	Agents []madeAgent `json:"agents"`
}

type madeAgent struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// reload reads the configuration again and swaps everything that calls look at, or changes nothing. Calls in flight end with
// the configuration and the modules that they began with. What was made before an error is returned with it.
func (h *host) reload(ctx context.Context) (reloaded, error) {
	r := &h.reloading
	r.mu.Lock()
	defer r.mu.Unlock()
	out := reloaded{Loaded: []string{}, Agents: []madeAgent{}}
	if r.ended {
		return out, errors.New("the server is stopping")
	}
	cfg, err := config.Load(h.path, os.LookupEnv)
	if err != nil {
		return out, err
	}
	if err := fixed(h.cfg, cfg); err != nil {
		return out, err
	}
	if err := checkAgents(cfg); err != nil {
		return out, err
	}
	var mu sync.Mutex
	next, err := h.prepare(ctx, cfg, func(name string, _ *wasm.Module, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		out.Loaded = append(out.Loaded, name)
	})
	if err != nil {
		return out, err
	}
	slices.Sort(out.Loaded)
	keys, err := h.ensureAgents(ctx, cfg)
	for _, k := range keys {
		out.Agents = append(out.Agents, madeAgent{k.agent, k.key})
	}
	if err != nil {
		next.change.Abort()
		return out, err
	}
	retire, err := next.change.Commit(ctx)
	if err != nil {
		return out, fmt.Errorf("write down which modules serve: %w", err)
	}
	h.swapWorld(next.world, retire)
	r.current = cfg
	h.log.SetLevel(hclog.LevelFromString(cfg.Log.Level))
	h.log.Info("configuration reloaded", "loaded", out.Loaded, "agents-made", len(out.Agents))
	return out, nil
}

// swapWorld lets calls begin with another world, and gives up what the one before had when its last call has ended.
func (h *host) swapWorld(w *gateway.World, retire func()) {
	old := h.server.World()
	over := h.server.SetWorld(w)
	h.reloading.tasks.Go(func() {
		select {
		case <-over:
		case <-h.reloading.life.Done(): // what is left is closed with the registry
			return
		}
		retire()
		for up := range maps.Values(old.Upstreams) {
			up.Close()
		}
	})
}

// reloadOnSignal is reload for SIGHUP: nobody waits for an answer, so that the log has it, and new keys go where the first
// start's went.
func (h *host) reloadOnSignal(ctx context.Context) {
	out, err := h.reload(ctx)
	for _, a := range out.Agents {
		fmt.Fprintf(h.out, "\nagent %q was made; its key is shown this once:\n\n  export AINFERA_KEY=%s\n", a.Name, a.Key)
	}
	if err != nil {
		h.log.Error("configuration not reloaded, the one before stays", "error", err)
	}
}

// reloadJSON is reload for the operators' listener.
func (h *host) reloadJSON(ctx context.Context) (json.RawMessage, error) {
	out, err := h.reload(ctx)
	if err != nil {
		h.log.Error("configuration not reloaded, the one before stays", "error", err)
	}
	body, jerr := json.Marshal(out)
	return body, errors.Join(err, jerr)
}

// fixed refuses what can't change while serving, each with its place in the file.
func fixed(old, now *config.Config) error {
	var errs []error
	refuse := func(pos config.Pos, name, was, is string) {
		if was != is {
			errs = append(errs, fmt.Errorf("%s: %s can't change while serving: it is %s, the file says %s: restart for it, or put it back", pos, name, was, is))
		}
	}
	hidden := func(pos config.Pos, name string, same bool) {
		if !same {
			errs = append(errs, fmt.Errorf("%s: %s can't change while serving: restart for it, or put it back", pos, name))
		}
	}
	refuse(now.Pos("listen"), "listen", old.Listen, now.Listen)
	refuse(now.Admin.Pos("listen"), "admin: listen", old.Admin.Listen, now.Admin.Listen)
	hidden(now.Admin.Pos("token"), "admin: token", old.Admin.Token == now.Admin.Token)
	hidden(now.Store.Pos("dsn"), "store: dsn", old.Store.DSN == now.Store.DSN)
	refuse(now.Store.Pos("dir"), "store: dir", old.Store.Dir, now.Store.Dir)
	refuse(now.Store.Pos("keep_bodies"), "store: keep_bodies", fmt.Sprint(old.Store.KeepBodies), fmt.Sprint(now.Store.KeepBodies))
	refuse(now.Audit.Pos("root_interval"), "audit: root_interval", fmt.Sprint(old.Audit.RootInterval), fmt.Sprint(now.Audit.RootInterval))
	refuse(now.Store.Pos("bodies_for"), "store: bodies_for", old.Store.BodiesFor.String(), now.Store.BodiesFor.String())
	refuse(now.Store.Pos("lease"), "store: lease", old.Store.Lease.String(), now.Store.Lease.String())
	refuse(now.Audit.Pos("root_interval"), "audit: root_interval", old.Audit.RootInterval.String(), now.Audit.RootInterval.String())
	refuse(now.Signup.Pos("enabled"), "signup: enabled", fmt.Sprint(old.Signup.Enabled), fmt.Sprint(now.Signup.Enabled))
	refuse(now.Log.Pos("format"), "log: format", old.Log.Format, now.Log.Format)
	return errors.Join(errs...)
}

// checkAgents finds the agents that could not be made, before anything is.
func checkAgents(cfg *config.Config) error {
	for i := range cfg.Agents {
		if _, err := newAgent(&cfg.Agents[i]); err != nil {
			return fmt.Errorf("%s: agent %q: %w", cfg.Agents[i].Pos(""), cfg.Agents[i].Name, err)
		}
	}
	return nil
}

// guestFailed hands a failure of a guest's to the registry, which may take the version out.
func (h *host) guestFailed(err error, agentID, requestHash string) {
	var f *wasm.Fault
	if errors.As(err, &f) {
		h.plugins.Fault(f, agentID, requestHash)
	}
}
