package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// A claudeCode is Claude Code in print mode, as examples/clients/claude-code runs it, in a home and a folder of its own.
type claudeCode struct {
	t          *testing.T
	r          *running
	script     string
	home, work string
	front      *httptest.Server // what it is pointed at: the server, with a list of what passes
	elsewhere  *doorbell        // the proxy that it is told of for every other address
	mu         sync.Mutex
	passed     []string // method, path, status
}

// A doorbell is an address that nobody should come to.
type doorbell struct {
	ln     net.Listener
	mu     sync.Mutex
	heard  []string
	ending chan struct{}
}

func newClaudeCode(t *testing.T, r *running) *claudeCode {
	t.Helper()
	dir, _ := installed(t, "claude-code")
	c := &claudeCode{t: t, r: r, script: filepath.Join(dir, "claude.sh"), home: t.TempDir(), work: t.TempDir(), elsewhere: hang(t)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	version := exec.CommandContext(ctx, filepath.Join(dir, "node_modules", ".bin", "claude"), "--version")
	version.Env = c.environment("")
	if out, err := version.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: Claude Code is installed and does not run on this machine: %v: %.200s", err, out)
	}
	target, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(resp *http.Response) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.passed = append(c.passed, fmt.Sprint(resp.Request.Method, " ", resp.Request.URL.RequestURI(), " ", resp.StatusCode))
			return nil
		},
	}
	c.front = httptest.NewServer(proxy)
	t.Cleanup(c.front.Close)
	return c
}

func hang(t *testing.T) *doorbell {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &doorbell{ln: ln, ending: make(chan struct{})}
	go func() {
		defer close(l.ending)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 200)
			n, _ := conn.Read(b)
			conn.Close()
			l.mu.Lock()
			l.heard = append(l.heard, string(b[:n]))
			l.mu.Unlock()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-l.ending })
	return l
}

// environment is all that it gets: nothing of the machine's own.
func (c *claudeCode) environment(model string, more ...string) []string {
	proxy := "http://" + c.elsewhere.ln.Addr().String()
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "TMPDIR=" + c.home, "HTTPS_PROXY=" + proxy, "HTTP_PROXY=" + proxy, "NO_PROXY=127.0.0.1",
		"DISABLE_AUTOUPDATER=1", "AINFERA_KEY=" + c.r.key, "AINFERA_MODEL=" + model}, more...)
	if c.front != nil {
		env = append(env, "AINFERA_BASE_URL="+c.front.URL)
	}
	return env
}

// says runs one prompt to its end and returns what it printed.
func (c *claudeCode) says(model, prompt string, args []string, more ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.script, append([]string{"-p", prompt}, args...)...)
	cmd.Dir, cmd.Env = c.work, c.environment(model, more...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if len(out) == 0 {
		c.t.Fatalf("it printed nothing: %v\n%s\n%s", err, stderr.String(), c.r.logs)
	}
	return string(out)
}

// answered runs one prompt, and wants an answer: its text, and how many turns the model had.
func (c *claudeCode) answered(model, prompt string, args ...string) (text string, turns int64) {
	c.t.Helper()
	out := c.says(model, prompt, append([]string{"--output-format", "json"}, args...))
	result := gjson.Parse(out)
	if !gjson.Valid(out) || result.Get("is_error").Bool() || result.Get("subtype").Str != "success" || result.Get("permission_denials.#").Int() != 0 {
		c.t.Fatalf("got %s\n%s", out, c.r.logs)
	}
	return result.Get("result").Str, result.Get("num_turns").Int()
}

// requests are those that passed since the last look.
func (c *claudeCode) requests() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := c.passed
	c.passed = nil
	return passed
}

// furtherLanes are the dialects that the harness has no vendor of, each with one model that can do everything.
const furtherLanes = `
simulator { enabled = "on" }
plugin "gemini" { module = %q }
plugin "openai-responses" { module = %q }
provider "g" {
  adapter  = "gemini"
  base_url = "simulator:gemini"
}
provider "r" {
  adapter  = "openai-responses"
  base_url = "simulator:openai-responses"
}
model "everything-gemini" {
  provider = "g"
  upstream = "sim-gemini-signed"
  max_output = 32000
  context = 200000
  can = ["tools", "images", "thinking"]
  price {
    input = "1"
    output = "2"
  }
}
model "everything-responses" {
  provider = "r"
  upstream = "sim-codex"
  max_output = 32000
  context = 200000
  can = ["tools", "images", "thinking"]
  price {
    input = "1"
    output = "2"
  }
}
`

