package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// A key is changed in steps of which each may be the last before the power goes: the new private half lies in
// nextKeyFile; its public half is in the store; it takes the place of signingKeyFile; this host signs with it; and only
// then, behind every transaction that the old one signed in, the old one is retired. Whoever holds the host's lock goes
// through them: the running host, within a second, or the command where there is none, or the next start.

// ErrKeyInUse means that the key still signs.
var ErrKeyInUse = errors.New("the key still signs")

// A Rotation is what RotateKey did.
type Rotation struct {
	KeyID    string // the new key
	Replaces string
	// Waiting is set when the host that runs on this directory has not taken the key yet; it will, or its next start.
	Waiting bool
}

// rotateWait is how long RotateKey waits for the running host, and rotatePoll how often it looks.
const (
	rotateWait = 15 * time.Second
	rotatePoll = 50 * time.Millisecond
)

// RotateKey gives the host of this directory a new signing key. The running host takes it within a second; where none
// runs it is in force when RotateKey returns. A rotation that was cut short is ended.
func (b *Books) RotateKey(ctx context.Context) (Rotation, error) {
	old, err := readSigner(b.config.disk, filepath.Join(b.config.Dir, signingKeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Rotation{}, fmt.Errorf("%s has no signing key yet: a host makes one at its first start", b.config.Dir)
	}
	if err != nil {
		return Rotation{}, err
	}
	next := filepath.Join(b.config.Dir, nextKeyFile)
	fresh, err := readSigner(b.config.disk, next)
	if errors.Is(err, fs.ErrNotExist) {
		fresh, err = newSigner(b.config.disk, next)
	}
	if err != nil {
		return Rotation{}, err
	}
	r := Rotation{KeyID: fresh.KeyID(), Replaces: old.KeyID()}
	if l, err := lockFile(filepath.Join(b.config.Dir, "host.lock")); err == nil {
		return r, errors.Join(b.adoptKey(ctx), l.unlock())
	} else if !errors.Is(err, errLocked) {
		return r, err
	}
	r.Waiting, err = b.stillSigns(ctx, old.KeyID())
	return r, err
}

// stillSigns waits for the running host to retire a key, for a while, and reports whether it has not.
func (b *Books) stillSigns(ctx context.Context, id string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, rotateWait)
	defer cancel()
	tick := time.NewTicker(rotatePoll)
	defer tick.Stop()
	for {
		retired, err := b.db.NewSelect().Model((*schema.SigningKey)(nil)).Where("g.id = ? AND g.retired_at IS NOT NULL", id).Exists(ctx)
		switch {
		case retired:
			return false, nil
		case err != nil && ctx.Err() == nil:
			return true, fmt.Errorf("look whether the host has taken the key: %w", err)
		}
		select {
		case <-ctx.Done():
			return true, nil
		case <-tick.C:
		}
	}
}

// adoptKey begins to sign with the key that waits, if there is one, and retires the one before it. It may be called
// again after any error. Only who holds the host's lock may call it.
func (b *Books) adoptKey(ctx context.Context) error {
	path := filepath.Join(b.config.Dir, nextKeyFile)
	next, err := readSigner(b.config.disk, path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take the new signing key: %w", err)
	}
	if err == nil {
		if err := b.announceKey(ctx, next, b.Signer().KeyID()); err != nil {
			return fmt.Errorf("announce the new signing key: %w", err)
		}
		if err := b.config.disk.rename(path, filepath.Join(b.config.Dir, signingKeyFile)); err != nil {
			return fmt.Errorf("take the new signing key: %w", err)
		}
		b.signer.Store(next)
		b.retireDue = true
		b.log.Info("signing with a new key", "key-id", next.KeyID())
		if err := b.config.disk.syncDir(b.config.Dir); err != nil {
			return fmt.Errorf("take the new signing key: %w", err)
		}
	}
	return b.retireKey(ctx)
}

var selectKey = &statement{
	sqlite:   `SELECT id FROM signing_keys WHERE id = ?`,
	postgres: `SELECT id FROM signing_keys WHERE id = ANY($1)`,
	params:   []string{"text"},
}

