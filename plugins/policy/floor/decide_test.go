package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/decimal"
)

// The settings that the product binds to its preferences.
const (
	shippedQuality = `{"floor_delta":"0.10","floor_max":"0.85"}`
	shippedCost    = `{"floor_delta":"-0.10","floor_min":"0.50"}`
)

// A scenario makes an input. What is empty takes the value that matters least.
type scenario struct {
	in, max    int64  // tokens
	floor      string // decimal
	policy     string // further fields, JSON without braces
	options    string // object
	settings   string // object
	explicit   bool
	candidates []model
}

// A model makes a candidate. Quality and prices are decimals or null; the last line is JSON.
type model struct {
	slug, brand, q, in, out string
	allowed                 string
	latency, agentic        string
}

func (s scenario) json() string {
	var list []string
	for i, m := range s.candidates {
		slug := or(m.slug, string(rune('a'+i)))
		list = append(list, fmt.Sprintf(`{"model_id":"id-%s","model_slug":"%s","brand_slug":"%s","q_prior":%s,"price_in_per_mtok_usd":%s,"price_out_per_mtok_usd":%s,"m_allowed":%s,"expected_latency_ms":%s,"aa_agentic_index":%s}`,
			slug, slug, or(m.brand, "maker"), quoted(or(m.q, "0.9")), quoted(or(m.in, "1")), quoted(or(m.out, "1")), or(m.allowed, "true"), or(m.latency, "null"), or(m.agentic, "null")))
	}
	policy := fmt.Sprintf(`"policy_name":"floor","min_quality":%s`, quoted(or(s.floor, "0")))
	if s.policy != "" {
		policy += "," + s.policy
	}
	doc := fmt.Sprintf(`{"request":{"request_id":"r","agent_id":"a","estimated_input_tokens":%d,"reserved_max_tokens":%d},"candidates":[%s],"policy":{%s}`,
		s.in, s.max, strings.Join(list, ","), policy)
	if s.options != "" {
		doc += `,"options":` + s.options
	}
	if s.settings != "" {
		doc += `,"settings":` + s.settings
	}
	if s.explicit {
		doc += `,"min_quality_explicit":true`
	}
	return doc + "}"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func quoted(s string) string {
	if s == "null" || s[0] == '"' {
		return s
	}
	return `"` + s + `"`
}

type decision struct {
	Rule       string   `json:"rule_fired"`
	Reject     bool     `json:"is_reject"`
	Chosen     *string  `json:"chosen_model_slug"`
	ChosenCost *string  `json:"chosen_projected_cost_usd"`
	Fallback   []string `json:"fallback_order"`
	Hash       string   `json:"ruleset_hash"`
	Candidates []struct {
		Slug          string  `json:"model_slug"`
		ProjectedCost *string `json:"projected_cost_usd"`
		Drop          *string `json:"drop_reason"`
		Rank          *int    `json:"rank"`
	}
}

func decide(t testing.TB, in string) decision {
	t.Helper()
	out, err := new(engine).Decide([]byte(in), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, in)
	}
	if want := canonical(t, out); string(out) != want {
		t.Fatalf("not canonical:\n got %s\nwant %s", out, want)
	}
	var d decision
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// brief is a decision in one line: the rule, then the candidates as listed, each with its rank or reason.
func (d decision) brief() string {
	s := d.Rule
	for _, c := range d.Candidates {
		s += " " + c.Slug + "="
		if c.Rank != nil {
			s += fmt.Sprint(*c.Rank)
		} else {
			s += *c.Drop
		}
	}
	return s
}

func TestDecide(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   scenario
		want string
	}{
		{"nobody is offered", scenario{}, "no_candidate_enrolled"},
		{"cheapest of those that clear", scenario{floor: "0.5", candidates: []model{{in: "3"}, {in: "2"}, {q: "0.4"}}},
			"cheapest_clearing_floor b=0 a=1 c=below_quality_floor"},
		{"equality passes every gate", scenario{in: 1e6, floor: "0.90", policy: `"budget_cap_usd":"1.0000","latency_cap_ms":10,"agentic_floor":0.5`,
			candidates: []model{{q: "0.9", latency: "10", agentic: "0.5"}}}, "cheapest_clearing_floor a=0"},
		{"just past every gate", scenario{in: 1e6, floor: "0.90", policy: `"budget_cap_usd":"1.0","latency_cap_ms":10,"agentic_floor":0.5`,
			candidates: []model{{q: "0.89"}, {in: "1.000001"}, {latency: "11"}, {agentic: "0.49"}}},
			"no_candidate_clears_floor a=below_quality_floor b=exceeds_budget_cap c=exceeds_latency_cap d=below_agentic_floor"},
		{"first failing gate names the reason", scenario{in: 1e6, floor: "0.9", policy: `"budget_cap_usd":"0","latency_cap_ms":1,"agentic_floor":1.0`,
			candidates: []model{
				{in: "0", q: "null", allowed: "false"}, {q: "null", allowed: "false"}, {q: "0.1", allowed: "false"},
				{q: "0.1", latency: "2", agentic: "0"}, {latency: "2", agentic: "0"}, {in: "0.0000001", latency: "2", agentic: "0"}}},
			"no_candidate_clears_floor a=not_enrolled_no_price b=not_enrolled_no_q_prior c=m_allowed_veto d=below_quality_floor e=exceeds_budget_cap f=exceeds_latency_cap"},
		{"nobody is enrolled", scenario{candidates: []model{{out: "-1"}, {in: "null"}, {q: "null"}, {allowed: "null"}}},
			"no_candidate_enrolled a=not_enrolled_no_price b=not_enrolled_no_price c=not_enrolled_no_q_prior d=m_allowed_veto"},
		{"the dropped by reason, then slug", scenario{floor: "0.5", candidates: []model{{q: "null"}, {slug: "z", q: "0"}, {slug: "y", q: "0"}, {slug: "w"}, {slug: "é", q: "0"}}},
			"cheapest_clearing_floor w=0 y=below_quality_floor z=below_quality_floor é=below_quality_floor a=not_enrolled_no_q_prior"},
		{"price, then quality, then slug", scenario{candidates: []model{{slug: "d"}, {slug: "c"}, {slug: "b", q: "0.91"}, {slug: "a", in: "0.5"}}},
			"cheapest_clearing_floor a=0 b=1 c=2 d=3"},
		{"prices equal in value tie", scenario{candidates: []model{{in: "1.50", out: "1"}, {in: "1", out: "1.500", q: "0.95"}}},
			"cheapest_clearing_floor b=0 a=1"},
		{"same slug twice keeps the input's order", scenario{candidates: []model{{slug: "x", q: "0.90"}, {slug: "x", q: "0.9"}}},
			"cheapest_clearing_floor x=0 x=1"},
		{"what was learned drops", scenario{floor: "0.5", options: `{"q_empirical":{"a":"0","b":null}}`, candidates: []model{{}, {}}},
			"cheapest_clearing_floor b=0 a=below_quality_floor"},
		{"what was learned reorders only, when serving", scenario{floor: "0.5", options: `{"q_empirical":{"a":"0.1"},"floor_on_q_prior":true}`, candidates: []model{{}, {}}},
			"cheapest_clearing_floor b=0 a=1"},
		{"a learned floor drops when serving", scenario{floor: "0.5", options: `{"quality_floor":{"a":"0.4"},"floor_on_q_prior":true}`, candidates: []model{{}, {}}},
			"cheapest_clearing_floor b=0 a=below_quality_floor"},
		{"a learned floor is nothing otherwise", scenario{floor: "0.5", options: `{"quality_floor":{"a":"0.4"}}`, candidates: []model{{}, {}}},
			"cheapest_clearing_floor a=0 b=1"},
		{"q learned for one without a prior", scenario{options: `{"q_empirical":{"a":"1"}}`, candidates: []model{{q: "null"}}},
			"no_candidate_enrolled a=not_enrolled_no_q_prior"},
		{"penalty reorders", scenario{options: `{"maker_penalty":{"m":"0.5"}}`, candidates: []model{{brand: "m"}, {in: "1.5"}}},
			"cheapest_clearing_floor b=0 a=1"},
		{"penalty below zero is none", scenario{options: `{"maker_penalty":{"m":"-0.9"}}`, candidates: []model{{}, {brand: "m", in: "1.5"}}},
			"cheapest_clearing_floor a=0 b=1"},
		{"penalty leaves the budget alone", scenario{in: 1e6, policy: `"budget_cap_usd":"1"`, options: `{"maker_penalty":{"m":"9"}}`, candidates: []model{{brand: "m"}}},
			"cheapest_clearing_floor a=0"},
		{"expected cost", scenario{options: `{"expected_cost_ranking":true}`, candidates: []model{{q: "0.5"}, {in: "1.5", q: "0.9"}, {q: "0", in: "0.01"}, {q: "-1", in: "0.01"}}},
			"cheapest_clearing_floor b=0 a=1 c=2 d=below_quality_floor"},
		{"a cheaper one was vetoed", scenario{floor: "0.5", candidates: []model{{}, {in: "0.9", allowed: "false"}}},
			"m_allowed_veto_applied a=0 b=m_allowed_veto"},
		{"one vetoed at the same price", scenario{candidates: []model{{}, {allowed: "false"}}},
			"cheapest_clearing_floor a=0 b=m_allowed_veto"},
		{"one vetoed below the floor", scenario{floor: "0.5", options: `{"q_empirical":{"b":"0.9"}}`, candidates: []model{{}, {in: "0.1", q: "0.4", allowed: "null"}}},
			"cheapest_clearing_floor a=0 b=m_allowed_veto"},
		{"veto looks at real prices", scenario{options: `{"maker_penalty":{"m":"1"}}`, candidates: []model{{brand: "m"}, {in: "1.5", allowed: "false"}}},
			"cheapest_clearing_floor a=0 b=m_allowed_veto"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := strings.Replace(tc.want, "d=below_quality_floor", "d=below_quality_floor", 1) // q -1 is below the floor of 0
			d := decide(t, tc.in.json())
			if got := d.brief(); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			checkShape(t, d)
		})
	}
}

