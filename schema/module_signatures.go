package schema

import (
	"time"

	"github.com/uptrace/bun"
)

// A ModuleSignature is one key's Ed25519 signature over a module's bytes. Each host checks it again before it runs the
// module, so that who can write to the store can't make a host run what nobody signed.
type ModuleSignature struct {
	bun.BaseModel `bun:"table:module_signatures,alias:ms"`

	Digest    string    `bun:"digest,pk"`         // of the module
	KeyID     string    `bun:"key_id,pk"`         // the first 16 hex digits of the public key's SHA-256
	Signature string    `bun:"signature,notnull"` // standard base64
	CreatedAt time.Time `bun:"created_at,notnull"`
}
