package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// modules are the policies that rows name, each loaded once and shared.
type modules struct {
	cfg  *Config
	mu   sync.Mutex
	have map[string]*loading // by digest
}

// A loading is one module on its way. Its fields may be read when ready is closed.
type loading struct {
	ready  chan struct{}
	module *wasm.Module
	err    error // why there is none; a fault of the row's, not of the walk
	fatal  error // why the walk can't go on
}

func newModules(cfg *Config) *modules { return &modules{cfg: cfg, have: map[string]*loading{}} }

// of is the module that decided the row. err says why the row can't be decided again, fatal why none can.
func (m *modules) of(ctx context.Context, d *capture.PastDecision) (module *wasm.Module, err, fatal error) {
	m.mu.Lock()
	l, begun := m.have[d.PolicyModule]
	if !begun {
		l = &loading{ready: make(chan struct{})}
		m.have[d.PolicyModule] = l
	}
	m.mu.Unlock()
	if !begun {
		plugin, _, _ := strings.Cut(d.PolicyVersion, "@")
		l.load(ctx, m.cfg, plugin, d.PolicyModule)
		close(l.ready)
	}
	select {
	case <-l.ready:
		return l.module, l.err, l.fatal
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (l *loading) load(ctx context.Context, cfg *Config, plugin, digest string) {
	_, bytes, err := cfg.Books.Module(ctx, digest)
	if errors.Is(err, capture.ErrNotFound) {
		l.err = fmt.Errorf("its module %.12s is not in the store", digest)
		return
	}
	if err != nil {
		l.fatal = err
		return
	}
	l.module, err = Load(ctx, cfg, plugin, bytes, "sha256:"+digest)
	if l.fatal = ended(ctx, "load the module"); err != nil && l.fatal == nil {
		l.err = err
	}
}

// Load compiles a policy with limits that no decision which once came to an end will meet. digest may be empty.
func Load(ctx context.Context, cfg *Config, plugin string, bytes []byte, digest string) (*wasm.Module, error) {
	spec := wasm.Spec{}
	if cfg.Limits != nil {
		spec = cfg.Limits(plugin)
	}
	return cfg.Sandbox.Load(ctx, wasm.Spec{
		Name: plugin, Bytes: bytes, Digest: digest, Kind: wasm.KindPolicy, Fuel: max(spec.Fuel, generousFuel),
		FuelPerByte: max(spec.FuelPerByte, generousFuelPerByte), MemoryBytes: max(spec.MemoryBytes, generousMemoryBytes),
	})
}

// count is how many modules decided.
func (m *modules) count() (n int) {
	for _, l := range m.have {
		if l.module != nil {
			n++
		}
	}
	return n
}
