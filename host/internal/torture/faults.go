package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"time"
)

// A fault breaks something and mends it again.
type fault struct {
	name   string
	weight int // how often it is in a deck
	do     func(ctx context.Context, rng *rand.Rand) error
}

// breakThings does one fault after the other until ctx ends; the one that is under way then is mended first. First comes
// each of them once, in their order, so that a short run has met the worst; then they are drawn by weight.
func breakThings(ctx context.Context, rng *rand.Rand, faults []fault, done *tally) error {
	for cards := faults; ; cards = deck(rng, faults) {
		for _, f := range cards {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(between(rng, 200*time.Millisecond, 1500*time.Millisecond)):
			}
			if err := f.do(context.WithoutCancel(ctx), rng); err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			done.add(f.name, 1)
		}
	}
}

// deck is the faults in a random order, each as often as its weight says.
func deck(rng *rand.Rand, faults []fault) []fault {
	var cards []fault
	for _, f := range faults {
		for range f.weight {
			cards = append(cards, f)
		}
	}
	rng.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	return cards
}

func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rng.Int64N(int64(most-least)))
}

// faults are what befalls hosts.
func (f *fleet) faults() []fault {
	pick := func(rng *rand.Rand) *host { return f.hosts[rng.IntN(len(f.hosts))] }
	return []fault{
		{"hosts killed", 4, func(ctx context.Context, rng *rand.Rand) error {
			h := pick(rng)
			h.readGuards(ctx)
			_ = h.end(syscall.SIGKILL) // killed, which is its exit status
			time.Sleep(between(rng, 0, 2*time.Second))
			return h.start(ctx)
		}},
		{"hosts stopped", 2, func(ctx context.Context, rng *rand.Rand) error {
			h := pick(rng)
			h.readGuards(ctx)
			if err := h.end(syscall.SIGTERM); err != nil {
				f.failed.add("stops with "+err.Error(), 1)
			}
			time.Sleep(between(rng, 0, 500*time.Millisecond))
			return h.start(ctx)
		}},
		{"hosts frozen", 2, func(_ context.Context, rng *rand.Rand) error {
			h := pick(rng)
			if err := h.signal(syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(between(rng, 100*time.Millisecond, 4*time.Second)) // some of them for longer than the lease
			return h.signal(syscall.SIGCONT)
		}},
		{"top-ups beside the hosts", 2, func(context.Context, *rand.Rand) error {
			// It writes to the same wallet as the hosts, from a process of its own. The store may be away.
			if out, err := exec.Command(f.p.binary, "wallet", "topup", "prepaid", "0.50", "--config", f.hosts[0].config).CombinedOutput(); err != nil {
				f.failed.add("top-ups refused", 1)
				fmt.Fprintf(f.hosts[0].log, "top-up: %v: %s", err, out)
			}
			return nil
		}},
		{"configurations reloaded", 1, func(_ context.Context, rng *rand.Rand) error { return pick(rng).signal(syscall.SIGHUP) }},
	}
}

// faults are what befalls PostgreSQL.
func (s *postgres) faults() []fault {
	halt := func(mode string) func(context.Context, *rand.Rand) error {
		return func(_ context.Context, rng *rand.Rand) error {
			if err := s.cluster.Halt(mode); err != nil {
				return err
			}
			time.Sleep(between(rng, 0, 2*time.Second))
			return s.cluster.Resume()
		}
	}
	return []fault{
		{"PostgreSQL crashes", 2, halt("immediate")},
		{"rounds of killed connections", 3, func(ctx context.Context, _ *rand.Rand) error {
			_, err := s.rows(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
			return err
		}},
		{"PostgreSQL freezes", 2, func(ctx context.Context, rng *rand.Rand) error {
			pids, err := s.processes(ctx)
			if err != nil {
				return err
			}
			if err := signalAll(pids, syscall.SIGSTOP); err != nil {
				return err
			}
			time.Sleep(between(rng, 50*time.Millisecond, 2*time.Second))
			return signalAll(pids, syscall.SIGCONT)
		}},
		{"PostgreSQL restarts", 1, halt("fast")},
	}
}

// faults are what befalls the file.
func (s *sqlite) faults() []fault {
	return []fault{
		{"locks by another process", 3, func(ctx context.Context, rng *rand.Rand) error {
			return s.lock(ctx, between(rng, 50*time.Millisecond, 1500*time.Millisecond))
		}},
		{"locks for longer than a host waits", 1, func(ctx context.Context, _ *rand.Rand) error { return s.lock(ctx, 6*time.Second) }},
	}
}
