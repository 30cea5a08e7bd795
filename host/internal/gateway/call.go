package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
)

// A call is one caller's request on its way through. It belongs to one goroutine; only its stream's pings come from
// another, and those go through the stream's own lock.
type call struct {
	s       *Server
	dialect dialect
	world   *World
	w       http.ResponseWriter
	r       *http.Request
	start   time.Time
	id      string // request id

	agent *capture.Agent
	body  []byte // as the caller sent it
	asked *asked
	req   *messages.Request // asked's
	facts route.Call
	plan  *route.Plan

	inferenceID, receiptID string
	requestHash            string
	booked                 Booking // nil until the decision and the hold are durable
	hold                   int64   // micro-USD, as booked
	unpaid                 error   // the books' no to a candidate who was passed over for one who is cheaper
	attempts               []capture.Attempt
	faulted                map[string]bool // digests of modules that failed on this input

	done capture.Completion // what complete writes down
	errs *apiError          // what the caller was told, if not an answer
	sent bool               // the head has gone out
	free bool               // nothing is booked for it: its tokens were counted
	gone bool               // its caller left before it had all
	mode string             // how the adapter that serves reads its vendor, once one does
	ttft time.Duration

	key      *heldKey        // nil without an Idempotency-Key
	repeated *capture.Answer // what it was answered from, where it was answered before
}

// calls handles the calls of one dialect.
func (s *Server) calls(d dialect) http.HandlerFunc { return s.handle(d, (*call).serve) }

// handle tells a story of one request, and the caller how it ended.
func (s *Server) handle(d dialect, story func(*call) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{s: s, dialect: d, w: w, r: r, start: s.cfg.Now(), id: requestID(w)}
		defer c.hangUp()
		s.active.Add(1)
		defer s.active.Done()
		counted := s.cfg.Metrics.Begin()
		defer counted()
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		defer context.AfterFunc(s.life, func() { cancel(errStopping) })()
		world := s.enter()
		defer world.leave()
		c.world, c.r = world.World, r.WithContext(ctx)
		defer c.report()
		defer c.recovered()
		if err := story(c); err != nil {
			c.errs = c.tell(err)
		}
	}
}

