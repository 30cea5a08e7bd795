package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// stream sends the answer as it is made. The head is out after the first write, and no error is returned from then on:
// what goes wrong is said inside the stream.
func (c *call) stream(won *winner) error {
	out := c.openStream(won)
	if won.ended || won.lane.done() {
		out.quiet()
	}
	defer func() {
		out.quiet()
		if c.done.Status == "" { // a panic: its caller is told like any other
			_ = out.write(c.dialect.errorFrame(asAPIError(nil), abi.ErrAPI, c.id))
		}
	}()
	err := errors.Join(out.write(won.pending), won.broke)
	for err == nil && !won.ended {
		err = c.relay(won, out)
	}
	out.quiet()
	if err != nil {
		err = c.mend(won, out, err)
	}
	c.done.ResponseHash, c.done.ResponseBody = out.hash(), out.kept
	c.settle(won, out, err)
	return nil
}

// relay takes one piece from the vendor and gives it to the caller.
func (c *call) relay(won *winner, out *stream) error {
	piece, err := won.answer.Next(c.r.Context())
	if errors.Is(err, io.EOF) {
		won.ended = true
		tail, ferr := won.lane.finish()
		out.quiet()
		return errors.Join(out.write(tail), ferr)
	}
	if err != nil {
		return err
	}
	made, lerr := won.lane.take(&piece)
	if lerr != nil || won.lane.done() {
		out.quiet()
	}
	return errors.Join(out.write(made), lerr)
}

// mend ends a stream properly whose connection broke when all had been said but for the closing frames. It returns nil
// if it could, else err. What comes behind the message's end is nobody's failure, nor is a caller who left then.
func (c *call) mend(won *winner, out *stream, err error) error {
	if won.lane.done() && !out.broken() {
		return nil
	}
	var broken *provider.Failure
	if c.ended() != nil || out.broken() || !errors.As(err, &broken) {
		return err
	}
	tail, ok := won.lane.closing()
	if !ok {
		return err
	}
	return out.write(tail)
}

// rest takes what an adapter still has to say of an answer that is not read to its end, for the books alone.
func (c *call) rest(won *winner) {
	if batch := won.answer.Rest(); batch != nil {
		// What it makes is not sent, and a lane that has failed already has nothing to add.
		_, _ = won.lane.take(&provider.Piece{Batch: batch})
	}
}

// settle decides how the stream ended, says so to the caller where something is to be said, and fills in the completion.
func (c *call) settle(won *winner, out *stream, err error) {
	if err == nil {
		c.usage(won)
		c.succeeded(won)
		return
	}
	c.rest(won)
	c.usage(won)
	if out.broken() || errors.Is(c.ended(), errClientGone) {
		c.gone = true
		c.cancelled(won)
		return
	}
	te := c.judge(err)
	c.s.cfg.Logger.Warn("stream broke", "request-id", c.id, "provider", won.deploy.Provider, "model", won.cand.Entry.Slug, "reason", te.reason, "error", err)
	c.s.cfg.Metrics.Try(won.deploy.Provider, won.cand.Entry.Slug, te.reason)
	c.attempts[won.attempt].Reason = te.reason
	c.charge(won)
	if errors.Is(te.cause, errStopping) {
		c.errs, c.done.Status = stopping(), schema.StatusFailedHost
	} else {
		c.errs, c.done.Status = fail(codeProviderFailed, te.message), schema.StatusFailedProviderError
	}
	c.done.Code = c.errs.code
	// The caller hears it in the stream; that it can't be heard any more changes nothing.
	_ = out.write(c.dialect.errorFrame(c.errs, te.reason, c.id))
}

// cancelled fills in the completion of a call whose caller left: it pays for what it had.
func (c *call) cancelled(won *winner) {
	c.done.Status = schema.StatusCancelledClient
	c.attempts[won.attempt].Reason = "client_gone"
	c.done.CostMicroUSD = c.charge(won)
}

// charge notes what the winner's usage costs, which is the vendor's due however the call ended, and returns it.
func (c *call) charge(won *winner) int64 {
	spent := cost(won.cand.Entry, usageOf(&c.done))
	c.attempts[won.attempt].VendorCostMicroUSD = spent
	c.done.VendorCostMicroUSD += spent
	return spent
}

// reply sends a whole answer at once.
func (c *call) reply(won *winner) error {
	body := won.pending
	c.heads(won)
	c.ttft = c.s.cfg.Now().Sub(c.start)
	c.head("Content-Type", "application/json")
	c.head("Content-Length", strconv.Itoa(len(body)))
	c.usage(won)
	sum := sha256.Sum256(body)
	c.done.ResponseHash, c.done.ResponseBody = hex.EncodeToString(sum[:]), body
	c.sent = true
	c.s.allowWrite(c.w, time.Now())
	c.w.WriteHeader(http.StatusOK)
	if _, err := c.w.Write(body); err != nil {
		c.cancelled(won)
		return nil
	}
	c.succeeded(won)
	return nil
}

