package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/schema"
)

// A Staging is a module that shall become a version of a plugin.
type Staging struct {
	Bytes []byte
	// Signature is over Bytes, standard base64, or empty.
	Signature string
	// Digest is what Bytes must have, with or without "sha256:", or empty for any.
	Digest string
}

// Stage checks a module for a plugin, compiles it, runs the cases that it carries, and keeps it beside the version that
// serves, which no call notices. It returns the bare digest. A *Refusal says at which step it was turned down.
func (r *Registry) Stage(ctx context.Context, name string, s Staging) (digest string, err error) {
	p, err := r.find(ctx, name)
	if err != nil {
		return "", err
	}
	defer p.give()
	digest = digestOf(s.Bytes)
	if s.Digest != "" && bare(s.Digest) != digest {
		return "", &Refusal{name, "digest", fmt.Errorf("module is sha256:%s, want sha256:%s", digest, bare(s.Digest))}
	}
	c := r.candidate(p, s.Bytes)
	if s.Signature != "" {
		c.signatures = []string{s.Signature}
	}
	v, err := r.load(ctx, &p.spec, c)
	if err != nil {
		return "", err
	}
	if err := r.keep(ctx, v, c); err != nil {
		v.m.Close()
		return "", err
	}
	r.stage(p, v)
	r.log.Info("version staged", "plugin", name, "version", v.m.Manifest().Version, "digest", "sha256:"+digest, "cases", v.cases,
		"load", v.m.Stats().Load.Round(time.Millisecond))
	return digest, nil
}

// candidate is a module that must be a version of what serves.
func (r *Registry) candidate(p *plugin, module []byte) candidate {
	r.mu.Lock()
	defer r.mu.Unlock()
	return candidate{bytes: module, name: p.active.m.Manifest().Name, builtin: p.spec.Builtin && digestOf(module) == p.base}
}

// stage puts a version beside the active one, in place of the same one and of the oldest when there are too many.
func (r *Registry) stage(p *plugin, v *version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.staged = slices.DeleteFunc(p.staged, func(old *version) bool {
		same := old.digest == v.digest
		if same {
			old.m.Close()
		}
		return same
	})
	p.staged = append(p.staged, v)
	if len(p.staged) > stagedVersions {
		p.staged[0].m.Close()
		p.staged = slices.Delete(p.staged, 0, 1)
	}
}

// An Order is who wants a change, and why.
type Order struct {
	Actor  string
	Reason string
	// Wait is how long an activation may wait for the oldest version to drain; 0 refuses at once.
	Wait time.Duration
}

// A DrainError says that a plugin has as many live versions as it may, and the oldest is still in use.
type DrainError struct {
	Plugin, Oldest string
	Live           int
	// Holders are the calls and streams that the oldest still has.
	Holders int64
}

func (e *DrainError) Error() string {
	return fmt.Sprintf("plugin %s: %d versions are live, which is all it may have; the oldest, sha256:%.12s, drains with %d calls or streams in flight",
		e.Plugin, e.Live, e.Oldest, e.Holders)
}

// Sentinels of changes that were not made.
var (
	// ErrNoVersion means that no module of that digest is staged or in the store.
	ErrNoVersion = errors.New("no such version: stage it first")
	// ErrAmbiguous means that the beginning of a digest fits several.
	ErrAmbiguous = errors.New("several versions begin like that: give more of the digest")
	// ErrNothingBefore means that there is no version to go back to.
	ErrNothingBefore = errors.New("no version served before this one")
)

// Activate makes a version of a plugin the one that serves, here and, by the store's row, on every host. The digest may be
// cut short, and may be that of any version that is staged or ever served. What serves already stays, without a row.
func (r *Registry) Activate(ctx context.Context, name, digest string, o Order) error {
	waited, cancel := context.WithTimeout(ctx, o.Wait)
	defer cancel()
	for {
		done, drain, err := r.activateOnce(ctx, name, digest, o)
		if done || err != nil {
			return err
		}
		if err := r.await(waited, name, drain); err != nil {
			return err
		}
	}
}

// activateOnce returns the version whose end must be awaited first, when there is one.
func (r *Registry) activateOnce(ctx context.Context, name, digest string, o Order) (done bool, drain *version, err error) {
	p, err := r.find(ctx, name)
	if err != nil {
		return false, nil, err
	}
	defer p.give()
	if digest, err = r.resolve(p, digest); err != nil {
		return false, nil, err
	}
	if drain = r.full(p); drain != nil {
		return r.serves(p, digest), drain, nil // what serves already needs no room
	}
	return true, nil, r.change(ctx, p, digest, schema.ActionActivated, capture.AnyBefore, o)
}

// serves says that a digest is the active version's.
func (r *Registry) serves(p *plugin, digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.active.digest == digest
}

// full returns the oldest version that drains when there is no room for another one.
func (r *Registry) full(p *plugin) *version {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.live() < p.spec.LiveVersions {
		return nil
	}
	return p.draining[0]
}

// await waits for a version to drain and says so. Nobody else has to wait meanwhile: an operator may still roll back.
func (r *Registry) await(ctx context.Context, name string, v *version) error {
	r.mu.Lock()
	p := r.plugins[name]
	if p == nil {
		r.mu.Unlock()
		return fmt.Errorf("plugin %q: %w", name, ErrUnknown)
	}
	full := &DrainError{Plugin: name, Oldest: v.digest, Live: p.live(), Holders: v.m.Stats().Holders}
	if ctx.Err() == nil {
		p.waiting = full.Error()
	}
	r.mu.Unlock()
	if ctx.Err() != nil {
		return full
	}
	r.log.Warn("activation waits for the oldest version to drain", "plugin", name, "oldest", "sha256:"+v.digest, "live", full.Live, "in-flight", full.Holders)
	defer func() {
		r.mu.Lock()
		p.waiting = ""
		r.mu.Unlock()
	}()
	select {
	case <-v.m.Freed():
		return nil
	case <-ctx.Done():
		full.Holders = v.m.Stats().Holders
		return full
	}
}

