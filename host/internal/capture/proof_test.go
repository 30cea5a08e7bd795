package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// A witness is a store with something to prove: two agents, three calls each that are under roots and one that is not yet.
type witness struct {
	*Books
	t     *testing.T
	a, b  *Agent
	calls []*Call // a's, oldest first
	other *Call   // one of b's
	clock *atomic.Int64
}

// eventsUnderRoots is a's events under the second root: agent.created, wallet.topped_up and five a call.
const eventsUnderRoots = 2 + 3*5

func tell(t *testing.T, config Config) *witness {
	t.Helper()
	f := &witness{t: t, clock: &atomic.Int64{}}
	config.RootInterval = time.Hour
	config.Now = func() time.Time { return time.Now().Add(time.Duration(f.clock.Load())) }
	f.Books = openBooks(t, config)
	f.a = mustAgent(t, f.Books, NewAgent{Name: "a", BalanceMicroUSD: 5000, WalletMode: schema.WalletPrepaid})
	f.b = mustAgent(t, f.Books, NewAgent{Name: "b", BalanceMicroUSD: 5000})
	f.call(schema.StatusSucceeded, 70)
	f.call(schema.StatusFailedProviderError, 0)
	f.root(rootSigned)
	f.call(schema.StatusCancelledClient, 20)
	f.root(rootSigned)
	f.call(schema.StatusSucceeded, 40)
	return f
}

// call makes one call of each agent.
func (f *witness) call(status string, cost int64) {
	f.t.Helper()
	c := mustBegin(f.t, f.Books, routed(f.a, 100))
	mustComplete(f.t, c, ended(status, cost))
	f.calls = append(f.calls, c)
	f.other = mustBegin(f.t, f.Books, pinned(f.b, 100))
	mustComplete(f.t, f.other, ended(status, cost))
}

// root lets an interval pass and makes a root.
func (f *witness) root(want rootMade) {
	f.t.Helper()
	f.clock.Add(int64(time.Hour))
	if got, err := f.makeRoot(context.Background()); err != nil || got != want {
		f.t.Fatalf("root: got %d, %v, want %d", got, err, want)
	}
}

func (f *witness) exec(query string, args ...any) {
	f.t.Helper()
	if r, err := f.db.ExecContext(context.Background(), query, args...); err != nil {
		f.t.Fatalf("%s: %v", query, err)
	} else if n, err := r.RowsAffected(); err != nil || n == 0 {
		f.t.Fatalf("%s: changed %d rows, %v: the test tampers with nothing", query, n, err)
	}
}

