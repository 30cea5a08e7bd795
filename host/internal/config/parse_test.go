package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// minimal is a provider, for sources that are about something else.
const minimal = `provider "p" {
  adapter  = "openai"
  base_url = "https://p.example/v1"
}
`

// TestParseErrors holds the exact place and words of every kind of mistake. Where the argument of a function is wrong, HCL
// points inside its quotes.
func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string
	}{
		{"Syntax", "listen = \n", []string{
			`t.hcl:1:10: Invalid expression: Expected the start of an expression, but found an invalid expression token.`}},
		{"UnclosedBlock", "admin {\n", []string{
			`t.hcl:1:7: Unclosed configuration block: There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.`}},
		{"UnknownName", "lisen = \"127.0.0.1:1\"\n", []string{
			`t.hcl:1:1: unknown name "lisen"; did you mean "listen"?`}},
		{"UnknownNameInBlock", "log {\n  colour = true\n}\n", []string{
			`t.hcl:2:3: unknown name "colour" in log; expected one of format, level`}},
		{"UnknownBlock", "provders \"x\" {}\n", []string{
			`t.hcl:1:1: unknown name "provders"; did you mean "provider"?`}},
		{"BlockAsAttribute", "log = {}\n", []string{
			`t.hcl:1:1: log is a block; expected log { … }`}},
		{"AttributeAsBlock", minimal + "model \"m\" {\n  provider {}\n}\n", []string{
			`t.hcl:5:1: model "m": expected provider = "…" or a deployment block`,
			`t.hcl:6:3: provider in model "m" is not a block; expected provider = …`}},
		{"LabelMissing", "plugin {\n}\n", []string{
			`t.hcl:1:8: Missing name for plugin: All plugin blocks must have 1 labels (name).`}},
		{"LabelBad", "agent \"two words\" {}\n", []string{
			`t.hcl:1:7: agent: expected ` + nameWant}},
		{"BlockTwice", "log {}\nlog {}\n", []string{
			`t.hcl:2:1: log is already declared at t.hcl:1:1; expected one log block`}},
		{"LabelTwice", minimal + minimal, []string{
			`t.hcl:5:1: provider "p" is already declared at t.hcl:1:1; expected each once`}},
		{"Unquoted", "listen = localhost\n", []string{
			`t.hcl:1:10: listen: expected a value; text goes in "quotes"`}},
		{"UnknownFunction", "listen = getenv(\"X\")\n", []string{
			`t.hcl:1:10: listen: Call to unknown function: There is no function named "getenv".`}},
		{"EnvName", "listen = env(\"A B\")\n", []string{
			`t.hcl:1:15: listen: Invalid function argument: Invalid value for "name" parameter: expected the name of an environment variable: letters, digits and _.`}},
		{"EnvArguments", "listen = env(\"A\", \"b\", \"c\")\n", []string{
			`t.hcl:1:25: listen: Invalid function argument: Invalid value for "default" parameter: expected env("NAME") or env("NAME", "default").`}},
		{"FileMissing", "admin {\n  token = file(\"no-such-file\")\n}\n", []string{
			`t.hcl:2:17: admin: token: Invalid function argument: Invalid value for "path" parameter: expected a file that can be read: no such file or directory.`}},
		{"FileIrregular", "admin {\n  token = file(\"testdata\")\n}\n", []string{
			`t.hcl:2:17: admin: token: Invalid function argument: Invalid value for "path" parameter: expected a regular file.`}},

		{"Listen", "listen = \"8080\"\n", []string{
			`t.hcl:1:10: listen: expected an address such as "127.0.0.1:8080", got "8080"`}},
		{"ListenPort", "listen = \"127.0.0.1:99999\"\n", []string{
			`t.hcl:1:10: listen: expected an address such as "127.0.0.1:8080", got "127.0.0.1:99999"`}},
		{"ListenTwice", "listen = \"127.0.0.1:9\"\nadmin {\n  listen = \"127.0.0.1:9\"\n}\n", []string{
			`t.hcl:3:12: admin: listen: expected an address other than the callers', got the same`}},
		{"ListenTaken", "listen = \"127.0.0.1:8081\"\n", []string{
			`t.hcl:1:10: listen: expected an address other than the operators', got the same`}},
		{"Level", "log {\n  level = \"inf\"\n}\n", []string{
			`t.hcl:2:11: log: level: expected one of trace, debug, info, warn, error, got "inf"; did you mean "info"?`}},
		{"Format", "log {\n  format = \"xml\"\n}\n", []string{
			`t.hcl:2:12: log: format: expected one of text, json, got "xml"`}},
		{"DSN", "store {\n  dsn = \"mysql://u:hunter2@h/db\"\n}\n", []string{
			`t.hcl:2:9: store: dsn: expected "sqlite://path" or "postgres://user@host/database", got something that is not shown here`}},
		{"Bool", "store {\n  keep_bodies = \"maybe\"\n}\n", []string{
			`t.hcl:2:17: store: keep_bodies: expected true or false`}},
		{"Size", "limits {\n  body = \"32 pounds\"\n}\n", []string{
			`t.hcl:2:10: limits: body: expected a size from 1KiB to 1GiB such as "32MiB", got "32 pounds"`}},
		{"SizeRange", "limits {\n  body = \"2GiB\"\n}\n", []string{
			`t.hcl:2:10: limits: body: expected a size from 1KiB to 1GiB such as "32MiB", got "2GiB"`}},
		{"SizeOverflow", "limits {\n  body = \"999999999999999999GiB\"\n}\n", []string{
			`t.hcl:2:10: limits: body: expected a size from 1KiB to 1GiB such as "32MiB", got "999999999999999999GiB"`}},
		{"Duration", "limits {\n  drain = \"30\"\n  upstream_idle = \"-1s\"\n}\n", []string{
			`t.hcl:2:11: limits: drain: expected a duration above zero such as "30s", got "30"`,
			`t.hcl:3:19: limits: upstream_idle: expected a duration above zero such as "30s", got "-1s"`}},
		{"Simulator", "simulator {\n  enabled = true\n}\n", []string{
			`t.hcl:2:13: simulator: enabled: expected one of auto, on, off, got "true"`}},
		{"SimulatorElsewhere", "simulator {\n  at = { openai = \"http://vendor.example/v1\" }\n}\n", []string{
			`t.hcl:2:8: simulator: at: expected an http URL of 127.0.0.1 or [::1] for each of ` + strings.Join(simulated, ", ") + `, got "http://vendor.example/v1"`}},
		{"SimulatorDialect", "simulator {\n  at = { cobol = \"http://127.0.0.1:1\" }\n}\n", []string{
			`t.hcl:2:8: simulator: at: expected an http URL of 127.0.0.1 or [::1] for each of ` + strings.Join(simulated, ", ") + `, got "http://127.0.0.1:1"`}},
		{"Lease", "store {\n  lease = \"10ms\"\n}\n", []string{
			`t.hcl:2:11: store: lease: expected a duration of a second or more such as "1m", got "10ms"`}},

		{"Wallet", "agent \"a\" {\n  wallet = \"paid\"\n}\n", []string{
			`t.hcl:2:12: agent "a": wallet: expected one of metered, prepaid, got "paid"`}},
		{"Money", "agent \"a\" {\n  daily_cap_usd = \"1,50\"\n  per_call_cap_usd = \"0.0000001\"\n  balance_usd = \"-1\"\n}\n", []string{
			`t.hcl:2:19: agent "a": daily_cap_usd: expected an amount of USD such as "5.00", not negative, at most six places, got "1,50"`,
			`t.hcl:3:22: agent "a": per_call_cap_usd: expected an amount of USD such as "5.00", not negative, at most six places, got "0.0000001"`,
			`t.hcl:4:17: agent "a": balance_usd: expected an amount of USD such as "5.00", not negative, at most six places, got "-1"`}},
		{"Preference", "agent \"a\" {\n  preference = \"quailty\"\n}\n", []string{
			`t.hcl:2:16: agent "a": preference: expected the name of a preference, got "quailty"; did you mean "quality"?`}},

		{"Module", "plugin \"acme\" {}\n", []string{
			`t.hcl:1:1: plugin "acme": expected module = "builtin:<name>" or the path of a .wasm`}},
		{"Builtin", "plugin \"acme\" {\n  module = \"builtin:opnai\"\n}\n", []string{
			`t.hcl:2:12: plugin "acme": module: expected a built-in module, got "opnai"; did you mean "openai"?`}},
		{"Digest", "plugin \"openai\" {\n  digest = \"sha256:abc\"\n}\n", []string{
			`t.hcl:2:12: plugin "openai": digest: expected "sha256:" and 64 hex digits, got "sha256:abc"`}},
		{"Fuel", "plugin \"openai\" {\n  fuel = 0\n  fuel_per_byte = 1.5\n}\n", []string{
			`t.hcl:2:10: plugin "openai": fuel: expected a whole number from 1 to 1099511627776`,
			`t.hcl:3:19: plugin "openai": fuel_per_byte: expected a whole number from 0 to 1048576`}},

		{"ProviderEmpty", "provider \"p\" {\n}\n", []string{
			`t.hcl:1:1: provider "p": expected adapter = …, which is required`,
			`t.hcl:1:1: provider "p": expected base_url = …, which is required`}},
		{"Adapter", "provider \"p\" {\n  adapter = \"opnai\"\n  base_url = \"http://h\"\n}\n", []string{
			`t.hcl:2:13: provider "p": adapter: expected the name of a plugin block or of a built-in adapter, got "opnai"; did you mean "openai"?`}},
		{"AdapterKind", "provider \"p\" {\n  adapter = \"floor\"\n  base_url = \"http://h\"\n}\n", []string{
			`t.hcl:2:13: provider "p": adapter: expected an adapter, and "floor" is a built-in policy`}},
		{"BaseURL", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"h/v1\"\n}\n", []string{
			`t.hcl:3:14: provider "p": base_url: expected ` + baseURLWant + `, got "h/v1"`}},
		{"BaseURLCredentials", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"https://u:hunter2@h/v1\"\n}\n", []string{
			`t.hcl:3:14: provider "p": base_url: expected ` + baseURLWant + `, got something that is not shown here`}},
		{"SimulatedDialect", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"simulator:opnai\"\n}\n", []string{
			`t.hcl:3:14: provider "p": base_url: expected ` + baseURLWant + `, got "simulator:opnai"`}},
		{"AuthKind", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  auth \"barer\" {}\n}\n", []string{
			`t.hcl:4:8: provider "p": expected a kind of auth, got "barer"; did you mean "bearer"?`}},
		{"AuthRequired", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  auth \"header\" {}\n}\n", []string{
			`t.hcl:4:3: provider "p": auth "header": expected name = …, which is required`,
			`t.hcl:4:3: provider "p": auth "header": expected value = …, which is required`}},
		{"AuthTwice", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  auth \"none\" {}\n  auth \"bearer\" {}\n}\n", []string{
			`t.hcl:5:3: provider "p": auth is already declared at t.hcl:4:3; expected one`}},
		{"AuthHeaderName", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  auth \"header\" {\n    name = \"a b\"\n    value = \"v\"\n  }\n}\n", []string{
			`t.hcl:5:12: provider "p": auth "header": name: expected a header's name: letters, digits and -`}},
		{"AuthLineBreak", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  auth \"bearer\" {\n    token = \"a\\nb\"\n  }\n}\n", []string{
			`t.hcl:5:13: provider "p": auth "bearer": token: expected a credential without line breaks or control characters`}},
		{"Settings", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  settings = [1]\n}\n", []string{
			`t.hcl:4:14: provider "p": settings: expected settings in {braces}, got tuple`}},
		{"SettingNull", "provider \"p\" {\n  adapter = \"openai\"\n  base_url = \"http://h\"\n  settings = {\n    a = null\n  }\n}\n", []string{
			`t.hcl:5:9: provider "p": settings: expected a value, got null`}},

		{"ModelProvider", minimal + "model \"m\" {\n  provider = \"q\"\n}\n", []string{
			`t.hcl:6:14: model "m": expected the name of a provider block, got "q"; known are p`}},
		{"DeploymentProvider", minimal + "model \"m\" {\n  deployment {\n    provider = \"other\"\n  }\n  deployment {}\n}\n", []string{
			`t.hcl:7:16: model "m": expected the name of a provider block, got "other"; known are p`,
			`t.hcl:9:3: model "m": deployment: expected provider = …, which is required`}},
		{"BothForms", minimal + "model \"m\" {\n  provider = \"p\"\n  deployment {\n    provider = \"p\"\n  }\n}\n", []string{
			`t.hcl:6:14: model "m": expected either provider or deployment blocks, not both`}},
		{"NoDeployment", "model \"m\" {}\n", []string{
			`t.hcl:1:1: model "m": expected provider = "…" or a deployment block`}},
		{"DeploymentTwice", minimal + "model \"m\" {\n  deployment {\n    provider = \"p\"\n  }\n  deployment {\n    provider = \"p\"\n  }\n}\n", []string{
			`t.hcl:9:3: model "m": expected each deployment once, got a second of "m" by "p"`}},
		{"Weight", minimal + "model \"m\" {\n  deployment {\n    provider = \"p\"\n    weight = -1\n  }\n}\n", []string{
			`t.hcl:8:14: model "m": deployment: weight: expected a whole number from 0 to 2147483647`}},
		{"Price", minimal + "model \"m\" {\n  provider = \"p\"\n  price {\n    input = \"0\"\n    output = \"free\"\n    cache_read = \"-1\"\n  }\n}\n", []string{
			`t.hcl:8:13: model "m": price: input: expected a price above zero in USD per million tokens, such as "0.59", at most nine places, got "0"`,
			`t.hcl:9:14: model "m": price: output: expected a price above zero in USD per million tokens, such as "0.59", at most nine places, got "free"`,
			`t.hcl:10:18: model "m": price: cache_read: expected a price in USD per million tokens, such as "0.59", at most nine places, got "-1"`}},
		{"PriceNaN", minimal + "model \"m\" {\n  provider = \"p\"\n  price {\n    input = \"NaN\"\n  }\n}\n", []string{
			`t.hcl:7:3: model "m": price: expected output = …, which is required`,
			`t.hcl:8:13: model "m": price: input: expected a price above zero in USD per million tokens, such as "0.59", at most nine places, got "NaN"`}},
		{"Quality", minimal + "model \"m\" {\n  provider = \"p\"\n  q_prior = \"1.01\"\n  agentic_index = 1e999999999\n}\n", []string{
			`t.hcl:7:13: model "m": q_prior: expected a decimal from 0 to 1 such as "0.80", got "1.01"`,
			`t.hcl:8:19: model "m": agentic_index: expected a number of ordinary size`}},
		{"Can", minimal + "model \"m\" {\n  provider = \"p\"\n  can = [\"tools\", \"image\", \"tools\", 7]\n}\n", []string{
			`t.hcl:7:19: model "m": can: expected one of tools, images, documents, thinking, got "image"; did you mean "images"?`,
			`t.hcl:7:28: model "m": can: expected each once, got "tools" again`,
			`t.hcl:7:37: model "m": can: expected one of tools, images, documents, thinking, got "7"`}},
		{"CanText", minimal + "model \"m\" {\n  provider = \"p\"\n  can = \"tools\"\n}\n", []string{
			`t.hcl:7:9: model "m": can: expected a list in [brackets], got string`}},
		{"Thinking", minimal + "model \"m\" {\n  provider = \"p\"\n  thinking = \"adaptive\"\n}\n", []string{
			`t.hcl:7:14: model "m": thinking: expected "thinking" in can as well, or no form for it`}},
		{"MaxOutput", minimal + "model \"m\" {\n  provider = \"p\"\n  context = 10\n  max_output = 11\n}\n", []string{
			`t.hcl:8:16: model "m": max_output: expected at most the context's 10 tokens, got 11`}},
		{"Names", minimal + "model \"m\" {\n  provider = \"p\"\n  names = [\"n\"]\n}\nmodel \"n\" {\n  provider = \"p\"\n}\nmodel \"o\" {\n  provider = \"p\"\n  names = [\"n\"]\n}\n", []string{
			`t.hcl:7:11: a name of model "m": expected a name of its own, and "n" is model "n" at t.hcl:9:1`,
			`t.hcl:14:11: a name of model "o": expected a name of its own, and "n" is model "n" at t.hcl:9:1`}},
		{"ModelIsAlias", minimal + "model \"ainfera-auto\" {\n  provider = \"p\"\n}\n", []string{
			`t.hcl:5:1: model "ainfera-auto": expected a name of its own, and "ainfera-auto" is an alias of target "ainfera-inference"`}},
		{"ModelIsTarget", minimal + "model \"ainfera-inference\" {\n  provider = \"p\"\n}\n", []string{
			`t.hcl:5:1: model "ainfera-inference": expected a name of its own, and "ainfera-inference" is target "ainfera-inference"`}},

		{"AliasTaken", minimal + "model \"m\" {\n  provider = \"p\"\n}\nrouting {\n  target \"t\" {\n    aliases = [\"u\", \"m\"]\n  }\n  target \"u\" {}\n}\n", []string{
			`t.hcl:10:15: an alias of target "t": expected a name of its own, and "m" is model "m" at t.hcl:5:1`,
			`t.hcl:10:15: an alias of target "t": expected a name of its own, and "u" is target "u" at t.hcl:12:3`}},
		{"AliasesUntil", "routing {\n  target \"t\" {\n    aliases_until = \"2027-02-30\"\n  }\n}\n", []string{
			`t.hcl:3:21: target "t": aliases_until: expected a day such as "2027-06-30", got "2027-02-30"`}},
		{"TaskType", "routing {\n  target \"t\" {\n    task_type = \"coed\"\n  }\n}\n", []string{
			`t.hcl:3:17: target "t": task_type: expected one of reasoning, code, tool_use, general, chat, extraction, embed, got "coed"; did you mean "code"?`}},
		{"Policy", "routing {\n  preference \"p\" {\n    policy = \"flor\"\n  }\n}\n", []string{
			`t.hcl:3:14: preference "p": policy: expected the name of a plugin block or of a built-in policy, got "flor"; did you mean "floor"?`}},
		{"PolicyKind", "routing {\n  preference \"p\" {\n    policy = \"openai\"\n  }\n}\n", []string{
			`t.hcl:3:14: preference "p": policy: expected a policy, and "openai" is a built-in adapter`}},

		{"Sorted", "routing {\n  min_quality = \"2\"\n}\nlog {\n  level = \"x\"\n}\nlisten = \"y\"\n", []string{
			`t.hcl:2:17: routing: min_quality: expected a decimal from 0 to 1 such as "0.80", got "2"`,
			`t.hcl:5:11: log: level: expected one of trace, debug, info, warn, error, got "x"`,
			`t.hcl:7:10: listen: expected an address such as "127.0.0.1:8080", got "y"`}},
	}
	tests = append(tests, struct {
		name, src string
		want      []string
	}{"TooLarge", strings.Repeat("#", maxSourceBytes+1), []string{
		`t.hcl:1:1: expected at most 1048576 bytes of configuration, got 1048577`}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("t.hcl", []byte(tt.src), noEnv)
			wantErrors(t, cfg, err, tt.want)
		})
	}
}

