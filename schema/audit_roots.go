package schema

import (
	"time"

	"github.com/uptrace/bun"
)

// An AuditRoot is the Merkle root (RFC 6962) over the heads of all agents' chains at one moment, signed and published.
// Its leaves are, of each agent, the newest AuditSignedHead up to it, in the order of the agents' ids.
type AuditRoot struct {
	bun.BaseModel `bun:"table:audit_roots,alias:q"`

	RootSeq      int64     `bun:"root_seq,pk"` // from 1, without gaps
	RootHash     string    `bun:"root_hash,notnull"`
	TreeSize     int64     `bun:"tree_size,notnull"`      // agents
	PreviousHash string    `bun:"previous_hash,nullzero"` // SHA-256 of the root document before; null: the first
	KeyID        string    `bun:"key_id,notnull"`
	Signature    string    `bun:"signature,notnull"` // Ed25519, standard base64
	SignedAt     time.Time `bun:"signed_at,notnull"`
}

// An AuditSignedHead is the last link of an agent's chain as a root found it, signed. A root has one of each agent whose
// chain moved since the root before.
type AuditSignedHead struct {
	bun.BaseModel `bun:"table:audit_signed_heads,alias:p"`

	AgentID   string    `bun:"agent_id,pk"`
	RootSeq   int64     `bun:"root_seq,pk"`
	Seq       int64     `bun:"seq,notnull"`
	EventHash string    `bun:"event_hash,notnull"`
	KeyID     string    `bun:"key_id,notnull"`
	Signature string    `bun:"signature,notnull"`
	SignedAt  time.Time `bun:"signed_at,notnull"`
}