// live is what verifying the store finds.
func (f *witness) live(o proof.Options, scope ExportScope) []string {
	f.t.Helper()
	var out []string
	v := proof.NewVerifier(o, func(x proof.Finding) { out = append(out, x.String()) })
	if err := f.Verify(context.Background(), scope, v); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *witness) export(scope ExportScope) []byte {
	f.t.Helper()
	var b bytes.Buffer
	w := proof.NewWriter(&b)
	if err := f.Export(context.Background(), scope, w.Put); err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

// offline is what verifying an export finds.
func offline(t *testing.T, o proof.Options, export []byte) []string {
	t.Helper()
	var out []string
	v := proof.NewVerifier(o, func(x proof.Finding) { out = append(out, x.String()) })
	if err := proof.Read(bytes.NewReader(export), v.Line); err != nil {
		t.Fatal(err)
	}
	v.Finish()
	return out
}

// kept is the newest root as an outsider keeps it.
func (f *witness) kept() proof.Options {
	f.t.Helper()
	roots, _, err := f.Roots(context.Background(), -1, 1)
	if err != nil || len(roots) != 1 {
		f.t.Fatalf("got %v, %v, want a root", roots, err)
	}
	document, err := json.Marshal(roots[0])
	if err != nil {
		f.t.Fatal(err)
	}
	kept, err := proof.ReadKept(document)
	if err != nil {
		f.t.Fatal(err)
	}
	return proof.Options{Kept: kept}
}

func (f *witness) keys() proof.Keyring {
	f.t.Helper()
	ring, err := f.Keyring(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return ring
}

// rewrite changes a's third event and makes every hash after it anew, as one who has the whole store can.
func (f *witness) rewrite() {
	f.t.Helper()
	events, err := f.Events(context.Background(), f.a.ID, 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	previous := ""
	for _, e := range events {
		payload := string(e.Payload)
		if e.Seq == 3 {
			payload = strings.Replace(payload, `"stream":true`, `"stream":false`, 1)
		}
		hash := proof.EventHash(previous, []byte(payload))
		f.exec("UPDATE audit_events SET payload = ?, previous_hash = ?, event_hash = ? WHERE agent_id = ? AND seq = ?",
			payload, text(previous), hash, f.a.ID, e.Seq)
		previous = hash
	}
	f.exec("UPDATE audit_heads SET event_hash = ? WHERE agent_id = ?", previous, f.a.ID)
}

// truncate takes a's events behind seq away, and lets the head agree.
func (f *witness) truncate(seq int64) {
	f.t.Helper()
	f.exec("DELETE FROM audit_events WHERE agent_id = ? AND seq > ?", f.a.ID, seq)
	f.exec("UPDATE audit_heads SET seq = ?, event_hash = (SELECT event_hash FROM audit_events WHERE agent_id = ? AND seq = ?) WHERE agent_id = ?",
		seq, f.a.ID, seq, f.a.ID)
}

func (f *witness) forget(tables ...string) {
	for _, table := range tables {
		f.exec("DELETE FROM " + table)
	}
}

// Whatever is done to the audit records is found and named, in the store and in its export alike.
func TestAuditTampering(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(*witness)
		want   func(*witness) []string // each in one finding
		only   bool                    // and nothing else
	}{
		{"OK", func(*witness) {}, func(*witness) []string { return nil }, true},
		{"PayloadByte", func(f *witness) {
			f.exec("UPDATE audit_events SET payload = replace(payload, '\"stream\":true', '\"stream\":false') WHERE agent_id = ? AND seq = 3", f.a.ID)
		}, func(f *witness) []string { return []string{at(f.a, 3) + ": " + proof.RuleHash} }, true},
		{"PayloadNoJSON", func(f *witness) {
			f.exec("UPDATE audit_events SET payload = replace(payload, '{', '(') WHERE agent_id = ? AND seq = 4", f.a.ID)
		}, func(f *witness) []string { return []string{at(f.a, 4) + ": " + proof.RulePayload} }, true},
		{"HashByte", func(f *witness) {
			f.exec("UPDATE audit_events SET event_hash = ? WHERE agent_id = ? AND seq = 4", strings.Repeat("0", 64), f.a.ID)
		}, func(f *witness) []string {
			return []string{at(f.a, 4) + ": " + proof.RuleHash, at(f.a, 5) + ": " + proof.RulePrevious}
		}, true},
		{"ReceiptByte", func(f *witness) {
			f.exec("UPDATE receipts SET body = replace(body, '\"output_tokens\":20', '\"output_tokens\":21') WHERE id = ?", f.calls[0].ReceiptID())
		}, func(f *witness) []string {
			return []string{at(f.a, 7) + " receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleSignature}
		}, true},
		{"ReceiptNoJSON", func(f *witness) {
			f.exec("UPDATE receipts SET body = '' WHERE id = ?", f.calls[0].ReceiptID())
		}, func(f *witness) []string {
			return []string{at(f.a, 7) + ": " + proof.RuleUnsigned, "receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleNoReceipt}
		}, true},
		{"ReceiptRemoved", func(f *witness) {
			f.exec("DELETE FROM receipts WHERE id = ?", f.calls[0].ReceiptID())
		}, func(f *witness) []string {
			return []string{at(f.a, 7) + " receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleNoReceipt}
		}, true},
		{"RootByte", func(f *witness) {
			f.exec("UPDATE audit_roots SET root_hash = ? WHERE root_seq = 1", strings.Repeat("0", 64))
		}, func(*witness) []string {
			return []string{"root 1: " + proof.RuleSignature, "root 1: " + proof.RuleRootHash, "root 2: " + proof.RuleRootPrevious}
		}, true},
		{"RootRemoved", func(f *witness) { f.exec("DELETE FROM audit_roots WHERE root_seq = 1") }, func(*witness) []string {
			return []string{"root 2: " + proof.RuleRootGap}
		}, false},
		{"SignedHeadByte", func(f *witness) {
			f.exec("UPDATE audit_signed_heads SET seq = 11 WHERE agent_id = ? AND root_seq = 1", f.a.ID)
		}, func(f *witness) []string {
			return []string{"agent " + f.a.ID + " root 1: " + proof.RuleSignature, "root 1: " + proof.RuleRootHash}
		}, false},
		{"SignedHeadRemoved", func(f *witness) {
			f.exec("DELETE FROM audit_signed_heads WHERE agent_id = ? AND root_seq = 1", f.a.ID)
		}, func(*witness) []string { return []string{"root 1: " + proof.RuleRootHash} }, true},
		{"RowRemoved", func(f *witness) {
			f.exec("DELETE FROM audit_events WHERE agent_id = ? AND seq = 6", f.a.ID)
		}, func(f *witness) []string {
			return []string{at(f.a, 7) + ": " + proof.RuleGap + ": expected seq 6, found seq 7"}
		}, true},
		{"TailRemoved", func(f *witness) {
			f.exec("DELETE FROM audit_events WHERE agent_id = ? AND seq > 20", f.a.ID)
		}, func(f *witness) []string {
			return []string{at(f.a, 22) + ": " + proof.RuleTail + ": expected event 22, found a chain that ends at 20"}
		}, false},
		{"TailRemovedAndHeadMoved", func(f *witness) { f.truncate(15) }, func(f *witness) []string {
			return []string{at(f.a, eventsUnderRoots) + " root 2: " + proof.RuleSignedTail, "receipt " + f.calls[3].ReceiptID() + ": " + proof.RuleReceiptEvent}
		}, false},
		{"TailRemovedBehindTheRoots", func(f *witness) { f.truncate(eventsUnderRoots) }, func(f *witness) []string {
			return []string{"receipt " + f.calls[3].ReceiptID() + ": " + proof.RuleReceiptEvent}
		}, true},
		{"Rewritten", (*witness).rewrite, func(f *witness) []string {
			return []string{at(f.a, 12) + " root 1: " + proof.RuleSignedHead, at(f.a, eventsUnderRoots) + " root 2: " + proof.RuleSignedHead,
				at(f.a, 7) + " inference " + f.calls[0].ID() + " receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleReceiptEvent}
		}, false},
		{"ChainsSwapped", func(f *witness) {
			for _, table := range []string{"audit_events", "audit_heads"} {
				for _, move := range [][2]string{{f.a.ID, "x"}, {f.b.ID, f.a.ID}, {"x", f.b.ID}} {
					f.exec("UPDATE "+table+" SET agent_id = ? WHERE agent_id = ?", move[1], move[0])
				}
			}
		}, func(f *witness) []string {
			return []string{at(f.a, 12) + " root 1: " + proof.RuleSignedHead, at(f.b, 12) + " root 1: " + proof.RuleSignedHead,
				at(f.a, 7) + " receipt " + f.receiptAt(f.b, 7) + ": " + proof.RuleNoReceipt}
		}, false},
		{"ChainRemoved", func(f *witness) {
			for _, table := range []string{"audit_events", "audit_heads", "receipts"} {
				f.exec("DELETE FROM "+table+" WHERE agent_id = ?", f.b.ID)
			}
		}, func(f *witness) []string { return []string{"agent " + f.b.ID + ": " + proof.RuleNoChain} }, true},
		{"ChainRemovedFromTheRoots", func(f *witness) {
			for _, table := range []string{"audit_events", "audit_heads", "receipts", "audit_signed_heads"} {
				f.exec("DELETE FROM "+table+" WHERE agent_id = ?", f.b.ID)
			}
		}, func(*witness) []string {
			return []string{"root 1: " + proof.RuleRootHash, "and so the 1 roots after it"}
		}, true},
		{"KeyRemoved", func(f *witness) { f.forget("signing_keys") }, func(f *witness) []string {
			return []string{"root 1: " + proof.RuleUnknownKey, "receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleUnknownKey}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, config Config) {
				f := tell(t, config)
				want := tc.want(f)
				tc.tamper(f)
				got := f.live(proof.Options{}, ExportScope{})
				expect(t, got, want, tc.only)
				if off := offline(t, proof.Options{}, f.export(ExportScope{})); !slices.Equal(off, got) {
					t.Errorf("the export's findings are not the store's\ngot  %s\nwant %s", strings.Join(off, "\n     "), strings.Join(got, "\n     "))
				}
				r, err := f.Check(context.Background())
				if err != nil || r.OK() != (len(got) == 0) {
					t.Errorf("got check %+v, %v, want it to find what verify does", r, err)
				}
			})
		})
	}
}

func at(a *Agent, seq int64) string { return fmt.Sprintf("agent %s seq %d", a.ID, seq) }

// receiptAt is the receipt that an agent's event names.
func (f *witness) receiptAt(a *Agent, seq int64) string {
	f.t.Helper()
	events, err := f.Events(context.Background(), a.ID, seq-1, 1)
	var p struct {
		ReceiptID string `json:"receipt_id"`
	}
	if err != nil || len(events) != 1 || json.Unmarshal(events[0].Payload, &p) != nil || p.ReceiptID == "" {
		f.t.Fatalf("got %+v, %v, want a receipt.created", events, err)
	}
	return p.ReceiptID
}

// expect asserts that each of want is in a finding.
func expect(t *testing.T, got, want []string, only bool) {
	t.Helper()
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, w) }) {
			t.Errorf("nothing found of\n     %s\ngot  %s", w, strings.Join(got, "\n     "))
		}
	}
	if only {
		for _, g := range got {
			if !slices.ContainsFunc(want, func(w string) bool { return strings.Contains(g, w) }) {
				t.Errorf("found too: %s", g)
			}
		}
	}
}

// What a caller is told of its own chain, without signatures and roots.
func TestVerifyAgent(t *testing.T) {
	zero := strings.Repeat("0", 64)
	for _, tc := range []struct {
		name   string
		tamper func(*witness)
		want   ChainResult // Reason: the part that matters
		good   int64
	}{
		{"OK", func(*witness) {}, ChainResult{Valid: true}, 22},
		{"ErrGap", func(f *witness) { f.exec("DELETE FROM audit_events WHERE agent_id = ? AND seq = 6", f.a.ID) },
			ChainResult{BrokenAtSeq: 7, Reason: proof.RuleGap}, 5},
		{"ErrTail", func(f *witness) { f.exec("DELETE FROM audit_events WHERE agent_id = ? AND seq > 20", f.a.ID) },
			ChainResult{BrokenAtSeq: 21, Reason: proof.RuleTail}, 20},
		{"ErrHead", func(f *witness) { f.exec("UPDATE audit_heads SET event_hash = ? WHERE agent_id = ?", zero, f.a.ID) },
			ChainResult{BrokenAtSeq: 22, Reason: proof.RuleHead}, 21},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := tell(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
			tc.tamper(f)
			got, good, err := f.VerifyAgent(context.Background(), f.a.ID)
			if err != nil || good != tc.good || got.Valid != tc.want.Valid || got.BrokenAtSeq != tc.want.BrokenAtSeq || !strings.Contains(got.Reason, tc.want.Reason) {
				t.Errorf("got %+v, %d, %v, want %+v, %d", got, good, err, tc.want, tc.good)
			}
		})
	}
}

