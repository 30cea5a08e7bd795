package migrations

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// v0003 adds the published roots with the heads that each of them covers, and says of a signing key when it ended and
// which one it came after.
func v0003(ctx context.Context, db bun.IDB) error {
	for _, m := range []any{(*auditRootV3)(nil), (*auditSignedHeadV3)(nil)} {
		if err := clustered(ctx, db, m); err != nil {
			return fmt.Errorf("create %T: %w", m, err)
		}
	}
	at := "TIMESTAMPTZ"
	if db.Dialect().Name() == dialect.SQLite {
		at = "TIMESTAMP"
	}
	for _, column := range []string{"retired_at " + at, "revoked_at " + at, "replaces VARCHAR"} {
		if _, err := db.ExecContext(ctx, "ALTER TABLE signing_keys ADD COLUMN "+column); err != nil {
			return fmt.Errorf("add to signing_keys %s: %w", column, err)
		}
	}
	// A root is verified with the heads that it moved.
	_, err := db.ExecContext(ctx, "CREATE INDEX audit_signed_heads_root ON audit_signed_heads (root_seq)")
	return err
}

type auditRootV3 struct {
	bun.BaseModel `bun:"table:audit_roots"`
	RootSeq       int64     `bun:"root_seq,pk"`
	RootHash      string    `bun:"root_hash,notnull"`
	TreeSize      int64     `bun:"tree_size,notnull"`
	PreviousHash  string    `bun:"previous_hash,nullzero"`
	KeyID         string    `bun:"key_id,notnull"`
	Signature     string    `bun:"signature,notnull"`
	SignedAt      time.Time `bun:"signed_at,notnull"`
}

type auditSignedHeadV3 struct {
	bun.BaseModel `bun:"table:audit_signed_heads"`
	AgentID       string    `bun:"agent_id,pk"`
	RootSeq       int64     `bun:"root_seq,pk"`
	Seq           int64     `bun:"seq,notnull"`
	EventHash     string    `bun:"event_hash,notnull"`
	KeyID         string    `bun:"key_id,notnull"`
	Signature     string    `bun:"signature,notnull"`
	SignedAt      time.Time `bun:"signed_at,notnull"`
}
