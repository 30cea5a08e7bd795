package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
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
		te := &tryError{reason: failure.Kind, message: failure.Message, status: failure.Status,
			fallsOver: failure.FallsOver(c.plan.Routed), failure: failure, cause: err}
		if failure.Retryable() { // one caller's bad request is no reason to keep the deployment from the others
			te.retryAfter = failure.RetryAfter
		}
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
