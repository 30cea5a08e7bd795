package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/merkle"
)

// A forge signs what tests need.
type forge struct {
	key ed25519.PrivateKey
	pub Key
}

func newForge(seed byte) *forge {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public := key.Public().(ed25519.PublicKey)
	return &forge{key, Key{KeyID: KeyID(public), Algorithm: KeyAlgorithm, PublicKey: base64.StdEncoding.EncodeToString(public), CreatedAt: "2026-01-01T00:00:00Z"}}
}

func (f *forge) ring() Keyring {
	ring := Keyring{}
	if err := ring.Add(&f.pub); err != nil {
		panic(err)
	}
	return ring
}

// sign adds key_id and signature to a document.
func (f *forge) sign(fields map[string]any) []byte {
	fields["key_id"] = f.pub.KeyID
	delete(fields, "signature")
	fields["signature"] = base64.StdEncoding.EncodeToString(ed25519.Sign(f.key, mustCanonical(fields)))
	return mustCanonical(fields)
}

func (f *forge) receipt(seq int64, hash string) []byte {
	return f.sign(map[string]any{"agent_id": "a", "audit_hash": hash, "audit_seq": seq, "cost_usd": "0.000001", "inference_id": "i",
		"model": "m", "receipt_id": "r", "signed_at": "2026-01-01T00:00:01Z", "status": "succeeded", "usage": map[string]any{"input_tokens": 1}})
}

