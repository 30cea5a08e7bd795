package capture

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// An ExportScope says what to export.
type ExportScope struct {
	// AgentID is one agent's chain, or schema.OperatorChain; empty is all of them.
	AgentID string
	// SinceSeq leaves out the events up to it, of one agent.
	SinceSeq int64
	// Roots are root hashes under which one agent's chain is to be proven, besides the newest, where they have it.
	Roots []string
}

// Export hands the store's audit records to put, in the order that proof.Record documents. It reads one moment, so that
// it may run while calls are taken, a page at a time. ErrUnknownAgent when there is no such chain. put must not
// keep the record.
func (b *Books) Export(ctx context.Context, scope ExportScope, put func(*proof.Record) error) error {
	if scope.SinceSeq != 0 && scope.AgentID == "" {
		return errors.New("export: only one agent's chain can begin later")
	}
	err := b.snapshot(ctx, func(tx bun.Tx) error { return export(ctx, tx, b.config.Now(), scope, put) })
	if err != nil {
		return fmt.Errorf("export the audit chains: %w", err)
	}
	return nil
}

// snapshot lets read see one moment of the store.
func (b *Books) snapshot(ctx context.Context, read func(bun.Tx) error) error {
	options := &sql.TxOptions{ReadOnly: true}
	if _, ok := sqlitePath(b.config.DSN); !ok {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := b.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it only read
	return read(tx)
}

// An exporter reads one export. PostgreSQL's connection carries one query at a time, so that everything is read in pages.
type exporter struct {
	ctx   context.Context // of the one call that it lives for
	db    bun.IDB
	scope ExportScope
	put   func(*proof.Record) error
}

func export(ctx context.Context, db bun.IDB, now time.Time, scope ExportScope, put func(*proof.Record) error) error {
	e := &exporter{ctx: ctx, db: db, scope: scope, put: put}
	header := &proof.Header{Format: proof.ExportFormat, AgentID: scope.AgentID, SinceSeq: scope.SinceSeq, ExportedAt: stamp(now)}
	if err := put(&proof.Record{Export: header}); err != nil {
		return err
	}
	for _, step := range []func() error{e.keys, e.roots, e.chains, e.strayReceipts} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) keys() error {
	var rows []schema.SigningKey
	if err := e.db.NewSelect().Model(&rows).Order("created_at", "id").Scan(e.ctx); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	for i := range rows {
		k := publishedKey(&rows[i])
		if err := e.put(&proof.Record{Key: &k}); err != nil {
			return err
		}
	}
	return nil
}

// exportPage is how many rows are read at once.
const exportPage = 500

// roots are all of them with their leaves, or those in which one chain moved, the asked and the newest.
func (e *exporter) roots() error {
	for after := int64(0); ; {
		var page []schema.AuditRoot
		q := e.db.NewSelect().Model(&page).Where("q.root_seq > ?", after).Order("q.root_seq").Limit(exportPage)
		if id := e.scope.AgentID; id != "" {
			q = q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
				q = q.Where("q.root_seq IN (SELECT p.root_seq FROM audit_signed_heads AS p WHERE p.agent_id = ?)", id).
					WhereOr("q.root_seq = (SELECT max(x.root_seq) FROM audit_roots AS x)")
				if len(e.scope.Roots) > 0 {
					q = q.WhereOr("q.root_hash IN (?)", bun.List(e.scope.Roots))
				}
				return q
			})
		}
		if err := q.Scan(e.ctx); err != nil {
			return fmt.Errorf("roots: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		if e.scope.AgentID == "" {
			if err := e.leaves(page[0].RootSeq, page); err != nil {
				return err
			}
		} else if err := e.putRoots(page); err != nil {
			return err
		}
		after = page[len(page)-1].RootSeq
	}
}

func (e *exporter) putRoots(roots []schema.AuditRoot) error {
	for i := range roots {
		document, err := json.Marshal(publishedRoot(&roots[i]))
		if err != nil {
			return err
		}
		if err := e.put(&proof.Record{Root: document}); err != nil {
			return err
		}
	}
	return nil
}

