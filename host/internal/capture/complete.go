package capture

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// Usage is the vendor's final, cumulative count of tokens.
type Usage struct {
	Input, Output, CacheRead, CacheWrite, CacheWrite1h int64
	Reasoning                                          int64 // part of Output
}

// An Attempt is one try of one deployment.
type Attempt struct {
	Model, Provider, Upstream string
	Reason                    string // why it was not the last; empty of one that served
	Status                    int    // the vendor's HTTP status; 0: there was none
	Started                   time.Time
	Duration                  time.Duration
	VendorCostMicroUSD        int64
	// Sends is on how many connections the request was put: none, and its vendor never heard of it; more than one where a
	// kept one turned out to be closed, and its vendor may have seen each. The row leaves out a 1.
	Sends int
}

// A Completion is how a call ended.
type Completion struct {
	// Status is schema.StatusSucceeded, StatusCancelledClient, StatusFailedProviderError or StatusFailedHost. The first
	// two settle the hold to the cost, the others refund it.
	Status string
	Code   string // of the error, where there was one

	ServedSlug, Provider, UpstreamID string
	FinishReason, NativeFinishReason string
	AdapterModule                    string
	Usage                            Usage
	UsageEstimated                   bool
	// CostMicroUSD is the agent's; of a call that is refunded it is not charged and not recorded. VendorCostMicroUSD is
	// the operator's, of all tries.
	CostMicroUSD, VendorCostMicroUSD int64
	// BaselineMicroUSD is what the same usage would have cost at the dearest survivor. Zero leaves what the decision
	// projected.
	BaselineMicroUSD int64
	Attempts         []Attempt
	TTFT, Latency    time.Duration // zero is unknown
	ResponseHash     string
	ResponseBody     []byte // kept only with Config.KeepBodies
	CompletedAt      time.Time
	// Key ends the call's claim of an idempotency key, in the same transaction; nil where it holds none.
	Key *KeyEnd
}

// settles reports whether the agent pays.
func (d *Completion) settles() bool {
	return d.Status == schema.StatusSucceeded || d.Status == schema.StatusCancelledClient
}

func (d *Completion) check() error {
	switch d.Status {
	case schema.StatusSucceeded, schema.StatusCancelledClient, schema.StatusFailedProviderError, schema.StatusFailedHost:
	default:
		return fmt.Errorf("%q is not how a call ends", d.Status)
	}
	if d.CostMicroUSD < 0 || d.VendorCostMicroUSD < 0 {
		return errors.New("a cost is below zero")
	}
	return nil
}

// Complete ends the call: outcome, inference, ledger, audit events and receipt in one transaction, which it shares with
// others. It does its work once; after that it returns ErrCompleted. When the store can't take it the completion goes to
// the journal on local disk, which is as good: Complete returns nil and the store gets it when it is back. When the disk
// can't take it either it is kept in memory, where a crash would lose it, and both are tried until one does; the error
// says so, and is ErrUnavailable. ctx does not cut it short.
func (c *Call) Complete(ctx context.Context, d *Completion) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("complete call %s: %w", c.ID(), err)
	}
	if !c.done.CompareAndSwap(false, true) {
		return ErrCompleted
	}
	done := c.books.finish(d)
	err := c.end(context.WithoutCancel(ctx), done, c.doubt)
	if err != nil {
		c.books.log.Warn("store not available, completion goes to the journal", "inference-id", c.ID(), "error", err)
		if jerr := c.books.journal.append(c.record(done)); jerr != nil {
			c.books.stranded.add(end{c, done})
			return fmt.Errorf("complete call %s: kept in memory until the store or the local disk takes it: %w",
				c.ID(), errors.Join(unavailable(err), jerr))
		}
	}
	c.books.keyHolds.end(done.Key)
	return nil
}

// finish fills in what d leaves open.
func (b *Books) finish(d *Completion) *Completion {
	done := *d
	if done.CompletedAt.IsZero() {
		done.CompletedAt = b.config.Now()
	}
	done.CompletedAt = done.CompletedAt.UTC().Truncate(time.Microsecond)
	if !done.settles() {
		done.CostMicroUSD = 0
	}
	if !b.config.KeepBodies {
		done.ResponseBody = nil
	}
	return &done
}

// end books the end of the call. careful is for a call that may not be as this process left it.
func (c *Call) end(ctx context.Context, d *Completion, careful bool) error {
	return c.books.writer.submit(ctx, &operation{agentID: c.begin.Agent.ID, day: c.day, apply: func(b *batch) error {
		a, err := b.account(c.begin.Agent.ID)
		if err != nil {
			return err
		}
		b.endKey(d.Key) // also of a call that another host has ended by now
		if careful || b.careful {
			return c.endCarefully(b, a, d)
		}
		c.addEnd(b, a, d, settle(a, d, c.hold), completeOutcome, completeInference)
		return nil
	}})
}

// A settlement is what ending a call does to the wallet.
type settlement struct {
	kind                string // of the ledger entry; empty: none
	amount              int64  // of the ledger entry
	debited             int64  // what the agent really paid
	uncollected         int64  // what a prepaid wallet did not have
	released            int64  // the hold that ends
	balanceAfter, spent int64
}

