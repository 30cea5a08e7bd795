package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/simulator"
)

// A running is the whole server, serving in this process, with simulated vendors that remember what they were sent.
type running struct {
	t          *testing.T
	sim        *simulator.Server
	urls       map[string]string // the vendors, by dialect
	url, admin string
	key        string            // the local agent's
	keys       map[string]string // those of agents that this start made, by name
	dir        string
	dsn        string
	looked     *sql.DB
	config     string
	logs       *lockedBuffer
	stop       func() int // ends the server and gives its exit status
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// guests are the product's modules as files, built once.
var guests = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "ainfera-guests-")
	return map[string]string{"": dir}, err
})

func guest(t *testing.T, pkg string) string {
	t.Helper()
	files, err := guests()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(files[""], filepath.Base(pkg)+".wasm")
	if _, err := os.Stat(path); err != nil {
		if err := os.WriteFile(path, buildtest.Build(t, pkg), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// TestMain makes the test binary double as the ainfera that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(cleaning{m}, map[string]func(){"ainfera": main})
}

// cleaning removes the built guests and stops the PostgreSQL after the tests, if there are any.
type cleaning struct{ m *testing.M }

func (c cleaning) Run() int {
	defer func() {
		if files, err := guests(); err == nil {
			os.RemoveAll(files[""])
		}
		pgtest.Stop()
	}()
	return c.m.Run()
}

// standard is the configuration that tests start from: both dialects, five candidates, the cheapest without tools.
const standard = `
listen = "127.0.0.1:0"
admin { listen = "127.0.0.1:0" }
store {
  dsn = %[1]q
  dir = %[7]q
}
simulator { enabled = "off" }
agent "local" {
  daily_cap_usd = "50.00"
}
plugin "anthropic" {
  module    = %[2]q
  isolation = "shared"
}
plugin "openai" {
  module    = %[3]q
  isolation = "shared"
}
plugin "floor" { module = %[4]q }
provider "a" {
  adapter  = "anthropic"
  base_url = %[5]q
  auth "header" {
    name  = "x-api-key"
    value = "vendor-secret-a"
  }
}
provider "o" {
  adapter  = "openai"
  base_url = %[6]q
  auth "bearer" { token = "vendor-secret-o" }
}
`

const catalogue = `
model "o-plain" {
  provider = "o"
  upstream = "sim-plain"
  brand = "sim"
  q_prior = "0.60"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "0.10"
    output = "0.20"
  }
}
model "o-tools" {
  provider = "o"
  upstream = "sim-tools"
  names = ["o-tools-2026-01-01"]
  brand = "sim"
  q_prior = "0.70"
  m_allowed = true
  context = 100000
  max_output = 8000
  can = ["tools", "images"]
  price {
    input = "0.20"
    output = "0.40"
  }
}
model "a-tools" {
  provider = "a"
  upstream = "sim-small"
  brand = "sim"
  q_prior = "0.80"
  m_allowed = true
  context = 200000
  max_output = 16000
  can = ["tools", "images", "documents"]
  price {
    input = "0.50"
    output = "1.00"
  }
}
model "o-think" {
  provider = "o"
  upstream = "sim-reasoner"
  brand = "sim"
  q_prior = "0.84"
  m_allowed = true
  context = 200000
  max_output = 16000
  can = ["tools", "thinking"]
  price {
    input = "0.90"
    output = "2.00"
  }
}
model "a-think" {
  provider = "a"
  upstream = "sim-think"
  brand = "sim"
  q_prior = "0.95"
  m_allowed = true
  context = 200000
  max_output = 16000
  can = ["tools", "images", "documents", "thinking"]
  price {
    input = "3.00"
    output = "15.00"
  }
}
`

// start serves with the standard configuration and what more is given, on a SQLite database of its own.
func start(t *testing.T, more ...string) *running {
	t.Helper()
	dir := t.TempDir()
	return startOn(t, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"), more...)
}

// startOn is start on the store that dsn names; dir holds what lives beside it.
func startOn(t *testing.T, dir, dsn string, more ...string) *running {
	t.Helper()
	r := configured(t, dir, dsn, more...)
	r.serve()
	return r
}

// configured is everything but the server itself: the vendors and the configuration.
func configured(t *testing.T, dir, dsn string, more ...string) *running {
	t.Helper()
	sim := simulator.New(simulator.Options{Record: true})
	urls, err := sim.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	shareCompiled(t, dir)
	text := fmt.Sprintf(standard, dsn, guest(t, "./plugins/provider/anthropic"), guest(t, "./plugins/provider/openai"),
		guest(t, "./plugins/policy/floor"), urls[simulator.Anthropic], urls[simulator.OpenAI], dir)
	if strings.Contains(strings.Join(more, "\n"), "simulator {") {
		text = strings.Replace(text, "simulator { enabled = \"off\" }\n", "", 1)
	}
	if len(more) == 0 {
		more = []string{catalogue}
	}
	config := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(config, []byte(text+strings.Join(more, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return &running{t: t, sim: sim, urls: urls, dir: dir, dsn: dsn, config: config, logs: &lockedBuffer{}}
}

// shareCompiled lets the servers of all tests find the modules that one of them compiled, where a host of its own would
// have its cache.
func shareCompiled(t *testing.T, dir string) {
	t.Helper()
	files, err := guests()
	if err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(files[""], "compiled")
	if err := os.MkdirAll(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(shared, filepath.Join(dir, "modules")); err != nil {
		t.Fatal(err)
	}
}

// serve starts the server on r's configuration and waits for its banner. command is another than serve.
func (r *running) serve(command ...string) {
	r.t.Helper()
	if len(command) == 0 {
		command = []string{"serve"}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	pr, pw := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		status := run(ctx, append(command, "--config", r.config), strings.NewReader(""), pw, r.logs)
		pw.Close()
		ended <- status
	}()
	var once sync.Once
	var status int
	r.stop = func() int {
		once.Do(func() { cancel(); status = <-ended })
		return status
	}
	r.t.Cleanup(func() { r.stop() })
	if seen, ok := r.listening(pr); !ok {
		r.t.Fatalf("the server did not start (status %d):\n%s%s", r.stop(), seen, r.logs)
	}
}

// TestAStartThatFailsKeepsNoKey has the first start fail when all is loaded: the agents' keys are shown by the one that
// serves.
func TestAStartThatFailsKeepsNoKey(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	r := configured(t, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"))
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.Replace(string(text), `listen = "127.0.0.1:0"`, fmt.Sprintf("listen = %q", taken.Addr()), 1)
	if err := os.WriteFile(r.config, []byte(elsewhere), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if status := run(t.Context(), []string{"serve", "--config", r.config}, strings.NewReader(""), &out, r.logs); status == 0 || strings.Contains(out.String(), "AINFERA_KEY") {
		t.Fatalf("the first start: status %d\n%s%s", status, out.String(), r.logs)
	}
	if err := os.WriteFile(r.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.serve()
	if resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "")); resp.StatusCode != 200 {
		t.Errorf("with the key that was shown: %d %s", resp.StatusCode, body)
	}
}

// listening reads the banner, for the addresses and the keys, and goes on reading so that the server never waits for it.
func (r *running) listening(out io.Reader) (text string, ok bool) {
	lines := bufio.NewScanner(out)
	var seen strings.Builder
	agent := ""
	r.keys = map[string]string{}
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		fmt.Fprintln(&seen, lines.Text())
		switch {
		case len(f) > 1 && f[0] == "listening":
			r.url = f[1]
		case len(f) > 1 && f[0] == "operators":
			r.admin = f[1]
		case len(f) > 1 && f[0] == "agent":
			agent = strings.Trim(f[1], `"`)
		case len(f) == 2 && f[0] == "export":
			_, r.keys[agent], _ = strings.Cut(f[1], "=")
			if agent == "local" {
				r.key = r.keys[agent]
			}
		case len(f) > 1 && f[0] == "curl":
			go io.Copy(io.Discard, out)
			return seen.String(), true
		}
	}
	return seen.String(), false
}

// command runs another command of the binary on r's configuration.
func (r *running) command(args ...string) (status int, out string) {
	r.t.Helper()
	var stdout, stderr lockedBuffer
	status = run(r.t.Context(), append(args, "--config", r.config), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String() + stderr.String()
}

// post sends a body to a path, as the local agent.
func (r *running) post(path, body string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// message sends to /v1/messages and reads the whole answer.
func (r *running) message(body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	return r.call("/v1/messages", body, header...)
}

// call sends to a path and reads the whole answer.
func (r *running) call(path, body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	resp := r.post(path, body, header...)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

// db is the store, to be looked at.
func (r *running) db() *sql.DB {
	r.t.Helper()
	if r.looked != nil {
		return r.looked
	}
	driver, source := "pgx", r.dsn
	if path, ok := strings.CutPrefix(r.dsn, "sqlite://"); ok {
		driver, source = sqliteshim.ShimName, "file:"+path+"?mode=ro"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	r.looked = db
	return db
}

// one reads one row's columns as text.
func (r *running) one(query string, args ...any) []string {
	r.t.Helper()
	rows := r.all(query, args...)
	if len(rows) != 1 {
		r.t.Fatalf("%d rows, want 1: %s", len(rows), query)
	}
	return rows[0]
}

// all reads rows' columns as text. A ? in the query is an argument's place, whichever the store.
func (r *running) all(query string, args ...any) [][]string {
	r.t.Helper()
	if !strings.HasPrefix(r.dsn, "sqlite://") {
		for i := range args {
			query = strings.Replace(query, "?", fmt.Sprint("$", i+1), 1)
		}
	}
	rows, err := r.db().QueryContext(r.t.Context(), query, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		r.t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			r.t.Fatal(err)
		}
		row := make([]string, len(names))
		for i, c := range cells {
			row[i] = c.String
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// clean asks the product itself whether the books are right.
func (r *running) clean() {
	r.t.Helper()
	if status, out := r.command("capture", "check"); status != exitOK {
		r.t.Errorf("capture check: status %d\n%s", status, out)
	}
}

// An event is one of a stream.
type event struct {
	name string
	data map[string]any
}

// eventsOf reads a stream's text; whatever is not an event of it fails the test.
func eventsOf(t *testing.T, text string) []event {
	t.Helper()
	var out []event
	for _, frame := range strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(frame, "\ndata: ")
		if !ok || !strings.HasPrefix(name, "event: ") {
			t.Fatalf("not an event: %q", frame)
		}
		e := event{name: strings.TrimPrefix(name, "event: ")}
		if err := json.Unmarshal([]byte(data), &e.data); err != nil {
			t.Fatalf("event %s: %v: %s", e.name, err, data)
		}
		if e.data["type"] != e.name {
			t.Fatalf("event %s holds a %v", e.name, e.data["type"])
		}
		out = append(out, e)
	}
	return out
}

// names are the events' names, repeats of deltas taken together.
func names(events []event) string {
	var out []string
	for _, e := range events {
		if e.name == "ping" || e.name == "content_block_delta" && len(out) > 0 && out[len(out)-1] == e.name {
			continue
		}
		out = append(out, e.name)
	}
	return strings.Join(out, " ")
}
