package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/merkle"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// errRootTaken means that another host made the root.
var errRootTaken = errors.New("another host made the root")

// keepRoots makes a root whenever one is due, until the books close.
func (b *Books) keepRoots() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	// Looking is cheap, and a host that looks more often than it is due takes over soon from one that is gone.
	tick := time.NewTicker(max(b.config.RootInterval/4, 10*time.Millisecond))
	defer tick.Stop()
	var looked time.Time // when the chains were last found where the last root has them
	for {
		select {
		case <-b.closing:
			return
		case <-tick.C:
		}
		now := b.config.Now()
		if now.Sub(looked) < b.config.RootInterval {
			continue
		}
		switch made, err := b.makeRoot(ctx); {
		case err != nil && ctx.Err() == nil:
			b.log.Warn("root over the audit chains not made", "error", err)
		case err == nil && made == rootUnchanged:
			looked = now
		}
	}
}

// What makeRoot came to.
type rootMade int

const (
	rootNotDue rootMade = iota
	rootUnchanged
	rootSigned
)

// makeRoot signs a root over all chains' heads, unless the last is not an interval old yet, whoever made it, or nothing
// has moved since. Of several hosts that try at once one succeeds.
func (b *Books) makeRoot(ctx context.Context) (rootMade, error) {
	last, err := lastRoot(ctx, b.db)
	if err != nil {
		return rootNotDue, err
	}
	now := b.config.Now().UTC().Truncate(time.Microsecond)
	// A last root that is far ahead was made by a clock that has been set back since: nobody waits for that time to come.
	if last != nil && now.Sub(last.SignedAt).Abs() < b.config.RootInterval {
		return rootNotDue, nil
	}
	heads, err := movedHeads(ctx, b.db)
	if err != nil {
		return rootNotDue, err
	}
	if !slices.ContainsFunc(heads, (*head).moved) {
		return rootUnchanged, nil
	}
	for _, h := range heads {
		if h.backwards() { // the root says what is; the head that was signed before stays as evidence
			b.log.Error("an audit chain is behind its signed head: run `ainfera audit verify`", "agent-id", h.AgentID, "seq", h.Seq, "signed-seq", h.SignedSeq.Int64)
		}
	}
	err = b.signRoot(ctx, last, heads, now)
	if errors.Is(err, errRootTaken) || isUnique(err) {
		return rootNotDue, nil
	}
	if err != nil {
		return rootNotDue, fmt.Errorf("write the root: %w", err)
	}
	return rootSigned, nil
}

func lastRoot(ctx context.Context, db bun.IDB) (*schema.AuditRoot, error) {
	r := new(schema.AuditRoot)
	err := db.NewSelect().Model(r).Order("root_seq DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last root: %w", err)
	}
	return r, nil
}

// A head is where a chain is, and where the last root has it.
type head struct {
	AgentID    string         `bun:"agent_id"`
	Seq        int64          `bun:"seq"`
	EventHash  string         `bun:"event_hash"`
	SignedSeq  sql.NullInt64  `bun:"signed_seq"`
	SignedHash sql.NullString `bun:"signed_hash"`
}

// moved reports whether the next root has something new to say of it.
func (h *head) moved() bool { return h.SignedSeq.Int64 != h.Seq || h.SignedHash.String != h.EventHash }

// backwards reports whether the chain is not as far as it was signed to be, which no booking does.
func (h *head) backwards() bool {
	return h.SignedSeq.Valid && h.moved() && h.SignedSeq.Int64 >= h.Seq
}

func (h *head) leaf() proof.Leaf {
	return proof.Leaf{AgentID: h.AgentID, EventHash: h.EventHash, Seq: h.Seq}
}

// movedHeads reads every chain's head in the order of the agents' ids, which is that of their bytes and not of the
// store's language. One statement sees one moment.
func movedHeads(ctx context.Context, db bun.IDB) ([]*head, error) {
	var heads []*head
	err := db.NewSelect().TableExpr("audit_heads AS h").Column("h.agent_id", "h.seq", "h.event_hash").
		ColumnExpr("p.seq AS signed_seq, p.event_hash AS signed_hash").
		Join("LEFT JOIN audit_signed_heads AS p ON p.agent_id = h.agent_id AND p.root_seq = "+
			"(SELECT max(x.root_seq) FROM audit_signed_heads AS x WHERE x.agent_id = h.agent_id)").
		Where("h.seq > 0").Scan(ctx, &heads)
	if err != nil {
		return nil, fmt.Errorf("read the chains' heads: %w", err)
	}
	slices.SortFunc(heads, func(a, b *head) int { return strings.Compare(a.AgentID, b.AgentID) })
	return heads, nil
}

var selectLastRoot = &statement{
	sqlite:   `SELECT coalesce(max(root_seq), 0) FROM audit_roots WHERE root_seq >= ?`,
	postgres: `SELECT coalesce(max(root_seq), 0) FROM audit_roots WHERE root_seq >= ANY($1)`,
	params:   []string{"bigint"},
}