// Who has the whole store and the keys can make it all agree with itself, but not with what an outsider kept.
func TestKeptRoot(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(*witness)
		want   string // empty: nothing
	}{
		{"OK", func(*witness) {}, ""},
		{"StillThereAfterOthers", func(f *witness) { f.root(rootSigned) }, ""},
		{"ErrEverythingMadeAnew", func(f *witness) {
			f.rewrite()
			f.forget("receipts", "audit_roots", "audit_signed_heads")
			f.root(rootSigned)
			f.call(schema.StatusSucceeded, 1)
			f.root(rootSigned) // of the number that was kept
		}, proof.RuleKeptOther},
		{"ErrCutShort", func(f *witness) {
			f.truncate(12)
			f.forget("receipts", "audit_roots", "audit_signed_heads")
			f.root(rootSigned)
		}, proof.RuleKept},
		{"ErrNoRoots", func(f *witness) { f.forget("audit_roots", "audit_signed_heads") }, proof.RuleKept},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, config Config) {
				f := tell(t, config)
				kept := f.kept()
				hash := proof.Options{Kept: []proof.Kept{{Hash: kept.Kept[0].Hash}}}
				tc.tamper(f)
				for _, o := range []proof.Options{kept, hash} {
					found := strings.Join(offline(t, o, f.export(ExportScope{})), "\n")
					if tc.want == "" && found != "" || !strings.Contains(found, tc.want) && !strings.Contains(found, proof.RuleKept) {
						t.Errorf("got %q, want %q", found, tc.want)
					}
				}
			})
		})
	}
}

