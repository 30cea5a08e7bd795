package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// TestVendorErrors maps every status that a vendor may answer, for routed and pinned calls on both lanes. Where a routed
// call falls over, there is nobody else.
func TestVendorErrors(t *testing.T) {
	const vendors = `{"type":"error","error":{"type":"x","message":"the vendor's words"},"kept": 1}`
	for _, tc := range []struct {
		vendor         int
		routed, pinned int
		passRouted     bool // ends the call with the vendor's own answer
		passPinned     bool
	}{
		{vendor: 400, routed: 400, pinned: 400, passRouted: true, passPinned: true},
		{vendor: 401, routed: 503, pinned: 502},
		{vendor: 402, routed: 400, pinned: 502, passRouted: true},
		{vendor: 403, routed: 503, pinned: 502},
		{vendor: 404, routed: 503, pinned: 502},
		{vendor: 408, routed: 503, pinned: 502},
		{vendor: 413, routed: 413, pinned: 413, passRouted: true, passPinned: true},
		{vendor: 422, routed: 422, pinned: 422, passRouted: true, passPinned: true},
		{vendor: 429, routed: 503, pinned: 429},
		{vendor: 500, routed: 503, pinned: 502},
		{vendor: 503, routed: 503, pinned: 502},
		{vendor: 529, routed: 503, pinned: 502},
		{vendor: 302, routed: 503, pinned: 502},
	} {
		for _, lane := range []string{"v", "t"} {
			for _, routed := range []bool{true, false} {
				name := http.StatusText(tc.vendor) + "/" + lane + map[bool]string{true: "/routed", false: "/pinned"}[routed]
				t.Run(strings.ReplaceAll(name, " ", ""), func(t *testing.T) {
					t.Parallel()
					r := newRig(t)
					model, want, passed := lane+"1", tc.pinned, tc.passPinned
					if routed {
						model, want, passed = "ainfera-inference", tc.routed, tc.passRouted
						r.guests[map[string]string{"v": "t", "t": "v"}[lane]].refuse = abi.ErrFeatureUnsupported
					}
					verbatim := lane == "v" && passed
					if passed && routed {
						want = tc.vendor
						if !verbatim {
							want = 400
						}
					}
					for _, m := range []string{"1", "2"} {
						r.serve(lane+m, answer(tc.vendor, vendors, "Retry-After", "9", "X-Should-Retry", "true", "Location", "/"))
					}
					resp, body := r.post(ask(model, true))
					if resp.StatusCode != want {
						t.Fatalf("got %d %s, want %d", resp.StatusCode, body, want)
					}
					if verbatim != (body == vendors) {
						t.Errorf("body %s", body)
					}
					e := gjson.Get(body, "error")
					if !verbatim && (gjson.Get(body, "request_id").String() != resp.Header.Get("Request-Id") || e.Get("type").String() != anthropicTypes[want]) {
						t.Errorf("error %s", body)
					}
					if want == 502 && e.Get("upstream_status").Int() != int64(tc.vendor) {
						t.Errorf("upstream_status: %s", body)
					}
					if tc.vendor == 429 && resp.Header.Get("Retry-After") != "9" {
						t.Errorf("retry-after %q", resp.Header.Get("Retry-After"))
					}
					if resp.Header.Get("X-Should-Retry") != "" || resp.Header.Get("X-Ratelimit-Remaining-Tokens") != "" {
						t.Errorf("the vendor's headers were passed on: %v", resp.Header)
					}
					tried := lane + "1"
					if routed && !passed {
						tried += " " + lane + "2"
					}
					if got := r.tried(); got != tried {
						t.Errorf("tried %q, want %q", got, tried)
					}
					if row := r.row(resp); row.Status != schema.StatusFailedProviderError || row.CostMicroUSD != 0 {
						t.Errorf("row %+v", row)
					}
					r.clean()
				})
			}
		}
	}
}

var anthropicTypes = map[int]string{400: "invalid_request_error", 413: "request_too_large", 422: "invalid_request_error",
	429: "rate_limit_error", 502: "api_error", 503: "overloaded_error"}

