package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// Agents is what the listener needs of the capture room.
type Agents interface {
	Agents(ctx context.Context) ([]capture.Agent, error)
	Agent(ctx context.Context, nameOrID string) (capture.Agent, error)
	CreateAgent(ctx context.Context, n capture.NewAgent) (capture.Agent, string, error)
	SetAgentStatus(ctx context.Context, nameOrID, status string) error
	TopUp(ctx context.Context, nameOrID string, microUSD int64, note string) (capture.Wallet, error)
}

var _ Agents = (*capture.Books)(nil)

// maxForm is the largest body of a request here, maxTopUp the largest top-up, in micro-USD.
const (
	maxForm  = 64 << 10
	maxTopUp = 1_000_000_000_000_000
)

// desk answers operators about agents. An agent is named by its id, or by its name where that is one tenant's alone.
type desk struct {
	books Agents
	log   hclog.Logger
}

// routes adds the desk's endpoints to a router that has asked for the token.
func (d *desk) routes(m *mux.Router) {
	m.HandleFunc("/agents", d.answer(d.list)).Methods(http.MethodGet)
	m.HandleFunc("/agents", d.answer(d.create)).Methods(http.MethodPost)
	m.HandleFunc("/agents/{agent}", d.answer(d.show)).Methods(http.MethodGet)
	m.HandleFunc("/agents/{agent}/suspend", d.answer(d.status(schema.AgentSuspended))).Methods(http.MethodPost)
	m.HandleFunc("/agents/{agent}/resume", d.answer(d.status(schema.AgentActive))).Methods(http.MethodPost)
	m.HandleFunc("/agents/{agent}/topup", d.answer(d.topUp)).Methods(http.MethodPost)
}

func bad(message string) error { return &badRequest{errors.New(message)} }

// agentRow is an agent as operators see it.
type agentRow struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Tenant        string  `json:"tenant"`
	TenantID      string  `json:"tenant_id"`
	Status        string  `json:"status"`
	Wallet        string  `json:"wallet"`
	BalanceUSD    string  `json:"balance_usd"`
	PerCallCapUSD *string `json:"per_call_cap_usd"`
	DailyCapUSD   *string `json:"daily_cap_usd"`
	APIKey        string  `json:"api_key,omitempty"` // of one that was made now
}

func rowOf(a *capture.Agent) agentRow {
	return agentRow{ID: a.ID, Name: a.Name, Tenant: a.TenantName, TenantID: a.TenantID, Status: a.Status, Wallet: a.WalletMode,
		BalanceUSD: money.USD(a.BalanceMicroUSD), PerCallCapUSD: usd(a.PerCallCapMicroUSD), DailyCapUSD: usd(a.DailyCapMicroUSD)}
}

func usd(micro *int64) *string {
	if micro == nil {
		return nil
	}
	s := money.USD(*micro)
	return &s
}

func (d *desk) list(r *http.Request) (int, any, error) {
	agents, err := d.books.Agents(r.Context())
	rows := make([]agentRow, len(agents))
	for i := range agents {
		rows[i] = rowOf(&agents[i])
	}
	return http.StatusOK, rows, err
}

func (d *desk) show(r *http.Request) (int, any, error) {
	a, err := d.books.Agent(r.Context(), agentNamed(r))
	return http.StatusOK, rowOf(&a), err
}

// create makes an agent. Its key is in the answer, this once.
func (d *desk) create(r *http.Request) (int, any, error) {
	var f struct {
		Name       string          `json:"name"`
		Tenant     string          `json:"tenant"`
		Wallet     string          `json:"wallet"`
		Balance    json.RawMessage `json:"balance_usd"`
		PerCallCap json.RawMessage `json:"per_call_cap_usd"`
		DailyCap   json.RawMessage `json:"daily_cap_usd"`
	}
	if err := form(r, &f); err != nil {
		return 0, nil, err
	}
	if f.Name == "" || f.Wallet != "" && f.Wallet != schema.WalletMetered && f.Wallet != schema.WalletPrepaid {
		return 0, nil, bad("an agent needs a name, and a wallet that is " + schema.WalletMetered + " or " + schema.WalletPrepaid)
	}
	if !capture.PlainName(f.Name) || f.Tenant != "" && !capture.PlainName(f.Tenant) {
		return 0, nil, bad(fmt.Sprintf("name and tenant must be at most %d printable characters, without spaces around them", capture.MaxName))
	}
	n := capture.NewAgent{Name: f.Name, Tenant: f.Tenant, WalletMode: f.Wallet}
	balance, err := amount("balance_usd", f.Balance)
	if balance != nil && err == nil {
		n.BalanceMicroUSD = *balance
		if n.BalanceMicroUSD > maxTopUp {
			err = bad("balance_usd is more than " + money.USD(maxTopUp))
		}
	}
	if err == nil {
		n.PerCallCapMicroUSD, err = amount("per_call_cap_usd", f.PerCallCap)
	}
	if err == nil {
		n.DailyCapMicroUSD, err = amount("daily_cap_usd", f.DailyCap)
	}
	if err != nil {
		return 0, nil, err
	}
	a, key, err := d.books.CreateAgent(r.Context(), n)
	if err != nil {
		return 0, nil, err
	}
	if a, err = d.books.Agent(r.Context(), a.ID); err != nil {
		return 0, nil, err
	}
	row := rowOf(&a)
	row.APIKey = key
	d.log.Info("agent created", "agent-id", a.ID, "tenant-id", a.TenantID, "wallet", a.WalletMode)
	return http.StatusCreated, row, nil
}

