package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/schema"
)

const (
	// leaseParts is how often in the time of its lease a host is heard of and looks for others' orphans.
	leaseParts = 6
	// deliverEvery is how often a journal that holds something is tried.
	deliverEvery = time.Second
	// sweepLength is how many orphans are read at once, and sweepWidth how many wait for the writer together.
	sweepLength, sweepWidth = 500, 64
)

// A host is this process's lease.
type host struct {
	id      string
	started time.Time
}

// takeOver begins this host's lease and ends what former ones left: first what they had written down of it, then the
// orphans, of which nobody knows more.
func (b *Books) takeOver(ctx context.Context) error {
	b.host.started = b.config.Now()
	if err := b.renewLease(ctx); err != nil {
		return fmt.Errorf("begin the lease: %w", err)
	}
	if _, ok := sqlitePath(b.config.DSN); ok {
		// The file's lock is ours, so that every other host in the table is gone, whatever its lease says.
		if _, err := b.db.NewDelete().Model((*schema.Host)(nil)).Where("id <> ?", b.host.id).Exec(ctx); err != nil {
			return fmt.Errorf("end former leases: %w", err)
		}
	}
	if err := b.deliverJournal(ctx); err != nil {
		return fmt.Errorf("apply the journal: %w", err)
	}
	if _, err := b.sweep(ctx); err != nil {
		return fmt.Errorf("end orphaned calls: %w", err)
	}
	if err := b.adoptKey(ctx); err != nil {
		return err
	}
	b.tasks.Go(b.keepHouse)
	b.tasks.Go(b.keepRoots)
	return nil
}

func (b *Books) renewLease(ctx context.Context) error {
	return b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		t.add(upsertHost, b.host.id, b.host.started, t.now.Add(b.config.Lease), b.config.Lease.Milliseconds())
		t.add(insertSigningKey, t.signer.KeyID(), t.signer.publicText(), t.now, nil)
		return nil
	}})
}

// giveUpLease lets other hosts end at once what this one leaves open.
func (b *Books) giveUpLease(ctx context.Context) {
	if b.host.started.IsZero() {
		return
	}
	if _, err := b.db.NewDelete().Model((*schema.Host)(nil)).Where("id = ?", b.host.id).Exec(ctx); err != nil {
		b.log.Debug("lease not given up, it will run out", "error", err)
	}
}

// keepHouse renews the lease, delivers the journal and ends others' orphans until the books close.
func (b *Books) keepHouse() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	renew, deliver := time.NewTicker(b.config.Lease/leaseParts), time.NewTicker(deliverEvery)
	defer renew.Stop()
	defer deliver.Stop()
	for {
		select {
		case <-b.closing:
			return
		case <-renew.C:
			if err := b.renewLease(ctx); err != nil {
				b.log.Warn("lease not renewed", "error", err)
				continue
			}
			if n, err := b.sweep(ctx); err != nil {
				b.log.Warn("orphaned calls not ended", "error", err)
			} else if n > 0 {
				b.log.Info("orphaned calls ended", "calls", n)
			}
			if err := b.forgetKeys(ctx); err != nil {
				b.log.Warn("expired idempotency keys not deleted", "error", err)
			}
			if n, err := b.sweepBodies(ctx); err != nil {
				b.log.Warn("bodies whose time is over not deleted", "error", err)
			} else if n > 0 {
				b.log.Info("bodies whose time is over deleted", "calls", n)
			}
		case <-deliver.C:
			began := time.Now()
			if err := errors.Join(b.endStranded(ctx), b.endDoubts(ctx), b.deliverJournal(ctx), b.freeLeft(ctx)); err != nil {
				b.log.Debug("store not available yet", "error", err)
			}
			// A store that hangs is asked half of the time at most: callers wait in the same queue to be refused.
			deliver.Reset(max(deliverEvery, time.Since(began)))
			b.watchKey(ctx)
		}
	}
}

// watchKey takes a signing key that an operator's command left.
func (b *Books) watchKey(ctx context.Context) {
	if _, err := os.Stat(filepath.Join(b.config.Dir, nextKeyFile)); err != nil && !b.retireDue {
		return // there is none, as nearly always
	}
	if err := b.adoptKey(ctx); err != nil {
		b.log.Warn("new signing key not taken yet", "error", err)
	}
}

// deliverJournal gives the store the completions that it missed.
func (b *Books) deliverJournal(ctx context.Context) error {
	return b.journal.deliver(func(records []*record) (int, error) {
		var group errgroup.Group
		group.SetLimit(sweepWidth)
		var refused atomic.Int64
		for _, r := range records {
			group.Go(func() error {
				c := b.newCall(r.Begin)
				c.hold = r.Hold
				err := c.end(ctx, r.Completion, true)
				if err == nil || errors.Is(err, ErrUnavailable) {
					return err
				}
				b.log.Error("the store refuses a completion of the journal", "inference-id", c.ID(), "agent-id", r.Begin.Agent.ID, "error", err)
				refused.Add(1)
				return nil
			})
		}
		err := group.Wait()
		return int(refused.Load()), err
	})
}

