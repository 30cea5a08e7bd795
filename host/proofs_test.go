package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/proof"
)

// get reads a public path without a key, as an outsider does.
func (r *running) get(path string, into any) []byte {
	r.t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d, %v: %s", path, resp.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		r.t.Fatalf("%s: %v: %s", path, err, body)
	}
	return body
}

// save keeps what an outsider was given.
func (r *running) save(name string, data []byte) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// rootAfter waits for a root behind seq that has two chains, the operators' and the agent's, and returns it with the published
// document of its list. A host may make one before it makes its agents.
func (r *running) rootAfter(seq int64) (proof.Root, []byte) {
	r.t.Helper()
	for {
		var list proof.RootList
		document := r.get("/.well-known/ainfera-audit-roots.json?limit=1", &list)
		if n := len(list.Roots); n == 1 && list.Roots[0].RootSeq > seq && list.Roots[0].TreeSize >= 2 {
			return list.Roots[0], document
		}
		if r.t.Context().Err() != nil {
			r.t.Fatal("no root was made")
		}
		time.Sleep(5 * time.Millisecond) // polling: the host makes it in its own time
	}
}

const quickRoots = "audit { root_interval = \"40ms\" }\n"

// An outsider keeps a root, the keys and a receipt of a running server, and holds later exports against them.
func TestProofsOfARunningServer(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			dir := t.TempDir()
			dsn := "sqlite://" + filepath.Join(dir, "ainfera.db")
			if store == "postgres" {
				dsn = pgtest.DSN(t)
			}
			r := startOn(t, dir, dsn, quickRoots, catalogue)
			resp, _ := r.message(`{"model":"ainfera-inference","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`)
			receipt := resp.Header.Get("X-Ainfera-Receipt-Id")
			kept, document := r.rootAfter(0)
			var keys proof.KeyList
			keyFile := r.save("keys.json", r.get("/.well-known/ainfera-public-key.json", &keys))
			if len(keys.Keys) != 1 || keys.Keys[0].RetiredAt != nil {
				t.Fatalf("got keys %+v, want one that signs", keys)
			}
			rootFile := r.save("root.json", document)

			// Rotated under load: what the old key signed is verified by it, what comes next by the new one.
			status, out := r.command("key", "rotate")
			if status != exitOK || !strings.Contains(out, keys.Keys[0].KeyID+" is retired") {
				t.Fatalf("rotate: %d, %s", status, out)
			}
			r.message(`{"model":"o-tools","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`)
			r.rootAfter(kept.RootSeq)
			newKeys := r.save("keys2.json", r.get("/.well-known/ainfera-public-key.json", &keys))
			if len(keys.Keys) != 2 {
				t.Fatalf("got keys %+v, want two", keys)
			}

			r.passes("audit", "verify", "--all")
			r.passes("audit", "verify", "local", "--root", kept.RootHash)
			r.passes("ledger", "check")
			r.clean()
			export := r.save("all.jsonl", []byte(r.passes("audit", "export", "--all")))
			r.passes("audit", "verify", "--file", export, "--root", rootFile, "--keys", newKeys)
			one := r.save("one.jsonl", []byte(r.passes("audit", "export", "local", "--root", rootFile)))
			r.passes("audit", "verify", "--file", one, "--root", rootFile)
			if status, out := r.command("audit", "verify", "--file", export, "--keys", keyFile); status != exitViolation || !strings.Contains(out, proof.RuleStrange) {
				t.Errorf("a key that is not known: %d, %s", status, out)
			}

			r.provesItself(resp.Header.Get("X-Ainfera-Agent-Id"), kept)

			receiptFile := r.save("receipt.json", []byte(r.passes("receipt", "show", receipt)))
			r.passes("receipt", "verify", receiptFile)
			r.passes("receipt", "verify", receiptFile, "--keys", keyFile)
			r.refusesChangedReceipt(receiptFile, keyFile)
			if status := r.stop(); status != exitOK {
				t.Errorf("stopped with status %d", status)
			}
		})
	}
}