// serve is the story of a call. An error that it returns is what the caller is told; nothing has been written then.
func (c *call) serve() (err error) {
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	if repeated, err := c.claimKey(); repeated || err != nil {
		return err
	}
	defer func() { c.endKey(err) }()
	if err := c.parse(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	if err := c.route(); err != nil {
		return err
	}
	defer func() { c.complete(err) }()
	won, err := c.try()
	if c.booked == nil {
		return err // nobody took the request, or it could not be booked
	}
	if err != nil {
		return c.failed(err)
	}
	defer won.answer.Close()
	if c.req.Stream {
		return c.stream(won)
	}
	return c.reply(won)
}

// authenticate finds the agent that the key belongs to, before the body is read. A caller may send two keys, of which
// either may be the one.
func (c *call) authenticate() error {
	keys := keysOf(c.r.Header)
	if len(keys) == 0 {
		return fail(codeInvalidKey, "no ainfera API key: send it as `authorization: Bearer ainfera_…` or `x-api-key: ainfera_…`")
	}
	for _, key := range keys {
		agent, err := c.s.cfg.Books.Authenticate(c.r.Context(), key)
		switch {
		case errors.Is(err, capture.ErrUnknownKey):
			continue
		case err != nil:
			return c.unavailable("authenticate", err)
		}
		c.agent = agent
		c.head("X-Ainfera-Agent-Id", agent.ID)
		return nil
	}
	return fail(codeInvalidKey, "this API key is not known here")
}

// read takes the body, up to the limit.
func (c *call) read() error {
	limit := c.s.cfg.BodyBytes
	if c.world.BodyBytes > 0 {
		limit = c.world.BodyBytes
	}
	if c.r.ContentLength > limit {
		return c.tooLargeBody(limit)
	}
	var body []byte
	var err error
	if n := c.r.ContentLength; n >= 0 {
		body = make([]byte, n)
		_, err = io.ReadFull(c.r.Body, body)
	} else {
		body, err = io.ReadAll(io.LimitReader(c.r.Body, limit+1))
	}
	switch {
	case err != nil:
		return fail(codeInvalidRequest, "the request's body broke off before its end")
	case int64(len(body)) > limit:
		return c.tooLargeBody(limit)
	}
	c.s.readNoMore(c.w)
	c.body = body
	sum := sha256.Sum256(body)
	c.requestHash = hex.EncodeToString(sum[:])
	return nil
}

// parse makes a Messages request of the body, whatever dialect it is in.
func (c *call) parse() error {
	asked, err := c.dialect.parse(c.body)
	var bad *messages.RequestError
	var known *apiError
	switch {
	case errors.As(err, &bad):
		e := fail(codeInvalidRequest, bad.Error())
		e.param = bad.Param
		if enc := c.r.Header.Get("Content-Encoding"); enc != "" && bad.Param == "" {
			e.message = "the body says that its content-encoding is " + clip(enc, 20) + ", which is not undone here: send it as it is; " + e.message
		}
		return e
	case errors.As(err, &known):
		return known
	case err != nil:
		return fmt.Errorf("parse request: %w", err)
	}
	c.asked, c.req = asked, asked.req
	if id := c.req.AgentID; id != "" && id != c.agent.ID && id != c.agent.Name {
		return fail(codeNotFound, "agent_id: there is no such agent for this key") // whoever else has one of that id
	}
	return nil
}

// tooLargeBody refuses a body of which the rest is not read, so that the connection can't be used again.
func (c *call) tooLargeBody(limit int64) error {
	c.head("Connection", "close")
	return fail(codeBodyTooLarge, fmt.Sprintf("the request's body is larger than the limit of %d bytes", limit))
}

// admit turns away agents that may not call, and gathers what the routing needs to know.
func (c *call) admit() error {
	c.facts = c.factsOf()
	if c.agent.Status != schema.AgentActive {
		return c.reject(fail(codeAgentNotActive, "agent "+c.agent.Name+" is "+c.agent.Status+": its operator can resume it"), nil)
	}
	if what := c.asked.unsupported; what != "" {
		return c.reject(fail(codeAdapterRefused, what), nil)
	}
	allow, err := c.s.cfg.Books.Allowance(c.r.Context(), c.agent)
	if err != nil {
		return c.unavailable("read the agent's allowance", err)
	}
	c.facts.PerCallMicroUSD, c.facts.DayLeftMicroUSD = allow.PerCallMicroUSD, allow.DayRemainingMicroUSD
	return nil
}

func (c *call) factsOf() route.Call {
	q := c.req
	tools := q.Tools
	if tools == 0 && q.HasToolBlocks {
		tools = 1
	}
	session := c.r.Header.Get("X-Claude-Code-Session-Id")
	if len(session) > maxSession { // it is kept for an hour, and a header may be a megabyte
		sum := sha256.Sum256([]byte(session))
		session = hex.EncodeToString(sum[:])
	}
	if session == "" {
		session = q.SessionID
	}
	f := route.Call{
		RequestID: c.id, AgentID: c.agent.ID, Model: q.Model, EstimatedInput: int(q.EstimatedInputTokens), MaxTokens: maxTokens(q),
		Tools: tools, Images: q.Images, Documents: q.Documents, Messages: q.Messages, WantsThinking: q.Thinking.Wanted(),
		Stream: q.Stream, Session: session, RoutingHint: q.RoutingHint, TaskType: q.TaskType,
		Header: c.r.Header, AgentDefaults: c.world.AgentDefaults[c.agent.Name],
	}
	if n := len(q.Signatures); n > 0 {
		f.Signature = messages.HashSignature(q.Signatures[n-1])
	}
	return f
}

// maxSession is the longest session id, in bytes, that is kept as it is.
const maxSession = 128

// maxTokens is the caller's max_tokens, held to what an int32 takes; zero where there is none.
func maxTokens(q *messages.Request) int {
	if !q.HasMaxTokens {
		return 0
	}
	return int(min(q.MaxTokens, math.MaxInt32))
}

// route asks who may serve. A refusal of a routed call is a row of its own.
func (c *call) route() error {
	ctx, cancel := c.lasting() // a caller who leaves now must not look like a policy that failed
	defer cancel()
	plan, err := c.world.Router.Route(ctx, &c.facts)
	if err == nil {
		c.plan = plan
		c.head("X-Ainfera-Policy", headerText(policyName(plan)))
		return nil
	}
	ref, ok := route.AsRefusal(err)
	if !ok {
		return fmt.Errorf("route: %w", err)
	}
	if ref.Err != nil {
		c.s.cfg.Logger.Error("policy failed", "request-id", c.id, "error", ref.Err)
		c.guestFailed(ref.Err)
	}
	return c.reject(refused(ref), ref.Plan)
}

// guestFailed passes a guest's failure on to whoever keeps an eye on the guests.
func (c *call) guestFailed(err error) {
	if c.s.cfg.GuestFailed != nil {
		c.s.cfg.GuestFailed(err, c.agent.ID, c.requestHash)
	}
}

func policyName(p *route.Plan) string {
	if p.Decision == nil {
		return "direct"
	}
	return p.Decision.PolicyVersion
}

// plainID is an id without its dashes.
func plainID(id string) string { return strings.ReplaceAll(id, "-", "") }

// errClientGone is the error of a call whose caller left; nobody is there to be told.
var errClientGone = errors.New("client went away")

// errStopping is the error of a call that outlived the time to drain.
var errStopping = errors.New("the router is stopping")

// ended says why the call must end, whatever its vendor does: errClientGone, errStopping, or nil.
func (c *call) ended() error {
	ctx := c.r.Context()
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), errStopping):
		return errStopping
	}
	return errClientGone
}

