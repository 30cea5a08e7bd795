package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

const (
	// maxMemo is the longest note on a top-up, in bytes.
	maxMemo = 128
	// maxTopUp is the largest top-up, in micro-USD: what is larger is a slip of the keyboard.
	maxTopUp = 1_000_000_000_000_000
)

// An agentForm is what POST /v1/agents/signup and /v1/agents/register are sent. The published clients send
// agent_handle to the one and name to the other; both are read at both.
type agentForm struct {
	Name        string          `json:"name"`
	AgentHandle string          `json:"agent_handle"`
	TenantID    string          `json:"tenant_id"`
	Tenant      string          `json:"tenant"`
	Wallet      string          `json:"wallet"`
	PerCallCap  json.RawMessage `json:"per_call_cap_usd"`
	DailyCap    json.RawMessage `json:"daily_cap_usd"`
}

// agent is the agent that the form asks for, its tenant aside.
func (f *agentForm) agent() (capture.NewAgent, error) {
	n := capture.NewAgent{Name: f.Name, WalletMode: f.Wallet}
	if n.Name == "" {
		n.Name = f.AgentHandle
	}
	if err := checkName("name", n.Name); err != nil {
		return n, err
	}
	switch f.Wallet {
	case "", schema.WalletMetered, schema.WalletPrepaid:
	default:
		return n, invalid("wallet", "wallet must be "+schema.WalletMetered+" or "+schema.WalletPrepaid)
	}
	perCall, daily, err := caps(f.PerCallCap, f.DailyCap)
	n.PerCallCapMicroUSD, n.DailyCapMicroUSD = perCall.MicroUSD, daily.MicroUSD
	return n, err
}

func invalid(param, message string) *apiError {
	e := fail(codeInvalidRequest, message)
	e.param = param
	return e
}

// checkName refuses what would not show as one name in a list.
func checkName(param, name string) error {
	switch {
	case name == "":
		return invalid(param, "an agent needs a "+param)
	case !capture.PlainName(name):
		return invalid(param, fmt.Sprintf("%s must be at most %d printable characters, without spaces around them", param, capture.MaxName))
	}
	return nil
}

// amount reads USD as a string or a number.
func amount(param string, raw json.RawMessage) (int64, error) {
	n, err := money.ParseMicroJSON(raw)
	if err != nil {
		return 0, invalid(param, param+" must be an amount in USD with at most six decimals, such as \"5.00\"")
	}
	return n, nil
}

// caps reads the two caps of a spend policy: null is no cap, and what is absent is not set.
func caps(perCall, daily json.RawMessage) (p, d capture.CapChange, err error) {
	for _, f := range []struct {
		name string
		raw  json.RawMessage
		to   *capture.CapChange
	}{{"per_call_cap_usd", perCall, &p}, {"daily_cap_usd", daily, &d}} {
		f.to.Set = f.raw != nil
		if !f.to.Set || string(f.raw) == "null" {
			continue
		}
		n, err := amount(f.name, f.raw)
		if err != nil {
			return p, d, err
		}
		f.to.MicroUSD = &n
	}
	return p, d, nil
}

// A newAgentBody is an agent with its key, which is shown this once.
type newAgentBody struct {
	agentBody
	AgentHandle string `json:"agent_handle"`
	APIKey      string `json:"api_key"`
}

func (v *visit) create(n capture.NewAgent) (int, any, error) {
	a, key, err := v.s.cfg.Books.CreateAgent(v.r.Context(), n)
	switch {
	case errors.Is(err, capture.ErrAgentExists):
		return 0, nil, fail(codeAgentExists, "the tenant has an agent of that name already")
	case errors.Is(err, capture.ErrUnknownTenant):
		return 0, nil, capture.ErrNotFound
	case err != nil:
		return 0, nil, err
	}
	v.s.cfg.Logger.Info("agent created", "request-id", requestID(v.w), "agent-id", a.ID, "tenant-id", a.TenantID, "wallet", a.WalletMode)
	return http.StatusCreated, newAgentBody{agentOf(&a), a.Name, key}, nil
}

// signUp is POST /v1/agents/signup: anybody's, so that it makes a tenant that nobody else is in, under a name that nobody
// chose, and a wallet that has to be filled before it can spend.
func signUp(v *visit) (int, any, error) {
	if !v.s.cfg.Signup {
		return 0, nil, fail(codeSignupOff, "sign-up is off here: the operator turns it on with `signup { enabled = true }`, or makes an agent for you")
	}
	var f agentForm
	if err := v.form(&f); err != nil {
		return 0, nil, err
	}
	if f.Wallet == schema.WalletMetered {
		return 0, nil, fail(codeForbidden, "who signs up has a prepaid wallet")
	}
	n, err := f.agent()
	if err != nil {
		return 0, nil, err
	}
	n.Tenant, n.WalletMode = "signup-"+capture.NewID(), schema.WalletPrepaid
	return v.create(n)
}