// One agent's export proves that agent's chain, under the newest root and under one that was kept.
func TestExportOfOneAgent(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		f := tell(t, config)
		old := f.kept()
		f.root(rootSigned)
		scope := ExportScope{AgentID: f.a.ID, Roots: []string{old.Kept[0].Hash}}
		export := f.export(scope)
		if strings.Contains(string(export), f.b.ID) {
			t.Error("another agent is in it")
		}
		expect(t, offline(t, old, export), nil, true)
		expect(t, offline(t, f.kept(), f.export(ExportScope{AgentID: f.a.ID})), nil, true)
		expect(t, offline(t, f.kept(), f.export(ExportScope{AgentID: f.a.ID, SinceSeq: eventsUnderRoots})), nil, true)
		expect(t, offline(t, old, f.export(ExportScope{AgentID: schema.OperatorChain})), []string{proof.RuleKeptNoProof}, true)
		expect(t, offline(t, old, f.export(ExportScope{AgentID: f.a.ID, SinceSeq: 20, Roots: scope.Roots})), []string{proof.RuleKeptNoProof}, true)
		f.exec("UPDATE audit_events SET event_hash = ? WHERE agent_id = ? AND seq = ?", strings.Repeat("0", 64), f.a.ID, eventsUnderRoots)
		expect(t, offline(t, old, f.export(scope)), []string{
			at(f.a, eventsUnderRoots) + ": " + proof.RuleHash, at(f.a, eventsUnderRoots) + " root 2: " + proof.RuleSignedHead}, false)
		if err := f.Export(context.Background(), ExportScope{AgentID: "nobody"}, func(*proof.Record) error { return nil }); err == nil {
			t.Error("an agent that is none was exported")
		}
	})
}

