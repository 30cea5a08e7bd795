// Command run is the long form of the swaps: a server of its own on loopback, with simulated vendors.
//
//	go run ./host/internal/swaptorture/run                  1,000 swaps under 300 streams, then a million chunks
//	go run ./host/internal/swaptorture/run -bench           activation from the cache, and latency with and without swaps
//
// It needs bin/ainfera and the modules (make build). Exit status 1 when anything is not as it should be. Linux only: memory is
// read from /proc.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/swaptorture"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

type plan struct {
	binary                 string
	swaps, streams, chunks int
	bench                  bool
}

func main() {
	var p plan
	flag.StringVar(&p.binary, "ainfera", "bin/ainfera", "the server's binary")
	flag.IntVar(&p.swaps, "swaps", 1000, "swaps, of an adapter and a policy in turn; 0 leaves them out")
	flag.IntVar(&p.streams, "streams", 300, "streams in flight")
	flag.IntVar(&p.chunks, "chunks", 1_000_000, "chunks through one stream of the adapter")
	flag.BoolVar(&p.bench, "bench", false, "measure instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	switch {
	case p.bench:
		err = bench(ctx, p)
	case p.swaps == 0:
		err = chunks(ctx, p.chunks)
	default:
		err = errors.Join(torture(ctx, p), chunks(ctx, p.chunks))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "swaptorture:", err)
		os.Exit(1)
	}
}

// torture is the swaps under load, and what must be as before when they are over.
func torture(ctx context.Context, p plan) error {
	s, err := startServer(ctx, p.binary)
	if err != nil {
		return err
	}
	defer s.stop()
	o, err := s.options(p.streams, "[[sim chunks=20 size=60 between=10ms]]")
	if err != nil {
		return err
	}
	o.Swaps = 20
	if _, err := swaptorture.Run(ctx, o); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	before, err := s.measure(ctx)
	if err != nil {
		return err
	}
	o.Swaps = p.swaps
	o.Note = func(n int) {
		if n%100 == 0 {
			fmt.Printf("  %d swaps\n", n)
		}
	}
	report, err := swaptorture.Run(ctx, o)
	if err != nil {
		return err
	}
	after, err := s.measure(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d swaps under %d streams, %d at a time: none lost, none malformed\n", report.Swaps, report.Streams, p.streams)
	fmt.Printf("  activation p50 %s p99 %s; streams p50 %s p99 %s\n", ms(report.Activated.Quantile(.5)), ms(report.Activated.Quantile(.99)),
		ms(report.During.Quantile(.5)), ms(report.During.Quantile(.99)))
	fmt.Printf("  before: %s\n  after:  %s\n", before, after)
	return errors.Join(after.comparedWith(before), s.checkRows(ctx))
}

// A state is what a server holds while nobody calls.
type state struct {
	residentKiB, goroutines, files int
}

func (s state) String() string {
	return fmt.Sprintf("%d MiB resident, %d goroutines, %d files", s.residentKiB>>10, s.goroutines, s.files)
}

// slackKiB is what a Go heap and SQLite's cache may keep of a load: not the megabytes of a version for each swap.
const slackKiB = 64 << 10

func (s state) comparedWith(before state) error {
	var errs []error
	if s.residentKiB > before.residentKiB+before.residentKiB/4+slackKiB {
		errs = append(errs, fmt.Errorf("memory grew from %d to %d KiB", before.residentKiB, s.residentKiB))
	}
	if s.goroutines > before.goroutines+10 {
		errs = append(errs, fmt.Errorf("goroutines grew from %d to %d", before.goroutines, s.goroutines))
	}
	if s.files > before.files+10 {
		errs = append(errs, fmt.Errorf("open files grew from %d to %d", before.files, s.files))
	}
	return errors.Join(errs...)
}

// A server is bin/ainfera on a directory of its own.
type server struct {
	cmd             *exec.Cmd
	dir             string
	url, admin, key string
	token           string
}

func startServer(ctx context.Context, binary string) (*server, error) {
	dir, err := os.MkdirTemp("", "ainfera-swaps-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	config := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(config, []byte(configuration(dir)), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.CommandContext(ctx, binary, "serve", "--config", config)
	s.cmd.Stderr = os.Stderr
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w: run make build first", err)
	}
	lines := bufio.NewScanner(out)
	for s.key == "" && lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 2 && f[0] == "listening":
			s.url = f[1]
		case len(f) > 2 && f[0] == "operators":
			s.admin = f[1]
		case len(f) == 2 && f[0] == "export":
			_, s.key, _ = strings.Cut(f[1], "=")
		}
	}
	if s.key == "" {
		s.stop()
		return nil, errors.New("the server did not start")
	}
	go func() { // so that the server never waits for its reader; it ends with the process
		for lines.Scan() {
		}
	}()
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		s.stop()
		return nil, err
	}
	s.token = strings.TrimSpace(string(token))
	return s, nil
}

