package wasm

import (
	"context"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// decideCall is the handle of every decision: a policy sees no difference between its first call and any other.
const decideCall = 1

// Decide asks a policy. The result is the payload of its one Decision, which is the caller's. ctx bounds only the wait for
// an instance, since a guest can't be interrupted: its fuel ends it.
//
// The same module on the same input gives the same bytes and uses the same fuel, whatever ran before.
func (m *Module) Decide(ctx context.Context, input []byte) ([]byte, CallStats, error) {
	return m.AppendDecide(ctx, nil, input)
}

// AppendDecide is Decide that appends the decision to dst, which is returned as it was when there is an error.
func (m *Module) AppendDecide(ctx context.Context, dst, input []byte) ([]byte, CallStats, error) {
	var stats CallStats
	if m.kind != KindPolicy {
		return dst, stats, fmt.Errorf("plugin %s: %w: decide of an %s", m.spec.Name, ErrKind, m.kind)
	}
	began := time.Now()
	in, err := m.acquire(ctx)
	if err != nil {
		return dst, stats, err
	}
	defer m.giveBack(in)
	recs := [1]abi.Record{{Kind: abi.KindInput, Payload: input}}
	start := len(dst)
	dst, fuel, err := in.exchange(dst, abi.ExportDecide, &in.decideFunc, toDecision, decideCall, recs[:])
	m.counters.call(fuel, stats.add(fuel, began))
	if err != nil {
		return dst, stats, err
	}
	at, n, err := decision(dst[start:])
	if err != nil {
		return dst[:start], stats, in.protocol(abi.ExportDecide, "%v", err)
	}
	copy(dst[start:], dst[start+at:start+at+n])
	return dst[:start+n], stats, nil
}

// decision finds the payload of a batch that was checked and must hold one Decision.
func decision(batch []byte) (at, n int, err error) {
	r, err := abi.NewReader(batch)
	if err != nil {
		return 0, 0, err
	}
	if r.Count() != 1 {
		return 0, 0, fmt.Errorf("returned %d records, want one decision", r.Count())
	}
	rec, _, err := r.Next()
	return abi.BatchHeaderBytes + abi.RecordHeaderBytes, len(rec.Payload), err
}