// TestKeys: what is sorted by keys first is in the order that comparing candidates in full gives, for prices and slugs
// that are alike in all that a key has of them.
func TestKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for _, options := range []string{``, `{"expected_cost_ranking":true,"floor_on_q_prior":true,"q_empirical":{"mod1":"0","model-a":"-1"}}`, `{"maker_penalty":{"m":"0.3333333333333333333333333333"}}`} {
		for range 200 {
			s := scenario{floor: "0.5", policy: `"latency_cap_ms":10`, options: options}
			for range 40 {
				s.candidates = append(s.candidates, model{slug: pick("model-a", "model-b", "model-ab", `model-a\u0000`, "mod", "é", "") + pick("", "1", "2"),
					brand: pick("m", "n"), q: pick("0.6", "0.60", "0.9", "0.4", "0.5", "null"), latency: pick("null", "11", "9"), allowed: pick("true", "true", "true", "false"),
					in:  pick("1", "1.0000000001", "1.0000000002", "0.0000000001", "0.0000000002", "0.9999999999999999999999999999", "72057594.037927935", "72057594.037927936", "1e18", "2e18"),
					out: pick("1E-10", "1", "0")})
			}
			e := newEngine()
			if _, err := e.Decide([]byte(s.json()), nil); err != nil {
				t.Fatal(err)
			}
			for i := 1; i < len(e.order) && e.alive > 0; i++ {
				if p, q := e.order[i-1], e.order[i]; e.compare(p.of, q.of) >= 0 {
					t.Fatalf("%+v comes before %+v\n%s", e.candidates[p.of], e.candidates[q.of], s.json())
				}
			}
		}
	}
}

