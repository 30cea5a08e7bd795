package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
)

// A publisher remembers what was asked for.
type publisher struct {
	since int64
	limit int
	root  int64
	err   error
}

func (a *publisher) Keys(context.Context) ([]proof.Key, error) {
	return []proof.Key{{KeyID: "k", Algorithm: proof.KeyAlgorithm}}, a.err
}

func (a *publisher) Roots(_ context.Context, since int64, limit int) ([]proof.Root, bool, error) {
	a.since, a.limit = since, limit
	return []proof.Root{{RootSeq: 7, Signature: "s", Type: proof.TypeRoot}}, true, a.err
}

func (a *publisher) Prove(_ context.Context, agentID string, rootSeq int64, _ string) (proof.Inclusion, error) {
	a.root = rootSeq
	return proof.Inclusion{Leaf: proof.Leaf{AgentID: agentID}}, a.err
}

func TestProofOfAChain(t *testing.T) {
	a := &publisher{}
	w := newTown(t, func(c *Config) { c.Proofs = a })
	path := "/v1/audit/" + w.agent.ID + "/proof"
	for _, tc := range []struct {
		query  string
		err    error
		status int
		root   int64
	}{{"", nil, 200, 0}, {"?root=7", nil, 200, 7}, {"?root=0", nil, 400, 0}, {"?root=x", nil, 400, 0},
		{"?root=9", fmt.Errorf("root: %w", capture.ErrNotFound), 404, 9}, {"", errors.New("away"), 503, 0}} {
		a.root, a.err = 0, tc.err
		if status, body := w.visit("own", "GET", path+tc.query, ""); status != tc.status || a.root != tc.root {
			t.Errorf("%s: got %d, root %d, %s, want %d, root %d", tc.query, status, a.root, body, tc.status, tc.root)
		}
	}
}

func TestWellKnown(t *testing.T) {
	const keys, roots = "/.well-known/ainfera-public-key.json", "/.well-known/ainfera-audit-roots.json"
	for _, tc := range []struct {
		name, path string
		err        error
		status     int
		contains   string
		asked      string
	}{
		{"Keys", keys, nil, 200, `{"keys":[{"key_id":"k","algorithm":"Ed25519"`, "0 0"},
		{"RootsTheNewest", roots, nil, 200, `"root_seq":7`, "-1 100"},
		{"RootsAfter", roots + "?since=3&limit=2", nil, 200, `"has_more":true`, "3 2"},
		{"RootsFromTheFirst", roots + "?since=0", nil, 200, `"root_seq":7`, "0 100"},
		{"RootsAtMost", roots + "?limit=1000", nil, 200, `"root_seq":7`, "-1 1000"},
		{"ErrLimitAbove", roots + "?limit=1001", nil, 400, "limit must be", "0 0"},
		{"ErrSince", roots + "?since=x", nil, 400, "since must be", "0 0"},
		{"ErrSinceBelow", roots + "?since=-1", nil, 400, "since must be", "0 0"},
		{"ErrLimit", roots + "?limit=0", nil, 400, "limit must be", "0 0"},
		{"ErrKeysNoStore", keys, errors.New("dsn secret"), 503, codeCaptureUnavailable, "0 0"},
		{"ErrRootsNoStore", roots, errors.New("dsn secret"), 503, codeCaptureUnavailable, "-1 100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &publisher{err: tc.err}
			s := New(Config{Proofs: a, Logger: hclog.NewNullLogger()})
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", tc.path, nil)) // an outsider has no key
			body := w.Body.String()
			if w.Code != tc.status || !strings.Contains(body, tc.contains) || strings.Contains(body, "secret") {
				t.Errorf("got %d %s, want %d and %s", w.Code, body, tc.status, tc.contains)
			}
			if got := fmt.Sprint(a.since, a.limit); got != tc.asked {
				t.Errorf("got asked for %s, want %s", got, tc.asked)
			}
		})
	}
	w := httptest.NewRecorder()
	New(Config{Logger: hclog.NewNullLogger()}).ServeHTTP(w, httptest.NewRequest("GET", keys, nil))
	if w.Code != 404 {
		t.Errorf("got %d where nothing is published, want 404", w.Code)
	}
}
