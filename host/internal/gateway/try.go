package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// A winner is the try that is answering: its stream has come to its first valid event, or its whole answer is there.
type winner struct {
	cand    *route.Candidate
	deploy  route.Deployment
	answer  *provider.Answer
	lane    lane
	wrapped bool   // its adapter has no streaming: the vendor is asked for a whole answer, and whoever streams gets that
	pending []byte // what the lane has made for the caller so far: the beginning of a stream, or the whole answer
	ended   bool   // the vendor's answer is over
	broke   error  // how it failed after it had opened, before anything was sent
	dropped []string
	edits   []string
	module  string
	attempt int // index in attempts
}

// Reasons of tries that were not made.
const (
	keptOut = "kept_out"           // the deployment's vendor asked to be left alone
	tooDear = "insufficient_funds" // the agent's balance or caps don't cover it
)

// A tryError is why one deployment did not serve.
type tryError struct {
	reason     string // abi's error kinds, or a word of ours
	message    string // the vendor's or the adapter's, fit for the caller
	status     int    // the vendor's, 0 when none
	retryAfter time.Duration
	fallsOver  bool
	module     string // of the guest at fault
	refused    bool   // the adapter would not take the request; nothing was sent
	spent      int64  // micro-USD that the vendor asks for it all the same
	failure    *provider.Failure
	cause      error
}

func (e *tryError) Error() string { return e.reason + ": " + e.message }

func (e *tryError) Unwrap() error { return e.cause }

// try goes through the candidates and their deployments until one answers. The order is the plan's; what fails over and
// what ends the call is the specification's.
func (c *call) try() (*winner, error) {
	var last *tryError
	var soonest time.Duration
	c.inferenceID, c.receiptID = capture.NewID(), capture.NewID()
	for i := range c.plan.Candidates {
		cand := &c.plan.Candidates[i]
		for _, dep := range c.world.Router.Deployments(cand.Entry, c.id) {
			if out := c.world.Router.Health().Out(dep.ID()); out > 0 {
				c.note(cand, dep, time.Now(), &tryError{reason: keptOut, message: "its vendor asked to be left alone"}, 0)
				soonest = sooner(soonest, out)
				continue
			}
			won, err := c.attempt(cand, dep)
			if err == nil {
				return won, nil
			}
			var te *tryError
			if !errors.As(err, &te) {
				if errors.Is(err, errSkip) {
					continue
				}
				return nil, err
			}
			soonest = sooner(soonest, te.retryAfter)
			if last == nil || !te.refused {
				last = te
			}
			if !te.fallsOver {
				return nil, c.unserved(te)
			}
		}
	}
	return nil, c.exhausted(last, soonest)
}

// errSkip passes a deployment over without a word: the same module has failed on this input, or the wallet can't hold it.
var errSkip = errors.New("skipped")

// attempt is one try of one deployment, up to its first valid event, or to its whole answer where the call isn't
// streamed.
func (c *call) attempt(cand *route.Candidate, dep route.Deployment) (*winner, error) {
	up := c.world.Upstreams[dep.Provider]
	started := time.Now()
	if c.faulted != nil && c.faulted[up.Module()] {
		return nil, errSkip // before it is asked to build the request: that may be what it failed at
	}
	ask, edits := c.ask(up, cand, dep)
	if !ask.Verbatim && c.req.HasMaxTokens && c.req.MaxTokens == 0 {
		return nil, c.note(cand, dep, started, unlimited(), 0)
	}
	prep, err := up.Prepare(c.r.Context(), ask)
	if err != nil {
		return nil, c.note(cand, dep, started, c.judge(err), 0)
	}
	defer prep.Close() // gives back what Send has not taken
	if err := c.book(cand, dep.Provider); err != nil {
		if !errors.Is(err, errTooDear) {
			return nil, err
		}
		c.note(cand, dep, started, &tryError{reason: tooDear, message: "no more can be held than was", fallsOver: true}, 0)
		return nil, errSkip
	}
	won := &winner{cand: cand, deploy: dep, module: prep.Module(), edits: edits, wrapped: !up.Feature(featureStream),
		dropped: c.droppedFor(cand, prep), lane: c.lane(ask, cand, dep)}
	if won.answer, err = prep.Send(c.r.Context()); err != nil {
		te := c.judge(err)
		if c.ended() != nil && prep.Try().Connect > 0 {
			c.abandoned(won, te)
		}
		return nil, c.note(cand, dep, started, te, prep.Try().Sends)
	}
	return c.open(won, started)
}

// unlimited is why a request for no tokens at all is not translated. To an adapter no limit is none given, so that the
// vendor would be asked, and paid, for as long an answer as it likes. An API of Anthropic's makes of it what it will.
func unlimited() *tryError {
	return &tryError{reason: abi.ErrInvalidRequest, message: "max_tokens: at least one token must be asked for", refused: true, fallsOver: true}
}

