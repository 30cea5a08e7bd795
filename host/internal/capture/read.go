package capture

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ainfera-ai/router/schema"
)

// one reads the one row of model that the condition names. ErrNotFound when there is none.
func (b *Books) one(ctx context.Context, model any, where string, args ...any) error {
	err := b.db.NewSelect().Model(model).Where(where, args...).Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// Outcome reads a routing outcome. Its decision is packed: Decision gives the bytes.
func (b *Books) Outcome(ctx context.Context, id string) (schema.RoutingOutcome, error) {
	var o schema.RoutingOutcome
	if err := b.one(ctx, &o, "o.id = ?", id); err != nil {
		return o, fmt.Errorf("outcome %s: %w", id, err)
	}
	return o, nil
}

// Inference reads an inference.
func (b *Books) Inference(ctx context.Context, id string) (schema.Inference, error) {
	var i schema.Inference
	if err := b.one(ctx, &i, "i.id = ?", id); err != nil {
		return i, fmt.Errorf("inference %s: %w", id, err)
	}
	return i, nil
}

// OutcomeOf reads the outcome of an inference. ErrNotFound of a pinned one.
func (b *Books) OutcomeOf(ctx context.Context, inferenceID string) (schema.RoutingOutcome, error) {
	var o schema.RoutingOutcome
	if err := b.one(ctx, &o, "o.inference_id = ?", inferenceID); err != nil {
		return o, fmt.Errorf("outcome of %s: %w", inferenceID, err)
	}
	return o, nil
}

// Decision reads the policy's input and output, byte for byte as they were. Both are nil of a call for which no policy
// was asked.
func (b *Books) Decision(ctx context.Context, outcomeID string) (input, output []byte, err error) {
	o, err := b.Outcome(ctx, outcomeID)
	if err != nil {
		return nil, nil, err
	}
	return b.unpackBoth(ctx, &o)
}

func (b *Books) unpackBoth(ctx context.Context, o *schema.RoutingOutcome) (input, output []byte, err error) {
	if input, err = b.unpack(ctx, o.DecisionInput); err != nil {
		return nil, nil, fmt.Errorf("decision input of %s: %w", o.ID, err)
	}
	if output, err = b.unpack(ctx, o.Decision); err != nil {
		return nil, nil, fmt.Errorf("decision of %s: %w", o.ID, err)
	}
	return input, output, nil
}

// Bodies reads a call's request and response, which are kept only with Config.KeepBodies.
func (b *Books) Bodies(ctx context.Context, inferenceID string) (request, response []byte, err error) {
	var body schema.Body
	if err := b.one(ctx, &body, "inference_id = ?", inferenceID); err != nil {
		return nil, nil, fmt.Errorf("bodies of %s: %w", inferenceID, err)
	}
	if request, err = decompressed(body.Request); err != nil {
		return nil, nil, fmt.Errorf("request of %s: %w", inferenceID, err)
	}
	if response, err = decompressed(body.Response); err != nil {
		return nil, nil, fmt.Errorf("response of %s: %w", inferenceID, err)
	}
	return request, response, nil
}

func decompressed(body []byte) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return zstdDecoder.DecodeAll(body, nil)
}

// Wallet reads an agent's wallet.
func (b *Books) Wallet(ctx context.Context, agentID string) (Wallet, error) {
	var w schema.Wallet
	if err := b.one(ctx, &w, "w.agent_id = ?", agentID); err != nil {
		return Wallet{}, fmt.Errorf("wallet of %s: %w", agentID, err)
	}
	return Wallet{AgentID: w.AgentID, Mode: w.Mode, BalanceMicroUSD: w.BalanceMicroUSD}, nil
}

// Ledger lists an agent's newest entries, newest first.
func (b *Books) Ledger(ctx context.Context, agentID string, limit int) ([]schema.LedgerEntry, error) {
	var entries []schema.LedgerEntry
	err := b.db.NewSelect().Model(&entries).Where("agent_id = ?", agentID).Order("id DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("ledger of %s: %w", agentID, err)
	}
	return entries, nil
}

