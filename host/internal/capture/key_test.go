package capture

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/schema"
)

// answered is what the tests keep for a key.
var answered = &Answer{Status: 200, Header: map[string][]string{"Content-Type": {"text/event-stream"}, "X-Ainfera-Inference-Id": {"i"}},
	Body: []byte(strings.Repeat("data: {}\n\n", 1000)), InferenceID: "i"}

func keyUse(a *Agent, key string) *KeyUse {
	return &KeyUse{AgentID: a.ID, Endpoint: "/v1/messages", Key: key, Fingerprint: "f1"}
}

// mustClaim claims a key that is free.
func mustClaim(t *testing.T, b *Books, u *KeyUse) *Claim {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, kept, err := b.ClaimKey(ctx, u)
	if err != nil || c == nil {
		t.Fatalf("got claim %v, answer %v, %v, want a claim", c, told(kept), err)
	}
	return c
}

// mustRepeat asserts what a repeat of the call is told.
func mustRepeat(t *testing.T, b *Books, u *KeyUse, want *Answer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, got, err := b.ClaimKey(ctx, u)
	if c != nil || err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got claim %v, answer %v, %v, want %v", c, told(got), err, told(want))
	}
}

// told is an answer short enough to be printed.
func told(a *Answer) string {
	if a == nil {
		return "none"
	}
	return fmt.Sprintf("%d %v %d bytes %.20q, not kept %v, of %q", a.Status, a.Header, len(a.Body), a.Body, a.NotKept, a.InferenceID)
}

func mustAnswer(t *testing.T, c *Claim, a *Answer) *KeyEnd {
	t.Helper()
	e, err := c.Answer(a)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// held asserts that the key is held: a call that wants it waits, and ends when its caller leaves.
func held(t *testing.T, b *Books, u *KeyUse) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if c, got, err := b.ClaimKey(ctx, u); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got claim %v, answer %v, %v, want to wait until the caller leaves", c, told(got), err)
	}
}

// hosts opens two books on one PostgreSQL, and one on SQLite, which has only one host at a time.
func hosts(t *testing.T, config Config) []*Books {
	list := []*Books{openBooks(t, config)}
	if config.Dir != "" {
		config.Dir = t.TempDir()
		list = append(list, openBooks(t, config))
	}
	return list
}

// last is the host that looks at what the first did: another where there can be one.
func last(list []*Books) *Books { return list[len(list)-1] }

func TestKeyIsAnsweredWithItsCall(t *testing.T) {
	for _, how := range []string{"Completion", "Rejection", "EndKey"} {
		onEachStore(t, func(t *testing.T, config Config) {
			t.Run(how, func(t *testing.T) {
				ctx := context.Background()
				all := hosts(t, config)
				b := all[0]
				a := mustAgent(t, b, NewAgent{Name: "a"})
				u := keyUse(a, "k")
				claim := mustClaim(t, b, u)
				for _, other := range all {
					held(t, other, u)
				}
				conflict := *u
				conflict.Fingerprint = "f2"
				if _, _, err := last(all).ClaimKey(ctx, &conflict); !errors.Is(err, ErrKeyConflict) {
					t.Errorf("while held: got %v, want ErrKeyConflict", err)
				}
				var waiters sync.WaitGroup
				for _, other := range all {
					waiters.Go(func() { mustRepeat(t, other, u, answered) })
				}
				end := mustAnswer(t, claim, answered)
				var err error
				switch how {
				case "Completion":
					d := ended(schema.StatusSucceeded, 5)
					d.Key = end
					mustComplete(t, mustBegin(t, b, routed(a, 10)), d)
				case "Rejection":
					_, err = b.Reject(ctx, &Rejection{Agent: a, Status: schema.StatusRejectedFloor, Key: end})
				case "EndKey":
					err = b.EndKey(ctx, end)
				}
				if err != nil {
					t.Fatal(err)
				}
				waiters.Wait()
				if _, _, err := last(all).ClaimKey(ctx, &conflict); !errors.Is(err, ErrKeyConflict) {
					t.Errorf("once answered: got %v, want ErrKeyConflict", err)
				}
				for _, scope := range []KeyUse{{a.ID, "/v1/inference", "k", "f1"}, {NewID(), "/v1/messages", "k", "f1"}, {a.ID, "/v1/messages", "K", "f1"}} {
					mustClaim(t, last(all), &scope)
				}
				checkBooks(t, b)
			})
		})
	}
}