// A file that was changed on its way is found out, wherever it was.
func TestExportLines(t *testing.T) {
	f := tell(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	export := f.export(ExportScope{})
	lines := bytes.SplitAfter(bytes.TrimSuffix(export, []byte("\n")), []byte("\n"))
	for i := range lines {
		missing := bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil)
		if got := offline(t, proof.Options{}, missing); len(got) == 0 {
			t.Errorf("line %d is missing and nothing was found: %s", i+1, lines[i])
		}
		twice := bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil)
		if got := offline(t, proof.Options{}, twice); len(got) == 0 {
			t.Errorf("line %d is there twice and nothing was found: %s", i+1, lines[i])
		}
		cut := bytes.Join(slices.Concat(lines[:i], [][]byte{lines[i][:len(lines[i])/2]}), nil)
		if got := offline(t, proof.Options{}, cut); len(got) == 0 {
			t.Errorf("the export ends in line %d and nothing was found", i+1)
		}
	}
}

func TestKnownKeys(t *testing.T) {
	f := tell(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	export := f.export(ExportScope{})
	expect(t, offline(t, proof.Options{Keys: f.keys()}, export), nil, true)
	stranger := tell(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	expect(t, offline(t, proof.Options{Keys: stranger.keys()}, export), []string{"key " + f.Signer().KeyID() + ": " + proof.RuleStrange,
		proof.RuleUnknownKey}, true)
}

func TestLedgerTampering(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(*witness)
		want   func(*witness) []string
		only   bool
	}{
		{"OK", func(*witness) {}, func(*witness) []string { return nil }, true},
		{"SettlementRemoved", func(f *witness) {
			f.exec("DELETE FROM ledger_entries WHERE inference_id = ? AND kind = 'settle'", f.calls[0].ID())
		}, func(f *witness) []string {
			return []string{"agent " + f.a.ID + " inference " + f.calls[0].ID() + ": " + ruleSettlement + ": expected 1 settle or 1 refund, found 0 settle, 0 refund"}
		}, false},
		{"SettledTwice", func(f *witness) {
			f.exec("INSERT INTO ledger_entries (agent_id, id, inference_id, kind, amount_micro_usd, balance_after_micro_usd, created_at)"+
				" SELECT agent_id, ?, inference_id, kind, amount_micro_usd, balance_after_micro_usd + amount_micro_usd, created_at FROM ledger_entries"+
				" WHERE inference_id = ? AND kind = 'settle'", NewID(), f.calls[3].ID())
			f.exec("UPDATE wallets SET balance_micro_usd = balance_micro_usd + 60 WHERE agent_id = ?", f.a.ID)
		}, func(f *witness) []string {
			return []string{"inference " + f.calls[3].ID() + ": " + ruleSettlement + ": expected 1 settle or 1 refund, found 2 settle", ": " + ruleDay}
		}, true},
		{"Balance", func(f *witness) {
			f.exec("UPDATE wallets SET balance_micro_usd = balance_micro_usd + 1 WHERE agent_id = ?", f.a.ID)
		}, func(f *witness) []string {
			return []string{"agent " + f.a.ID + ": " + ruleSum + ": expected 0.004870, found 0.004871"}
		}, true},
		{"BalanceAfter", func(f *witness) {
			f.exec("UPDATE ledger_entries SET balance_after_micro_usd = balance_after_micro_usd + 1 WHERE inference_id = ? AND kind = 'hold'", f.calls[1].ID())
		}, func(f *witness) []string { return []string{"inference " + f.calls[1].ID() + " entry ", ruleRunning} }, true},
		{"Amount", func(f *witness) {
			f.exec("UPDATE ledger_entries SET amount_micro_usd = amount_micro_usd + 1 WHERE inference_id = ? AND kind = 'settle'", f.calls[0].ID())
		}, func(f *witness) []string {
			return []string{"inference " + f.calls[0].ID() + ": " + ruleRelease + ": expected 0.000030, found 0.000031", ruleSum, ruleDay}
		}, false},
		{"Hold", func(f *witness) {
			f.exec("UPDATE inferences SET hold_micro_usd = 99 WHERE id = ?", f.calls[0].ID())
		}, func(f *witness) []string { return []string{"inference " + f.calls[0].ID() + ": " + ruleHold} }, true},
		{"Cost", func(f *witness) {
			f.exec("UPDATE inferences SET cost_micro_usd = 71 WHERE id = ?", f.calls[0].ID())
		}, func(f *witness) []string {
			return []string{"inference " + f.calls[0].ID() + ": " + ruleRelease, "inference " + f.calls[0].ID() + ": " + ruleOutcome}
		}, true},
		{"Uncollected", func(f *witness) {
			f.exec("UPDATE inferences SET cost_micro_usd = 75, uncollected_micro_usd = 5 WHERE id = ?", f.other.ID())
		}, func(f *witness) []string { return []string{"inference " + f.other.ID() + ": "} }, false},
		{"OwedByAWalletThatHasIt", func(f *witness) {
			f.exec("UPDATE inferences SET cost_micro_usd = 45, uncollected_micro_usd = 5 WHERE id = ?", f.other.ID())
		}, func(f *witness) []string { return []string{"inference " + f.other.ID() + ": " + ruleOwed, ruleDay} }, true},
		{"FailedAndCharged", func(f *witness) {
			f.exec("UPDATE inferences SET cost_micro_usd = 5 WHERE id = ?", f.calls[1].ID())
		}, func(f *witness) []string { return []string{"inference " + f.calls[1].ID() + ": " + ruleCharged} }, false},
		{"Day", func(f *witness) {
			f.exec("UPDATE daily_spend SET spent_micro_usd = spent_micro_usd - 1 WHERE agent_id = ?", f.a.ID)
		}, func(f *witness) []string { return []string{"agent " + f.a.ID + " day ", ruleDay} }, true},
		{"DayRemoved", func(f *witness) { f.exec("DELETE FROM daily_spend WHERE agent_id = ?", f.b.ID) }, func(f *witness) []string {
			return []string{"agent " + f.b.ID + " day ", ruleDay}
		}, true},
		{"VendorCost", func(f *witness) {
			f.exec("UPDATE inferences SET vendor_cost_micro_usd = 4 WHERE id = ?", f.calls[1].ID())
		}, func(f *witness) []string {
			return []string{"inference " + f.calls[1].ID() + ": " + ruleVendor, "inference " + f.calls[1].ID() + ": " + ruleOutcome}
		}, true},
		{"EntryMoved", func(f *witness) {
			f.exec("UPDATE ledger_entries SET agent_id = ? WHERE inference_id = ? AND kind = 'settle'", f.b.ID, f.calls[0].ID())
		}, func(f *witness) []string { return []string{ruleEntryAgent + ": expected agent " + f.a.ID} }, false},
		{"InferenceRemoved", func(f *witness) {
			f.exec("DELETE FROM inferences WHERE id = ?", f.other.ID())
		}, func(f *witness) []string { return []string{"inference " + f.other.ID(), ruleEntryCall, ruleDay} }, true},
		{"OpenCallSettled", func(f *witness) {
			f.exec("UPDATE inferences SET status = 'pending' WHERE id = ?", f.other.ID())
		}, func(f *witness) []string { return []string{"inference " + f.other.ID() + ": " + ruleOpen} }, false},
		{"WalletRemoved", func(f *witness) { f.exec("DELETE FROM wallets WHERE agent_id = ?", f.b.ID) }, func(f *witness) []string {
			return []string{"agent " + f.b.ID + ": " + ruleNoWallet}
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, config Config) {
				f := tell(t, config)
				want := tc.want(f)
				tc.tamper(f)
				var got []string
				r, err := f.CheckLedger(context.Background(), func(x proof.Finding) { got = append(got, x.String()) })
				if err != nil || r.Findings != int64(len(got)) {
					t.Fatalf("got %+v, %v", r, err)
				}
				expect(t, got, want, tc.only)
				if tc.name == "OK" && (r.Wallets != 2 || r.Inferences != 8 || r.Entries != 18 || r.Days != 2 && r.Days != 4 || r.OpenCalls != 0) {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

// What failed and refunded tries cost is the operator's: it is in the report, and in nobody's wallet.
func TestVendorCostIsKeptApart(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		f := tell(t, config)
		r, err := f.CheckLedger(context.Background(), func(x proof.Finding) { t.Error(x.String()) })
		// Of each agent 70 + 20 + 40, and with each call a first try for 5 that failed.
		if err != nil || r.CostMicroUSD != 2*130 || r.VendorCostMicroUSD != 2*(130+4*5) || r.RefundedVendorCostMicroUSD != 2*5 {
			t.Errorf("got %+v, %v", r, err)
		}
		if got := balance(t, f.Books, f.a); got != 5000-130 {
			t.Errorf("got balance %d, want %d", got, 5000-130)
		}
	})
}

// The hosts of a fleet make one root an interval between them, and none while nothing moves.
func TestOneRootAnInterval(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		f := tell(t, config)
		hosts := []*Books{f.Books}
		if config.Dir != "" {
			config.Dir, config.Now, config.RootInterval = t.TempDir(), f.config.Now, f.config.RootInterval
			hosts = append(hosts, openBooks(t, config))
		}
		for round := range 4 {
			f.call(schema.StatusSucceeded, 1)
			f.clock.Add(int64(time.Hour))
			var group sync.WaitGroup
			var made atomic.Int64
			for i := range 8 {
				group.Go(func() {
					got, err := hosts[i%len(hosts)].makeRoot(context.Background())
					if err != nil {
						t.Error(err)
					}
					if got == rootSigned {
						made.Add(1)
					}
				})
			}
			group.Wait()
			if made.Load() != 1 {
				t.Errorf("round %d: got %d roots, want 1", round, made.Load())
			}
			f.call(schema.StatusSucceeded, 1)
			if got, err := f.makeRoot(context.Background()); err != nil || got != rootNotDue {
				t.Errorf("round %d: got %d, %v before the interval was over, want none", round, got, err)
			}
			f.root(rootSigned)
			f.root(rootUnchanged)
		}
		expect(t, f.live(proof.Options{}, ExportScope{}), nil, true)
	})
}

// A running host makes its roots by itself.
func TestRootsAreMade(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		config.RootInterval = 20 * time.Millisecond
		b := openBooks(t, config)
		mustAgent(t, b, NewAgent{Name: "a"})
		waitFor(func() bool {
			roots, _, err := b.Roots(context.Background(), 0, 10)
			return err != nil || len(roots) > 0
		})
		if _, more, err := b.Roots(context.Background(), 0, 10); err != nil || more {
			t.Errorf("got %v, %v", more, err)
		}
	})
}