// checkShape holds what is true of every decision.
func checkShape(t *testing.T, d decision) {
	t.Helper()
	if d.Reject != (d.Chosen == nil) || d.Reject != (d.ChosenCost == nil) || d.Reject != (len(d.Fallback) == 0) || d.Fallback == nil {
		t.Errorf("chosen %v at %v, reject %v, fallback %v", d.Chosen, d.ChosenCost, d.Reject, d.Fallback)
	}
	for i, slug := range d.Fallback {
		if c := d.Candidates[i]; c.Slug != slug || c.Rank == nil || *c.Rank != i || c.Drop != nil {
			t.Errorf("fallback %d is %s, candidate %+v", i, slug, c)
		}
	}
	if !d.Reject && (*d.Chosen != d.Fallback[0] || *d.ChosenCost != *d.Candidates[0].ProjectedCost) {
		t.Errorf("chosen %s, fallback %v", *d.Chosen, d.Fallback)
	}
}

func TestProjectedCost(t *testing.T) {
	for _, tc := range []struct {
		in, max   int64
		pin, pout string
		want      string
	}{
		{0, 0, "1", "1", "0.000000"},
		{1, 0, "0.5", "1", "0.000000"},
		{1, 0, "1.5", "1", "0.000002"},
		{1, 0, "2.5", "1", "0.000002"},
		{1, 1, "0.25", "0.25", "0.000000"},
		{1000, 1024, "1.25", "10", "0.011490"},
		{1e12, 1e12, "1e6", "1e6", "2000000000000.000000"},
	} {
		s := scenario{in: tc.in, max: tc.max, candidates: []model{{in: tc.pin, out: tc.pout}}}
		if got := *decide(t, s.json()).ChosenCost; got != tc.want {
			t.Errorf("%d at %s, %d at %s: got %s, want %s", tc.in, tc.pin, tc.max, tc.pout, got, tc.want)
		}
	}
}

