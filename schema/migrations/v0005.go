package migrations

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// v0005 makes activations say who, why, from what and in which order, and keeps modules' signatures. Nothing wrote an
// activation before it.
func v0005(ctx context.Context, db bun.IDB) error {
	for _, column := range v0005Columns {
		if _, err := db.ExecContext(ctx, "ALTER TABLE activations ADD COLUMN "+column); err != nil {
			return fmt.Errorf("add to activations %s: %w", column, err)
		}
	}
	if err := clustered(ctx, db, (*moduleSignatureV5)(nil)); err != nil {
		return fmt.Errorf("create module_signatures: %w", err)
	}
	_, err := db.ExecContext(ctx, "CREATE UNIQUE INDEX activations_seq ON activations (seq)")
	return err
}

var v0005Columns = []string{
	"seq BIGINT NOT NULL DEFAULT 0",
	"version VARCHAR NOT NULL DEFAULT ''",
	"previous VARCHAR",
	"base VARCHAR NOT NULL DEFAULT ''",
	"action VARCHAR NOT NULL DEFAULT ''",
	"actor VARCHAR NOT NULL DEFAULT ''",
	"key_id VARCHAR",
	"host_id VARCHAR NOT NULL DEFAULT ''",
}

type moduleSignatureV5 struct {
	bun.BaseModel `bun:"table:module_signatures"`
	Digest        string    `bun:"digest,pk"`
	KeyID         string    `bun:"key_id,pk"`
	Signature     string    `bun:"signature,notnull"`
	CreatedAt     time.Time `bun:"created_at,notnull"`
}
