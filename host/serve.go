package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/admin"
	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/gateway"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

func serveCommand(o *options) *cobra.Command {
	var watched []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve callers until SIGTERM, then drain",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			h := &host{path: o.config, cfg: cfg, out: cmd.OutOrStdout(), log: newLogger(cfg, cmd.ErrOrStderr())}
			if h.watched, err = watchedFiles(cfg, watched); err != nil {
				return err
			}
			return h.serve(cmd.Context())
		},
	}
	cmd.Flags().StringArrayVar(&watched, "watch", nil, "NAME=FILE: activate the file as a version of the plugin whenever it changes, for development; may be repeated")
	return cmd
}

// A host is one running server. What serve opens is closed in reverse order by the closers.
type host struct {
	path    string
	cfg     *config.Config // of the start; a reload leaves it
	out     io.Writer
	log     hclog.Logger
	closers []func(context.Context) error

	metrics *metrics.Metrics
	books   *capture.Books
	sandbox *wasm.Host
	plugins *plugins.Registry
	server  *gateway.Server
	keys    []newKey
	token   string // the operators'

	watched   []watchedFile
	keep      *faultKeeper // of `plugin run`
	health    *route.Health
	affinity  *route.Affinity
	reloading reloading
}

// A newKey is an agent's key that was made at this start; it is shown once.
type newKey struct{ agent, key string }

// serve is the life of the server: open, load, route, serve, drain.
func (h *host) serve(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, h.close()) }()
	h.metrics = metrics.New()
	if err := h.openStore(ctx); err != nil {
		return err
	}
	world, err := h.load(ctx)
	if err != nil {
		return err
	}
	if h.token, err = h.adminToken(); err != nil {
		return err
	}
	h.server = gateway.New(gateway.Config{World: world, Books: callBooks(h.books), Logger: h.log.Named("gateway"), Metrics: h.metrics,
		BodyBytes: h.cfg.Limits.BodyBytes, KeepBodies: h.cfg.Store.KeepBodies, Proofs: h.books, AdminToken: h.token,
		Signup: h.cfg.Signup.Enabled, GuestFailed: h.guestFailed})
	defer h.begin()()
	return h.listen(ctx)
}

// close undoes what was opened, the last first. Each has what is left of half a minute.
func (h *host) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	for i := len(h.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, h.closers[i](ctx))
	}
	return err
}

// openStore opens the books.
func (h *host) openStore(ctx context.Context) error {
	books, err := openBooks(ctx, h.cfg, h.log, false)
	if err != nil {
		return err
	}
	h.books = books
	h.closers = append(h.closers, books.Close)
	h.metrics.Guard(books.Guard)
	return nil
}

// ensureAgents makes the configuration's agents where they are missing. Keys that were made are returned whatever happened
// then: they can't be had again.
func (h *host) ensureAgents(ctx context.Context, cfg *config.Config) (keys []newKey, err error) {
	for i := range cfg.Agents {
		a := &cfg.Agents[i]
		wanted, err := newAgent(a)
		if err != nil {
			return keys, fmt.Errorf("agent %q: %w", a.Name, err)
		}
		_, key, created, err := h.books.EnsureAgent(ctx, wanted)
		if err != nil {
			return keys, fmt.Errorf("agent %q: %w", a.Name, err)
		}
		if created {
			keys = append(keys, newKey{a.Name, key})
		}
	}
	return keys, nil
}

// openBooks opens the store: for the server, or beside a running one for a command of the operator's.
func openBooks(ctx context.Context, cfg *config.Config, log hclog.Logger, command bool) (*capture.Books, error) {
	books, err := capture.Open(ctx, capture.Config{DSN: cfg.Store.DSN.Reveal(), Dir: cfg.Store.Dir, Logger: log.Named("capture"), Now: time.Now,
		KeepBodies: cfg.Store.KeepBodies, BodiesFor: cfg.Store.BodiesFor, RootInterval: cfg.Audit.RootInterval, Lease: cfg.Store.Lease, Command: command})
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", cfg.Store.DSN.Redacted(), err)
	}
	return books, nil
}

func newAgent(a *config.Agent) (capture.NewAgent, error) {
	n := capture.NewAgent{Name: a.Name, Tenant: a.Tenant, WalletMode: a.Wallet}
	var err error
	if a.BalanceUSD != "" && a.Wallet == schema.WalletPrepaid {
		if n.BalanceMicroUSD, err = money.ParseMicro(a.BalanceUSD); err != nil {
			return n, err
		}
	}
	for _, f := range []struct {
		dst  **int64
		text string
	}{{&n.PerCallCapMicroUSD, a.PerCallCapUSD}, {&n.DailyCapMicroUSD, a.DailyCapUSD}} {
		if f.text == "" {
			continue
		}
		v, err := money.ParseMicro(f.text)
		if err != nil {
			return n, err
		}
		*f.dst = &v
	}
	return n, nil
}