func TestRulesetHash(t *testing.T) {
	one := []model{{}}
	for _, tc := range []struct {
		name string
		in   scenario
		want ruleset
	}{
		{"plain", scenario{candidates: one}, 0},
		{"options all null", scenario{options: `{"q_empirical":null,"maker_penalty":null,"expected_cost_ranking":null}`}, 0},
		{"a penalty of nobody's", scenario{options: `{"maker_penalty":{"else":"0.1"}}`}, diversity},
		{"no penalty above zero", scenario{options: `{"maker_penalty":{"maker":"0","x":"-1"}}`}, 0},
		{"a cap of zero", scenario{policy: `"latency_cap_ms":0`}, latency},
		{"budget and agentic floor", scenario{policy: `"budget_cap_usd":"1","agentic_floor":0.1`, candidates: one}, 0},
		{"all", scenario{policy: `"latency_cap_ms":5`, options: `{"maker_penalty":{"m":"1"},"expected_cost_ranking":true}`}, diversity | latency | selection},
	} {
		if got, want := decide(t, tc.in.json()).Hash, tc.want.hash(); got != want {
			t.Errorf("%s: got %s, want %s", tc.name, got, want)
		}
	}
	if got := ruleset(0).hash(); got != "07dbdce7" {
		t.Errorf("plain: got %s, want 07dbdce7", got)
	}
	seen := map[string]bool{}
	for _, h := range hashes {
		seen[h] = true
	}
	if len(seen) != 8 {
		t.Errorf("%d different hashes, want 8", len(seen))
	}
}

// checkFloor finds the floor from outside: a model at it passes, one just below is dropped.
func checkFloor(t *testing.T, name string, s scenario, want string) {
	t.Helper()
	at, err := decimal.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	s.candidates = []model{{slug: "at", q: want}, {slug: "below", q: at.Sub(decimal.New(1, -9)).String()}}
	if got, want := decide(t, s.json()).brief(), "cheapest_clearing_floor at=0 below=below_quality_floor"; got != want {
		t.Errorf("%s: floor is not %s: %s", name, at, got)
	}
}

