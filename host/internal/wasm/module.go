package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/tetratelabs/wazero"

	"github.com/ainfera-ai/router/host/internal/wasm/meter"
)

// A Module is one version of a plugin, compiled and checked. It is safe for concurrent use.
//
// It is counted: whoever loaded it holds one reference until Close, every call holds one while it runs, and the last one
// frees what the module has. So closing never waits, and never pulls anything from under a call.
type Module struct {
	host     *Host
	log      hclog.Logger
	spec     Spec
	digest   string
	kind     Kind
	marker   string
	manifest Manifest
	meta     *meter.Metered // without Wasm and, once there is a snapshot, Segments
	cache    wazero.CompilationCache
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	snapshot *snapshot

	// Where the runtime keeps an export's stack; see stackField.
	stackOffset uintptr
	hasStack    bool

	refs      atomic.Int64
	closeOnce sync.Once
	closed    atomic.Bool
	freed     chan struct{}
	loadTime  time.Duration
	unref     func() // m.drop, made once

	room chan struct{} // one for each live instance
	mu   sync.Mutex
	idle []*instance
	set  sharedSet

	counters counters
	lines    lineLimit
}

// Name is the plugin's name in the configuration.
func (m *Module) Name() string { return m.spec.Name }

// Kind is what the module is for.
func (m *Module) Kind() Kind { return m.kind }

// Digest names the module's bytes: "sha256:" and 64 digits.
func (m *Module) Digest() string { return m.digest }

// Manifest is what the module says about itself. Callers must not change what it refers to.
func (m *Module) Manifest() Manifest { return m.manifest }

// Feature says whether the manifest lists a feature.
func (m *Module) Feature(name string) bool { return m.manifest.Feature(name) }

// Close gives the module up. Calls in flight end as they would have; later ones return ErrClosed. Idempotent.
func (m *Module) Close() {
	m.closeOnce.Do(func() {
		m.closed.Store(true)
		m.drop()
	})
}

// Freed is closed once the module was closed, its last call has ended and all that it had is given back.
func (m *Module) Freed() <-chan struct{} { return m.freed }

// retain takes a reference, unless there is none left.
func (m *Module) retain() bool {
	for {
		n := m.refs.Load()
		if n <= 0 {
			return false
		}
		if m.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (m *Module) drop() {
	if m.refs.Add(-1) == 0 {
		m.host.forget(m)
		if err := m.free(context.Background()); err != nil {
			m.log.Warn("close module", "error", err)
		}
	}
}

// shut is Close for the host, which wants to know what went wrong, when it is the last.
func (m *Module) shut(ctx context.Context) (err error) {
	m.closeOnce.Do(func() {
		m.closed.Store(true)
		if m.refs.Add(-1) == 0 {
			err = m.free(ctx)
		}
	})
	return err
}

// free ends everything, in the reverse order of its making.
func (m *Module) free(ctx context.Context) error {
	defer close(m.freed)
	for _, in := range m.idle {
		in.close()
	}
	m.idle = nil
	var errs []error
	if m.snapshot != nil {
		errs = append(errs, m.snapshot.image.close())
	}
	if m.runtime != nil {
		errs = append(errs, m.runtime.Close(ctx))
	}
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	return errors.Join(errs...)
}

// maxIdle is how many rewound instances wait for their next use: what hundreds of streams that come and go leave unused
// between them. Each keeps some 200 KB; making one takes a quarter of a millisecond.
func maxIdle() int { return 16 * parallel() }

// acquire takes an instance that nobody else has, in the state of the snapshot, waiting for room until ctx ends.
func (m *Module) acquire(ctx context.Context) (*instance, error) {
	if !m.retain() {
		return nil, fmt.Errorf("plugin %s: %w", m.spec.Name, ErrClosed)
	}
	select {
	case m.room <- struct{}{}:
	default:
		select {
		case m.room <- struct{}{}:
		case <-ctx.Done():
			m.drop()
			return nil, fmt.Errorf("plugin %s: %w: %d are live: %w", m.spec.Name, ErrBusy, cap(m.room), ctx.Err())
		}
	}
	m.mu.Lock()
	if n := len(m.idle); n > 0 {
		in := m.idle[n-1]
		m.idle = m.idle[:n-1]
		m.mu.Unlock()
		return in, nil
	}
	m.mu.Unlock()
	in, err := m.fresh()
	if err != nil {
		<-m.room
		m.drop()
		return nil, err
	}
	return in, nil
}

// giveBack takes an instance back that acquire gave. A dead one, one that grew, or one too many is not kept.
func (m *Module) giveBack(in *instance) {
	if !in.dead && !in.rewind() {
		in.close()
	}
	if !in.dead {
		m.mu.Lock()
		if len(m.idle) < maxIdle() {
			m.idle = append(m.idle, in)
			in = nil
		}
		m.mu.Unlock()
		if in != nil {
			in.close()
		}
	}
	<-m.room
	m.drop()
}

// CallStats is what calls cost. Fuel of a call that failed is booked as all that it had.
type CallStats struct {
	FuelUsed int64
	Duration time.Duration
}

// add returns how long the call took.
func (s *CallStats) add(fuel int64, began time.Time) time.Duration {
	d := time.Since(began)
	s.FuelUsed += fuel
	s.Duration += d
	return d
}
