package schema

import (
	"time"

	"github.com/uptrace/bun"
)

// A SigningKey is the public half of a key that a host signs receipts and heads with. Former keys stay, so that what
// they signed can still be verified.
type SigningKey struct {
	bun.BaseModel `bun:"table:signing_keys,alias:g"`

	ID        string    `bun:"id,pk"`              // the first 16 hex digits of the public key's SHA-256
	PublicKey string    `bun:"public_key,notnull"` // Ed25519, standard base64
	CreatedAt time.Time `bun:"created_at,notnull"`
	// RetiredAt is when another key took its place; what it signed before stays good.
	RetiredAt *time.Time `bun:"retired_at"`
	// RevokedAt is when an operator took back his trust in it; what it signs after is worth nothing.
	RevokedAt *time.Time `bun:"revoked_at"`
	Replaces  string     `bun:"replaces,nullzero"` // the key whose place it took
}