func TestDial(t *testing.T) {
	for _, tc := range []struct {
		name, floor, settings string
		explicit              bool
		want                  string
	}{
		{"no settings", "0.5", ``, false, "0.5"},
		{"null", "0.5", `null`, false, "0.5"},
		{"nothing set", "0.5", `{}`, false, "0.5"},
		{"delta null", "0.5", `{"floor_delta":null,"floor_max":"0.1"}`, false, "0.5"},
		{"others' settings", "0.5", `{"colour":["red"]}`, false, "0.5"},
		{"raised", "0.5", shippedQuality, false, "0.6"},
		{"raised to the top", "0.8", shippedQuality, false, "0.85"},
		{"at the top", "0.85", shippedQuality, false, "0.85"},
		{"above the top is not lowered", "0.9", shippedQuality, false, "0.9"},
		{"lowered", "0.7", shippedCost, false, "0.6"},
		{"lowered to the bottom", "0.55", shippedCost, false, "0.5"},
		{"at the bottom", "0.5", shippedCost, false, "0.5"},
		{"below the bottom is not raised", "0.3", shippedCost, false, "0.3"},
		{"explicit", "0.4", shippedQuality, true, "0.4"},
		{"explicit cost", "0.9", shippedCost, true, "0.9"},
		{"no clamp", "0.9", `{"floor_delta":"0.05"}`, false, "0.95"},
		{"the other side's clamp", "0.6", `{"floor_delta":"0.05","floor_min":"0.8"}`, false, "0.65"},
		{"as numbers", "0.5", `{"floor_delta":0.1,"floor_max":0.55}`, false, "0.55"},
		{"zero", "0.5", `{"floor_delta":"0.00","floor_max":"0.1","floor_min":"0.9"}`, false, "0.5"},
	} {
		checkFloor(t, tc.name, scenario{floor: tc.floor, settings: tc.settings, explicit: tc.explicit}, tc.want)
	}
}

