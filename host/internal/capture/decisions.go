package capture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/schema"
)

const (
	// decisionPage is how many rows are read at once.
	decisionPage = 256
	// templatesRead is how many templates a walk remembers.
	templatesRead = 256
)

// A PastDecision is a routing outcome with the bytes that its policy saw and answered, nil where no policy came to an
// answer. Of the row, what deciding again needs is read; the rest is empty.
type PastDecision struct {
	schema.RoutingOutcome
	Input, Output []byte
	// Unreadable says why the bytes of this row can't be had; they are nil then.
	Unreadable error
}

// decidedColumns are the columns that a walk reads.
var decidedColumns = []string{"id", "cell", "policy_version", "policy_module", "affinity", "served_model_slug", "decision_input", "decision",
	"routing_preference", "cost_actual_usd", "outcome_status", "code", "usage", "created_at"}

// Decisions walks the routing outcomes created from since on and before until, oldest first, in pages that page may keep.
// A zero until is no bound. What is booked meanwhile may or may not be among them.
func (b *Books) Decisions(ctx context.Context, since, until time.Time, page func([]PastDecision) error) error {
	blobs := map[string][]byte{}
	at, id := b.instant(since), ""
	for {
		var rows []schema.RoutingOutcome
		q := b.db.NewSelect().Model(&rows).Column(decidedColumns...).Where("(created_at, id) > (?, ?)", at, id).
			Order("created_at", "id").Limit(decisionPage)
		if !until.IsZero() {
			q = q.Where("created_at < ?", b.instant(until))
		}
		if err := q.Scan(ctx); err != nil {
			return fmt.Errorf("read outcomes: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		decisions := make([]PastDecision, len(rows))
		for i := range rows {
			if decisions[i] = b.pastDecision(ctx, blobs, &rows[i]); errors.Is(decisions[i].Unreadable, ErrUnavailable) {
				return fmt.Errorf("outcome %s: %w", rows[i].ID, decisions[i].Unreadable) // the store's trouble, not the row's
			}
		}
		last := &rows[len(rows)-1]
		at, id = b.instant(last.CreatedAt), last.ID
		if err := page(decisions); err != nil {
			return err
		}
	}
}

func (b *Books) pastDecision(ctx context.Context, blobs map[string][]byte, o *schema.RoutingOutcome) PastDecision {
	d := PastDecision{RoutingOutcome: *o}
	var err error
	if d.Input, err = b.unpackWith(ctx, blobs, o.DecisionInput); err != nil {
		err = fmt.Errorf("decision input: %w", err)
	} else if d.Output, err = b.unpackWith(ctx, blobs, o.Decision); err != nil {
		err = fmt.Errorf("decision: %w", err)
	}
	if d.DecisionInput, d.Decision = nil, nil; err != nil {
		d.Input, d.Output, d.Unreadable = nil, nil, err
	}
	return d
}

// unpackWith is unpack that remembers the templates it met.
func (b *Books) unpackWith(ctx context.Context, blobs map[string][]byte, p []byte) ([]byte, error) {
	if len(p) <= sha256.Size || p[0] != formDelta {
		return unpackAlone(p)
	}
	digest := hex.EncodeToString(p[1 : 1+sha256.Size])
	template, known := blobs[digest]
	if !known {
		var err error
		if template, err = b.blob(ctx, digest); err != nil {
			return nil, err
		}
		if len(blobs) >= templatesRead {
			clear(blobs)
		}
		blobs[digest] = template
	}
	return applyDelta(template, p[1+sha256.Size:])
}