// resolve completes a digest that was cut short, out of what is known of the plugin.
func (r *Registry) resolve(p *plugin, digest string) (string, error) {
	digest = bare(digest)
	if len(digest) == 64 {
		return digest, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	found := ""
	consider := func(d string) bool {
		if !strings.HasPrefix(d, digest) || d == found {
			return true
		}
		other := found != ""
		found = d
		return !other
	}
	one := digest != "" && consider(p.active.digest) && consider(p.base)
	for _, v := range p.staged {
		one = one && consider(v.digest)
	}
	for i := range p.rows {
		one = one && consider(p.rows[i].Digest)
	}
	switch {
	case digest == "" || one && found == "":
		return "", fmt.Errorf("plugin %s: sha256:%s: %w", p.name, digest, ErrNoVersion)
	case !one:
		return "", fmt.Errorf("plugin %s: sha256:%s: %w", p.name, digest, ErrAmbiguous)
	}
	return found, nil
}

// Rollback goes back to the version that served before the active one, past those that were evicted. It does not wait for
// older versions to drain: whoever goes back is in a hurry.
func (r *Registry) Rollback(ctx context.Context, name string, o Order) error {
	p, err := r.find(ctx, name)
	if err != nil {
		return err
	}
	defer p.give()
	if err := r.read(ctx, p); err != nil {
		return err
	}
	r.mu.Lock()
	before := pastOf(p.rows)
	target := before.before(p.active.digest)
	r.mu.Unlock()
	if target == "" {
		return fmt.Errorf("plugin %s: %w", name, ErrNothingBefore)
	}
	return r.change(ctx, p, target, schema.ActionRolledBack, capture.AnyBefore, o)
}

// change makes a version serve: loaded first, then written down, then swapped in. The plugin's turn is held. An error means
// that what serves here goes on.
func (r *Registry) change(ctx context.Context, p *plugin, digest, action string, before int64, o Order) error {
	if r.serves(p, digest) {
		return nil
	}
	v, err := r.obtain(ctx, p, digest)
	if err != nil {
		return err
	}
	r.mu.Lock()
	row := schema.Activation{Kind: string(v.m.Kind()), Place: p.name, Digest: v.digest, Version: v.m.Manifest().Version,
		Previous: p.active.digest, Base: p.base, Action: action, Actor: o.Actor, Reason: o.Reason, KeyID: v.keyID}
	r.mu.Unlock()
	if _, err := r.conf.Store.Activate(ctx, capture.Activating{Activation: row, Before: before}); err != nil {
		r.stage(p, v) // it is good, and need not be compiled again
		return err
	}
	r.swap(p, v)
	r.count(p.name, action)
	r.log.Info("version activated", "plugin", p.name, "version", row.Version, "digest", "sha256:"+digest,
		"previous", "sha256:"+row.Previous, "action", action, "actor", o.Actor, "reason", o.Reason)
	// The rows only tell what to go back to; they are read again before that.
	if err := r.read(ctx, p); err != nil {
		r.log.Warn("rows of a plugin not read", "plugin", p.name, "error", err)
	}
	return nil
}

// obtain returns a version of the plugin that is loaded: the staged one, which then is no longer staged, or one made of the
// configuration's or the store's bytes.
func (r *Registry) obtain(ctx context.Context, p *plugin, digest string) (*version, error) {
	if v := r.unstage(p, digest); v != nil {
		return v, nil
	}
	if digest == p.base {
		return r.loadBase(ctx, &p.spec)
	}
	c, err := r.stored(ctx, digest)
	if errors.Is(err, capture.ErrNotFound) {
		return nil, fmt.Errorf("plugin %s: sha256:%s: %w", p.name, digest, ErrNoVersion)
	}
	if err != nil {
		return nil, err
	}
	if !r.served(p, digest) {
		c.name = r.candidate(p, c.bytes).name
	}
	return r.load(ctx, &p.spec, c)
}

func (r *Registry) unstage(p *plugin, digest string) *version {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(p.staged, func(v *version) bool { return v.digest == digest })
	if i < 0 {
		return nil
	}
	v := p.staged[i]
	p.staged = slices.Delete(p.staged, i, i+1)
	return v
}

// served says that a version has served in the plugin's place before.
func (r *Registry) served(p *plugin, digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(p.rows, func(a schema.Activation) bool { return a.Digest == digest })
}

// loadBase loads the configuration's own module and keeps it in the store.
func (r *Registry) loadBase(ctx context.Context, s *Spec) (*version, error) {
	c := candidate{bytes: s.Bytes, builtin: s.Builtin, signatures: s.signatures()}
	v, err := r.load(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if err := r.keep(ctx, v, c); err != nil {
		v.m.Close()
		return nil, err
	}
	return v, nil
}

func (s *Spec) signatures() []string {
	if s.Signature == "" {
		return nil
	}
	return []string{s.Signature}
}

// swap makes v the active version. The one before drains.
func (r *Registry) swap(p *plugin, v *version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := p.active
	v.since = r.conf.Now()
	p.active, p.astray, p.suspicion = v, "", suspicion{}
	p.draining = append(p.draining, old)
	p.slot.Swap(v.m)
}

// Serves says that a plugin's active version has these bytes.
func (r *Registry) Serves(name string, module []byte) bool {
	digest := digestOf(module)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.plugins[name]
	return p != nil && p.active.digest == digest
}