// A call that fails leaves the key to those who wait, of whom one becomes the first.
func TestKeyIsFreedToOne(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		const callers, failures = 24, 5
		all := hosts(t, config)
		a := mustAgent(t, all[0], NewAgent{Name: "a"})
		var group sync.WaitGroup
		var now, most, claims, repeats atomic.Int64
		for i := range callers {
			b := all[i%len(all)]
			group.Go(func() {
				claim, kept, err := b.ClaimKey(context.Background(), keyUse(a, "k"))
				switch {
				case err != nil:
					t.Error(err)
					return
				case kept != nil:
					repeats.Add(1)
					return
				}
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				call := mustBegin(t, b, pinned(a, 10))
				d := ended(schema.StatusFailedProviderError, 0)
				d.Key = claim.Free()
				if claims.Add(1) > failures {
					d = ended(schema.StatusSucceeded, 5)
					d.Key, err = claim.Answer(answered)
				}
				now.Add(-1)
				if err = errors.Join(err, call.Complete(context.Background(), d)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if most.Load() != 1 || claims.Load() != failures+1 || repeats.Load() != callers-failures-1 {
			t.Errorf("got %d at once, %d claims, %d repeats, want 1, %d, %d", most.Load(), claims.Load(), repeats.Load(), failures+1, callers-failures-1)
		}
		checkBooks(t, all[0])
	})
}

// The host that held the key crashed: the key is free once its lease is over, and what it still sends in changes nothing.
func TestKeyOfACrashedHost(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		dir := t.TempDir()
		first := config
		if config.Dir != "" {
			first.Dir = dir
		}
		b, store := openFlaky(t, first)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		claim, call := mustClaim(t, b, keyUse(a, "k")), mustBegin(t, b, pinned(a, 10))
		var other *Books
		if config.Dir != "" {
			other = openBooks(t, config)
			held(t, other, keyUse(a, "k"))
		}
		store.away.Store(true)
		d := ended(schema.StatusSucceeded, 5)
		d.Key = mustAnswer(t, claim, answered)
		if config.Dir != "" {
			mustComplete(t, call, d) // on the first host's disk, of which nobody else knows
		}
		crash(t, b)
		if other == nil {
			other = openBooks(t, config)
		}
		second := mustClaim(t, other, keyUse(a, "k"))
		if config.Dir != "" {
			openBooks(t, first) // the first host is back, and delivers what it had on its disk
			held(t, other, keyUse(a, "k"))
		}
		later := &Answer{Status: 422, Body: []byte("second"), Header: map[string][]string{}}
		if err := other.EndKey(context.Background(), mustAnswer(t, second, later)); err != nil {
			t.Fatal(err)
		}
		mustRepeat(t, other, keyUse(a, "k"), later)
		checkBooks(t, other)
	})
}

// An answer whose completion went to the journal is never forgotten: the key is held until the store has it, in this
// process or in the one that follows.
func TestKeyIsAnsweredFromTheJournal(t *testing.T) {
	for _, restart := range []bool{false, true} {
		onEachStore(t, func(t *testing.T, config Config) {
			t.Run(fmt.Sprint("restart=", restart), func(t *testing.T) {
				b, store := openFlaky(t, config)
				a := mustAgent(t, b, NewAgent{Name: "a"})
				claim, call := mustClaim(t, b, keyUse(a, "k")), mustBegin(t, b, routed(a, 10))
				store.away.Store(true)
				d := ended(schema.StatusSucceeded, 5)
				d.Key = mustAnswer(t, claim, answered)
				mustComplete(t, call, d)
				held(t, b, keyUse(a, "k"))
				if restart {
					crash(t, b)
					b = openBooks(t, config)
				} else {
					store.away.Store(false)
				}
				mustRepeat(t, b, keyUse(a, "k"), answered)
				checkBooks(t, b)
			})
		})
	}
}

