// Package plugins is the registry of live plugins.
//
// For every plugin of the configuration it knows the version that serves, those that are staged, those that still drain, and
// those that served before. Activate is the main path: the version is checked and compiled beforehand (Stage), the store
// writes who wanted it and why, one pointer is swapped, and calls in flight end on the version they began with. Every host
// of a store follows the newest row (Follow), and a version that fails repeatedly is taken out for the one before it
// (Fault).
//
// The configuration enters by Prepare, whose Change nobody sees until it is committed.
package plugins

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// Store is what the registry needs of the books.
type Store interface {
	PutModule(ctx context.Context, digest, kind, name, version string, module []byte) error
	Module(ctx context.Context, digest string) (schema.Module, []byte, error)
	PutSignature(ctx context.Context, digest, keyID, signature string) error
	Signatures(ctx context.Context, digest string) ([]schema.ModuleSignature, error)
	Activate(ctx context.Context, list ...capture.Activating) ([]schema.Activation, error)
	Activations(ctx context.Context, place string, limit int) ([]schema.Activation, error)
	FollowActivations(ctx context.Context, seq int64, every time.Duration, each func(schema.Activation))
}

var _ Store = (*capture.Books)(nil)

// Config is what a registry is made of.
type Config struct {
	Sandbox *wasm.Host
	Store   Store
	// Logger defaults to none.
	Logger hclog.Logger
	// Now defaults to time.Now.
	Now func() time.Time
	// Poll is how often the store is asked for other hosts' activations. Defaults to 2 seconds.
	Poll time.Duration
	// Eviction says when a version is taken out. Defaults to DefaultEviction.
	Eviction Eviction
}

// Signing says whose modules are run.
type Signing struct {
	// Keys may sign modules.
	Keys []ed25519.PublicKey
	// Required refuses modules that none of Keys has signed, those of the binary apart.
	Required bool
}

// A Spec is a plugin of the configuration.
type Spec struct {
	Name string
	// Kind is what the configuration uses it for; empty takes either.
	Kind wasm.Kind
	// Bytes is the configuration's own module, the plugin's base, and Source where it came from.
	Bytes  []byte
	Source string
	// Builtin says that Bytes is one of the binary's own: it needs no signature, and its streams share instances.
	Builtin bool
	// Signature is what stood beside the module's file, standard base64 or empty.
	Signature string
	// Pin is "sha256:" and the only digest that may run, or empty.
	Pin string
	// Fuel, FuelPerByte, MemoryBytes bound the guest; see wasm.Spec.
	Fuel, FuelPerByte int64
	MemoryBytes       uint64
	// Isolation is the configuration's word, or empty: built-in modules share, all others don't.
	Isolation wasm.Isolation
	// LiveVersions is how many versions may be loaded at once for calls. Defaults to DefaultLiveVersions.
	LiveVersions int
	// Check says whether the settings that the configuration has for this plugin fit a module's manifest; nil takes any.
	Check func(wasm.Manifest) error

	signing Signing // of the Change that brought the Spec
}

// DefaultLiveVersions is how many versions of a plugin may be loaded at once: the one that serves and those that drain.
const DefaultLiveVersions = 4

// stagedVersions is how many versions wait for their activation; one more drops the oldest.
const stagedVersions = 4

// A Registry is safe for concurrent use.
type Registry struct {
	conf  Config
	log   hclog.Logger
	tasks sync.WaitGroup // evictions in flight
	life  context.Context
	end   context.CancelFunc

	changing chan struct{} // held by the one Change, from Prepare to Commit or Abort

	mu      sync.Mutex
	plugins map[string]*plugin
	counts  map[countKey]int64
}

// New makes a registry without plugins: Prepare brings them.
func New(conf Config) *Registry {
	if conf.Logger == nil {
		conf.Logger = hclog.NewNullLogger()
	}
	if conf.Now == nil {
		conf.Now = time.Now
	}
	if conf.Poll <= 0 {
		conf.Poll = 2 * time.Second
	}
	if conf.Eviction == (Eviction{}) {
		conf.Eviction = DefaultEviction
	}
	r := &Registry{conf: conf, log: conf.Logger, changing: make(chan struct{}, 1),
		plugins: map[string]*plugin{}, counts: map[countKey]int64{}}
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

// Close waits for what the registry does by itself and closes every version. Calls in flight must have ended.
func (r *Registry) Close() {
	r.end()
	r.tasks.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.plugins {
		p.closeStaged()
		p.slot.Close()
	}
}

// A plugin is one of the configuration's, under one Spec. A Spec that changes makes a new one.
type plugin struct {
	name string
	// spec is changed by Commit alone, which has the turn and the registry's mu.
	spec Spec
	base string // digest of spec.Bytes, bare hex
	slot *wasm.Slot
	// turn is held by the one operation that may change the plugin.
	turn chan struct{}

	// What follows is guarded by the registry's mu.
	active   *version
	staged   []*version // oldest first
	draining []*version // oldest first, until they are freed
	rows     []schema.Activation
	retired  bool // a Change put another one in its place
	// astray says why the newest row's digest is not what runs here.
	astray    string
	tryAgain  time.Time
	waiting   string // why an activation waits, empty when none does
	suspicion suspicion
}

// A version is a module that was checked and loaded for a plugin.
type version struct {
	m      *wasm.Module
	digest string // bare hex
	keyID  string // of the signature that was accepted
	cases  int    // that it passed
	size   int
	since  time.Time // staged, or activated
}

// take waits for the plugin's turn.
func (p *plugin) take(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("plugin %s: another change is under way: %w", p.name, ctx.Err())
	}
}

func (p *plugin) give() { <-p.turn }

// closeStaged drops what waits. The registry's mu is held.
func (p *plugin) closeStaged() {
	for _, v := range p.staged {
		v.m.Close()
	}
	p.staged = nil
}

// live forgets the versions that have drained and counts the rest, the active one among them. The registry's mu is held.
func (p *plugin) live() int {
	p.draining = slices.DeleteFunc(p.draining, func(v *version) bool {
		select {
		case <-v.m.Freed():
			return true
		default:
			return false
		}
	})
	return len(p.draining) + 1
}

// newest is the sequence number of the newest row that is known, 0 for none. The registry's mu is held.
func (p *plugin) newest() int64 {
	if n := len(p.rows); n > 0 {
		return p.rows[n-1].Seq
	}
	return 0
}

// ErrUnknown means that the configuration has no plugin of that name.
var ErrUnknown = errors.New("the configuration has no such plugin")

// find returns the plugin with its turn taken, so that it can't be replaced meanwhile. The caller gives the turn back.
func (r *Registry) find(ctx context.Context, name string) (*plugin, error) {
	for {
		r.mu.Lock()
		p := r.plugins[name]
		r.mu.Unlock()
		if p == nil {
			return nil, fmt.Errorf("plugin %q: %w", name, ErrUnknown)
		}
		if err := p.take(ctx); err != nil {
			return nil, err
		}
		r.mu.Lock()
		gone := p.retired
		r.mu.Unlock()
		if !gone {
			return p, nil
		}
		p.give()
	}
}