// TestBalanced: without settings that move the floor a decision is the plain engine's, byte for byte, whatever else the
// input carries.
func TestBalanced(t *testing.T) {
	plain := scenario{in: 10, max: 10, floor: "0.5", candidates: []model{{}, {q: "0.1"}}}.json()
	want, err := new(engine).Decide([]byte(plain), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{
		`"settings":{}`, `"settings":null`, `"min_quality_explicit":false`, `"min_quality_explicit":true,"settings":` + shippedQuality,
		`"features":{"task_type":"code","tools":3,"candidates":{"a":{"healthy":false}}},"x":[1]`,
	} {
		got, err := new(engine).Decide([]byte(plain[:len(plain)-1]+","+more+"}"), nil)
		if err != nil || string(got) != string(want) {
			t.Errorf("with %s: got %s, %v; want %s", more, got, err, want)
		}
	}
}

func TestEcho(t *testing.T) {
	const in = `{"request":{"estimated_input_tokens":1.0,"reserved_max_tokens":1e3},
		"policy":{"policy_name":"d\u00e9faut \"x\"","min_quality":0.50},
		"candidates":[{"model_slug":"caf\u00e9\/\ud83d\ude80","q_prior":0.90,"price_in_per_mtok_usd":"1.50","price_out_per_mtok_usd":2E0,"m_allowed":true,"unknown":{}}]}`
	const want = `{"candidates":[{"brand_slug":null,"drop_reason":null,"m_allowed":true,"model_id":null,"model_slug":"café/🚀","price_in_per_mtok_usd":"1.50","price_out_per_mtok_usd":2E0,"projected_cost_usd":"0.002002","q_prior":0.90,"rank":0}],` +
		`"chosen_model_slug":"café/🚀","chosen_projected_cost_usd":"0.002002","fallback_order":["café/🚀"],"is_reject":false,"policy_name":"défaut \"x\"","policy_semver":"1.0.0","rule_fired":"cheapest_clearing_floor","ruleset_hash":"07dbdce7"}`
	got, err := new(engine).Decide([]byte(in), []byte("before "))
	if err != nil || string(got) != "before "+want {
		t.Errorf("got  %s, %v\nwant before %s", got, err, want)
	}
}

func TestMalformed(t *testing.T) {
	ok := scenario{floor: "0.5", candidates: []model{{}, {}}}.json()
	for _, tc := range []struct{ from, to, want string }{
		{ok, ``, `input: JSON at byte 0: the document is cut short`},
		{ok, `[]`, `input: want an object, found an array`},
		{`"candidates":[{`, `"candidates":[}`, `input: JSON at byte 110: want a value`},
		{`"request":{`, `"requests":{`, `request: want an object, found nothing`},
		{`"estimated_input_tokens":0`, `"estimated_input_tokens":-1`, `request.estimated_input_tokens: want a count of tokens, found -1`},
		{`"estimated_input_tokens":0`, `"estimated_input_tokens":"5"`, `request.estimated_input_tokens: want a count of tokens, found "5"`},
		{`,"reserved_max_tokens":0`, ``, `request.reserved_max_tokens: want a count of tokens, found nothing`},
		{`"candidates":[`, `"candidates":null,"x":[`, `candidates: want an array, found null`},
		{`"candidates":[`, `"candidates":[7,`, `candidates[0]: want an object, found a number`},
		{`"model_slug":"b",`, ``, `candidates[1].model_slug: missing`},
		{`"model_slug":"b"`, `"model_slug":5`, `candidates[1].model_slug: want a string, found a number`},
		{`"brand_slug":"maker"`, `"brand_slug":[]`, `candidates[0].brand_slug: want a string, found an array`},
		{`"q_prior":"0.9"`, `"q_prior":"high"`, `candidates[0].q_prior: not a decimal number: "high"`},
		{`"q_prior":"0.9"`, `"q_prior":"0.12345678901234567890123456789"`, `candidates[0].q_prior: more than 28 significant digits: "0.12345678901234567890123456789"`},
		{`"q_prior":"0.9"`, `"q_prior":true`, `candidates[0].q_prior: not a decimal number: true`},
		{`"price_in_per_mtok_usd":"1"`, `"price_in_per_mtok_usd":"1e10000"`, `candidates[0].price_in_per_mtok_usd: exponent beyond 9999: "1e10000"`},
		{`"m_allowed":true`, `"m_allowed":"true"`, `candidates[0].m_allowed: want a boolean, found a string`},
		{`"expected_latency_ms":null`, `"expected_latency_ms":"fast"`, `candidates[0].expected_latency_ms: not a decimal number: "fast"`},
		{`"aa_agentic_index":null`, `"aa_agentic_index":"x"`, `candidates[0].aa_agentic_index: want a number, found "x"`},
		{`"min_quality":"0.5"`, `"min_quality":null`, `policy.min_quality: missing`},
		{`"policy_name":"floor"`, `"policy_name":1`, `policy.policy_name: want a string, found a number`},
		{`"policy":{`, `"budget":{`, `policy: want an object, found nothing`},
		{`"policy":{`, `"options":7,"policy":{`, `options: want an object, found a number`},
		{`"policy":{`, `"options":{"q_empirical":{"a":"x"}},"policy":{`, `options.q_empirical.a: not a decimal number: "x"`},
		{`"policy":{`, `"options":{"maker_penalty":[]},"policy":{`, `options.maker_penalty: want an object, found an array`},
		{`"policy":{`, `"options":{"floor_on_q_prior":1},"policy":{`, `options.floor_on_q_prior: want a boolean, found a number`},
		{`"policy":{`, `"settings":{"floor_delta":"` + strings.Repeat("x", 60) + `"},"policy":{`, `settings.floor_delta: not a decimal number: "` + strings.Repeat("x", 39) + `…`},
		{`"policy":{`, `"settings":[],"policy":{`, `settings: want an object, found an array`},
		{`"policy":{`, `"min_quality_explicit":"yes","policy":{`, `min_quality_explicit: want a boolean, found a string`},
		{`"price_in_per_mtok_usd":"1"`, `"price_in_per_mtok_usd":"1e30"`, ``},
	} {
		in := strings.Replace(ok, tc.from, tc.to, 1)
		out, err := new(engine).Decide([]byte(in), []byte("before"))
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("with %s: %v", tc.to, err)
		case tc.want != "" && (err == nil || err.Error() != tc.want):
			t.Errorf("with %s:\n got %v\nwant %s", tc.to, err, tc.want)
		case err != nil && string(out) != "before":
			t.Errorf("with %s: out is %q", tc.to, out)
		}
	}
	huge := scenario{in: 1e6, candidates: []model{{}, {in: "1e30"}}}.json()
	if _, err := new(engine).Decide([]byte(huge), nil); err == nil || err.Error() != "candidates[1]: the projected cost has more than 28 digits" {
		t.Errorf("got %v", err)
	}
}