// succeeded fills in the completion of an answered call and tells the router what it learned.
func (c *call) succeeded(won *winner) {
	c.done.Status = schema.StatusSucceeded
	c.done.CostMicroUSD = c.charge(won)
	if c.plan.Baseline != nil {
		c.done.BaselineMicroUSD = cost(c.plan.Baseline, usageOf(&c.done))
	}
	c.world.Router.Served(&c.facts, won.cand.Entry.Slug, won.lane.result().SignatureHash, c.ttft)
}

// usage takes what the lane saw of the vendor's usage into the completion; where the vendor said nothing it is estimated,
// and marked so.
func (c *call) usage(won *winner) {
	res := won.lane.result()
	d := &c.done
	d.ServedSlug, d.Provider, d.AdapterModule = won.cand.Entry.Slug, won.deploy.Provider, won.module
	d.UpstreamID, d.FinishReason, d.NativeFinishReason = res.ID, res.FinishReason, res.NativeReason
	u, estimated := res.Settled(c.req.EstimatedInputTokens)
	d.UsageEstimated = estimated
	d.Usage = capture.Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite,
		CacheWrite1h: u.CacheWrite1h, Reasoning: u.Reasoning}
	if res.Skipped > 0 {
		c.s.cfg.Metrics.Skipped(won.deploy.Provider, res.Skipped)
	}
}

func usageOf(d *capture.Completion) messages.Usage {
	u := d.Usage
	return messages.Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, CacheWrite1h: u.CacheWrite1h, Reasoning: u.Reasoning}
}

// A stream is the caller's side: writes are flushed as they come, and a ping goes out when nothing else has for a while.
type stream struct {
	c    *call
	gaps prometheus.Observer
	sum  hash.Hash
	kept []byte // what was sent, where bodies are kept

	mu     sync.Mutex
	timer  *time.Timer // nil before the first write: a ping comes after message_start
	last   time.Time
	until  time.Time // when a write that is not taken fails
	failed bool
	silent bool // no ping any more
}

// openStream sends the head.
func (c *call) openStream(won *winner) *stream {
	c.heads(won)
	c.head("Content-Type", "text/event-stream; charset=utf-8")
	c.head("Cache-Control", "no-cache")
	c.head("X-Accel-Buffering", "no")
	c.sent = true
	c.w.WriteHeader(http.StatusOK)
	now := c.s.cfg.Now()
	c.ttft = now.Sub(c.start)
	return &stream{c: c, gaps: c.s.cfg.Metrics.Gaps(won.deploy.Provider, won.cand.Entry.Slug), sum: sha256.New(), last: now}
}

// write sends and flushes. An error means that the caller is gone.
func (o *stream) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.c.s.cfg.Now()
	o.gaps.Observe(now.Sub(o.last).Seconds())
	o.last = now
	switch {
	case o.silent:
	case o.timer == nil:
		o.timer = time.AfterFunc(o.c.s.cfg.PingAfter, o.ping)
	default:
		o.timer.Reset(o.c.s.cfg.PingAfter)
	}
	o.sum.Write(b)
	if o.c.s.cfg.KeepBodies {
		o.kept = append(o.kept, b...)
	}
	return o.send(b)
}

func (o *stream) send(b []byte) error {
	if o.failed {
		return errClientGone
	}
	o.allow()
	_, err := o.c.w.Write(b)
	if err == nil {
		err = http.NewResponseController(o.c.w).Flush()
	}
	if err != nil {
		o.failed = true
		return errClientGone
	}
	return nil
}

// allow sees to it that a caller who doesn't read holds the call and its vendor no longer than it may. A deadline that
// is far off still is left alone, since most writes come close behind the one before.
func (o *stream) allow() {
	now, within := time.Now(), o.c.s.cfg.CallerWithin
	if o.until.Sub(now) < within/2 {
		o.until = now.Add(within)
		o.c.s.allowWrite(o.c.w, now)
	}
}

// ping runs in the timer's goroutine. It is not part of what is hashed: it says nothing of the answer.
func (o *stream) ping() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.silent || o.failed {
		return
	}
	if o.send(o.c.dialect.ping()) == nil {
		o.timer.Reset(o.c.s.cfg.PingAfter)
	}
}

// quiet stops the pings and waits for one that is being written: the end of the message is about to go out, or has.
func (o *stream) quiet() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.silent = true
	if o.timer != nil {
		o.timer.Stop()
	}
}

func (o *stream) broken() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

func (o *stream) hash() string { return hex.EncodeToString(o.sum.Sum(nil)) }
