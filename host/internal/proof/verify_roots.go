package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ainfera-ai/router/host/internal/merkle"
)

// What may be wrong with the roots.
const (
	RuleRootGap      = "roots are missing"
	RuleRootPrevious = "a root does not name the root before it"
	RuleRootHash     = "a root is not that of its leaves"
	RuleRootType     = "a document is not what it stands for"
	RuleKept         = "the root that was kept is not among these: they were rewritten or cut short"
	RuleKeptOther    = "a root is not the one that was kept"
	RuleKeptNoProof  = "this chain is not proven under the root that was kept"
	RuleInclusion    = "an inclusion proof does not hold"
)

// A Kept is a root that an outsider kept: the hash alone, or the whole document.
type Kept struct {
	Hash     string // root_hash
	Document json.RawMessage
	seen     bool
	proven   bool
}

// ReadKept reads what an outsider kept: a root's document, or the list of them as it is published.
func ReadKept(document []byte) ([]Kept, error) {
	var list struct {
		Roots []json.RawMessage `json:"roots"`
	}
	if err := json.Unmarshal(document, &list); err != nil {
		return nil, fmt.Errorf("read the root: %w", err)
	}
	if list.Roots == nil {
		list.Roots = []json.RawMessage{bytes.TrimSpace(document)}
	}
	var kept []Kept
	for _, raw := range list.Roots {
		var r Root
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, fmt.Errorf("read the root: %w", err)
		}
		if _, err := merkle.Parse(r.RootHash); err != nil || r.RootSeq < 1 {
			return nil, errors.New("read the root: it has no root_hash or no root_seq: save one of /.well-known/ainfera-audit-roots.json")
		}
		kept = append(kept, Kept{Hash: r.RootHash, Document: raw})
	}
	if len(kept) == 0 {
		return nil, errors.New("read the root: the list is empty")
	}
	return kept, nil
}

// A rootVerifier makes each root anew from the leaves before it.
type rootVerifier struct {
	v      *Verifier
	latest *Root
	hashes map[int64]string // root_hash by root_seq
	moved  []RootLeaf

	agents []string // in order
	leaves []merkle.Hash
	tree   *merkle.Tree
	// told is of each agent what the roots say of it, folded to one hash: its signed heads must fold to the same.
	told map[string][sha256.Size]byte

	wrong *Finding // the first of roots in a row that are not those of their leaves
	more  int      // how many follow it
}

func newRootVerifier(v *Verifier) rootVerifier {
	return rootVerifier{v: v, hashes: map[int64]string{}, tree: merkle.New(nil), told: map[string][sha256.Size]byte{}}
}

func (r *rootVerifier) leaf(l *RootLeaf) { r.moved = append(r.moved, *l) }

func (r *rootVerifier) root(document json.RawMessage) {
	root := new(Root)
	at := Finding{RootSeq: seqOf(document)}
	if !r.v.signed(document, root, at) {
		r.moved = nil
		return
	}
	if root.Type != TypeRoot {
		r.found(at, RuleRootType, TypeRoot, fmt.Sprintf("%.40q", root.Type))
	}
	r.follows(root, at)
	if r.v.header.AgentID == "" {
		r.rebuild(root)
	}
	r.moved = nil
	r.latest = root
	r.hashes[root.RootSeq] = root.RootHash
	r.match(root, document)
}

func seqOf(document json.RawMessage) int64 {
	var r struct {
		RootSeq int64 `json:"root_seq"`
	}
	_ = json.Unmarshal(document, &r) // what can't be read is found by whoever reads it all
	return r.RootSeq
}

func (r *rootVerifier) found(at Finding, rule, expected, found string) {
	at.Rule, at.Expected, at.Found = rule, expected, found
	r.v.found(at)
}

// follows judges a root as the one after the last. An export of one agent leaves roots out, in which the agent's chain
// did not move.
func (r *rootVerifier) follows(root *Root, at Finding) {
	last, hash := int64(0), ""
	if r.latest != nil {
		last, hash = r.latest.RootSeq, r.latest.Hash()
	}
	previous := ""
	if root.PreviousHash != nil {
		previous = *root.PreviousHash
	}
	switch {
	case root.RootSeq == last+1 && previous != hash:
		r.found(at, RuleRootPrevious, orNull(hash), orNull(previous))
	case root.RootSeq == last+1:
	case root.RootSeq <= last || r.v.header.AgentID == "":
		r.found(at, RuleRootGap, fmt.Sprintf("root %d", last+1), fmt.Sprintf("root %d", root.RootSeq))
	}
}