// FuzzDecide: nothing panics, an input has one decision whatever the engine decided before, and a decision is canonical.
func FuzzDecide(f *testing.F) {
	for _, s := range []scenario{
		{},
		{in: 1000, max: 1024, floor: "0.5", candidates: []model{{}, {q: "0.1"}, {allowed: "false"}, {in: "0"}}},
		{floor: "0.5", policy: `"budget_cap_usd":"1","latency_cap_ms":5,"agentic_floor":0.5`, settings: shippedQuality,
			options:    `{"q_empirical":{"a":"0.5","b":"0"},"maker_penalty":{"maker":"0.5"},"quality_floor":{"a":"1"},"floor_on_q_prior":true,"expected_cost_ranking":true}`,
			candidates: []model{{latency: "4", agentic: "0.6"}, {q: "0"}, {in: "0.3333333333333333333333333333"}}},
	} {
		f.Add([]byte(s.json()), []byte(s.json()))
	}
	used := new(engine)
	f.Fuzz(func(t *testing.T, before, in []byte) {
		_, _ = used.Decide(before, nil)
		got, err := used.Decide(in, nil)
		want, wantErr := new(engine).Decide(in, nil)
		if string(got) != string(want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("used: %s, %v\nfresh: %s, %v", got, err, want, wantErr)
		}
		if err != nil {
			return
		}
		var d decision
		if err := json.Unmarshal(got, &d); err != nil {
			t.Fatalf("%v\n%s", err, got)
		}
		checkShape(t, d)
	})
}

// fleet is n candidates such as a catalogue has.
func fleet(n int, options string) []byte {
	s := scenario{in: 12345, max: 4096, floor: "0.60", policy: `"budget_cap_usd":"0.50","latency_cap_ms":20000,"agentic_floor":0.4`, options: options}
	for i := range n {
		s.candidates = append(s.candidates, model{slug: fmt.Sprintf("maker-%d-model-%03d", i%17, i*7919%1000), brand: fmt.Sprintf("maker-%d", i%17),
			q: fmt.Sprintf("0.%02d", 40+i*37%60), in: fmt.Sprintf("%d.%02d", i*13%9, 5+i*29%95), out: fmt.Sprintf("%d.5", 1+i*31%40),
			latency: fmt.Sprint(500 + i*977%30000), agentic: fmt.Sprintf("0.%d", 1+i%9)})
	}
	return []byte(s.json())
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{5, 50, 240} {
		for name, options := range map[string]string{"plain": ``, "learned": learned(n)} {
			in := fleet(n, options)
			b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
				e, out := new(engine), []byte(nil)
				b.ReportAllocs()
				b.SetBytes(int64(len(in)))
				for b.Loop() {
					var err error
					if out, err = e.Decide(in, out[:0]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// learned is options with every table full.
func learned(n int) string {
	var q []string
	for i := range n {
		q = append(q, fmt.Sprintf(`"maker-%d-model-%03d":"0.%028d"`, i%17, i*7919%1000, 5+i))
	}
	return `{"q_empirical":{` + strings.ReplaceAll(strings.Join(q, ","), "0.0", "0.6") + `},"maker_penalty":{"maker-3":"0.25"},"floor_on_q_prior":true,"expected_cost_ranking":true}`
}
