package gateway

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Codes of errors that arise here; routing has its own, and all are stable, since callers branch on them.
const (
	codeInvalidRequest     = "invalid_request"
	codeInvalidKey         = "invalid_api_key"
	codeNotFound           = "not_found"
	codeMethod             = "method_not_allowed"
	codeBodyTooLarge       = "request_too_large"
	codeCaptureUnavailable = "capture_unavailable"
	codeInsufficientFunds  = "insufficient_funds"
	codeAgentNotActive     = "agent_not_active"
	codeAllFailed          = "all_routed_models_failed"
	codeProviderFailed     = "provider_failed"
	codeAdapterRefused     = "request_not_supported_by_backend"
	codeStopping           = "router_stopping"
	codeKeyConflict        = "idempotency_conflict"
	codeForbidden          = "forbidden"
	codeSignupOff          = "signup_disabled"
	codeAgentExists        = "agent_exists"
	codeKeyNotKept         = "idempotency_answer_not_kept"
	codeInternal           = "internal_error"
)

// An apiError is what a caller is told. Its fields are the union of what the dialects show.
type apiError struct {
	status     int
	code       string
	message    string
	backend    string
	hint       string
	param      string
	model      string        // the entry that is unavailable
	provider   string        // where it would run
	upstream   int           // the vendor's status, where it failed a pinned call
	retryAfter time.Duration // zero is unknown
	noRetry    bool          // x-should-retry: false

	// raw is the vendor's own body, passed on unchanged where both sides speak Anthropic, with its content type.
	raw     []byte
	rawType string
}

func (e *apiError) Error() string { return e.message }

// statuses maps every code to its HTTP status: the one place where that is decided.
var statuses = map[string]int{
	codeInvalidRequest:         http.StatusBadRequest,
	codeInvalidKey:             http.StatusUnauthorized,
	codeNotFound:               http.StatusNotFound,
	codeMethod:                 http.StatusMethodNotAllowed,
	codeBodyTooLarge:           http.StatusRequestEntityTooLarge,
	codeCaptureUnavailable:     http.StatusServiceUnavailable,
	codeInsufficientFunds:      http.StatusPaymentRequired,
	codeAgentNotActive:         http.StatusConflict,
	codeAllFailed:              http.StatusServiceUnavailable,
	codeProviderFailed:         http.StatusBadGateway,
	codeAdapterRefused:         http.StatusUnprocessableEntity,
	codeStopping:               http.StatusServiceUnavailable,
	codeKeyConflict:            http.StatusConflict,
	codeForbidden:              http.StatusForbidden,
	codeSignupOff:              http.StatusForbidden,
	codeAgentExists:            http.StatusConflict,
	codeKeyNotKept:             http.StatusConflict,
	codeInternal:               http.StatusInternalServerError,
	route.CodeAliasExpired:     http.StatusNotFound,
	route.CodeModelUnavailable: http.StatusUnprocessableEntity,
	route.CodeInvalidHint:      http.StatusBadRequest,
	route.CodeTools:            http.StatusUnprocessableEntity,
	route.CodeImages:           http.StatusUnprocessableEntity,
	route.CodeDocuments:        http.StatusUnprocessableEntity,
	route.CodeTooLarge:         http.StatusBadRequest,
	route.CodeFloor:            http.StatusUnprocessableEntity,
	route.CodePerCallCap:       http.StatusPaymentRequired,
	route.CodeDailyCap:         http.StatusPaymentRequired,
	route.CodePolicyFailed:     http.StatusServiceUnavailable,
}

// outcomes maps a refusal's code to the row's outcome_status; a code that isn't here writes no row.
var outcomes = map[string]string{
	route.CodeFloor:        "rejected_floor",
	route.CodeTools:        "rejected_capability",
	route.CodeImages:       "rejected_capability",
	route.CodeDocuments:    "rejected_capability",
	route.CodeTooLarge:     "rejected_capability",
	codeAdapterRefused:     "rejected_capability",
	route.CodePerCallCap:   "rejected_cap",
	route.CodeDailyCap:     "rejected_cap",
	codeInsufficientFunds:  "rejected_funds",
	codeAgentNotActive:     "rejected_agent",
	route.CodePolicyFailed: "failed_policy",
}

// fail makes an error of a code and a message.
func fail(code, message string) *apiError {
	e := &apiError{status: statuses[code], code: code, message: message}
	switch code {
	case route.CodePerCallCap, route.CodeDailyCap, codeInsufficientFunds, codeAgentNotActive, codeKeyConflict, codeKeyNotKept, codeAgentExists:
		e.noRetry = true // the SDKs would try again, and the answer would be the same
	}
	return e
}

// stopping is the error of a call that the server's end cuts short.
func stopping() *apiError {
	e := fail(codeStopping, "the router is being restarted: try again shortly")
	e.retryAfter = time.Second
	return e
}

// refused makes a caller's error of routing's.
func refused(r *route.Refusal) *apiError {
	e := fail(r.Code, r.Message)
	e.backend, e.hint, e.param, e.model, e.provider = r.Backend, r.Hint, r.Param, r.Model, r.Provider
	return e
}

// asAPIError finds an apiError in err, or hides what it is behind a plain internal one.
func asAPIError(err error) *apiError {
	var e *apiError
	if errors.As(err, &e) {
		return e
	}
	return fail(codeInternal, "something went wrong inside the router; the operator's log has it under this request id")
}

// streamType is Anthropic's error type for a vendor's failure inside a stream.
func streamType(kind string) string {
	switch kind {
	case abi.ErrOverloaded, codeStopping:
		return "overloaded_error"
	case abi.ErrRateLimit:
		return "rate_limit_error"
	case abi.ErrTimeout:
		return "timeout_error"
	case abi.ErrInvalidRequest, abi.ErrContextTooLong, abi.ErrFeatureUnsupported, abi.ErrTooLarge:
		return "invalid_request_error"
	}
	return "api_error" // a vendor's 401 is the operator's trouble and never the caller's
}

// write sends the error in the dialect's shape, or the vendor's own body where that is what the caller should see.
func (e *apiError) write(w http.ResponseWriter, d dialect, requestID string) {
	h := w.Header()
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((e.retryAfter+time.Second-1)/time.Second), 10))
	}
	if e.noRetry {
		h.Set("X-Should-Retry", "false")
	}
	body, ctype := e.raw, e.rawType
	if body == nil {
		body = d.errorBody(e, requestID)
	}
	if ctype == "" {
		ctype = "application/json"
	}
	h.Set("Content-Type", ctype)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // the caller may be gone; the log line has what it was told
}

// appendDetails appends what the vendors' own errors have no word for, as further fields of an object.
func (e *apiError) appendDetails(b []byte) []byte {
	for _, f := range [...]struct{ k, v string }{{"backend", e.backend}, {"hint", e.hint}} {
		if f.v != "" {
			b = jwrite.AppendString(jwrite.AppendKey(b, f.k), f.v)
		}
	}
	if e.upstream != 0 {
		b = jwrite.AppendInt(jwrite.AppendKey(b, "upstream_status"), e.upstream)
	}
	return b
}
