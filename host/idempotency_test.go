package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// TestEveryWayOutRepeated makes every call again with one Idempotency-Key: an answer and a refusal are told again, byte by
// byte and without a row; after a failure, or an answer cut short, the next is a call of its own.
func TestEveryWayOutRepeated(t *testing.T) {
	for _, lane := range []string{"o", "a"} {
		t.Run(lane, func(t *testing.T) {
			r := start(t, fmt.Sprintf(laneOf, lane, guest(t, "./host/testdata/guests/dictator")))
			if status, out := r.command("agent", "suspend", "idle"); status != exitOK {
				t.Fatal(out)
			}
			for _, w := range ways {
				for i := range 4 {
					stream, pinned := i%2 == 0, i/2 == 0
					if want := [2]end{w.routed, w.pinned}[1-i/2]; want.status == 0 || w.only != "" && w.only != lane {
						continue
					}
					t.Run(fmt.Sprintf("%s/stream=%v/pinned=%v", w.name, stream, pinned), func(t *testing.T) {
						w.repeated(t, r, stream, pinned)
					})
				}
			}
			r.clean()
		})
	}
}

// repeated makes one call three times.
func (w *way) repeated(t *testing.T, r *running, stream, pinned bool) {
	const rows = `select (select count(*) from routing_outcomes), (select count(*) from audit_events), (select count(*) from ledger_entries)`
	header := append([]string{"x-ainfera-budget-usd", "0.01", "authorization", "Bearer " + r.keys[w.who()], "idempotency-key", t.Name()}, w.header...)
	first, text := r.message(w.body(stream, pinned), header...)
	second, again := r.message(w.body(stream, pinned), header...) // behind it the first is written down
	calls, before := len(r.sim.Calls()), fmt.Sprint(r.one(rows))
	_, third := r.message(w.body(stream, pinned), header...)
	after := fmt.Sprint(r.one(rows))
	cut := stream && first.StatusCode == 200 && strings.Contains(text, "event: error")
	if first.StatusCode < 500 && !cut {
		if second.StatusCode != first.StatusCode || again != text || third != text || second.Header.Get("x-ainfera-replayed") != "true" {
			t.Errorf("got %d, replayed %q\n%s\nwant %d\n%s", second.StatusCode, second.Header.Get("x-ainfera-replayed"), again, first.StatusCode, text)
		}
		for _, name := range []string{"request-id", "x-ainfera-inference-id", "x-ainfera-receipt-id", "x-ainfera-model", "content-type", "x-should-retry"} {
			if got, want := second.Header.Get(name), first.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if len(r.sim.Calls()) != calls || after != before {
			t.Errorf("the repeat dispatched %d times, rows %s, want %s", len(r.sim.Calls())-calls, after, before)
		}
		return
	}
	if second.Header.Get("x-ainfera-replayed") != "" || again == text || third == again || after == before {
		t.Errorf("a failure was told again: %d %s", second.StatusCode, again)
	}
}

// TestOneKeyOnTwoHosts has a call repeated at another host of the fleet, while it runs and after.
func TestOneKeyOnTwoHosts(t *testing.T) {
	dir, dsn := postgresStore(t)
	a, b := startOn(t, dir, dsn), startOn(t, t.TempDir(), dsn)
	b.key = a.key
	for _, model := range []string{"ainfera-inference", "a-tools"} {
		for _, stream := range []bool{true, false} {
			body, key := fmt.Sprintf(hello, model, stream, "twice"), fmt.Sprint(model, stream)
			dispatched, release := make(chan struct{}), make(chan struct{})
			a.sim.Script(func(simulator.Request) *simulator.Fault { close(dispatched); <-release; return nil })
			answers := make(chan [3]string, 2)
			ask := func(r *running) {
				resp := r.post("/v1/messages", body, "idempotency-key", key)
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Error(err)
				}
				answers <- [3]string{resp.Status, resp.Header.Get("x-ainfera-inference-id"), string(text)}
			}
			go ask(a)
			<-dispatched
			go ask(b)
			if resp, text := b.message(strings.Replace(body, "twice", "thrice", 1), "idempotency-key", key); resp.StatusCode != 409 || !strings.Contains(text, "idempotency_conflict") {
				t.Errorf("another body at the other host: %d %s", resp.StatusCode, text)
			}
			close(release)
			first, second := <-answers, <-answers
			if first != second || first[0] != "200 OK" || first[1] == "" {
				t.Errorf("got %q and %q", first, second)
			}
			if resp, text := b.message(body, "idempotency-key", key); resp.Header.Get("x-ainfera-replayed") != "true" || text != first[2] {
				t.Errorf("afterwards: %v %s", resp.Header, text)
			}
			if n := len(b.sim.Calls()); n != 0 {
				t.Errorf("the other host dispatched %d times", n)
			}
		}
	}
	if n := len(a.sim.Calls()); n != 4 {
		t.Errorf("got %d dispatches for 4 keys", n)
	}
	a.clean()
}

// TestOneKeyAtEachEndpoint: the endpoint is part of a key's scope, and each honours it.
func TestOneKeyAtEachEndpoint(t *testing.T) {
	r := start(t)
	body := fmt.Sprintf(hello, "ainfera-inference", false, "there")
	for _, path := range []string{"/v1/messages", "/v1/chat/completions", "/v1/inference"} {
		var texts [2]string
		for i, replayed := range []string{"", "true"} {
			resp := r.post(path, body, "idempotency-key", "one")
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-replayed") != replayed {
				t.Errorf("%s: got %d %v %s, want replayed %q", path, resp.StatusCode, resp.Header, text, replayed)
			}
			texts[i] = string(text)
		}
		if texts[0] != texts[1] {
			t.Errorf("%s: got\n%s\nfirst\n%s", path, texts[1], texts[0])
		}
	}
	if n := len(r.sim.Calls()); n != 3 {
		t.Errorf("got %d dispatches, want one an endpoint", n)
	}
	r.clean()
}
