package capture

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ainfera-ai/router/schema"
)

// activationChannel is where PostgreSQL tells the hosts of a new activation, as its transaction commits.
const activationChannel = "ainfera_activations"

var (
	// selectNewest reads the newest of a place, and of all.
	selectNewest = &statement{
		sqlite:   `SELECT coalesce(max(CASE WHEN place = ? THEN seq END), 0), coalesce(max(seq), 0) FROM activations`,
		postgres: `SELECT coalesce(max(seq) FILTER (WHERE place = ANY($1)), 0), coalesce(max(seq), 0) FROM activations`,
		params:   []string{"text"},
	}
	// notifyHosts is PostgreSQL's alone: one file has one host.
	notifyHosts = &statement{
		postgres: `SELECT pg_notify('` + activationChannel + `', v) FROM unnest($1::text[]) AS v`,
		params:   []string{"text"},
	}
)

// AnyBefore asks for no particular predecessor: who comes last is obeyed.
const AnyBefore = -1

// An Activating is a version that shall serve. The row's ID, Seq, HostID and CreatedAt are the books' to fill in.
type Activating struct {
	schema.Activation
	// Before is the Seq of the place's newest activation as the caller knows it, 0 for none, or AnyBefore.
	Before int64
}

// Activate writes that these versions serve from now on, all of them or none, each with its event on the operators' chain,
// and tells the other hosts. It is ErrSuperseded when another one came before: the store's newest of a place is not the one
// that the caller knows. It returns the rows as they were written.
func (b *Books) Activate(ctx context.Context, list ...Activating) ([]schema.Activation, error) {
	rows := make([]schema.Activation, len(list))
	for i, a := range list {
		rows[i] = a.Activation
		rows[i].ID, rows[i].HostID = NewID(), b.host.id
	}
	err := b.writer.submit(ctx, &operation{agentID: schema.OperatorChain, alone: true, apply: func(t *batch) error {
		for i := range rows {
			if err := t.activate(&rows[i], list[i].Before, int64(i)); err != nil {
				return fmt.Errorf("activate %s of plugin %s: %w", rows[i].Digest, rows[i].Place, err)
			}
		}
		return nil
	}})
	return rows, err
}

// activate runs under the lock of the operators' chain, so that Seq has no gap and no twin. written is how many rows the
// transaction has left already.
func (t *batch) activate(a *schema.Activation, before, written int64) error {
	var newest, last int64
	err := t.query(selectNewest, []any{a.Place}, func(row []driver.Value) error {
		newest, last = asInt(row[0]), asInt(row[1])
		return nil
	})
	if err != nil {
		return err
	}
	if before != AnyBefore && newest != before {
		return ErrSuperseded
	}
	operators, err := t.account(schema.OperatorChain)
	if err != nil {
		return err
	}
	a.Seq, a.CreatedAt = last+written+1, t.now
	t.event(operators, activationEvent(a), activationPayload(a), t.now)
	t.add(insertActivation, a.ID, a.Seq, a.Kind, a.Place, a.Digest, a.Version, text(a.Previous), a.Base, a.Action, a.Actor,
		text(a.Reason), text(a.KeyID), a.HostID, t.now)
	return t.query(notifyHosts, []any{a.Place}, func([]driver.Value) error { return nil })
}

// activationEvent is policy.activated or policy.rolled_back, and the same of an adapter.
func activationEvent(a *schema.Activation) string {
	if a.Action == schema.ActionRolledBack || a.Action == schema.ActionEvicted {
		return a.Kind + ".rolled_back"
	}
	return a.Kind + ".activated"
}

func activationPayload(a *schema.Activation) []byte {
	o := newObject(640)
	o.text("action", a.Action)
	o.text("activation_id", a.ID)
	o.text("actor", a.Actor)
	o.text("base", a.Base)
	o.text("digest", a.Digest)
	o.text("host_id", a.HostID)
	o.opt("key_id", a.KeyID)
	o.text("plugin", a.Place)
	o.opt("previous", a.Previous)
	o.opt("reason", a.Reason)
	o.text("version", a.Version)
	return o.end()
}

