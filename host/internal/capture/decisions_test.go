package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/schema"
)

// A walk gives every decision of its time once, in order, with its bytes, however many share a moment or a page.
func TestDecisionsWalk(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		const calls, moment = 3*decisionPage - 1, 70 // so many share a moment
		outputs := make([]string, calls)
		ids := make([]string, calls)
		var group errgroup.Group
		group.SetLimit(64)
		for i := range calls {
			group.Go(func() (err error) {
				d := sampleDecided(fmt.Sprint("r", i), a.ID, i, 4)
				outputs[i] = string(d.Output)
				ids[i], err = b.Reject(ctx, &Rejection{Agent: a, RequestID: fmt.Sprint("r", i), Endpoint: "/v1/messages",
					Status: schema.StatusRejectedFloor, Decided: d, CreatedAt: began.Add(time.Duration(i/moment) * time.Second)})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Reject(ctx, &Rejection{Agent: a, RequestID: "none", Endpoint: "/v1/messages", Status: schema.StatusRejectedCapability, CreatedAt: began}); err != nil {
			t.Fatal(err)
		}
		walk := func(since, until time.Time) (got []PastDecision) {
			t.Helper()
			err := b.Decisions(ctx, since, until, func(page []PastDecision) error {
				if len(page) == 0 || len(page) > decisionPage {
					t.Errorf("got a page of %d", len(page))
				}
				got = append(got, page...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		all := walk(began, time.Time{})
		if len(all) != calls+1 || !slices.IsSortedFunc(all, func(x, y PastDecision) int { return x.CreatedAt.Compare(y.CreatedAt) }) {
			t.Fatalf("got %d decisions in order of time, want %d", len(all), calls+1)
		}
		seen := map[string]string{}
		for _, d := range all {
			seen[d.ID] = string(d.Output)
		}
		for i, id := range ids {
			if out, ok := seen[id]; !ok || out != outputs[i] {
				t.Fatalf("decision %d: got it %v, with its bytes %v", i, ok, out == outputs[i])
			}
		}
		if got := walk(began.Add(time.Second), began.Add(3*time.Second)); len(got) != 2*moment {
			t.Errorf("got %d decisions of two seconds, want %d: since is in, until is not", len(got), 2*moment)
		}
		if got := walk(began.Add(time.Hour), time.Time{}); len(got) != 0 {
			t.Errorf("got %d decisions of a time after all", len(got))
		}
		stop := errors.New("stop")
		if err := b.Decisions(ctx, began, time.Time{}, func([]PastDecision) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got %v, want what the page returned", err)
		}
		if _, err := b.db.NewDelete().Model((*schema.Blob)(nil)).Where("1 = 1").Exec(ctx); err != nil {
			t.Fatal(err)
		}
		lost := 0
		for _, d := range walk(began, time.Time{}) {
			if d.Unreadable != nil {
				lost++
			}
		}
		if lost < calls/2 {
			t.Errorf("got %d decisions that can't be read without their templates, want most of them", lost)
		}
	})
}