// open takes an answer to its first valid event and makes it the one that serves, or closes it.
func (c *call) open(won *winner, started time.Time) (*winner, error) {
	cand, dep := won.cand, won.deploy
	opened := false
	defer func() {
		if !opened {
			won.answer.Close()
		}
	}()
	if err := c.first(won); err != nil {
		te := c.judge(err)
		c.rest(won)
		te.spent = cost(cand.Entry, won.lane.result().Usage) // as far as its vendor said before it failed
		if c.ended() != nil {
			c.abandoned(won, te)
		}
		return nil, c.note(cand, dep, started, te, won.answer.Try().Sends)
	}
	won.attempt = len(c.attempts)
	c.attempts = append(c.attempts, capture.Attempt{Model: cand.Entry.Slug, Provider: dep.Provider, Upstream: dep.Upstream,
		Status: http.StatusOK, Started: started, Duration: time.Since(started), Sends: won.answer.Try().Sends})
	c.s.cfg.Metrics.Try(dep.Provider, cand.Entry.Slug, "ok")
	opened = true
	return won, nil
}

// abandoned accounts for a try that neither failed nor answered when the call had to end: its vendor had the request, and
// what it has not reported is estimated.
func (c *call) abandoned(won *winner, te *tryError) {
	c.usage(won)
	te.spent = cost(won.cand.Entry, usageOf(&c.done))
	if errors.Is(te.cause, errClientGone) {
		c.done.CostMicroUSD = te.spent
	}
}

// droppedFor are the fields of the request that the one who serves is not sent, whoever left them out.
func (c *call) droppedFor(cand *route.Candidate, prep *provider.Prepared) []string {
	list := slices.Clone(c.asked.dropped)
	if cand.DropThinking {
		list = append(list, c.dialect.field("thinking"))
	}
	for _, name := range prep.Dropped() {
		list = append(list, c.dialect.field(name))
	}
	return list
}

// featureStream is what an adapter lists that reads a vendor's stream. One that doesn't is served wrapped.
const featureStream = "stream"

// ask is what the adapter is told of the call. The body is edited as the specification lists, and not otherwise.
func (c *call) ask(up *provider.Upstream, cand *route.Candidate, dep route.Deployment) (*provider.Ask, []string) {
	e := cand.Entry
	streams := up.Feature(featureStream)
	// A body that says "stream" can't pass unread to where there is none.
	verbatim := up.Feature("verbatim") && (streams || !c.req.Stream)
	ask := &provider.Ask{Op: abi.OpChat, Stream: c.req.Stream && streams, Verbatim: verbatim, Thinking: e.CanThink, Model: dep.Upstream,
		Slug: e.Slug, MaxTokens: cand.MaxTokens, MaxOutput: e.MaxOutput, Version: c.r.Header.Get("Anthropic-Version"),
		Beta: c.r.Header.Values("Anthropic-Beta"), InferenceID: c.inferenceID, Attempt: len(c.attempts)}
	spec := c.edits(cand, ask)
	var edits []messages.Edit
	if ask.Verbatim {
		ask.Whole, edits = c.req.Edit(spec)
	} else {
		ask.Body, ask.Refs, edits = c.req.EditSegments(spec)
	}
	return ask, c.listed(edits)
}

// edits is what must change in the request on its way to an entry.
func (c *call) edits(cand *route.Candidate, ask *provider.Ask) messages.EditSpec {
	e := cand.Entry
	spec := messages.EditSpec{Model: ask.Model, MaxTokens: int64(e.MaxOutput), Thinking: messages.ThinkingForm(e.ThinkingForm),
		DefaultMaxTokens: int64(cand.MaxTokens)}
	if cand.DropThinking {
		spec.Thinking = messages.NoThinking
	}
	spec.Foreign = ask.Verbatim && !c.dialect.native()
	if spec.Foreign && spec.DefaultMaxTokens == 0 {
		spec.DefaultMaxTokens = defaultMaxTokens
	}
	spec.StripThinking = c.foreign(e, spec.Foreign)
	return spec
}

// defaultMaxTokens is asked for where neither the caller nor the catalogue's entry has a limit and the API insists on one.
const defaultMaxTokens = 4096

// foreign says which thinking of the history the entry must not be sent: what another model is known to have signed, and
// what nobody has. A caller that pinned its model is left to know what it sends, but for one who need not know that
// thinking is signed.
func (c *call) foreign(e *route.Entry, translated bool) func(signature []byte) bool {
	if !c.plan.Routed {
		if !translated {
			return nil
		}
		return func(signature []byte) bool { return len(signature) == 0 }
	}
	return func(signature []byte) bool {
		if len(signature) == 0 {
			return true
		}
		issuer := c.world.Router.Issuer(c.agent.ID, messages.HashSignature(signature))
		return issuer != "" && issuer != e.Slug
	}
}

// listed are the edits that a caller is told of: not the model's name, which every routed call has changed, and not our
// own fields.
func (c *call) listed(edits []messages.Edit) []string {
	var out []string
	for _, e := range edits {
		switch e.Field {
		case "model", "routing_hint", "task_type", "agent_id":
		default:
			out = append(out, c.dialect.field(e.Field)+" "+string(e.Action))
		}
	}
	return out
}

