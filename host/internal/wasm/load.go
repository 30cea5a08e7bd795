package wasm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/ainfera-ai/router/host/internal/wasm/meter"
	"github.com/ainfera-ai/router/sdk/abi"
)

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall

// Load checks a module, compiles it and starts its first instance. Every error is a *LoadError. The result must be closed.
func (h *Host) Load(ctx context.Context, spec Spec) (*Module, error) {
	began := time.Now()
	spec = spec.withDefaults()
	m := &Module{host: h, spec: spec, log: h.log.With("plugin", spec.Name), room: make(chan struct{}, spec.MaxInstances), freed: make(chan struct{})}
	m.spec.Bytes = nil
	m.unref = m.drop
	m.refs.Store(1)
	steps := []struct {
		name string
		run  func() error
	}{
		{"digest", func() error { return m.checkDigest(spec) }},
		{"meter", func() error { return m.rewrite(spec.Bytes) }},
		{"imports", m.checkImports},
		{"exports", m.checkExports},
		{"compile", func() error { return m.compile(ctx) }},
		{"start", m.start},
	}
	for _, s := range steps {
		err := ctx.Err()
		if err == nil {
			err = s.run()
		}
		if err != nil {
			return nil, m.abandon(ctx, s.name, err)
		}
	}
	m.loadTime = time.Since(began)
	if !h.adopt(m) {
		return nil, m.abandon(ctx, "start", ErrClosed)
	}
	return m, nil
}

// abandon frees what there is of a module that was not loaded.
func (m *Module) abandon(ctx context.Context, step string, err error) error {
	if err := m.free(context.WithoutCancel(ctx)); err != nil {
		m.log.Warn("free a module that was not loaded", "error", err)
	}
	return &LoadError{Plugin: m.spec.Name, Step: step, Err: err}
}

func (m *Module) checkDigest(spec Spec) error {
	sum := sha256.Sum256(spec.Bytes)
	m.digest = "sha256:" + hex.EncodeToString(sum[:])
	if spec.Digest != "" && !strings.EqualFold(spec.Digest, m.digest) {
		return fmt.Errorf("module is %s, the configuration wants %s", m.digest, spec.Digest)
	}
	if spec.Isolation != IsolationShared && spec.Isolation != IsolationStream {
		return fmt.Errorf("isolation %q is unknown, want shared or stream", spec.Isolation)
	}
	return nil
}

func (m *Module) rewrite(wasm []byte) (err error) {
	m.meta, err = meter.Rewrite(wasm, meter.Options{MaxModuleBytes: m.host.conf.MaxModuleBytes, MaxMemoryBytes: m.spec.MemoryBytes})
	return err
}

// checkImports refuses what the host does not give, before anybody compiles it.
func (m *Module) checkImports() error {
	for _, im := range m.meta.Imports {
		have, ok := importables[im.Module][im.Name]
		switch {
		case !ok:
			return &ImportError{Module: im.Module, Name: im.Name}
		case have.signature().String() != im.Type.String():
			return fmt.Errorf("imports %s from %s as %s, want %s", im.Name, im.Module, im.Type, have.signature())
		}
	}
	return nil
}

// compile makes machine code, or finds it in the cache. A cache that can't be read is done without.
func (m *Module) compile(ctx context.Context) error {
	if dir := m.host.conf.CacheDir; dir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err == nil {
			m.cache = cache
			err = m.compileWith(ctx, cache)
		}
		if err == nil {
			return nil
		}
		m.log.Warn("cache of compiled modules failed, compiling without", "dir", dir, "error", err)
		if err := m.discard(ctx); err != nil {
			return err
		}
	}
	return m.compileWith(ctx, nil)
}

// discard ends a runtime that did not come to anything.
func (m *Module) discard(ctx context.Context) error {
	var errs []error
	if m.runtime != nil {
		errs = append(errs, m.runtime.Close(ctx))
	}
	if m.cache != nil {
		errs = append(errs, m.cache.Close(ctx))
	}
	m.runtime, m.cache = nil, nil
	return errors.Join(errs...)
}

func (m *Module) compileWith(ctx context.Context, cache wazero.CompilationCache) (err error) {
	conf := wazero.NewRuntimeConfig().WithCoreFeatures(features).WithDebugInfoEnabled(false).
		WithMemoryLimitPages(pagesOf(m.meta.MaxMemoryBytes))
	if cache != nil {
		conf = conf.WithCompilationCache(cache)
	}
	m.runtime = wazero.NewRuntimeWithConfig(ctx, conf)
	m.compiled, err = m.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, m.spec.Workers), m.meta.Wasm)
	if err != nil {
		if text := err.Error(); len(text) > maxMessage { // it lists all that an invalid function leaves on the stack
			return errors.New(shown(text, maxMessage))
		}
		return err
	}
	return provide(ctx, m.runtime, m.meta.Imports)
}

// start runs the first instance, reads what the module says about itself and takes the snapshot.
func (m *Module) start() error {
	m.meta.Wasm = nil
	in, err := m.boot()
	if err != nil {
		return err
	}
	defer in.close()
	m.stackOffset, m.hasStack = stackField(in.arenaFunc)
	b, err := in.readManifest()
	if err != nil {
		return err
	}
	if m.manifest, err = parseManifest(b, m.kind); err != nil {
		return err
	}
	m.log = m.log.With("version", m.manifest.Version)
	if why := m.meta.Unsnapshotable; why != "" {
		if used := m.counters.initFuel.Load(); used > m.spec.Fuel {
			// A snapshot is made once; without one every stream and every decision pays for the start.
			return fmt.Errorf("its start uses %d units of fuel, and because of %s every instance starts from the beginning: it may use no more than the %d of a call", used, why, m.spec.Fuel)
		}
		m.log.Warn("module can't be snapshotted, every instance starts from the beginning", "because-of", why)
		m.keepSegments()
		return nil
	}
	if m.snapshot, err = in.snapshot(); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	m.meta.Segments = nil
	return nil
}

// keepSegments copies them, so that the module's file is free.
func (m *Module) keepSegments() {
	for i := range m.meta.Segments {
		s := &m.meta.Segments[i]
		s.Data = append([]byte(nil), s.Data...)
	}
}

func (in *instance) readManifest() ([]byte, error) {
	budget := in.m.spec.Fuel * initFuelFactor
	in.tank.Set(uint64(budget))
	if err := in.mod.ExportedFunction(abi.ExportManifest).CallWithStack(in.ctx, in.stack[:]); err != nil {
		return nil, in.fault(abi.ExportManifest, budget, err)
	}
	ptr, n := abi.Unpack(in.stack[0])
	if n > abi.MaxManifestBytes {
		return nil, in.protocol(abi.ExportManifest, "manifest is %d bytes, the limit is %d", n, abi.MaxManifestBytes)
	}
	b, ok := in.mem.Read(ptr, n)
	if !ok {
		return nil, in.protocol(abi.ExportManifest, "returned %d bytes at %#x, beyond its memory of %d bytes", n, ptr, in.mem.Size())
	}
	return append([]byte(nil), b...), nil
}
