package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/jwrite"
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

// inferenceHere is the inference of the path, if the visitor may see it.
func (v *visit) inferenceHere() (schema.Inference, error) {
	id, err := v.id()
	if err != nil {
		return schema.Inference{}, err
	}
	return v.s.cfg.Books.InferenceIn(v.r.Context(), v.scope(), id)
}

type inferenceBody struct {
	ID                 string          `json:"id"`
	InferenceID        string          `json:"inference_id"`
	AgentID            string          `json:"agent_id"`
	ReceiptID          string          `json:"receipt_id"`
	RequestID          string          `json:"request_id"`
	Endpoint           string          `json:"endpoint"`
	Stream             bool            `json:"stream"`
	Status             string          `json:"status"`
	Code               string          `json:"code,omitempty"`
	RequestedModel     string          `json:"requested_model"`
	Model              string          `json:"model"`
	Provider           string          `json:"provider"`
	UpstreamID         string          `json:"upstream_id,omitempty"`
	FinishReason       string          `json:"finish_reason,omitempty"`
	FinishReasonNative string          `json:"finish_reason_native,omitempty"`
	InputTokens        int64           `json:"input_tokens"`
	OutputTokens       int64           `json:"output_tokens"`
	CacheReadTokens    int64           `json:"cache_read_tokens"`
	CacheWriteTokens   int64           `json:"cache_write_tokens"`
	CacheWrite1hTokens int64           `json:"cache_write_1h_tokens"`
	ReasoningTokens    int64           `json:"reasoning_tokens"`
	UsageEstimated     bool            `json:"usage_estimated"`
	CostUSD            string          `json:"cost_usd"`
	UncollectedUSD     string          `json:"uncollected_usd"`
	VendorCostUSD      string          `json:"vendor_cost_usd"`
	RequestHash        string          `json:"request_hash,omitempty"`
	ResponseHash       string          `json:"response_hash,omitempty"`
	AdapterModule      string          `json:"adapter_module,omitempty"`
	TTFTMS             *int64          `json:"ttft_ms"`
	LatencyMS          *int64          `json:"latency_ms"`
	Attempts           json.RawMessage `json:"attempts"`
	Routing            *routingBody    `json:"routing"` // null: pinned
	CreatedAt          string          `json:"created_at"`
	CompletedAt        *string         `json:"completed_at"`
}

type routingBody struct {
	OutcomeID         string `json:"outcome_id"`
	Target            string `json:"target"`
	TaskType          string `json:"task_type,omitempty"`
	Cell              string `json:"cell,omitempty"`
	Preference        string `json:"preference,omitempty"`
	PolicyVersion     string `json:"policy_version,omitempty"`
	PolicyModule      string `json:"policy_module,omitempty"`
	RulesetHash       string `json:"ruleset_hash,omitempty"`
	DecisionRule      string `json:"decision_rule,omitempty"`
	ChosenModelSlug   string `json:"chosen_model_slug,omitempty"`
	ServedModelSlug   string `json:"served_model_slug,omitempty"`
	Affinity          bool   `json:"affinity"`
	OutcomeStatus     string `json:"outcome_status"`
	CostProjectedUSD  string `json:"cost_projected_usd,omitempty"`
	CostBaselineUSD   string `json:"cost_baseline_usd,omitempty"`
	BaselineModelSlug string `json:"baseline_model_slug,omitempty"`
}

// readInference is GET /v1/inferences/{id}.
func readInference(v *visit) (int, any, error) {
	i, err := v.inferenceHere()
	if err != nil {
		return 0, nil, err
	}
	body := inferenceOf(&i)
	if i.OutcomeID != "" {
		o, err := v.s.cfg.Books.Outcome(v.r.Context(), i.OutcomeID)
		if err != nil {
			return 0, nil, outOfStep(err)
		}
		body.Routing, body.Attempts = routingOf(&o), rawList(o.Attempts)
	}
	return http.StatusOK, body, nil
}

