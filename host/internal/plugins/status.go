package plugins

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// A Status is what is known of a plugin, as operators are shown it.
type Status struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Source string `json:"source"`        // of the configuration's own module
	Base   string `json:"base"`          // its digest
	Pin    string `json:"pin,omitempty"` // the only digest that the configuration lets serve
	// Active is the version that serves.
	Active Version `json:"active"`
	// Staged versions passed every check and wait; Draining ones serve nobody new. Oldest first.
	Staged   []Version `json:"staged"`
	Draining []Version `json:"draining"`
	// LiveVersions is how many may be loaded for calls.
	LiveVersions int `json:"live_versions"`
	// Waiting says what an activation waits for, and Astray why this host does not run what the store says. Empty else.
	Waiting string `json:"waiting,omitempty"`
	Astray  string `json:"astray,omitempty"`
	// Before is the digest that a rollback goes to; empty where there is none.
	Before string `json:"before,omitempty"`
}

// A Version is one module of a plugin and what it did here since it was loaded.
type Version struct {
	Digest  string    `json:"digest"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	KeyID   string    `json:"key_id,omitempty"` // of the signature that was accepted
	Cases   int       `json:"cases"`            // of its own that it passed
	Bytes   int       `json:"bytes"`
	Since   time.Time `json:"since"` // activated; staged, while it is
	LoadMS  int64     `json:"load_ms"`

	InFlight    int64            `json:"in_flight"` // calls and streams that hold it
	Instances   int64            `json:"instances"`
	MemoryBytes int64            `json:"memory_bytes"`
	Calls       int64            `json:"calls"`
	Fuel        int64            `json:"fuel"`
	Faults      map[string]int64 `json:"faults,omitempty"`
}

// A Detail is a Status with what served before, newest first, and what the active module says about itself.
type Detail struct {
	Status
	Manifest wasm.Manifest `json:"manifest"`
	History  []Activation  `json:"history"`
}

// An Activation is one row of the history.
type Activation struct {
	At       time.Time `json:"at"`
	Action   string    `json:"action"`
	Digest   string    `json:"digest"`
	Version  string    `json:"version"`
	Previous string    `json:"previous,omitempty"`
	Actor    string    `json:"actor"`
	Reason   string    `json:"reason,omitempty"`
	KeyID    string    `json:"key_id,omitempty"`
	HostID   string    `json:"host_id"`
}

// List is every plugin, by name.
func (r *Registry) List() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Status, 0, len(r.plugins))
	for _, name := range slices.Sorted(maps.Keys(r.plugins)) {
		list = append(list, r.plugins[name].status())
	}
	return list
}

// Inspect is one plugin, its history read from the store.
func (r *Registry) Inspect(ctx context.Context, name string) (Detail, error) {
	for before := ""; ; {
		rows, err := r.history(ctx, name)
		if err != nil {
			return Detail{}, err
		}
		d, err := r.detail(name, rows)
		if err != nil || d.Active.Digest == before {
			return d, err
		}
		before = d.Active.Digest // the rows may be from before it served: they are read once more
	}
}

func (r *Registry) detail(name string, rows []schema.Activation) (Detail, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.plugins[name]
	if p == nil {
		return Detail{}, fmt.Errorf("plugin %q: %w", name, ErrUnknown)
	}
	d := Detail{Status: p.status(), Manifest: p.active.m.Manifest(), History: make([]Activation, 0, len(rows))}
	for i := len(rows) - 1; i >= 0; i-- {
		d.History = append(d.History, shown(&rows[i]))
	}
	return d, nil
}

func shown(a *schema.Activation) Activation {
	return Activation{At: a.CreatedAt, Action: a.Action, Digest: long(a.Digest), Version: a.Version, Previous: long(a.Previous), Actor: a.Actor,
		Reason: a.Reason, KeyID: a.KeyID, HostID: a.HostID}
}

// long is a digest as operators write it.
func long(digest string) string {
	if digest == "" {
		return ""
	}
	return "sha256:" + digest
}

// status is called with the registry's mu held.
func (p *plugin) status() Status {
	p.live()
	past := pastOf(p.rows)
	return Status{Name: p.name, Kind: string(p.active.m.Kind()), Source: p.spec.Source, Base: long(p.base), Pin: p.spec.Pin,
		Active: p.active.shown(), Staged: shownAll(p.staged), Draining: shownAll(p.draining), LiveVersions: p.spec.LiveVersions,
		Waiting: p.waiting, Astray: p.astray, Before: long(past.before(p.active.digest))}
}

func shownAll(list []*version) []Version {
	out := make([]Version, 0, len(list))
	for _, v := range list {
		out = append(out, v.shown())
	}
	return out
}

func (v *version) shown() Version {
	s, manifest := v.m.Stats(), v.m.Manifest()
	out := Version{Digest: long(v.digest), Name: manifest.Name, Version: manifest.Version, KeyID: v.keyID, Cases: v.cases, Bytes: v.size,
		Since: v.since, LoadMS: s.Load.Milliseconds(), InFlight: s.Holders, Instances: s.Instances, MemoryBytes: s.MemoryBytes,
		Calls: s.Calls, Fuel: s.Fuel}
	for kind, n := range s.Faults {
		if out.Faults == nil {
			out.Faults = map[string]int64{}
		}
		out.Faults[string(kind)] = n
	}
	return out
}
