package plugins

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

func signed(key ed25519.PrivateKey, module []byte) string {
	return base64.StdEncoding.EncodeToString(ed25519.Sign(key, module))
}

const wrongCase = `{"name":"the impossible","input":{"a":1},"decision":{"b":2}}`

// Whatever is refused is named with its step, and what runs goes on.
func TestStagingIsRefused(t *testing.T) {
	mine, key, _ := ed25519.GenerateKey(nil)
	_, other, _ := ed25519.GenerateKey(nil)
	v1, good := numbered(t, seer, 1), numbered(t, seer, 2)
	base := policy("p", v1)
	base.Signature = signed(key, v1)
	pinned := base
	pinned.Name, pinned.Pin = "pinned", "sha256:"+digestOf(v1)
	picky := base
	picky.Name = "picky"
	picky.Check = func(m wasm.Manifest) error {
		if m.Name == "seer" && len(m.Settings) == 0 && !settled {
			return nil
		}
		return errors.New(`c.hcl:7:3: preference "x": settings: gone: the module has no such setting`)
	}
	settled = false
	r := opened(t, sqliteBooks(t), Config{}, Signing{Keys: []ed25519.PublicKey{mine}, Required: true}, base, pinned, picky)
	settled = true // from here on the configuration sets what no module takes
	defer func() { settled = false }()
	trapping := packed(t, seer, `{"name":"panic","call":{},"want":{}}`)
	for _, c := range []struct {
		name, plugin string
		s            Staging
		step, want   string
	}{
		{"digest", "p", Staging{Bytes: good, Digest: "sha256:" + strings.Repeat("0", 64), Signature: signed(key, good)}, "digest", "want sha256:0000"},
		{"pin", "pinned", Staging{Bytes: good, Signature: signed(key, good)}, "digest", "pins the plugin to sha256:"},
		{"no signature", "p", Staging{Bytes: good}, "signature", "has no signature"},
		{"signature of another key", "p", Staging{Bytes: good, Signature: signed(other, good)}, "signature", "none of the configuration's keys"},
		{"signature over another module", "p", Staging{Bytes: good, Signature: signed(key, v1)}, "signature", "none of the configuration's keys"},
		{"signature that is none", "p", Staging{Bytes: good, Signature: "%%%"}, "signature", "not base64"},
		{"no module", "p", Staging{Bytes: []byte("text"), Signature: signed(key, []byte("text"))}, "meter", "not a WebAssembly module"},
		{"kind", "p", Staging{Bytes: numbered(t, rogue, 1), Signature: signed(key, numbered(t, rogue, 1))}, "exports", "ainfera_policy_v1"},
		{"missing export", "p", Staging{Bytes: lacking(), Signature: signed(key, lacking())}, "exports", "exports no function ainfera_manifest"},
		{"unknown import", "p", Staging{Bytes: asking(), Signature: signed(key, asking())}, "imports", "imports exec from env"},
		{"self-test", "p", Staging{Bytes: packed(t, seer, wrongCase), Signature: signed(key, packed(t, seer, wrongCase))}, "self-test", `case "the impossible": got the decision`},
		{"self-test of another kind", "p", Staging{Bytes: trapping, Signature: signed(key, trapping)}, "self-test", `case "panic": is no policy's case`},
		{"settings", "picky", Staging{Bytes: good, Signature: signed(key, good)}, "settings", "c.hcl:7:3"},
		{"another plugin", "p", Staging{Bytes: floorModule(t), Signature: signed(key, floorModule(t))}, "name", `calls itself "floor", what serves is "seer"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Stage(context.Background(), c.plugin, c.s)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Step != c.step || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "plugin "+c.plugin) {
				t.Errorf("got %v, want a refusal at %s that says %q", err, c.step, c.want)
			}
			if got := serving(t, r, c.plugin); got != digestOf(v1) {
				t.Errorf("%.8s serves, want still %.8s", got, digestOf(v1))
			}
			for _, s := range r.List() {
				if len(s.Staged) != 0 {
					t.Errorf("staged: got %+v, want nothing", s.Staged)
				}
			}
		})
	}
	t.Run("OK", func(t *testing.T) {
		digest, err := r.Stage(context.Background(), "p", Staging{Bytes: good, Signature: signed(key, good)})
		if err != nil {
			t.Fatal(err)
		}
		d, err := r.Inspect(context.Background(), "p")
		if err != nil || len(d.Staged) != 1 || d.Staged[0].KeyID != KeyID(mine) || d.Staged[0].Digest != "sha256:"+digest {
			t.Errorf("got %+v, %v, want it staged with its key", d.Staged, err)
		}
	})
}

// settled is what the check of TestStagingIsRefused looks at.
var settled bool

func floorModule(t testing.TB) []byte { return shipped(t, "./plugins/policy/floor") }

// A signature travels with the module: a host that follows, or starts, checks it with its own keys.
func TestSignaturesAreCheckedByEveryHost(t *testing.T) {
	mine, key, _ := ed25519.GenerateKey(nil)
	theirs, _, _ := ed25519.GenerateKey(nil)
	store := sqliteBooks(t)
	v1, v2 := numbered(t, seer, 1), numbered(t, seer, 2)
	spec := policy("p", v1)
	spec.Builtin = true
	signing := Signing{Keys: []ed25519.PublicKey{mine}, Required: true}
	r := opened(t, store, Config{}, signing, spec)
	trusting := opened(t, store, Config{}, signing, spec)
	wary := opened(t, store, Config{}, Signing{Keys: []ed25519.PublicKey{theirs}, Required: true}, spec)
	following(t, trusting)
	following(t, wary)
	digest, err := r.Stage(context.Background(), "p", Staging{Bytes: v2, Signature: signed(key, v2)})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Activate(context.Background(), "p", digest, Order{Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the version on a host with the key", func() bool { return serving(t, trusting, "p") == digest })
	eventually(t, "the refusal on a host without", func() bool {
		return strings.Contains(wary.List()[0].Astray, "none of the configuration's keys")
	})
	if got := serving(t, wary, "p"); got != digestOf(v1) {
		t.Errorf("the host without the key serves %.8s, want still %.8s", got, digestOf(v1))
	}
	late := opened(t, store, Config{}, Signing{Keys: []ed25519.PublicKey{theirs}, Required: true}, spec)
	if got := serving(t, late, "p"); got != digestOf(v1) || late.List()[0].Astray == "" {
		t.Errorf("a host without the key that starts serves %.8s, want the configuration's own, and to say so", got)
	}
}

// A module's own cases are run, and counted.
func TestSelfTestPasses(t *testing.T) {
	in := `{"candidates":[{"aa_agentic_index":null,"brand_slug":"x","expected_latency_ms":null,"m_allowed":true,"model_id":"id-a","model_slug":"a",` +
		`"price_in_per_mtok_usd":"1","price_out_per_mtok_usd":"1","q_prior":"0.70"}],"options":{"expected_cost_ranking":false,"floor_on_q_prior":false,` +
		`"maker_penalty":null,"q_empirical":null,"quality_floor":null},"policy":{"agentic_floor":null,"budget_cap_usd":null,"latency_cap_ms":null,` +
		`"min_quality":"0.70","policy_name":"default"},"request":{"agent_id":"g","estimated_input_tokens":1000,"request_id":"r","reserved_max_tokens":1024}}`
	want := `{"candidates":[{"brand_slug":"x","drop_reason":null,"m_allowed":true,"model_id":"id-a","model_slug":"a","price_in_per_mtok_usd":"1",` +
		`"price_out_per_mtok_usd":"1","projected_cost_usd":"0.002024","q_prior":"0.70","rank":0}],"chosen_model_slug":"a","chosen_projected_cost_usd":"0.002024",` +
		`"fallback_order":["a"],"is_reject":false,"policy_name":"default","policy_semver":"1.0.0","rule_fired":"cheapest_clearing_floor","ruleset_hash":"07dbdce7"}`
	floor := packed(t, shipped(t, "./plugins/policy/floor"), `{"name":"one","input":`+in+`,"decision":`+want+"}\n")
	call := `{"op":"chat","stream":true,"model":"m","slug":"m","max_tokens":5,"max_output":10,"settings":{"max_tokens_field":"max_tokens","path":"/chat/completions"}}`
	openai := packed(t, shipped(t, "./plugins/provider/openai"), `{"name":"a word","call":`+call+`,"body":{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]},`+
		`"answer":{"status":200,"sse":"data: {\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"},`+
		`"want":{"method":"POST","path":"/chat/completions","text":"word","stop":"stop"}}`)
	r := opened(t, sqliteBooks(t), Config{}, Signing{}, policy("floor", floor), Spec{Name: "openai", Kind: wasm.KindAdapter, Bytes: openai})
	for _, s := range r.List() {
		if s.Active.Cases != 1 {
			t.Errorf("%s passed %d cases, want 1", s.Name, s.Active.Cases)
		}
	}
}

// The modules that ship pass the cases that they ship with: a server refuses to start on one that does not.
func TestShippedModulesPassTheirCases(t *testing.T) {
	root, err := buildtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "plugins", "*", "*", "cases.jsonl"))
	if err != nil || len(files) < 3 {
		t.Fatalf("got %v, %v, want the cases of three modules at least", files, err)
	}
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			cases, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pkg, err := filepath.Rel(root, filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			r := opened(t, sqliteBooks(t), Config{}, Signing{}, Spec{Name: name, Bytes: packed(t, shipped(t, "./"+filepath.ToSlash(pkg)), string(cases))})
			if n := r.List()[0].Active.Cases; n == 0 || n != strings.Count(string(cases), "\n") {
				t.Errorf("passed %d cases, want every line of %s", n, file)
			}
		})
	}
}

// TestSelfTestHasABudget: a module can't keep the host busy with the cases that it carries.
func TestSelfTestHasABudget(t *testing.T) {
	sandbox, err := wasm.Open(t.Context(), wasm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sandbox.Close(context.Background()) })
	module := packed(t, seer, strings.Repeat(`{"name":"again","input":{},"decision":{}}`+"\n", 9))
	m, err := sandbox.Load(t.Context(), wasm.Spec{Name: "p", Bytes: module})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if n, err := selfTest(t.Context(), m, module, maxSelfTestFuel); n != 9 || err != nil {
		t.Fatalf("got %d cases, %v", n, err)
	}
	used := m.Stats().Fuel
	n, err := selfTest(t.Context(), m, module, used+used/2)
	if err == nil || n != 4 || !strings.Contains(err.Error(), "the first 5 of its 9 cases used") {
		t.Errorf("got %d cases, %v", n, err)
	}
}
