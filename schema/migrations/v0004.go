package migrations

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// v0004 adds the indexes that a grown store's questions need: outcomes over a time whoever asked, an agent's inferences,
// what belongs to one inference, and the bodies whose time is over. A new row goes to the end of each of them, or of its
// agent's part.
func v0004(ctx context.Context, db bun.IDB) error {
	for _, index := range v0004Indexes {
		if _, err := db.ExecContext(ctx, index); err != nil {
			return fmt.Errorf("%s: %w", index, err)
		}
	}
	return nil
}

var v0004Indexes = []string{
	"CREATE INDEX routing_outcomes_time ON routing_outcomes (created_at, id)",
	"CREATE INDEX inferences_agent ON inferences (agent_id, created_at)",
	"CREATE INDEX ledger_entries_inference ON ledger_entries (inference_id) WHERE inference_id IS NOT NULL",
	"CREATE INDEX receipts_inference ON receipts (inference_id)",
	"CREATE INDEX bodies_time ON bodies (created_at)",
}
