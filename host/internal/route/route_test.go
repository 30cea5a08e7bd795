package route

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/money"
)

// cheapest is a policy in Go: whoever clears the floor and the budget, by price. It keeps the inputs it saw.
type cheapest struct {
	inputs []string
	answer func(input gjson.Result) string // overrides
	err    error
}

func (p *cheapest) Decide(_ context.Context, input []byte) (Verdict, error) {
	p.inputs = append(p.inputs, string(input))
	if p.err != nil {
		return Verdict{}, p.err
	}
	in := gjson.ParseBytes(input)
	if p.answer != nil {
		return Verdict{Output: []byte(p.answer(in)), Module: "sha256:test", Version: "1.0.0"}, nil
	}
	type cand struct {
		slug  string
		total float64
	}
	var left []cand
	maxTok := in.Get("request.reserved_max_tokens").Float()
	for _, c := range in.Get("candidates").Array() {
		cost := c.Get("price_out_per_mtok_usd").Float() * maxTok / 1e6
		if c.Get("q_prior").Float() < in.Get("policy.min_quality").Float() {
			continue
		}
		if b := in.Get("policy.budget_cap_usd"); b.Type != gjson.Null && cost > b.Float() {
			continue
		}
		left = append(left, cand{c.Get("model_slug").String(), c.Get("price_in_per_mtok_usd").Float() + c.Get("price_out_per_mtok_usd").Float()})
	}
	sort.SliceStable(left, func(i, j int) bool { return left[i].total < left[j].total })
	var order []string
	for _, c := range left {
		order = append(order, c.slug)
	}
	return Verdict{Output: []byte(decision(order...)), Module: "sha256:test", Version: "1.0.0"}, nil
}

func decision(order ...string) string {
	if len(order) == 0 {
		return `{"chosen_model_slug":null,"fallback_order":[],"is_reject":true,"rule_fired":"no_candidate_clears_floor","ruleset_hash":"07dbdce7"}`
	}
	return fmt.Sprintf(`{"chosen_model_slug":%q,"chosen_projected_cost_usd":"0.001000","fallback_order":["%s"],"is_reject":false,"rule_fired":"cheapest_clearing_floor","ruleset_hash":"07dbdce7"}`,
		order[0], strings.Join(order, `","`))
}

func price(t *testing.T, in, out string) *Prices {
	t.Helper()
	a, err1 := money.ParsePrice(in)
	b, err2 := money.ParsePrice(out)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &Prices{Input: a, Output: b}
}

type fixture struct {
	policy  *cheapest
	router  *Router
	health  *Health
	clock   time.Time
	aliases []string
	live    bool
}