// announceKey puts the public half into the store, with an event in the operators' chain, once.
func (b *Books) announceKey(ctx context.Context, s *Signer, replaces string) error {
	return b.writer.submit(ctx, &operation{agentID: schema.OperatorChain, alone: true, apply: func(t *batch) error {
		known := false
		err := t.query(selectKey, []any{s.KeyID()}, func([]driver.Value) error {
			known = true
			return nil
		})
		if err != nil || known {
			return err
		}
		a, err := t.account(schema.OperatorChain)
		if err != nil {
			return err
		}
		t.add(insertSigningKey, s.KeyID(), s.publicText(), t.now, replaces)
		o := newObject(192)
		o.text("key_id", s.KeyID())
		o.text("public_key", s.publicText())
		o.text("replaces", replaces)
		t.event(a, "key.rotated", o.end(), t.now)
		return nil
	}})
}

// selectReplaced finds what a key took the place of and is not retired yet.
var selectReplaced = &statement{
	sqlite: `SELECT o.id FROM signing_keys n JOIN signing_keys o ON o.id = n.replaces WHERE n.id = ? AND o.retired_at IS NULL`,
	postgres: `SELECT o.id FROM signing_keys n JOIN signing_keys o ON o.id = n.replaces
		WHERE n.id = ANY($1) AND o.retired_at IS NULL`,
	params: []string{"text"},
}

// retireKey ends the key before the one in force. The writer is one after the other, so that whatever the old key signed
// is committed by now.
func (b *Books) retireKey(ctx context.Context) error {
	err := b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		return t.query(selectReplaced, []any{b.Signer().KeyID()}, func(row []driver.Value) error {
			t.add(retireSigningKey, t.now, asText(row[0]))
			return nil
		})
	}})
	if err != nil {
		return fmt.Errorf("retire the former signing key: %w", err)
	}
	b.retireDue = false
	return nil
}

// RevokeKey takes back the trust in a key, from now on: what it signs after is worth nothing. ErrNotFound, and
// ErrKeyInUse of a key that is not retired, since its host would go on signing with it.
func (b *Books) RevokeKey(ctx context.Context, id string) error {
	var k schema.SigningKey
	err := b.db.NewSelect().Model(&k).Where("g.id = ?", id).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("key %s: %w", id, ErrNotFound)
	case err != nil:
		return fmt.Errorf("key %s: %w", id, err)
	case k.RetiredAt == nil:
		return fmt.Errorf("key %s: %w: rotate it on its host first", id, ErrKeyInUse)
	case k.RevokedAt != nil:
		return nil
	}
	err = b.writer.submit(ctx, &operation{agentID: schema.OperatorChain, alone: true, apply: func(t *batch) error {
		a, err := t.account(schema.OperatorChain)
		if err != nil {
			return err
		}
		t.add(revokeSigningKey, t.now, id)
		o := newObject(64)
		o.text("key_id", id)
		t.event(a, "key.revoked", o.end(), t.now)
		return nil
	}})
	if err != nil {
		return fmt.Errorf("revoke key %s: %w", id, err)
	}
	return nil
}

// Keys lists the keys that hosts of this store sign or signed with, as they are published, oldest first.
func (b *Books) Keys(ctx context.Context) ([]proof.Key, error) {
	rows, err := b.SigningKeys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]proof.Key, len(rows))
	for i := range rows {
		keys[i] = publishedKey(&rows[i])
	}
	return keys, nil
}

// Keyring is the same, to verify with.
func (b *Books) Keyring(ctx context.Context) (proof.Keyring, error) {
	keys, err := b.Keys(ctx)
	if err != nil {
		return nil, err
	}
	ring := proof.Keyring{}
	for i := range keys {
		if err := ring.Add(&keys[i]); err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
	}
	return ring, nil
}

func publishedKey(k *schema.SigningKey) proof.Key {
	return proof.Key{
		KeyID: k.ID, Algorithm: proof.KeyAlgorithm, PublicKey: k.PublicKey, CreatedAt: stamp(k.CreatedAt),
		RetiredAt: stampOrNil(k.RetiredAt), RevokedAt: stampOrNil(k.RevokedAt), Replaces: k.Replaces,
	}
}

func stampOrNil(t *time.Time) *string {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}
