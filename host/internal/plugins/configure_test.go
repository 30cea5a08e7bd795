package plugins

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A configuration that is refused changes nothing, whatever of it had been loaded by then.
func TestConfigurationsAreTakenWhole(t *testing.T) {
	ctx := context.Background()
	v1, v2 := numbered(t, seer, 1), numbered(t, seer, 2)
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("p", v1), policy("q", v1))
	d2 := stage(t, r, "q", v2)
	unsettled := policy("q", v1)
	unsettled.Check = func(wasm.Manifest) error { return errors.New("c.hcl:3:1: no such setting") }
	pinned := policy("p", v2)
	pinned.Pin = "sha256:" + digestOf(v1)
	for _, c := range []struct {
		name  string
		specs []Spec
		step  string
	}{
		{"one good and one that is no module", []Spec{policy("p", v2), policy("q", []byte("text"))}, "meter"},
		{"one good and one pinned to another", []Spec{pinned, policy("q", v2)}, "digest"},
		{"settings that what serves does not take", []Spec{policy("p", v2), unsettled}, "settings"},
		{"another kind", []Spec{policy("p", v2), {Name: "q", Kind: wasm.KindAdapter, Bytes: v2}}, "exports"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Prepare(ctx, c.specs, Signing{}, quiet)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Step != c.step {
				t.Fatalf("got %v, want a refusal at %s", err, c.step)
			}
			for _, name := range []string{"p", "q"} {
				if got := serving(t, r, name); got != digestOf(v1) {
					t.Errorf("%s serves %.8s, want still %.8s", name, got, digestOf(v1))
				}
				if n := len(history(t, r, name)); n != 1 {
					t.Errorf("%s: got %d rows, want the first alone", name, n)
				}
			}
		})
	}
	// What was staged is there still, and the plugins' turns were given back.
	if err := r.Activate(ctx, "q", d2, Order{Actor: "ann"}); err != nil {
		t.Errorf("activate afterwards: %v", err)
	}
}

// What a reload replaces or takes away serves those who have it until it is retired.
func TestReloadsDrain(t *testing.T) {
	ctx := context.Background()
	v1, v2 := numbered(t, rogue, 1), numbered(t, rogue, 2)
	adapter := func(name string, module []byte) Spec {
		return Spec{Name: name, Kind: wasm.KindAdapter, Bytes: module, Source: name}
	}
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, adapter("kept", v1), adapter("changed", v1), adapter("gone", v1))
	kept, changed, gone := slotOf(r, "kept"), slotOf(r, "changed"), slotOf(r, "gone")
	retire := reconfigure(t, r, Signing{}, adapter("kept", v1), adapter("changed", v2), adapter("new", v2))
	if slotOf(r, "kept") != kept {
		t.Error("a plugin that did not change has another slot")
	}
	if got := serving(t, r, "changed"); got != digestOf(v2) {
		t.Errorf("changed: got %.8s, want %.8s", got, digestOf(v2))
	}
	if slotOf(r, "gone") != nil || slotOf(r, "new") == nil {
		t.Error("the registry has not the configuration's plugins")
	}
	for name, slot := range map[string]*wasm.Slot{"changed": changed, "gone": gone} {
		m, release := slot.Acquire() // as a call of the former world does
		if m == nil || bare(m.Digest()) != digestOf(v1) {
			t.Fatalf("%s: the former world lost its module before it was retired", name)
		}
		stream, err := m.NewStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		release()
		defer stream.Close()
	}
	if s := r.List(); len(s) != 3 || len(s[0].Draining) != 1 || s[0].Name != "changed" || s[0].Draining[0].InFlight != 1 {
		t.Errorf("list: got %+v, want the former version of changed draining with a stream", s)
	}
	retire()
	if m, release := gone.Acquire(); m != nil {
		release()
		t.Error("what was retired still serves")
	}
}

// A change of limits loads the version that serves anew, without a row: the fleet has nothing to follow.
func TestLimitsChange(t *testing.T) {
	v1 := numbered(t, seer, 1)
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("p", v1))
	d2 := activate(t, r, "p", numbered(t, seer, 2))
	tight := policy("p", v1)
	tight.Fuel = 1_000_000
	reconfigure(t, r, Signing{}, tight)()
	if got := serving(t, r, "p"); got != d2 {
		t.Errorf("got %.8s, want what the operator activated, %.8s", got, d2)
	}
	m, release := slotOf(r, "p").Acquire()
	defer release()
	_, _, err := m.Decide(context.Background(), []byte("spin"))
	if err == nil || !strings.Contains(err.Error(), "fuel of 1001000 ") {
		t.Errorf("got %v, want the new limit", err)
	}
	if n := len(history(t, r, "p")); n != 2 {
		t.Errorf("got %d rows, want 2", n)
	}
}

// The series of a version end with it, so that a thousand swaps leave as many series as one.
func TestSeriesAreBounded(t *testing.T) {
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("p", numbered(t, seer, 1)))
	registry := prometheus.NewRegistry()
	registry.MustRegister(r)
	count := func() int {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range families {
			if f.GetName() != "ainfera_plugin_changes_total" {
				n += len(f.GetMetric())
			}
		}
		return n
	}
	before := count()
	for i := range 5 {
		activate(t, r, "p", numbered(t, seer, i+2))
	}
	if after := count(); after != before {
		t.Errorf("after 5 swaps: %d series, before: %d", after, before)
	}
	fails(t, r, "p", "x", "1")
	if after := count(); after != before+1 {
		t.Errorf("after a fault: %d series, want one more than %d", after, before)
	}
}