func TestRootsArePaged(t *testing.T) {
	f := tell(t, Config{DSN: "sqlite://" + t.TempDir() + "/books.db"})
	f.root(rootSigned)
	for _, tc := range []struct {
		since int64
		limit int
		want  []int64
		more  bool
	}{{0, 2, []int64{1, 2}, true}, {1, 2, []int64{2, 3}, false}, {3, 2, nil, false}, {-1, 2, []int64{2, 3}, false}} {
		roots, more, err := f.Roots(context.Background(), tc.since, tc.limit)
		var got []int64
		for _, r := range roots {
			got = append(got, r.RootSeq)
		}
		if err != nil || more != tc.more || !slices.Equal(got, tc.want) {
			t.Errorf("since %d: got %v, %v, %v, want %v, %v", tc.since, got, more, err, tc.want, tc.more)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		if config.Dir == "" {
			config.Dir = t.TempDir()
		}
		f := tell(t, config)
		before := f.Signer().KeyID()
		command := config
		command.Command, command.Now = true, f.config.Now
		beside := openBooks(t, command)
		r, err := beside.RotateKey(ctx)
		if err != nil || r.Waiting || r.Replaces != before || r.KeyID == before || f.Signer().KeyID() != r.KeyID {
			t.Fatalf("got %+v, %v, the host signs with %s, want it to have taken the new key", r, err, f.Signer().KeyID())
		}
		f.call(schema.StatusSucceeded, 1)
		f.root(rootSigned)
		receipt, err := f.Receipt(ctx, f.calls[4].ReceiptID())
		if err != nil || !strings.Contains(string(receipt.Document), `"key_id":"`+r.KeyID+`"`) {
			t.Errorf("got %s, %v, want the new key's receipt", receipt.Document, err)
		}
		keys, err := f.Keys(ctx)
		if err != nil || len(keys) != 2 || keys[0].KeyID != before || keys[0].RetiredAt == nil || keys[1].Replaces != before || keys[1].RetiredAt != nil {
			t.Errorf("got %+v, %v", keys, err)
		}
		expect(t, f.live(proof.Options{}, ExportScope{}), nil, true)

		// Nobody runs: the command takes the key itself.
		if err := f.RevokeKey(ctx, r.KeyID); err == nil {
			t.Error("a key that signs was revoked")
		}
		crash(t, f.Books)
		third, err := beside.RotateKey(ctx)
		if err != nil || third.Waiting || beside.Signer().KeyID() != third.KeyID {
			t.Fatalf("got %+v, %v", third, err)
		}
		config.Now = f.config.Now
		f.Books = openBooks(t, config)
		if got := f.Signer().KeyID(); got != third.KeyID {
			t.Errorf("got key %s, want %s", got, third.KeyID)
		}
		expect(t, f.live(proof.Options{}, ExportScope{}), nil, true)

		// What was signed before the revocation stays good; what claims to be signed after is not.
		f.clock.Add(int64(time.Hour))
		if err := f.RevokeKey(ctx, before); err != nil {
			t.Fatal(err)
		}
		expect(t, f.live(proof.Options{}, ExportScope{}), nil, true)
		f.exec("UPDATE signing_keys SET revoked_at = created_at WHERE id = ?", before)
		expect(t, f.live(proof.Options{}, ExportScope{}), []string{"root 1: " + proof.RuleKeyTime,
			"receipt " + f.calls[0].ReceiptID() + ": " + proof.RuleKeyTime}, false)
		checkOperatorEvents(t, f.Books, "key.rotated key.rotated key.revoked")
	})
}

