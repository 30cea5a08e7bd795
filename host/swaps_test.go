package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/swaptorture"
)

// Fifty swaps of an adapter and of a policy under a hundred streams: every stream is whole and the same, every row names the
// modules that made it, and what drained has given back what it had.
func TestSwapsUnderStreams(t *testing.T) {
	r := start(t)
	token, err := os.ReadFile(filepath.Join(r.dir, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	builds := map[string][][]byte{}
	for name, pkg := range map[string]string{"openai": "./plugins/provider/openai", "floor": "./plugins/policy/floor"} {
		for n := range 6 {
			module, err := os.ReadFile(build(t, pkg, n+1))
			if err != nil {
				t.Fatal(err)
			}
			builds[name] = append(builds[name], module)
		}
	}
	options := swaptorture.Options{URL: r.url, Key: r.key, Admin: r.admin, Token: strings.TrimSpace(string(token)), Streams: 100, Swaps: 4, Builds: builds,
		Body: fmt.Sprintf(hello, "ainfera-inference", true, "[[sim chunks=12 size=40 between=200ms]]")}
	if _, err := swaptorture.Run(t.Context(), options); err != nil { // what is made once is made before it is counted
		t.Fatal(err)
	}
	r.drained()
	goroutines, mapped := settled(t), mappings(t)

	options.Swaps = 50
	report, err := swaptorture.Run(t.Context(), options)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.logs)
	}
	r.drained()
	t.Logf("%d swaps under %d streams; activation p50 %s p99 %s", report.Swaps, report.Streams, report.Activated.Quantile(.5), report.Activated.Quantile(.99))
	if report.Swaps != 50 || report.Streams < 100 {
		t.Errorf("%d swaps under %d streams, want 50 under at least 100", report.Swaps, report.Streams)
	}
	if n := settled(t); n > goroutines+10 {
		t.Errorf("goroutines: %d, before %d", n, goroutines)
	}
	if n := mappings(t); n > mapped+2*runtime.GOMAXPROCS(0)*4 {
		t.Errorf("mappings of guests' memory: %d, before %d", n, mapped)
	}
	if err := swaptorture.CheckRows(t.Context(), r.db()); err != nil {
		t.Error(err)
	}
	r.clean()
}

// drained waits until no version but the active ones is loaded for calls.
func (r *running) drained() {
	r.t.Helper()
	waitFor(r.t, "the end of the versions before", func() bool {
		status, list := r.operate("GET", "/plugins", nil)
		return status == 200 && gjson.Get(list, "plugins.#.draining|@flatten|#").Int() == 0
	})
}

// settled is the number of goroutines once connections that were closed have told theirs.
func settled(t *testing.T) int {
	t.Helper()
	n := runtime.NumGoroutine()
	for since := time.Now(); time.Since(since) < 300*time.Millisecond; {
		time.Sleep(10 * time.Millisecond)
		if now := runtime.NumGoroutine(); now < n {
			n, since = now, time.Now()
		}
	}
	return n
}

// mappings counts what is mapped of guests' snapshots: a copy on write each instance. There are none where the system has no
// such thing.
func mappings(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Log("no /proc: mappings are not counted")
		return 0
	}
	return strings.Count(string(maps), "memfd:")
}
