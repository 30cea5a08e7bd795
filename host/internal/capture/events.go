package capture

import (
	"time"

	"github.com/ainfera-ai/router/host/internal/money"
)

// The routers that inference.routed names: the product's own, whichever target was asked for, or none.
const (
	routerInference = "ainfera-inference"
	routerDirect    = "direct"
)

// eventReceiptCreated is the event that a receipt is signed over.
const eventReceiptCreated = "receipt.created"

// endEvents gives the call's events their places in the agent's chain and signs the receipt over them. A call that is
// amended was requested and routed before.
func (c *Call) endEvents(b *batch, a *account, d *Completion, s settlement, amended bool) {
	if !amended {
		b.event(a, "inference.requested", c.requestedPayload(), c.begin.CreatedAt)
		b.event(a, "inference.routed", c.routedPayload(), c.begin.CreatedAt)
	}
	b.event(a, "provider.responded", c.respondedPayload(d), d.CompletedAt)
	b.event(a, "ledger.debited", c.debitedPayload(d, s), d.CompletedAt)
	b.event(a, eventReceiptCreated, c.receiptPayload(d), d.CompletedAt)

	body := c.receiptBody(b, a, d, s)
	signature := b.signer.Sign(body)
	if amended {
		b.add(amendReceipt, a.seq, string(body), signature, b.signer.KeyID(), d.CompletedAt, c.begin.ReceiptID)
		return
	}
	b.add(insertReceipt, c.begin.ReceiptID, c.begin.InferenceID, a.agentID, a.seq, string(body), signature,
		b.signer.KeyID(), d.CompletedAt)
}

// Payloads are canonical JSON, and carry hashes of content, never content. Keys are in order.

func (c *Call) requestedPayload() []byte {
	n := c.begin
	o := newObject(320)
	o.text("endpoint", n.Endpoint)
	o.text("inference_id", n.InferenceID)
	o.text("model", n.RequestedModel)
	o.opt("request_hash", n.RequestHash)
	o.text("request_id", n.RequestID)
	o.flag("stream", n.Stream)
	if n.Decided != nil {
		o.opt("task_type", n.Decided.TaskType)
	}
	return o.end()
}

func (c *Call) routedPayload() []byte {
	n, d := c.begin, c.begin.Decided
	o := newObject(640)
	if d == nil {
		o.text("inference_id", n.InferenceID)
		o.text("model_slug", n.Model)
		o.text("router", routerDirect)
		return o.end()
	}
	o.flag("affinity", d.Affinity)
	o.opt("cell", d.Cell)
	o.opt("decision_hash", c.output.hash)
	o.opt("decision_input_hash", c.input.hash)
	o.text("inference_id", n.InferenceID)
	o.opt("model_slug", d.ChosenSlug)
	o.text("outcome_id", n.OutcomeID)
	o.opt("policy_module", d.PolicyModule)
	o.opt("policy_version", d.PolicyVersion)
	o.text("router", routerInference)
	o.opt("ruleset_hash", d.RulesetHash)
	o.opt("target", d.Target)
	return o.end()
}

func (c *Call) respondedPayload(d *Completion) []byte {
	model, provider := c.served(d)
	o := newObject(640)
	o.opt("adapter_module", d.AdapterModule)
	o.num("attempts", int64(len(d.Attempts)))
	o.opt("code", d.Code)
	o.opt("finish_reason", d.FinishReason)
	o.text("inference_id", c.begin.InferenceID)
	o.opt("model_slug", model)
	o.opt("provider", provider)
	o.opt("response_hash", d.ResponseHash)
	o.text("status", d.Status)
	o.opt("upstream_id", d.UpstreamID)
	o.raw("usage", appendUsage(nil, d.Usage))
	o.flag("usage_estimated", d.UsageEstimated)
	o.text("vendor_cost_usd", money.USD(d.VendorCostMicroUSD))
	return o.end()
}

