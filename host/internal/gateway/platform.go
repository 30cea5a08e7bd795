package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Records is what the gateway needs of the capture room to show agents their own records, and to change what is theirs.
type Records interface {
	AgentIn(ctx context.Context, s capture.Scope, id string) (capture.Agent, error)
	Wallet(ctx context.Context, agentID string) (capture.Wallet, error)
	Ledger(ctx context.Context, agentID string, limit int) ([]schema.LedgerEntry, error)
	Events(ctx context.Context, agentID string, sinceSeq int64, limit int) ([]capture.ChainEvent, error)
	VerifyAgent(ctx context.Context, agentID string) (capture.ChainResult, int64, error)
	InferenceIn(ctx context.Context, s capture.Scope, id string) (schema.Inference, error)
	Outcome(ctx context.Context, id string) (schema.RoutingOutcome, error)
	Decision(ctx context.Context, outcomeID string) (input, output []byte, err error)
	ReceiptIn(ctx context.Context, s capture.Scope, id string) (capture.Receipt, error)

	CreateAgent(ctx context.Context, n capture.NewAgent) (capture.Agent, string, error)
	ChangeSpendPolicy(ctx context.Context, agentID string, perCall, daily capture.CapChange) (perCallMicroUSD, dailyMicroUSD *int64, err error)
	TopUp(ctx context.Context, agentID string, microUSD int64, note string) (capture.Wallet, error)
}

// maxForm is the largest body of a request to the platform's endpoints.
const maxForm = 64 << 10

// A visit is one request to the platform's own endpoints, from whoever may see some records and not others.
type visit struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	agent *capture.Agent // nil: the operator, or nobody where the endpoint is open
	admin bool
}

// visits handles one endpoint: answer returns the status and what is to be its JSON, bytes being JSON already.
func (s *Server) visits(answer func(*visit) (int, any, error)) http.HandlerFunc {
	return s.open(func(v *visit) (int, any, error) {
		if err := v.authenticate(); err != nil {
			return 0, nil, err
		}
		return answer(v)
	})
}