// doubts are calls whose begin failed as it was committed. Their callers were refused, so that nobody will complete them
// if the store has them after all.
type doubts struct {
	mu    sync.Mutex
	calls []*Call
}

func (d *doubts) add(calls ...*Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, calls...)
}

func (d *doubts) take() []*Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// endDoubts refunds what the store has of the calls in doubt. What it can't ask for yet stays in doubt.
func (b *Books) endDoubts(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(sweepWidth)
	for _, c := range b.doubts.take() {
		group.Go(func() error {
			err := c.withdraw(ctx)
			if errors.Is(err, ErrUnavailable) {
				b.doubts.add(c)
			}
			return err
		})
	}
	return group.Wait()
}

// withdraw ends a call that may never have begun. It asks within a transaction that first takes the lock that the begin
// took: a commit that is still under way in the store, whatever became of the connection to it, is over by then.
func (c *Call) withdraw(ctx context.Context) error {
	d := c.books.finish(&Completion{Status: schema.StatusFailedHost, Code: "store_lost"})
	return c.books.writer.submit(ctx, &operation{agentID: c.begin.Agent.ID, day: c.day, apply: func(b *batch) error {
		a, err := b.account(c.begin.Agent.ID)
		if err != nil {
			return err
		}
		state, err := c.state(b)
		if err != nil || !state.found {
			return err
		}
		return c.endCarefully(b, a, d)
	}})
}

// sweep ends the calls whose host is gone: failed_host, the hold refunded. It returns how many there were.
func (b *Books) sweep(ctx context.Context) (int, error) {
	total := 0
	for {
		calls, err := b.orphans(ctx)
		if err != nil || len(calls) == 0 {
			return total, err
		}
		var group errgroup.Group
		group.SetLimit(sweepWidth)
		for _, c := range calls {
			group.Go(func() error {
				return c.end(ctx, b.finish(&Completion{Status: schema.StatusFailedHost, Code: "host_lost"}), true)
			})
		}
		if err := group.Wait(); err != nil {
			return total, err
		}
		total += len(calls)
	}
}

func (b *Books) orphans(ctx context.Context) ([]*Call, error) {
	var rows []schema.Inference
	query := b.db.NewSelect().Model(&rows).Join("LEFT JOIN hosts AS s ON s.id = i.host_id").Where("i.status = 'pending'")
	if _, ok := sqlitePath(b.config.DSN); ok {
		query = query.Where("s.id IS NULL OR s.lease_until < ?", b.config.Now().UTC())
	} else {
		query = query.Where("s.id IS NULL OR s.lease_until < now()") // the store's clock, as upsertHost has it
	}
	err := query.Limit(sweepLength).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("list open calls: %w", err)
	}
	calls := make([]*Call, len(rows))
	for i := range rows {
		if calls[i], err = b.recall(ctx, &rows[i]); err != nil {
			return nil, fmt.Errorf("call %s: %w", rows[i].ID, err)
		}
	}
	return calls, nil
}

// recall makes a call from what the store has of it.
func (b *Books) recall(ctx context.Context, i *schema.Inference) (*Call, error) {
	begin := &Begin{
		Agent: &Agent{ID: i.AgentID, TenantID: i.TenantID}, InferenceID: i.ID, ReceiptID: i.ReceiptID,
		OutcomeID: i.OutcomeID, RequestID: i.RequestID, Endpoint: i.Endpoint, Stream: i.Stream, Model: i.Model,
		RequestedModel: i.RequestedModel, Provider: i.Provider, HoldMicroUSD: i.HoldMicroUSD,
		RequestHash: i.RequestHash, CreatedAt: i.CreatedAt,
	}
	if i.OutcomeID != "" {
		o, err := b.Outcome(ctx, i.OutcomeID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		begin.Source = o.Source
		begin.Decided = &Decided{
			Target: o.Target, TaskType: o.TaskType, Cell: o.Cell, PolicyVersion: o.PolicyVersion,
			PolicyModule: o.PolicyModule, Rule: o.DecisionRule, DecisionType: o.DecisionType,
			ChosenPropensity: o.ChosenPropensity, ChosenSlug: o.ChosenModelSlug, RulesetHash: o.RulesetHash,
			RoutingHint: o.RoutingHint, Preference: o.RoutingPreference, Excluded: []byte(o.Excluded),
			ProjectedUSD: o.CostProjectedUSD, BaselineUSD: o.CostBaselineUSD, BaselineSlug: o.BaselineModelSlug,
			Affinity: o.Affinity, Tags: o.Tags,
		}
		if begin.Decided.Input, begin.Decided.Output, err = b.unpackBoth(ctx, &o); err != nil {
			return nil, err
		}
	}
	return b.newCall(begin), nil
}