func (d *desk) status(status string) func(*http.Request) (int, any, error) {
	return func(r *http.Request) (int, any, error) {
		name := agentNamed(r)
		if err := d.books.SetAgentStatus(r.Context(), name, status); err != nil {
			return 0, nil, err
		}
		d.log.Info("agent's status set", "agent", name, "status", status)
		return d.show(r)
	}
}

func (d *desk) topUp(r *http.Request) (int, any, error) {
	var f struct {
		Amount json.RawMessage `json:"amount_usd"`
		Memo   string          `json:"memo"`
	}
	if err := form(r, &f); err != nil {
		return 0, nil, err
	}
	micro, err := amount("amount_usd", f.Amount)
	switch {
	case err != nil:
		return 0, nil, err
	case micro == nil || *micro == 0 || *micro > maxTopUp:
		return 0, nil, bad("amount_usd must be above zero, and at most " + money.USD(maxTopUp))
	}
	if _, err := d.books.TopUp(r.Context(), agentNamed(r), *micro, f.Memo); err != nil {
		return 0, nil, err
	}
	status, body, err := d.show(r)
	if err == nil {
		status = http.StatusCreated
	}
	return status, body, err
}

// agentNamed is the agent that the path names.
func agentNamed(r *http.Request) string {
	name, err := url.PathUnescape(mux.Vars(r)["agent"])
	if err != nil || strings.ContainsRune(name, 0) { // of which a store may make an error
		return ""
	}
	return name
}

// amount reads USD as a string or a number; absent or null is none.
func amount(name string, raw json.RawMessage) (*int64, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	n, err := money.ParseMicroJSON(raw)
	if err != nil {
		return nil, bad(name + " must be an amount in USD with at most six decimals, such as \"5.00\"")
	}
	return &n, nil
}

func form(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return bad("the request's body broke off before its end")
	}
	if len(body) > maxForm {
		return bad("the request's body is too large")
	}
	var kind *json.UnmarshalTypeError
	err = json.Unmarshal(body, into)
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return bad(kind.Field + " is a " + kind.Value + " where another kind of value is wanted")
	case kind != nil:
		return bad("the body is not the JSON object that is wanted, but another value: " + kind.Value)
	case err != nil:
		return bad("the body is not the JSON object that is wanted: " + err.Error())
	}
	return nil
}

// answer writes what a handler returns, or says why not.
func (d *desk) answer(handler func(*http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, body, err := handler(r)
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store") // it may hold a key
		writeJSON(w, status, body)
	}
}

// refuse answers an error about agents; what is no rule of the books' is the store's trouble, and goes to the log.
func (d *desk) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var mistake *badRequest
	switch {
	case errors.As(err, &mistake):
		writeJSON(w, http.StatusBadRequest, Error{Message: err.Error(), Code: "bad_request"})
	case errors.Is(err, capture.ErrUnknownAgent):
		writeJSON(w, http.StatusNotFound, Error{Message: "there is no such agent", Code: "unknown_agent"})
	case errors.Is(err, capture.ErrAmbiguousAgent):
		writeJSON(w, http.StatusConflict, Error{Message: capture.ErrAmbiguousAgent.Error(), Code: "ambiguous"})
	case errors.Is(err, capture.ErrAgentExists):
		writeJSON(w, http.StatusConflict, Error{Message: capture.ErrAgentExists.Error(), Code: "agent_exists"})
	default:
		d.log.Error("operator not served", "method", r.Method, "path", r.URL.Path, "error", err)
		writeJSON(w, http.StatusServiceUnavailable, Error{Message: "the store did not take it: the log says why", Code: "store_unavailable"})
	}
}
