package capture

import (
	"context"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/schema"
)

// A Rejection is a call that was refused before anything was dispatched.
type Rejection struct {
	Agent               *Agent // only its ID and TenantID are used
	RequestID, Endpoint string
	Stream              bool
	Source              string // prod (the default) or synthetic
	// Status is one of schema.StatusRejected… or StatusFailedPolicy.
	Status        string
	Code, Message string
	// Decided is as far as the decision came. A routed call without one was refused before a policy was asked; Target
	// is then all that is known.
	Decided     *Decided
	Pinned      bool // a pinned call: it has an audit event and no outcome
	Model       string
	CreatedAt   time.Time
	RequestHash string
	// Key ends the call's claim of an idempotency key, in the same transaction; nil where it holds none.
	Key *KeyEnd
}

// rejectEvents are the audit events of the ways to be refused.
var rejectEvents = map[string]string{
	schema.StatusRejectedFloor:      "inference.rejected_floor",
	schema.StatusRejectedCapability: "inference.rejected_capability",
	schema.StatusRejectedCap:        "inference.rejected_cap_violation",
	schema.StatusRejectedFunds:      "inference.rejected_funds",
	schema.StatusRejectedAgent:      "inference.rejected_agent",
	schema.StatusFailedPolicy:       "inference.rejected_policy",
}

// Reject books a refusal: one outcome row without an inference, and an audit event; of a pinned call the event alone.
// It returns the outcome's id, empty of a pinned call, when both are durable.
func (b *Books) Reject(ctx context.Context, r *Rejection) (outcomeID string, err error) {
	eventType := rejectEvents[r.Status]
	if eventType == "" {
		return "", fmt.Errorf("reject call: %q is not how a call is refused", r.Status)
	}
	created := r.CreatedAt
	if created.IsZero() {
		created = b.config.Now()
	}
	created = created.UTC().Truncate(time.Microsecond)
	row := outcomeRow{
		agent: r.Agent, requestID: r.RequestID, source: r.Source, stream: r.Stream, status: r.Status, code: r.Code,
		createdAt: created, completedAt: created, decided: &Decided{},
	}
	if row.source == "" {
		row.source = "prod"
	}
	if !r.Pinned {
		row.id = NewID()
	}
	if r.Decided != nil {
		row.decided, row.input, row.output = b.packDecided(r.Decided)
	}
	payload := rejectPayload(r, &row)
	err = b.writer.submit(ctx, &operation{agentID: r.Agent.ID, apply: func(t *batch) error {
		a, err := t.account(r.Agent.ID)
		if err != nil {
			return err
		}
		if !r.Pinned {
			row.add(t)
		}
		t.event(a, eventType, payload, created)
		t.endKey(r.Key)
		return nil
	}})
	if err != nil {
		return "", fmt.Errorf("book the refusal: %w", err)
	}
	b.keyHolds.end(r.Key)
	row.input.markStored()
	row.output.markStored()
	return row.id, nil
}

func rejectPayload(r *Rejection, row *outcomeRow) []byte {
	d := row.decided
	o := newObject(512)
	o.opt("cell", d.Cell)
	o.opt("code", r.Code)
	o.opt("decision_hash", row.output.hash)
	o.opt("decision_input_hash", row.input.hash)
	o.text("endpoint", r.Endpoint)
	o.opt("message", r.Message)
	o.opt("model", r.Model)
	o.opt("outcome_id", row.id)
	o.opt("policy_module", d.PolicyModule)
	o.opt("policy_version", d.PolicyVersion)
	o.opt("request_hash", r.RequestHash)
	o.text("request_id", r.RequestID)
	if r.Pinned {
		o.text("router", routerDirect)
	} else {
		o.text("router", routerInference)
	}
	o.opt("ruleset_hash", d.RulesetHash)
	o.text("status", r.Status)
	o.opt("target", d.Target)
	return o.end()
}
