package capture

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// keyPrefix marks an api key as one of ours.
const keyPrefix = "ainfera_"

// An Agent is a caller as the books know it. What Authenticate returns is shared: do not change it.
type Agent struct {
	ID, TenantID, Name string
	TenantName         string
	Status             string // schema.AgentActive, schema.AgentSuspended
	WalletMode         string // schema.WalletMetered, schema.WalletPrepaid
	// The spend policy; nil is no cap.
	PerCallCapMicroUSD, DailyCapMicroUSD *int64
	CreatedAt                            time.Time
	// BalanceMicroUSD is the wallet's, as it was when the agent was read. What Authenticate returns may be seconds old.
	BalanceMicroUSD int64
}

// A NewAgent is an agent to be made.
type NewAgent struct {
	// Tenant is the name of who owns the agent, made when missing. Defaults to a tenant with the agent's own name.
	Tenant string
	// TenantID, where it is given, is the tenant instead, which must exist.
	TenantID string
	Name     string
	// WalletMode defaults to schema.WalletMetered.
	WalletMode string
	// BalanceMicroUSD is the first top-up; zero is none.
	BalanceMicroUSD                      int64
	PerCallCapMicroUSD, DailyCapMicroUSD *int64
}

// A Wallet is an agent's balance, net of open holds.
type Wallet struct {
	AgentID         string
	Mode            string
	BalanceMicroUSD int64
}

// CreateAgent makes an agent with its wallet and its first key. The key is returned this once; the books keep its
// SHA-256. ErrAgentExists when the tenant has an agent of that name, ErrUnknownTenant when there is no tenant of that id.
func (b *Books) CreateAgent(ctx context.Context, n NewAgent) (Agent, string, error) {
	if err := n.check(); err != nil {
		return Agent{}, "", err
	}
	key := newKey()
	var a Agent
	err := b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		tenantID, err := tenantOf(t, n)
		if err != nil {
			return err
		}
		a = Agent{
			ID: NewID(), TenantID: tenantID, Name: n.Name, Status: schema.AgentActive, WalletMode: n.WalletMode,
			PerCallCapMicroUSD: n.PerCallCapMicroUSD, DailyCapMicroUSD: n.DailyCapMicroUSD, CreatedAt: t.now,
		}
		return t.createAgent(&a, key, n.BalanceMicroUSD)
	}})
	if isUnique(err) {
		err = ErrAgentExists // another host was quicker
	}
	if err != nil {
		return Agent{}, "", fmt.Errorf("create agent %q: %w", n.Name, err)
	}
	return a, key, nil
}

// EnsureAgent makes the agent unless its tenant has one of that name, which is then returned as it is, without a key.
func (b *Books) EnsureAgent(ctx context.Context, n NewAgent) (a Agent, key string, created bool, err error) {
	if err := n.check(); err != nil {
		return Agent{}, "", false, err
	}
	a, err = b.oneAgent(ctx, "t.name = ? AND a.name = ?", n.Tenant, n.Name)
	if !errors.Is(err, ErrUnknownAgent) {
		return a, "", false, err
	}
	a, key, err = b.CreateAgent(ctx, n)
	if errors.Is(err, ErrAgentExists) {
		a, err = b.oneAgent(ctx, "t.name = ? AND a.name = ?", n.Tenant, n.Name)
		return a, "", false, err
	}
	return a, key, err == nil, err
}

// check fills in the defaults and refuses what can't be booked.
func (n *NewAgent) check() error {
	if n.Name == "" {
		return errors.New("an agent needs a name")
	}
	if n.Tenant == "" {
		n.Tenant = n.Name
	}
	if n.WalletMode == "" {
		n.WalletMode = schema.WalletMetered
	}
	if n.WalletMode != schema.WalletMetered && n.WalletMode != schema.WalletPrepaid {
		return fmt.Errorf("agent %q: wallet %q is neither %s nor %s", n.Name, n.WalletMode, schema.WalletMetered, schema.WalletPrepaid)
	}
	if n.BalanceMicroUSD < 0 || negative(n.PerCallCapMicroUSD) || negative(n.DailyCapMicroUSD) {
		return fmt.Errorf("agent %q: a balance or a cap is below zero", n.Name)
	}
	return nil
}

// MaxName is the longest name of an agent or a tenant, in characters.
const MaxName = 128

