package gateway

import (
	"net/http"

	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// report is the one log line and the metrics of a call, whatever became of it.
func (c *call) report() {
	if c.repeated != nil {
		c.reportRepeat()
		return
	}
	d := c.s.cfg.Now().Sub(c.start)
	m := metrics.Call{Provider: c.done.Provider, Model: c.done.ServedSlug, Mode: "json", Status: http.StatusOK, TTFT: c.ttft, Duration: d,
		Input: c.done.Usage.Input, Output: c.done.Usage.Output, CacheRead: c.done.Usage.CacheRead,
		CacheWrite: c.done.Usage.CacheWrite + c.done.Usage.CacheWrite1h, Cost: c.done.CostMicroUSD}
	if c.req != nil && c.req.Stream {
		m.Mode = modeNative
		if c.mode != "" {
			m.Mode = c.mode
		}
	}
	if n := len(c.attempts); m.Model == "" && n > 0 { // nobody served: the last who was tried stands for it
		m.Provider, m.Model = c.attempts[n-1].Provider, c.attempts[n-1].Model
	}
	switch {
	case c.errs != nil:
		m.Code, m.Status = c.errs.code, c.errs.status
		if c.sent {
			m.Status = http.StatusOK
		}
	case c.free && c.sent:
	case c.done.Status == schema.StatusCancelledClient, c.booked == nil:
		m.Status = 0
	}
	c.s.cfg.Metrics.Observe(&m)
	log := c.s.cfg.Logger
	if !log.IsInfo() {
		return
	}
	agent, model, target, inference := "", "", "direct", ""
	if c.booked != nil {
		inference = c.inferenceID
	}
	if c.agent != nil {
		agent = c.agent.Name
	}
	if c.req != nil {
		model = clip(c.req.Model, 128)
	}
	if c.plan != nil && c.plan.Routed {
		target = c.plan.Target
	}
	log.Info("call", "request-id", c.id, "inference-id", inference, "agent", agent, "asked", model, "router", target,
		"model", m.Model, "provider", m.Provider, "status", m.Status, "code", m.Code, "outcome", c.done.Status,
		"stream", m.Mode != "json", "tries", len(c.attempts), "input-tokens", m.Input, "output-tokens", m.Output,
		"cost-usd", money.USD(c.done.CostMicroUSD), "ttft-ms", c.ttft.Milliseconds(), "ms", d.Milliseconds())
}
