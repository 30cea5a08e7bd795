package plugins

import (
	"context"
	"sync"
	"time"

	"github.com/ainfera-ai/router/schema"
)

// tryAgainAfter is how long a version that could not be had is left alone.
const tryAgainAfter = 30 * time.Second

// Follow makes what other hosts activate serve here too, until ctx ends. It begins after the first Change is committed.
func (r *Registry) Follow(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { r.catchUp(ctx) })
	r.conf.Store.FollowActivations(ctx, r.firstUnseen(), r.conf.Poll, func(a schema.Activation) {
		r.mu.Lock()
		p := r.plugins[a.Place]
		news := p != nil && a.Seq > p.newest()
		r.mu.Unlock()
		if news {
			r.sync(ctx, a.Place)
		}
	})
}

// firstUnseen is the least that every plugin has read up to.
func (r *Registry) firstUnseen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	least := int64(-1)
	for _, p := range r.plugins {
		if n := p.newest(); least < 0 || n < least {
			least = n
		}
	}
	return max(least, 0)
}

// catchUp tries again what did not work at once.
func (r *Registry) catchUp(ctx context.Context) {
	tick := time.NewTicker(r.conf.Poll)
	defer tick.Stop()
	for {
		for _, name := range r.behind() {
			r.sync(ctx, name)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// behind are the plugins that do not run what the store says, as far as it is time to try again.
func (r *Registry) behind() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, p := range r.plugins {
		if p.astray != "" && !r.conf.Now().Before(p.tryAgain) {
			names = append(names, name)
		}
	}
	return names
}

// sync makes the newest row's version serve. Whatever keeps it from that is remembered, shown, and tried again.
func (r *Registry) sync(ctx context.Context, name string) {
	p, err := r.find(ctx, name)
	if err != nil {
		return // the configuration dropped it, or the host stops
	}
	defer p.give()
	again := tryAgainAfter
	if err = r.read(ctx, p); err == nil {
		err = r.adopt(ctx, p)
	}
	if ctx.Err() != nil {
		return
	}
	if drain := r.full(p); drain != nil {
		again = r.conf.Poll
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		p.astray = ""
		return
	}
	if text := err.Error(); text != p.astray {
		p.astray = text
		r.log.Error("this host does not run what was activated", "plugin", name, "try-again", again, "error", err)
	}
	p.tryAgain = r.conf.Now().Add(again)
}

// adopt swaps to the newest row's version. The plugin's turn is held.
func (r *Registry) adopt(ctx context.Context, p *plugin) error {
	r.mu.Lock()
	var row schema.Activation
	if n := len(p.rows); n > 0 {
		row = p.rows[n-1]
	}
	active := p.active.digest
	r.mu.Unlock()
	if row.Digest == "" || row.Digest == active {
		return nil
	}
	if drain := r.full(p); drain != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return &DrainError{Plugin: p.name, Oldest: drain.digest, Live: p.live()}
	}
	v, err := r.obtain(ctx, p, row.Digest)
	if err != nil {
		return err
	}
	r.swap(p, v)
	r.count(p.name, "followed")
	r.log.Info("version followed", "plugin", p.name, "version", v.m.Manifest().Version, "digest", "sha256:"+v.digest,
		"action", row.Action, "actor", row.Actor, "host", row.HostID)
	return nil
}
