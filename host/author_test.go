package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/author"
	"github.com/ainfera-ai/router/host/internal/simulator"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// newPlugin writes a plugin as `plugin new` does.
func newPlugin(t *testing.T, kind, name string) string {
	t.Helper()
	kit, err := author.Kit()
	if errors.Is(err, author.ErrNoKit) {
		t.Skip("SKIPPED: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := author.New(kit, kind, name, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

const acme = `
plugin "acme" { module = %[1]q }
provider "acme" {
  adapter  = "acme"
  base_url = %[2]q
  auth "bearer" { token = "vendor-secret-acme" }
}
model "acme-1" {
  provider = "acme"
  upstream = "sim-plain"
  brand = "acme"
  q_prior = "0.60"
  m_allowed = true
  context = 100000
  max_output = 4000
  can = ["tools"]
  price {
    input = "0.10"
    output = "0.20"
  }
}
`

// TestPluginRun: an author's server. What is saved serves; what doesn't compile is named, and what panics is kept.
func TestPluginRun(t *testing.T) {
	dir := newPlugin(t, "adapter", "acme")
	base := t.TempDir()
	r := configured(t, base, "sqlite://"+filepath.Join(base, "ainfera.db"), "# acme")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf(acme, filepath.Join(dir, "acme.wasm"), r.urls[simulator.OpenAI])
	if err := os.WriteFile(r.config, append(text, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	r.serve("plugin", "run", dir)
	call := func(maxTokens int) int {
		t.Helper()
		resp := r.post("/v1/messages", fmt.Sprintf(`{"model":"acme-1","max_tokens":%d,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, maxTokens))
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := call(64); got != 200 {
		t.Fatalf("status %d\n%s", got, r.logs)
	}
	body := filepath.Join(base, "body.json")
	if err := os.WriteFile(body, []byte(`{"max_tokens":32,"messages":[{"role":"user","content":"what I said"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	status, said := r.command("plugin", "record", dir, "--provider", "acme", "--model", "sim-plain", "--body", body, "--name", "live")
	live, err := sdktest.ReadFile(filepath.Join(dir, "testdata", "live.txtar"))
	if status != exitOK || err != nil {
		t.Fatalf("record: status %d, %v\n%s", status, err, said)
	}
	if text := string(live.Bytes()); strings.Contains(text, "vendor-secret") || !strings.Contains(text, "what I said") || live.WantMessage == nil ||
		!strings.Contains(text, "HTTP/1.1 200 OK\ncontent-type: text/event-stream") {
		t.Errorf("recorded:\n%s", text)
	}
	main := filepath.Join(dir, "main.go")
	source, err := os.ReadFile(main)
	if err != nil {
		t.Fatal(err)
	}
	save := func(from, to string) time.Time {
		t.Helper()
		changed := strings.Replace(string(source), from, to, 1)
		if changed == string(source) {
			t.Fatalf("main.go has no %q", from)
		}
		if err := os.WriteFile(main, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return time.Now()
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: never\n%s", what, r.logs)
			}
		}
	}

	save("func main() {}", "func main() { nothing() }")
	until("the compiler's word", func() bool { return strings.Contains(r.logs.String(), "./main.go:30:15: undefined: nothing") })
	if got := call(64); got != 200 {
		t.Errorf("status %d after a save that doesn't compile", got)
	}

	saved := save(`"0.1.0"`, `"0.2.0"`)
	until("the new version", func() bool {
		status, out := r.command("plugin", "list")
		return status == exitOK && strings.Contains(out, "0.2.0")
	})
	t.Logf("live %s after the save", time.Since(saved).Round(10*time.Millisecond))
	if got := call(64); got != 200 {
		t.Errorf("status %d on the new version", got)
	}

	save("	doc, err := jscan.Parse(c.Body)", "	if c.MaxTokens == 13 {\n		panic(\"not today\")\n	}\n	doc, err := jscan.Parse(c.Body)")
	until("the panic", func() bool { return call(13) >= 500 })
	kept, err := filepath.Glob(filepath.Join(dir, "testdata", "panic-*.txtar"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v\n%s", kept, err, r.logs)
	}
	if text := r.logs.String(); !strings.Contains(text, "panic: not today at example.com/acme/main.go:40") || !strings.Contains(text, kept[0]) {
		t.Errorf("the log names neither place nor case:\n%s", text)
	}
	if status = r.stop(); status != exitOK {
		t.Errorf("status %d", status)
	}
	again, err := sdktest.ReadFile(kept[0])
	if err != nil || !strings.Contains(string(again.Call), `"max_tokens":13`) || !strings.Contains(string(again.Body), `"hi"`) {
		t.Errorf("the kept case holds another input: %v", err)
	}
}

// TestGuideIsRun: every command of the guide is one that the script runs, but for those that serve, which TestPluginRun does.
func TestGuideIsRun(t *testing.T) {
	guide, err := os.ReadFile("../sdk/GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/author.txtar")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(guide)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ainfera ")
		if !ok {
			continue
		}
		n++
		if !strings.Contains(string(script), "exec ainfera "+command) {
			t.Errorf("the script does not run: ainfera %s", command)
		}
	}
	if n < 10 {
		t.Errorf("found %d commands in the guide", n)
	}
}

// TestRecordWithoutAnAnswer says why there is none, and nothing else.
func TestRecordWithoutAnAnswer(t *testing.T) {
	dir := newPlugin(t, "adapter", "acme")
	body := filepath.Join(t.TempDir(), "body.json")
	if err := os.WriteFile(body, []byte(`{"max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for url, want := range map[string]string{
		gone.URL:    "ainfera: the vendor did not answer: dial tcp " + strings.TrimPrefix(gone.URL, "http://") + ": connect: connection refused",
		"ftp://x/y": "ainfera: base URL: want http(s)://HOST/…",
	} {
		var out, errs bytes.Buffer
		status := run(t.Context(), []string{"plugin", "record", dir, "--url", url, "--model", "m", "--body", body}, strings.NewReader(""), &out, &errs)
		if status != exitUsage || strings.TrimSpace(errs.String()) != want {
			t.Errorf("%s: status %d, %q, want %q", url, status, &errs, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "testdata", "recorded*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
