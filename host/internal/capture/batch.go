package capture

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// A batch is what one transaction of the writer reads and is about to write. Operations work on the accounts in memory,
// one after the other, and leave rows; flush writes them, each statement once.
type batch struct {
	tx  tx
	now time.Time
	// careful is set when an operation runs by itself after a batch failed: it must look before it writes.
	careful bool
	// signer is the key that was in force as the transaction began, and is for all of it.
	signer  *Signer
	hostID  string
	rows    map[*statement][]any
	touched []*account // what this transaction works on
	spent   []*day     // the days of which it moves the counters
	// accounts and days outlive the transaction, as long as the engine says that nobody else wrote.
	accounts map[string]*account
	days     map[dayKey]*day
	// pinned are the pinned calls that end; strays counts those of them that have an outcome row.
	pinned []any
	strays int64
	// keysHeld are those of the idempotency keys named by the operations that are not free.
	keysHeld map[string]bool
}

// An account is an agent's wallet, spend policy and the head of its audit chain. The operators' chain has no wallet.
type account struct {
	agentID        string
	status         string
	perCall, daily *int64
	mode           string
	balance        int64
	entry          string // the id of the wallet's last entry
	seq            int64
	head           string
	// What the transaction did with it.
	touched, paid, appended bool
	day                     *day // of those it worked on, the last
}

type dayKey struct{ agentID, day string }

// A day is what an agent spent and holds on one UTC day.
type day struct {
	key         dayKey
	spent, held int64
	changed     bool
}

// load reads what the operations need and is not known from before, under the locks that keep it true until the end of
// the transaction.
func (b *batch) load(ops []*operation) error {
	var ids, days, keys []any
	wanted := map[string]bool{}
	for _, op := range ops {
		if op.agentID == "" {
			continue
		}
		if b.accounts[op.agentID] == nil && !wanted[op.agentID] {
			wanted[op.agentID] = true
			ids = append(ids, op.agentID)
		}
		if key := (dayKey{op.agentID, op.day}); op.day != "" && b.days[key] == nil {
			b.days[key] = &day{key: key}
			days = append(days, op.agentID, op.day)
		}
		if op.keyID != "" {
			keys = append(keys, op.keyID, b.now, b.hostID, b.now)
		}
	}
	if len(ids) > 0 {
		if err := b.query(lockHeads, ids, func([]driver.Value) error { return nil }); err != nil {
			return err
		}
		if err := b.query(selectAccount, ids, b.readAccount); err != nil {
			return err
		}
	}
	if len(days) > 0 {
		if err := b.query(selectDay, days, b.readDay); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return b.query(selectKeyHeld, keys, func(row []driver.Value) error {
		b.keysHeld[asText(row[0])] = true
		return nil
	})
}

func (b *batch) readDay(row []driver.Value) error {
	d := b.days[dayKey{asText(row[0]), asText(row[1])}]
	d.spent, d.held = asInt(row[2]), asInt(row[3])
	return nil
}

// query reads in the batch's transaction.
func (b *batch) query(st *statement, params []any, each func(row []driver.Value) error) error {
	if err := b.tx.query(st, params, each); err != nil {
		return &storeError{"read", err}
	}
	return nil
}

func (b *batch) readAccount(row []driver.Value) error {
	b.accounts[asText(row[0])] = &account{
		agentID: asText(row[0]), seq: asInt(row[1]), head: asText(row[2]), status: asText(row[3]),
		perCall: asIntOrNil(row[4]), daily: asIntOrNil(row[5]), mode: asText(row[6]), balance: asInt(row[7]), entry: asText(row[8]),
	}
	return nil
}

// account is the account of an agent that the operation named.
func (b *batch) account(agentID string) (*account, error) {
	a := b.accounts[agentID]
	if a == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownAgent, agentID)
	}
	b.touch(a)
	return a, nil
}

func (b *batch) touch(a *account) {
	if !a.touched {
		a.touched = true
		b.touched = append(b.touched, a)
	}
}

// open adds the account of an agent that the transaction makes.
func (b *batch) open(a *account) {
	b.accounts[a.agentID] = a
	b.touch(a)
}

