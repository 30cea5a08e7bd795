package plugins

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// fails makes the plugin's active version trap for an agent on an input, as a call does.
func fails(t testing.TB, r *Registry, name, agent, input string) {
	t.Helper()
	m, release := slotOf(r, name).Acquire()
	defer release()
	_, _, err := m.Decide(context.Background(), []byte("panic"))
	var f *wasm.Fault
	if !errors.As(err, &f) {
		t.Fatalf("the guest was told to panic and returned %v", err)
	}
	r.Fault(f, agent, input)
}

// A poisoned is one failure: an agent's, on an input, some minutes after the one before.
type poisoned struct {
	agent, input string
	after        time.Duration
}

func TestEvictionRules(t *testing.T) {
	a := func(agent, input string) poisoned { return poisoned{agent: agent, input: input} }
	for _, c := range []struct {
		name     string
		failures []poisoned
		evicted  bool
	}{
		{"three inputs of two agents", []poisoned{a("x", "1"), a("x", "2"), a("y", "3")}, true},
		{"two inputs of two agents", []poisoned{a("x", "1"), a("y", "2"), a("x", "1"), a("y", "2")}, false},
		{"one agent with many inputs", []poisoned{a("x", "1"), a("x", "2"), a("x", "3"), a("x", "4"), a("x", "5"), a("x", "6")}, false},
		{"one prompt sent by everybody", []poisoned{a("u", "1"), a("v", "1"), a("w", "1"), a("x", "1"), a("y", "1"), a("z", "1")}, false},
		{"over too long a time", []poisoned{a("x", "1"), a("y", "2"), {"x", "3", 11 * time.Minute}}, false},
		{"within the time", []poisoned{a("x", "1"), {"y", "2", 4 * time.Minute}, {"x", "3", 4 * time.Minute}}, true},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			var now atomic.Int64
			clock := func() time.Time { return time.Unix(0, now.Load()) }
			r := opened(t, sqliteBooks(t), Config{Now: clock}, Signing{}, policy("p", numbered(t, seer, 1)))
			good := serving(t, r, "p")
			bad := activate(t, r, "p", numbered(t, seer, 2))
			for _, f := range c.failures {
				now.Add(int64(f.after))
				fails(t, r, "p", f.agent, f.input)
			}
			r.tasks.Wait()
			want := bad
			if c.evicted {
				want = good
			}
			if got := serving(t, r, "p"); got != want {
				t.Errorf("got %.8s, want %.8s", got, want)
			}
			d, err := r.Inspect(context.Background(), "p")
			if err != nil {
				t.Fatal(err)
			}
			if was := d.History[0].Action == schema.ActionEvicted; was != c.evicted {
				t.Errorf("the newest row says %q", d.History[0].Action)
			}
			if c.evicted && (d.History[0].Actor != "host" || !strings.Contains(d.History[0].Reason, "3 inputs") || !strings.Contains(d.History[0].Reason, "trap")) {
				t.Errorf("the row of the eviction: %+v", d.History[0])
			}
		})
	}
}

// evictable brings a version to its end.
func evictable(t *testing.T, r *Registry) {
	t.Helper()
	for i := range 3 {
		fails(t, r, "p", fmt.Sprint("agent", i), fmt.Sprint("input", i))
	}
	r.tasks.Wait()
}

// The last version that works stays, and an evicted one is not gone back to.
func TestEvictionsEndWithTheLastVersion(t *testing.T) {
	ctx := context.Background()
	store := sqliteBooks(t)
	r := opened(t, store, Config{}, Signing{}, policy("p", numbered(t, seer, 1)))
	d1 := serving(t, r, "p")
	d2 := activate(t, r, "p", numbered(t, seer, 2))
	d3 := activate(t, r, "p", numbered(t, seer, 3))
	evictable(t, r) // 3 goes, 2 serves
	if got := serving(t, r, "p"); got != d2 {
		t.Fatalf("got %.8s, want %.8s", got, d2)
	}
	// The evicted one again, on an operator's word; going back from it must not skip what is good.
	if err := r.Activate(ctx, "p", d3, Order{Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	evictable(t, r)
	if got := serving(t, r, "p"); got != d2 {
		t.Fatalf("evicted again: got %.8s, want %.8s", got, d2)
	}
	evictable(t, r) // 2 goes, 1 serves
	if got := serving(t, r, "p"); got != d1 {
		t.Fatalf("got %.8s, want %.8s", got, d1)
	}
	evictable(t, r)
	if got := serving(t, r, "p"); got != d1 {
		t.Errorf("the last one: got %.8s, want still %.8s", got, d1)
	}
	if err := r.Rollback(ctx, "p", Order{Actor: "ann"}); !errors.Is(err, ErrNothingBefore) {
		t.Errorf("rolled back to what was evicted: got %v, want ErrNothingBefore", err)
	}
	events, err := store.Events(ctx, schema.OperatorChain, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	back := 0
	for _, e := range events {
		if e.EventType == "policy.rolled_back" && strings.Contains(string(e.Payload), `"action":"evicted"`) {
			back++
		}
	}
	if back != 3 {
		t.Errorf("evictions on the operators' chain: got %d, want 3", back)
	}
}

// A former version that can't be had any more is passed over.
func TestEvictionPassesOverWhatCanNotServe(t *testing.T) {
	spec := policy("p", numbered(t, seer, 1))
	refused := ""
	spec.Check = func(wasm.Manifest) error { return nil }
	store := &forgetful{Store: sqliteBooks(t), lost: &refused}
	r := opened(t, store, Config{}, Signing{}, spec)
	d1 := serving(t, r, "p")
	refused = activate(t, r, "p", numbered(t, seer, 2)) // from now on the store has lost it
	activate(t, r, "p", numbered(t, seer, 3))
	evictable(t, r)
	if got := serving(t, r, "p"); got != d1 {
		t.Errorf("got %.8s, want %.8s, past the one that the store lost", got, d1)
	}
}

// A forgetful store has lost one module.
type forgetful struct {
	Store
	lost *string
}

func (s *forgetful) Module(ctx context.Context, digest string) (schema.Module, []byte, error) {
	if digest == *s.lost {
		return schema.Module{}, nil, errors.New("a page of the disk is gone")
	}
	return s.Store.Module(ctx, digest)
}

// Another stream's fault, a fault of a version that is gone and of a plugin that is none count for nobody.
func TestFaultsOfOthers(t *testing.T) {
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("p", numbered(t, seer, 1)))
	gone := serving(t, r, "p")
	active := activate(t, r, "p", numbered(t, seer, 2))
	for i := range 10 {
		agent, input := fmt.Sprint("agent", i), fmt.Sprint("input", i)
		r.Fault(&wasm.Fault{Plugin: "p", Digest: "sha256:" + active, Kind: wasm.FaultLost}, agent, input)
		r.Fault(&wasm.Fault{Plugin: "p", Digest: "sha256:" + gone, Kind: wasm.FaultTrap}, agent, input)
		r.Fault(&wasm.Fault{Plugin: "q", Digest: "sha256:" + active, Kind: wasm.FaultTrap}, agent, input)
	}
	r.tasks.Wait()
	if got := serving(t, r, "p"); got != active {
		t.Errorf("got %.8s, want still %.8s", got, active)
	}
}
