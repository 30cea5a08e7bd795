package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// Eviction says when a version is taken out: it failed on so many distinct inputs, of so many distinct agents, within that
// time. One prompt that poisons it, sent ever again or by everybody, is one input; one agent with many of them is one agent.
type Eviction struct {
	Inputs, Agents int
	Within         time.Duration
}

// DefaultEviction is three inputs of two agents within ten minutes.
var DefaultEviction = Eviction{Inputs: 3, Agents: 2, Within: 10 * time.Minute}

// suspicionLength bounds what is remembered of a version's failures; the oldest is forgotten first.
const suspicionLength = 256

// A suspicion is what a version failed at lately.
type suspicion struct {
	failures []failure
	evicting bool
}

type failure struct {
	agent, input string
	at           time.Time
}

// add remembers a failure and says whether they are enough.
func (s *suspicion) add(f failure, rule Eviction) bool {
	s.failures = slices.DeleteFunc(s.failures, func(old failure) bool {
		return f.at.Sub(old.at) > rule.Within || old.agent == f.agent && old.input == f.input
	})
	if len(s.failures) >= suspicionLength {
		s.failures = slices.Delete(s.failures, 0, 1)
	}
	s.failures = append(s.failures, f)
	return s.enough(rule)
}

// enough counts agents and inputs apart: neither one agent nor one input is enough, however often it failed.
func (s *suspicion) enough(rule Eviction) bool {
	agents, inputs := map[string]bool{}, map[string]bool{}
	for _, f := range s.failures {
		agents[f.agent], inputs[f.input] = true, true
	}
	return len(agents) >= rule.Agents && len(inputs) >= rule.Inputs
}

// Fault takes a failure of a guest's on an agent's call; input names what the caller sent, a hash of it. A version that has
// failed often enough is taken out, in the background: the call that brought it to light does not wait.
func (r *Registry) Fault(f *wasm.Fault, agent, input string) {
	if f.Kind == wasm.FaultLost {
		return // another stream's fault
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.plugins[f.Plugin]
	if p == nil || p.active.digest != bare(f.Digest) || p.suspicion.evicting || r.life.Err() != nil {
		return
	}
	if !p.suspicion.add(failure{agent, input, r.conf.Now()}, r.conf.Eviction) {
		return
	}
	p.suspicion.evicting = true
	reason := fmt.Sprintf("failed on %d inputs within %s, the last time: %s: %s", len(p.suspicion.failures), r.conf.Eviction.Within, f.Call, f.Kind)
	digest := p.active.digest
	r.tasks.Go(func() { r.evict(r.life, f.Plugin, digest, reason) })
}

// evict goes back from a version to the newest before it that can be had and was not evicted itself. Where there is none the
// version stays: something that fails at times is better than nothing.
func (r *Registry) evict(ctx context.Context, name, digest, reason string) {
	p, err := r.find(ctx, name)
	if err != nil {
		return
	}
	defer p.give()
	defer func() {
		r.mu.Lock()
		p.suspicion = suspicion{}
		r.mu.Unlock()
	}()
	if err := r.read(ctx, p); err != nil {
		r.log.Error("version fails but is not evicted", "plugin", name, "digest", "sha256:"+digest, "because", reason, "error", err)
		return
	}
	if !r.serves(p, digest) {
		return
	}
	r.mu.Lock()
	past, newest := pastOf(p.rows), p.newest()
	r.mu.Unlock()
	for target := past.before(digest); target != ""; target = past.before(digest) {
		err := r.change(ctx, p, target, schema.ActionEvicted, newest, Order{Actor: "host", Reason: reason})
		if err == nil {
			r.log.Error("version evicted for the one before it", "plugin", name, "digest", "sha256:"+digest, "serves", "sha256:"+target, "because", reason)
			return
		}
		if errors.Is(err, capture.ErrSuperseded) || errors.Is(err, capture.ErrUnavailable) {
			r.log.Warn("version not evicted", "plugin", name, "digest", "sha256:"+digest, "because", reason, "error", err)
			return
		}
		r.log.Warn("a former version can't serve", "plugin", name, "digest", "sha256:"+target, "error", err)
		past.evicted[target] = true
	}
	r.log.Error("version fails, and stays: there is none before it that could serve", "plugin", name, "digest", "sha256:"+digest, "because", reason)
}
