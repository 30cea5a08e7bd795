// Package metrics is the set of Prometheus series the host keeps.
//
// Labels are names from the configuration and stable codes, never anything a caller can choose, so that the number of
// series is bounded by the catalogue.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the host's series in a registry of their own. Safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	calls      *prometheus.CounterVec
	errors     *prometheus.CounterVec
	ttft       *prometheus.HistogramVec
	gap        *prometheus.HistogramVec
	duration   *prometheus.HistogramVec
	tokens     *prometheus.CounterVec
	cost       *prometheus.CounterVec
	tries      *prometheus.CounterVec
	aliasHits  *prometheus.CounterVec
	policyTime *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	skipped    *prometheus.CounterVec
	booked     prometheus.Histogram
	replayed   *prometheus.CounterVec
}

var seconds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// fineSeconds are from 0.2 ms to 1.3 s, each half as long again as the one before.
var fineSeconds = prometheus.ExponentialBuckets(.0002, 1.5, 22)

// New makes the series and registers them, with Go's and the process's own.
func New() *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		calls:      counter("ainfera_calls_total", "Calls answered, by the provider and model that served, the way they came and the HTTP status.", "provider", "model", "mode", "status"),
		errors:     counter("ainfera_errors_total", "Calls that ended in an error, by its stable code.", "provider", "model", "code"),
		ttft:       histogram("ainfera_time_to_first_token_seconds", "From the request to the first event sent to the caller.", "provider", "model"),
		gap:        histogram("ainfera_time_between_tokens_seconds", "Between two writes of one stream.", "provider", "model"),
		duration:   histogram("ainfera_call_duration_seconds", "From the request to the end of the answer.", "provider", "model"),
		tokens:     counter("ainfera_tokens_total", "Tokens by kind: input, output, cache_read, cache_write.", "provider", "model", "kind"),
		cost:       counter("ainfera_cost_usd_total", "What calls were charged, USD.", "provider", "model"),
		tries:      counter("ainfera_tries_total", "Tries of deployments, by how they ended: ok, or the reason of the failure.", "provider", "model", "result"),
		aliasHits:  counter("ainfera_router_alias_hits_total", "Uses of a target's old name.", "legacy", "canonical"),
		policyTime: histogram("ainfera_policy_duration_seconds", "One decision of a policy, across the sandbox's boundary.", "policy"),
		inFlight:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "ainfera_calls_in_flight", Help: "Calls being served now."}),
		skipped:    counter("ainfera_vendor_events_skipped_total", "Pieces of answers that an adapter did not recognise.", "provider"),
		replayed:   counter("ainfera_replays_total", "Calls answered from what an earlier call with their Idempotency-Key was answered, by its HTTP status.", "status"),
	}
	m.booked = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ainfera_decision_durable_seconds",
		Help: "From a decision that is made to its row and hold being durable: what the books add before a call is dispatched.", Buckets: fineSeconds})
	m.registry.MustRegister(m.booked, m.calls, m.errors, m.ttft, m.gap, m.duration, m.tokens, m.cost, m.tries, m.aliasHits, m.policyTime, m.inFlight, m.skipped, m.replayed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Guard registers the two capture counters, which the books keep themselves.
func (m *Metrics) Guard(read func() (dispatchWithoutCapture, captureWithoutRoute int64)) {
	m.registry.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ainfera_dispatch_without_capture_total", Help: "Routed calls that ended without their row. Must stay 0."},
			func() float64 { a, _ := read(); return float64(a) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ainfera_capture_without_route_total", Help: "Pinned calls that got a row. Must stay 0."},
			func() float64 { _, b := read(); return float64(b) }),
	)
}

// Register adds a collector of another package, the sandbox's for instance.
func (m *Metrics) Register(c prometheus.Collector) { m.registry.MustRegister(c) }

// Handler serves the series in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// A Call is what one finished call adds. Durations that did not happen are zero.
type Call struct {
	Provider, Model, Mode, Code                string
	Status                                     int
	TTFT, Duration                             time.Duration
	Input, Output, CacheRead, CacheWrite, Cost int64 // tokens; Cost in micro-USD
}

// Begin counts a call in; the returned function counts it out.
func (m *Metrics) Begin() (done func()) {
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Observe takes one finished call.
func (m *Metrics) Observe(c *Call) {
	m.calls.WithLabelValues(c.Provider, c.Model, c.Mode, statusText(c.Status)).Inc()
	if c.Code != "" {
		m.errors.WithLabelValues(c.Provider, c.Model, c.Code).Inc()
	}
	if c.TTFT > 0 {
		m.ttft.WithLabelValues(c.Provider, c.Model).Observe(c.TTFT.Seconds())
	}
	m.duration.WithLabelValues(c.Provider, c.Model).Observe(c.Duration.Seconds())
	for _, t := range [...]struct {
		kind string
		n    int64
	}{{"input", c.Input}, {"output", c.Output}, {"cache_read", c.CacheRead}, {"cache_write", c.CacheWrite}} {
		if t.n > 0 {
			m.tokens.WithLabelValues(c.Provider, c.Model, t.kind).Add(float64(t.n))
		}
	}
	if c.Cost > 0 {
		m.cost.WithLabelValues(c.Provider, c.Model).Add(float64(c.Cost) / 1e6)
	}
}

// Try counts one try of a deployment.
func (m *Metrics) Try(provider, model, result string) {
	m.tries.WithLabelValues(provider, model, result).Inc()
}

// Alias counts one use of an old name.
func (m *Metrics) Alias(legacy, canonical string) {
	m.aliasHits.WithLabelValues(legacy, canonical).Inc()
}

// Policy takes the time of one decision.
func (m *Metrics) Policy(name string, d time.Duration) {
	m.policyTime.WithLabelValues(name).Observe(d.Seconds())
}

// Booked takes the time in which a decision and its hold became durable.
func (m *Metrics) Booked(d time.Duration) { m.booked.Observe(d.Seconds()) }

// Skipped counts pieces of a vendor's answer that nobody understood.
func (m *Metrics) Skipped(provider string, n int) {
	m.skipped.WithLabelValues(provider).Add(float64(n))
}

// Replayed counts a call that was answered as the first with its Idempotency-Key was.
func (m *Metrics) Replayed(status int) {
	m.replayed.WithLabelValues(statusText(status)).Inc()
}

// Gaps is where one stream's times between writes go.
func (m *Metrics) Gaps(provider, model string) prometheus.Observer {
	return m.gap.WithLabelValues(provider, model)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
}

func statusText(n int) string {
	switch n {
	case 200:
		return "200"
	case 0:
		return "client_gone"
	}
	return string([]byte{byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}
