package capture

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// callsQuery is every call's entries, call by call, and a call without entries once.
const callsQuery = `SELECT i.id, i.agent_id, i.status, i.hold_micro_usd, i.cost_micro_usd, i.uncollected_micro_usd,
	coalesce(l.kind, ''), coalesce(l.amount_micro_usd, 0), coalesce(l.balance_after_micro_usd, 0)
	FROM inferences i LEFT JOIN ledger_entries l ON l.inference_id = i.id ORDER BY i.id`

// A callMoney is one call and what its entries come to.
type callMoney struct {
	id, agentID, status       string
	hold, cost, uncollected   int64
	held                      int64 // by its hold entries
	settles, refunds          int64 // how many
	released                  int64 // by them
	corrections, corrected    int64 // how many, and by how much
	leftOver                  int64 // in the wallet after it was debited
	expected, got, whatBroken string
}

// A callWalk adds each call's entries up.
type callWalk struct {
	*ledgerCheck
	m callMoney
}

func (w *callWalk) row(rows *sql.Rows) error {
	var m callMoney
	var kind string
	var amount, after int64
	if err := rows.Scan(&m.id, &m.agentID, &m.status, &m.hold, &m.cost, &m.uncollected, &kind, &amount, &after); err != nil {
		return err
	}
	if m.id != w.m.id {
		w.end()
		w.m = m
	}
	w.m.add(kind, amount, after)
	return nil
}

func (m *callMoney) add(kind string, amount, after int64) {
	switch kind {
	case schema.LedgerHold:
		m.held -= amount
	case schema.LedgerSettle:
		m.settles, m.released, m.leftOver = m.settles+1, m.released+amount, after
	case schema.LedgerRefund:
		m.refunds, m.released = m.refunds+1, m.released+amount
	case schema.LedgerCorrection:
		m.corrections, m.corrected, m.leftOver = m.corrections+1, m.corrected+amount, after
	}
}

// end judges the call whose last entry was read, once.
func (w *callWalk) end() {
	m := &w.m
	if m.id == "" {
		return
	}
	w.report.Inferences++
	w.report.CostMicroUSD += m.cost
	w.report.UncollectedMicroUSD += m.uncollected
	judge := m.ended
	if m.status == schema.StatusPending {
		w.report.OpenCalls++
		judge = m.open
	}
	if !judge() {
		w.found(proof.Finding{AgentID: m.agentID, InferenceID: m.id}, m.whatBroken, m.expected, m.got)
	}
	w.m = callMoney{}
}

// debited is what the agent really paid.
func (m *callMoney) debited() int64 { return m.cost - m.uncollected }

func (m *callMoney) failed() bool {
	return m.status != schema.StatusSucceeded && m.status != schema.StatusCancelledClient
}

func (m *callMoney) broken(rule, expected, got string) bool {
	m.whatBroken, m.expected, m.got = rule, expected, got
	return false
}

func (m *callMoney) brokenMoney(rule string, expected, got int64) bool {
	return m.broken(rule, money.USD(expected), money.USD(got))
}

// open judges a call that has not ended: it holds, and nothing else has happened.
func (m *callMoney) open() bool {
	switch {
	case m.settles+m.refunds+m.corrections > 0:
		return m.broken(ruleOpen, "no settlement", m.settlements())
	case m.held != m.hold:
		return m.brokenMoney(ruleHold, m.hold, m.held)
	}
	return true
}

// ended judges a call that has: one settlement, by which the hold is released and the cost is debited. A call that was
// swept and then completed after all has its refund, and a correction of what it cost. A call that the store had
// forgotten and the journal had not, has no hold.
func (m *callMoney) ended() bool {
	switch {
	case m.settles+m.refunds != 1:
		return m.broken(ruleSettlement, "1 settle or 1 refund", m.settlements())
	case m.failed() && m.cost != 0:
		return m.brokenMoney(ruleCharged, 0, m.cost)
	case m.failed() && m.refunds != 1:
		return m.broken(ruleSettlement, "1 refund", m.settlements())
	case m.corrections > 1 || m.corrections == 1 && m.refunds != 1:
		return m.broken(ruleSettlement, "no correction, or 1 after a refund", m.settlements())
	case m.held != m.hold && m.held != 0:
		return m.brokenMoney(ruleHold, m.hold, m.held)
	case m.settles == 1 && m.released != m.held-m.debited():
		return m.brokenMoney(ruleRelease, m.held-m.debited(), m.released)
	case m.refunds == 1 && m.released != m.held:
		return m.brokenMoney(ruleRelease, m.held, m.released)
	case m.held-m.released-m.corrected != m.debited():
		return m.brokenMoney(ruleCost, m.debited(), m.held-m.released-m.corrected)
	case m.uncollected < 0 || m.uncollected > m.cost:
		return m.broken(ruleOwed, "at most the cost, "+money.USD(m.cost), money.USD(m.uncollected))
	case m.uncollected > 0 && m.leftOver != 0:
		return m.broken(ruleOwed, "a wallet that was emptied", money.USD(m.leftOver)+" in it")
	}
	return true
}

func (m *callMoney) settlements() string {
	return fmt.Sprintf("%d settle, %d refund, %d correction", m.settles, m.refunds, m.corrections)
}

// vendorQuery is every call that ended, with what its tries cost the operator.
const vendorQuery = `SELECT i.id, i.agent_id, i.status, i.cost_micro_usd, i.vendor_cost_micro_usd,
	coalesce(o.attempts, i.attempts, ''), coalesce(o.vendor_cost_usd, ''), coalesce(o.cost_actual_usd, '')
	FROM inferences i LEFT JOIN routing_outcomes o ON o.id = i.outcome_id WHERE i.status <> 'pending'`

// vendor judges what the vendors charge the operator, which is no part of the agents' ledger: the call's figure is that
// of its tries, failed ones too, and the outcome has the same.
func (c *ledgerCheck) vendor(rows *sql.Rows) error {
	var id, agentID, status, attempts, vendorUSD, costUSD string
	var cost, vendor int64
	if err := rows.Scan(&id, &agentID, &status, &cost, &vendor, &attempts, &vendorUSD, &costUSD); err != nil {
		return err
	}
	c.report.VendorCostMicroUSD += vendor
	if m := (callMoney{status: status}); m.failed() {
		c.report.RefundedVendorCostMicroUSD += vendor
	}
	at := proof.Finding{AgentID: agentID, InferenceID: id}
	switch tries, err := vendorCost(attempts); {
	case err != nil:
		c.found(at, ruleVendor, "tries with a cost each", err.Error())
	case tries != vendor:
		c.foundMoney(at, ruleVendor, tries, vendor)
	}
	if vendorUSD != "" && vendorUSD != money.USD(vendor) {
		c.found(at, ruleOutcome, money.USD(vendor)+" to the vendors", vendorUSD)
	}
	if costUSD != "" && costUSD != money.USD(cost) {
		c.found(at, ruleOutcome, money.USD(cost)+" to the agent", costUSD)
	}
	return nil
}

// vendorCost is the sum over the tries, micro-USD.
func vendorCost(attempts string) (int64, error) {
	if attempts == "" {
		return 0, nil
	}
	var tries []struct {
		USD string `json:"vendor_cost_usd"`
	}
	if err := json.Unmarshal([]byte(attempts), &tries); err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, t := range tries {
		micro, err := money.ParseMicro(t.USD)
		if err != nil {
			return 0, err
		}
		sum += micro
	}
	return sum, nil
}
