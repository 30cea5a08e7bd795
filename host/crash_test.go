package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/schema"
)

// said is a streamed call to the routing target as the prepaid agent, with what its vendor is told to do.
func (r *running) said(words string, header ...string) *http.Response {
	r.t.Helper()
	body := fmt.Sprintf(`{"model":"ainfera-inference","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"Hello %s"}]}`, words)
	return r.post("/v1/messages", body, append(header, "Authorization", "Bearer "+r.keys["purse"])...)
}

// readUntil reads a stream as far as the event.
func readUntil(t *testing.T, resp *http.Response, event string) *bufio.Reader {
	t.Helper()
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended before %s: %v", event, err)
		}
		if strings.TrimSpace(line) == "event: "+event {
			return lines
		}
	}
}

// purse is the prepaid agent's balance, in micro-USD.
func (r *running) purse() string {
	r.t.Helper()
	return r.one(`select w.balance_micro_usd from wallets w join agents a on a.id = w.agent_id where a.name = 'purse'`)[0]
}

// moments are where a host can be killed in a call. Each brings a host's call there, and returns what the test still holds
// of the store.
var moments = []struct {
	name  string
	reach func(r *running) (release func())
	seen  int // calls that the vendors saw
}{
	{"BeforeDispatch", func(r *running) func() {
		go r.leave("", "x-ainfera-min-quality", "0.97")
		until(r.t, "the call is booked", func() bool {
			return len(r.all(`select id from inferences where status = 'pending' and model = 'mute'`)) == 1
		})
		return func() {}
	}, 0},
	{"BeforeTheFirstByte", func(r *running) func() {
		go r.leave("[[sim silent]]")
		until(r.t, "the vendor has the call", func() bool { return len(r.sim.Calls()) == 1 })
		return func() {}
	}, 1},
	{"MidStream", func(r *running) func() {
		readUntil(r.t, r.said("[[sim chunks=1000 between=20ms]]"), "content_block_delta")
		return func() {}
	}, 1},
	{"WhileCompleting", func(r *running) func() {
		resp := r.said("[[sim chunks=20 between=20ms]]")
		readUntil(r.t, resp, "content_block_delta")
		release := r.hold()
		readUntil(r.t, resp, "message_stop")
		return release
	}, 1},
}

// leave makes a call whose answer never comes.
func (r *running) leave(words string, header ...string) {
	body := fmt.Sprintf(`{"model":"ainfera-inference","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"Hello %s"}]}`, words)
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.url+"/v1/messages", strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+r.keys["purse"])
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // the connection broke otherwise, as it was meant to
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// orphaned asserts that the one call of the store ended as an orphan does.
func (r *running) orphaned() {
	r.t.Helper()
	if got := r.one(`select i.status, o.outcome_status, i.cost_micro_usd from inferences i join routing_outcomes o on o.inference_id = i.id`); got[0] != schema.StatusFailedHost || got[1] != got[0] || got[2] != "0" {
		r.t.Errorf("got %v, want failed_host for nothing", got)
	}
	if got := r.all(`select e.kind from ledger_entries e where e.inference_id is not null order by e.id`); fmt.Sprint(got) != "[[hold] [refund]]" {
		r.t.Errorf("got entries %v, want the hold and its refund", got)
	}
	if got := r.purse(); got != "1000000" {
		r.t.Errorf("got balance %s, want all of it back", got)
	}
	if got := r.all(`select id from receipts`); len(got) != 1 {
		r.t.Errorf("got %d receipts, want 1", len(got))
	}
	r.clean()
}

// TestCrash kills a host with SIGKILL at each moment of a call. Its next start ends the orphan: one row, failed_host, the
// hold refunded, the chains whole.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, store := range stores {
		for _, m := range moments {
			t.Run(name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				dir, dsn := store(t)
				r := outside(t, dir, dsn)
				kill := r.spawn()
				release := m.reach(r)
				kill()
				release()
				kill = r.spawn()
				if name == "postgres" { // where the lease of the one before may have a moment to run
					until(t, "the orphan is ended", func() bool { return len(r.all(`select id from inferences where status = 'pending'`)) == 0 })
				}
				r.orphaned()
				if got := len(r.sim.Calls()); got != m.seen {
					t.Errorf("the vendors saw %d calls, want %d", got, m.seen)
				}
				resp := r.said("again")
				readUntil(t, resp, "message_stop")
				kill()
			})
		}
	}
}

// TestCrashBesideAnotherHost kills one host of two: the other ends the orphan when the lease has run out.
func TestCrashBesideAnotherHost(t *testing.T) {
	t.Parallel()
	dir, dsn := postgresStore(t)
	r := outside(t, dir, dsn)
	kill := r.spawn()
	other := r.twin()
	other.spawn()
	readUntil(t, r.said("[[sim chunks=1000 between=20ms]]"), "content_block_delta")
	kill()
	until(t, "the other host has ended the orphan", func() bool { return len(r.all(`select id from inferences where status = 'pending'`)) == 0 })
	r.orphaned()
}

// TestCompletionAfterTheCrash kills a host that could tell only its journal how a call ended. Another host ends the call as
// an orphan; the host comes back, and the journal's word replaces that one by correcting entries.
func TestCompletionAfterTheCrash(t *testing.T) {
	t.Parallel()
	dir, dsn := postgresStore(t)
	r := outside(t, dir, dsn)
	kill := r.spawn()
	other := r.twin()
	other.spawn()
	resp := r.said("[[sim chunks=20 between=20ms]]")
	readUntil(t, resp, "content_block_delta")
	open := shut(t, dsn)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(rest), "event: message_stop") {
		t.Fatalf("the caller got %q, %v, want the whole answer", rest, err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl")); err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want a journal", files, err)
	}
	kill()
	r.looked = nil
	open()
	until(t, "the other host has ended the orphan", func() bool { return len(r.all(`select id from inferences where status = 'failed_host'`)) == 1 })
	r.orphaned()

	r.spawn() // it applies its journal before it serves
	got := r.one(`select i.status, o.outcome_status, i.cost_micro_usd, i.output_tokens from inferences i join routing_outcomes o on o.inference_id = i.id`)
	if got[0] != schema.StatusSucceeded || got[1] != got[0] || got[2] == "0" || got[3] == "0" {
		t.Errorf("got %v, want succeeded with its cost and usage", got)
	}
	entries := r.all(`select e.kind, e.amount_micro_usd from ledger_entries e where e.inference_id is not null order by e.id`)
	if len(entries) != 3 || entries[2][0] != schema.LedgerCorrection || entries[2][1] != "-"+got[2] {
		t.Errorf("got entries %v, want hold, refund, and a correction of %s", entries, got[2])
	}
	r.clean()
}