// leaves puts each root behind the leaves that moved with it.
func (e *exporter) leaves(after int64, roots []schema.AuditRoot) error {
	last := roots[len(roots)-1].RootSeq
	rootSeq, agent := after-1, ""
	for {
		var page []schema.AuditSignedHead
		err := e.db.NewSelect().Model(&page).Where("p.root_seq <= ?", last).
			Where("p.root_seq > ? OR p.root_seq = ? AND p.agent_id > ?", rootSeq, rootSeq, agent).
			Order("p.root_seq", "p.agent_id").Limit(exportPage).Scan(e.ctx)
		if err != nil {
			return fmt.Errorf("leaves: %w", err)
		}
		for i := range page {
			h := &page[i]
			for len(roots) > 0 && roots[0].RootSeq < h.RootSeq {
				if err := e.putRoots(roots[:1]); err != nil {
					return err
				}
				roots = roots[1:]
			}
			leaf := &proof.RootLeaf{RootSeq: h.RootSeq, Leaf: proof.Leaf{AgentID: h.AgentID, EventHash: h.EventHash, Seq: h.Seq}}
			if err := e.put(&proof.Record{Leaf: leaf}); err != nil {
				return err
			}
			rootSeq, agent = h.RootSeq, h.AgentID
		}
		if len(page) < exportPage {
			return e.putRoots(roots)
		}
	}
}

// chains are those that have a head, and those that have events although they have none.
func (e *exporter) chains() error {
	var heads []schema.AuditHead
	q := e.db.NewSelect().Model(&heads)
	if e.scope.AgentID != "" {
		q = q.Where("agent_id = ?", e.scope.AgentID)
	}
	if err := q.Scan(e.ctx); err != nil {
		return fmt.Errorf("heads: %w", err)
	}
	if e.scope.AgentID != "" && len(heads) == 0 {
		return fmt.Errorf("%w: %s has no chain", ErrUnknownAgent, e.scope.AgentID)
	}
	if e.scope.AgentID == "" {
		var headless []string
		err := e.db.NewSelect().TableExpr("audit_events AS e").ColumnExpr("DISTINCT e.agent_id").
			Where("NOT EXISTS (SELECT 1 FROM audit_heads AS h WHERE h.agent_id = e.agent_id)").Scan(e.ctx, &headless)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("chains without a head: %w", err)
		}
		for _, id := range headless {
			heads = append(heads, schema.AuditHead{AgentID: id})
		}
	}
	slices.SortFunc(heads, func(a, b schema.AuditHead) int { return strings.Compare(a.AgentID, b.AgentID) })
	for i := range heads {
		if err := e.chain(&heads[i]); err != nil {
			return fmt.Errorf("chain of %s: %w", heads[i].AgentID, err)
		}
	}
	return nil
}

func (e *exporter) chain(h *schema.AuditHead) error {
	start := &proof.ChainHead{AgentID: h.AgentID, HeadSeq: h.Seq, HeadHash: h.EventHash}
	if err := e.put(&proof.Record{Chain: start}); err != nil {
		return err
	}
	proofs, err := e.proofs()
	if err != nil {
		return err
	}
	c := &chainExporter{exporter: e, agentID: h.AgentID, proofs: proofs}
	for after := e.scope.SinceSeq; ; {
		var page []schema.AuditEvent
		err := e.db.NewSelect().Model(&page).Where("agent_id = ? AND seq > ?", h.AgentID, after).Order("seq").Limit(exportPage).Scan(e.ctx)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return c.rest()
		}
		if err := c.page(page); err != nil {
			return err
		}
		after = page[len(page)-1].Seq
	}
}

// proofs are of one agent's export: under the newest root and those that were asked for.
func (e *exporter) proofs() ([]*proof.Inclusion, error) {
	if e.scope.AgentID == "" {
		return nil, nil
	}
	var proofs []*proof.Inclusion
	for _, hash := range append([]string{""}, e.scope.Roots...) {
		p, err := prove(e.ctx, e.db, e.scope.AgentID, 0, hash)
		if errors.Is(err, ErrNotFound) {
			continue // which whoever asked for it is told when he verifies
		}
		if err != nil {
			return nil, fmt.Errorf("prove under root %s: %w", hash, err)
		}
		if !slices.ContainsFunc(proofs, func(q *proof.Inclusion) bool { return q.RootSeq == p.RootSeq }) {
			proofs = append(proofs, p)
		}
	}
	slices.SortFunc(proofs, func(a, b *proof.Inclusion) int { return int(a.Seq - b.Seq) })
	return proofs, nil
}

// A chainExporter puts one chain's events with what names them.
type chainExporter struct {
	*exporter
	agentID string
	proofs  []*proof.Inclusion
	heads   []schema.AuditSignedHead // read and not put yet
	root    int64                    // of the last head that was read
	none    bool                     // there are no more heads to read
}

