package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// build is a file with a build of a guest that differs from the others in nothing but its digest.
func build(t *testing.T, pkg string, n int) string {
	t.Helper()
	module, err := os.ReadFile(guest(t, pkg))
	if err != nil {
		t.Fatal(err)
	}
	if module, err = sdktest.PackCases(module, []byte(strings.Repeat("\n", n))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("build-%d.wasm", n))
	if err := os.WriteFile(path, module, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// plugin runs a plugin command that must succeed and reads its JSON.
func (r *running) plugin(into any, args ...string) {
	r.t.Helper()
	status, out := r.command(append(append([]string{"plugin"}, args...), "--json")...)
	if status != exitOK {
		r.t.Fatalf("plugin %v: status %d\n%s", args, status, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		r.t.Fatalf("plugin %v: %v\n%s", args, err, out)
	}
}

// swap stages and activates a file.
func (r *running) swap(name, file string) plugins.Detail {
	r.t.Helper()
	var staged, d plugins.Detail
	r.plugin(&staged, "stage", name, file)
	r.plugin(&d, "activate", name, staged.Staged[len(staged.Staged)-1].Digest)
	return d
}

const routed = `{"model":"ainfera-inference","max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}`

func TestSwapsByCommand(t *testing.T) {
	t.Parallel()
	r := start(t)
	var before plugins.Detail
	r.plugin(&before, "inspect", "floor")
	if status, out := r.command("plugin", "list"); status != exitOK || !strings.Contains(out, "floor") || !strings.Contains(out, shortDigest(before.Active.Digest)) {
		t.Errorf("list: status %d\n%s", status, out)
	}
	after := r.swap("floor", build(t, "./plugins/policy/floor", 1))
	if after.Active.Digest == before.Active.Digest || after.Before != before.Active.Digest {
		t.Errorf("activated: got %s before %s, want another than %s before it", after.Active.Digest, after.Before, before.Active.Digest)
	}
	if resp, body := r.message(routed); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, body)
	}
	if got := r.one("SELECT policy_module FROM routing_outcomes"); got[0] != bare(after.Active.Digest) {
		t.Errorf("the row's module: got %s, want %s", got[0], after.Active.Digest)
	}
	var back plugins.Detail
	r.plugin(&back, "rollback", "floor", "--reason", "it was worse")
	if back.Active.Digest != before.Active.Digest || back.History[0].Reason != "it was worse" || back.History[0].Actor != whoami() {
		t.Errorf("rolled back: got %+v", back.History[0])
	}
	types := r.all("SELECT event_type FROM audit_events WHERE agent_id = 'operator' ORDER BY seq DESC LIMIT 2")
	if types[0][0] != "policy.rolled_back" || types[1][0] != "policy.activated" {
		t.Errorf("the operators' chain ends with %v", types)
	}
	status, out := r.command("plugin", "stage", "floor", guest(t, "./plugins/provider/openai"))
	if status != exitUsage || !strings.Contains(out, "ainfera_policy_v1") {
		t.Errorf("an adapter as a policy: status %d\n%s", status, out)
	}
	if status, out := r.command("plugin", "rollback", "floor"); status != exitUsage || !strings.Contains(out, "no version served before") {
		t.Errorf("rolled back too far: status %d\n%s", status, out)
	}
	if status, out := r.command("plugin", "inspect", guest(t, "./plugins/policy/floor")); status != exitOK || !strings.Contains(out, before.Active.Digest) || !strings.Contains(out, "floor_delta") {
		t.Errorf("a file: status %d\n%s", status, out)
	}
	r.clean()
}

func TestOperatorsNeedTheToken(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, path := range []string{"GET /plugins", "GET /plugins/floor", "POST /plugins/floor/stage", "POST /plugins/floor/activate", "POST /plugins/floor/rollback", "POST /reload"} {
		method, path, _ := strings.Cut(path, " ")
		req, err := http.NewRequestWithContext(t.Context(), method, r.admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.key) // an agent's key is no operator's
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s: status %d, want 401", method, path, resp.StatusCode)
		}
	}
}

// TestRollbackWithABrokenConfiguration: a mistake in the file doesn't keep an operator, who has the address and the token, from
// going back.
func TestRollbackWithABrokenConfiguration(t *testing.T) {
	r := start(t)
	var before plugins.Detail
	r.plugin(&before, "inspect", "floor")
	r.swap("floor", build(t, "./plugins/policy/floor", 1))
	token, err := os.ReadFile(filepath.Join(r.dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.config, []byte("listen = \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out := r.command("plugin", "rollback", "floor"); status != exitUsage || !strings.Contains(out, r.config+":1:") || !strings.Contains(out, "AINFERA_ADMIN_TOKEN") {
		t.Errorf("without them: status %d\n%s", status, out)
	}
	t.Setenv("AINFERA_ADMIN_TOKEN", strings.TrimSpace(string(token)))
	if status, out := r.command("plugin", "rollback", "floor", "--admin", r.admin); status != exitOK || !strings.Contains(out, before.Active.Digest+" serves") {
		t.Errorf("with them: status %d\n%s", status, out)
	}
}

// A file that is watched serves within two seconds of its being saved; a bad build does not, and what runs goes on.
func TestWatchedFile(t *testing.T) {
	t.Parallel()
	file := build(t, "./plugins/policy/floor", 1)
	r := configured(t, t.TempDir(), "", catalogue)
	r.dsn = "sqlite://" + filepath.Join(r.dir, "ainfera.db")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(strings.Replace(string(text), `dsn = ""`, fmt.Sprintf("dsn = %q", r.dsn), 1),
		fmt.Sprintf("plugin \"floor\" { module = %q }", guest(t, "./plugins/policy/floor")), fmt.Sprintf("plugin \"floor\" {\n module = %q\n watch = true\n}", file), 1))
	if err := os.WriteFile(r.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.serve()
	save := func(module []byte) {
		t.Helper()
		if err := os.WriteFile(file, module, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	served := func() string {
		var d plugins.Detail
		r.plugin(&d, "inspect", "floor")
		return d.Active.Digest
	}
	first := served()
	next, err := os.ReadFile(build(t, "./plugins/policy/floor", 2))
	if err != nil {
		t.Fatal(err)
	}
	save(next)
	waitFor(t, "the saved build", func() bool { return served() != first })
	second := served()
	save(next[:len(next)/2])
	waitFor(t, "the refusal of half a build", func() bool { return strings.Contains(r.logs.String(), "build refused, what runs goes on") })
	if got := served(); got != second {
		t.Errorf("half a build: %s serves, want still %s", got, second)
	}
}

// waitFor waits for what the server brings about by itself.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