// signRoot writes the root that follows last. Two hosts that read the same last write the same key, so that one is
// refused.
func (b *Books) signRoot(ctx context.Context, last *schema.AuditRoot, heads []*head, now time.Time) error {
	signer := b.Signer()
	root := proof.Root{KeyID: signer.KeyID(), RootSeq: 1, SignedAt: stamp(now), TreeSize: int64(len(heads)), Type: proof.TypeRoot}
	if last != nil {
		previous := publishedRoot(last).Hash()
		root.PreviousHash, root.RootSeq = &previous, last.RootSeq+1
	}
	leaves := make([]merkle.Hash, len(heads))
	var rows [][]any
	for i, h := range heads {
		leaves[i] = h.leaf().Hash()
		if h.moved() {
			signed := proof.Head{AgentID: h.AgentID, EventHash: h.EventHash, KeyID: root.KeyID, RootSeq: root.RootSeq,
				Seq: h.Seq, SignedAt: root.SignedAt, Type: proof.TypeHead}
			rows = append(rows, []any{h.AgentID, root.RootSeq, h.Seq, h.EventHash, root.KeyID, signer.Sign(signed.Body()), now})
		}
	}
	root.RootHash = merkle.New(leaves).Root().String()
	root.Signature = signer.Sign(root.Body())
	return b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		taken := int64(0)
		err := t.query(selectLastRoot, []any{root.RootSeq}, func(row []driver.Value) error {
			taken = asInt(row[0])
			return nil
		})
		if err != nil {
			return err
		}
		if taken > 0 {
			return errRootTaken
		}
		t.add(insertRoot, root.RootSeq, root.RootHash, root.TreeSize, textOf(root.PreviousHash), root.KeyID, root.Signature, now)
		for _, r := range rows {
			t.add(insertSignedHead, r...)
		}
		return nil
	}})
}

func textOf(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

func publishedRoot(r *schema.AuditRoot) proof.Root {
	root := proof.Root{KeyID: r.KeyID, RootHash: r.RootHash, RootSeq: r.RootSeq, Signature: r.Signature,
		SignedAt: stamp(r.SignedAt), TreeSize: r.TreeSize, Type: proof.TypeRoot}
	if r.PreviousHash != "" {
		root.PreviousHash = &r.PreviousHash
	}
	return root
}

func publishedHead(h *schema.AuditSignedHead) proof.Head {
	return proof.Head{AgentID: h.AgentID, EventHash: h.EventHash, KeyID: h.KeyID, RootSeq: h.RootSeq, Seq: h.Seq,
		Signature: h.Signature, SignedAt: stamp(h.SignedAt), Type: proof.TypeHead}
}

// Roots lists roots after sinceSeq, oldest first, or with sinceSeq below zero the newest, oldest first as well; more says
// whether there are later ones.
func (b *Books) Roots(ctx context.Context, sinceSeq int64, limit int) (roots []proof.Root, more bool, err error) {
	var rows []schema.AuditRoot
	q := b.db.NewSelect().Model(&rows)
	if sinceSeq < 0 {
		q = q.Order("root_seq DESC").Limit(int64(limit))
	} else {
		q = q.Where("root_seq > ?", sinceSeq).Order("root_seq").Limit(int64(limit) + 1)
	}
	if err := q.Scan(ctx); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, false, fmt.Errorf("roots: %w", err)
	}
	if sinceSeq < 0 {
		slices.Reverse(rows)
	} else if len(rows) > limit {
		rows, more = rows[:limit], true
	}
	roots = make([]proof.Root, len(rows))
	for i := range rows {
		roots[i] = publishedRoot(&rows[i])
	}
	return roots, more, nil
}

// Prove proves that a root has an agent's head. A root that is named by neither is the newest. ErrNotFound when there is
// no such root, or it has no head of the agent.
func (b *Books) Prove(ctx context.Context, agentID string, rootSeq int64, rootHash string) (proof.Inclusion, error) {
	i, err := prove(ctx, b.db, agentID, rootSeq, rootHash)
	if err != nil {
		return proof.Inclusion{}, fmt.Errorf("prove the chain of %s: %w", agentID, err)
	}
	return *i, nil
}

func prove(ctx context.Context, db bun.IDB, agentID string, rootSeq int64, rootHash string) (*proof.Inclusion, error) {
	var root schema.AuditRoot
	q := db.NewSelect().Model(&root).Order("root_seq DESC").Limit(1)
	if rootSeq > 0 {
		q = q.Where("root_seq = ?", rootSeq)
	}
	if rootHash != "" {
		q = q.Where("root_hash = ?", rootHash)
	}
	if err := q.Scan(ctx); errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("root: %w", ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	leaves, err := leavesOf(ctx, db, root.RootSeq)
	if err != nil {
		return nil, err
	}
	at, ok := slices.BinarySearchFunc(leaves, agentID, func(l proof.Leaf, id string) int { return strings.Compare(l.AgentID, id) })
	if !ok {
		return nil, fmt.Errorf("its head in root %d: %w", root.RootSeq, ErrNotFound)
	}
	hashes := make([]merkle.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	i := &proof.Inclusion{Leaf: leaves[at], RootSeq: root.RootSeq, RootHash: root.RootHash, LeafIndex: int64(at), TreeSize: int64(len(leaves))}
	for _, h := range merkle.New(hashes).Path(at) {
		i.Path = append(i.Path, h.String())
	}
	return i, nil
}

// leavesOf reads a root's leaves, in order: of each chain the newest signed head up to it.
func leavesOf(ctx context.Context, db bun.IDB, rootSeq int64) ([]proof.Leaf, error) {
	var rows []schema.AuditSignedHead
	err := db.NewSelect().Model(&rows).Column("p.agent_id", "p.seq", "p.event_hash").
		Join("JOIN audit_heads AS h ON h.agent_id = p.agent_id").
		Where("p.root_seq = (SELECT max(x.root_seq) FROM audit_signed_heads AS x WHERE x.agent_id = h.agent_id AND x.root_seq <= ?)", rootSeq).
		Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the leaves of root %d: %w", rootSeq, err)
	}
	leaves := make([]proof.Leaf, len(rows))
	for i := range rows {
		leaves[i] = proof.Leaf{AgentID: rows[i].AgentID, EventHash: rows[i].EventHash, Seq: rows[i].Seq}
	}
	slices.SortFunc(leaves, func(a, b proof.Leaf) int { return strings.Compare(a.AgentID, b.AgentID) })
	return leaves, nil
}