// TestKeptOut has a vendor that asked to be left alone: the next calls go elsewhere, or are told when to come again.
func TestKeptOut(t *testing.T) {
	r := newRig(t)
	r.guests["t"].refuse = abi.ErrFeatureUnsupported
	r.serve("v1", answer(429, `{}`, "Retry-After", "30"))
	r.serve("v2", answer(200, wholeAnswer))
	for i, want := range []string{"v1 v2", "v2"} {
		if resp, body := r.post(ask("ainfera-inference", false)); resp.StatusCode != 200 || r.tried() != want {
			t.Fatalf("call %d: got %d %s", i, resp.StatusCode, body)
		}
	}
	resp, body := r.post(ask("v1", false))
	if resp.StatusCode != 429 || gjson.Get(body, "error.type").String() != "rate_limit_error" || resp.Header.Get("Retry-After") != "30" || r.tried() != "" {
		t.Errorf("pinned: got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	r.serve("v2", answer(503, `{}`, "Retry-After", "5"))
	resp, body = r.post(ask("ainfera-inference", false))
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("the soonest counts: got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	r.clean()
}

// TestBadRequestKeepsNobodyOut has a vendor that says when to come again in every answer: what it says of one caller's request
// is no reason to send the next one elsewhere.
func TestBadRequestKeepsNobodyOut(t *testing.T) {
	for _, status := range []int{400, 413, 422} {
		r := newRig(t)
		r.guests["t"].refuse = abi.ErrFeatureUnsupported
		r.serve("v1", answer(status, `{}`, "Retry-After", "30"))
		r.serve("v2", answer(200, wholeAnswer))
		if resp, body := r.post(ask("v1", false)); resp.StatusCode != status || resp.Header.Get("Retry-After") != "" || r.tried() != "v1" {
			t.Errorf("%d: got %d %v %s", status, resp.StatusCode, resp.Header, body)
		}
		r.serve("v1", answer(200, wholeAnswer))
		if resp, body := r.post(ask("ainfera-inference", false)); resp.StatusCode != 200 || r.tried() != "v1" {
			t.Errorf("%d, the next call: got %d %s", status, resp.StatusCode, body)
		}
		r.clean()
	}
}

// TestEveryAdapterRefuses books nothing: nothing was sent.
func TestEveryAdapterRefuses(t *testing.T) {
	r := newRig(t)
	for kind, status := range map[string]int{abi.ErrFeatureUnsupported: 422, abi.ErrInvalidRequest: 400} {
		r.guests["v"].refuse, r.guests["t"].refuse = kind, kind
		for _, model := range []string{"ainfera-inference", "v1"} {
			resp, body := r.post(ask(model, true))
			if resp.StatusCode != status || gjson.Get(body, "error.code").String() != codeAdapterRefused || resp.Header.Get("X-Ainfera-Inference-Id") != "" {
				t.Errorf("%s, %s: got %d %s", model, kind, resp.StatusCode, body)
			}
		}
	}
	if entries, err := r.books.Ledger(t.Context(), r.agent.ID, 10); err != nil || len(entries) != 0 {
		t.Errorf("ledger %v, %v", entries, err)
	}
	r.clean()
}

// TestOneIsKeptOutAndTheOthersRefuse is no refusal of everybody's: the one who wasn't asked might have taken it, and may be
// asked again soon.
func TestOneIsKeptOutAndTheOthersRefuse(t *testing.T) {
	r := newRig(t)
	r.guests["t"].refuse = abi.ErrFeatureUnsupported
	for _, m := range []string{"v1", "v2"} {
		r.serve(m, answer(429, `{}`, "Retry-After", "30"))
	}
	r.post(ask("ainfera-inference", false)) // after which both are kept out
	r.tried()
	resp, body := r.post(ask("ainfera-inference", false))
	if resp.StatusCode != 503 || gjson.Get(body, "error.code").String() != codeAllFailed || resp.Header.Get("Retry-After") != "30" || r.tried() != "" {
		t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	if row := r.row(resp); row.Status != schema.StatusFailedProviderError || row.HoldMicroUSD != 0 {
		t.Errorf("row %+v", row)
	}
	r.clean()
}

// TestOneIsTooDearAndTheOthersRefuse says what is true of the one who would have served: it can't be paid for.
func TestOneIsTooDearAndTheOthersRefuse(t *testing.T) {
	r := newRig(t)
	r.guests["v"].refuse, r.guests["t"].refuse, r.guests["t"].takes = abi.ErrFeatureUnsupported, abi.ErrFeatureUnsupported, "up-t2"
	a, key := r.newAgent(capture.NewAgent{Name: "poor", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 1})
	// The dearest model comes first for who has its signature, and others behind it are cheaper.
	r.server.World().Router.Served(&route.Call{AgentID: a.ID}, "t2", messages.HashSignature([]byte("t2's")), 0)
	body := `{"model":"ainfera-inference","max_tokens":10,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"so","signature":"t2's"},{"type":"text","text":"a"}]},{"role":"user","content":"b"}]}`
	resp, text := r.post(body, "X-Api-Key", key)
	if resp.StatusCode != 402 || gjson.Get(text, "error.code").String() != codeInsufficientFunds || r.tried() != "" {
		t.Errorf("got %d %s", resp.StatusCode, text)
	}
	r.clean()
}

// TestTooDear has a wallet that covers the cheap candidates and not the last: that one is passed over, and the hold stays
// what it was.
func TestTooDear(t *testing.T) {
	r := newRig(t)
	r.serve("v1", answer(200, wholeAnswer))
	resp, _ := r.post(ask("v1", false))
	hold := r.row(resp).HoldMicroUSD
	r.serve("v1", answer(500, `{}`))
	r.serve("t2", sse("data: {\"text\":\"a\"}\n\ndata: {\"stop\":1}\n\n"))
	for _, tc := range []struct {
		balance int64
		status  int
		tried   string
	}{{2 * hold, 200, "v1 t1 v2 t2"}, {2*hold - 1, 503, "v1 t1 v2"}} {
		r.tried()
		a, key := r.newAgent(capture.NewAgent{Name: tc.tried, WalletMode: schema.WalletPrepaid, BalanceMicroUSD: tc.balance})
		resp, body := r.post(ask("ainfera-inference", true), "X-Api-Key", key)
		if got := r.tried(); resp.StatusCode != tc.status || got != tc.tried {
			t.Errorf("balance %d: got %d, tried %q, want %d, %q: %s", tc.balance, resp.StatusCode, got, tc.status, tc.tried, body)
		}
		row := r.row(resp)
		w, err := r.books.Wallet(t.Context(), a.ID)
		if err != nil || w.BalanceMicroUSD != tc.balance-row.CostMicroUSD {
			t.Errorf("balance %d of %d after a cost of %d, %v", w.BalanceMicroUSD, tc.balance, row.CostMicroUSD, err)
		}
	}
	r.clean()
}