func (c *chainExporter) page(events []schema.AuditEvent) error {
	receipts, err := c.receipts(events)
	if err != nil {
		return err
	}
	for i := range events {
		event := chainEvent(&events[i])
		if !json.Valid(event.Payload) {
			event.PayloadText, event.Payload = string(event.Payload), json.RawMessage("null")
		}
		if err := c.put(&proof.Record{Event: &event}); err != nil {
			return err
		}
		if r := receipts[event.Seq]; r != nil {
			if err := c.put(&proof.Record{Receipt: receiptDocument(r)}); err != nil {
				return err
			}
		}
		if err := c.upTo(event.Seq); err != nil {
			return err
		}
	}
	return nil
}

// receipts finds the receipts of a page's events, by the number of the event that each names.
func (c *chainExporter) receipts(events []schema.AuditEvent) (map[int64]*schema.Receipt, error) {
	var ids []string
	for i := range events {
		var p struct {
			ReceiptID string `json:"receipt_id"`
		}
		if events[i].EventType == eventReceiptCreated && json.Unmarshal([]byte(events[i].Payload), &p) == nil {
			ids = append(ids, p.ReceiptID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []schema.Receipt
	if err := c.db.NewSelect().Model(&rows).Where("r.id IN (?) AND r.agent_id = ?", bun.List(ids), c.agentID).Scan(c.ctx); err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	found := make(map[int64]*schema.Receipt, len(rows))
	for i := range rows {
		found[rows[i].AuditSeq] = &rows[i]
	}
	return found, nil
}

// receiptDocument is a receipt as it is handed out. A body that is no JSON object any more is put as the text that it is.
func receiptDocument(r *schema.Receipt) []byte {
	if body, ok := strings.CutSuffix(r.Body, "}"); ok {
		signature, err := json.Marshal(r.Signature)
		if document := append([]byte(body), `,"signature":`+string(signature)+`}`...); err == nil && json.Valid(document) {
			return document
		}
	}
	text, _ := json.Marshal(r.Body) // a string can't fail
	return text
}

// upTo puts the signed heads and the proofs of events up to seq.
func (c *chainExporter) upTo(seq int64) error {
	for {
		if len(c.heads) == 0 && !c.none {
			if err := c.readHeads(); err != nil {
				return err
			}
		}
		if len(c.heads) == 0 || c.heads[0].Seq > seq {
			break
		}
		document, err := json.Marshal(publishedHead(&c.heads[0]))
		if err != nil {
			return err
		}
		if err := c.put(&proof.Record{Head: document}); err != nil {
			return err
		}
		c.heads = c.heads[1:]
	}
	for len(c.proofs) > 0 && c.proofs[0].Seq <= seq {
		if err := c.put(&proof.Record{Proof: c.proofs[0]}); err != nil {
			return err
		}
		c.proofs = c.proofs[1:]
	}
	return nil
}

func (c *chainExporter) readHeads() error {
	c.heads = nil
	err := c.db.NewSelect().Model(&c.heads).Where("p.agent_id = ? AND p.root_seq > ?", c.agentID, c.root).
		Order("p.root_seq").Limit(exportPage).Scan(c.ctx)
	if err != nil {
		return fmt.Errorf("signed heads: %w", err)
	}
	if c.none = len(c.heads) < exportPage; len(c.heads) > 0 {
		c.root = c.heads[len(c.heads)-1].RootSeq
	}
	return nil
}

// rest puts what is signed of events that are not there.
func (c *chainExporter) rest() error { return c.upTo(1<<63 - 1) }

// strayReceipts are those whose event is not where they say.
func (e *exporter) strayReceipts() error {
	for after := ""; ; {
		var page []schema.Receipt
		q := e.db.NewSelect().Model(&page).
			Join("LEFT JOIN audit_events AS e ON e.agent_id = r.agent_id AND e.seq = r.audit_seq").
			Where("e.event_type IS NULL OR e.event_type <> ? OR e.payload NOT LIKE '%\"receipt_id\":\"' || r.id || '\"%'", eventReceiptCreated).
			Where("r.id > ? AND r.audit_seq > ?", after, e.scope.SinceSeq).Order("r.id").Limit(exportPage)
		if e.scope.AgentID != "" {
			q = q.Where("r.agent_id = ?", e.scope.AgentID)
		}
		if err := q.Scan(e.ctx); err != nil {
			return fmt.Errorf("receipts without their event: %w", err)
		}
		if len(page) == 0 {
			return nil
		}
		for i := range page {
			if err := e.put(&proof.Record{Stray: receiptDocument(&page[i])}); err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}
