package capture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/schema"
)

// One prepaid wallet and many callers that want more than there is: never below zero, and every micro-dollar accounted
// for. On PostgreSQL two hosts share the wallet.
func TestHammerOneWallet(t *testing.T) {
	const funds, goroutines, loops = 40_000, 64, 12
	onEachStore(t, func(t *testing.T, config Config) {
		hosts := []*Books{openBooks(t, config)}
		if config.Dir != "" {
			config.Dir = t.TempDir()
			hosts = append(hosts, openBooks(t, config))
		}
		a := mustAgent(t, hosts[0], NewAgent{Name: "a", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: funds})
		var group sync.WaitGroup
		var spent, refused atomic.Int64
		for g := range goroutines {
			group.Go(func() {
				for range loops {
					paid, err := hammerOnce(hosts[g%len(hosts)], a)
					if errors.Is(err, ErrInsufficientFunds) {
						refused.Add(1)
					} else if err != nil {
						t.Error(err)
					}
					spent.Add(paid)
				}
			})
		}
		group.Wait()
		if refused.Load() == 0 {
			t.Error("nobody was refused: the test asks for too little")
		}
		if got, want := balance(t, hosts[0], a), funds-spent.Load(); got != want || got < 0 {
			t.Errorf("got balance %d, want %d", got, want)
		}
		var lowest int64
		err := hosts[0].db.NewSelect().Table("ledger_entries").ColumnExpr("min(balance_after_micro_usd)").Scan(context.Background(), &lowest)
		if err != nil || lowest < 0 {
			t.Errorf("got a lowest balance of %d, %v, want none below zero", lowest, err)
		}
		checkBooks(t, hosts[0])
	})
}

// hammerOnce makes one call of a random end and returns what it cost.
func hammerOnce(b *Books, a *Agent) (paid int64, err error) {
	ctx := context.Background()
	c, err := b.Begin(ctx, routed(a, 50+rand.Int64N(200)))
	if err != nil {
		return 0, err
	}
	if rand.IntN(3) == 0 {
		if err := c.RaiseHold(ctx, c.HoldMicroUSD()+rand.Int64N(100)); err != nil && !errors.Is(err, ErrInsufficientFunds) {
			return 0, err
		}
	}
	cost := rand.Int64N(400)
	status := []string{schema.StatusSucceeded, schema.StatusSucceeded, schema.StatusCancelledClient, schema.StatusFailedProviderError}[rand.IntN(4)]
	if err := c.Complete(ctx, ended(status, cost)); err != nil {
		return 0, err
	}
	i, err := b.Inference(ctx, c.ID())
	return i.CostMicroUSD - i.UncollectedMicroUSD, err
}

// One agent with a daily cap, whom many callers ask for more than a day has: what is spent and held is never above it, and
// a call that fits is not refused.
func TestHammerOneDay(t *testing.T) {
	const daily, hold, goroutines, loops = 10_000, 100, 64, 6
	onEachStore(t, func(t *testing.T, config Config) {
		hosts := []*Books{openBooks(t, config)}
		if config.Dir != "" {
			config.Dir = t.TempDir()
			hosts = append(hosts, openBooks(t, config))
		}
		capped := int64(daily)
		a := mustAgent(t, hosts[0], NewAgent{Name: "a", DailyCapMicroUSD: &capped})
		now := time.Now() // all of them on one day, whatever the clock does meanwhile
		var group sync.WaitGroup
		var spent, refused atomic.Int64
		for g := range goroutines {
			group.Go(func() {
				for range loops {
					n := routed(a, hold)
					n.CreatedAt = now
					c, err := hosts[g%len(hosts)].Begin(context.Background(), n)
					if capError := new(CapError); errors.As(err, &capError) && capError.Daily {
						if capError.DayRemainingMicroUSD >= hold {
							t.Errorf("refused with %d left of the day", capError.DayRemainingMicroUSD)
						}
						refused.Add(1)
						continue
					} else if err != nil {
						t.Error(err)
						continue
					}
					cost := rand.Int64N(hold + 1)
					if err := c.Complete(context.Background(), ended(schema.StatusSucceeded, cost)); err != nil {
						t.Error(err)
					}
					spent.Add(cost)
				}
			})
		}
		group.Wait()
		var booked, held int64
		err := hosts[0].db.NewSelect().Table("daily_spend").ColumnExpr("sum(spent_micro_usd), sum(held_micro_usd)").Scan(context.Background(), &booked, &held)
		if err != nil || booked != spent.Load() || held != 0 || booked > daily {
			t.Errorf("got %d spent, %d held, %v, want %d, at most %d", booked, held, err, spent.Load(), daily)
		}
		if refused.Load() == 0 {
			t.Error("nobody was refused: the test asks for too little")
		}
		checkBooks(t, hosts[0])
	})
}

// Two hosts, many agents, in every order: locks are taken in one order, so that nobody waits for ever.
func TestHostsShareAStore(t *testing.T) {
	dsn := pgtest.DSN(t)
	hosts := []*Books{openBooks(t, Config{DSN: dsn, Dir: t.TempDir()}), openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})}
	agents := make([]*Agent, 12)
	for i := range agents {
		agents[i] = mustAgent(t, hosts[i%2], NewAgent{Name: fmt.Sprint("agent-", i)})
	}
	var group sync.WaitGroup
	for g := range 32 {
		group.Go(func() {
			for range 10 {
				c, err := hosts[g%2].Begin(context.Background(), routed(agents[rand.IntN(len(agents))], 10))
				if err != nil {
					t.Error(err)
					continue
				}
				if err := c.Complete(context.Background(), ended(schema.StatusSucceeded, 5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if r := checkBooks(t, hosts[0]); r.Inferences != 320 || r.OpenCalls != 0 {
		t.Errorf("got %d inferences, %d open, want 320 ended", r.Inferences, r.OpenCalls)
	}
	for _, b := range hosts {
		if n := b.journal.pending(); n != 0 {
			t.Errorf("got %d journaled, want none: the store was there", n)
		}
	}
}

// A live host's calls are nobody's orphans.
func TestSweepLeavesLiveHostsAlone(t *testing.T) {
	dsn := pgtest.DSN(t)
	one := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	a := mustAgent(t, one, NewAgent{Name: "a"})
	c := mustBegin(t, one, routed(a, 10))
	two := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	if n, err := two.sweep(context.Background()); err != nil || n != 0 {
		t.Errorf("got %d swept, %v, want none", n, err)
	}
	mustComplete(t, c, ended(schema.StatusSucceeded, 5))
	checkSigned(t, one, c.ReceiptID())
	keys, err := two.SigningKeys(context.Background())
	if err != nil || len(keys) != 2 {
		t.Errorf("got %v, %v, want both hosts' keys", keys, err)
	}
}