// settle judges what the end of a call moves, when hold is what is still held for it.
func settle(a *account, d *Completion, hold int64) settlement {
	if !d.settles() {
		return settlement{kind: schema.LedgerRefund, amount: hold, released: hold, balanceAfter: a.balance + hold}
	}
	s := settlement{kind: schema.LedgerSettle, debited: d.CostMicroUSD, released: hold, spent: d.CostMicroUSD}
	if most := hold + max(0, a.balance); a.prepaid() && s.debited > most {
		s.debited, s.uncollected = most, s.debited-most
	}
	s.amount = hold - s.debited
	s.balanceAfter = a.balance + s.amount
	return s
}

// addEnd leaves the rows that end the call: the two updates are those that fit the state it is in, and change nothing
// in another.
func (c *Call) addEnd(b *batch, a *account, d *Completion, s settlement, outcome, inference *statement) {
	id := c.begin.InferenceID
	if s.kind != "" {
		b.entry(a, id, s.kind, s.amount, "", d.CompletedAt)
	}
	b.spend(a, c.day, s.spent, -s.released)
	attempts := attemptsJSON(d.Attempts)
	pinned := attempts
	if c.begin.Decided != nil {
		pinned = ""
		if outcome != nil {
			b.add(outcome, text(d.ServedSlug), text(d.AdapterModule), money.USD(d.CostMicroUSD),
				money.USD(d.VendorCostMicroUSD), text(c.baseline(d)), milliseconds(d.TTFT), milliseconds(d.Latency),
				text(attempts), d.Status, text(d.Code), usageJSON(d.Usage), d.UsageEstimated, d.CompletedAt, c.begin.OutcomeID)
		}
	}
	u := d.Usage
	model, provider := c.served(d)
	b.add(inference, text(model), text(provider), text(d.UpstreamID), text(d.AdapterModule), text(d.FinishReason),
		text(d.NativeFinishReason), u.Input, u.Output, u.CacheRead, u.CacheWrite, u.CacheWrite1h, u.Reasoning,
		d.UsageEstimated, d.CostMicroUSD, d.VendorCostMicroUSD, s.uncollected, text(pinned), text(d.ResponseHash),
		d.Status, text(d.Code), milliseconds(d.TTFT), milliseconds(d.Latency), d.CompletedAt, id)
	if d.ResponseBody != nil || c.begin.RequestBody != nil {
		b.add(insertBody, id, compressed(c.begin.RequestBody), compressed(d.ResponseBody), d.CompletedAt)
	}
	c.endEvents(b, a, d, s, inference == amendInference)
	c.checkStray(b)
}

// baseline is the outcome's cost_baseline_usd: by the usage that was, where the call knows it.
func (c *Call) baseline(d *Completion) string {
	if d.BaselineMicroUSD > 0 {
		return money.USD(d.BaselineMicroUSD)
	}
	return c.begin.Decided.BaselineUSD
}

// served is who served in the end: the completion's word, else who was tried first.
func (c *Call) served(d *Completion) (model, provider string) {
	model, provider = d.ServedSlug, d.Provider
	if model == "" {
		model = c.begin.Model
	}
	if provider == "" {
		provider = c.begin.Provider
	}
	return model, provider
}

// endCarefully ends a call that may not be as it was left. One that has ended so before is left alone, which is
// how the journal may be applied twice. One that was swept is amended: the refund stands, and a correction takes what
// the call cost. One that the store has forgotten, restored from a copy say, is begun again first.
func (c *Call) endCarefully(b *batch, a *account, d *Completion) error {
	state, err := c.state(b)
	if err != nil {
		return err
	}
	switch {
	case !state.found:
		c.addRows(b)
		c.addEnd(b, a, d, settle(a, d, 0), completeOutcome, completeInference)
	case state.status == schema.StatusPending:
		c.addEnd(b, a, d, settle(a, d, state.hold), c.captured(state, completeOutcome), completeInference)
	case state.status == schema.StatusFailedHost && d.Status != schema.StatusFailedHost:
		s := settle(a, d, 0)
		s.kind = schema.LedgerCorrection
		if s.amount == 0 {
			s.kind = ""
		}
		c.addEnd(b, a, d, s, c.captured(state, amendOutcome), amendInference)
	}
	return nil
}

// captured is the update of a routed call's outcome, or nothing where there is no row to update, which the guard counts.
func (c *Call) captured(state callState, update *statement) *statement {
	if c.begin.Decided == nil || state.outcome != "" {
		return update
	}
	c.books.dispatchWithoutCapture.Add(1)
	c.books.log.Error("a routed call has no outcome row", "inference-id", c.ID(), "outcome-id", c.OutcomeID())
	return nil
}

// A callState is what the store has of a call.
type callState struct {
	found           bool
	status, outcome string
	hold            int64
}

func (c *Call) state(b *batch) (callState, error) {
	var s callState
	err := b.query(selectState, []any{c.begin.InferenceID}, func(row []driver.Value) error {
		s = callState{found: true, status: asText(row[0]), hold: asInt(row[1]), outcome: asText(row[2])}
		return nil
	})
	return s, err
}

// checkStray is the guard's other half: a pinned call must have no outcome row.
func (c *Call) checkStray(b *batch) {
	if c.begin.Decided == nil {
		b.pinned = append(b.pinned, c.begin.InferenceID)
	}
}

func compressed(body []byte) any {
	if body == nil {
		return nil
	}
	return zstdEncoder.EncodeAll(body, nil)
}
