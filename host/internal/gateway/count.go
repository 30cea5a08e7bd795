package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// count is the story of POST /v1/messages/count_tokens. The vendor counts where it can, and what it answers is passed on;
// else the answer is our own estimate, and says so. Nothing is decided, held or written down.
func (c *call) count() error {
	c.free = true
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.read(); err != nil {
		return err
	}
	if err := c.parse(); err != nil {
		return err
	}
	if c.agent.Status != schema.AgentActive {
		return fail(codeAgentNotActive, "agent "+c.agent.Name+" is "+c.agent.Status+": its operator can resume it")
	}
	c.facts = c.factsOf()
	c.plan = &route.Plan{} // it is judged as a pinned call is: what a vendor says of the request is the caller's to hear
	e, err := c.world.Router.Counter(&c.facts)
	if ref, ok := route.AsRefusal(err); ok {
		return refused(ref)
	}
	if err != nil {
		return fmt.Errorf("find who counts: %w", err)
	}
	body, err := c.counted(e)
	if err != nil {
		return err
	}
	if body == nil {
		c.head("X-Ainfera-Estimated", "true")
		body = appendCount(nil, c.req.EstimatedInputTokens)
	}
	c.head("Content-Type", "application/json")
	c.head("Content-Length", strconv.Itoa(len(body)))
	c.sent = true
	c.s.allowWrite(c.w, c.s.cfg.Now())
	_, _ = c.w.Write(body) // a caller that is gone needs no answer
	return nil
}

func appendCount(b []byte, tokens int64) []byte {
	return append(jwrite.AppendInt(append(b, `{"input_tokens":`...), tokens), '}')
}

// counted is the count of an entry's vendor, in its first deployment that has one; nil where nobody can say.
func (c *call) counted(e *route.Entry) ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	c.head("X-Ainfera-Model", e.Slug)
	c.plan.Candidates = []route.Candidate{{Entry: e, DropThinking: c.facts.WantsThinking && !e.CanThink}}
	for _, dep := range c.world.Router.Deployments(e, c.id) {
		up := c.world.Upstreams[dep.Provider]
		if c.world.Router.Health().Out(dep.ID()) > 0 || !up.Feature("count") {
			continue
		}
		body, err := c.countAt(up, dep)
		if err == nil {
			c.done.Provider, c.done.ServedSlug = dep.Provider, e.Slug
			return body, nil
		}
		if end := c.ended(); end != nil {
			return nil, end
		}
		te := c.judge(err)
		if te.retryAfter > 0 {
			c.world.Router.Health().KeepOut(dep.ID(), te.retryAfter)
		}
		if te.failure != nil && te.failure.Phase == provider.PhaseAnswer {
			switch te.failure.Status {
			case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
				return nil, c.vendorError(te)
			}
		}
		if !te.refused {
			c.s.cfg.Logger.Warn("count failed", "request-id", c.id, "provider", dep.Provider, "model", e.Slug, "reason", te.reason, "error", err)
		}
	}
	return nil, nil
}

// countAt asks one deployment.
func (c *call) countAt(up *provider.Upstream, dep route.Deployment) ([]byte, error) {
	cand := &c.plan.Candidates[0]
	ask, _ := c.ask(up, cand, dep)
	ask.Op, ask.Stream = abi.OpCount, false
	prep, err := up.Prepare(c.r.Context(), ask)
	if err != nil {
		return nil, err
	}
	defer prep.Close()
	answer, err := prep.Send(c.r.Context())
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var body []byte
	for {
		piece, err := answer.Next(c.r.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if ask.Verbatim {
			body = append(body, piece.Raw...)
		} else if n, ok := countIn(piece.Batch); ok {
			body = appendCount(body[:0], n)
		}
	}
	if gjson.GetBytes(body, "input_tokens").Type != gjson.Number {
		return nil, errNoCount
	}
	return body, nil
}

var errNoCount = errors.New("the vendor's answer holds no count of tokens")

// countIn is the count in a guest's events, which say it as they say usage.
func countIn(batch []byte) (n int64, ok bool) {
	if batch == nil {
		return 0, false
	}
	r, err := abi.NewReader(batch)
	for err == nil {
		var rec abi.Record
		var more bool
		if rec, more, err = r.Next(); !more {
			break
		}
		if rec.Kind == abi.KindUsage {
			u := gjson.GetManyBytes(rec.Payload, "input", "cache_read", "cache_write", "cache_write_1h")
			n, ok = u[0].Int()+u[1].Int()+u[2].Int()+u[3].Int(), u[0].Exists()
		}
	}
	return n, ok && err == nil
}
