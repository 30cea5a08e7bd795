// Package replay is past decisions, decided again.
//
// Reproduce decides each as it was decided, by the module that its row names, and compares the bytes: they must be the
// same. Otherwise decides them in another way and says what would have changed. Both stream the rows in the order of
// their time, decide a page of them on all processors, and keep no more than that page.
package replay

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// Books is where past decisions and their modules are: capture.Books.
type Books interface {
	Decisions(ctx context.Context, since, until time.Time, page func([]capture.PastDecision) error) error
	Module(ctx context.Context, digest string) (schema.Module, []byte, error)
}

var _ Books = (*capture.Books)(nil)

// Config says which decisions, and by what. All but Until and Limits is needed.
type Config struct {
	Books   Books
	Sandbox *wasm.Host
	// Since is the first moment, Until the first that is too late; zero is no bound.
	Since, Until time.Time
	// Limits is what the plugin of a name is configured to have: fuel and memory of the Spec it returns are used where
	// they are more than usual.
	Limits func(plugin string) wasm.Spec
}

// A policy that answered once answers again with more fuel and memory than it needed then, and just the same. Fuel costs
// nothing to give. Memory is part of the compiled module, so that a decision gets what hosts give, whose compiled module is
// in the cache, and more only when it does not come to an end with that.
const (
	generousFuel        = 50 * wasm.DefaultFuel
	generousFuelPerByte = 50 * wasm.DefaultFuelPerByte
	generousMemoryBytes = 512 << 20
)

// Undecided counts the rows in which no policy came to an answer, by how their calls ended.
type Undecided struct {
	Status string `json:"status"`
	Code   string `json:"code,omitempty"`
	Rows   int64  `json:"rows"`
}

// tally gathers Undecided in the order of first sight.
type tally []Undecided

func (t *tally) add(d *capture.PastDecision) {
	for i := range *t {
		if u := &(*t)[i]; u.Status == d.OutcomeStatus && u.Code == d.Code {
			u.Rows++
			return
		}
	}
	*t = append(*t, Undecided{d.OutcomeStatus, d.Code, 1})
}

// undecided reports whether no policy came to an answer.
func undecided(d *capture.PastDecision) bool { return d.Unreadable == nil && len(d.Output) == 0 }

// A run is one walk over the decisions.
type run[T any] struct {
	cfg Config
	// decide makes something of one decision, on any processor; what it returns as an error ends the walk.
	decide func(context.Context, *capture.PastDecision) (T, error)
	// fold is given each decision and what decide made of it, in order. Rows without an answer go there undecided.
	fold func(*capture.PastDecision, T) error
}

func (r *run[T]) walk(ctx context.Context) error {
	return r.cfg.Books.Decisions(ctx, r.cfg.Since, r.cfg.Until, func(page []capture.PastDecision) error {
		made := make([]T, len(page))
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(runtime.GOMAXPROCS(0))
		for i := range page {
			if undecided(&page[i]) {
				continue
			}
			group.Go(func() (err error) {
				made[i], err = r.decide(gctx, &page[i])
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i := range page {
			if err := r.fold(&page[i], made[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// stamp is a time as reports carry it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// ended returns the context's error, if it has ended, since whatever failed then failed of that.
func ended(ctx context.Context, doing string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