// sample is an export that holds, of one chain, with one root.
func (f *forge) sample() []byte {
	var b bytes.Buffer
	w := NewWriter(&b)
	put := func(r *Record) {
		if err := w.Put(r); err != nil {
			panic(err)
		}
	}
	payload := []byte(`{"cost_usd":"0.000001","inference_id":"i","receipt_id":"r"}`)
	hash := EventHash("", payload)
	leaf := Leaf{AgentID: "a", EventHash: hash, Seq: 1}
	put(&Record{Export: &Header{Format: ExportFormat, ExportedAt: "2026-01-01T00:00:02Z"}})
	put(&Record{Key: &f.pub})
	put(&Record{Leaf: &RootLeaf{1, leaf}})
	put(&Record{Root: f.sign(map[string]any{"previous_hash": nil, "root_hash": merkle.New([]merkle.Hash{leaf.Hash()}).Root().String(),
		"root_seq": 1, "signed_at": "2026-01-01T00:00:01Z", "tree_size": 1, "type": TypeRoot})})
	put(&Record{Chain: &ChainHead{"a", 1, hash}})
	put(&Record{Event: &Event{AgentID: "a", Seq: 1, EventType: eventReceipt, Payload: payload, EventHash: hash}})
	put(&Record{Receipt: f.receipt(1, hash)})
	put(&Record{Head: f.sign(map[string]any{"agent_id": "a", "event_hash": hash, "root_seq": 1, "seq": 1, "signed_at": "2026-01-01T00:00:01Z", "type": TypeHead})})
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func judge(t *testing.T, export []byte) (found []Finding, counts Counts) {
	t.Helper()
	v := NewVerifier(Options{}, func(f Finding) { found = append(found, f) })
	if err := Read(bytes.NewReader(export), v.Line); err != nil {
		found = append(found, Finding{Rule: err.Error()})
	}
	v.Finish()
	return found, v.Counts()
}

func TestSampleHolds(t *testing.T) {
	if found, counts := judge(t, newForge(1).sample()); len(found) > 0 || counts != (Counts{Keys: 1, Roots: 1, Chains: 1, Events: 1, Receipts: 1, Heads: 1}) {
		t.Errorf("got %v, %+v, want nothing found", found, counts)
	}
}

// Whatever an export is, the verifier takes it; and none holds in which a record that counts was changed.
func FuzzExport(f *testing.F) {
	sample := newForge(1).sample()
	f.Add(sample)
	f.Add([]byte(`{"export":{"format":"ainfera-audit-export/1"}}` + "\n" + `{"proof":{"path":["x"],"tree_size":-1}}` + "\n" + `{"root":null}`))
	f.Add([]byte(`{"chain":{}}` + "\n" + `{"event":{"seq":9223372036854775807,"payload":null}}` + "\n" + `{"head":{}}` + "\n" + `{"stray":1}`))
	f.Add(bytes.Replace(sample, []byte(`"a"`), []byte(`"b"`), 1))
	signed := map[string]bool{}
	for line := range bytes.Lines(sample) {
		signed[essence(line)] = true
	}
	f.Fuzz(func(t *testing.T, export []byte) {
		found, _ := judge(t, export)
		if len(found) > 0 {
			return
		}
		for line := range bytes.Lines(export) {
			for _, kind := range []string{`"root"`, `"receipt"`, `"head"`} {
				if strings.HasPrefix(string(line), "{"+kind) && !signed[essence(line)] {
					t.Fatalf("a document that was never signed holds: %s", line)
				}
			}
		}
	})
}

// essence is a line however it is written.
func essence(line []byte) string {
	c, err := Canonical(line)
	if err != nil {
		return string(line)
	}
	return string(c)
}

// Whatever a receipt's file holds, it is judged; and what holds is what was signed.
func FuzzReceipt(f *testing.F) {
	forge := newForge(1)
	receipt := forge.receipt(1, strings.Repeat("a", 64))
	f.Add(receipt)
	f.Add([]byte(`{"status":"pending"}`))
	f.Add([]byte(`[]`))
	f.Add(bytes.Replace(receipt, []byte(`"m"`), []byte(`"n"`), 1))
	ring := forge.ring()
	f.Fuzz(func(t *testing.T, document []byte) {
		r := VerifyReceipt(document, ring)
		if r.Valid != (len(r.Findings) == 0) {
			t.Fatalf("got valid %v with %v", r.Valid, r.Findings)
		}
		if r.Valid && essence(document) != string(receipt) {
			t.Fatalf("what was never signed holds: %s", document)
		}
	})
}

func TestKeyring(t *testing.T) {
	at := func(s string) *string { return &s }
	other := newForge(2)
	for _, tc := range []struct {
		name   string
		change func(*Key)
		want   string
	}{
		{"OK", func(*Key) {}, ""},
		{"RetiredLater", func(k *Key) { k.RetiredAt = at("2026-01-01T00:00:01Z") }, ""},
		{"RetiredAMomentBefore", func(k *Key) { k.RetiredAt = at("2026-01-01T00:00:00Z") }, ""},
		{"ErrRetiredLongBefore", func(k *Key) { k.RetiredAt = at("2025-12-31T00:00:00Z") }, RuleKeyTime},
		{"RevokedLater", func(k *Key) { k.RevokedAt = at("2026-01-01T00:00:02Z") }, ""},
		{"ErrRevokedAMomentBefore", func(k *Key) { k.RevokedAt = at("2026-01-01T00:00:01Z") }, RuleKeyTime},
		{"ErrOtherKey", func(k *Key) { *k = other.pub }, RuleUnknownKey},
	} {
		t.Run(tc.name, func(t *testing.T) {
			forge := newForge(1)
			tc.change(&forge.pub)
			got := VerifyReceipt(newForge(1).receipt(1, strings.Repeat("a", 64)), forge.ring())
			if tc.want == "" && !got.Valid || tc.want != "" && (len(got.Findings) != 1 || got.Findings[0].Rule != tc.want) {
				t.Errorf("got %+v, want %q", got, tc.want)
			}
		})
	}
	for name, change := range map[string]func(*Key){
		"ErrIDOfAnother": func(k *Key) { k.KeyID = other.pub.KeyID },
		"ErrNoKey":       func(k *Key) { k.PublicKey = "AAAA" },
		"ErrAlgorithm":   func(k *Key) { k.Algorithm = "none" },
		"ErrTime":        func(k *Key) { k.RevokedAt = at("soon") },
	} {
		t.Run(name, func(t *testing.T) {
			k := newForge(1).pub
			change(&k)
			document, err := json.Marshal(KeyList{[]Key{k}})
			if err != nil {
				t.Fatal(err)
			}
			if ring, err := ReadKeys(document); err == nil {
				t.Errorf("got %v, want an error", ring)
			}
		})
	}
}

// An export that was made to forget a key's end is held to the end that the outsider knows.
func TestKnownEndOfAKey(t *testing.T) {
	forge := newForge(1)
	export := forge.sample()
	revoked := "2025-01-01T00:00:00Z"
	forge.pub.RevokedAt = &revoked
	var found []string
	v := NewVerifier(Options{Keys: forge.ring()}, func(f Finding) { found = append(found, f.Rule) })
	if err := Read(bytes.NewReader(export), v.Line); err != nil {
		t.Fatal(err)
	}
	v.Finish()
	if len(found) != 3 || found[0] != RuleKeyTime {
		t.Errorf("got %v, want the root, the receipt and the head refused", found)
	}
}

func TestReadKept(t *testing.T) {
	root := `{"root_hash":"` + strings.Repeat("a", 64) + `","root_seq":3}`
	for in, want := range map[string]int{root: 1, `{"roots":[` + root + "," + root + `]}`: 2, "": 0, "[]": 0, `{"roots":[]}`: 0, `{"root_hash":"x","root_seq":3}`: 0} {
		kept, err := ReadKept([]byte(in))
		if len(kept) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %d, %v, want %d", in, len(kept), err, want)
		}
	}
}
