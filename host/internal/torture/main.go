// Command torture is the proof that a call is written down exactly once: servers as processes, under load, of which the
// processes are killed, frozen and stopped, the store is taken away, and the vendors and the callers fail; and then what
// everybody saw is held against the books.
//
// Two phases: two hosts on one PostgreSQL of their own, then one on SQLite. The simulated vendors run in this process, so
// that they outlive every host, and write down which try of which call they saw. The plan of the faults follows from the
// seed; what meets what is the machine's.
//
// main tells the story: start, load and break, mend, reconcile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ainfera-ai/router/host/internal/pgtest"
)

// A plan is what the flags say.
type plan struct {
	binary   string
	duration time.Duration // of the load, of each phase
	callers  int
	seed     uint64
	keep     bool // the directory, for a look at it
	log      io.Writer
}

func main() {
	var p plan
	flag.StringVar(&p.binary, "ainfera", "bin/ainfera", "the server's binary")
	flag.DurationVar(&p.duration, "duration", 75*time.Second, "how long each phase is under load")
	flag.IntVar(&p.callers, "callers", 24, "callers at a time")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "what the plan of the faults follows from")
	flag.BoolVar(&p.keep, "keep", false, "keep the servers' directories and logs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p.log = os.Stdout
	mismatches, err := torture(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if mismatches > 0 {
		fmt.Printf("\n%d mismatches. Again with -seed %d -keep\n", mismatches, p.seed)
		os.Exit(1)
	}
	fmt.Println("\nno mismatch")
}

// torture runs both phases and returns how many mismatches there were.
func torture(ctx context.Context, p plan) (int, error) {
	fmt.Fprintf(p.log, "seed %d, %v of load a phase, %d callers\n", p.seed, p.duration, p.callers)
	dir, err := os.MkdirTemp("", "ainfera-torture-")
	if err != nil {
		return 0, err
	}
	if p.keep {
		fmt.Fprintln(p.log, "in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	total := 0
	cluster, err := pgtest.Start(false)
	switch {
	case errors.Is(err, pgtest.ErrNoServer):
		fmt.Fprintln(p.log, "\nSKIPPED: two hosts on PostgreSQL:", err)
	case err != nil:
		return 0, err
	default:
		n, err := runPhase(ctx, p, phase{name: "two hosts on PostgreSQL", dir: filepath.Join(dir, "postgres"), hosts: 2, store: &postgres{cluster: cluster}})
		cluster.Stop()
		if err != nil {
			return 0, fmt.Errorf("on PostgreSQL: %w", err)
		}
		total += n
	}
	lite := filepath.Join(dir, "sqlite")
	n, err := runPhase(ctx, p, phase{name: "one host on SQLite", dir: lite, hosts: 1, store: &sqlite{path: filepath.Join(lite, "books.db")}})
	if err != nil {
		return 0, fmt.Errorf("on SQLite: %w", err)
	}
	return total + n, nil
}

// A phase is a fleet on a store.
type phase struct {
	name  string
	dir   string
	hosts int
	store store
}

// settleWithin is how long the fleet has to write everything down when all is up again.
const settleWithin = 45 * time.Second

func runPhase(ctx context.Context, p plan, ph phase) (mismatches int, err error) {
	fmt.Fprintf(p.log, "\n%s\n", ph.name)
	if err := os.MkdirAll(ph.dir, 0o700); err != nil {
		return 0, err
	}
	v, err := startVendors(ctx, p.seed)
	if err != nil {
		return 0, err
	}
	defer v.close()
	f, err := startFleet(ctx, p, ph, v)
	if err != nil {
		return 0, err
	}
	defer f.kill()

	l := newLoad(p, f)
	loading, stopLoad := context.WithTimeout(ctx, p.duration)
	defer stopLoad()
	var lanes sync.WaitGroup
	lanes.Go(func() { l.run(loading) })
	broken := make(chan error, 2)
	done := tally{}
	for i, faults := range [][]fault{f.faults(), ph.store.faults()} {
		lanes.Go(func() { broken <- breakThings(loading, rand.New(rand.NewPCG(p.seed, uint64(i))), faults, &done) })
	}
	lanes.Wait()
	if err := errors.Join(<-broken, <-broken); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	open, journaled, err := f.settle(ctx, ph.store)
	if err != nil {
		return 0, err
	}
	r := &reconciliation{store: ph.store, vendors: v, answers: l.answers} // nobody calls any more
	if open+journaled > 0 {
		r.mismatch("after %v %d calls are still open, and %d journals wait", settleWithin, open, journaled)
	}
	if err := r.run(ctx); err != nil {
		return 0, err
	}
	r.guards(f.guard())
	if err := f.stop(); err != nil { // in order, so that a stop that fails is noticed
		r.mismatch("a host did not stop as it should: %v", err)
	}
	if out, err := f.check(); err != nil {
		r.mismatch("capture check: %v\n%s", err, out)
	}
	report(p.log, "faults", &done)
	report(p.log, "of them", &f.failed)
	report(p.log, "callers saw", &l.saw)
	report(p.log, "vendors saw", &v.saw)
	report(p.log, "books", &r.found)
	for i, m := range r.mismatches {
		if i == 20 {
			fmt.Fprintf(p.log, "  … and %d more\n", len(r.mismatches)-i)
			break
		}
		fmt.Fprintln(p.log, "  MISMATCH:", m)
	}
	return len(r.mismatches), nil
}
