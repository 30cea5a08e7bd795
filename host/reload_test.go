package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/plugins"
)

// operate sends to the operators' listener with its token.
func (r *running) operate(method, path string, body io.Reader) (status int, answer string) {
	r.t.Helper()
	token, err := os.ReadFile(filepath.Join(r.dir, tokenFile))
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.admin+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// edit changes the configuration's file and returns what undoes it.
func (r *running) edit(change func(text string) string) (undo func()) {
	r.t.Helper()
	before, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	write := func(text string) {
		r.t.Helper()
		if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	after := change(string(before))
	if after == string(before) {
		r.t.Fatal("the configuration would not change")
	}
	write(after)
	return func() { write(string(before)) }
}

// swapText is a change of the configuration.
func swapText(old, now string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, now, 1) }
}

func appended(more string) func(string) string {
	return func(text string) string { return text + more }
}

// models are the slugs that are offered.
func (r *running) models() string {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.url+"/v1/models", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return gjson.GetBytes(body, "#.slug").String()
}

// lineOfText is where a text stands in the configuration's file.
func (r *running) lineOfText(part string) int {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), part)
	if !ok {
		r.t.Fatalf("%q is not in the configuration", part)
	}
	return strings.Count(before, "\n") + 1
}

// Settings of which a policy makes nothing are told where they stand, by the start and by a reload.
func TestSettingsThatDontWork(t *testing.T) {
	t.Parallel()
	const odd = "\nrouting {\n  preference \"odd\" {\n    policy = \"floor\"\n    settings = { floor_delta = %q }\n  }\n}\n"
	r := start(t, catalogue, fmt.Sprintf(odd, "much"))
	for _, wrong := range []string{"much", "more"} {
		if wrong == "more" {
			r.edit(swapText(`"much"`, `"more"`))
			if status, answer := r.operate("POST", "/reload", nil); status != http.StatusOK {
				t.Fatalf("reload: %d %s", status, answer)
			}
		}
		place := fmt.Sprintf("config.hcl:%d:", r.lineOfText("floor_delta"))
		told := slices.ContainsFunc(strings.Split(r.logs.String(), "\n"), func(line string) bool {
			return strings.Contains(line, "preference=odd") && strings.Contains(line, place) && strings.Contains(line, wrong)
		})
		if !told {
			t.Errorf("%s at %s is not in the log:\n%s", wrong, place, r.logs.String())
		}
	}
	if strings.Count(r.logs.String(), "settings don't work") != 2 {
		t.Errorf("others are told, too:\n%s", r.logs.String())
	}
}

// A configuration that can't be taken is refused with its place, and changes nothing of what serves.
func TestReloadsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	offered := r.models()
	const extra = "\nmodel \"extra\" {\n  provider = \"o\"\n}\n"
	notWasm := filepath.Join(r.dir, "not.wasm")
	if err := os.WriteFile(notWasm, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		change      func(string) string
		place, says string
	}{
		{"syntax", appended(extra + "provider \"x\" {"), "", "config.hcl:"},
		{"unknown name", appended(extra + "lissen = 1\n"), "lissen", `did you mean "listen"`},
		{"unknown provider", appended(extra + "model \"m\" {\n  provider = \"nobody\"\n}\n"), `"nobody"`, "nobody"},
		{"module that is none", func(s string) string {
			return strings.Replace(s, guest(t, "./plugins/policy/floor"), notWasm, 1) + extra
		}, "not.wasm", "not a WebAssembly module"},
		{"setting that the adapter has not", swapText("provider \"o\" {", "provider \"o\" {\n  settings = { nonsense = true }"), "nonsense", "no such setting"},
		{"address of callers", swapText(`listen = "127.0.0.1:0"`, `listen = "127.0.0.1:1"`), `listen = "127.0.0.1:1"`, "can't change while serving"},
		{"address of operators", swapText(`admin { listen = "127.0.0.1:0" }`, `admin { listen = "127.0.0.1:1" }`), "admin {", "can't change while serving"},
		{"signup", appended(extra + "signup { enabled = true }\n"), "signup {", "signup: enabled can't change while serving: it is false, the file says true"},
		{"store", swapText(r.dsn, r.dsn+"2"), "dsn =", "store: dsn can't change while serving"},
	} {
		t.Run(c.name, func(t *testing.T) {
			undo := r.edit(c.change)
			status, answer := r.operate("POST", "/reload", nil)
			place := "config.hcl:"
			if c.place != "" {
				place = fmt.Sprintf("config.hcl:%d:", r.lineOfText(c.place))
			}
			said := gjson.Get(answer, "error").String()
			if status != http.StatusUnprocessableEntity || !strings.Contains(said, place) || !strings.Contains(said, c.says) {
				t.Errorf("got %d %s, want 422 that says %q and %q", status, answer, place, c.says)
			}
			undo()
			if got := r.models(); got != offered {
				t.Errorf("models: got %s, want still %s", got, offered)
			}
			if resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", true, "after")); resp.StatusCode != http.StatusOK {
				t.Errorf("the next call: %d %s", resp.StatusCode, body)
			}
		})
	}
	if rows := r.all("SELECT place FROM activations"); len(rows) != 3 {
		t.Errorf("%d activations, want those of the start: 3", len(rows))
	}
	status, out := r.command("config", "reload")
	if status != exitOK || !strings.Contains(out, "reloaded; plugins loaded anew: none") {
		t.Errorf("the file as it was: status %d\n%s", status, out)
	}
	r.clean()
}

