package plugins

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// loadsAtOnce is how many modules are compiled at a time; each of them uses every processor.
const loadsAtOnce = 2

// A Change is a configuration's plugins, loaded and checked, which nobody sees yet. Between Prepare and its end no version is
// activated. It ends with Commit or Abort, one of which must be called.
type Change struct {
	r     *Registry
	held  []*plugin // whose turn it has
	next  map[string]*plugin
	specs map[*plugin]*Spec // what plugins that stay will go by
	fresh []*fresh
}

// A fresh plugin is one that the configuration brings, or brings differently.
type fresh struct {
	p   *plugin
	row *schema.Activation // to be written, when the configuration's module is new here
}

// Prepare loads what a configuration has. A plugin whose Spec is as before stays what it is, down to the version that an
// operator activated; any other is loaded anew, beside the one that serves. loaded is told of each that was, from several
// goroutines. After an error nothing has changed.
func (r *Registry) Prepare(ctx context.Context, specs []Spec, signing Signing, loaded func(name string, m *wasm.Module, took time.Duration)) (*Change, error) {
	select {
	case r.changing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("another configuration is being loaded: %w", ctx.Err())
	}
	c := &Change{r: r, next: map[string]*plugin{}, specs: map[*plugin]*Spec{}}
	if err := c.prepare(ctx, specs, signing, loaded); err != nil {
		c.Abort()
		return nil, err
	}
	return c, nil
}

func (c *Change) prepare(ctx context.Context, specs []Spec, signing Signing, loaded func(string, *wasm.Module, time.Duration)) error {
	if err := c.hold(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(loadsAtOnce)
	for i := range specs {
		s := &specs[i]
		s.signing = signing
		if s.LiveVersions <= 0 {
			s.LiveVersions = DefaultLiveVersions
		}
		if p := c.r.plugins[s.Name]; p != nil && same(&p.spec, s) {
			c.next[s.Name], c.specs[p] = p, s
			if err := recheck(p, s); err != nil {
				return errors.Join(err, g.Wait())
			}
			continue
		}
		f := &fresh{p: &plugin{name: s.Name, spec: *s, base: digestOf(s.Bytes), turn: make(chan struct{}, 1)}}
		c.next[s.Name] = f.p
		c.fresh = append(c.fresh, f)
		g.Go(func() error {
			began := time.Now()
			if err := c.r.begin(ctx, f); err != nil {
				return err
			}
			loaded(s.Name, f.p.active.m, time.Since(began))
			return nil
		})
	}
	return g.Wait()
}

// hold takes the turn of every plugin there is, in the order of names. Nobody else takes more than one.
func (c *Change) hold(ctx context.Context) error {
	c.r.mu.Lock()
	now := maps.Clone(c.r.plugins)
	c.r.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if err := now[name].take(ctx); err != nil {
			return err
		}
		c.held = append(c.held, now[name])
	}
	return nil
}

// same says that two Specs differ in nothing but what they check settings by.
func same(a, b *Spec) bool {
	x, y := *a, *b
	x.Check, y.Check = nil, nil
	return reflect.DeepEqual(x, y)
}

// recheck holds the version that serves to the new configuration's settings.
func recheck(p *plugin, s *Spec) error {
	if s.Check == nil {
		return nil
	}
	if err := s.Check(p.active.m.Manifest()); err != nil {
		return &Refusal{s.Name, "settings", err}
	}
	return nil
}

// begin loads what a plugin runs at first: the version that was activated last, as long as that was on top of the module
// that the configuration has now; else that module. A version that can't be had any more must not keep a host from serving.
func (r *Registry) begin(ctx context.Context, f *fresh) error {
	p := f.p
	var err error
	if p.rows, err = r.history(ctx, p.name); err != nil {
		return err
	}
	var last schema.Activation
	if n := len(p.rows); n > 0 {
		last = p.rows[n-1]
	}
	if last.Base == p.base && last.Digest != p.base {
		if p.active, err = r.obtain(ctx, p, last.Digest); err == nil {
			p.slot = wasm.NewSlot(p.active.m)
			return nil
		}
		r.log.Error("the version that was activated can't be had, the configuration's own serves instead", "plugin", p.name,
			"digest", "sha256:"+last.Digest, "error", err)
		p.astray, p.tryAgain = err.Error(), r.conf.Now().Add(tryAgainAfter)
	}
	if p.active, err = r.loadBase(ctx, &p.spec); err != nil {
		return err
	}
	p.slot = wasm.NewSlot(p.active.m)
	if last.Base != p.base {
		f.row = p.configured(last.Digest)
	}
	return nil
}

