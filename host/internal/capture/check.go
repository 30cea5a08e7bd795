package capture

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// idsShown is how many ids a violation names.
const idsShown = 5

// A Violation is a rule that rows of the books break.
type Violation struct {
	Rule  string   `json:"rule"`
	Count int64    `json:"count"`
	IDs   []string `json:"ids"` // the first few
}

// A Report is what Check found, over one moment of the store.
type Report struct {
	Outcomes, Inferences, OpenCalls, Entries, Events, Receipts int64
	// DispatchWithoutCapture and CaptureWithoutRoute are the guards' two counts, over all rows.
	DispatchWithoutCapture, CaptureWithoutRoute int64
	Violations                                  []Violation
}

// OK reports whether the books keep every rule.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

// A rule is a query for the ids of what breaks it.
type rule struct{ name, query string }

const (
	ruleRoutedWithoutOutcome = "a routed inference has no outcome"
	rulePinnedWithOutcome    = "a pinned inference has an outcome"
)

// dispatched are the statuses of calls that were sent to a vendor, or were about to be.
const dispatched = `('pending', 'succeeded', 'failed_provider_error', 'failed_host', 'cancelled_client')`

var rules = []rule{
	{ruleRoutedWithoutOutcome, `SELECT i.id FROM inferences i LEFT JOIN routing_outcomes o ON o.id = i.outcome_id
		WHERE i.outcome_id IS NOT NULL AND o.id IS NULL`},
	{rulePinnedWithOutcome, `SELECT i.id FROM inferences i JOIN routing_outcomes o ON o.inference_id = i.id
		WHERE i.outcome_id IS NULL`},
	{"an inference has several outcomes", `SELECT inference_id FROM routing_outcomes WHERE inference_id IS NOT NULL
		GROUP BY inference_id HAVING count(*) > 1`},
	{"a dispatched outcome has no inference", `SELECT o.id FROM routing_outcomes o LEFT JOIN inferences i ON i.id = o.inference_id
		WHERE o.outcome_status IN ` + dispatched + ` AND i.id IS NULL`},
	{"a refused outcome has an inference", `SELECT id FROM routing_outcomes
		WHERE outcome_status NOT IN ` + dispatched + ` AND inference_id IS NOT NULL`},
	{"an outcome and its inference disagree on the status", `SELECT o.id FROM routing_outcomes o
		JOIN inferences i ON i.outcome_id = o.id WHERE o.outcome_status <> i.status`},
	{"an ended call has no receipt", `SELECT i.id FROM inferences i LEFT JOIN receipts r ON r.id = i.receipt_id
		WHERE i.status <> 'pending' AND r.id IS NULL`},
}

// Check asserts over the whole store what the books promise: the invariant, the money as CheckLedger does, and every
// audit chain with its receipts, heads and roots as Verify does. It reads one moment, so that it may run while calls are
// taken. What is broken is in the report; an error means that the store could not be read.
func (b *Books) Check(ctx context.Context) (Report, error) {
	var r Report
	err := b.snapshot(ctx, func(tx bun.Tx) (err error) {
		r, err = check(ctx, tx, b.config.Now())
		return err
	})
	if err != nil {
		return r, fmt.Errorf("check: %w", err)
	}
	return r, nil
}

// check is Check in a transaction of the caller's, whose isolation decides what moment it sees.
func check(ctx context.Context, db bun.IDB, now time.Time) (Report, error) {
	var r Report
	if err := r.count(ctx, db); err != nil {
		return r, err
	}
	for _, rule := range rules {
		if err := r.apply(ctx, db, rule); err != nil {
			return r, fmt.Errorf("that never %s: %w", rule.name, err)
		}
	}
	f := folded{}
	if _, err := checkLedger(ctx, db, f.add); err != nil {
		return r, fmt.Errorf("the ledger: %w", err)
	}
	v := proof.NewVerifier(proof.Options{}, f.add)
	if err := verify(ctx, db, now, ExportScope{}, v); err != nil {
		return r, fmt.Errorf("the audit chains: %w", err)
	}
	for _, v := range f.list {
		r.report(*v)
	}
	return r, nil
}

// folded are findings gathered by their rule, in the order in which the rules first came.
type folded struct {
	list []*Violation
}

func (f *folded) add(found proof.Finding) {
	i := slices.IndexFunc(f.list, func(v *Violation) bool { return v.Rule == found.Rule })
	if i < 0 {
		i = len(f.list)
		f.list = append(f.list, &Violation{Rule: found.Rule})
	}
	f.list[i].add(found.Where())
}