// add leaves a row for a statement of writeOrder.
func (b *batch) add(st *statement, params ...any) {
	if len(params) != len(st.params) || !st.listed {
		panic(fmt.Sprintf("capture: %d parameters for %s", len(params), st.sqlite))
	}
	for i, p := range params {
		if s, ok := p.(string); ok {
			params[i] = storable(s)
		}
	}
	b.rows[st] = append(b.rows[st], params...)
}

// storable is text as every store takes it: UTF-8 without NUL. What vendors send need not be, an id say, and a row that
// one store refuses would be a call that is written down nowhere.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// entry moves money: the one place where a balance changes, so that it is always the sum of its entries. A wallet's
// entries sort by their ids in the order in which they were booked, whatever the clocks of the hosts that booked them.
func (b *batch) entry(a *account, inferenceID, kind string, amount int64, note string, at time.Time) {
	a.balance += amount
	a.paid = true
	a.entry = idAfter(a.entry)
	b.add(insertEntry, a.agentID, a.entry, text(inferenceID), kind, amount, a.balance, text(note), at)
}

// event gives an event its place in the agent's chain.
func (b *batch) event(a *account, eventType string, payload []byte, at time.Time) {
	previous := a.head
	a.seq++
	a.head = proof.EventHash(previous, payload)
	a.appended = true
	b.add(insertEvent, a.agentID, a.seq, eventType, string(payload), text(previous), a.head, at)
}

// spend moves the day's counters.
func (b *batch) spend(a *account, dayName string, spent, held int64) {
	d := b.days[dayKey{a.agentID, dayName}]
	d.spent += spent
	d.held += held
	a.day = d
	if !d.changed {
		d.changed = true
		b.spent = append(b.spent, d)
	}
}

// flush writes what the operations left.
func (b *batch) flush() error {
	for _, a := range b.touched {
		if a.paid {
			b.add(updateWallet, a.balance, b.now, a.agentID)
		}
		if a.appended {
			b.add(updateHead, a.seq, a.head, a.agentID)
		}
	}
	for _, d := range b.spent {
		b.add(upsertDay, d.key.agentID, d.key.day, d.spent, d.held)
	}
	for _, st := range writeOrder {
		params := b.rows[st]
		if len(params) == 0 {
			continue
		}
		changed, err := b.tx.exec(st, params)
		if err != nil {
			return err
		}
		if st.exact && changed != int64(len(params)/len(st.params)) {
			return errUnexpectedRows
		}
	}
	if len(b.pinned) == 0 {
		return nil
	}
	return b.tx.query(selectStray, b.pinned, func([]driver.Value) error {
		b.strays++
		return nil
	})
}

// accountsKept is how many accounts are remembered between transactions.
const accountsKept = 4096

// reset makes the batch ready for the next transaction. It keeps the memory of the rows, up to a point.
func (b *batch) reset() {
	for _, a := range b.touched {
		a.touched, a.paid, a.appended, a.day = false, false, false, nil
	}
	for _, d := range b.spent {
		d.changed = false
	}
	b.touched, b.spent = b.touched[:0], b.spent[:0]
	b.pinned, b.strays = b.pinned[:0], 0
	clear(b.keysHeld)
	for st, params := range b.rows {
		clear(params) // lets go of what the rows held
		b.rows[st] = params[:0]
		if cap(params) > 1<<14 {
			delete(b.rows, st)
		}
	}
	if len(b.accounts) > accountsKept || len(b.days) > accountsKept {
		b.forget()
	}
}

// forget drops what was read: the next transaction reads it again.
func (b *batch) forget() {
	clear(b.accounts)
	clear(b.days)
}

func newBatch(hostID string) *batch {
	return &batch{
		hostID: hostID, keysHeld: map[string]bool{}, accounts: map[string]*account{}, days: map[dayKey]*day{}, rows: map[*statement][]any{},
	}
}

// prepaid reports whether the wallet gates: nothing limits a metered one.
func (a *account) prepaid() bool { return a.mode == schema.WalletPrepaid }

func asText(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func asInt(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func asIntOrNil(v driver.Value) *int64 {
	if n, ok := v.(int64); ok {
		return &n
	}
	return nil
}

// dayOf is the UTC day to which a call that began at t counts.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }
