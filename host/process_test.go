package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun/driver/sqliteshim"

	"database/sql"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/simulator"
)

// mute is a vendor that takes connections and never reads from them: a call to it is dispatched and seen by nobody. It is
// the only one above a floor of 0.97.
const mute = `
provider "mute" {
  adapter  = "openai"
  base_url = "http://%s/v1"
}
model "mute" {
  provider = "mute"
  upstream = "sim-mute"
  brand = "sim"
  q_prior = "0.99"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "9.00"
    output = "9.00"
  }
}
agent "purse" {
  wallet      = "prepaid"
  balance_usd = "1.00"
}
`

// outside configures a server for a process of its own: the vendors, which are told our ids, run in this one, and the
// lease is short enough to wait for.
func outside(t *testing.T, dir, dsn string) *running {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	r := configured(t, dir, dsn, catalogue, fmt.Sprintf(mute, ln.Addr()))
	r.rewrite(fmt.Sprintf("base_url = %q", r.urls[simulator.Anthropic]), `base_url = "simulator:anthropic"`,
		fmt.Sprintf("base_url = %q", r.urls[simulator.OpenAI]), `base_url = "simulator:openai"`,
		`enabled = "off" }`, fmt.Sprintf("enabled = \"on\"\n at = { anthropic = %q, openai = %q }\n}", r.urls[simulator.Anthropic], r.urls[simulator.OpenAI]),
		`simulator {`, "simulator {\n",
		fmt.Sprintf("dir = %q", dir), fmt.Sprintf("dir = %q\nlease = \"2s\"", dir))
	return r
}

// rewrite replaces words of the configuration, each of which must be there.
func (r *running) rewrite(oldnew ...string) {
	r.t.Helper()
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(text), oldnew[i]) {
			r.t.Fatalf("the configuration has no %q", oldnew[i])
		}
	}
	if err := os.WriteFile(r.config, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// twin configures another host of the same fleet: the same store and vendors, a directory of its own.
func (r *running) twin() *running {
	r.t.Helper()
	dir := r.t.TempDir()
	shareCompiled(r.t, dir)
	text, err := os.ReadFile(r.config)
	if err != nil {
		r.t.Fatal(err)
	}
	config := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(string(text), fmt.Sprintf("%q", r.dir), fmt.Sprintf("%q", dir))), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return &running{t: r.t, sim: r.sim, urls: r.urls, dir: dir, dsn: r.dsn, config: config, key: r.key, logs: &lockedBuffer{}}
}

// built is the server as it ships, built once: this test binary could stand for it, but is many times slower under -race.
var built = sync.OnceValues(func() (string, error) {
	dir, err := guests()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir[""], "ainfera")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func binary(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// spawn starts the server in a process of its own and returns what kills it with SIGKILL, as a crash does. Keys that an
// earlier start was shown are kept.
func (r *running) spawn() (kill func()) {
	r.t.Helper()
	cmd := exec.Command(binary(r.t), "serve", "--config", r.config)
	cmd.Stderr = r.logs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // killed, whatever else it says
		}
	}
	r.t.Cleanup(kill)
	keys := r.keys
	seen, ok := r.listening(out)
	if !ok {
		kill()
		r.t.Fatalf("the server did not start:\n%s%s", seen, r.logs)
	}
	for agent, key := range keys {
		r.keys[agent] = key
	}
	return kill
}

// stores are the kinds of store, for tests that need an empty one of each.
var stores = map[string]func(t *testing.T) (dir, dsn string){
	"sqlite": func(t *testing.T) (string, string) {
		dir := t.TempDir()
		return dir, "sqlite://" + filepath.Join(dir, "ainfera.db")
	},
	"postgres": postgresStore,
}

// administer runs a statement on the cluster of a database, from outside of the database.
func administer(t *testing.T, dsn, statement string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	conn, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func database(t *testing.T, dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// shut closes a database to everybody, and returns what opens it again.
func shut(t *testing.T, dsn string) (open func()) {
	t.Helper()
	name := database(t, dsn)
	administer(t, dsn, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
	administer(t, dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	return func() { administer(t, dsn, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true") }
}

// hold takes the locks that writing a call down needs, as a store that hangs would, and returns what gives them back.
func (r *running) hold() (release func()) {
	r.t.Helper()
	driver, source, statements := "pgx", r.dsn, []string{"BEGIN", "SELECT agent_id FROM audit_heads ORDER BY agent_id FOR UPDATE"}
	if path, ok := strings.CutPrefix(r.dsn, "sqlite://"); ok {
		driver, source, statements = sqliteshim.ShimName, "file:"+path+"?_pragma=busy_timeout(5000)", []string{"BEGIN IMMEDIATE"}
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := db.Conn(r.t.Context())
	for _, s := range statements {
		if err == nil {
			_, err = conn.ExecContext(r.t.Context(), s)
		}
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			r.t.Error(err)
		}
		conn.Close()
		db.Close()
	}
}

// until polls what another process brings about.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ownCluster is a PostgreSQL of the test's own, to be halted and resumed.
func ownCluster(t *testing.T) (c *pgtest.Cluster, dsn string) {
	t.Helper()
	postgresStore(t) // skips where there is none
	c, err := pgtest.Start(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c, c.DSN("postgres")
}