// first takes the answer to where the caller may be told 200: the first valid event of a stream, the whole of anything
// else, a wrapped answer included.
func (c *call) first(won *winner) error {
	for {
		piece, err := won.answer.Next(c.r.Context())
		if errors.Is(err, io.EOF) {
			won.ended = true
			tail, err := won.lane.finish()
			if err == nil && !c.req.Stream {
				tail, err = won.lane.whole()
			}
			won.pending = append(won.pending, tail...)
			return c.opened(won, err)
		}
		if err != nil {
			return c.opened(won, err)
		}
		out, err := won.lane.take(&piece)
		if c.req.Stream { // an answer that isn't streamed is taken whole
			won.pending = append(won.pending, out...)
		}
		if err != nil {
			return c.opened(won, err)
		}
		if c.req.Stream && !won.wrapped && won.lane.started() {
			return nil
		}
	}
}

// opened decides about an error that came with, or right behind, the event that opens a stream: it belongs into the
// stream. Whether the vendor's pieces came in one read or in several must not decide who answers. Of a wrapped answer
// nothing has been sent, so that another may still serve.
func (c *call) opened(won *winner, err error) error {
	if err != nil && c.req.Stream && !won.wrapped && won.lane.started() && !errors.Is(c.ended(), errClientGone) {
		won.broke = err
		return nil
	}
	return err
}

// judge says what an error of a try means.
func (c *call) judge(err error) *tryError {
	var refusal *provider.Refusal
	var failure *provider.Failure
	var vendor *messages.VendorError
	var grammar *messages.GrammarError
	switch {
	case errors.Is(c.ended(), errClientGone):
		return &tryError{reason: "client_gone", message: "the caller went away", cause: errClientGone}
	case c.ended() != nil:
		return &tryError{reason: codeStopping, message: errStopping.Error(), cause: errStopping}
	case errors.As(err, &refusal):
		return &tryError{reason: refusal.Kind, message: refusal.Message, refused: true, fallsOver: true, cause: err}
	case errors.As(err, &failure):
		te := &tryError{reason: failure.Kind, message: failure.Message, status: failure.Status, retryAfter: failure.RetryAfter,
			fallsOver: failure.FallsOver(c.plan.Routed), failure: failure, cause: err}
		if failure.Phase == provider.PhaseGuest {
			te.module = failure.Module
			c.guestFailed(err)
		}
		return te
	case errors.As(err, &vendor):
		return &tryError{reason: vendor.Kind, message: vendor.Message, status: http.StatusOK, retryAfter: vendor.RetryAfter, fallsOver: true, cause: err}
	case errors.As(err, &grammar), errors.Is(err, messages.ErrEmpty), errors.Is(err, messages.ErrCut):
		return &tryError{reason: "malformed_answer", message: "the vendor's answer was malformed", status: http.StatusOK, fallsOver: true, cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &tryError{reason: abi.ErrTimeout, message: "the vendor did not answer in time", fallsOver: true, cause: err}
	}
	return &tryError{reason: abi.ErrAPI, message: "the vendor's answer could not be read", fallsOver: true, cause: err}
}

// note writes a failed try down: for the row, the metrics, the log, and the tries that follow.
func (c *call) note(cand *route.Candidate, dep route.Deployment, started time.Time, te *tryError, sends int) error {
	a := capture.Attempt{Model: cand.Entry.Slug, Provider: dep.Provider, Upstream: dep.Upstream, Reason: te.reason, Status: te.status,
		Started: started, Duration: time.Since(started), VendorCostMicroUSD: te.spent, Sends: sends}
	c.done.VendorCostMicroUSD += te.spent
	c.attempts = append(c.attempts, a)
	c.s.cfg.Metrics.Try(dep.Provider, cand.Entry.Slug, te.reason)
	if te.retryAfter > 0 {
		c.world.Router.Health().KeepOut(dep.ID(), te.retryAfter)
	}
	if te.module != "" {
		if c.faulted == nil {
			c.faulted = map[string]bool{}
		}
		c.faulted[te.module] = true
	}
	if te.cause != nil && c.ended() == nil {
		c.s.cfg.Logger.Warn("try failed", "request-id", c.id, "provider", dep.Provider, "model", cand.Entry.Slug, "sent", sends > 0,
			"reason", te.reason, "status", te.status, "error", te.cause)
	}
	return te
}

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

func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// cost is what tokens cost at the entry's prices, in micro-USD, rounded once.
func cost(e *route.Entry, u messages.Usage) int64 {
	if e.Prices == nil {
		return 0
	}
	var b money.Bill
	b.Add(u.Input, e.Prices.Input)
	b.Add(u.Output, e.Prices.Output)
	b.Add(u.CacheRead, e.Prices.CacheRead)
	b.Add(u.CacheWrite, e.Prices.CacheWrite)
	b.Add(u.CacheWrite1h, e.Prices.CacheWrite1h)
	return b.Micro()
}
