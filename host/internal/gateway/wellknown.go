package gateway

import (
	"context"
	"math"
	"net/http"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
)

// Proofs is what anybody may have of the books to check what they promise, and an agent of its own chain.
type Proofs interface {
	Keys(ctx context.Context) ([]proof.Key, error)
	Roots(ctx context.Context, sinceSeq int64, limit int) (roots []proof.Root, more bool, err error)
	Prove(ctx context.Context, agentID string, rootSeq int64, rootHash string) (proof.Inclusion, error)
}

var _ Proofs = (*capture.Books)(nil)

const (
	rootsListed = 100  // where a caller names no limit
	rootsMost   = 1000 // that it may name
)

// proving is the endpoints of a server that publishes.
func proving(answer func(*visit, Proofs) (int, any, error)) func(*visit) (int, any, error) {
	return func(v *visit) (int, any, error) {
		if v.s.cfg.Proofs == nil {
			return 0, nil, capture.ErrNotFound
		}
		return answer(v, v.s.cfg.Proofs)
	}
}

// publicKeys is GET /.well-known/ainfera-public-key.json: the keys that receipts, heads and roots are signed with, former
// ones among them.
func publicKeys(v *visit, p Proofs) (int, any, error) {
	keys, err := p.Keys(v.r.Context())
	return http.StatusOK, proof.KeyList{Keys: keys}, err
}

// auditRoots is GET /.well-known/ainfera-audit-roots.json: the newest roots, or those after since, oldest first.
func auditRoots(v *visit, p Proofs) (int, any, error) {
	since, err := v.number("since", -1, 0, math.MaxInt64)
	if err != nil {
		return 0, nil, err
	}
	limit, err := v.number("limit", rootsListed, 1, rootsMost)
	if err != nil {
		return 0, nil, err
	}
	roots, more, err := p.Roots(v.r.Context(), since, int(limit))
	return http.StatusOK, proof.RootList{Roots: roots, HasMore: more}, err
}

// proveChain is GET /v1/audit/{agent_id}/proof: that a root, the newest or that of the number root, has the chain's head.
func proveChain(v *visit, p Proofs) (int, any, error) {
	root, err := v.number("root", 0, 1, math.MaxInt64)
	if err != nil {
		return 0, nil, err
	}
	id, err := v.chainHere()
	if err != nil {
		return 0, nil, err
	}
	inclusion, err := p.Prove(v.r.Context(), id, root, "")
	return http.StatusOK, inclusion, err
}