// Activations lists a place's newest activations, newest first.
func (b *Books) Activations(ctx context.Context, place string, limit int) ([]schema.Activation, error) {
	var rows []schema.Activation
	err := b.db.NewSelect().Model(&rows).Where("place = ?", place).Order("seq DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("activations of plugin %s: %w", place, unavailable(err))
	}
	return rows, nil
}

// followLength is how many activations are read at once.
const followLength = 200

// FollowActivations hands over the activations after seq, this host's own among them, oldest first, until ctx ends. It looks
// every so often, and on PostgreSQL also whenever a host says that there is one. An error of the store's is logged once and
// tried again; nothing is skipped.
func (b *Books) FollowActivations(ctx context.Context, seq int64, every time.Duration, each func(schema.Activation)) {
	wake := make(chan struct{}, 1)
	if _, ok := sqlitePath(b.config.DSN); !ok {
		listening := make(chan struct{})
		go func() { defer close(listening); b.listen(ctx, wake) }()
		defer func() { <-listening }()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		next, err := b.readActivations(ctx, seq, each)
		seq = next
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			b.log.Warn("activations not read, trying again", "every", every, "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-wake:
		}
	}
}

func (b *Books) readActivations(ctx context.Context, seq int64, each func(schema.Activation)) (int64, error) {
	for {
		var rows []schema.Activation
		err := b.db.NewSelect().Model(&rows).Where("seq > ?", seq).Order("seq").Limit(followLength).Scan(ctx)
		if err != nil {
			return seq, err
		}
		for _, a := range rows {
			each(a)
			seq = a.Seq
		}
		if len(rows) < followLength {
			return seq, nil
		}
	}
}

// listenAgain is how long a lost connection is left alone; the ticks go on.
const listenAgain = time.Second

// listen wakes its reader for every notification until ctx ends.
func (b *Books) listen(ctx context.Context, wake chan<- struct{}) {
	for ctx.Err() == nil {
		if err := b.listenOnce(ctx, wake); err != nil && ctx.Err() == nil {
			b.log.Debug("not listening for activations, which are polled for meanwhile", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// listenOnce holds one connection of the pool, and never gives it back: it may be in the middle of a wait.
func (b *Books) listenOnce(ctx context.Context, wake chan<- struct{}) error {
	conn, err := b.db.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var lost error
	err = conn.Raw(func(c any) error {
		pg := c.(*stdlib.Conn).Conn()
		if _, lost = pg.Exec(ctx, "LISTEN "+activationChannel); lost != nil {
			return driver.ErrBadConn
		}
		for {
			select { // the first time too: what was committed before the LISTEN was not heard
			case wake <- struct{}{}:
			default:
			}
			if _, lost = pg.WaitForNotification(ctx); lost != nil {
				return driver.ErrBadConn
			}
		}
	})
	if lost != nil {
		return lost
	}
	return err
}

// PutSignature keeps a signature over a module, once a key. signature is standard base64; the caller has verified it.
func (b *Books) PutSignature(ctx context.Context, digest, keyID, signature string) error {
	err := b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		t.add(insertSignature, digest, keyID, signature, t.now)
		return nil
	}})
	if err != nil {
		return fmt.Errorf("keep the signature of module %s: %w", digest, err)
	}
	return nil
}

// Signatures reads what is kept for a module, none among it.
func (b *Books) Signatures(ctx context.Context, digest string) ([]schema.ModuleSignature, error) {
	var rows []schema.ModuleSignature
	if err := b.db.NewSelect().Model(&rows).Where("digest = ?", digest).Order("created_at").Scan(ctx); err != nil {
		return nil, fmt.Errorf("signatures of module %s: %w", digest, unavailable(err))
	}
	return rows, nil
}
