package schema

import (
	"time"

	"github.com/uptrace/bun"
)

// What began an activation, the values of Activation.Action.
const (
	ActionConfigured = "configured"  // the configuration's own module, at a host's start or reload
	ActionActivated  = "activated"   // an operator's word, or a file that is watched
	ActionRolledBack = "rolled_back" // an operator took the version before again
	ActionEvicted    = "evicted"     // the host took a version that failed repeatedly out for the one before it
)

// An Activation is one time that a version of a plugin began to serve. The newest of a place is what every host of the
// store runs there.
type Activation struct {
	bun.BaseModel `bun:"table:activations,alias:v"`

	ID        string    `bun:"id,pk"`
	Seq       int64     `bun:"seq,notnull"`    // counts up over all places, without a gap
	Kind      string    `bun:"kind,notnull"`   // adapter, policy
	Place     string    `bun:"place,notnull"`  // the plugin's name in the configuration
	Digest    string    `bun:"digest,notnull"` // hex SHA-256 of the module
	Version   string    `bun:"version,notnull"`
	Previous  string    `bun:"previous,nullzero"` // the digest that served until then
	Base      string    `bun:"base,notnull"`      // the digest of the configuration's own module at that moment
	Action    string    `bun:"action,notnull"`
	Actor     string    `bun:"actor,notnull"` // who said so
	Reason    string    `bun:"reason,nullzero"`
	KeyID     string    `bun:"key_id,nullzero"` // the key whose signature was accepted
	HostID    string    `bun:"host_id,notnull"` // where it was said
	CreatedAt time.Time `bun:"created_at,notnull"`
}
