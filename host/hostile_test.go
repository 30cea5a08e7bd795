package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// TestHostileAtStart is a module that can't be loaded: serve ends with status 2 and says which plugin, where its block
// stands, what was expected and what was found.
func TestHostileAtStart(t *testing.T) {
	rogue := guest(t, "./host/testdata/guests/rogue")
	bytes, err := os.ReadFile(rogue)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(bytes)
	found, other := "sha256:"+hex.EncodeToString(sum[:]), "sha256:"+strings.Repeat("0", 64)
	prose := filepath.Join(t.TempDir(), "prose.wasm")
	if err := os.WriteFile(prose, []byte("this is not WebAssembly, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, module, more string
		says               []string
	}{
		{"Missing", filepath.Join(t.TempDir(), "none.wasm"), "", []string{"none.wasm", "no such file"}},
		{"NotWasm", prose, "", []string{"not a WebAssembly module"}},
		{"OtherVersion", guest(t, "./host/testdata/guests/future"), "", []string{"ainfera_policy_v7", "expects ainfera_adapter_v1 or ainfera_policy_v1"}},
		{"OtherDigest", rogue, fmt.Sprintf("digest = %q", other), []string{found, other}},
		{"LoopsAtStart", guest(t, "./host/testdata/guests/spinner"), "fuel = 1000000", []string{"_initialize", "used up its fuel of ", "000 units"}},
		{"TooLittleMemory", rogue, `memory = "1MiB"`, []string{"memory", "1048576"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			r := configured(t, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"),
				fmt.Sprintf("plugin \"bad\" {\n  module = %q\n  %s\n}\n", tc.module, tc.more)+catalogue)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // only where it serves after all
			defer cancel()
			status := run(ctx, []string{"serve", "--config", r.config}, strings.NewReader(""), io.Discard, r.logs)
			if status != exitUsage {
				t.Errorf("status %d, want %d", status, exitUsage)
			}
			last := lastLine(r.logs.String())
			for _, want := range append(tc.says, "plugin bad: ", lineOf(t, r.config, fmt.Sprintf("module = %q", tc.module))) {
				if !strings.Contains(last, want) {
					t.Errorf("the error doesn't say %q:\n%s", want, last)
				}
			}
		})
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// lineOf is the place of a text in a file, as an error names it.
func lineOf(t *testing.T, file, text string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(b), text)
	if !ok {
		t.Fatalf("%s does not hold %q", file, text)
	}
	return fmt.Sprintf("%s:%d:", file, strings.Count(before, "\n")+1)
}

// TestHostilePolicy binds preferences to a policy that misbehaves in every way: the call is refused with its row, and
// calls through another preference go on.
func TestHostilePolicy(t *testing.T) {
	ways := []string{"loop", "panic", "rubbish", "nothing", "prose", "stranger"}
	var prefs strings.Builder
	for _, do := range ways {
		fmt.Fprintf(&prefs, "  preference %q {\n    policy = \"dictator\"\n    settings = { do = %q }\n  }\n", do, do)
	}
	r := start(t, fmt.Sprintf("plugin \"dictator\" { module = %q }\nrouting {\n%s}\n", guest(t, "./host/testdata/guests/dictator"), prefs.String()), catalogue)
	for _, do := range ways {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(do, "/", stream), func(t *testing.T) {
				resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", stream, do), "x-ainfera-preference", do)
				e := gjson.Get(body, "error")
				if resp.StatusCode != 503 || e.Get("code").String() != "policy_failed" || e.Get("type").String() != "overloaded_error" {
					t.Fatalf("got %d %s", resp.StatusCode, body)
				}
				got := r.one(`select outcome_status, code, coalesce(inference_id, ''), (select count(*) from inferences where request_id = o.request_id),
					(select count(*) from audit_events where event_type like 'inference.rejected%' and payload like '%' || o.request_id || '%')
					from routing_outcomes o where request_id = ?`, resp.Header.Get("request-id"))
				if want := "failed_policy policy_failed  0 1"; strings.Join(got, " ") != want {
					t.Errorf("row %v, want %s", got, want)
				}
				resp, body = r.message(fmt.Sprintf(hello, "ainfera-inference", stream, "after"), "x-ainfera-preference", "balanced")
				if resp.StatusCode != 200 || !strings.Contains(body, "after") {
					t.Errorf("the next call: %d %s", resp.StatusCode, body)
				}
			})
		}
	}
	if n := len(r.sim.Calls()); n != 2*len(ways) {
		t.Errorf("vendors were sent %d calls, want those of the good policy: %d", n, 2*len(ways))
	}
	if !strings.Contains(r.logs.String(), "policy failed") {
		t.Error("the operator was not told")
	}
	r.clean()
}