// stop drains the server and removes its directory.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	if err := s.cmd.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "swaptorture: the server ended with", err)
	}
	os.RemoveAll(s.dir)
}

// configuration is a policy that picks the one model there is, through the openai adapter, from a simulated vendor.
func configuration(dir string) string {
	return fmt.Sprintf(`listen = "127.0.0.1:0"
admin { listen = "127.0.0.1:0" }
log { level = "error" }
store {
  dir = %q
  dsn = %q
}
simulator { enabled = "on" }
agent "swaps" {}
provider "sim" {
  adapter  = "openai"
  base_url = "simulator:openai"
}
model "sim-small" {
  provider   = "sim"
  brand      = "sim"
  q_prior    = "0.70"
  m_allowed  = true
  context    = 200000
  max_output = 32000
  price {
    input  = "0.10"
    output = "0.20"
  }
}
`, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"))
}

// buildsOf is how many builds of a plugin take turns.
const buildsOf = 8

// options are for a load on the server; order is what the simulated vendor is told.
func (s *server) options(streams int, order string) (swaptorture.Options, error) {
	o := swaptorture.Options{URL: s.url, Key: s.key, Admin: s.admin, Token: s.token, Streams: streams, Builds: map[string][][]byte{},
		Body: fmt.Sprintf(`{"model":"ainfera-inference","max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"go %s"}]}`, order)}
	for _, name := range []string{"openai", "floor"} {
		module, err := builtin.Module(name)
		if err != nil {
			return o, err
		}
		for n := range buildsOf { // they differ in an empty line, and so in their digest
			build, err := sdktest.PackCases(module, []byte(strings.Repeat("\n", n+1)))
			if err != nil {
				return o, err
			}
			o.Builds[name] = append(o.Builds[name], build)
		}
	}
	return o, nil
}

// measure waits until only the active versions are left, and reads what the process holds then.
func (s *server) measure(ctx context.Context) (state, error) {
	client := &http.Client{}
	defer client.CloseIdleConnections()
	for {
		series, err := swaptorture.Operate(ctx, client, s.admin, s.token, http.MethodGet, "/metrics", nil)
		if err != nil {
			return state{}, err
		}
		if idle(string(series)) {
			break
		}
		select {
		case <-ctx.Done():
			return state{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	// A heap profile with gc=1 collects first, so that what is left is in use.
	if _, err := swaptorture.Operate(ctx, client, s.admin, s.token, http.MethodGet, "/debug/pprof/heap?gc=1", nil); err != nil {
		return state{}, err
	}
	stacks, err := swaptorture.Operate(ctx, client, s.admin, s.token, http.MethodGet, "/debug/pprof/goroutine?debug=1", nil)
	if err != nil {
		return state{}, err
	}
	var now state
	if _, err := fmt.Sscanf(string(stacks), "goroutine profile: total %d", &now.goroutines); err != nil {
		return now, fmt.Errorf("read the number of goroutines: %w", err)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		return now, err
	}
	now.files = len(files)
	now.residentKiB, err = residentKiB(s.cmd.Process.Pid)
	return now, err
}

// idle says that nothing drains and nobody calls.
func idle(series string) bool {
	for line := range strings.Lines(series) {
		draining := strings.HasPrefix(line, "ainfera_plugin_live_versions{") && strings.Contains(line, `state="draining"`)
		if (draining || strings.HasPrefix(line, "ainfera_calls_in_flight ")) && !strings.HasSuffix(line, " 0\n") {
			return false
		}
	}
	return true
}

func residentKiB(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("the process has no VmRSS")
}

func (s *server) checkRows(ctx context.Context) error {
	db, err := sql.Open(sqliteshim.ShimName, "file:"+filepath.Join(s.dir, "ainfera.db")+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	return swaptorture.CheckRows(ctx, db)
}

func ms(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
