package capture

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/schema"
)

// queries counts what the store is asked.
type queries struct{ n atomic.Int64 }

func (q *queries) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	q.n.Add(1)
	return ctx
}

func (*queries) AfterQuery(context.Context, *bun.QueryEvent) {}

// Another tenant's record is as one that is not there: the same error, after as many queries.
func TestScopes(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a, other := mustAgent(t, b, NewAgent{Name: "a"}), mustAgent(t, b, NewAgent{Name: "b"})
		ended1, open := mustBegin(t, b, routed(a, 10)), mustBegin(t, b, pinned(a, 10))
		mustComplete(t, ended1, ended(schema.StatusSucceeded, 5))
		var counted queries
		b.db = b.db.WithQueryHook(&counted)
		for name, look := range map[string]func(s Scope, id string) error{
			"Agent":     func(s Scope, id string) error { _, err := b.AgentIn(ctx, s, id); return err },
			"Inference": func(s Scope, id string) error { _, err := b.InferenceIn(ctx, s, id); return err },
			"Receipt":   func(s Scope, id string) error { _, err := b.ReceiptIn(ctx, s, id); return err },
		} {
			ids := map[string][]string{"Agent": {a.ID}, "Inference": {ended1.ID(), open.ID()}, "Receipt": {ended1.ReceiptID(), open.ReceiptID()}}[name]
			for _, id := range ids {
				for _, s := range []Scope{OfTenant(a.TenantID), OfOperator()} {
					if err := look(s, id); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				asked := func(s Scope, id string) int64 {
					counted.n.Store(0)
					if err := look(s, id); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrUnknownAgent) {
						t.Errorf("%s: got %v, want that it is not there", name, err)
					}
					return counted.n.Load()
				}
				missing := asked(OfTenant(other.TenantID), NewID())
				for _, s := range []Scope{OfTenant(other.TenantID), OfTenant(""), {}} {
					if n := asked(s, id); n != missing || n == 0 {
						t.Errorf("%s: %d queries for another tenant's, %d for a missing one", name, n, missing)
					}
				}
			}
		}
	})
}

func TestAgentOfATenantByID(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		if sibling := mustAgent(t, b, NewAgent{Name: "b", TenantID: a.TenantID, Tenant: "elsewhere"}); sibling.TenantID != a.TenantID {
			t.Errorf("got tenant %s, want %s", sibling.TenantID, a.TenantID)
		}
		if _, _, err := b.CreateAgent(ctx, NewAgent{Name: "c", TenantID: NewID()}); !errors.Is(err, ErrUnknownTenant) {
			t.Errorf("got %v, want ErrUnknownTenant", err)
		}
		if _, _, err := b.CreateAgent(ctx, NewAgent{Name: "b", TenantID: a.TenantID}); !errors.Is(err, ErrAgentExists) {
			t.Errorf("got %v, want ErrAgentExists", err)
		}
	})
}

func TestChangeSpendPolicy(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		one, two, below := int64(1), int64(2), int64(-1)
		a := mustAgent(t, b, NewAgent{Name: "a", PerCallCapMicroUSD: &one})
		for _, step := range []struct {
			perCall, daily         CapChange
			wantPerCall, wantDaily *int64
		}{
			{CapChange{}, CapChange{true, &two}, &one, &two},
			{CapChange{true, nil}, CapChange{}, nil, &two},
			{CapChange{true, &two}, CapChange{true, nil}, &two, nil},
		} {
			perCall, daily, err := b.ChangeSpendPolicy(ctx, a.ID, step.perCall, step.daily)
			got, rerr := b.Agent(ctx, a.ID)
			if err = errors.Join(err, rerr); err != nil || !same(perCall, step.wantPerCall) || !same(daily, step.wantDaily) ||
				!same(got.PerCallCapMicroUSD, perCall) || !same(got.DailyCapMicroUSD, daily) {
				t.Errorf("%+v: got %v, %v, %v", step, perCall, daily, err)
			}
		}
		if _, _, err := b.ChangeSpendPolicy(ctx, a.ID, CapChange{true, &below}, CapChange{}); err == nil {
			t.Error("a cap below zero is taken")
		}
	})
}

func same(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

func TestTopUpKeepsTheBalanceCountable(t *testing.T) {
	b := openBooks(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1})
	if _, err := b.TopUp(context.Background(), a.ID, 1<<63-1, ""); err == nil {
		t.Error("the balance overflowed")
	}
	if got := balance(t, b, a); got != 1 {
		t.Errorf("got %d", got)
	}
	checkBooks(t, b)
}
