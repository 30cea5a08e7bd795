package capture

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ainfera-ai/router/schema"
)

// sweepBodiesEvery is how often one host looks for bodies whose time is over; a body outlives it by so much at most.
const sweepBodiesEvery = time.Hour

// A bodySweep is when this host last looked.
type bodySweep struct {
	mu   sync.Mutex
	last time.Time
}

// sweepBodies deletes the bodies whose time is over, when an hour has passed and this is the host that does it for all.
// It returns how many there were.
func (b *Books) sweepBodies(ctx context.Context) (int64, error) {
	b.bodies.mu.Lock()
	defer b.bodies.mu.Unlock()
	now, last := b.config.Now(), b.bodies.last
	if b.config.BodiesFor <= 0 || !last.IsZero() && now.Sub(last) < sweepBodiesEvery {
		return 0, nil
	}
	leads, err := b.leads(ctx)
	if err != nil || !leads {
		return 0, err
	}
	before := now.Add(-b.config.BodiesFor).UTC().Truncate(time.Microsecond)
	var total int64
	for {
		var n int64
		err := b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) (err error) {
			n, err = t.tx.exec(forgetBodies, []any{before})
			return err
		}})
		if err != nil {
			return total, fmt.Errorf("delete bodies: %w", err)
		}
		if n == 0 {
			b.bodies.last = now
			return total, nil
		}
		total += n
	}
}

// leads reports whether this host does what one does for all: the eldest of those that have their lease. Two may think so
// for a moment, so that the work must bear being done twice.
func (b *Books) leads(ctx context.Context) (bool, error) {
	eldest := ""
	query := b.db.NewSelect().Model((*schema.Host)(nil)).ColumnExpr("coalesce(min(id), '')")
	if _, ok := sqlitePath(b.config.DSN); ok {
		query = query.Where("lease_until > ?", b.instant(b.config.Now()))
	} else {
		query = query.Where("lease_until > now()") // the store's clock, as upsertHost has it
	}
	if err := query.Scan(ctx, &eldest); err != nil {
		return false, fmt.Errorf("find the eldest host: %w", err)
	}
	return eldest == b.host.id, nil
}