// tell sends an error that came before the head; what was told is returned for the log.
func (c *call) tell(err error) *apiError {
	if errors.Is(err, errClientGone) {
		c.gone = true
		return nil
	}
	if errors.Is(err, errStopping) {
		err = stopping()
	}
	var known *apiError
	if !errors.As(err, &known) {
		c.s.cfg.Logger.Error("call failed inside", "request-id", c.id, "error", err)
		known = asAPIError(err)
	}
	if !c.sent {
		if c.body == nil {
			c.s.readLittle(c.w)
		}
		c.s.allowWrite(c.w, time.Now())
		known.write(c.w, c.dialect, c.id)
	}
	return known
}

// hangUp breaks the connection of a caller who left. One who has only ended its sending side looks just so, and still
// reads: it must not take what came for the whole of an answer. It is deferred, to be the last that happens.
func (c *call) hangUp() {
	if c.gone {
		panic(http.ErrAbortHandler)
	}
}

// recovered keeps a panic to the call in which it came. It is deferred.
func (c *call) recovered() {
	p := recover()
	if p == nil {
		return
	}
	c.s.cfg.Logger.Error("call panicked", "request-id", c.id, "inference-id", c.inferenceID, "panic", p, "stack", string(debug.Stack()))
	c.errs = c.tell(asAPIError(nil))
}

// head sets a response header by its canonical name, without canonicalising it again.
func (c *call) head(canonical, v string) { c.w.Header()[canonical] = []string{v} }

// How an adapter reads its vendor: event by event, or whole because it has no streaming of its own.
const (
	modeNative  = "native"
	modeWrapped = "wrapped"
)

// heads sets what every answered call carries, once a deployment serves.
func (c *call) heads(won *winner) {
	c.head("X-Ainfera-Audit-Url", "/v1/audit/"+c.agent.ID)
	c.head("X-Ainfera-Model", won.cand.Entry.Slug)
	c.mode = modeNative
	if won.wrapped {
		c.mode = modeWrapped
	}
	c.head("X-Ainfera-Stream-Mode", c.mode)
	if list := headerList(won.dropped); list != "" {
		c.head("X-Ainfera-Dropped", list)
	}
	if list := headerList(won.edits); list != "" {
		c.head("X-Ainfera-Edited", list)
	}
}