// rogues are the cheapest models, both of the one hostile module, before the good ones of the catalogue.
const rogues = `
plugin "rogue" {
  module    = %[1]q
  isolation = %[2]q
}
plugin "rogue-again" {
  module    = %[1]q
  isolation = %[2]q
}
provider "r" {
  adapter  = "rogue"
  base_url = %[3]q
  auth "bearer" { token = "vendor-secret-r" }
}
provider "r2" {
  adapter  = "rogue-again"
  base_url = %[3]q
  auth "bearer" { token = "vendor-secret-r" }
}
model "rogue-1" {
  provider   = "r"
  q_prior    = "0.60"
  m_allowed  = true
  price {
    input  = "0.01"
    output = "0.01"
  }
}
model "rogue-2" {
  provider   = "r2"
  q_prior    = "0.60"
  m_allowed  = true
  price {
    input  = "0.02"
    output = "0.02"
  }
}
`

// withRogues serves with the hostile adapter in front; vendor is where it sends.
func withRogues(t *testing.T, isolation string, vendor func(*running) string, more ...string) *running {
	t.Helper()
	dir := t.TempDir()
	r := configured(t, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"), more...)
	f, err := os.OpenFile(r.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(f, rogues, guest(t, "./host/testdata/guests/rogue"), isolation, vendor(r))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	r.serve()
	return r
}

func simulated(r *running) string { return r.urls[simulator.OpenAI] }

// TestHostileAdapter makes an adapter fail before the caller has had anything: the call goes to another module, never to
// the same one once more.
func TestHostileAdapter(t *testing.T) {
	for _, isolation := range []string{"stream", "shared"} {
		r := withRogues(t, isolation, simulated, catalogue)
		for _, what := range []string{"loop", "panic", "rubbish", "order"} {
			for _, where := range []string{"open", "head", "frame 1"} {
				for _, stream := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s/%s %s/%v", isolation, what, where, stream), func(t *testing.T) {
						r.fallsOver(t, fmt.Sprintf("[[rogue %s %s]]", what, where), where == "open", stream)
					})
				}
			}
		}
		r.clean()
	}
}

