package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
)

// reject writes down a call that was refused before any dispatch, where one is to be written down, and returns what the
// caller is told: the refusal, or that it could not be recorded.
func (c *call) reject(e *apiError, plan *route.Plan) error {
	status, recorded := outcomes[e.code]
	if !recorded {
		return e
	}
	rej := &capture.Rejection{
		Agent: c.agent, RequestID: c.id, Endpoint: c.r.URL.Path, Stream: c.req.Stream, Status: status, Code: e.code,
		Message: e.message, CreatedAt: c.start, RequestHash: c.requestHash, Pinned: !c.world.Router.IsRouted(c.req.Model),
	}
	if !rej.Pinned {
		rej.Decided = c.decided(plan)
	}
	rej.Key = c.keyEnd(e)
	ctx, cancel := c.lasting()
	defer cancel()
	if _, err := c.s.cfg.Books.Reject(ctx, rej); err != nil {
		return c.unrecorded("record the refusal", err)
	}
	c.keyEnded()
	return e
}

// decided is the record of a routed call's decision; plan may be nil, where it did not come to one.
func (c *call) decided(p *route.Plan) *capture.Decided {
	d := &capture.Decided{Target: c.world.Router.Canonical(c.req.Model)}
	if p == nil {
		return d
	}
	d.TaskType, d.Cell, d.Preference, d.Affinity = p.TaskType, p.Cell, p.Preference, p.Affinity
	d.RoutingHint, d.Excluded = string(p.Hint), p.Excluded()
	if p.Baseline != nil {
		d.BaselineSlug, d.BaselineUSD = p.Baseline.Slug, money.USD(p.BaselineMicroUSD)
	}
	if q := p.Decision; q != nil {
		d.PolicyName, d.PolicyVersion, d.PolicyModule = q.PolicyName, q.PolicyVersion, q.PolicyModule
		d.Rule, d.ChosenSlug, d.RulesetHash, d.ProjectedUSD = q.Rule, q.Chosen, q.RulesetHash, q.ProjectedUSD
		d.Input, d.Output = q.Input, q.Output
	}
	return d
}

// book makes the decision and the hold durable, before the first dispatch, or raises the hold for a dearer try.
func (c *call) book(cand *route.Candidate, provider string) error {
	ctx, cancel := c.lasting()
	defer cancel()
	if c.booked != nil {
		return c.raise(ctx, cand)
	}
	b := &capture.Begin{
		Agent: c.agent, InferenceID: c.inferenceID, ReceiptID: c.receiptID, RequestID: c.id, Endpoint: c.r.URL.Path,
		Stream: c.req.Stream, Model: cand.Entry.Slug, Provider: provider, HoldMicroUSD: cand.HoldMicroUSD,
		RequestHash: c.requestHash, RequestBody: c.body, RequestedModel: c.req.Model, CreatedAt: c.start,
	}
	if c.plan.Routed {
		b.OutcomeID, b.Decided = capture.NewID(), c.decided(c.plan)
	}
	began := time.Now()
	booked, err := c.s.cfg.Books.Begin(ctx, b)
	c.s.cfg.Metrics.Booked(time.Since(began))
	if tooMuch(err) && c.cheaperBehind(cand) {
		c.unpaid = err
		return errTooDear // the session's model came first, say, and one behind it can still be paid for
	}
	if err != nil {
		return c.notBooked(err)
	}
	c.booked, c.hold = booked, cand.HoldMicroUSD
	c.head("X-Ainfera-Inference-Id", c.inferenceID)
	c.head("X-Ainfera-Receipt-Id", c.receiptID)
	return nil
}

// raise holds more for a dearer candidate. It is errTooDear where the agent can't have that much held: the call goes on
// with whoever is cheaper.
func (c *call) raise(ctx context.Context, cand *route.Candidate) error {
	if cand.HoldMicroUSD <= c.hold {
		return nil
	}
	err := c.booked.RaiseHold(ctx, cand.HoldMicroUSD)
	switch {
	case err == nil:
		c.hold = cand.HoldMicroUSD
		return nil
	case tooMuch(err):
		return errTooDear
	}
	return c.unrecorded("raise the hold", err)
}

// tooMuch reports whether the books refused for the amount of the hold.
func tooMuch(err error) bool {
	var capped *capture.CapError
	return errors.Is(err, capture.ErrInsufficientFunds) || errors.As(err, &capped)
}

// cheaperBehind reports whether a candidate behind cand needs a smaller hold.
func (c *call) cheaperBehind(cand *route.Candidate) bool {
	seen := false
	for i := range c.plan.Candidates {
		other := &c.plan.Candidates[i]
		if seen && other.HoldMicroUSD < cand.HoldMicroUSD {
			return true
		}
		seen = seen || other == cand
	}
	return false
}

// errTooDear is the error of a candidate for which no more can be held.
var errTooDear = errors.New("the agent's balance or caps don't cover what this model could cost")

// notBooked turns the books' refusal into the caller's error, with its row.
func (c *call) notBooked(err error) error {
	var capped *capture.CapError
	switch {
	case errors.As(err, &capped) && capped.Daily:
		return c.reject(fail(route.CodeDailyCap, "this call could cost more than what is left of the agent's daily cap; it starts anew at 00:00 UTC"), c.plan)
	case errors.As(err, &capped):
		return c.reject(fail(route.CodePerCallCap, "this call could cost more than the agent may spend on one"), c.plan)
	case errors.Is(err, capture.ErrInsufficientFunds):
		return c.reject(fail(codeInsufficientFunds, "the agent's balance does not cover what this call could cost: its operator can top it up"), c.plan)
	case errors.Is(err, capture.ErrAgentNotActive):
		return c.reject(fail(codeAgentNotActive, "agent "+c.agent.Name+" is not active: its operator can resume it"), c.plan)
	}
	return c.unrecorded("record the decision", err)
}

// unavailable is the refusal of a call for which the books could not be read.
func (c *call) unavailable(step string, err error) error {
	if end := c.ended(); end != nil {
		return end
	}
	return c.unrecorded(step, err)
}

// unrecorded is the refusal of a call that could not be written down.
func (c *call) unrecorded(step string, err error) error {
	c.s.cfg.Logger.Error("capture unavailable", "request-id", c.id, "step", step, "error", err)
	e := fail(codeCaptureUnavailable, "the router can't record this call now, so it was not made: try again shortly")
	e.retryAfter = time.Second
	return e
}

// lasting is a context for work that must not end with the caller's connection.
func (c *call) lasting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(c.r.Context()), c.s.cfg.CompleteWithin)
}

// complete writes the ended call down, if it was booked. It is deferred from before the first try, so that every way out
// passes, a panic too: that leaves no status. told is the error that the caller will be told, if any.
func (c *call) complete(told error) {
	if c.booked == nil {
		return
	}
	if c.done.Status == "" {
		c.done.Status, c.done.Code = schema.StatusFailedHost, codeInternal
	}
	now := c.s.cfg.Now()
	c.done.CompletedAt, c.done.Latency, c.done.TTFT, c.done.Attempts = now, now.Sub(c.start), c.ttft, c.attempts
	c.done.Key = c.keyEnd(told)
	ctx, cancel := c.lasting()
	defer cancel()
	if err := c.booked.Complete(ctx, &c.done); err != nil {
		c.s.cfg.Logger.Error("complete the call", "request-id", c.id, "inference-id", c.inferenceID, "error", err)
		return
	}
	c.keyEnded()
}
