package capture

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// What may be wrong with the money.
const (
	ruleSum        = "a wallet's entries do not come to its balance"
	ruleRunning    = "an entry's balance is not the running sum"
	ruleNoWallet   = "an entry has no wallet"
	ruleBelowZero  = "a prepaid wallet was below zero"
	ruleEntryKind  = "an entry without a call is not a top-up"
	ruleEntryCall  = "an entry is of a call that is not there"
	ruleEntryAgent = "an entry is of another agent's call"
	ruleSettlement = "an ended call does not have exactly one settlement"
	ruleOpen       = "an open call has been settled"
	ruleHold       = "a call's holds are not what it holds"
	ruleRelease    = "a hold was not released as it was held"
	ruleCost       = "a call's entries do not come to its cost"
	ruleCharged    = "a call that failed was charged"
	ruleOwed       = "what was not collected is not what the wallet lacked"
	ruleDay        = "a day's counters are not what its calls' entries say"
	ruleVendor     = "the vendors' cost is not that of the tries"
	ruleOutcome    = "an outcome's cost is not its call's"
)

// A LedgerReport is what CheckLedger looked at.
type LedgerReport struct {
	Wallets, Entries, Inferences, Days, OpenCalls int64
	// What the calls came to, micro-USD: the agents' cost, what of it was not collected, what the vendors charge the
	// operator, and what of that was for calls that were refunded.
	CostMicroUSD, UncollectedMicroUSD, VendorCostMicroUSD, RefundedVendorCostMicroUSD int64
	Findings                                                                          int64
}

