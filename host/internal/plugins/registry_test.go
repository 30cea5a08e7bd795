package plugins

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// scratch holds the cache of compiled modules that all tests share.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ainfera-plugins-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	status := m.Run()
	os.RemoveAll(dir)
	pgtest.Stop()
	os.Exit(status)
}

func sqliteBooks(t testing.TB) *capture.Books {
	t.Helper()
	return books(t, capture.Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
}

func books(t testing.TB, c capture.Config) *capture.Books {
	t.Helper()
	b, err := capture.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Errorf("close the books: %v", err)
		}
	})
	return b
}

// opened is a registry on a store, with the plugins of these specs.
func opened(t testing.TB, store Store, conf Config, signing Signing, specs ...Spec) *Registry {
	t.Helper()
	sandbox, err := wasm.Open(context.Background(), wasm.Config{CacheDir: filepath.Join(scratch, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	conf.Sandbox, conf.Store = sandbox, store
	if conf.Poll == 0 {
		conf.Poll = 20 * time.Millisecond
	}
	r := New(conf)
	t.Cleanup(func() {
		r.Close()
		if err := sandbox.Close(context.Background()); err != nil {
			t.Errorf("close the sandbox: %v", err)
		}
	})
	reconfigure(t, r, signing, specs...)
	return r
}

func reconfigure(t testing.TB, r *Registry, signing Signing, specs ...Spec) (retire func()) {
	t.Helper()
	c, err := r.Prepare(context.Background(), specs, signing, quiet)
	if err != nil {
		t.Fatal(err)
	}
	retire, err = c.Commit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return retire
}

func quiet(string, *wasm.Module, time.Duration) {}

// following lets the registry follow its store until the test ends.
func following(t testing.TB, r *Registry) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var follow sync.WaitGroup
	follow.Go(func() { r.Follow(ctx) })
	t.Cleanup(func() { cancel(); follow.Wait() })
}

func policy(name string, module []byte) Spec {
	return Spec{Name: name, Kind: wasm.KindPolicy, Bytes: module, Source: name + ".wasm"}
}

func stage(t testing.TB, r *Registry, name string, module []byte) string {
	t.Helper()
	digest, err := r.Stage(context.Background(), name, Staging{Bytes: module})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func activate(t testing.TB, r *Registry, name string, module []byte) string {
	t.Helper()
	digest := stage(t, r, name, module)
	if err := r.Activate(context.Background(), name, digest, Order{Actor: "tester", Reason: "a test"}); err != nil {
		t.Fatal(err)
	}
	return digest
}

// slotOf is a plugin's slot, nil where there is no such plugin.
func slotOf(r *Registry, name string) *wasm.Slot {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.plugins[name]; p != nil {
		return p.slot
	}
	return nil
}

// serving is the digest of what a slot gives its callers.
func serving(t testing.TB, r *Registry, name string) string {
	t.Helper()
	m, release := slotOf(r, name).Acquire()
	defer release()
	if m == nil {
		t.Fatalf("plugin %s serves nothing", name)
	}
	return bare(m.Digest())
}

// eventually waits for something that another goroutine brings about, and fails when it doesn't.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func history(t testing.TB, r *Registry, name string) []string {
	t.Helper()
	d, err := r.Inspect(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range d.History {
		out = append(out, fmt.Sprintf("%s %.8s by %s", a.Action, bare(a.Digest), a.Actor))
	}
	return out
}

func TestStageActivateRollback(t *testing.T) {
	ctx := context.Background()
	store := sqliteBooks(t)
	v1, v2, v3 := numbered(t, seer, 1), numbered(t, seer, 2), numbered(t, seer, 3)
	r := opened(t, store, Config{}, Signing{}, policy("p", v1))
	d1 := digestOf(v1)
	if got := serving(t, r, "p"); got != d1 {
		t.Fatalf("at first: got %.8s, want the configuration's %.8s", got, d1)
	}
	d2 := stage(t, r, "p", v2)
	if got := serving(t, r, "p"); got != d1 {
		t.Errorf("staged: %.8s serves, want still %.8s", got, d1)
	}
	if list := r.List(); len(list) != 1 || len(list[0].Staged) != 1 || list[0].Staged[0].Digest != "sha256:"+d2 {
		t.Errorf("list: got %+v, want %.8s staged", list, d2)
	}
	if err := r.Activate(ctx, "p", "sha256:"+d2[:10], Order{Actor: "ann", Reason: "better"}); err != nil {
		t.Fatal(err)
	}
	d3 := activate(t, r, "p", v3)
	for _, want := range []string{d2, d1} {
		if err := r.Rollback(ctx, "p", Order{Actor: "bob"}); err != nil {
			t.Fatal(err)
		}
		if got := serving(t, r, "p"); got != want {
			t.Errorf("rolled back: got %.8s, want %.8s", got, want)
		}
	}
	if err := r.Rollback(ctx, "p", Order{Actor: "bob"}); !errors.Is(err, ErrNothingBefore) {
		t.Errorf("rolled back beyond the first: got %v, want ErrNothingBefore", err)
	}
	// What served once can be had again from the store.
	if err := r.Activate(ctx, "p", d3, Order{Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	want := []string{"activated " + d3[:8] + " by ann", "rolled_back " + d1[:8] + " by bob", "rolled_back " + d2[:8] + " by bob",
		"activated " + d3[:8] + " by tester", "activated " + d2[:8] + " by ann", "configured " + d1[:8] + " by configuration"}
	if got := history(t, r, "p"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("history: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	rep, err := store.Check(ctx)
	if err != nil || len(rep.Violations) > 0 {
		t.Errorf("books: %+v, %v", rep.Violations, err)
	}
}

func TestActivateWhatIsNotThere(t *testing.T) {
	ctx := context.Background()
	v1 := numbered(t, seer, 1)
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("p", v1))
	for _, c := range []struct {
		name, plugin, digest string
		want                 error
	}{
		{"unknown plugin", "q", digestOf(v1), ErrUnknown},
		{"unknown digest", "p", strings.Repeat("0", 64), ErrNoVersion},
		{"unknown beginning", "p", "sha256:zz", ErrNoVersion},
		{"no digest", "p", "", ErrNoVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := r.Activate(ctx, c.plugin, c.digest, Order{}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("serves already", func(t *testing.T) {
		if err := r.Activate(ctx, "p", digestOf(v1), Order{}); err != nil {
			t.Errorf("got %v, want nothing to do", err)
		}
		if got := history(t, r, "p"); len(got) != 1 {
			t.Errorf("history: got %q, want the configuration's row alone", got)
		}
	})
}

// A call in flight ends on the version it began with, and past the cap an activation waits for the oldest.
func TestActivationsWaitForTheOldestToDrain(t *testing.T) {
	ctx := context.Background()
	spec := Spec{Name: "a", Kind: wasm.KindAdapter, Bytes: numbered(t, rogue, 1), LiveVersions: 2}
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, spec)
	m, release := slotOf(r, "a").Acquire()
	stream, err := m.NewStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	release()
	d2 := activate(t, r, "a", numbered(t, rogue, 2)) // two are live now
	d3 := stage(t, r, "a", numbered(t, rogue, 3))
	var full *DrainError
	if err := r.Activate(ctx, "a", d3, Order{Actor: "ann"}); !errors.As(err, &full) || full.Live != 2 || full.Holders != 1 || full.Oldest != digestOf(spec.Bytes) {
		t.Fatalf("beyond the cap: got %v, want a DrainError that names the first version and its stream", err)
	}
	if got := serving(t, r, "a"); got != d2 {
		t.Errorf("refused: %.8s serves, want still %.8s", got, d2)
	}
	done := make(chan error, 1)
	go func() { done <- r.Activate(ctx, "a", d3, Order{Actor: "ann", Wait: time.Minute}) }()
	eventually(t, "the word that an activation waits", func() bool { return strings.Contains(r.List()[0].Waiting, "drains with 1") })
	// Whoever goes back is in a hurry, and does not wait behind it.
	if err := r.Rollback(ctx, "a", Order{Actor: "bob"}); err != nil {
		t.Errorf("rollback meanwhile: %v", err)
	}
	stream.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := serving(t, r, "a"); got != d3 {
		t.Errorf("got %.8s, want %.8s", got, d3)
	}
	if w := r.List()[0].Waiting; w != "" {
		t.Errorf("still says %q", w)
	}
}

// What an operator activated outlives a restart, until the configuration itself has another module.
func TestRestarts(t *testing.T) {
	ctx := context.Background()
	store := sqliteBooks(t)
	v1, v2, v3 := numbered(t, seer, 1), numbered(t, seer, 2), numbered(t, seer, 3)
	d2 := activate(t, opened(t, store, Config{}, Signing{}, policy("p", v1)), "p", v2)
	again := opened(t, store, Config{}, Signing{}, policy("p", v1))
	if got := serving(t, again, "p"); got != d2 {
		t.Errorf("the same configuration: got %.8s, want the activated %.8s", got, d2)
	}
	if n := len(history(t, again, "p")); n != 2 {
		t.Errorf("a restart left %d rows, want the 2 from before", n)
	}
	changed := opened(t, store, Config{}, Signing{}, policy("p", v3))
	if got := serving(t, changed, "p"); got != digestOf(v3) {
		t.Errorf("another module: got %.8s, want the configuration's %.8s", got, digestOf(v3))
	}
	if err := changed.Rollback(ctx, "p", Order{Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	if got := serving(t, changed, "p"); got != d2 {
		t.Errorf("rolled back: got %.8s, want %.8s", got, d2)
	}
}

// Two hosts of one store run the same within moments; the one that was told and the one that was not.
func TestHostsFollowEachOther(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			here, there := sqliteBooks(t), (*capture.Books)(nil)
			conf := Config{}
			if kind == "postgres" {
				dsn := pgtest.DSN(t)
				here, there = books(t, capture.Config{DSN: dsn, Dir: t.TempDir()}), books(t, capture.Config{DSN: dsn, Dir: t.TempDir()})
				conf.Poll = time.Hour // so that only the notification can tell
			} else {
				there = here
			}
			v1 := numbered(t, seer, 1)
			a, b := opened(t, here, conf, Signing{}, policy("p", v1)), opened(t, there, conf, Signing{}, policy("p", v1))
			following(t, a)
			following(t, b)
			for i, told := range []*Registry{a, b, a} {
				digest := activate(t, told, "p", numbered(t, seer, i+2))
				for _, r := range []*Registry{a, b} {
					eventually(t, "the same version on both hosts", func() bool { return serving(t, r, "p") == digest })
				}
			}
			if err := b.Rollback(context.Background(), "p", Order{Actor: "ann"}); err != nil {
				t.Fatal(err)
			}
			want := digestOf(numbered(t, seer, 3))
			eventually(t, "the rollback on the other host", func() bool { return serving(t, a, "p") == want })
			if n := len(history(t, a, "p")); n != 5 {
				t.Errorf("history: got %d rows, want one a change: 5", n)
			}
		})
	}
}

// Hosts that start together on an empty store leave one row.
func TestHostsThatStartTogether(t *testing.T) {
	store := sqliteBooks(t)
	v1 := numbered(t, seer, 1)
	hosts := make([]*Registry, 4)
	var changes []*Change
	for i := range hosts {
		hosts[i] = opened(t, store, Config{}, Signing{})
		c, err := hosts[i].Prepare(context.Background(), []Spec{policy("p", v1)}, Signing{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c)
	}
	for _, c := range changes { // all have seen a store without rows
		if _, err := c.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := history(t, hosts[3], "p"); len(got) != 1 {
		t.Errorf("history: got %q, want one row", got)
	}
}