// What could not be ended while the store was away, or may have been claimed in spite of an error, is free when it is back.
func TestKeyIsNotLeftBehind(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		store := &forgetfulStore{}
		config.wrap = func(e engine) engine {
			store.engine = e
			return store
		}
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		store.forgets.Store(true)
		if _, _, err := b.ClaimKey(ctx, keyUse(a, "doubt")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("claim: got %v, want ErrUnavailable", err)
		}
		store.forgets.Store(false)
		mustClaim(t, b, keyUse(a, "doubt")) // after the next delivery at the latest
	})
	onEachStore(t, func(t *testing.T, config Config) {
		b, store := openFlaky(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		claim := mustClaim(t, b, keyUse(a, "k"))
		store.away.Store(true)
		if err := b.EndKey(context.Background(), mustAnswer(t, claim, answered)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("end: got %v, want ErrUnavailable", err)
		}
		if _, _, err := b.ClaimKey(context.Background(), keyUse(a, "new")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("claim: got %v, want ErrUnavailable", err)
		}
		store.away.Store(false)
		mustClaim(t, b, keyUse(a, "k"))
	})
}

func TestKeyExpires(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		var passed atomic.Int64
		config.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		for name, holds := range map[string]time.Duration{"day": 0, "hour": time.Hour, "week": 7 * 24 * time.Hour} {
			kept := *answered
			kept.For = holds
			if err := b.EndKey(ctx, mustAnswer(t, mustClaim(t, b, keyUse(a, name)), &kept)); err != nil {
				t.Fatal(err)
			}
		}
		rows := func() int64 {
			t.Helper()
			if err := b.forgetKeys(ctx); err != nil {
				t.Fatal(err)
			}
			n, err := b.db.NewSelect().Model((*schema.IdempotencyKey)(nil)).Count(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		passed.Store(int64(time.Hour - time.Second))
		mustRepeat(t, b, keyUse(a, "hour"), answered)
		if n := rows(); n != 3 {
			t.Errorf("got %d keys, want 3", n)
		}
		passed.Store(int64(time.Hour))
		mustClaim(t, b, keyUse(a, "hour")) // its row is still there
		passed.Store(int64(24*time.Hour - time.Second))
		mustRepeat(t, b, keyUse(a, "day"), answered)
		mustRepeat(t, b, keyUse(a, "week"), answered)
		passed.Store(int64(24 * time.Hour))
		if n := rows(); n != 1 { // what was claimed an hour in
			t.Errorf("got %d keys after a day, want 1", n)
		}
		mustClaim(t, b, keyUse(a, "day"))
		mustClaim(t, b, keyUse(a, "week"))
	})
}

func TestKeyWithoutItsAnswer(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		for name, want := range map[string]*Answer{
			"TooLarge": {Status: 200, Header: map[string][]string{}, NotKept: true, InferenceID: "i"},
			"Empty":    {Status: 400, Header: map[string][]string{}, Body: []byte{}},
		} {
			kept := *want
			if err := b.EndKey(context.Background(), mustAnswer(t, mustClaim(t, b, keyUse(a, name)), &kept)); err != nil {
				t.Fatal(err)
			}
			mustRepeat(t, b, keyUse(a, name), want)
		}
		var none *Claim
		end, err := none.Answer(answered)
		if none.Free() != nil || end != nil || err != nil || b.EndKey(context.Background(), nil) != nil {
			t.Error("no claim has an end")
		}
	})
}
