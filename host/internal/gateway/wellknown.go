package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
)

// Proofs is what the gateway publishes of the books, for anybody to check what they promise.
type Proofs interface {
	Keys(ctx context.Context) ([]proof.Key, error)
	Roots(ctx context.Context, sinceSeq int64, limit int) (roots []proof.Root, more bool, err error)
}

var _ Proofs = (*capture.Books)(nil)

const (
	rootsListed = 100  // where a caller names no limit
	rootsMost   = 1000 // whatever it names
)

// publicKeys publishes the keys that receipts, heads and roots are signed with, former ones among them.
func (s *Server) publicKeys(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Proofs == nil {
		s.refuse(w, r, fail(codeNotFound, "this host publishes no keys"))
		return
	}
	keys, err := s.cfg.Proofs.Keys(r.Context())
	if err != nil {
		s.storeFailed(w, r, "keys", err)
		return
	}
	s.publish(w, r, proof.KeyList{Keys: keys})
}

// auditRoots publishes the newest roots, or those after ?since, oldest first.
func (s *Server) auditRoots(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Proofs == nil {
		s.refuse(w, r, fail(codeNotFound, "this host publishes no roots"))
		return
	}
	since, limit := int64(-1), int64(rootsListed)
	for _, p := range []struct {
		name  string
		dst   *int64
		least int64
	}{{"since", &since, 0}, {"limit", &limit, 1}} {
		text := r.URL.Query().Get(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < p.least {
			s.refuse(w, r, fail(codeInvalidRequest, p.name+" must be a whole number from "+strconv.FormatInt(p.least, 10)))
			return
		}
		*p.dst = n
	}
	roots, more, err := s.cfg.Proofs.Roots(r.Context(), since, int(min(limit, rootsMost)))
	if err != nil {
		s.storeFailed(w, r, "roots", err)
		return
	}
	s.publish(w, r, proof.RootList{Roots: roots, HasMore: more})
}

func (s *Server) storeFailed(w http.ResponseWriter, r *http.Request, what string, err error) {
	s.cfg.Logger.Error("store not read", "what", what, "error", err)
	s.refuse(w, r, fail(codeCaptureUnavailable, "the store can't be read at the moment"))
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request, document any) {
	body, err := json.Marshal(document)
	if err != nil {
		s.cfg.Logger.Error("document not written", "error", err)
		s.refuse(w, r, fail(codeInternal, "the document can't be written"))
		return
	}
	writeJSON(w, body)
}
