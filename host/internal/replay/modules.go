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
	have map[loadingKey]*loading
}

type loadingKey struct {
	digest   string
	generous bool // with more memory than hosts give
}

// A loading is one module on its way. Its fields may be read when ready is closed.
type loading struct {
	ready  chan struct{}
	module *wasm.Module
	err    error // why there is none; a fault of the row's, not of the walk
	fatal  error // why the walk can't go on
}

func newModules(cfg *Config) *modules { return &modules{cfg: cfg, have: map[loadingKey]*loading{}} }

// decide asks the row's own module. fault says why the row can't be decided again, err why none can.
func (m *modules) decide(ctx context.Context, d *capture.PastDecision, input []byte) (output []byte, fault, err error) {
	for _, generous := range []bool{false, true} {
		module, missing, err := m.of(ctx, d, generous)
		if err != nil || missing != nil {
			return nil, missing, err
		}
		output, _, fault = module.Decide(ctx, input)
		if err := ended(ctx, "decide"); err != nil {
			return nil, nil, err
		}
		if fault == nil {
			return output, nil, nil
		}
	}
	return nil, fault, nil
}

// of is the module that decided the row.
func (m *modules) of(ctx context.Context, d *capture.PastDecision, generous bool) (module *wasm.Module, missing, err error) {
	key := loadingKey{d.PolicyModule, generous}
	m.mu.Lock()
	l, begun := m.have[key]
	if !begun {
		l = &loading{ready: make(chan struct{})}
		m.have[key] = l
	}
	m.mu.Unlock()
	if !begun {
		plugin, _, _ := strings.Cut(d.PolicyVersion, "@")
		l.load(ctx, m.cfg, plugin, key)
		close(l.ready)
	}
	select {
	case <-l.ready:
		return l.module, l.err, l.fatal
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (l *loading) load(ctx context.Context, cfg *Config, plugin string, key loadingKey) {
	_, bytes, err := cfg.Books.Module(ctx, key.digest)
	if errors.Is(err, capture.ErrNotFound) {
		l.err = fmt.Errorf("its module %.12s is not in the store", key.digest)
		return
	}
	if err != nil {
		l.fatal = err
		return
	}
	spec := specOf(cfg, plugin)
	spec.Bytes, spec.Digest = bytes, "sha256:"+key.digest
	if key.generous {
		spec.MemoryBytes = max(spec.MemoryBytes, generousMemoryBytes)
	}
	l.module, err = cfg.Sandbox.Load(ctx, spec)
	if l.fatal = ended(ctx, "load the module"); err != nil && l.fatal == nil {
		l.err = err
	}
}

// Load compiles a policy that is to decide in the place of the rows' own.
func Load(ctx context.Context, cfg *Config, plugin string, bytes []byte) (*wasm.Module, error) {
	spec := specOf(cfg, plugin)
	spec.Bytes = bytes
	return cfg.Sandbox.Load(ctx, spec)
}

// specOf is what a plugin gets: fuel that no decision which once came to an end will use up, and the memory that hosts
// give.
func specOf(cfg *Config, plugin string) wasm.Spec {
	spec := wasm.Spec{}
	if cfg.Limits != nil {
		spec = cfg.Limits(plugin)
	}
	return wasm.Spec{Name: plugin, Kind: wasm.KindPolicy, Fuel: max(spec.Fuel, generousFuel),
		FuelPerByte: max(spec.FuelPerByte, generousFuelPerByte), MemoryBytes: max(spec.MemoryBytes, wasm.DefaultMemoryBytes)}
}

// count is how many modules decided.
func (m *modules) count() (n int) {
	for key, l := range m.have {
		if l.module != nil && !key.generous {
			n++
		}
	}
	return n
}