// register is POST /v1/agents/register: a further agent of the visitor's tenant, which may do no more than the one that
// asks for it. It starts with that one's caps and kind of wallet, and nothing in it.
func register(v *visit) (int, any, error) {
	if err := v.active(); err != nil {
		return 0, nil, err
	}
	var f agentForm
	if err := v.form(&f); err != nil {
		return 0, nil, err
	}
	n, err := f.agent()
	if err != nil {
		return 0, nil, err
	}
	if v.admin {
		if n.TenantID, n.Tenant = f.TenantID, f.Tenant; n.Tenant != "" {
			if err := checkName("tenant", n.Tenant); err != nil {
				return 0, nil, err
			}
		}
		return v.create(n)
	}
	a := v.agent
	switch {
	case f.TenantID != "" && f.TenantID != a.TenantID, f.Tenant != "" && f.Tenant != a.TenantName:
		return 0, nil, capture.ErrNotFound // there or not, it is nobody's business here
	case n.WalletMode == schema.WalletMetered && a.WalletMode != schema.WalletMetered:
		return 0, nil, fail(codeForbidden, "an agent with a prepaid wallet can't make one whose wallet is metered")
	}
	n.TenantID = a.TenantID
	if n.WalletMode == "" {
		n.WalletMode = a.WalletMode
	}
	if f.PerCallCap == nil {
		n.PerCallCapMicroUSD = a.PerCallCapMicroUSD
	}
	if f.DailyCap == nil {
		n.DailyCapMicroUSD = a.DailyCapMicroUSD
	}
	return v.create(n)
}

// changeSpendPolicy is PATCH /v1/agents/{id}/spend-policy: a cap that is not named stays, null takes one off.
func changeSpendPolicy(v *visit) (int, any, error) {
	a, err := v.agentHere()
	if err != nil {
		return 0, nil, err
	}
	if err := v.active(); err != nil {
		return 0, nil, err
	}
	var f struct {
		PerCallCap json.RawMessage `json:"per_call_cap_usd"`
		DailyCap   json.RawMessage `json:"daily_cap_usd"`
	}
	if err := v.form(&f); err != nil {
		return 0, nil, err
	}
	perCall, daily, err := caps(f.PerCallCap, f.DailyCap)
	if err != nil {
		return 0, nil, err
	}
	if !perCall.Set && !daily.Set {
		return 0, nil, fail(codeInvalidRequest, "name per_call_cap_usd, daily_cap_usd, or both: an amount in USD, or null for no cap")
	}
	a.PerCallCapMicroUSD, a.DailyCapMicroUSD, err = v.s.cfg.Books.ChangeSpendPolicy(v.r.Context(), a.ID, perCall, daily)
	return http.StatusOK, agentOf(&a), err
}

type topUpBody struct {
	AgentID       string `json:"agent_id"`
	AmountUSD     string `json:"amount_usd"`
	NewBalanceUSD string `json:"new_balance_usd"`
	BalanceUSD    string `json:"balance_usd"`
}

// topUp is POST /v1/wallets/topup, which is the operator's.
func topUp(v *visit) (int, any, error) {
	if !v.admin {
		return 0, nil, fail(codeForbidden, "only the operator's token can top up a wallet")
	}
	var f struct {
		AgentID string          `json:"agent_id"`
		Amount  json.RawMessage `json:"amount_usd"`
		Memo    string          `json:"memo"`
	}
	if err := v.form(&f); err != nil {
		return 0, nil, err
	}
	micro, err := amount("amount_usd", f.Amount)
	switch {
	case err != nil:
		return 0, nil, err
	case micro <= 0 || micro > maxTopUp:
		return 0, nil, invalid("amount_usd", "amount_usd must be above zero, and at most "+money.USD(maxTopUp))
	case len(f.Memo) > maxMemo:
		return 0, nil, invalid("memo", fmt.Sprintf("memo must be at most %d bytes", maxMemo))
	case !validID(f.AgentID):
		return 0, nil, capture.ErrNotFound
	}
	w, err := v.s.cfg.Books.TopUp(v.r.Context(), f.AgentID, micro, f.Memo)
	balance := money.USD(w.BalanceMicroUSD)
	return http.StatusCreated, topUpBody{w.AgentID, money.USD(micro), balance, balance}, err
}