func checkOperatorEvents(t *testing.T, b *Books, want string) {
	t.Helper()
	events, err := b.Events(context.Background(), schema.OperatorChain, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.EventType)
		if canonical, err := proof.Canonical(e.Payload); err != nil || string(canonical) != string(e.Payload) {
			t.Errorf("%s is not canonical: %s", e.EventType, e.Payload)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// A wallet's entries keep their order where the next host's clock is behind.
func TestEntriesSortAsTheyWereBooked(t *testing.T) {
	last := ""
	for _, from := range []string{"", "ffffffff-ffff-7fff-bfff-fffffffffffe", "01a20896-1dd6-7fff-bfff-ffffffffffff", "ff000000-0000-7000-bfff-ffffffffffff"} {
		if from != "" {
			last = from
		}
		for range 2 {
			id := idAfter(last)
			if id <= last || len(id) != 36 || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) {
				if last != "ffffffff-ffff-7fff-bfff-ffffffffffff" {
					t.Errorf("got %s behind %s", id, last)
				}
			}
			last = id
		}
	}
	onEachStore(t, func(t *testing.T, config Config) {
		ahead := config
		ahead.Now = func() time.Time { return time.Now().Add(time.Hour) }
		b := openBooks(t, ahead)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		if _, err := b.db.ExecContext(context.Background(), "UPDATE ledger_entries SET id = ?", "fff00000-0000-7000-8000-000000000000"); err != nil {
			t.Fatal(err)
		}
		crash(t, b)
		b = openBooks(t, config)
		mustComplete(t, mustBegin(t, b, routed(a, 10)), ended(schema.StatusSucceeded, 4))
		checkBooks(t, b)
	})
}