// Events lists an agent's audit events after sinceSeq, oldest first.
func (b *Books) Events(ctx context.Context, agentID string, sinceSeq int64, limit int) ([]ChainEvent, error) {
	var rows []schema.AuditEvent
	err := b.db.NewSelect().Model(&rows).Where("agent_id = ? AND seq > ?", agentID, sinceSeq).Order("seq").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("audit events of %s: %w", agentID, err)
	}
	events := make([]ChainEvent, len(rows))
	for i, r := range rows {
		events[i] = chainEvent(&r)
	}
	return events, nil
}

func chainEvent(r *schema.AuditEvent) ChainEvent {
	e := ChainEvent{
		AgentID: r.AgentID, Seq: r.Seq, EventType: r.EventType, Payload: json.RawMessage(r.Payload),
		EventHash: r.EventHash, CreatedAt: stamp(r.CreatedAt),
	}
	if r.PreviousHash != "" {
		e.PreviousHash = &r.PreviousHash
	}
	return e
}

// What a receipt's status may be.
const (
	ReceiptPending = "pending" // the call has not ended
	ReceiptSigned  = "signed"
)

// A Receipt is a receipt as it is handed out.
type Receipt struct {
	ID, InferenceID, AgentID string
	Status                   string
	// Document is the signed JSON, signature included; nil while pending.
	Document []byte
}

// Receipt reads the receipt of a call, from the moment the call began.
func (b *Books) Receipt(ctx context.Context, id string) (Receipt, error) {
	return b.ReceiptIn(ctx, OfOperator(), id)
}

func signedReceipt(r *schema.Receipt) Receipt {
	return Receipt{ID: r.ID, InferenceID: r.InferenceID, AgentID: r.AgentID, Status: ReceiptSigned, Document: receiptDocument(r)}
}

// SigningKeys lists the public keys that hosts of this store sign or signed with, oldest first.
func (b *Books) SigningKeys(ctx context.Context) ([]schema.SigningKey, error) {
	var keys []schema.SigningKey
	if err := b.db.NewSelect().Model(&keys).Order("created_at").Scan(ctx); err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return keys, nil
}

// publicText is the public half as tables and documents carry it.
func (s *Signer) publicText() string { return base64.StdEncoding.EncodeToString(s.Public()) }

// PutModule keeps a guest's bytes, once by digest, which is the hex SHA-256 of them.
func (b *Books) PutModule(ctx context.Context, digest, kind, name, version string, module []byte) error {
	if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != digest {
		return fmt.Errorf("keep module %s: its bytes have another digest than %s", name, digest)
	}
	known, err := b.db.NewSelect().Model((*schema.Module)(nil)).Where("digest = ?", digest).Exists(ctx)
	if err != nil {
		return fmt.Errorf("keep module %s: %w", name, unavailable(err))
	}
	if known {
		return nil
	}
	packed := zstdEncoder.EncodeAll(module, nil)
	err = b.writer.submit(ctx, &operation{alone: true, apply: func(t *batch) error {
		t.add(insertModule, digest, kind, name, version, packed, int64(len(module)), t.now)
		return nil
	}})
	if err != nil {
		return fmt.Errorf("keep module %s: %w", name, err)
	}
	return nil
}

// Module reads a guest's bytes and what it is.
func (b *Books) Module(ctx context.Context, digest string) (schema.Module, []byte, error) {
	var m schema.Module
	if err := b.one(ctx, &m, "m.digest = ?", digest); err != nil {
		return m, nil, fmt.Errorf("module %s: %w", digest, err)
	}
	data, err := zstdDecoder.DecodeAll(m.Bytes, nil)
	if err != nil {
		return m, nil, fmt.Errorf("module %s: %w", digest, err)
	}
	return m, data, nil
}
