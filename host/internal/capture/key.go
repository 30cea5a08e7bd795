package capture

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/schema"
)

const (
	// keyTime is how long an answer is kept for its key.
	keyTime = 24 * time.Hour
	// A call that waits for a key looks again after firstLook, then after twice as long, up to lastLook. A key of this
	// process's own wakes it sooner.
	firstLook, lastLook = 20 * time.Millisecond, 500 * time.Millisecond
)

// A KeyUse is a call that carries an idempotency key.
type KeyUse struct {
	// AgentID and Endpoint are the key's scope: the same key of another agent, or at another path, is another key.
	AgentID, Endpoint string
	// Key is the caller's text, not empty. The books keep its SHA-256.
	Key string
	// Fingerprint is the hex SHA-256 of the request's raw body.
	Fingerprint string
}

func (u *KeyUse) id() string {
	sum := sha256.Sum256([]byte(u.AgentID + "\x00" + u.Endpoint + "\x00" + u.Key))
	return hex.EncodeToString(sum[:])
}

// An Answer is what a caller was told, to be told again to a repeat of its call.
type Answer struct {
	Status int
	Header map[string][]string
	Body   []byte
	// NotKept says that the body was too large to be kept: the key is answered, and there is nothing to repeat.
	NotKept bool
	// InferenceID is the call's, where it dispatched.
	InferenceID string
	// For is how long the answer holds. Zero is 24 hours.
	For time.Duration
}

// A Claim is a call's hold on its key. Whoever has one ends it, once: with the call's Completion or Rejection, in the
// same transaction, or by EndKey. A claim whose host is gone ends with its host's lease. A nil Claim holds nothing, and
// its ends are nil.
type Claim struct {
	keyID, id string
	now       func() time.Time
}

// A KeyEnd is what becomes of a claimed key: it is answered, or free again.
type KeyEnd struct {
	KeyID, ClaimID string
	Answered       bool
	InferenceID    string
	Status         int
	Headers        string // JSON
	Body           []byte // zstd; nil when not kept
	SizeBytes      int64
	ExpiresAt      time.Time
}

// Free leaves the key to whoever uses it next.
func (c *Claim) Free() *KeyEnd {
	if c == nil {
		return nil
	}
	return &KeyEnd{KeyID: c.keyID, ClaimID: c.id}
}

// Answer keeps the answer for the key. It is packed here, on the caller's time; a is not kept.
func (c *Claim) Answer(a *Answer) (*KeyEnd, error) {
	if c == nil {
		return nil, nil
	}
	headers, err := json.Marshal(a.Header)
	if err != nil {
		return nil, fmt.Errorf("keep the answer: %w", err)
	}
	e := &KeyEnd{KeyID: c.keyID, ClaimID: c.id, Answered: true, InferenceID: a.InferenceID, Status: a.Status, Headers: string(headers),
		SizeBytes: int64(len(a.Body))}
	if !a.NotKept {
		e.Body = zstdEncoder.EncodeAll(a.Body, []byte{})
	}
	holds := a.For
	if holds <= 0 || holds > keyTime {
		holds = keyTime
	}
	e.ExpiresAt = c.now().UTC().Add(holds).Truncate(time.Microsecond)
	return e, nil
}

// ClaimKey returns the key's claim to the first call that uses it, and its kept answer to those that come later. While
// another call holds the key, on whichever host, it waits, as long as ctx lets it; it holds no connection meanwhile. When
// that call leaves the key free, one of those who wait becomes the first. ErrKeyConflict means that the key belongs to
// another body, ErrUnavailable that the store could not tell.
func (b *Books) ClaimKey(ctx context.Context, u *KeyUse) (*Claim, *Answer, error) {
	if b.config.Command {
		return nil, nil, unavailable(errors.New("the books are open for a command: only a host takes calls"))
	}
	id := u.id()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		ended := b.keyHolds.ended(id) // before the look, so that an end behind it is not missed
		answer, free, err := b.readKey(ctx, id, u.Fingerprint)
		if err != nil || answer != nil {
			return nil, answer, err
		}
		if free {
			claim, err := b.takeKey(ctx, id, u)
			if !errors.Is(err, errKeyHeld) {
				return claim, nil, err
			}
		}
		if err := b.awaitKey(ctx, ended, pause); err != nil {
			return nil, nil, err
		}
	}
}

// awaitKey returns when it is time to look again.
func (b *Books) awaitKey(ctx context.Context, ended <-chan struct{}, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-b.closing:
		return unavailable(errors.New("the books are closed"))
	}
}