// PlainName reports whether name shows as one name in a list.
func PlainName(name string) bool {
	return name != "" && utf8.ValidString(name) && utf8.RuneCountInString(name) <= MaxName && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

func negative(n *int64) bool { return n != nil && *n < 0 }

var selectTenant = &statement{
	sqlite:   `SELECT id FROM tenants WHERE name = ?`,
	postgres: `SELECT id FROM tenants WHERE name = ANY($1)`,
	params:   []string{"text"},
}

var selectAgentNamed = &statement{
	sqlite:   `SELECT id FROM agents WHERE tenant_id = ? AND name = ?`,
	postgres: `SELECT id FROM agents WHERE tenant_id = ANY($1) AND name = ANY($2)`,
	params:   []string{"text", "text"},
}

var selectTenantByID = &statement{
	sqlite:   `SELECT id FROM tenants WHERE id = ?`,
	postgres: `SELECT id FROM tenants WHERE id = ANY($1)`,
	params:   []string{"text"},
}

func tenantOf(t *batch, n NewAgent) (string, error) {
	by, name := selectTenant, n.Tenant
	if n.TenantID != "" {
		by, name = selectTenantByID, n.TenantID
	}
	id := ""
	err := t.query(by, []any{name}, func(row []driver.Value) error {
		id = asText(row[0])
		return nil
	})
	if err != nil || id != "" {
		return id, err
	}
	if n.TenantID != "" {
		return "", ErrUnknownTenant
	}
	id = NewID()
	t.add(insertTenant, id, name, t.now)
	return id, nil
}

// createAgent leaves the rows of an agent and its first events.
func (t *batch) createAgent(a *Agent, key string, balance int64) error {
	exists := false
	err := t.query(selectAgentNamed, []any{a.TenantID, a.Name}, func([]driver.Value) error {
		exists = true
		return nil
	})
	if err != nil {
		return err
	}
	if exists {
		return ErrAgentExists
	}
	t.add(insertAgent, a.ID, a.TenantID, a.Name, a.Status, number(a.PerCallCapMicroUSD), number(a.DailyCapMicroUSD), t.now, t.now)
	t.add(insertKey, NewID(), a.ID, hashKey(key), t.now)
	t.add(insertWallet, a.ID, a.WalletMode, int64(0), t.now)
	t.add(insertHead, a.ID, int64(0))
	account := &account{
		agentID: a.ID, status: a.Status, perCall: a.PerCallCapMicroUSD, daily: a.DailyCapMicroUSD, mode: a.WalletMode,
	}
	t.open(account)

	o := newObject(160)
	o.text("agent_id", a.ID)
	o.text("name", a.Name)
	o.text("tenant_id", a.TenantID)
	o.text("wallet", a.WalletMode)
	t.event(account, "agent.created", o.end(), t.now)
	if balance > 0 {
		t.topUp(account, balance, "first balance")
	}
	return nil
}

func (t *batch) topUp(a *account, amount int64, note string) {
	t.entry(a, "", schema.LedgerTopUp, amount, note, t.now)
	o := newObject(160)
	o.text("amount_usd", money.USD(amount))
	o.text("balance_after_usd", money.USD(a.balance))
	o.opt("note", note)
	t.event(a, "wallet.topped_up", o.end(), t.now)
}

// TopUp adds to an agent's wallet. The amount must be above zero; note says why and may be empty.
func (b *Books) TopUp(ctx context.Context, nameOrID string, microUSD int64, note string) (Wallet, error) {
	if microUSD <= 0 {
		return Wallet{}, errors.New("a top-up must be above zero")
	}
	a, err := b.Agent(ctx, nameOrID)
	if err != nil {
		return Wallet{}, err
	}
	w := Wallet{AgentID: a.ID, Mode: a.WalletMode}
	err = b.writer.submit(ctx, &operation{agentID: a.ID, apply: func(t *batch) error {
		account, err := t.account(a.ID)
		if err != nil {
			return err
		}
		if account.balance > math.MaxInt64-microUSD {
			return errors.New("the balance would be larger than the books can keep")
		}
		t.topUp(account, microUSD, note)
		w.BalanceMicroUSD = account.balance
		return nil
	}})
	if err != nil {
		return Wallet{}, fmt.Errorf("top up %s: %w", nameOrID, err)
	}
	return w, nil
}

// SetAgentStatus suspends an agent or makes it active again. Calls that have begun are not touched.
func (b *Books) SetAgentStatus(ctx context.Context, nameOrID, status string) error {
	if status != schema.AgentActive && status != schema.AgentSuspended {
		return fmt.Errorf("status %q is neither %s nor %s", status, schema.AgentActive, schema.AgentSuspended)
	}
	return b.changeAgent(ctx, nameOrID, func(t *batch, a *account) {
		a.status = status
		t.add(updateStatus, status, t.now, a.agentID)
	})
}

// SetSpendPolicy replaces an agent's caps; nil is no cap.
func (b *Books) SetSpendPolicy(ctx context.Context, nameOrID string, perCallMicroUSD, dailyMicroUSD *int64) error {
	if negative(perCallMicroUSD) || negative(dailyMicroUSD) {
		return errors.New("a cap is below zero")
	}
	return b.changeAgent(ctx, nameOrID, func(t *batch, a *account) {
		a.perCall, a.daily = perCallMicroUSD, dailyMicroUSD
		t.add(updateCaps, number(perCallMicroUSD), number(dailyMicroUSD), t.now, a.agentID)
	})
}

// changeAgent is alone, so that no two changes of one agent meet in a batch, whose statements each run once.
func (b *Books) changeAgent(ctx context.Context, nameOrID string, change func(*batch, *account)) error {
	agent, err := b.Agent(ctx, nameOrID)
	if err != nil {
		return err
	}
	err = b.writer.submit(ctx, &operation{agentID: agent.ID, alone: true, apply: func(t *batch) error {
		a, err := t.account(agent.ID)
		if err == nil {
			change(t, a)
		}
		return err
	}})
	b.keys.forget()
	if err != nil {
		return fmt.Errorf("change agent %s: %w", nameOrID, err)
	}
	return nil
}

// agentRow is an agent with its wallet's mode.
type agentRow struct {
	schema.Agent `bun:",extend"`
	Mode         string `bun:"mode"`
	TenantName   string `bun:"tenant_name,scanonly"`
	Balance      int64  `bun:"balance,scanonly"`
}

func (r *agentRow) agent() Agent {
	return Agent{
		ID: r.ID, TenantID: r.TenantID, TenantName: r.TenantName, Name: r.Name, Status: r.Status, WalletMode: r.Mode,
		PerCallCapMicroUSD: r.PerCallCapMicroUSD, DailyCapMicroUSD: r.DailyCapMicroUSD, CreatedAt: r.CreatedAt,
		BalanceMicroUSD: r.Balance,
	}
}

func (b *Books) selectAgents(rows any) *bun.SelectQuery {
	return b.db.NewSelect().Model(rows).ColumnExpr("a.*, w.mode, w.balance_micro_usd AS balance, t.name AS tenant_name").
		Join("JOIN wallets AS w ON w.agent_id = a.id").Join("JOIN tenants AS t ON t.id = a.tenant_id")
}

// Agents lists all agents by tenant and name.
func (b *Books) Agents(ctx context.Context) ([]Agent, error) {
	var rows []agentRow
	if err := b.selectAgents(&rows).OrderExpr("t.name, a.name").Scan(ctx); err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	agents := make([]Agent, len(rows))
	for i := range rows {
		agents[i] = rows[i].agent()
	}
	return agents, nil
}

// Agent finds an agent by its id, or by its name where no two tenants have one of that name. ErrUnknownAgent,
// ErrAmbiguousAgent.
func (b *Books) Agent(ctx context.Context, nameOrID string) (Agent, error) {
	a, err := b.oneAgent(ctx, "a.id = ?", nameOrID)
	if errors.Is(err, ErrUnknownAgent) {
		a, err = b.oneAgent(ctx, "a.name = ?", nameOrID)
	}
	return a, err
}

func (b *Books) oneAgent(ctx context.Context, where string, args ...any) (Agent, error) {
	var rows []agentRow
	if err := b.selectAgents(&rows).Where(where, args...).Limit(2).Scan(ctx); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	switch len(rows) {
	case 0:
		return Agent{}, fmt.Errorf("%w: %v", ErrUnknownAgent, args[len(args)-1])
	case 1:
		return rows[0].agent(), nil
	}
	return Agent{}, fmt.Errorf("%w: %v", ErrAmbiguousAgent, args[len(args)-1])
}

// newKey makes an api key of 256 random bits.
func newKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: the process ends where there is no randomness
	return keyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
}

// hashKey is what the books keep of a key. A key is random, so that a plain hash can't be searched backwards.
func hashKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