// CheckLedger proves the money of the whole store, from its entries: every wallet, every call, every day. It reads one
// moment, so that it may run while calls are taken, and keeps no more than a row. found gets every violation.
func (b *Books) CheckLedger(ctx context.Context, found func(proof.Finding)) (LedgerReport, error) {
	var r LedgerReport
	err := b.snapshot(ctx, func(tx bun.Tx) (err error) {
		r, err = checkLedger(ctx, tx, found)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("check the ledger: %w", err)
	}
	return r, nil
}

// A ledgerCheck is one walk over the money.
type ledgerCheck struct {
	report LedgerReport
	tell   func(proof.Finding)
}

func checkLedger(ctx context.Context, db bun.IDB, found func(proof.Finding)) (LedgerReport, error) {
	c := &ledgerCheck{tell: found}
	wallets, calls := &walletWalk{ledgerCheck: c}, &callWalk{ledgerCheck: c}
	for _, walk := range []struct {
		what  string
		query string
		row   func(*sql.Rows) error
	}{
		{"wallets", entriesQuery, wallets.row},
		{"wallets without entries", emptyWalletsQuery, c.emptyWallet},
		{"entries without a call", loneEntriesQuery, c.loneEntry},
		{"calls", callsQuery, calls.row},
		{"days", daysQuery(db), c.day},
		{"the vendors' cost", vendorQuery, c.vendor},
	} {
		if err := each(ctx, db, walk.query, walk.row); err != nil {
			return c.report, fmt.Errorf("%s: %w", walk.what, err)
		}
		wallets.end()
		calls.end()
	}
	return c.report, nil
}

// each hands the rows of a query to row, one at a time.
func each(ctx context.Context, db bun.IDB, query string, row func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *ledgerCheck) found(f proof.Finding, rule, expected, found string) {
	f.Rule, f.Expected, f.Found = rule, expected, found
	c.report.Findings++
	c.tell(f)
}

func (c *ledgerCheck) foundMoney(f proof.Finding, rule string, expected, found int64) {
	c.found(f, rule, money.USD(expected), money.USD(found))
}

// entriesQuery is every entry in its wallet's order, with the wallet.
const entriesQuery = `SELECT l.agent_id, l.id, coalesce(l.inference_id, ''), l.amount_micro_usd, l.balance_after_micro_usd,
	coalesce(w.mode, ''), coalesce(w.balance_micro_usd, 0) FROM ledger_entries l
	LEFT JOIN wallets w ON w.agent_id = l.agent_id ORDER BY l.agent_id, l.id`

// A walletWalk adds each wallet's entries up.
type walletWalk struct {
	*ledgerCheck
	agentID, mode string
	balance, sum  int64
}

func (w *walletWalk) row(rows *sql.Rows) error {
	var agentID, id, inferenceID, mode string
	var amount, after, balance int64
	if err := rows.Scan(&agentID, &id, &inferenceID, &amount, &after, &mode, &balance); err != nil {
		return err
	}
	if agentID != w.agentID {
		w.end()
		w.agentID, w.mode, w.balance, w.sum = agentID, mode, balance, 0
	}
	w.report.Entries++
	w.sum += amount
	at := proof.Finding{AgentID: agentID, EntryID: id, InferenceID: inferenceID}
	if after != w.sum {
		w.foundMoney(at, ruleRunning, w.sum, after)
	}
	if mode == schema.WalletPrepaid && after < 0 {
		w.found(at, ruleBelowZero, "at least 0", money.USD(after))
	}
	return nil
}

// end judges the wallet whose last entry was read, once.
func (w *walletWalk) end() {
	switch at := (proof.Finding{AgentID: w.agentID}); {
	case w.agentID == "":
		return
	case w.mode == "":
		w.foundMoney(at, ruleNoWallet, w.sum, 0)
	case w.sum != w.balance:
		w.report.Wallets++
		w.foundMoney(at, ruleSum, w.sum, w.balance)
	default:
		w.report.Wallets++
	}
	w.agentID = ""
}

const emptyWalletsQuery = `SELECT w.agent_id, w.balance_micro_usd FROM wallets w
	WHERE NOT EXISTS (SELECT 1 FROM ledger_entries l WHERE l.agent_id = w.agent_id)`

func (c *ledgerCheck) emptyWallet(rows *sql.Rows) error {
	var agentID string
	var balance int64
	if err := rows.Scan(&agentID, &balance); err != nil {
		return err
	}
	c.report.Wallets++
	if balance != 0 {
		c.foundMoney(proof.Finding{AgentID: agentID}, ruleSum, 0, balance)
	}
	return nil
}

// loneEntriesQuery is the entries that no call accounts for.
const loneEntriesQuery = `SELECT l.agent_id, l.id, coalesce(l.inference_id, ''), l.kind, coalesce(i.agent_id, '') FROM ledger_entries l
	LEFT JOIN inferences i ON i.id = l.inference_id
	WHERE (l.inference_id IS NULL AND l.kind NOT IN ('topup', 'correction')) OR
		(l.inference_id IS NOT NULL AND (i.id IS NULL OR i.agent_id <> l.agent_id OR l.kind = 'topup'))`

func (c *ledgerCheck) loneEntry(rows *sql.Rows) error {
	var agentID, id, inferenceID, kind, owner string
	if err := rows.Scan(&agentID, &id, &inferenceID, &kind, &owner); err != nil {
		return err
	}
	switch at := (proof.Finding{AgentID: agentID, EntryID: id, InferenceID: inferenceID}); {
	case inferenceID == "":
		c.found(at, ruleEntryKind, "topup or correction", kind)
	case owner == "":
		c.found(at, ruleEntryCall, "an inference", "none")
	case owner != agentID:
		c.found(at, ruleEntryAgent, "agent "+owner, agentID)
	default:
		c.found(at, ruleEntryKind, "no top-up for a call", kind)
	}
	return nil
}

// daysQuery sets each day's counters beside what its calls' entries say. A call counts to the day on which it began. The
// entries are looked up call by call: grouped first, they would be laid out beside the store a second time.
func daysQuery(db bun.IDB) string {
	day := "substr(i.created_at, 1, 10)"
	if db.Dialect().Name() == dialect.PG {
		day = "to_char(i.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
	}
	return `SELECT agent_id, day, CAST(sum(spent) AS bigint), CAST(sum(held) AS bigint), CAST(sum(was_spent) AS bigint),
		CAST(sum(was_held) AS bigint) FROM (
			SELECT agent_id, day, spent_micro_usd AS spent, held_micro_usd AS held, 0 AS was_spent, 0 AS was_held FROM daily_spend
			UNION ALL
			SELECT agent_id, day, 0, 0, CASE WHEN status = 'pending' THEN 0 ELSE uncollected_micro_usd - total END,
				CASE WHEN status = 'pending' THEN -total ELSE 0 END
			FROM (SELECT i.agent_id, ` + day + ` AS day, i.status, i.uncollected_micro_usd, coalesce((SELECT sum(l.amount_micro_usd)
				FROM ledger_entries l WHERE l.inference_id = i.id), 0) AS total FROM inferences i) AS c
		) AS d GROUP BY agent_id, day`
}

func (c *ledgerCheck) day(rows *sql.Rows) error {
	var agentID, day string
	var spent, held, wasSpent, wasHeld int64
	if err := rows.Scan(&agentID, &day, &spent, &held, &wasSpent, &wasHeld); err != nil {
		return err
	}
	c.report.Days++
	if spent != wasSpent || held != wasHeld {
		c.found(proof.Finding{AgentID: agentID, Day: day}, ruleDay,
			fmt.Sprintf("%s spent and %s held", money.USD(wasSpent), money.USD(wasHeld)), fmt.Sprintf("%s and %s", money.USD(spent), money.USD(held)))
	}
	return nil
}