// provesItself asks as the agent for its own chain's proof under a root.
func (r *running) provesItself(agent string, root proof.Root) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", fmt.Sprintf("%s/v1/audit/%s/proof?root=%d", r.url, agent, root.RootSeq), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var i proof.Inclusion
	if err := json.NewDecoder(resp.Body).Decode(&i); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("got %d, %v", resp.StatusCode, err)
	}
	if err := i.Verify(); err != nil || i.RootHash != root.RootHash || i.AgentID != agent {
		r.t.Errorf("got %+v, %v, want a proof under %s", i, err, root.RootHash)
	}
}

// passes runs a command that must find nothing, and returns what it printed.
func (r *running) passes(args ...string) string {
	r.t.Helper()
	status, out := r.command(args...)
	if status != exitOK {
		r.t.Fatalf("%s: status %d: %s", strings.Join(args, " "), status, out)
	}
	return out
}

func (r *running) refusesChangedReceipt(receiptFile, keyFile string) {
	r.t.Helper()
	document, err := os.ReadFile(receiptFile)
	if err != nil {
		r.t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		r.t.Fatal(err)
	}
	for _, name := range []string{"request_hash", "response_hash", "model", "policy_module", "adapter_module", "usage", "cost_usd", "audit_seq", "audit_hash", "key_id", "signature", "signed_at"} {
		was, ok := fields[name]
		if !ok {
			r.t.Errorf("the receipt does not say %s: %s", name, document)
		}
		for _, change := range []any{nil, "1"} {
			if fields[name] = change; change == nil {
				delete(fields, name)
			}
			changed, err := json.Marshal(fields)
			if err != nil {
				r.t.Fatal(err)
			}
			status, out := r.command("receipt", "verify", r.save("changed.json", changed), "--keys", keyFile)
			if status != exitViolation || !strings.Contains(out, "FOUND") {
				r.t.Errorf("%s is %v: status %d: %s", name, change, status, out)
			}
		}
		fields[name] = was
	}
}

// writable is the SQLite store, to be tampered with.
func (r *running) writable() *sql.DB {
	r.t.Helper()
	db, err := sql.Open(sqliteshim.ShimName, "file:"+strings.TrimPrefix(r.dsn, "sqlite://"))
	if err != nil {
		r.t.Fatal(err)
	}
	return db
}

// What is tampered with in the store of a server that is down is named by the commands.
func TestTamperedStoreIsNamed(t *testing.T) {
	r := start(t, quickRoots, catalogue)
	resp, _ := r.message(`{"model":"ainfera-inference","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`)
	inference := resp.Header.Get("X-Ainfera-Inference-Id")
	agent := resp.Header.Get("X-Ainfera-Agent-Id")
	kept, _ := r.rootAfter(0)
	r.stop()
	r.passes("audit", "verify", "--all", "--root", kept.RootHash)
	for _, tc := range []struct {
		query string
		args  []string
		want  string
	}{
		{"UPDATE wallets SET balance_micro_usd = balance_micro_usd + 1", []string{"ledger", "check"}, "FOUND agent " + agent + ": a wallet's entries do not come to its balance"},
		{"DELETE FROM ledger_entries WHERE kind = 'settle'", []string{"ledger", "check"}, "inference " + inference + ": an ended call does not have exactly one settlement"},
		{"UPDATE audit_events SET payload = replace(payload, 'local', 'locol') WHERE seq = 1", []string{"audit", "verify", "local"}, "FOUND agent " + agent + " seq 1: " + proof.RuleHash},
		{"DELETE FROM audit_roots", []string{"audit", "verify", "--all", "--root", kept.RootHash}, proof.RuleKept},
	} {
		db := r.writable()
		if _, err := db.Exec(tc.query); err != nil {
			t.Fatal(err)
		}
		db.Close()
		if status, out := r.command(tc.args...); status != exitViolation || !strings.Contains(out, tc.want) {
			t.Errorf("%s: status %d: %s\nwant %s", tc.query, status, out, tc.want)
		}
		if status, _ := r.command("capture", "check"); status != exitViolation {
			t.Errorf("%s: capture check has status %d", tc.query, status)
		}
	}
}
