package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

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
