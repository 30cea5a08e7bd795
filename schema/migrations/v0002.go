package migrations

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// v0002 adds the idempotency keys and the answers kept for them.
func v0002(ctx context.Context, db bun.IDB) error {
	if _, err := db.NewCreateTable().Model((*idempotencyKeyV2)(nil)).Exec(ctx); err != nil {
		return fmt.Errorf("create %T: %w", (*idempotencyKeyV2)(nil), err)
	}
	// What has expired is looked for once a minute.
	_, err := db.ExecContext(ctx, "CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at)")
	return err
}

type idempotencyKeyV2 struct {
	bun.BaseModel `bun:"table:idempotency_keys"`
	ID            string    `bun:"id,pk"`
	AgentID       string    `bun:"agent_id,notnull"`
	Endpoint      string    `bun:"endpoint,notnull"`
	Fingerprint   string    `bun:"fingerprint,notnull"`
	Status        string    `bun:"status,notnull"`
	ClaimID       string    `bun:"claim_id,notnull"`
	HostID        string    `bun:"host_id,notnull"`
	InferenceID   string    `bun:"inference_id,nullzero"`
	HTTPStatus    int64     `bun:"http_status,nullzero"`
	Headers       string    `bun:"headers,nullzero"`
	Body          []byte    `bun:"body"`
	SizeBytes     int64     `bun:"size_bytes,nullzero"`
	CreatedAt     time.Time `bun:"created_at,notnull"`
	ExpiresAt     time.Time `bun:"expires_at,notnull"`
}
