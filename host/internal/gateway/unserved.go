package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// unserved returns why nobody served, once the call is booked: a routed call that ends before its first try gets its row
// like every other.
func (c *call) unserved(te *tryError) error {
	if c.booked == nil && c.plan.Routed {
		if err := c.bookUntried(); err != nil {
			return err
		}
	}
	return te
}

// exhausted is the error of a call whose candidates are all spent. soonest is when the first of them may be tried again.
func (c *call) exhausted(te *tryError, soonest time.Duration) error {
	switch {
	case te == nil || !te.refused || c.booked != nil:
	case soonest > 0: // one was not asked, and might have taken it: the others' refusal is not everybody's
		te = nil
	case c.unpaid != nil: // one took it, and can't be paid for
		return c.notBooked(c.unpaid)
	default:
		return c.reject(refusedByAdapters(te, c.plan), c.plan)
	}
	if te == nil {
		te = &tryError{reason: keptOut, message: "every deployment asked to be left alone for a while"}
	}
	te.retryAfter = soonest
	if err := c.unserved(te); c.booked != nil || c.plan.Routed {
		return err
	}
	return c.vendorError(te) // a pinned call that nobody could be tried for: nothing was sent, nothing is booked
}

// bookUntried books a routed call of whose candidates none may be tried now. Its hold is nothing.
func (c *call) bookUntried() error {
	cand := c.plan.Candidates[0]
	cand.HoldMicroUSD = 0
	return c.book(&cand, "")
}

func refusedByAdapters(te *tryError, p *route.Plan) *apiError {
	e := fail(codeAdapterRefused, te.message)
	if te.reason == abi.ErrInvalidRequest {
		e.status = http.StatusBadRequest
	}
	e.backend = p.Candidates[0].Entry.Slug
	return e
}

// failed is what a booked call's caller is told when no try answered; it settles what is written down, too.
func (c *call) failed(err error) error {
	var te *tryError
	switch {
	case !errors.As(err, &te): // our own trouble, behind the first dispatch
		c.done.Status, c.done.Code = schema.StatusFailedHost, asAPIError(err).code
		return err
	case errors.Is(te.cause, errClientGone):
		c.done.Status = schema.StatusCancelledClient
		return errClientGone
	case errors.Is(te.cause, errStopping):
		c.done.Status, c.done.Code = schema.StatusFailedHost, codeStopping
		return errStopping
	}
	c.done.Status = schema.StatusFailedProviderError
	e := c.vendorError(te)
	c.done.Code = e.code
	return e
}

// vendorError maps a vendor's failure to the caller's error.
func (c *call) vendorError(te *tryError) *apiError {
	f := te.failure
	passed := c.plan.Routed && f != nil && f.Phase == provider.PhaseAnswer && !te.fallsOver
	if !c.plan.Routed && f != nil {
		switch f.Status {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			passed = f.Kind != abi.ErrAuthentication // the operator's trouble, whatever its status
		case http.StatusTooManyRequests:
			e := fail(codeProviderFailed, te.message)
			e.status, e.retryAfter, e.upstream = http.StatusTooManyRequests, te.retryAfter, f.Status
			return e
		}
	}
	switch {
	case passed && f.Verbatim && c.dialect.native() && len(f.Body) > 0:
		e := fail(codeInvalidRequest, te.message)
		e.status, e.raw, e.rawType = f.Status, f.Body, f.Header.Get("Content-Type")
		return e
	case passed:
		e := fail(codeInvalidRequest, te.message)
		if !c.plan.Routed {
			e.status = f.Status
		}
		e.upstream = f.Status
		return e
	case c.plan.Routed:
		e := fail(codeAllFailed, fmt.Sprintf("every model that could serve this call failed (%d tries); the last: %s", len(c.attempts), te.reason))
		e.retryAfter = te.retryAfter
		return e
	}
	if te.reason == keptOut {
		e := fail(codeProviderFailed, "every deployment of "+c.plan.Candidates[0].Entry.Slug+" asked to be left alone for a while")
		e.status, e.retryAfter = http.StatusTooManyRequests, te.retryAfter
		return e
	}
	e := fail(codeProviderFailed, fmt.Sprintf("the provider of %s failed: %s", c.plan.Candidates[0].Entry.Slug, te.reason))
	e.retryAfter = te.retryAfter
	if te.status != http.StatusOK { // an error inside of a 200 has no status of its own
		e.upstream = te.status
	}
	return e
}
