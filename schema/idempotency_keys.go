package schema

import (
	"time"

	"github.com/uptrace/bun"
)

// What an idempotency key's status may be. A key that is free has no row.
const (
	KeyClaimed  = "claimed"  // a call holds it, for as long as its host has its lease
	KeyAnswered = "answered" // the answer is kept until expires_at
)

// An IdempotencyKey is one Idempotency-Key of one agent at one endpoint, with the answer that a repeat of it gets.
type IdempotencyKey struct {
	bun.BaseModel `bun:"table:idempotency_keys,alias:k"`

	ID          string    `bun:"id,pk"` // hex SHA-256 of agent, endpoint and the caller's key
	AgentID     string    `bun:"agent_id,notnull"`
	Endpoint    string    `bun:"endpoint,notnull"`
	Fingerprint string    `bun:"fingerprint,notnull"` // hex SHA-256 of the request's raw body
	Status      string    `bun:"status,notnull"`
	ClaimID     string    `bun:"claim_id,notnull"` // of the call that holds it, or answered it
	HostID      string    `bun:"host_id,notnull"`
	InferenceID string    `bun:"inference_id,nullzero"` // of an answer that dispatched
	HTTPStatus  int64     `bun:"http_status,nullzero"`
	Headers     string    `bun:"headers,nullzero"`    // JSON: name → values
	Body        []byte    `bun:"body"`                // zstd; null where the answer was too large to keep
	SizeBytes   int64     `bun:"size_bytes,nullzero"` // of the answer's body before compression
	CreatedAt   time.Time `bun:"created_at,notnull"`
	ExpiresAt   time.Time `bun:"expires_at,notnull"`
}