// quoted is v as JSON.
func quoted(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestClaudeCode has the program itself do its work through the server: the simulated models tell it which of its tools to
// use, it runs them, and what it sends back is answered.
func TestClaudeCode(t *testing.T) {
	installed(t, "claude-code") // before the server starts for nothing
	r := start(t, laneTargets, fmt.Sprintf(furtherLanes, guest(t, "./plugins/provider/gemini"), guest(t, "./plugins/provider/openai-responses")))
	c := newClaudeCode(t, r)
	const ok = "POST /v1/messages?beta=true 200"
	lanes := []struct {
		model   string
		refused int // the first call: the vendor's models take no system message amid the conversation, and it does without
		served  string
	}{{"lane-translated", 0, "everything-openai"}, {"lane-verbatim", 1, "everything-anthropic"},
		{"everything-gemini", 0, "everything-gemini"}, {"everything-responses", 0, "everything-responses"}}
	for _, lane := range lanes {
		t.Run(lane.model+"/WritesAFile", func(t *testing.T) {
			made := filepath.Join(c.work, lane.model+".txt")
			input := quoted(t, map[string]string{"file_path": made, "content": "made by a tool\n"})
			text, turns := c.answered(lane.model, "Please write "+input+" [[sim tools=Write]]", "--allowedTools", "Write")
			if b, err := os.ReadFile(made); err != nil || string(b) != "made by a tool\n" {
				t.Errorf("the file holds %q: %v", b, err)
			}
			if turns != 2 || !strings.Contains(text, "File created successfully at: "+made) {
				t.Errorf("%d turns, and %q", turns, text)
			}
			want := append(slices.Repeat([]string{"POST /v1/messages?beta=true 400"}, lane.refused), ok, ok)
			if got := c.requests(); !slices.Equal(got, want) {
				t.Errorf("requests %q, want %q", got, want)
			}
			rows := r.all(`select status, model, cost_micro_usd > 0 from inferences where requested_model = ? order by created_at`, lane.model)
			if len(rows) != 2+lane.refused {
				t.Fatalf("%d rows, want %d: %v", len(rows), 2+lane.refused, rows)
			}
			for i, row := range rows {
				if want := []string{"succeeded", lane.served, "1"}; i >= lane.refused && !slices.Equal(row, want) {
					t.Errorf("row %q, want %q", row, want)
				}
				if i < lane.refused && (row[0] != "failed_provider_error" || row[2] != "0") {
					t.Errorf("row %q of a refusal", row)
				}
			}
		})
		t.Run(lane.model+"/ReadsWhatItRan", func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(c.work, "secret.txt"), []byte("the word is xylophone\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			out := c.says(lane.model, `Please run {"command":"cat secret.txt","description":"Read it"} [[sim tools=Bash]]`,
				[]string{"--output-format", "stream-json", "--include-partial-messages", "--verbose", "--allowedTools", "Bash(cat:*)"})
			var said string
			failed := true
			for line := range strings.Lines(out) {
				switch gjson.Get(line, "type").Str {
				case "assistant":
					said += gjson.Get(line, `message.content.#(type=="text").text`).Str
				case "result":
					failed = gjson.Get(line, "is_error").Bool()
				}
			}
			if failed || !strings.Contains(said, "The tool returned: “the word is xylophone”") {
				t.Errorf("it says %q, and got %s", said, out)
			}
			if !strings.Contains(out, `"input_json_delta"`) || !strings.Contains(out, `"thinking_delta"`) && !strings.Contains(out, `"signature_delta"`) {
				t.Errorf("the stream's own events are not there:\n%.3000s", out)
			}
			c.requests()
		})
	}
	for _, lane := range lanes[:2] { // whose vendors take a script
		t.Run(lane.model+"/ErrorInMidStream", func(t *testing.T) {
			r.sim.Script(func(q simulator.Request) *simulator.Fault {
				if q.N == 1+lane.refused {
					return &simulator.Fault{Break: simulator.BreakError, After: 2}
				}
				return nil
			})
			defer r.sim.Script(nil)
			if text, _ := c.answered(lane.model, "Hello there"); !strings.Contains(text, "You said: “Hello there”") {
				t.Errorf("got %q", text)
			}
			rows := r.all(`select outcome_status from routing_outcomes where target = ? order by created_at desc limit 2`, lane.model)
			if fmt.Sprint(rows) != "[[succeeded] [failed_provider_error]]" {
				t.Errorf("rows %v", rows)
			}
			c.requests()
		})
	}
	t.Run("CountsItsContext", func(t *testing.T) {
		if text, _ := c.answered("lane-verbatim", "/context"); !strings.Contains(text, "Context Usage") || !strings.Contains(text, " / 200k ") {
			t.Errorf("got %q", text)
		}
		got := c.requests()
		for _, request := range got {
			if request != "POST /v1/messages/count_tokens?beta=true 200" {
				t.Errorf("request %s", request)
			}
		}
		if len(got) == 0 {
			t.Error("it counted nothing")
		}
	})
	t.Run("ListsModels", func(t *testing.T) {
		out := c.says("lane-translated", "Hello", []string{"--output-format", "json"}, "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1")
		if got := c.requests(); gjson.Get(out, "is_error").Bool() || !slices.Equal(got, []string{"GET /v1/models?limit=1000 200", ok}) {
			t.Errorf("requests %q, and %s", got, out)
		}
	})
	t.Run("IsToldWhatIsWrong", func(t *testing.T) {
		out := c.says("nobody", "Hello", []string{"--output-format", "json"})
		if !gjson.Get(out, "is_error").Bool() || gjson.Get(out, "api_error_status").Int() != 404 || !strings.Contains(gjson.Get(out, "result").Str, "nobody") {
			t.Errorf("got %s", out)
		}
		c.requests()
	})
	c.elsewhere.mu.Lock()
	defer c.elsewhere.mu.Unlock()
	if len(c.elsewhere.heard) > 0 {
		t.Errorf("it went elsewhere: %q", c.elsewhere.heard)
	}
	r.clean()
}
