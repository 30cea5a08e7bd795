package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSeriesShowWhatHappened(t *testing.T) {
	m := New()
	m.Guard(func() (int64, int64) { return 3, 4 })
	done := m.Begin()
	m.Observe(&Call{Provider: "p", Model: "m", Mode: "native", Status: 200, TTFT: 20 * time.Millisecond, Duration: time.Second, Input: 7, Output: 9, Cost: 2_500_000})
	m.Observe(&Call{Provider: "p", Model: "m", Mode: "native", Status: 503, Code: "all_routed_models_failed"})
	m.Observe(&Call{Provider: "p", Model: "m", Mode: "native"})
	m.Try("p", "m", "rate_limit")
	m.Alias("old", "new")
	m.Skipped("p", 2)
	m.Booked(3 * time.Millisecond)
	m.Policy("floor", time.Millisecond)
	m.Gaps("p", "m").Observe(0.05)

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`ainfera_calls_total{mode="native",model="m",provider="p",status="200"} 1`,
		`ainfera_calls_total{mode="native",model="m",provider="p",status="503"} 1`,
		`ainfera_calls_total{mode="native",model="m",provider="p",status="client_gone"} 1`,
		`ainfera_errors_total{code="all_routed_models_failed",model="m",provider="p"} 1`,
		`ainfera_tokens_total{kind="output",model="m",provider="p"} 9`,
		`ainfera_cost_usd_total{model="m",provider="p"} 2.5`,
		`ainfera_time_to_first_token_seconds_count{model="m",provider="p"} 1`,
		`ainfera_time_between_tokens_seconds_count{model="m",provider="p"} 1`,
		`ainfera_tries_total{model="m",provider="p",result="rate_limit"} 1`,
		`ainfera_router_alias_hits_total{canonical="new",legacy="old"} 1`,
		`ainfera_vendor_events_skipped_total{provider="p"} 2`,
		`ainfera_decision_durable_seconds_count 1`,
		`ainfera_dispatch_without_capture_total 3`,
		`ainfera_capture_without_route_total 4`,
		`ainfera_calls_in_flight 1`,
	} {
		if !strings.Contains(w.Body.String(), want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	done()
}
