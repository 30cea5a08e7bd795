package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/ainfera-ai/router/host/internal/merkle"
)

// What a signed document's type may be. It keeps one kind from passing for another under the same key.
const (
	TypeRoot = "audit_root"
	TypeHead = "audit_head"
)

// A Root is the signed Merkle root over all chains' heads at one moment, as it is published. Roots form a chain of their
// own: PreviousHash is the Hash of the one before.
type Root struct {
	KeyID        string  `json:"key_id"`
	PreviousHash *string `json:"previous_hash"` // null: the first
	RootHash     string  `json:"root_hash"`     // RFC 6962 over the leaves, in the order of agent_id's bytes
	RootSeq      int64   `json:"root_seq"`      // from 1, without gaps
	Signature    string  `json:"signature,omitempty"`
	SignedAt     string  `json:"signed_at"`
	TreeSize     int64   `json:"tree_size"`
	Type         string  `json:"type"`
}

// A RootList is the document at /.well-known/ainfera-audit-roots.json.
type RootList struct {
	Roots   []Root `json:"roots"` // oldest first
	HasMore bool   `json:"has_more"`
}

// Body is what is signed: the canonical JSON without the signature.
func (r Root) Body() []byte {
	r.Signature = ""
	return mustCanonical(r)
}

// Hash names the root in the one that follows: hex SHA-256 of its body.
func (r Root) Hash() string {
	sum := sha256.Sum256(r.Body())
	return hex.EncodeToString(sum[:])
}

// A Leaf is a chain's head as a root's tree has it.
type Leaf struct {
	AgentID   string `json:"agent_id"`
	EventHash string `json:"event_hash"`
	Seq       int64  `json:"seq"`
}

// Hash is the leaf's hash: RFC 6962 over the canonical JSON of its three fields.
func (l Leaf) Hash() merkle.Hash { return merkle.Leaf(mustCanonical(l)) }

// A Head is a leaf with the signature of the host that made the root.
type Head struct {
	AgentID   string `json:"agent_id"`
	EventHash string `json:"event_hash"`
	KeyID     string `json:"key_id"`
	RootSeq   int64  `json:"root_seq"` // of the first root that has it
	Seq       int64  `json:"seq"`
	Signature string `json:"signature,omitempty"`
	SignedAt  string `json:"signed_at"`
	Type      string `json:"type"`
}

// Body is what is signed: the canonical JSON without the signature.
func (h Head) Body() []byte {
	h.Signature = ""
	return mustCanonical(h)
}

// Leaf is the head as the tree has it.
func (h *Head) Leaf() Leaf { return Leaf{h.AgentID, h.EventHash, h.Seq} }

// An Inclusion is the proof that a root's tree has a leaf.
type Inclusion struct {
	Leaf
	RootSeq   int64    `json:"root_seq"`
	RootHash  string   `json:"root_hash"`
	LeafIndex int64    `json:"leaf_index"`
	TreeSize  int64    `json:"tree_size"`
	Path      []string `json:"path"` // RFC 6962's audit path, from the leaf upwards
}

// Verify returns an error unless the path leads from the leaf to the proof's own root hash.
func (i *Inclusion) Verify() error {
	root, err := merkle.Parse(i.RootHash)
	if err != nil {
		return err
	}
	path := make([]merkle.Hash, len(i.Path))
	for k, text := range i.Path {
		if path[k], err = merkle.Parse(text); err != nil {
			return fmt.Errorf("path: %w", err)
		}
	}
	if !merkle.Verify(i.Hash(), i.LeafIndex, i.TreeSize, path, root) {
		return fmt.Errorf("the path does not lead from leaf %d of %d to root %s", i.LeafIndex, i.TreeSize, i.RootHash)
	}
	return nil
}

// mustCanonical prints structs of strings and whole numbers, which can't fail.
func mustCanonical(v any) []byte {
	raw, err := json.Marshal(v)
	if err == nil {
		raw, err = Canonical(raw)
	}
	if err != nil {
		panic(fmt.Sprintf("proof: %T: %v", v, err))
	}
	return raw
}
