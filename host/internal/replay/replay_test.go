package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

// compiled keeps the tests' compiled modules.
var compiled string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ainfera-replay-")
	if err != nil {
		panic(err)
	}
	compiled = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// memoryBooks are rows and one module, without a store.
type memoryBooks struct {
	rows   []capture.PastDecision
	module []byte
	err    error // of looking for a module
}

func (b *memoryBooks) Decisions(_ context.Context, _, _ time.Time, page func([]capture.PastDecision) error) error {
	for i := range b.rows {
		if err := page(b.rows[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (b *memoryBooks) Module(context.Context, string) (schema.Module, []byte, error) {
	return schema.Module{}, b.module, b.err
}

// inputOf is a decision's input over n candidates, of which the first is the cheapest.
func inputOf(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"candidates":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"aa_agentic_index":null,"brand_slug":"b","expected_latency_ms":null,"m_allowed":true,"model_id":"m%06d","model_slug":"m%06d","price_in_per_mtok_usd":"%d","price_out_per_mtok_usd":"%d","q_prior":"0.7"}`, i, i, i+1, i+2)
	}
	b.WriteString(`],"options":{"floor_on_q_prior":true},"policy":{"min_quality":"0.6","policy_name":"floor"},"request":{"agent_id":"a","estimated_input_tokens":1000,"request_id":"r","reserved_max_tokens":500}}`)
	return []byte(b.String())
}

// floorBooks are rows that the floor decided over so many candidates each, with what it takes.
func floorBooks(t *testing.T, sizes ...int) (*memoryBooks, Config) {
	t.Helper()
	sandbox, err := wasm.Open(t.Context(), wasm.Config{CacheDir: compiled})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sandbox.Close(context.Background()) })
	b := &memoryBooks{module: buildtest.Build(t, "./plugins/policy/floor")}
	policy, err := sandbox.Load(t.Context(), wasm.Spec{Name: "floor", Bytes: b.module, Fuel: 1 << 40, MemoryBytes: generousMemoryBytes})
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.module)
	for i, n := range sizes {
		input := inputOf(n)
		output, _, err := policy.Decide(t.Context(), input)
		if err != nil {
			t.Fatal(err)
		}
		b.rows = append(b.rows, capture.PastDecision{Input: input, Output: output, RoutingOutcome: schema.RoutingOutcome{
			ID: fmt.Sprint("row-", i), PolicyVersion: "floor@1.0.0+07dbdce7", PolicyModule: hex.EncodeToString(sum[:]), Cell: "general:m000000:balanced",
			OutcomeStatus: schema.StatusSucceeded, CostActualUSD: "0.000777", ServedModelSlug: "m000000",
			Usage: `{"cache_read_tokens":100,"cache_write_1h_tokens":0,"cache_write_tokens":20,"input_tokens":1000,"output_tokens":301,"reasoning_tokens":0}`}})
	}
	return b, Config{Books: b, Sandbox: sandbox}
}

// What was decided with more memory than hosts give now is decided again all the same.
func TestReproduceNeedsWhatItNeeded(t *testing.T) {
	_, cfg := floorBooks(t, 5, 60_000)
	r, err := Reproduce(t.Context(), cfg, func(d Difference) error { return errors.New(d.Why) })
	if err != nil || r.Reproduced != 2 {
		t.Fatalf("got %+v, %v, want both reproduced", r, err)
	}
	usual, err := cfg.Sandbox.Load(t.Context(), wasm.Spec{Name: "floor", Bytes: cfg.Books.(*memoryBooks).module, Fuel: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := usual.Decide(t.Context(), cfg.Books.(*memoryBooks).rows[1].Input); err == nil {
		t.Error("the large decision needs no more memory than hosts give: the test proves nothing")
	}
}

// A store that can't be read ends the walk: it is nobody's difference.
func TestReproduceStopsWithTheStore(t *testing.T) {
	b, cfg := floorBooks(t, 5)
	b.err = errors.New("the store went away")
	r, err := Reproduce(t.Context(), cfg, func(Difference) error { return nil })
	if !errors.Is(err, b.err) || r.Differing != 0 {
		t.Errorf("got %+v, %v, want %v and no difference", r, err, b.err)
	}
}

// What a change costs, worked out by hand: of 5 candidates m000000 costs 1 and 2 USD a million, m000001 2 and 3.
func TestOtherwisePrices(t *testing.T) {
	const reject = `{"is_reject":true,"rule_fired":"no_candidate_clears_floor","chosen_model_slug":null,"fallback_order":[]}`
	for _, tc := range []struct {
		name   string
		doctor func(*capture.PastDecision)
		want   Group // cell and preference are taken as they are
	}{
		{"Same", func(*capture.PastDecision) {}, Group{Rows: 1, Same: 1,
			Projected: Figure{1, 2000, 2000}, Actual: Figure{1, 777, 777}}},
		// Recorded was m000001: 2·1000 + 3·500. What m000000 would have cost: 1·1120 + 2·301, caches as input.
		{"Other", func(d *capture.PastDecision) { choose(d, "m000001", "0.003500") }, Group{Rows: 1, Other: 1,
			Projected: Figure{1, 3500, 2000}, Actual: Figure{1, 777, 1722}, CachedInput: 1}},
		// The session's model is still among the survivors, so that it would have served again.
		{"AffinityStays", func(d *capture.PastDecision) {
			choose(d, "m000001", "0.003500")
			d.Affinity, d.ServedModelSlug = true, "m000003"
		}, Group{Rows: 1, Other: 1, Projected: Figure{1, 3500, 2000}, Actual: Figure{1, 777, 777}}},
		{"NotPaid", func(d *capture.PastDecision) {
			choose(d, "m000001", "0.003500")
			d.OutcomeStatus = schema.StatusFailedProviderError
		}, Group{Rows: 1, Other: 1, Projected: Figure{1, 3500, 2000}}},
		{"UsageUnknown", func(d *capture.PastDecision) {
			choose(d, "m000001", "0.003500")
			d.Usage = ""
		}, Group{Rows: 1, Other: 1, Unpriced: 1, Projected: Figure{1, 3500, 2000}}},
		{"NoLongerRefused", func(d *capture.PastDecision) {
			d.Output, d.OutcomeStatus = []byte(reject), schema.StatusRejectedFloor
		}, Group{Rows: 1, Accepted: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, cfg := floorBooks(t, 5)
			tc.doctor(&b.rows[0])
			module, err := Load(t.Context(), &cfg, "floor", b.module)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Otherwise(t.Context(), cfg, &Change{Module: module})
			if err != nil || len(r.Groups) != 1 {
				t.Fatalf("got %+v, %v, want one group", r, err)
			}
			tc.want.Cell = b.rows[0].Cell
			if r.Groups[0] != tc.want {
				t.Errorf("got  %+v\nwant %+v", r.Groups[0], tc.want)
			}
		})
	}
}

// choose makes the row's recorded decision another.
func choose(d *capture.PastDecision, slug, projected string) {
	d.Output = fmt.Appendf(nil, `{"chosen_model_slug":%q,"chosen_projected_cost_usd":%q,"fallback_order":[%q],"is_reject":false}`, slug, projected, slug)
}

func TestChangeTouchesWhatItNamesAlone(t *testing.T) {
	manifest := &wasm.Manifest{Name: "p", Version: "1", Settings: []wasm.Setting{{Name: "s", Type: "string"}, {Name: "n", Type: "number"},
		{Name: "b", Type: "bool"}, {Name: "l", Type: "list"}}}
	const bare = `{"candidates":[{"q_prior":"0.70"}],"policy":{"policy_name":"p","x":1e2},"request":{}}`
	const bound = `{"candidates":[{"q_prior":"0.70"}],"policy":{"policy_name":"p","x":1e2},"request":{},"settings":{"n":1.50,"s":"<&>"}}`
	for _, tc := range []struct {
		name   string
		input  string
		change Change
		want   string
	}{
		{"Nothing", bound, Change{}, bound},
		{"Add", bare, Change{Settings: []string{"s=a=b"}}, strings.TrimSuffix(bare, "}") + `,"settings":{"s":"a=b"}}`},
		{"Keep", bound, Change{Settings: []string{"b=true", "l=x,y"}}, strings.Replace(bound, `{"n":1.50,"s":"<&>"}`, `{"b":true,"l":["x","y"],"n":1.50,"s":"<&>"}`, 1)},
		{"Replace", bound, Change{Settings: []string{"n=-2.5e3"}}, strings.Replace(bound, "1.50", "-2.5e3", 1)},
		{"SamePolicy", bare, Change{Preference: &Preference{Name: "q", Policy: "p"}}, bare},
		{"PreferenceWithout", bound, Change{Preference: &Preference{Name: "q", Policy: "p"}}, bare},
		{"PreferenceAndSetting", bound, Change{Preference: &Preference{Name: "q", Policy: "o", Settings: []byte(`{"b":false,"n":1}`)}, Settings: []string{"n=2"}},
			strings.Replace(strings.TrimSuffix(bare, "}"), `"policy_name":"p"`, `"policy_name":"o"`, 1) + `,"settings":{"b":false,"n":2}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.change.apply([]byte(tc.input), manifest)
			if err != nil || string(got) != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
	for _, bad := range []string{"s", "=1", "z=1", "n=one", "n=", `n="1"`, "b=1", "b="} {
		c := Change{Settings: []string{bad}}
		if err := c.Check(manifest); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	c := Change{Preference: &Preference{Name: "q", Settings: []byte(`{"b":"true"}`)}}
	if err := c.Check(manifest); err == nil || !strings.Contains(err.Error(), "preference q: setting b") {
		t.Errorf("got %v, want the preference's setting refused", err)
	}
}