// TestParseJSONErrors holds that the JSON syntax gets the same words, and places that fit it.
func TestParseJSONErrors(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string
	}{
		{"UnknownName", "{\n  \"lisen\": 1\n}\n", []string{`t.json:2:3: unknown name "lisen"; did you mean "listen"?`}},
		{"Level", "{\"log\": {\n  \"level\": \"inf\"}}", []string{
			`t.json:2:12: log: level: expected one of trace, debug, info, warn, error, got "inf"; did you mean "info"?`}},
		{"Unquoted", "{\"admin\": {\n  \"token\": skantsecret}}", []string{`t.json:2:12: expected a JSON value; text goes in "quotes"`}},
		{"Element", "{\"routing\": {\"target\": {\"t\": {\"aliases\": [\"a\",\n\"b c\"]}}}}", []string{
			`t.json:2:1: target "t": aliases: expected ` + nameWant}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("t.json", []byte(tt.src), noEnv)
			wantErrors(t, cfg, err, tt.want)
		})
	}
}

func wantErrors(t *testing.T, cfg *Config, err error, want []string) {
	t.Helper()
	var errs Errors
	if cfg != nil || !errors.As(err, &errs) {
		t.Fatalf("Parse = %v, %v; want no configuration and Errors", cfg, err)
	}
	if got := strings.Split(err.Error(), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestParseEmpty(t *testing.T) {
	for _, name := range []string{"t.hcl", "t.json"} {
		src := map[string]string{"t.hcl": "", "t.json": "{}"}[name]
		cfg, err := Parse(name, []byte(src), nil)
		if err != nil {
			t.Fatalf("Parse(%s): %v", name, err)
		}
		sameConfig(t, cfg, Default())
	}
}

// TestParseMinimal holds what a small file gets beside what it says.
func TestParseMinimal(t *testing.T) {
	cfg := mustParse(t, `
provider "p" {
  adapter  = "openai"
  base_url = "http://127.0.0.1:11434/v1/"
}
plugin "mine" {
  module = "plugins/mine.wasm"
}
model "m" {
  provider = "p"
  can      = ["thinking"]
}
agent "a" {}
routing {
  target "ainfera-inference" {
    aliases_until = "2027-06-30"
  }
  preference "quality" {}
}
`, noEnv)
	if p := cfg.Provider("p"); p.BaseURL != "http://127.0.0.1:11434/v1" || p.Auth.Kind != AuthNone || p.Disabled() != "" {
		t.Errorf("provider = %+v, want the URL without its last slash, no auth, nothing missing", p)
	}
	if p := cfg.Plugin("mine"); p.Module != "plugins/mine.wasm" || p.Isolation != IsolationStream {
		t.Errorf("plugin = %+v, want its path beside the file and an instance a stream", p)
	}
	if cfg.Plugin("openai") == nil || cfg.Plugin("floor") == nil || cfg.Plugin("anthropic") != nil {
		t.Errorf("plugins = %+v, want the built-in ones that are referred to", cfg.Plugins)
	}
	m := cfg.Models[0]
	if d := m.Deployments[0]; d.Upstream != "m" || d.Priority != 1 || d.Weight != 100 {
		t.Errorf("deployment = %+v, want the defaults", d)
	}
	if m.Brand != "p" || m.DisplayName != "m" || m.Thinking != ThinkingEnabled || m.MAllowed != nil || m.Price != nil {
		t.Errorf("model = %+v, want the defaults", m)
	}
	if a := cfg.Agents[0]; a.Tenant != "a" || a.Wallet != "metered" {
		t.Errorf("agent = %+v, want a tenant of its own and a metered wallet", a)
	}
	target := cfg.Routing.Targets[0]
	if len(target.Aliases) != 3 {
		t.Errorf("aliases = %q, want the canonical target's own", target.Aliases)
	}
	if day := time.Date(2027, 6, 30, 23, 59, 59, 0, time.UTC); target.AliasesExpired(day) || !target.AliasesExpired(day.Add(time.Second)) {
		t.Error("AliasesExpired: want the whole of the last day before, and the next after")
	}
	if cfg.SimulatorOn() {
		t.Error("SimulatorOn() = true, want false: a provider without auth needs no credentials")
	}
}

// TestParseValues holds forms of values that the example does not show.
func TestParseValues(t *testing.T) {
	cfg := mustParse(t, `
listen = "${env("HOST", "0.0.0.0")}:${80 + 1}"
store {
  keep_bodies = env("KEEP")
  dsn         = "sqlite:///var/lib/ainfera/books.db?cache=shared"
}
limits {
  body  = 65536
  drain = "1h30m"
}
agent "a" {
  daily_cap_usd = 2.5
}
provider "p" {
  adapter  = "openai"
  base_url = "http://h"
  settings = {
    text   = "t"
    number = 1.50
    flag   = true
    list   = ["a", 2]
    map    = { k = false }
  }
}
audit {
  root_interval = "5s"
}
simulator {
  at = { openai = "http://127.0.0.1:1234/v1/" }
}
`, environ(map[string]string{"KEEP": "true"}))
	if cfg.Listen != "0.0.0.0:81" || !cfg.Store.KeepBodies || cfg.Limits.BodyBytes != 65536 || cfg.Limits.Drain != 90*time.Minute || cfg.Audit.RootInterval != 5*time.Second {
		t.Errorf("got %+v", cfg)
	}
	if cfg.Store.Dir != "/var/lib/ainfera" {
		t.Errorf("Store.Dir = %q, want the database's directory", cfg.Store.Dir)
	}
	if got := cfg.Simulator.At["openai"]; got != "http://127.0.0.1:1234/v1" || cfg.Store.Lease != time.Minute {
		t.Errorf("got simulated vendors at %q, a lease of %v", got, cfg.Store.Lease)
	}
	if cfg.Agents[0].DailyCapUSD != "2.5" {
		t.Errorf("DailyCapUSD = %q, want 2.5", cfg.Agents[0].DailyCapUSD)
	}
	p := cfg.Provider("p")
	want := `{"flag":true,"list":["a",2],"map":{"k":false},"number":1.5,"text":"t"}`
	if got := mustJSON(t, p.Settings); got != want {
		t.Errorf("Settings = %s, want %s", got, want)
	}
	if pos := p.Pos("settings.flag"); pos.String() != "test.hcl:20:14" {
		t.Errorf("Pos(settings.flag) = %s, want test.hcl:20:14", pos)
	}
	if pos := p.Pos("nothing"); pos.String() != "test.hcl:14:1" {
		t.Errorf("Pos of what is absent = %s, want the block's: test.hcl:14:1", pos)
	}
}