func newFixture(t *testing.T) *fixture {
	yes := true
	f := &fixture{policy: &cheapest{}, clock: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return f.clock }
	entries := []*Entry{
		{Slug: "plain", Brand: "a", QPrior: "0.60", Allowed: &yes, Context: 8000, MaxOutput: 1000, Prices: price(t, "0.1", "0.2"), Deployments: []Deployment{{Provider: "p", Upstream: "plain-1"}}},
		{Slug: "tooler", Names: []string{"tooler-2026"}, Brand: "b", QPrior: "0.70", Allowed: &yes, Context: 100000, MaxOutput: 8000, CanTools: true, Prices: price(t, "1", "2"), Deployments: []Deployment{{Provider: "p", Upstream: "tooler-up"}}},
		{Slug: "thinker", Brand: "c", QPrior: "0.90", Allowed: &yes, Context: 200000, MaxOutput: 64000, CanTools: true, CanImages: true, CanThink: true, Prices: price(t, "3", "15"), Deployments: []Deployment{{Provider: "p", Upstream: "thinker-up"}, {Provider: "q", Upstream: "thinker-q"}}},
		{Slug: "dead", Brand: "d", QPrior: "0.99", Allowed: &yes, Prices: price(t, "0.01", "0.01"), Deployments: []Deployment{{Provider: "off", Upstream: "dead-up"}}},
		{Slug: "free", Brand: "e", Deployments: []Deployment{{Provider: "p", Upstream: "free-up"}}},
	}
	targets := []*Target{
		{Name: "ainfera-inference", Aliases: []string{"ainfera-auto"}, AliasesUntil: "2026-06-30"},
		{Name: "ainfera-code", Defaults: Hints{TaskType: "code"}},
	}
	cat, err := NewCatalogue(entries, targets, func(p string) bool { return p != "off" })
	if err != nil {
		t.Fatal(err)
	}
	f.health = NewHealth(now)
	f.router, err = New(Config{
		Catalogue: cat, MinQuality: "0.50", SessionAffinity: true, Health: f.health, Affinity: NewAffinity(now), Now: now,
		PreferenceLive: func() bool { return f.live },
		AliasHit:       func(legacy, canonical string) { f.aliases = append(f.aliases, legacy+">"+canonical) },
		Preferences: []*Preference{
			{Name: "balanced", Policy: "floor", Decider: f.policy},
			{Name: "quality", Policy: "floor", Settings: []byte(`{"floor_delta":"0.10"}`), Decider: f.policy},
			{Name: "mine", Policy: "other", Settings: []byte(`{"x":1}`), Decider: f.policy},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func slugs(p *Plan) []string {
	var out []string
	for _, c := range p.Candidates {
		out = append(out, c.Entry.Slug)
	}
	return out
}

func TestRoute(t *testing.T) {
	cap10 := int64(10)
	for _, tc := range []struct {
		name     string
		call     Call
		want     []string // candidates
		code     string
		excluded string
		check    func(t *testing.T, f *fixture, p *Plan)
	}{
		{name: "OK", call: Call{Model: "ainfera-inference", MaxTokens: 100}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if p.Cell != "general:plain:balanced" || p.Decision.PolicyVersion != "floor@1.0.0+07dbdce7" || p.Baseline.Slug != "thinker" {
				t.Errorf("cell %s, policy %s, baseline %s", p.Cell, p.Decision.PolicyVersion, p.Baseline.Slug)
			}
		}},
		{name: "AliasIsTheTarget", call: Call{Model: "ainfera-auto", MaxTokens: 100}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if p.Target != "ainfera-inference" || !reflect.DeepEqual(f.aliases, []string{"ainfera-auto>ainfera-inference"}) {
				t.Errorf("target %s, hits %v", p.Target, f.aliases)
			}
		}},
		{name: "ToolsKeepOut", call: Call{Model: "ainfera-inference", MaxTokens: 100, Tools: 1}, want: []string{"tooler", "thinker"}, excluded: `[{"reason":"no_tools","slug":"plain"},{"reason":"no_tools","slug":"free"}]`},
		{name: "TargetsTaskFloor", call: Call{Model: "ainfera-code", MaxTokens: 100}, want: []string{"thinker"}},
		{name: "CallersFloorBeatsTask", call: Call{Model: "ainfera-code", MaxTokens: 100, RoutingHint: []byte(`{"min_quality":0.65}`)}, want: []string{"tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if !gjson.Get(f.policy.inputs[0], "min_quality_explicit").Bool() {
				t.Error("an explicit floor was not marked so")
			}
		}},
		{name: "TierName", call: Call{Model: "ainfera-inference", MaxTokens: 100, RoutingHint: []byte(`{"min_quality":"frontier","what":1}`)}, want: []string{"thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if got, want := string(p.Hint), `{"min_quality":"0.85","unknown":["routing_hint.what: 1"]}`; got != want {
				t.Errorf("hint %s, want %s", got, want)
			}
		}},
		{name: "BodyBeatsHeader", call: Call{Model: "ainfera-inference", MaxTokens: 100, RoutingHint: []byte(`{"min_quality":0.65}`), Header: http.Header{"X-Ainfera-Min-Quality": {"0.85"}}}, want: []string{"tooler", "thinker"}},
		{name: "HeaderFloor", call: Call{Model: "ainfera-inference", MaxTokens: 100, Header: http.Header{"X-Ainfera-Min-Quality": {"0.85"}}}, want: []string{"thinker"}},
		{name: "ErrHintOutOfRange", call: Call{Model: "ainfera-inference", RoutingHint: []byte(`{"min_quality":1.5}`)}, code: CodeInvalidHint},
		{name: "ErrBudgetNegative", call: Call{Model: "ainfera-inference", RoutingHint: []byte(`{"budget_cap_usd":"-1"}`)}, code: CodeInvalidHint},
		{name: "ErrFloorBeyondNumbers", call: Call{Model: "ainfera-inference", Header: http.Header{"X-Ainfera-Min-Quality": {"1e400"}}}, code: CodeInvalidHint},
		{name: "ErrFloorOfTooManyDigits", call: Call{Model: "ainfera-inference", RoutingHint: []byte(`{"min_quality":"0.900000000000000000000000000000000000000000"}`)}, code: CodeInvalidHint},
		{name: "TierOfALaterDay", call: Call{Model: "ainfera-inference", MaxTokens: 100, RoutingHint: []byte(`{"min_quality":"supreme"}`)}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if got, want := string(p.Hint), `{"unknown":["routing_hint.min_quality: \"supreme\""]}`; got != want {
				t.Errorf("recorded hint %s, want %s", got, want)
			}
		}},
		{name: "ErrHintNoObject", call: Call{Model: "ainfera-inference", RoutingHint: []byte(`3`)}, code: CodeInvalidHint},
		{name: "ThinkersFirst", call: Call{Model: "ainfera-inference", MaxTokens: 100, WantsThinking: true}, want: []string{"thinker"}},
		{name: "ThinkingIsAWish", call: Call{Model: "ainfera-inference", MaxTokens: 100, WantsThinking: true, RoutingHint: []byte(`{"budget_cap_usd":"0.0005"}`)}, want: []string{"plain", "tooler"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if !p.Candidates[0].DropThinking || len(f.policy.inputs) != 2 || p.Excluded() != nil {
				t.Errorf("drop %v, %d decisions, excluded %s", p.Candidates[0].DropThinking, len(f.policy.inputs), p.Excluded())
			}
		}},
		{name: "MaxTokensLowered", call: Call{Model: "ainfera-inference", MaxTokens: 32000}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if p.Candidates[0].MaxTokens != 1000 || p.Candidates[2].MaxTokens != 32000 {
				t.Errorf("max tokens %d, %d", p.Candidates[0].MaxTokens, p.Candidates[2].MaxTokens)
			}
		}},
		{name: "FitKeepsOut", call: Call{Model: "ainfera-inference", EstimatedInput: 50000, MaxTokens: 100, RoutingHint: []byte(`{"min_quality":0.1}`)}, want: []string{"tooler", "thinker"}},
		{name: "ErrFitsNobody", call: Call{Model: "ainfera-inference", EstimatedInput: 5000000, MaxTokens: 100, Tools: 1}, code: CodeTooLarge},
		{name: "ErrDocuments", call: Call{Model: "ainfera-inference", Documents: 1}, code: CodeDocuments},
		{name: "ErrFloor", call: Call{Model: "ainfera-inference", MaxTokens: 100, RoutingHint: []byte(`{"min_quality":0.95}`)}, code: CodeFloor},
		{name: "ErrPerCallCap", call: Call{Model: "ainfera-inference", MaxTokens: 1000, PerCallMicroUSD: &cap10}, code: CodePerCallCap},
		{name: "ErrDailyCap", call: Call{Model: "ainfera-inference", MaxTokens: 1000, PerCallMicroUSD: ptr(int64(1e6)), DayLeftMicroUSD: &cap10}, code: CodeDailyCap},
		{name: "ErrFloorNotCap", call: Call{Model: "ainfera-inference", MaxTokens: 1000, PerCallMicroUSD: &cap10, RoutingHint: []byte(`{"min_quality":0.95}`)}, code: CodeFloor},
		{name: "ErrOwnBudgetIsNoCap", call: Call{Model: "ainfera-inference", MaxTokens: 1000, PerCallMicroUSD: &cap10, RoutingHint: []byte(`{"budget_cap_usd":0.000001}`)}, code: CodeFloor},
		{name: "Pinned", call: Call{Model: "tooler-2026", MaxTokens: 10}, want: []string{"tooler"}},
		{name: "PinnedByUpstream", call: Call{Model: "thinker-q", MaxTokens: 10}, want: []string{"thinker"}},
		{name: "ErrPinnedTools", call: Call{Model: "plain", Tools: 2}, code: CodeTools},
		{name: "ErrPinnedDead", call: Call{Model: "dead"}, code: CodeModelUnavailable},
		{name: "ErrPinnedNoPrice", call: Call{Model: "free"}, code: CodeModelUnavailable},
		{name: "ErrUnknown", call: Call{Model: "toler"}, code: CodeUnknownModel},
		{name: "GateClosed", call: Call{Model: "ainfera-inference", MaxTokens: 10, RoutingHint: []byte(`{"routing_preference":"quality"}`)}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if gjson.Get(f.policy.inputs[0], "settings").Exists() || p.Preference != "quality" || p.Decision.Preference != "balanced" {
				t.Errorf("gate closed, yet: %s", f.policy.inputs[0])
			}
		}},
		{name: "OwnPreferenceIsNotGated", call: Call{Model: "ainfera-inference", MaxTokens: 10, Header: http.Header{"X-Ainfera-Preference": {"mine"}}}, want: []string{"plain", "tooler", "thinker"}, check: func(t *testing.T, f *fixture, p *Plan) {
			if gjson.Get(f.policy.inputs[0], "settings.x").Int() != 1 || !strings.HasSuffix(p.Cell, ":mine") {
				t.Errorf("cell %s, input %s", p.Cell, f.policy.inputs[0])
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			p, err := f.router.Route(t.Context(), &tc.call)
			if tc.code != "" {
				ref, ok := AsRefusal(err)
				if !ok || ref.Code != tc.code {
					t.Fatalf("got %v (%+v), want code %s", err, p, tc.code)
				}
				if (ref.Code == CodeInvalidHint) != (ref.Param != "") {
					t.Errorf("%s names %q", ref.Code, ref.Param)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := slugs(p); !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
			if tc.excluded != "" && string(p.Excluded()) != tc.excluded {
				t.Errorf("excluded %s, want %s", p.Excluded(), tc.excluded)
			}
			for _, in := range f.policy.inputs {
				if !gjson.Valid(in) {
					t.Errorf("input is not JSON: %s", in)
				}
			}
			if tc.check != nil {
				tc.check(t, f, p)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func TestAliasExpires(t *testing.T) {
	f := newFixture(t)
	f.clock = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	_, err := f.router.Route(t.Context(), &Call{Model: "ainfera-auto"})
	if ref, ok := AsRefusal(err); !ok || ref.Code != CodeAliasExpired || !strings.Contains(ref.Message, "ainfera-inference") {
		t.Fatalf("got %v", err)
	}
}

func TestAffinityChoosesAmongSurvivors(t *testing.T) {
	f := newFixture(t)
	call := Call{Model: "ainfera-inference", AgentID: "a", Session: "s", MaxTokens: 10}
	f.router.Served(&call, "thinker", "sig", 0)
	p, err := f.router.Route(t.Context(), &call)
	if err != nil || p.Candidates[0].Entry.Slug != "thinker" || !p.Affinity || p.Decision.Chosen != "plain" {
		t.Fatalf("got %v, %v", p, err)
	}
	f.clock = f.clock.Add(time.Hour)
	if p, err = f.router.Route(t.Context(), &call); err != nil || p.Affinity {
		t.Fatalf("an hour later: %+v, %v", p, err)
	}
	f.router.Served(&call, "thinker", "", 0)
	call.RoutingHint = []byte(`{"budget_cap_usd":0.00001}`)
	if p, err = f.router.Route(t.Context(), &call); err != nil || p.Affinity {
		t.Fatalf("the session's model did not survive: %+v, %v", p, err)
	}
	if got := f.router.Issuer("b", "sig"); got != "" {
		t.Fatalf("another agent sees the signature of %q", got)
	}
}

func TestPolicyIsNotTrusted(t *testing.T) {
	for name, answer := range map[string]string{
		"ErrNotJSON":       `nope`,
		"ErrNotOffered":    decision("ghost"),
		"ErrTwice":         decision("plain", "plain"),
		"ErrNotFirst":      strings.Replace(decision("plain", "tooler"), `"chosen_model_slug":"plain"`, `"chosen_model_slug":"tooler"`, 1),
		"ErrNobody":        strings.Replace(decision(), `"is_reject":true`, `"is_reject":false`, 1),
		"ErrRejectsAndHas": strings.Replace(decision("plain"), `"is_reject":false`, `"is_reject":true`, 1),
		"ErrHash":          strings.Replace(decision("plain"), "07dbdce7", "xyz", 1),
		"ErrUnpriced":      decision("free"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.policy.answer = func(gjson.Result) string { return answer }
			_, err := f.router.Route(t.Context(), &Call{Model: "ainfera-inference", MaxTokens: 5})
			ref, ok := AsRefusal(err)
			if !ok || ref.Code != CodePolicyFailed || ref.Err == nil || ref.Plan.Decision == nil {
				t.Fatalf("got %v", err)
			}
		})
	}
	f := newFixture(t)
	f.policy.err = errors.New("trap")
	_, err := f.router.Route(t.Context(), &Call{Model: "ainfera-inference"})
	if ref, ok := AsRefusal(err); !ok || ref.Code != CodePolicyFailed || strings.Contains(ref.Message, "trap") {
		t.Fatalf("got %v", err)
	}
}

func TestDeploymentsByPriorityThenWeight(t *testing.T) {
	f := newFixture(t)
	e := &Entry{Slug: "x", Deployments: []Deployment{{"p", "late", 2, 100}, {"p", "small", 1, 10}, {"p", "large", 1, 90}, {"off", "dead", 0, 1}, {"p", "none", 1, 0}}}
	first := map[string]int{}
	for i := range 2000 {
		ds := f.router.Deployments(e, fmt.Sprint("call", i))
		if len(ds) != 4 || ds[3].Upstream != "late" || ds[2].Upstream != "none" {
			t.Fatalf("got %v", ds)
		}
		first[ds[0].Upstream]++
	}
	if first["large"] < 1700 || first["large"] > 1900 {
		t.Fatalf("weights 90:10 drew %v of 2000", first)
	}
	if a, b := f.router.Deployments(e, "same"), f.router.Deployments(e, "same"); !reflect.DeepEqual(a, b) {
		t.Fatalf("one seed, two orders: %v, %v", a, b)
	}
}

func TestHealthKeepsOut(t *testing.T) {
	f := newFixture(t)
	f.health.KeepOut("p/plain-1", time.Minute)
	f.health.KeepOut("p/plain-1", time.Second)
	if left := f.health.Out("p/plain-1"); left != time.Minute {
		t.Fatalf("kept out for %v", left)
	}
	if _, err := f.router.Route(t.Context(), &Call{Model: "ainfera-inference", MaxTokens: 1}); err != nil {
		t.Fatal(err)
	}
	if v := gjson.Get(f.policy.inputs[0], "features.candidates.plain.healthy"); !v.Exists() || v.Bool() {
		t.Fatalf("input %s", f.policy.inputs[0])
	}
	f.clock = f.clock.Add(time.Minute)
	if left := f.health.Out("p/plain-1"); left != 0 {
		t.Fatalf("still out for %v", left)
	}
}

func FuzzHints(f *testing.F) {
	f.Add([]byte(`{"min_quality":"good","budget_cap_usd":1e-3}`), "code", "k=v,,x")
	f.Add([]byte(`{"latency_cap_ms":1e99}`), "", "=")
	f.Fuzz(func(t *testing.T, raw []byte, task, tags string) {
		h, err := bodyHints(raw, task)
		if err != nil {
			if _, ok := AsRefusal(err); !ok {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		hh, err := headerHints(http.Header{"X-Ainfera-Tags": {tags}})
		if err != nil {
			t.Fatal(err)
		}
		if rec := h.under(hh).record(); rec != nil && !gjson.ValidBytes(rec) {
			t.Fatalf("record is not JSON: %s", rec)
		}
	})
}
