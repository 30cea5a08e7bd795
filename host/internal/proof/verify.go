package proof

import (
	"encoding/json"
	"fmt"
	"slices"
)

// What may be wrong with an export as a whole.
const (
	RuleLine      = "the export has a line that can't be read"
	RuleFormat    = "the export is not of a format that this verifier reads"
	RuleCut       = "the export is cut short"
	RuleKey       = "the export has a key that is none"
	RuleStrange   = "the export has a key that the known keys do not have"
	RuleMisplaced = "a record is not in its chain"
)

// What may be wrong with a chain as against what was signed of it.
const (
	RuleTail         = "the chain is cut short of its head"
	RuleHead         = "the chain's head is not its last event"
	RuleSignedTail   = "the chain is cut short of a signed head"
	RuleSignedHead   = "the chain was rewritten: a signed head has another event"
	RuleHeads        = "the chain's signed heads are not the leaves of the roots"
	RuleNoChain      = "a chain that the roots have is not there"
	RuleNoReceipt    = "the receipt of a receipt.created event is not there"
	RuleReceiptEvent = "a receipt names an event that is not its own"
)

// Options are what an outsider brings along.
type Options struct {
	// Keys are keys that the outsider knows. With them an export's own are only believed where they are among these.
	Keys Keyring
	// Kept are roots that the outsider kept.
	Kept []Kept
}

// A Verifier judges an export, record by record. What it keeps grows with the agents and the roots, not with the events.
// Not safe for concurrent use.
type Verifier struct {
	options Options
	found   func(Finding)
	header  *Header
	keys    Keyring
	roots   rootVerifier
	chain   *chainVerifier
	counts  Counts
	ended   *Counts
	line    int
}

// NewVerifier makes a verifier that reports what it finds as it finds it.
func NewVerifier(o Options, found func(Finding)) *Verifier {
	o.Kept = slices.Clone(o.Kept) // what becomes of each is noted in it
	v := &Verifier{options: o, found: found, keys: Keyring{}}
	v.roots = newRootVerifier(v)
	return v
}

// Counts is what was verified so far.
func (v *Verifier) Counts() Counts { return v.counts }

// Latest is the newest root that was seen, nil when there was none.
func (v *Verifier) Latest() *Root { return v.roots.latest }

// Line is Put for the lines of a file, as Read hands them over. A line that can't be read is a finding.
func (v *Verifier) Line(n int, r *Record, err error) error {
	v.line = n
	if err != nil {
		v.found(Finding{Rule: RuleLine, Line: n, Expected: "a record", Found: err.Error()})
		return nil
	}
	return v.Put(r)
}

// Put judges the next record. It returns no error of its own: what is wrong is found.
func (v *Verifier) Put(r *Record) error {
	if v.header == nil && r.Export == nil {
		v.header = &Header{}
		v.found(Finding{Rule: RuleFormat, Line: v.line, Expected: ExportFormat + " in the first line", Found: "none"})
	}
	if v.ended != nil {
		v.found(Finding{Rule: RuleMisplaced, Line: v.line, Expected: "nothing behind the end", Found: "a record"})
	}
	v.counts.add(r)
	switch {
	case r.Export != nil:
		v.begin(r.Export)
	case r.Key != nil:
		v.key(r.Key)
	case r.Leaf != nil:
		v.roots.leaf(r.Leaf)
	case r.Root != nil:
		v.roots.root(r.Root)
	case r.Chain != nil:
		v.endChain()
		v.chain = newChainVerifier(v, r.Chain)
	case r.Stray != nil:
		v.endChain()
		newChainVerifier(v, &ChainHead{}).receipt(r.Stray)
	case r.End != nil:
		v.ended = r.End
	default:
		v.inChain(r)
	}
	return nil
}

func (v *Verifier) begin(h *Header) {
	if h.Format != ExportFormat || v.header != nil {
		v.found(Finding{Rule: RuleFormat, Line: v.line, Expected: ExportFormat + ", once", Found: fmt.Sprintf("%.40q", h.Format)})
	}
	v.header = h
}

func (v *Verifier) key(k *Key) {
	if v.options.Keys != nil {
		known, ok := v.options.Keys[k.KeyID]
		if !ok {
			v.found(Finding{Rule: RuleStrange, KeyID: k.KeyID, Expected: "one of the keys that were given", Found: k.KeyID})
			return
		}
		// The outsider's copy may be older than the key's end, and the export's may have been made to forget it.
		if err := v.keys.Add(k); err == nil {
			v.keys[k.KeyID] = known.earliest(v.keys[k.KeyID])
			return
		}
	}
	if err := v.keys.Add(k); err != nil {
		v.found(Finding{Rule: RuleKey, KeyID: k.KeyID, Expected: "a key", Found: err.Error()})
	}
}

// earliest is the key with the ends that either knows, the earlier one where both do.
func (k ringKey) earliest(other ringKey) ringKey {
	if k.retired.IsZero() || !other.retired.IsZero() && other.retired.Before(k.retired) {
		k.retired = other.retired
	}
	if k.revoked.IsZero() || !other.revoked.IsZero() && other.revoked.Before(k.revoked) {
		k.revoked = other.revoked
	}
	return k
}

func (v *Verifier) inChain(r *Record) {
	c := v.chain
	if c == nil {
		c = newChainVerifier(v, &ChainHead{}) // for what it finds; nothing is expected of it
	}
	switch {
	case r.Event != nil:
		c.event(r.Event)
	case r.Receipt != nil:
		c.receipt(r.Receipt)
	case r.Head != nil:
		c.signedHead(r.Head)
	case r.Proof != nil:
		c.proof(r.Proof)
	}
}

func (v *Verifier) endChain() {
	if v.chain != nil {
		v.chain.end()
	}
	v.chain = nil
}

// End stands for the end record where the records come straight from a store, and none can have been lost on the way.
func (v *Verifier) End() {
	counts := v.counts
	v.ended = &counts
}

// Finish judges what only the whole can show. It must be called once, after the last record.
func (v *Verifier) Finish() {
	v.endChain()
	v.roots.finish()
	switch {
	case v.header == nil:
		v.found(Finding{Rule: RuleFormat, Line: v.line, Expected: ExportFormat, Found: "nothing"})
	case v.ended == nil:
		v.found(Finding{Rule: RuleCut, Line: v.line, Expected: "an end", Found: "none"})
	case *v.ended != v.counts:
		v.found(Finding{Rule: RuleCut, Line: v.line, Expected: fmt.Sprintf("%+v", *v.ended), Found: fmt.Sprintf("%+v", v.counts)})
	}
}

// signed judges a document's signature and reads it. It reports whether the document can be read.
func (v *Verifier) signed(document json.RawMessage, into any, where Finding) bool {
	if b := v.keys.Verify(document); b != nil {
		where.Rule, where.Expected, where.Found = b.Rule, b.Expected, b.Found
		v.found(where)
		if b.Rule == RuleUnsigned {
			return false
		}
	}
	if err := json.Unmarshal(document, into); err != nil {
		where.Rule, where.Expected, where.Found = RuleUnsigned, "a document of its kind", err.Error()
		v.found(where)
		return false
	}
	return true
}
