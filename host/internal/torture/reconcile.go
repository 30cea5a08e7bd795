package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

// A reconciliation holds what the vendors and the callers saw against the books. What the books say of themselves, that
// entries come to balances and chains are whole, is `capture check`'s.
type reconciliation struct {
	store   store
	vendors *vendors
	answers []answer

	found      tally
	mismatches []string
}

// An inference is what the books have of a call.
type inference struct {
	status, model, outcome string // outcome is empty of a pinned call
	input, output          int64
	estimated              bool // the vendor said nothing of usage, and neither did its caller's answer
	attempts               []attempt
}

// An attempt is one of a row's tries.
type attempt struct {
	Status int    `json:"status"`
	Sends  *int   `json:"sends"` // absent: one
	Reason string `json:"reason"`
}

func (a attempt) sends() int {
	if a.Sends == nil {
		return 1
	}
	return *a.Sends
}

func (r *reconciliation) mismatch(format string, args ...any) {
	r.mismatches = append(r.mismatches, fmt.Sprintf(format, args...))
}

func (r *reconciliation) run(ctx context.Context) error {
	books, err := r.read(ctx)
	if err != nil {
		return err
	}
	r.tries(books)
	r.answered(books)
	return r.wallets(ctx)
}

// read takes the inferences out of the store, each with its outcome. More than one outcome of an inference is a mismatch.
func (r *reconciliation) read(ctx context.Context) (map[string]inference, error) {
	rows, err := r.store.rows(ctx, `SELECT i.id, i.status, coalesce(i.model, ''), coalesce(i.outcome_id, ''), coalesce(o.id, ''), i.input_tokens,
		i.output_tokens, coalesce(o.attempts, i.attempts, ''), coalesce(o.outcome_status, i.status),
		CASE WHEN i.usage_estimated THEN 'yes' ELSE 'no' END
		FROM inferences i LEFT JOIN routing_outcomes o ON o.inference_id = i.id`)
	if err != nil {
		return nil, err
	}
	books := map[string]inference{}
	for _, row := range rows {
		id := row[0]
		if _, twice := books[id]; twice {
			r.mismatch("call %s has more than one outcome", id)
		}
		if row[3] != row[4] || row[8] != row[1] {
			r.mismatch("call %s is %s with outcome %q, and its outcome is %s with id %q", id, row[1], row[3], row[8], row[4])
		}
		i := inference{status: row[1], model: row[2], outcome: row[3], estimated: row[9] == "yes"}
		if i.input, err = strconv.ParseInt(row[5], 10, 64); err == nil {
			i.output, err = strconv.ParseInt(row[6], 10, 64)
		}
		if err == nil && row[7] != "" {
			err = json.Unmarshal([]byte(row[7]), &i.attempts)
		}
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", id, err)
		}
		books[id] = i
		r.found.add(i.status, 1)
	}
	refused, err := r.store.count(ctx, "SELECT count(*) FROM routing_outcomes WHERE inference_id IS NULL")
	r.found.add("refused", refused)
	return books, err
}

// tries holds every try that a vendor saw against the row that lists it. What a host that crashed was doing nobody could
// write down: of failed_host only the row itself is asked for.
func (r *reconciliation) tries(books map[string]inference) {
	seen := r.vendors.seen()
	for id, tries := range seen {
		i, ok := books[id]
		if !ok {
			r.mismatch("the vendors saw call %q, which the books do not know: tries %v", id, tries)
			continue
		}
		for n, times := range tries {
			switch {
			case n < 0:
				r.mismatch("the vendors saw call %s without the number of its try", id)
			case i.status == "failed_host" && n >= len(i.attempts):
				r.found.add("tries of hosts that crashed", 1)
			case n >= len(i.attempts):
				r.mismatch("the vendors saw try %d of call %s, which is %s and lists %d", n, id, i.status, len(i.attempts))
			case times > i.attempts[n].sends():
				r.mismatch("the vendors saw try %d of call %s %d times, and its row says %d (%s)", n, id, times, i.attempts[n].sends(), i.attempts[n].Reason)
			}
		}
	}
	for id, i := range books {
		for n, a := range i.attempts {
			r.found.add("tries listed", 1)
			if a.Status > 0 && seen[id][n] == 0 {
				r.mismatch("call %s lists try %d, answered with %d, which no vendor saw", id, n, a.Status)
			}
			if a.sends() == 0 {
				r.found.add("of them never sent", 1)
			}
		}
	}
}

// answered holds every answer that a caller got whole against its row.
func (r *reconciliation) answered(books map[string]inference) {
	byKey := map[string]string{}
	for _, a := range r.answers {
		i, ok := books[a.inference]
		switch {
		case !ok:
			r.mismatch("a caller was answered as call %q, which the books do not know", a.inference)
			continue
		case i.status != "succeeded":
			r.mismatch("call %s was answered whole and is %s", a.inference, i.status)
		case !i.estimated && (i.input != a.input || i.output != a.output):
			r.mismatch("call %s was answered with %d and %d tokens, and the books have %d and %d", a.inference, a.input, a.output, i.input, i.output)
		case i.model != a.model:
			r.mismatch("call %s was answered by %s, and the books have %s", a.inference, a.model, i.model)
		case a.routed != (i.outcome != ""):
			r.mismatch("call %s was routed: %v; its outcome is %q", a.inference, a.routed, i.outcome)
		}
		if a.key == "" {
			continue
		}
		if first, again := byKey[a.key]; again && first != a.inference {
			r.mismatch("key %s was answered as call %s and as call %s", a.key, first, a.inference)
		}
		byKey[a.key] = a.inference
	}
	r.found.add("answers held against their rows", len(r.answers))
}

// wallets asks that no prepaid wallet was ever below zero.
func (r *reconciliation) wallets(ctx context.Context) error {
	below, err := r.store.count(ctx, `SELECT count(*) FROM ledger_entries e JOIN wallets w ON w.agent_id = e.agent_id
		WHERE w.mode = 'prepaid' AND e.balance_after_micro_usd < 0`)
	if err != nil {
		return err
	}
	if below > 0 {
		r.mismatch("a prepaid wallet was below zero %d times", below)
	}
	for _, kind := range []string{"hold", "settle", "refund", "correction"} {
		n, err := r.store.count(ctx, "SELECT count(*) FROM ledger_entries WHERE kind = '"+kind+"'")
		if err != nil {
			return err
		}
		r.found.add(kind+" entries", n)
	}
	return nil
}

// guards takes the sum of the guards' counts.
func (r *reconciliation) guards(sum float64) {
	if sum != 0 {
		r.mismatch("the guards counted %v", sum)
	}
}
