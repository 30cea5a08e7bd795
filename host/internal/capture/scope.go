package capture

import (
	"context"
	"errors"
	"fmt"

	"github.com/ainfera-ai/router/schema"
)

// A Scope is whose records a reader may see. What lies outside of it is not there: a reading says ErrNotFound or
// ErrUnknownAgent as for what never was, after the same queries. The zero Scope holds nothing.
type Scope struct {
	tenantID string
	all      bool
}

// OfTenant is the scope of whoever has a key of the tenant's.
func OfTenant(id string) Scope { return Scope{tenantID: id} }

// OfOperator is every tenant's records.
func OfOperator() Scope { return Scope{all: true} }

// AgentIn finds an agent of the scope by its id alone.
func (b *Books) AgentIn(ctx context.Context, s Scope, id string) (Agent, error) {
	return b.oneAgent(ctx, "(? OR a.tenant_id = ?) AND a.id = ?", s.all, s.tenantID, id)
}

// InferenceIn reads an inference of the scope.
func (b *Books) InferenceIn(ctx context.Context, s Scope, id string) (schema.Inference, error) {
	var i schema.Inference
	err := b.one(ctx, &i, "i.id = ? AND (? OR i.tenant_id = ?)", id, s.all, s.tenantID)
	if err != nil {
		return i, fmt.Errorf("inference %s: %w", id, err)
	}
	return i, nil
}

// ReceiptIn reads a receipt of the scope, as Receipt does.
func (b *Books) ReceiptIn(ctx context.Context, s Scope, id string) (Receipt, error) {
	var r schema.Receipt
	err := b.one(ctx, &r, "r.id = ? AND (? OR EXISTS (SELECT 1 FROM agents AS a WHERE a.id = r.agent_id AND a.tenant_id = ?))", id, s.all, s.tenantID)
	if err == nil {
		return signedReceipt(&r), nil
	}
	var i schema.Inference
	if errors.Is(err, ErrNotFound) {
		err = b.one(ctx, &i, "i.receipt_id = ? AND i.status = 'pending' AND (? OR i.tenant_id = ?)", id, s.all, s.tenantID)
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("receipt %s: %w", id, err)
	}
	return Receipt{ID: id, InferenceID: i.ID, AgentID: i.AgentID, Status: ReceiptPending}, nil
}

// A CapChange is what is to become of one cap: nothing, unless Set; then MicroUSD, of which nil is no cap.
type CapChange struct {
	Set      bool
	MicroUSD *int64
}

func (c CapChange) apply(to **int64) {
	if c.Set {
		*to = c.MicroUSD
	}
}

// ChangeSpendPolicy changes an agent's caps one by one and returns what they are then; two changes at once both count.
func (b *Books) ChangeSpendPolicy(ctx context.Context, agentID string, perCall, daily CapChange) (perCallMicroUSD, dailyMicroUSD *int64, err error) {
	if negative(perCall.MicroUSD) || negative(daily.MicroUSD) {
		return nil, nil, errors.New("a cap is below zero")
	}
	err = b.changeAgent(ctx, agentID, func(t *batch, a *account) {
		perCallMicroUSD, dailyMicroUSD = a.perCall, a.daily
		perCall.apply(&perCallMicroUSD)
		daily.apply(&dailyMicroUSD)
		a.perCall, a.daily = perCallMicroUSD, dailyMicroUSD
		t.add(updateCaps, number(perCallMicroUSD), number(dailyMicroUSD), t.now, a.agentID)
	})
	return perCallMicroUSD, dailyMicroUSD, err
}
