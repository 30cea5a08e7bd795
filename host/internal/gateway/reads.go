package gateway

import (
	"math"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

const (
	// pageLength is how many records a page holds where the caller asks for no number, and maxPage the most it may ask for.
	pageLength, maxPage = 100, 500
)

// instant is a time as answers carry it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// usd is an amount as answers carry it; nil is none.
func usd(micro *int64) *string {
	if micro == nil {
		return nil
	}
	s := money.USD(*micro)
	return &s
}

// An agentBody is an agent as the endpoints show it.
type agentBody struct {
	ID            string  `json:"id"`
	AgentID       string  `json:"agent_id"` // the same, where published clients look
	TenantID      string  `json:"tenant_id"`
	Name          string  `json:"name"`
	Status        string  `json:"status"`
	Wallet        string  `json:"wallet"`
	PerCallCapUSD *string `json:"per_call_cap_usd"`
	DailyCapUSD   *string `json:"daily_cap_usd"`
	CreatedAt     string  `json:"created_at"`
}

func agentOf(a *capture.Agent) agentBody {
	return agentBody{a.ID, a.ID, a.TenantID, a.Name, a.Status, a.WalletMode, usd(a.PerCallCapMicroUSD), usd(a.DailyCapMicroUSD), instant(a.CreatedAt)}
}

// agentHere is the agent of the path, if the visitor may see it.
func (v *visit) agentHere() (capture.Agent, error) {
	id, err := v.id()
	if err != nil {
		return capture.Agent{}, err
	}
	return v.s.cfg.Books.AgentIn(v.r.Context(), v.scope(), id)
}

// readAgent is GET /v1/agents/{id}.
func readAgent(v *visit) (int, any, error) {
	a, err := v.agentHere()
	return http.StatusOK, agentOf(&a), err
}

type walletBody struct {
	AgentID    string `json:"agent_id"`
	Mode       string `json:"mode"`
	BalanceUSD string `json:"balance_usd"` // net of open holds; a metered wallet's is below zero
}

// readWallet is GET /v1/wallets/{agent_id}.
func readWallet(v *visit) (int, any, error) {
	a, err := v.agentHere()
	return http.StatusOK, walletBody{a.ID, a.WalletMode, money.USD(a.BalanceMicroUSD)}, err
}

type ledgerBody struct {
	AgentID    string      `json:"agent_id"`
	BalanceUSD string      `json:"balance_usd"` // behind the newest entry
	Entries    []entryBody `json:"entries"`
}

type entryBody struct {
	ID              string `json:"id"`
	AgentID         string `json:"agent_id"`
	InferenceID     string `json:"inference_id,omitempty"`
	Kind            string `json:"kind"`
	AmountUSD       string `json:"amount_usd"`
	BalanceAfterUSD string `json:"balance_after_usd"`
	Memo            string `json:"memo,omitempty"`
	CreatedAt       string `json:"created_at"`
}

// readLedger is GET /v1/ledger/{agent_id}, the newest entry first.
func readLedger(v *visit) (int, any, error) {
	limit, err := v.number("limit", pageLength, 1, maxPage)
	if err != nil {
		return 0, nil, err
	}
	a, err := v.agentHere()
	if err != nil {
		return 0, nil, err
	}
	entries, err := v.s.cfg.Books.Ledger(v.r.Context(), a.ID, int(limit))
	if err != nil {
		return 0, nil, err
	}
	body := ledgerBody{AgentID: a.ID, BalanceUSD: money.USD(0), Entries: make([]entryBody, len(entries))}
	for i, e := range entries {
		body.Entries[i] = entryBody{e.ID, e.AgentID, e.InferenceID, e.Kind, money.USD(e.AmountMicroUSD), money.USD(e.BalanceAfterMicroUSD), e.Note, instant(e.CreatedAt)}
	}
	if len(entries) > 0 {
		body.BalanceUSD = body.Entries[0].BalanceAfterUSD
	}
	return http.StatusOK, body, nil
}

// chainHere is the id of the chain that the path names: an agent's, or, for the operator, the operators' own.
func (v *visit) chainHere() (string, error) {
	if id := mux.Vars(v.r)["id"]; v.admin && id == schema.OperatorChain {
		return id, nil
	}
	a, err := v.agentHere()
	return a.ID, err
}

type eventsBody struct {
	AgentID string               `json:"agent_id"`
	Events  []capture.ChainEvent `json:"events"`
}

// readEvents is GET /v1/audit/{agent_id}: the events after since_seq, oldest first.
func readEvents(v *visit) (int, any, error) {
	limit, err := v.number("limit", pageLength, 1, maxPage)
	if err != nil {
		return 0, nil, err
	}
	since, err := v.number("since_seq", 0, 0, math.MaxInt64)
	if err != nil {
		return 0, nil, err
	}
	id, err := v.chainHere()
	if err != nil {
		return 0, nil, err
	}
	events, err := v.s.cfg.Books.Events(v.r.Context(), id, since, int(limit))
	return http.StatusOK, eventsBody{id, events}, err
}

type verifyBody struct {
	AgentID       string  `json:"agent_id"`
	EventCount    int64   `json:"event_count"` // those that are good
	Valid         bool    `json:"valid"`
	FailureSeq    *int64  `json:"failure_seq"`
	FailureReason *string `json:"failure_reason"`
}

// verifyEvents is GET /v1/audit/{agent_id}/verify: the whole chain as the store has it.
func verifyEvents(v *visit) (int, any, error) {
	id, err := v.chainHere()
	if err != nil {
		return 0, nil, err
	}
	result, count, err := v.s.cfg.Books.VerifyAgent(v.r.Context(), id)
	body := verifyBody{AgentID: id, EventCount: count, Valid: result.Valid}
	if !result.Valid {
		body.FailureSeq, body.FailureReason = &result.BrokenAtSeq, &result.Reason
	}
	return http.StatusOK, body, err
}

type pendingBody struct {
	ReceiptID   string `json:"receipt_id"`
	InferenceID string `json:"inference_id"`
	AgentID     string `json:"agent_id"`
	Status      string `json:"status"`
}

// readReceipt is GET /v1/receipts/{id}: pending until the call has ended and its events have their place, then the signed
// document, byte for byte.
func readReceipt(v *visit) (int, any, error) {
	id, err := v.id()
	if err != nil {
		return 0, nil, err
	}
	r, err := v.s.cfg.Books.ReceiptIn(v.r.Context(), v.scope(), id)
	if err != nil {
		return 0, nil, err
	}
	if r.Status == capture.ReceiptPending {
		return http.StatusOK, pendingBody{r.ID, r.InferenceID, r.AgentID, r.Status}, nil
	}
	return http.StatusOK, r.Document, nil
}