// rebuild moves the leaves and compares the tree's root.
func (r *rootVerifier) rebuild(root *Root) {
	grown := false
	for _, l := range r.moved {
		if l.RootSeq != root.RootSeq {
			r.found(Finding{AgentID: l.AgentID, RootSeq: l.RootSeq}, RuleMisplaced, fmt.Sprintf("a leaf of root %d", root.RootSeq), fmt.Sprintf("one of root %d", l.RootSeq))
		}
		hash := l.Hash()
		r.told[l.AgentID] = fold(r.told[l.AgentID], l.RootSeq, hash)
		i, known := slices.BinarySearch(r.agents, l.AgentID)
		if !known {
			r.agents, r.leaves = slices.Insert(r.agents, i, l.AgentID), slices.Insert(r.leaves, i, hash)
			grown = true
		} else {
			r.leaves[i] = hash // the tree's own slice, until it has grown
			if !grown {
				r.tree.Set(i, hash)
			}
		}
	}
	if grown {
		r.tree = merkle.New(r.leaves)
	}
	got := r.tree.Root().String()
	if got == root.RootHash && int64(r.tree.Len()) == root.TreeSize {
		r.tellWrong()
		return
	}
	if r.wrong != nil {
		r.more++
		return
	}
	r.wrong = &Finding{Rule: RuleRootHash, RootSeq: root.RootSeq,
		Expected: fmt.Sprintf("%s over %d leaves", root.RootHash, root.TreeSize), Found: fmt.Sprintf("%s over %d", got, r.tree.Len())}
}

// tellWrong reports roots in a row that are wrong as one: a leaf that is gone is missed by every root until it moves.
func (r *rootVerifier) tellWrong() {
	if r.wrong == nil {
		return
	}
	if r.more > 0 {
		r.wrong.Found += fmt.Sprintf(", and so the %d roots after it", r.more)
	}
	r.v.found(*r.wrong)
	r.wrong, r.more = nil, 0
}

// fold adds a leaf to what was told of its agent.
func fold(sum [sha256.Size]byte, rootSeq int64, leaf merkle.Hash) [sha256.Size]byte {
	b := make([]byte, 0, 2*sha256.Size+8)
	b = append(binary.BigEndian.AppendUint64(append(b, sum[:]...), uint64(rootSeq)), leaf[:]...)
	return sha256.Sum256(b)
}

// match looks for the root among those that were kept.
func (r *rootVerifier) match(root *Root, document json.RawMessage) {
	for i := range r.v.options.Kept {
		k := &r.v.options.Kept[i]
		if k.Document == nil {
			k.seen = k.seen || k.Hash == root.RootHash
			continue
		}
		if seqOf(k.Document) != root.RootSeq {
			continue
		}
		k.seen = true
		kept, err := Canonical(k.Document)
		this, err2 := Canonical(document)
		if err != nil || err2 != nil || !bytes.Equal(kept, this) {
			r.found(Finding{RootSeq: root.RootSeq}, RuleKeptOther, k.Hash+", as it was kept", root.RootHash+" in a document of its own")
		}
	}
}

// finish judges what the roots promised and nobody kept.
func (r *rootVerifier) finish() {
	r.tellWrong()
	lost := make([]string, 0, len(r.told))
	for id := range r.told {
		lost = append(lost, id)
	}
	slices.Sort(lost)
	for _, id := range lost {
		r.found(Finding{AgentID: id}, RuleNoChain, "a chain", "none")
	}
	for _, k := range r.v.options.Kept {
		at := Finding{RootSeq: seqOf(k.Document)}
		switch {
		case r.v.header != nil && r.v.header.AgentID != "" && !k.proven:
			at.AgentID = r.v.header.AgentID
			r.found(at, RuleKeptNoProof, "a proof under "+k.Hash,
				"none: export with --root, from event 1; if that was done, the root is gone or never had the chain")
		case !k.seen:
			r.found(at, RuleKept, k.Hash, r.newest())
		}
	}
}

func (r *rootVerifier) newest() string {
	if r.latest == nil {
		return "no root at all"
	}
	return fmt.Sprintf("roots up to %d, %s", r.latest.RootSeq, r.latest.RootHash)
}

// proves judges an inclusion proof's root, and notes which kept roots it serves where the export has the leaf's event.
func (r *rootVerifier) proves(i *Inclusion, covered bool) error {
	if err := i.Verify(); err != nil {
		return err
	}
	if hash, ok := r.hashes[i.RootSeq]; !ok || hash != i.RootHash {
		return fmt.Errorf("its root %d is %s, the export's %s", i.RootSeq, i.RootHash, orNull(hash))
	}
	for k := range r.v.options.Kept {
		if k := &r.v.options.Kept[k]; k.Hash == i.RootHash {
			k.proven = k.proven || covered
		}
	}
	return nil
}
