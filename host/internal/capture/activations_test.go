package capture

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

func activation(place, digest, action string) schema.Activation {
	return schema.Activation{Kind: "policy", Place: place, Digest: digest, Version: "1.0.0", Previous: "p", Base: "b",
		Action: action, Actor: "operator", Reason: "a test"}
}

func activate(t *testing.T, b *Books, a schema.Activation, before int64) (schema.Activation, error) {
	t.Helper()
	rows, err := b.Activate(context.Background(), Activating{a, before})
	return rows[0], err
}

func TestActivations(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		var seqs []int64
		for _, step := range []struct{ place, digest, action, event string }{
			{"floor", "d1", schema.ActionConfigured, "policy.activated"}, {"other", "d2", schema.ActionActivated, "policy.activated"},
			{"floor", "d3", schema.ActionActivated, "policy.activated"}, {"floor", "d1", schema.ActionRolledBack, "policy.rolled_back"},
			{"floor", "d4", schema.ActionEvicted, "policy.rolled_back"},
		} {
			a, err := activate(t, b, activation(step.place, step.digest, step.action), AnyBefore)
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, a.Seq)
			events, err := b.Events(ctx, schema.OperatorChain, a.Seq-1, 1)
			if err != nil || len(events) != 1 || events[0].EventType != step.event {
				t.Errorf("event of %+v: got %+v, %v, want %s", step, events, err, step.event)
			}
		}
		rows, err := b.Activations(ctx, "floor", 2)
		if err != nil || len(rows) != 2 || rows[0].Digest != "d4" || rows[0].Seq != seqs[4] || rows[1].Digest != "d1" {
			t.Errorf("newest two of floor: got %+v, %v", rows, err)
		}
		all, err := b.Events(ctx, schema.OperatorChain, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if r := proof.VerifyChain(all); !r.Valid {
			t.Errorf("operators' chain: %+v", r)
		}
		checkBooks(t, b)
	})
}

func TestActivateAfterAnother(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		first, err := activate(t, b, activation("floor", "d1", schema.ActionConfigured), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := activate(t, b, activation("floor", "d2", schema.ActionConfigured), 0); !errors.Is(err, ErrSuperseded) {
			t.Errorf("with none expected: got %v, want ErrSuperseded", err)
		}
		if _, err := activate(t, b, activation("other", "d2", schema.ActionConfigured), 0); err != nil {
			t.Errorf("of another place: %v", err)
		}
		if _, err := b.Activate(ctx, Activating{activation("third", "d1", schema.ActionActivated), 0},
			Activating{activation("floor", "d9", schema.ActionActivated), 0}); !errors.Is(err, ErrSuperseded) {
			t.Errorf("of two, the second too late: got %v, want ErrSuperseded", err)
		}
		if rows, err := b.Activations(ctx, "third", 10); err != nil || len(rows) != 0 {
			t.Errorf("the first of the two: got %+v, %v, want none", rows, err)
		}
		rows, err := b.Activate(ctx, Activating{activation("third", "d1", schema.ActionActivated), 0},
			Activating{activation("fourth", "d1", schema.ActionActivated), 0})
		if err != nil || rows[0].Seq+1 != rows[1].Seq {
			t.Errorf("two together: got %+v, %v", rows, err)
		}
		if _, err := activate(t, b, activation("floor", "d2", schema.ActionEvicted), first.Seq); err != nil {
			t.Errorf("after the newest: %v", err)
		}
		rows, err = b.Activations(ctx, "floor", 10)
		if err != nil || len(rows) != 2 {
			t.Errorf("rows: got %+v, %v, want 2", rows, err)
		}
	})
}

// Whoever follows sees every activation once and in order, those from before it began too.
func TestFollowActivations(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx, cancel := context.WithCancel(context.Background())
		b := openBooks(t, config)
		if _, err := activate(t, b, activation("floor", "before", schema.ActionConfigured), AnyBefore); err != nil {
			t.Fatal(err)
		}
		seen := make(chan schema.Activation, 100)
		var following sync.WaitGroup
		following.Go(func() {
			b.FollowActivations(ctx, 0, 20*time.Millisecond, func(a schema.Activation) { seen <- a })
		})
		const writers, each = 4, 5
		var writing sync.WaitGroup
		for range writers {
			writing.Go(func() {
				for range each {
					if _, err := activate(t, b, activation("floor", "d", schema.ActionActivated), AnyBefore); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for want := int64(1); want <= 1+writers*each; want++ {
			select {
			case a := <-seen:
				if a.Seq != want {
					t.Fatalf("seq: got %d, want %d", a.Seq, want)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("activation %d was not seen", want)
			}
		}
		writing.Wait()
		cancel()
		following.Wait()
	})
}

// On PostgreSQL another host's activation is heard of, however seldom this one looks.
func TestActivationsAreHeard(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		if _, ok := sqlitePath(config.DSN); ok {
			t.Skip("one file has one host, and a command's activation is polled for")
		}
		ctx, cancel := context.WithCancel(context.Background())
		there, here := openBooks(t, config), openBooks(t, Config{DSN: config.DSN, Dir: t.TempDir()})
		seen := make(chan string, 10)
		var following sync.WaitGroup
		following.Go(func() {
			here.FollowActivations(ctx, 0, time.Hour, func(a schema.Activation) { seen <- a.Digest })
		})
		for _, digest := range []string{"d1", "d2"} {
			if _, err := activate(t, there, activation("floor", digest, schema.ActionActivated), AnyBefore); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-seen:
				if got != digest {
					t.Errorf("got %s, want %s", got, digest)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s was not heard of", digest)
			}
		}
		cancel()
		following.Wait()
	})
}

func TestSignatures(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		for range 2 { // the second time is nothing new
			if err := b.PutSignature(ctx, "d1", "k1", "c2ln"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Signatures(ctx, "d1")
		if err != nil || len(got) != 1 || got[0].KeyID != "k1" || got[0].Signature != "c2ln" {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := b.Signatures(ctx, "d2"); err != nil || len(got) != 0 {
			t.Errorf("of a module without: got %+v, %v", got, err)
		}
	})
}