// readKey reports whether nobody has the key, or returns its answer. Neither means that a call holds it.
func (b *Books) readKey(ctx context.Context, id, fingerprint string) (answer *Answer, free bool, err error) {
	var k schema.IdempotencyKey
	now := b.instant(b.config.Now())
	err = b.db.NewSelect().Model(&k).Join("LEFT JOIN hosts AS s ON s.id = k.host_id").
		Where("k.id = ? AND k.expires_at > ?", id, now).
		Where("k.status = ? OR k.host_id = ? OR s.lease_until >= ?", schema.KeyAnswered, b.host.id, now).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, true, nil
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case err != nil:
		return nil, false, fmt.Errorf("look up the idempotency key: %w", unavailable(err))
	case k.Fingerprint != fingerprint:
		return nil, false, ErrKeyConflict
	case k.Status != schema.KeyAnswered:
		return nil, false, nil
	}
	answer, err = keptAnswer(&k)
	return answer, false, err
}

// instant is a time as a query compares it with a column: SQLite compares text, which must be of the writer's form.
func (b *Books) instant(t time.Time) any {
	if _, ok := sqlitePath(b.config.DSN); ok {
		return t.UTC().Format(sqliteTime)
	}
	return t.UTC()
}

func keptAnswer(k *schema.IdempotencyKey) (*Answer, error) {
	a := &Answer{Status: int(k.HTTPStatus), InferenceID: k.InferenceID, NotKept: k.Body == nil}
	if err := json.Unmarshal([]byte(k.Headers), &a.Header); err != nil {
		return nil, fmt.Errorf("read the kept answer's headers: %w", err)
	}
	if a.NotKept {
		return a, nil
	}
	var err error
	if a.Body, err = zstdDecoder.DecodeAll(k.Body, nil); err != nil {
		return nil, fmt.Errorf("read the kept answer: %w", err)
	}
	return a, nil
}

// errKeyHeld means that another call claimed the key between the look and the transaction.
var errKeyHeld = errors.New("the key is held")

// takeKey claims a key that was free. The agent's lock makes hosts take turns, so that one of them sees the other's row.
func (b *Books) takeKey(ctx context.Context, id string, u *KeyUse) (*Claim, error) {
	c := &Claim{keyID: id, id: NewID(), now: b.config.Now}
	err := b.writer.submit(ctx, &operation{agentID: u.AgentID, keyID: id, apply: func(t *batch) error {
		if t.keysHeld[id] {
			return errKeyHeld
		}
		t.keysHeld[id] = true
		t.add(claimKey, id, u.AgentID, u.Endpoint, u.Fingerprint, schema.KeyClaimed, c.id, b.host.id, t.now, t.now.Add(keyTime))
		return nil
	}})
	switch {
	case err == nil:
		b.keyHolds.begin(id, c.id)
		return c, nil
	case inDoubt(err):
		b.keyHolds.leave(c.Free())
	case errors.Is(err, errKeyHeld), ctx.Err() != nil:
		return nil, err
	}
	return nil, fmt.Errorf("claim the idempotency key: %w", err)
}

// EndKey ends the claim of a call that ends without a Completion or a Rejection to carry it. When the store can't take
// it the key will be free once the store is back, and the answer, if there was one, is forgotten: nothing was dispatched
// for it.
func (b *Books) EndKey(ctx context.Context, e *KeyEnd) error {
	if e == nil {
		return nil
	}
	err := b.writer.submit(context.WithoutCancel(ctx), &operation{apply: func(t *batch) error {
		t.endKey(e)
		return nil
	}})
	if err != nil {
		b.keyHolds.leave(&KeyEnd{KeyID: e.KeyID, ClaimID: e.ClaimID})
		return fmt.Errorf("end the idempotency key's claim: %w", err)
	}
	b.keyHolds.end(e)
	return nil
}

// endKey leaves the row of a key whose claim ends; nil is none. A claim that others took over meanwhile is let be.
func (b *batch) endKey(e *KeyEnd) {
	switch {
	case e == nil:
	case e.Answered:
		b.add(answerKey, schema.KeyAnswered, text(e.InferenceID), int64(e.Status), e.Headers, blob(e.Body), e.SizeBytes, e.ExpiresAt, e.KeyID, e.ClaimID)
	default:
		b.add(freeKey, e.KeyID, e.ClaimID)
	}
}

// freeLeft frees what was left; what the store does not take stays for the next time.
func (b *Books) freeLeft(ctx context.Context) error {
	var errs []error
	for _, e := range b.keyHolds.takeLeft() {
		errs = append(errs, b.EndKey(ctx, e))
	}
	return errors.Join(errs...)
}

// forgetKeys deletes the keys whose time is over, and returns when there are none.
func (b *Books) forgetKeys(ctx context.Context) error {
	for {
		expired, err := b.db.NewSelect().Model((*schema.IdempotencyKey)(nil)).Where("expires_at <= ?", b.instant(b.config.Now())).Exists(ctx)
		if err != nil || !expired {
			return err
		}
		err = b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
			t.add(forgetKeys, t.now)
			return nil
		}})
		if err != nil {
			return err
		}
	}
}
