package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A fleet is the hosts of a phase.
type fleet struct {
	p      plan
	hosts  []*host
	keys   map[string]string // of the agents, by name
	failed tally
}

// A host is a server that is started again and again. Its faults run in one goroutine; callers only ask for its URL.
type host struct {
	binary, dir, config string
	log                 *os.File

	mu         sync.Mutex
	cmd        *exec.Cmd
	url, admin string
	keys       map[string]string
	guard      float64 // the largest sum of the guards' counts that a life of it showed
}

// startFleet configures and starts the hosts. The first makes the agents and is told their keys.
func startFleet(ctx context.Context, p plan, ph phase, v *vendors) (*fleet, error) {
	f := &fleet{p: p, keys: map[string]string{}}
	for i := range ph.hosts {
		dir := filepath.Join(ph.dir, "host"+strconv.Itoa(i))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if i > 0 { // what the first compiles the others find
			if err := os.Symlink(filepath.Join(f.hosts[0].dir, "modules"), filepath.Join(dir, "modules")); err != nil {
				return nil, err
			}
		}
		h := &host{binary: p.binary, dir: dir, config: filepath.Join(dir, "config.hcl"), keys: f.keys}
		if err := os.WriteFile(h.config, []byte(configuration(dir, ph.store.dsn(), v.urls)), 0o600); err != nil {
			return nil, err
		}
		var err error
		if h.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
			return nil, err
		}
		f.hosts = append(f.hosts, h)
		if err := h.start(ctx); err != nil {
			f.kill()
			return nil, err
		}
	}
	return f, nil
}

// startWithin is how long a host may take to come up, in which its store may be away for a while.
const startWithin = time.Minute

// start starts the server, again and again while it ends at once, as it does without its store.
func (h *host) start(ctx context.Context) error {
	deadline := time.Now().Add(startWithin)
	for {
		err := h.startOnce()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("%w: see %s", err, h.log.Name())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (h *host) startOnce() error {
	cmd := exec.Command(h.binary, "serve", "--config", h.config)
	cmd.Stderr = h.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	url, admin, err := h.banner(out)
	if err != nil {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cmd, h.url, h.admin = cmd, url, admin
	return nil
}

// banner reads the addresses, and the keys of agents that this start made.
func (h *host) banner(out io.Reader) (url, admin string, err error) {
	lines, agent := bufio.NewScanner(out), ""
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) > 1 && f[0] == "listening":
			url = f[1]
		case len(f) > 1 && f[0] == "operators":
			admin = f[1]
		case len(f) > 1 && f[0] == "agent":
			agent = strings.Trim(f[1], `"`)
		case len(f) == 2 && f[0] == "export":
			_, h.keys[agent], _ = strings.Cut(f[1], "=")
		case len(f) > 1 && f[0] == "curl":
			go func() { _, _ = io.Copy(io.Discard, out) }() // so that it never waits for its reader
			return url, admin, nil
		}
	}
	return "", "", errors.New("a host did not start")
}

// address is where the host was last heard to listen.
func (h *host) address() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.url
}

// end sends the signal that ends the process and waits for it. It returns how it exited.
func (h *host) end(sig syscall.Signal) error {
	h.mu.Lock()
	cmd := h.cmd
	h.cmd = nil
	h.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil {
		return err
	}
	return cmd.Wait()
}

func (h *host) signal(sig syscall.Signal) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cmd.Process.Signal(sig)
}

// kill ends what is left of the fleet, in whatever state.
func (f *fleet) kill() {
	for _, h := range f.hosts {
		_ = h.end(syscall.SIGKILL)
		h.log.Close()
	}
}

// stop ends the fleet as an operator would.
func (f *fleet) stop() error {
	var errs []error
	for _, h := range f.hosts {
		errs = append(errs, h.end(syscall.SIGTERM))
	}
	return errors.Join(errs...)
}

// settle waits until nothing is in flight any more: no call is open and no journal holds anything. It returns what still is
// when the time for it has passed, or the last error of asking.
func (f *fleet) settle(ctx context.Context, st store) (open, journaled int, err error) {
	deadline := time.Now().Add(settleWithin)
	for {
		open, err = st.count(ctx, "SELECT count(*) FROM inferences WHERE status = 'pending'")
		journaled = 0
		for _, h := range f.hosts {
			files, globErr := filepath.Glob(filepath.Join(h.dir, "journal-*.jsonl"))
			err = errors.Join(err, globErr)
			journaled += len(files)
		}
		if err == nil && open == 0 && journaled == 0 || time.Now().After(deadline) || ctx.Err() != nil {
			return open, journaled, errors.Join(err, ctx.Err())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// readGuards keeps the largest sum of the guards' counts that the host showed. One that can't be asked now is asked again.
func (h *host) readGuards(ctx context.Context) {
	h.mu.Lock()
	admin := h.admin
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "ainfera_dispatch_without_capture_total" || name == "ainfera_capture_without_route_total" {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				sum += n
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.guard = max(h.guard, sum)
}

// guard is the sum of the guards' counts over all lives of all hosts that could be asked.
func (f *fleet) guard() float64 {
	sum := 0.0
	for _, h := range f.hosts {
		h.readGuards(context.Background())
		sum += h.guard
	}
	return sum
}

// check is the product's own word on the books.
func (f *fleet) check() (string, error) {
	out, err := exec.Command(f.p.binary, "capture", "check", "--config", f.hosts[0].config).CombinedOutput()
	return string(out), err
}
