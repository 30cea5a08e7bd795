package config

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// noEnv is an environment without variables.
func noEnv(string) (string, bool) { return "", false }

// environ is an environment of the given variables.
func environ(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// mustParse parses a source that has no mistakes.
func mustParse(t *testing.T, src string, env func(string) (string, bool)) *Config {
	t.Helper()
	cfg, err := Parse("test.hcl", []byte(src), env)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return cfg
}

// sameConfig compares what is exported, which leaves positions out.
func sameConfig(t *testing.T, got, want any) {
	t.Helper()
	compare(t, "config", reflect.ValueOf(got), reflect.ValueOf(want))
}

func compare(t *testing.T, path string, got, want reflect.Value) {
	t.Helper()
	if got.Kind() == reflect.Pointer && !got.IsNil() && !want.IsNil() {
		got, want = got.Elem(), want.Elem()
	}
	switch {
	case got.Type() == reflect.TypeFor[time.Time]():
	case got.Kind() == reflect.Struct:
		for i := range got.NumField() {
			if field := got.Type().Field(i); field.IsExported() {
				compare(t, path+"."+field.Name, got.Field(i), want.Field(i))
			}
		}
		return
	case got.Kind() == reflect.Slice && got.Len() == want.Len():
		for i := range got.Len() {
			compare(t, path+"[]", got.Index(i), want.Index(i))
		}
		return
	}
	if !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Errorf("%s = %#v, want %#v", path, got.Interface(), want.Interface())
	}
}

func ptr[T any](v T) *T { return &v }

// exampleConfig is what testdata/example.hcl says, written out.
func exampleConfig() *Config {
	cfg := Default()
	cfg.Agents = []Agent{{
		Name: "local", Tenant: "local", Wallet: "metered", BalanceUSD: "5.00", PerCallCapUSD: "5.00", DailyCapUSD: "50.00",
	}}
	cfg.Plugins = []Plugin{defaultPlugin("anthropic"), defaultPlugin("openai"), defaultPlugin("floor")}
	cfg.Plugins[1].IsolationGiven = true
	cfg.Providers = []Provider{
		{
			Name: "anthropic", Adapter: "anthropic", BaseURL: "https://api.anthropic.com",
			Auth: Auth{Kind: AuthHeader, Name: "x-api-key"}, MissingEnv: []string{"ANTHROPIC_API_KEY"},
		},
		{
			Name: "groq", Adapter: "openai", BaseURL: "https://api.groq.com/openai/v1",
			Auth: Auth{Kind: AuthBearer}, MissingEnv: []string{"GROQ_API_KEY"},
			Settings: map[string]any{"max_tokens_field": "max_completion_tokens"},
		},
	}
	cfg.Models = []Model{
		{
			Slug: "claude-haiku-4-5", DisplayName: "claude-haiku-4-5", Names: []string{"claude-haiku-4-5-20251001"},
			Deployments: []Deployment{{Provider: "anthropic", Upstream: "claude-haiku-4-5-20251001", Priority: 1, Weight: 100}},
			Brand:       "anthropic", QPrior: "0.80", MAllowed: ptr(true), Context: 200000, MaxOutput: 64000,
			Can: []string{"tools", "images", "documents", "thinking"}, Thinking: ThinkingEnabled,
			Price: &Price{Input: "1.00", Output: "5.00", CacheRead: "0.10", CacheWrite: "1.25", CacheWrite1h: "2.00"},
		},
		{
			Slug: "llama-3.3-70b", DisplayName: "llama-3.3-70b",
			Deployments: []Deployment{{Provider: "groq", Upstream: "llama-3.3-70b-versatile", Priority: 1, Weight: 100}},
			Brand:       "meta", QPrior: "0.66", MAllowed: ptr(true), LatencyMS: 900, AgenticIndex: "0.91",
			Context: 131072, MaxOutput: 32768, Can: []string{"tools"},
			Price: &Price{Input: "0.59", Output: "0.79"},
		},
	}
	cfg.Routing.Targets = append(cfg.Routing.Targets, Target{Name: "ainfera-code", Defaults: Defaults{TaskType: "code"}})
	return cfg
}

func TestLoadExample(t *testing.T) {
	for _, name := range []string{"example.hcl", "example.json"} {
		t.Run(name, func(t *testing.T) {
			cfg, err := Load(filepath.Join("testdata", name), noEnv)
			if err != nil {
				t.Fatalf("Load: %v", err)
			}
			sameConfig(t, cfg, exampleConfig())
		})
	}
}

func TestLoadConformance(t *testing.T) {
	dir := os.Getenv("AINFERA_CONFORMANCE")
	if dir == "" {
		t.Skip("AINFERA_CONFORMANCE is not set: the published example is not here")
	}
	cfg, err := Load(filepath.Join(dir, "spec", "config.example.hcl"), noEnv)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	sameConfig(t, cfg, exampleConfig())
}
