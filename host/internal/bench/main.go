// Command bench measures the server against a bare httputil.ReverseProxy, in one run on one machine.
//
// Three processes are measured apart: simulated vendors, the proxy, and bin/ainfera, so that the CPU of each is what the
// kernel says of its process. The load comes from this one. Figures are ratios, since a shared machine is never twice as
// fast; the absolutes stand beside them for scale. Linux only: CPU time is read from /proc.
//
// "bench store" fills a store and times what is asked of a grown one.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// Targets are the ratios that are to be reached.
const (
	targetSmall = 8.0
	targetChunk = 2.5
)

// Targets are the least shares of the calls a second without books that are to be left with them.
const (
	targetSQLite   = 0.4
	targetPostgres = 0.3
)

func main() {
	role := flag.String("role", "", "guests: measure the modules alone; books: measure the stores alone; internal: vendor, proxy")
	target := flag.String("target", "", "internal: the proxy's target")
	binary := flag.String("ainfera", "bin/ainfera", "the server's binary")
	unbooked := flag.String("unbooked", "bin/unbooked", "the server built with the tag unbooked, which writes nothing down")
	calls := flag.Int("calls", 6000, "small calls a side")
	streams := flag.Int("streams", 64, "streams at a time")
	chunks := flag.Int("chunks", 400, "chunks a stream")
	rounds := flag.Int("rounds", 3, "rounds; the median of their ratios counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if flag.Arg(0) == "store" {
		*role = "store"
	}
	p := plan{*binary, *unbooked, *calls, *streams, *chunks, *rounds}
	switch *role {
	case "store":
		err = storeBench(ctx, flag.Args()[1:])
	case "vendor":
		err = vendor(ctx)
	case "proxy":
		err = proxy(ctx, *target)
	case "guests":
		err = measureGuests(ctx)
	case "books":
		err = measureServers(ctx, p, measureBooks)
	default:
		err = measureServers(ctx, p, measureProxied, measureBooks)
		if err == nil {
			err = measureGuests(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// vendor is the simulated vendors, until ctx ends.
func vendor(ctx context.Context) error {
	s := simulator.New(simulator.Options{})
	urls, err := s.Start(ctx)
	if err != nil {
		return err
	}
	fmt.Println(urls[simulator.Anthropic], urls[simulator.OpenAI])
	<-ctx.Done()
	return s.Close()
}

// proxy is what everything is compared with: the standard library's reverse proxy, flushing at once, with connections
// enough kept for the load.
func proxy(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	p := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(u) },
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + ln.Addr().String())
	srv := &http.Server{Handler: p}
	go func() { <-ctx.Done(); srv.Close() }()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type plan struct {
	binary, unbooked               string
	calls, streams, chunks, rounds int
}

// A side is a process under load.
type side struct {
	name  string
	url   string
	admin string // the operators' listener
	key   string
	model string
	cmd   *exec.Cmd
}

// stop ends the process, after the calls that it has. It may be called again.
func (s side) stop() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait() // what it says of its end it has said on standard error
	}
}

// A rig is what every comparison of servers has: a directory, the simulated vendors, and the processes that were started.
type rig struct {
	plan
	dir     string
	bases   []string // of the vendors: Anthropic's, OpenAI's
	running []side
}

// measureServers runs comparisons one after the other beside the same vendors.
func measureServers(ctx context.Context, p plan, comparisons ...func(context.Context, *rig) error) error {
	dir, err := os.MkdirTemp("", "ainfera-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &rig{plan: p, dir: dir}
	defer func() {
		for _, s := range slices.Backward(r.running) {
			s.stop()
		}
	}()
	out, err := r.internal(ctx, "vendor")
	if err != nil {
		return err
	}
	r.bases = strings.Fields(out.url)
	for _, compare := range comparisons {
		if err := compare(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// start starts a process that ends with the bench. What it prints is the caller's to read.
func (r *rig) start(ctx context.Context, s side, name string, args ...string) (side, *bufio.Scanner, error) {
	s.cmd = exec.CommandContext(ctx, name, args...)
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return s, nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return s, nil, err
	}
	r.running = append(r.running, s)
	return s, bufio.NewScanner(out), nil
}

// internal starts this program in one of its other roles; its first line is the side's url.
func (r *rig) internal(ctx context.Context, role string, args ...string) (side, error) {
	self, err := os.Executable()
	if err != nil {
		return side{}, err
	}
	s, out, err := r.start(ctx, side{name: role, key: "any", model: "sim-small"}, self, append([]string{"-role", role}, args...)...)
	if err != nil {
		return s, err
	}
	if !out.Scan() {
		return s, fmt.Errorf("the %s did not start", role)
	}
	s.url = out.Text()
	return s, nil
}

// measureProxied compares the server with the bare proxy.
func measureProxied(ctx context.Context, r *rig) error {
	bare, err := r.internal(ctx, "proxy", "-target", r.bases[0])
	if err != nil {
		return err
	}
	ours, err := r.server(ctx, r.binary, "sqlite://"+r.dir+"/bench.db")
	if err != nil {
		return err
	}
	defer bare.stop()
	defer ours.stop()
	for _, kind := range []struct {
		name   string
		target float64
		load   func(context.Context, side, plan) (sample, error)
	}{{"small call, routed and captured on SQLite, 64 callers, 5 candidates, openai dialect", targetSmall, smallCalls},
		{"streamed chunk of 300 bytes, translated (openai)", targetChunk, streamed("bench-openai")},
		{"streamed chunk of 300 bytes, verbatim (anthropic)", targetChunk, streamed("bench-anthropic")}} {
		if err := compare(ctx, kind.name, kind.target, r.plan, bare, ours, kind.load); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	return nil
}

// server starts a server, with a directory of its own for the journal and the compiled modules, and reads its addresses
// and its agent's key from what it prints.
func (r *rig) server(ctx context.Context, binary, dsn string) (side, error) {
	dir, err := os.MkdirTemp(r.dir, "server-")
	if err != nil {
		return side{}, err
	}
	config := filepath.Join(dir, "config.hcl")
	if err := os.WriteFile(config, []byte(configuration(dir, dsn, r.bases)), 0o600); err != nil {
		return side{}, err
	}
	s, out, err := r.start(ctx, side{name: "ainfera", model: "ainfera-inference"}, binary, "serve", "--config", config)
	if err != nil {
		return s, err
	}
	for out.Scan() {
		f := strings.Fields(out.Text())
		switch {
		case len(f) == 2 && f[0] == "listening":
			s.url = f[1]
		case len(f) > 2 && f[0] == "operators":
			s.admin = f[1]
		case len(f) == 2 && f[0] == "export":
			_, s.key, _ = strings.Cut(f[1], "=")
		}
		if s.url != "" && s.key != "" {
			go func() { // so that the server never waits for its reader
				for out.Scan() {
				}
			}()
			return s, nil
		}
	}
	return s, errors.New("the server did not start")
}

// configuration is five candidates over both dialects; the cheapest speaks OpenAI's, so that a small call is translated.
func configuration(dir, dsn string, bases []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen = \"127.0.0.1:0\"\nadmin {\n  listen = \"127.0.0.1:0\"\n}\nlog {\n  level = \"warn\"\n}\nstore {\n  dir = %q\n  dsn = %q\n}\nsimulator {\n  enabled = \"off\"\n}\nagent \"bench\" {}\n", dir, dsn)
	fmt.Fprintf(&b, "provider \"a\" {\n  adapter = \"anthropic\"\n  base_url = %q\n  auth \"header\" {\n    name = \"x-api-key\"\n    value = \"k\"\n  }\n}\n", bases[0])
	fmt.Fprintf(&b, "provider \"o\" {\n  adapter = \"openai\"\n  base_url = %q\n  auth \"bearer\" {\n    token = \"k\"\n  }\n}\n", bases[1])
	for i, m := range []struct{ slug, provider string }{{"bench-openai", "o"}, {"bench-openai-2", "o"}, {"bench-openai-3", "o"}, {"bench-anthropic", "a"}, {"bench-anthropic-2", "a"}} {
		fmt.Fprintf(&b, "model %q {\n  provider = %q\n  upstream = \"sim-small\"\n  brand = \"sim\"\n  q_prior = \"0.%d\"\n  m_allowed = true\n  context = 200000\n  max_output = 32000\n  can = [\"tools\"]\n  names = []\n  price {\n    input = \"0.%d\"\n    output = \"0.%d\"\n  }\n}\n", m.slug, m.provider, 60+i*5, i+1, i+2)
	}
	return b.String()
}

// A sample is one load's outcome: CPU of the side's process, and the callers' latencies.
type sample struct {
	units     int // calls or chunks
	cpu       time.Duration
	latencies []time.Duration
}

func (s sample) perUnit() float64 { return float64(s.cpu.Microseconds()) / float64(s.units) }

func (s sample) quantile(q float64) time.Duration {
	sort.Slice(s.latencies, func(i, j int) bool { return s.latencies[i] < s.latencies[j] })
	return s.latencies[int(q*float64(len(s.latencies)-1))]
}

// compare loads both sides in turn, round after round, and prints the median of the rounds' ratios.
func compare(ctx context.Context, name string, target float64, p plan, bare, ours side, load func(context.Context, side, plan) (sample, error)) error {
	warm := p
	warm.calls, warm.chunks = 500, 50
	for _, s := range []side{bare, ours} {
		if _, err := again(s, func() (sample, error) { return load(ctx, s, warm) }); err != nil {
			return fmt.Errorf("warm up %s: %w", s.name, err)
		}
	}
	var ratios, p50s []float64
	fmt.Printf("\n%s\n", name)
	for range p.rounds {
		b, err := again(bare, func() (sample, error) { return load(ctx, bare, p) })
		if err != nil {
			return fmt.Errorf("%s: %w", bare.name, err)
		}
		o, err := load(ctx, ours, p)
		if err != nil {
			return fmt.Errorf("%s: %w", ours.name, err)
		}
		ratios = append(ratios, o.perUnit()/b.perUnit())
		p50s = append(p50s, float64(o.quantile(.5))/float64(b.quantile(.5)))
		fmt.Printf("  proxy %7.1f µs CPU, p50 %-9v p99 %-9v ainfera %7.1f µs CPU, p50 %-9v p99 %-9v\n",
			b.perUnit(), round(b.quantile(.5)), round(b.quantile(.99)), o.perUnit(), round(o.quantile(.5)), round(o.quantile(.99)))
	}
	sort.Float64s(ratios)
	sort.Float64s(p50s)
	verdict := "reached"
	if ratios[len(ratios)/2] > target {
		verdict = "MISSED"
	}
	fmt.Printf("  CPU %.2f× the proxy's (target at most %.1f×: %s), median latency %.2f×\n", ratios[len(ratios)/2], target, verdict, p50s[len(p50s)/2])
	return nil
}

// again repeats a load of the bare proxy that broke: now and then the standard library's aborts a stream ("use of closed
// network connection"). It says so. Of our own server nothing is forgiven.
func again(s side, load func() (sample, error)) (sample, error) {
	for tries := 1; ; tries++ {
		out, err := load()
		if err == nil || s.name != "proxy" || tries == 3 {
			return out, err
		}
		fmt.Printf("  (the proxy broke a stream: %v; the round is repeated)\n", err)
	}
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

// smallCalls sends p.calls small calls from 64 callers.
func smallCalls(ctx context.Context, s side, p plan) (sample, error) {
	body := []byte(fmt.Sprintf(`{"model":%q,"max_tokens":64,"messages":[{"role":"user","content":"Say hello to the bench."}]}`, s.model))
	return spread(ctx, s, 64, p.calls, func(resp *http.Response) (int, error) {
		_, err := io.Copy(io.Discard, resp.Body)
		return 1, err
	}, body)
}

// streamed sends p.streams streams of p.chunks chunks, a chunk every two milliseconds, and counts the chunks.
func streamed(model string) func(context.Context, side, plan) (sample, error) {
	return func(ctx context.Context, s side, p plan) (sample, error) {
		name := model
		if s.name == "proxy" {
			name = s.model
		}
		text := fmt.Sprintf("go [[sim chunks=%d size=300 between=2ms]]", p.chunks)
		body := []byte(fmt.Sprintf(`{"model":%q,"max_tokens":32000,"stream":true,"messages":[{"role":"user","content":%q}]}`, name, text))
		return spread(ctx, s, p.streams, p.streams, func(resp *http.Response) (int, error) {
			lines, n := bufio.NewReaderSize(resp.Body, 64<<10), 0
			for {
				line, err := lines.ReadSlice('\n')
				if bytes.HasPrefix(line, []byte("event: content_block_delta")) {
					n++
				}
				if errors.Is(err, io.EOF) {
					if n < p.chunks {
						return n, fmt.Errorf("%d chunks of %d", n, p.chunks)
					}
					return n, nil
				}
				if err != nil {
					return n, err
				}
			}
		}, body)
	}
}

// spread shares n calls out among callers and adds up what they saw.
func spread(ctx context.Context, s side, callers, n int, read func(*http.Response) (int, error), body []byte) (sample, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers, DisableCompression: true}}
	defer client.CloseIdleConnections()
	before, err := cpuOf(s.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	var mu sync.Mutex
	var total sample
	var failed error
	next := make(chan struct{}, n)
	for range n {
		next <- struct{}{}
	}
	close(next)
	var wg sync.WaitGroup
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range next {
				began := time.Now()
				units, err := one(ctx, client, s, body, read)
				mu.Lock()
				if err != nil && failed == nil {
					failed = err
				}
				total.units += units
				total.latencies = append(total.latencies, time.Since(began))
				mu.Unlock()
				if err != nil {
					return
				}
			}
		}()
	}
	wg.Wait()
	if failed != nil {
		return sample{}, failed
	}
	after, err := cpuOf(s.cmd.Process.Pid)
	total.cpu = after - before
	return total, err
}

func one(ctx context.Context, client *http.Client, s side, body []byte, read func(*http.Response) (int, error)) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	req.Header.Set("X-Api-Key", s.key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000))
		return 0, fmt.Errorf("%s answered %d: %s", s.name, resp.StatusCode, text)
	}
	return read(resp)
}

// cpuOf is the user and system time of a process so far, from /proc/PID/stat: fields 14 and 15, in ticks of 10 ms.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time (Linux only): %w", err)
	}
	_, rest, ok := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 13 {
		return 0, fmt.Errorf("unexpected /proc/%d/stat", pid)
	}
	var ticks int64
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