// fallsOver makes one call that the hostile module fails, one pinned to it, and one that it serves.
func (r *running) fallsOver(t *testing.T, order string, early, stream bool) {
	sent := len(r.sim.Calls())
	resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", stream, order))
	if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "o-plain" || !strings.Contains(body, "imulated") {
		t.Fatalf("got %d by %q: %s\n%s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body, r.logs)
	}
	want, tried := 2, `["rogue-1","o-plain"]` // one by the hostile module, one by who answered
	switch {
	case early:
		want = 1
	case strings.HasPrefix(order, "[[rogue order "): // its events were about that vendor's answer: another's may do
		want, tried = 3, `["rogue-1","rogue-2","o-plain"]`
	}
	if n := len(r.sim.Calls()) - sent; n != want {
		t.Errorf("vendors were sent %d calls, want %d", n, want)
	}
	row := r.one(`select outcome_status, chosen_model_slug, served_model_slug, attempts from routing_outcomes where request_id = ?`, resp.Header.Get("request-id"))
	if strings.Join(row[:3], " ") != "succeeded rogue-1 o-plain" {
		t.Errorf("row %v", row)
	}
	if tries := gjson.Get(row[3], "#.model").String(); tries != tried {
		t.Errorf("tries of %s, want %s", tries, tried)
	}
	resp, body = r.message(fmt.Sprintf(hello, "rogue-1", stream, order))
	if resp.StatusCode != 502 || gjson.Get(body, "error.code").String() != "provider_failed" {
		t.Errorf("pinned: %d %s", resp.StatusCode, body)
	}
	resp, body = r.message(fmt.Sprintf(hello, "rogue-2", stream, "be good"))
	if resp.StatusCode != 200 || !strings.Contains(body, "word ") {
		t.Errorf("the next call: %d %s", resp.StatusCode, body)
	}
}

// TestHostileAdapterAlone has nobody else to fall over to.
func TestHostileAdapterAlone(t *testing.T) {
	r := withRogues(t, "stream", simulated, "\n")
	for _, where := range []string{"open", "frame 1"} {
		for _, stream := range []bool{true, false} {
			resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", stream, "[[rogue panic "+where+"]]"))
			if resp.StatusCode != 503 || gjson.Get(body, "error.code").String() != "all_routed_models_failed" {
				t.Fatalf("%s: got %d %s", where, resp.StatusCode, body)
			}
			row := r.one(`select outcome_status, attempts, (select sum(amount_micro_usd) from ledger_entries l where l.inference_id = o.inference_id)
				from routing_outcomes o where request_id = ?`, resp.Header.Get("request-id"))
			if row[0] != "failed_provider_error" || gjson.Get(row[1], "#").Int() != 1 || row[2] != "0" {
				t.Errorf("%s: row %v", where, row)
			}
		}
	}
	if !strings.Contains(r.logs.String(), "told to panic at frame 1 at ") || !strings.Contains(r.logs.String(), "main.go:") {
		t.Error("the log does not say where the guest panicked")
	}
	r.clean()
}

// A gated vendor speaks the OpenAI dialect and sends a piece for each word on its channel; closing it ends the answer.
type gated struct {
	url   string
	calls chan chan struct{} // a call's gate
}

func newGated(t *testing.T) *gated {
	g := &gated{calls: make(chan chan struct{}, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		send := func(s string) { fmt.Fprint(w, s); w.(http.Flusher).Flush() }
		gate := make(chan struct{})
		g.calls <- gate
		send(openaiPieces.head)
		for {
			select {
			case _, open := <-gate:
				if !open {
					send(openaiPieces.tail)
					return
				}
				send(fmt.Sprintf(openaiPieces.text, "piece"))
			case <-req.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

// A listener reads a streamed answer as it comes.
type listener struct {
	t     *testing.T
	resp  *http.Response
	gate  chan struct{}
	lines *bufio.Scanner
	text  strings.Builder
}

// listen begins a streamed call to the hostile module, up to its first word.
func (r *running) listen(t *testing.T, g *gated, model, order string) *listener {
	t.Helper()
	resp := r.post("/v1/messages", fmt.Sprintf(hello, model, true, order))
	if resp.StatusCode != 200 {
		t.Fatalf("status %d\n%s", resp.StatusCode, r.logs)
	}
	l := &listener{t: t, resp: resp, gate: <-g.calls, lines: bufio.NewScanner(resp.Body)}
	l.until("word ")
	return l
}

// until reads on to the line that holds s.
func (l *listener) until(s string) {
	l.t.Helper()
	for l.lines.Scan() {
		fmt.Fprintln(&l.text, l.lines.Text())
		if strings.Contains(l.lines.Text(), s) {
			return
		}
	}
	l.t.Fatalf("the stream ended without %q:\n%s", s, l.text.String())
}

// rest reads to the end and returns all events.
func (l *listener) rest() []event {
	l.t.Helper()
	for l.lines.Scan() {
		fmt.Fprintln(&l.text, l.lines.Text())
	}
	return eventsOf(l.t, l.text.String())
}

// TestHostileAdapterInMidStream fails a stream that the caller has had words of, while others are in flight on the same
// module: that one ends with an error event, the others as if nothing had been.
func TestHostileAdapterInMidStream(t *testing.T) {
	for _, isolation := range []string{"stream", "shared"} {
		vendor := newGated(t)
		r := withRogues(t, isolation, func(*running) string { return vendor.url }, catalogue)
		for _, what := range []string{"loop", "panic", "rubbish", "turns", "babble"} {
			t.Run(isolation+"/"+what, func(t *testing.T) {
				before := r.listen(t, vendor, "ainfera-inference", "be good")
				bad := r.listen(t, vendor, "ainfera-inference", "[[rogue "+what+" frame 3]]")
				beside := r.listen(t, vendor, "rogue-2", "be good")
				for _, l := range []*listener{before, beside, bad} {
					l.gate <- struct{}{}
				}
				before.until("word ")
				beside.until("word ")
				bad.until("word ")
				bad.gate <- struct{}{} // its third frame
				events := bad.rest()
				last := events[len(events)-1]
				if last.name != "error" || last.data["request_id"] != bad.resp.Header.Get("request-id") {
					t.Errorf("the end is %v", last)
				}
				id := bad.resp.Header.Get("x-ainfera-inference-id")
				r.stillIs(t, id, "failed_provider_error")
				for _, l := range []*listener{before, beside} {
					l.gate <- struct{}{}
					l.until("word ")
					close(l.gate)
					events := l.rest()
					if got := names(events); got != "message_start content_block_start content_block_delta content_block_stop message_delta message_stop" {
						t.Errorf("a stream beside it: %s\n%s", got, r.logs)
					}
					if n := strings.Count(l.text.String(), "word "); n != 6 { // head, two pieces, and the tail's three frames
						t.Errorf("a stream beside it came to %d words, want 6:\n%s", n, l.text.String())
					}
				}
			})
		}
		r.clean()
	}
}

// stillIs checks a dispatched call's status, and that it cost its caller nothing.
func (r *running) stillIs(t *testing.T, inference, status string) {
	t.Helper()
	row := r.one(`select o.outcome_status, i.status, i.cost_micro_usd, (select sum(amount_micro_usd) from ledger_entries l where l.inference_id = i.id)
		from inferences i join routing_outcomes o on o.inference_id = i.id where i.id = ?`, inference)
	if got, want := strings.Join(row, " "), status+" "+status+" 0 0"; got != want {
		t.Errorf("row %s, want %s", got, want)
	}
}