func (c *Call) debitedPayload(d *Completion, s settlement) []byte {
	o := newObject(320)
	o.text("amount_usd", money.USD(-s.debited))
	o.text("balance_after_usd", money.USD(s.balanceAfter))
	o.text("cost_usd", money.USD(d.CostMicroUSD))
	o.text("inference_id", c.begin.InferenceID)
	o.opt("kind", s.kind)
	o.text("uncollected_usd", money.USD(s.uncollected))
	return o.end()
}

func (c *Call) receiptPayload(d *Completion) []byte {
	o := newObject(192)
	o.text("cost_usd", money.USD(d.CostMicroUSD))
	o.text("inference_id", c.begin.InferenceID)
	o.text("receipt_id", c.begin.ReceiptID)
	return o.end()
}

// receiptBody is what the receipt's signature is over. The account's head is the call's receipt.created.
func (c *Call) receiptBody(b *batch, a *account, d *Completion, s settlement) []byte {
	n := c.begin
	decided := n.Decided
	if decided == nil {
		decided = &Decided{}
	}
	model, provider := c.served(d)
	router := routerDirect
	if n.Decided != nil {
		router = routerInference
	}
	o := newObject(1536)
	o.opt("adapter_module", d.AdapterModule)
	o.text("agent_id", n.Agent.ID)
	o.text("audit_hash", a.head)
	o.num("audit_seq", a.seq)
	o.text("completed_at", stamp(d.CompletedAt))
	o.text("cost_usd", money.USD(d.CostMicroUSD))
	o.text("created_at", stamp(n.CreatedAt))
	o.opt("decision_hash", c.output.hash)
	o.opt("decision_input_hash", c.input.hash)
	o.text("endpoint", n.Endpoint)
	o.opt("finish_reason", d.FinishReason)
	o.text("inference_id", n.InferenceID)
	o.text("key_id", b.signer.KeyID())
	o.opt("model", model)
	o.opt("outcome_id", n.OutcomeID)
	o.opt("policy_module", decided.PolicyModule)
	o.opt("policy_version", decided.PolicyVersion)
	o.opt("provider", provider)
	o.text("receipt_id", n.ReceiptID)
	o.opt("request_hash", n.RequestHash)
	o.text("request_id", n.RequestID)
	o.text("requested_model", n.RequestedModel)
	o.opt("response_hash", d.ResponseHash)
	o.text("router", router)
	o.opt("ruleset_hash", decided.RulesetHash)
	o.text("signed_at", stamp(b.now))
	o.text("status", d.Status)
	o.text("uncollected_usd", money.USD(s.uncollected))
	o.raw("usage", appendUsage(nil, d.Usage))
	o.flag("usage_estimated", d.UsageEstimated)
	return o.end()
}

func usageJSON(u Usage) string { return string(appendUsage(nil, u)) }

func appendUsage(b []byte, u Usage) []byte {
	o := object{b: append(b, '{')}
	o.num("cache_read_tokens", u.CacheRead)
	o.num("cache_write_1h_tokens", u.CacheWrite1h)
	o.num("cache_write_tokens", u.CacheWrite)
	o.num("input_tokens", u.Input)
	o.num("output_tokens", u.Output)
	o.num("reasoning_tokens", u.Reasoning)
	return o.end()
}

// attemptsJSON is the tries in order, or nothing where there was none.
func attemptsJSON(list []Attempt) string {
	if len(list) == 0 {
		return ""
	}
	b := []byte{'['}
	for i, t := range list {
		if i > 0 {
			b = append(b, ',')
		}
		o := newObject(256)
		o.num("duration_ms", t.Duration.Milliseconds())
		o.text("model", t.Model)
		o.text("provider", t.Provider)
		o.opt("reason", t.Reason)
		if t.Sends != 1 {
			o.num("sends", int64(t.Sends))
		}
		if !t.Started.IsZero() {
			o.text("started_at", stamp(t.Started))
		}
		if t.Status != 0 {
			o.num("status", int64(t.Status))
		}
		o.opt("upstream", t.Upstream)
		o.text("vendor_cost_usd", money.USD(t.VendorCostMicroUSD))
		b = append(b, o.end()...)
	}
	return string(append(b, ']'))
}

// stamp is a time as documents carry it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