// load compiles the plugins, builds what calls look at on them, and makes them the registry's.
func (h *host) load(ctx context.Context) (*gateway.World, error) {
	sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: filepath.Join(h.cfg.Store.Dir, "modules"), Logger: h.log.Named("wasm")})
	if err != nil {
		return nil, fmt.Errorf("open the sandbox: %w", err)
	}
	h.sandbox = sandbox
	h.closers = append(h.closers, sandbox.Close)
	h.plugins = plugins.New(plugins.Config{Sandbox: sandbox, Store: h.books, Logger: h.log.Named("plugins"), Now: time.Now})
	h.closers = append(h.closers, func(context.Context) error { h.plugins.Close(); return nil })
	h.metrics.Register(h.plugins)
	h.health, h.affinity = route.NewHealth(time.Now), route.NewAffinity(time.Now)
	h.closers = append(h.closers, h.reloading.closeSimulator)
	fmt.Fprintln(h.out, "loading modules (the first start compiles them; later ones find them in the cache)")
	next, err := h.prepare(ctx, h.cfg, func(name string, m *wasm.Module, took time.Duration) {
		fmt.Fprintf(h.out, "  module %-12s %s %s  %s\n", name, m.Manifest().Version, shortDigest(m.Digest()), took.Round(time.Millisecond))
	})
	if err != nil {
		return nil, err
	}
	if _, err := next.change.Commit(ctx); err != nil {
		return nil, fmt.Errorf("write down which modules serve: %w", err)
	}
	return next.world, nil
}

// listen serves both listeners until ctx ends, then drains: no new calls, and those in flight have the drain time.
func (h *host) listen(ctx context.Context) error {
	public, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w: set `listen` in the configuration, or AINFERA_LISTEN", err)
	}
	private, err := net.Listen("tcp", h.cfg.Admin.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for operators: %w: set `admin { listen }` in the configuration", err), public.Close())
	}
	if err := h.keepAddress(private.Addr().String()); err != nil {
		return errors.Join(err, public.Close(), private.Close())
	}
	// Last of what can fail: the keys are shown this once, below.
	if h.keys, err = h.ensureAgents(ctx, h.cfg); err != nil {
		h.showKeys()
		return errors.Join(err, public.Close(), private.Close())
	}
	servers := []*http.Server{
		{Handler: h.server, ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 120 * time.Second, ErrorLog: h.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})},
		{Handler: admin.New(admin.Config{Token: h.token, Metrics: h.metrics.Handler(), Ready: h.server.Ready, Plugins: h.plugins, Reload: h.reloadJSON, Agents: h.books, Logger: h.log.Named("admin")}), ReadHeaderTimeout: 20 * time.Second},
	}
	ended := make(chan error, len(servers))
	for i, ln := range []net.Listener{public, private} {
		go func() { ended <- servers[i].Serve(ln) }()
	}
	h.server.SetReady(true)
	h.banner(public.Addr().String(), private.Addr().String())
	select {
	case err := <-ended:
		h.server.Cut()
		err = errors.Join(fmt.Errorf("serve: %w", err), servers[0].Close(), servers[1].Close())
		h.server.Wait() // what was in flight is written down before the store is closed
		return err
	case <-ctx.Done():
	}
	return h.drain(servers)
}

// cutWithin is how long callers have to take the word that their stream is cut.
const cutWithin = 2 * time.Second

func (h *host) drain(servers []*http.Server) error {
	h.server.SetReady(false)
	within := h.reloading.limits(h.cfg).Drain
	h.log.Info("draining", "at-most", within)
	err := shutdown(servers[0], within)
	if errors.Is(err, context.DeadlineExceeded) {
		h.log.Warn("drain time is over: streams still in flight are cut", "drain", within)
		h.server.Cut()
		if err = shutdown(servers[0], cutWithin); errors.Is(err, context.DeadlineExceeded) {
			err = servers[0].Close()
		}
		h.server.Wait() // their completions are written before the store is closed
	}
	return errors.Join(err, servers[1].Close())
}

func shutdown(s *http.Server, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.Shutdown(ctx)
}

// adminToken is the configuration's, or the one that the first start made.
func (h *host) adminToken() (string, error) {
	if t := h.cfg.Admin.Token.Reveal(); t != "" {
		return t, nil
	}
	path := filepath.Join(h.cfg.Store.Dir, tokenFile)
	kept, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(kept))) >= 16 {
		return strings.TrimSpace(string(kept)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the admin token: %w", err)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("make an admin token: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(raw)
	if err := writeWhole(path, []byte(token+"\n")); err != nil {
		return "", fmt.Errorf("keep the admin token: %w", err)
	}
	return token, nil
}

// writeWhole writes a file that only its owner may read, whole or not at all, whatever becomes of the power.
func writeWhole(path string, data []byte) error {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part") // made with mode 0600
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

func newLogger(cfg *config.Config, w io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "ainfera", Level: hclog.LevelFromString(cfg.Log.Level), Output: w, JSONFormat: cfg.Log.Format == "json"})
}