// open is visits for an endpoint that asks for no key.
func (s *Server) open(answer func(*visit) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.active.Add(1)
		defer s.active.Done()
		v := &visit{s: s, w: w, r: r}
		status, body, err := answer(v)
		raw, known := body.([]byte)
		if err == nil && !known {
			raw, err = plainJSON(body)
		}
		s.allowWrite(w, time.Now())
		s.readLittle(w)
		if err != nil {
			v.refuse(err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store") // it is one tenant's, and may hold a key
		w.WriteHeader(status)
		_, _ = w.Write(raw) // a caller that is gone needs no answer
	}
}

// plainJSON is JSON without HTML's escapes.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

// authenticate lets in the operator's token and agents' keys, active or not: a suspended agent may still read.
func (v *visit) authenticate() error {
	if v.admin = v.s.isAdmin(v.r.Header); v.admin {
		return nil
	}
	for _, key := range keysOf(v.r.Header) {
		agent, err := v.s.cfg.Books.Authenticate(v.r.Context(), key)
		if err == nil {
			v.agent = agent
			return nil
		}
		if !errors.Is(err, capture.ErrUnknownKey) {
			return fmt.Errorf("authenticate: %w", err)
		}
	}
	return fail(codeInvalidKey, "this needs an ainfera API key that is known here: send it as `authorization: Bearer ainfera_…` or `x-api-key: ainfera_…`")
}

// isAdmin reports whether the request carries the operators' token. Comparing takes the same time whatever is sent.
func (s *Server) isAdmin(h http.Header) bool {
	if s.cfg.AdminToken == "" {
		return false
	}
	scheme, given, _ := strings.Cut(h.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(s.cfg.AdminToken)), sha256.Sum256([]byte(strings.TrimSpace(given)))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && strings.EqualFold(scheme, "bearer")
}

// scope is whose records the visitor may see.
func (v *visit) scope() capture.Scope {
	if v.admin {
		return capture.OfOperator()
	}
	return capture.OfTenant(v.agent.TenantID)
}

// active refuses what a suspended agent may not do any more. The operator may.
func (v *visit) active() error {
	if v.agent != nil && v.agent.Status != schema.AgentActive {
		return fail(codeAgentNotActive, "agent "+v.agent.Name+" is "+v.agent.Status+": its operator can resume it")
	}
	return nil
}

// id is the id in the path. One that can't be one of ours is answered as one that nobody has.
func (v *visit) id() (string, error) {
	id := mux.Vars(v.r)["id"]
	if !validID(id) {
		return "", capture.ErrNotFound
	}
	return id, nil
}

func validID(id string) bool {
	for i := range len(id) {
		switch c := id[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c < '0' || c > '9' && c < 'a' || c > 'f':
			return false
		}
	}
	return len(id) == 36
}

// number is a whole number of the query, from least to most.
func (v *visit) number(name string, absent, least, most int64) (int64, error) {
	query, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil { // what can't be read may have been the limit
		return 0, fail(codeInvalidRequest, "the query is not made of name=value pairs, joined by & and with %xx for what is special")
	}
	values, given := query[name]
	if !given {
		return absent, nil
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || len(values) > 1 || n < least || n > most {
		e := fail(codeInvalidRequest, fmt.Sprintf("%s must be one whole number from %d to %d", name, least, most))
		e.param = name
		return 0, e
	}
	return n, nil
}

// form reads the body into a struct. Fields that it does not have are left alone.
func (v *visit) form(into any) error {
	body, err := io.ReadAll(io.LimitReader(v.r.Body, maxForm+1))
	switch {
	case err != nil:
		return fail(codeInvalidRequest, "the request's body broke off before its end")
	case len(body) > maxForm:
		v.w.Header().Set("Connection", "close")
		return fail(codeBodyTooLarge, fmt.Sprintf("the request's body is larger than the limit of %d bytes", maxForm))
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	err = json.Unmarshal(body, into)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		e := fail(codeInvalidRequest, fmt.Sprintf("%s is a %s where another kind of value is wanted", kind.Field, kind.Value))
		e.param = kind.Field
		return e
	case errors.As(err, &syntax):
		return fail(codeInvalidRequest, fmt.Sprintf("the body is not JSON at byte %d: %v", syntax.Offset, syntax))
	}
	return fail(codeInvalidRequest, "the body is not a JSON object")
}

// refuse tells an error, in the shape of the platform's endpoints.
func (v *visit) refuse(err error) {
	var e *apiError
	switch {
	case errors.As(err, &e):
	case errors.Is(err, capture.ErrNotFound), errors.Is(err, capture.ErrUnknownAgent):
		e = fail(codeNotFound, "there is no such record, or it is not yours to see")
	case v.r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // nobody is there to be told; who still reads must not take nothing for an answer
	default:
		v.s.cfg.Logger.Error("visit failed", "request-id", requestID(v.w), "method", v.r.Method, "route", pattern(v.r), "error", err)
		e = fail(codeCaptureUnavailable, "the router's records can't be reached now: try again shortly")
		e.retryAfter = time.Second
	}
	e.write(v.w, platform{}, requestID(v.w))
}

// pattern is the path that the request met, with its id left out.
func pattern(r *http.Request) string {
	if m := mux.CurrentRoute(r); m != nil {
		if text, err := m.GetPathTemplate(); err == nil {
			return text
		}
	}
	return ""
}

// platform is the shape of errors at the platform's own endpoints: Anthropic's envelope, with code and message at the top
// as well, where the platform's published clients look for them.
type platform struct{ anthropic }

func (p platform) errorBody(e *apiError, requestID string) []byte {
	b := p.anthropic.errorBody(e, requestID)
	b = jwrite.AppendString(append(b[:len(b)-1], `,"code":`...), e.code)
	b = jwrite.AppendString(append(b, `,"message":`...), e.message)
	return append(b, '}')
}

// visited adds the platform's endpoints.
func (s *Server) visited(m *mux.Router) {
	for _, e := range []struct {
		method, path string
		handler      http.HandlerFunc
	}{
		{http.MethodPost, "/v1/agents/signup", s.open(signUp)},
		{http.MethodPost, "/v1/agents/register", s.visits(register)},
		{http.MethodGet, "/v1/agents/{id}", s.visits(readAgent)},
		{http.MethodPatch, "/v1/agents/{id}/spend-policy", s.visits(changeSpendPolicy)},
		{http.MethodPost, "/v1/wallets/topup", s.visits(topUp)},
		{http.MethodGet, "/v1/wallets/{id}", s.visits(readWallet)},
		{http.MethodGet, "/v1/ledger/{id}", s.visits(readLedger)},
		{http.MethodGet, "/v1/audit/{id}", s.visits(readEvents)},
		{http.MethodGet, "/v1/audit/{id}/verify", s.visits(verifyEvents)},
		{http.MethodGet, "/v1/audit/{id}/proof", s.visits(proving(proveChain))},
		{http.MethodGet, "/.well-known/ainfera-public-key.json", s.open(proving(publicKeys))},
		{http.MethodGet, "/.well-known/ainfera-audit-roots.json", s.open(proving(auditRoots))},
		{http.MethodGet, "/v1/inferences/{id}", s.visits(readInference)},
		{http.MethodGet, "/v1/inferences/{id}/decision", s.visits(readDecision)},
		{http.MethodGet, "/v1/receipts/{id}", s.visits(readReceipt)},
	} {
		m.HandleFunc(e.path, e.handler).Methods(e.method)
	}
}
