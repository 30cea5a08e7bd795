package capture

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/schema"
)

// A body is there until its time is over, is gone within the hour after, and takes nothing of the accounts with it.
func TestBodiesAreKeptForTheirTime(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		var passed atomic.Int64
		config.Now = func() time.Time { return began.Add(time.Duration(passed.Load())) }
		config.KeepBodies, config.BodiesFor = true, 48*time.Hour
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		keep := func() string {
			n := routed(a, 100)
			n.RequestBody = []byte("the request")
			c := mustBegin(t, b, n)
			end := ended(schema.StatusSucceeded, 5)
			end.ResponseBody = []byte("the response")
			mustComplete(t, c, end)
			return c.ID()
		}
		sweepAt := func(at time.Duration, left int64) {
			t.Helper()
			passed.Store(int64(at))
			if err := b.renewLease(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := b.sweepBodies(ctx); err != nil {
				t.Fatal(err)
			}
			if n, err := b.db.NewSelect().Model((*schema.Body)(nil)).Count(ctx); err != nil || n != left {
				t.Errorf("after %v: got %d bodies, %v, want %d", at, n, err, left)
			}
		}
		var first []string
		for range 120 { // more than one statement deletes
			first = append(first, keep())
		}
		passed.Store(int64(time.Hour))
		second := keep()
		sweepAt(48*time.Hour-time.Second, 121)
		sweepAt(48*time.Hour, 121) // an hour has not passed since
		sweepAt(49*time.Hour-time.Second, 1)
		for _, id := range first {
			if _, _, err := b.Bodies(ctx, id); !errors.Is(err, ErrNotFound) {
				t.Fatalf("%s: got %v, want %v", id, err, ErrNotFound)
			}
		}
		if request, response, err := b.Bodies(ctx, second); err != nil || string(request) != "the request" || string(response) != "the response" {
			t.Errorf("got %q, %q, %v of the call whose time is not over", request, response, err)
		}
		sweepAt(50*time.Hour, 0)
		if r := checkBooks(t, b); r.Inferences != 121 || r.Receipts != 121 {
			t.Errorf("got %d inferences and %d receipts, want 121", r.Inferences, r.Receipts)
		}
	})
}

func TestBodiesWithoutATimeStay(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	b := openBooks(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db", KeepBodies: true, Now: func() time.Time { return now }})
	n := routed(mustAgent(t, b, NewAgent{Name: "a"}), 100)
	n.RequestBody = []byte("x")
	c := mustBegin(t, b, n)
	mustComplete(t, c, ended(schema.StatusSucceeded, 5))
	now = now.AddDate(10, 0, 0)
	if n, err := b.sweepBodies(ctx); err != nil || n != 0 {
		t.Errorf("got %d bodies deleted, %v, want none", n, err)
	}
	if _, _, err := b.Bodies(ctx, c.ID()); err != nil {
		t.Error(err)
	}
}

// Of several hosts one sweeps, and another when that one is gone.
func TestOneHostSweeps(t *testing.T) {
	ctx := context.Background()
	dsn := pgtest.DSN(t)
	eldest := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	other := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	leads := func(b *Books) bool {
		t.Helper()
		leads, err := b.leads(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return leads
	}
	if !leads(eldest) || leads(other) {
		t.Errorf("the eldest leads: %v, the other: %v", leads(eldest), leads(other))
	}
	crash(t, eldest)
	if !leads(other) {
		t.Error("nobody leads when the eldest is gone")
	}
}