// Verify judges the store's own audit records as an export of them would be judged.
func (b *Books) Verify(ctx context.Context, scope ExportScope, v *proof.Verifier) error {
	err := b.snapshot(ctx, func(tx bun.Tx) error { return verify(ctx, tx, b.config.Now(), scope, v) })
	if err != nil {
		return fmt.Errorf("verify the audit chains: %w", err)
	}
	return nil
}

func verify(ctx context.Context, db bun.IDB, now time.Time, scope ExportScope, v *proof.Verifier) error {
	if err := export(ctx, db, now, scope, v.Put); err != nil {
		return err
	}
	v.End()
	v.Finish()
	return nil
}

func (r *Report) count(ctx context.Context, db bun.IDB) error {
	for table, n := range map[string]*int64{
		"routing_outcomes": &r.Outcomes, "inferences": &r.Inferences, "ledger_entries": &r.Entries,
		"audit_events": &r.Events, "receipts": &r.Receipts,
	} {
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM ?", bun.Ident(table)).Scan(n); err != nil {
			return err
		}
	}
	return db.QueryRowContext(ctx, "SELECT count(*) FROM inferences WHERE status = 'pending'").Scan(&r.OpenCalls)
}

func (r *Report) apply(ctx context.Context, db bun.IDB, rule rule) error {
	rows, err := db.QueryContext(ctx, rule.query)
	if err != nil {
		return err
	}
	defer rows.Close()
	v := Violation{Rule: rule.name}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		v.add(id)
	}
	switch rule.name {
	case ruleRoutedWithoutOutcome:
		r.DispatchWithoutCapture = v.Count
	case rulePinnedWithOutcome:
		r.CaptureWithoutRoute = v.Count
	}
	r.report(v)
	return rows.Err()
}

func (v *Violation) add(id string) {
	v.Count++
	if len(v.IDs) < idsShown {
		v.IDs = append(v.IDs, id)
	}
}

func (r *Report) report(v Violation) {
	if v.Count > 0 {
		r.Violations = append(r.Violations, v)
	}
}

// chainPage is how many events are read at once.
const chainPage = 500

// walkChain verifies one agent's whole chain, which must begin with event 1 and reach its head, and counts its events.
func walkChain(ctx context.Context, db bun.IDB, agentID string) (ChainResult, int64, error) {
	var head schema.AuditHead // read first: what is appended meanwhile is behind it
	err := db.NewSelect().Model(&head).Where("h.agent_id = ?", agentID).Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return ChainResult{}, 0, err
	}
	v := proof.NewChain(1, "")
	for {
		var page []schema.AuditEvent
		err := db.NewSelect().Model(&page).Where("agent_id = ? AND seq >= ?", agentID, v.Next()).Order("seq").Limit(chainPage).Scan(ctx)
		if err != nil {
			return ChainResult{}, 0, err
		}
		if last := v.Next() - 1; len(page) == 0 && last < head.Seq {
			return ChainResult{BrokenAtSeq: v.Next(), Reason: fmt.Sprintf("%s: expected event %d, found a chain that ends at %d", proof.RuleTail, head.Seq, last)}, last, nil
		} else if len(page) == 0 {
			return ChainResult{Valid: true}, last, nil
		}
		for i := range page {
			e := chainEvent(&page[i])
			good := v.Next() - 1
			if broken := v.Add(&e); broken != nil {
				return ChainResult{BrokenAtSeq: e.Seq, Reason: broken.Reason(e.Seq)}, good, nil
			}
			if e.Seq == head.Seq && e.EventHash != head.EventHash {
				return ChainResult{BrokenAtSeq: e.Seq, Reason: fmt.Sprintf("%s: expected %s, found %s", proof.RuleHead, head.EventHash, e.EventHash)}, good, nil
			}
		}
	}
}

// VerifyAgent verifies an agent's whole chain in the store, up to its head, and returns how many events of it are good.
// It is what a caller may ask for at any time; Verify judges the receipts, the signed heads and the roots as well.
func (b *Books) VerifyAgent(ctx context.Context, agentID string) (ChainResult, int64, error) {
	result, n, err := walkChain(ctx, b.db, agentID)
	if err != nil {
		return result, n, fmt.Errorf("verify the chain of %s: %w", agentID, err)
	}
	return result, n, nil
}