func inferenceOf(i *schema.Inference) inferenceBody {
	b := inferenceBody{
		ID: i.ID, InferenceID: i.ID, AgentID: i.AgentID, ReceiptID: i.ReceiptID, RequestID: i.RequestID, Endpoint: i.Endpoint, Stream: i.Stream,
		Status: i.Status, Code: i.Code, RequestedModel: i.RequestedModel, Model: i.Model, Provider: i.Provider, UpstreamID: i.UpstreamID,
		FinishReason: i.FinishReason, FinishReasonNative: i.FinishReasonNative, InputTokens: i.InputTokens, OutputTokens: i.OutputTokens,
		CacheReadTokens: i.CacheReadTokens, CacheWriteTokens: i.CacheWriteTokens, CacheWrite1hTokens: i.CacheWrite1hTokens,
		ReasoningTokens: i.ReasoningTokens, UsageEstimated: i.UsageEstimated, CostUSD: money.USD(i.CostMicroUSD),
		UncollectedUSD: money.USD(i.UncollectedMicroUSD), VendorCostUSD: money.USD(i.VendorCostMicroUSD), RequestHash: i.RequestHash,
		ResponseHash: i.ResponseHash, AdapterModule: i.AdapterModule, TTFTMS: i.TTFTMS, LatencyMS: i.LatencyMS, Attempts: rawList(i.Attempts),
		CreatedAt: instant(i.CreatedAt),
	}
	if i.CompletedAt != nil {
		at := instant(*i.CompletedAt)
		b.CompletedAt = &at
	}
	return b
}

func routingOf(o *schema.RoutingOutcome) *routingBody {
	return &routingBody{
		OutcomeID: o.ID, Target: o.Target, TaskType: o.TaskType, Cell: o.Cell, Preference: o.RoutingPreference, PolicyVersion: o.PolicyVersion,
		PolicyModule: o.PolicyModule, RulesetHash: o.RulesetHash, DecisionRule: o.DecisionRule, ChosenModelSlug: o.ChosenModelSlug,
		ServedModelSlug: o.ServedModelSlug, Affinity: o.Affinity, OutcomeStatus: o.OutcomeStatus, CostProjectedUSD: o.CostProjectedUSD,
		CostBaselineUSD: o.CostBaselineUSD, BaselineModelSlug: o.BaselineModelSlug,
	}
}

// rawList is a column that holds a JSON list, or nothing.
func rawList(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("[]")
	}
	return json.RawMessage(text)
}

// outOfStep is the error of a record that another one names. That it lacks is the books' fault, so that it must not read
// as the visitor's record that is not there.
func outOfStep(err error) error {
	if errors.Is(err, capture.ErrNotFound) {
		return fmt.Errorf("the books name a record that they don't have: %v", err)
	}
	return err
}

// readDecision is GET /v1/inferences/{id}/decision. ?part=decision_input and ?part=decision answer with those bytes alone,
// which are what the hashes are over.
func readDecision(v *visit) (int, any, error) {
	i, err := v.inferenceHere()
	if err != nil {
		return 0, nil, err
	}
	if i.OutcomeID == "" {
		return 0, nil, fail(codeNotFound, "this call named its model, so that no policy decided it")
	}
	o, err := v.s.cfg.Books.Outcome(v.r.Context(), i.OutcomeID)
	if err != nil {
		return 0, nil, outOfStep(err)
	}
	input, output, err := v.s.cfg.Books.Decision(v.r.Context(), i.OutcomeID)
	if err != nil {
		return 0, nil, outOfStep(err)
	}
	switch v.r.URL.Query().Get("part") {
	case "":
		return http.StatusOK, decisionBody(&i, &o, input, output), nil
	case "decision_input":
		return http.StatusOK, orNull(input), nil
	case "decision":
		return http.StatusOK, orNull(output), nil
	}
	e := fail(codeInvalidRequest, "part must be decision_input or decision")
	e.param = "part"
	return 0, nil, e
}

// decisionBody holds what the policy saw and what it answered, byte for byte.
func decisionBody(i *schema.Inference, o *schema.RoutingOutcome, input, output []byte) []byte {
	b := []byte{'{'}
	for _, f := range [...]struct{ k, v string }{{"inference_id", i.ID}, {"outcome_id", o.ID}, {"policy_version", o.PolicyVersion},
		{"policy_module", o.PolicyModule}, {"decision_input_hash", hashOf(input)}, {"decision_hash", hashOf(output)}} {
		b = jwrite.AppendString(jwrite.AppendKey(b, f.k), f.v)
	}
	b = append(jwrite.AppendKey(b, "decision_input"), orNull(input)...)
	b = append(jwrite.AppendKey(b, "decision"), orNull(output)...)
	return append(b, '}')
}

// orNull is a document, of which there is none where no policy came to a decision.
func orNull(document []byte) []byte {
	if len(document) == 0 {
		return []byte("null")
	}
	return document
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
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