// A reload brings models, agents and modules, and takes providers away under streams that are in flight on them.
func TestReloadsUnderAStream(t *testing.T) {
	t.Parallel()
	vendor := newGated(t)
	const gone = `
provider "g" {
  adapter  = "openai"
  base_url = %q
  auth "bearer" { token = "vendor-secret-g" }
}
model "gated" {
  provider = "g"
  price {
    input  = "1.00"
    output = "1.00"
  }
}
`
	text := fmt.Sprintf(gone, vendor.url)
	r := start(t, catalogue, text)
	resp := r.post("/v1/messages", fmt.Sprintf(hello, "gated", true, "x"))
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d\n%s", resp.StatusCode, r.logs)
	}
	gate := <-vendor.calls
	l := &listener{t: t, resp: resp, gate: gate, lines: bufio.NewScanner(resp.Body)}
	l.until("message_start")

	next := build(t, "./plugins/provider/openai", 1)
	r.edit(func(s string) string {
		s = strings.Replace(s, text, "", 1)
		s = strings.Replace(s, guest(t, "./plugins/provider/openai"), next, 1)
		return s + "\nlog { level = \"debug\" }\nagent \"second\" {}\nmodel \"extra\" {\n  provider = \"o\"\n  price {\n    input = \"1\"\n    output = \"1\"\n  }\n}\n"
	})
	status, answer := r.operate("POST", "/reload", nil)
	if status != http.StatusOK || gjson.Get(answer, "loaded").String() != `["openai"]` || gjson.Get(answer, "agents.0.name").String() != "second" {
		t.Fatalf("reload: %d %s", status, answer)
	}
	if got := r.models(); strings.Contains(got, "gated") || !strings.Contains(got, "extra") {
		t.Errorf("models: got %s", got)
	}
	if resp, body := r.message(fmt.Sprintf(hello, "gated", true, "x")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a model that is gone: %d %s", resp.StatusCode, body)
	}
	key := gjson.Get(answer, "agents.0.key").String()
	if resp, body := r.message(fmt.Sprintf(hello, "extra", true, "x"), "Authorization", "Bearer "+key); resp.StatusCode != http.StatusOK {
		t.Errorf("the new agent with the new model: %d %s", resp.StatusCode, body)
	}
	if strings.Contains(r.logs.String(), key) {
		t.Error("the key is in the log")
	}
	var d plugins.Detail
	r.plugin(&d, "inspect", "openai")
	if len(d.Draining) != 1 || d.Draining[0].InFlight == 0 {
		t.Errorf("draining: got %+v, want the former version with the stream", d.Draining)
	}
	gate <- struct{}{}
	l.until("piece")
	close(gate)
	if got := names(l.rest()); !strings.HasSuffix(got, "message_delta message_stop") {
		t.Errorf("the stream that began before: %s", got)
	}
	waitFor(t, "the end of the former version", func() bool {
		r.plugin(&d, "inspect", "openai")
		return len(d.Draining) == 0
	})
	row := r.one("SELECT adapter_module FROM inferences WHERE id = ?", resp.Header.Get("x-ainfera-inference-id"))
	if row[0] == bare(d.Active.Digest) {
		t.Error("the stream's row names the module that came after it")
	}
	r.clean()
}

// A version that traps on the calls of two agents is taken out, while calls go on.
func TestEvictionByCalls(t *testing.T) {
	t.Parallel()
	r := withRogues(t, "shared", simulated, catalogue)
	status, key := r.command("agent", "create", "second")
	if status != exitOK {
		t.Fatalf("agent create: %s", key)
	}
	var before plugins.Detail
	r.plugin(&before, "inspect", "rogue")
	bad := r.swap("rogue", build(t, "./host/testdata/guests/rogue", 1))
	for i, who := range []string{r.key, strings.TrimSpace(key), r.key} {
		order := fmt.Sprintf("[[rogue panic frame 1]] %d", i)
		resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", true, order), "Authorization", "Bearer "+who)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("x-ainfera-model") != "o-plain" {
			t.Fatalf("a poisoned call: %d by %s: %s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body)
		}
	}
	var after plugins.Detail
	waitFor(t, "the eviction", func() bool {
		r.plugin(&after, "inspect", "rogue")
		return after.Active.Digest != bad.Active.Digest
	})
	if after.Active.Digest != before.Active.Digest || after.History[0].Action != "evicted" || after.History[0].Actor != "host" {
		t.Errorf("got %s, %+v", after.Active.Digest, after.History[0])
	}
	payload := r.one("SELECT payload FROM audit_events WHERE agent_id = 'operator' AND event_type = 'adapter.rolled_back'")[0]
	if gjson.Get(payload, "action").String() != "evicted" || gjson.Get(payload, "previous").String() != bare(bad.Active.Digest) {
		t.Errorf("the operators' chain: %s", payload)
	}
	if _, series := r.operate("GET", "/metrics", nil); !strings.Contains(series, `ainfera_plugin_changes_total{action="evicted",plugin="rogue"} 1`) {
		t.Error("the eviction is not counted")
	}
	r.clean()
}