// configured is the row of the configuration's module.
func (p *plugin) configured(previous string) *schema.Activation {
	reason := "the first start with this plugin"
	if previous != "" {
		reason = "the configuration has another module than before"
	}
	return &schema.Activation{Kind: string(p.active.m.Kind()), Place: p.name, Digest: p.base, Version: p.active.m.Manifest().Version,
		Previous: previous, Base: p.base, Action: schema.ActionConfigured, Actor: "configuration", Reason: reason + ": " + p.spec.Source,
		KeyID: p.active.keyID}
}

// Slot is where the plugin's active version will be, nil where the configuration has no such plugin.
func (c *Change) Slot(name string) *wasm.Slot {
	if p := c.next[name]; p != nil {
		return p.slot
	}
	return nil
}

// Manifest is the active version's.
func (c *Change) Manifest(name string) (wasm.Manifest, bool) {
	p := c.next[name]
	if p == nil {
		return wasm.Manifest{}, false
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return p.active.m.Manifest(), true
}

// Abort ends a change of which nothing is to come.
func (c *Change) Abort() {
	for _, f := range c.fresh {
		if f.p.slot != nil {
			f.p.slot.Close()
		}
	}
	c.finish()
}

func (c *Change) finish() {
	for _, p := range c.held {
		p.give()
	}
	<-c.r.changing
}

// Commit writes the rows, in one transaction, and makes the change the registry's. After an error nothing has changed and
// the change is over. What it replaced still serves whoever began with it: retire closes that, and is called when none is
// left who did.
func (c *Change) Commit(ctx context.Context) (retire func(), err error) {
	if err := c.write(ctx); err != nil {
		c.Abort()
		return nil, err
	}
	defer c.finish()
	r := c.r
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, s := range c.specs {
		p.spec = *s
		// What was staged passed another configuration's checks. It is in the store, and is checked again when it is wanted.
		p.closeStaged()
	}
	var gone []*wasm.Slot
	for name, old := range r.plugins {
		p := c.next[name]
		if p == old {
			continue
		}
		old.retired = true
		old.closeStaged()
		gone = append(gone, old.slot)
		if p != nil {
			old.live()
			p.draining = append(old.draining, old.active)
		}
	}
	for _, f := range c.fresh {
		if f.p.tryAgain.IsZero() {
			f.p.astray = "not compared with the store yet" // rows may have come since they were read
		}
	}
	r.plugins = c.next
	return func() {
		for _, s := range gone {
			s.Close()
		}
	}, nil
}

// write leaves the rows of the configuration's new modules. When another host was quicker it looks again what is new.
func (c *Change) write(ctx context.Context) error {
	for {
		var list []capture.Activating
		for _, f := range c.fresh {
			if f.row != nil {
				list = append(list, capture.Activating{Activation: *f.row, Before: f.p.newest()})
			}
		}
		if len(list) == 0 {
			return nil
		}
		_, err := c.r.conf.Store.Activate(ctx, list...)
		if err == nil {
			c.wrote(ctx)
			return nil
		}
		if !errors.Is(err, capture.ErrSuperseded) {
			return err
		}
		if err := c.reread(ctx); err != nil {
			return err
		}
	}
}

// wrote reads the rows again, for what to go back to, and counts them.
func (c *Change) wrote(ctx context.Context) {
	for _, f := range c.fresh {
		if f.row == nil {
			continue
		}
		c.r.count(f.row.Place, f.row.Action)
		if rows, err := c.r.history(ctx, f.row.Place); err == nil {
			f.p.rows = rows
		} else {
			c.r.log.Warn("rows of a plugin not read", "plugin", f.row.Place, "error", err)
		}
	}
}

// reread finds out whether a row is still called for. Where another host has said the same, what serves there is followed.
func (c *Change) reread(ctx context.Context) error {
	for _, f := range c.fresh {
		if f.row == nil {
			continue
		}
		var err error
		if f.p.rows, err = c.r.history(ctx, f.p.name); err != nil {
			return err
		}
		last := f.p.rows[max(0, len(f.p.rows)-1):]
		switch {
		case len(last) == 0:
		case last[0].Base == f.p.base:
			f.row = nil
		default:
			f.row = f.p.configured(last[0].Digest)
		}
	}
	return nil
}
