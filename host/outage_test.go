package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// journaled counts the lines of the host's journal.
func (r *running) journaled() int {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, "journal-*.jsonl"))
	if err != nil {
		r.t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil && !os.IsNotExist(err) { // delivered since
			r.t.Fatal(err)
		}
		n += strings.Count(string(b), "\n")
	}
	return n
}

// refused asserts that a call is refused before anything is dispatched, since it can't be recorded.
func (r *running) refused() {
	r.t.Helper()
	before := len(r.sim.Calls())
	var group sync.WaitGroup
	for _, model := range []string{"ainfera-inference", "o-tools"} {
		for _, stream := range []bool{true, false} {
			group.Go(func() {
				resp, body := r.message(fmt.Sprintf(hello, model, stream, "nobody"))
				if resp.StatusCode != http.StatusServiceUnavailable || gjson.Get(body, "error.code").String() != "capture_unavailable" || resp.Header.Get("Retry-After") == "" {
					r.t.Errorf("%s, streamed %v: got %d %s, want capture_unavailable", model, stream, resp.StatusCode, body)
				}
			})
		}
	}
	group.Wait()
	if got := len(r.sim.Calls()); got != before {
		r.t.Errorf("the vendors saw %d calls that could not be recorded", got-before)
	}
}

// outlives asserts that calls that were in flight when the store went away are answered whole, and that their ends are
// booked once when it has returned. goAway takes the store away and comeBack gives it back.
func (r *running) outlives(goAway, comeBack func()) {
	r.t.Helper()
	const calls = 3
	var rest [calls]io.Reader
	for i := range rest {
		resp := r.post("/v1/messages", fmt.Sprintf(hello, []string{"ainfera-inference", "a-tools", "ainfera-auto"}[i], true, "[[sim chunks=20 between=20ms]]"))
		rest[i] = readUntil(r.t, resp, "content_block_delta")
	}
	goAway()
	for _, in := range rest {
		if b, err := io.ReadAll(in); err != nil || !strings.Contains(string(b), "event: message_stop") {
			r.t.Errorf("got %v, %q, want the whole answer", err, b)
		}
	}
	until(r.t, "the completions are in the journal", func() bool { return r.journaled() == calls })
	r.refused()
	comeBack()
	until(r.t, "the completions are delivered", func() bool { return r.journaled() == 0 })
	until(r.t, "calls are taken again", func() bool {
		resp, _ := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "again"))
		return resp.StatusCode == http.StatusOK
	})
	if got := r.one(`select count(*), count(distinct i.id) from inferences i join receipts c on c.inference_id = i.id where i.status = 'succeeded'`); got[0] != fmt.Sprint(calls+1) || got[1] != got[0] {
		r.t.Errorf("got %v succeeded, with receipts, want %d", got, calls+1)
	}
	if got := r.all(`select id from inferences where status <> 'succeeded'`); len(got) != 0 {
		r.t.Errorf("got %d that did not succeed, want none", len(got))
	}
	r.clean()
}

// TestOutage takes the store away in every way that it can go, and gives it back: what can't be recorded is refused before
// a vendor hears of it, and what was in flight is booked, once, when the store is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	t.Run("postgres/Restarted", func(t *testing.T) {
		t.Parallel()
		cluster, dsn := ownCluster(t)
		for _, mode := range []string{"fast", "immediate"} {
			t.Run(mode, func(t *testing.T) {
				name := "outage_" + mode
				if err := cluster.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
					t.Fatal(err)
				}
				r := startOn(t, t.TempDir(), strings.Replace(dsn, "/postgres?", "/"+name+"?", 1))
				r.outlives(func() {
					if err := cluster.Halt(mode); err != nil {
						t.Fatal(err)
					}
				}, func() {
					if err := cluster.Resume(); err != nil {
						t.Fatal(err)
					}
				})
				r.stop()
			})
		}
	})
	t.Run("postgres/ShutOut", func(t *testing.T) {
		t.Parallel()
		dir, dsn := postgresStore(t)
		r := startOn(t, dir, dsn)
		open := func() {}
		r.outlives(func() { open = shut(t, dsn) }, func() { open() })
	})
	t.Run("sqlite/Locked", func(t *testing.T) { // by another process, for longer than the host waits
		t.Parallel()
		r := start(t)
		release := func() {}
		r.outlives(func() { release = r.hold() }, func() { release() })
	})
}

// TestSlowStore keeps the store from answering for a while: calls wait for it, and none is refused or lost.
func TestSlowStore(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			dir, dsn := store(t)
			r := startOn(t, dir, dsn)
			r.message(fmt.Sprintf(hello, "ainfera-inference", false, "first")) // so that the key is known
			release := r.hold()
			const calls = 8
			var group sync.WaitGroup
			var answered atomic.Int64
			for i := range calls {
				group.Go(func() {
					resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", i%2 == 0, "slow"))
					if resp.StatusCode != http.StatusOK {
						t.Errorf("got %d %s, want that it waits", resp.StatusCode, body)
					}
					answered.Add(1)
				})
			}
			time.Sleep(200 * time.Millisecond) // the slowness itself
			if n := len(r.sim.Calls()); n != 1 || answered.Load() != 0 {
				t.Errorf("the vendors saw %d calls and %d were answered while nothing could be recorded, want 1 and none", n, answered.Load())
			}
			release()
			group.Wait()
			if n := len(r.sim.Calls()); n != calls+1 {
				t.Errorf("the vendors saw %d calls, want %d", n, calls+1)
			}
			r.clean()
		})
	}
}

// TestConnectionsAreKilled kills every connection to PostgreSQL again and again under load. Each call is answered and
// booked, or refused and nobody saw it.
func TestConnectionsAreKilled(t *testing.T) {
	dir, dsn := postgresStore(t)
	r := startOn(t, dir, dsn)
	name := database(t, dsn)
	stop := make(chan struct{})
	var killer, callers sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				administer(t, dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
			}
		}
	})
	var answered, refused atomic.Int64
	for g := range 8 {
		callers.Go(func() {
			for i := range 25 {
				resp, body := r.message(fmt.Sprintf(hello, []string{"ainfera-inference", "o-tools"}[i%2], g%2 == 0, "killed"))
				switch resp.StatusCode {
				case http.StatusOK:
					answered.Add(1)
				case http.StatusServiceUnavailable:
					refused.Add(1)
				default:
					t.Errorf("got %d %s", resp.StatusCode, body)
				}
			}
		})
	}
	callers.Wait()
	close(stop)
	killer.Wait()
	until(t, "everything is delivered", func() bool { return r.journaled() == 0 })
	until(t, "doubts are settled", func() bool {
		db := r.db()
		var open int
		err := db.QueryRowContext(t.Context(), `select count(*) from inferences where status = 'pending'`).Scan(&open)
		return err == nil && open == 0 // the test's own connection was killed, too
	})
	if answered.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d answered, %d refused: the test needs some of both", answered.Load(), refused.Load())
	}
	if got := r.one(`select count(*) from inferences where status = 'succeeded'`)[0]; got != fmt.Sprint(answered.Load()) || len(r.sim.Calls()) != int(answered.Load()) {
		t.Errorf("got %s succeeded and %d seen by the vendors, want the %d that were answered", got, len(r.sim.Calls()), answered.Load())
	}
	r.clean()
}
