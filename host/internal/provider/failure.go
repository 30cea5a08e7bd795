package provider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A Refusal says that the adapter can't carry this request to its vendor. Nothing was sent.
type Refusal struct {
	// Provider is the upstream's name.
	Provider string
	// Kind is one of abi's error kinds.
	Kind string
	// Message is the adapter's, for the caller.
	Message string
}

// Error returns the provider and the adapter's words.
func (r *Refusal) Error() string {
	return fmt.Sprintf("provider %s: adapter refuses the request: %s: %s", r.Provider, r.Kind, r.Message)
}

// A Phase is the part of a try in which it failed.
type Phase string

// Phases of a try, in their order. PhaseGuest is apart: the adapter's module is at fault, wherever it happened.
const (
	PhaseConnect Phase = "connect" // no connection: name, address, TCP or TLS
	PhaseSend    Phase = "send"    // connected, but no response head came
	PhaseAnswer  Phase = "answer"  // the vendor answered that it will not
	PhaseBody    Phase = "body"    // the answer's body broke, stopped, or reported an error
	PhaseGuest   Phase = "guest"   // the adapter trapped or broke the contract
)

// A Failure is why a try failed. Message is fit for a caller; Error adds the cause, which is for the operator's log and
// may name addresses, and neither ever holds a credential.
type Failure struct {
	Provider string
	Phase    Phase
	// Kind is one of abi's error kinds.
	Kind string
	// Status is the vendor's HTTP status, 0 when no head came.
	Status  int
	Message string
	// RetryAfter is how long the vendor asked to be left alone, 0 when it didn't say.
	RetryAfter time.Duration
	// Body is the vendor's error document, at most Limits.ErrorBody bytes; Header holds its content-type. Both are set
	// in PhaseAnswer only.
	Body   []byte
	Header http.Header
	// Verbatim says that the lane was: Body may go to the caller unchanged.
	Verbatim bool
	// Module is the digest of the adapter's module, so that a fault isn't tried again on the same one.
	Module string

	cause error
}

// Error returns what happened and where.
func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "provider %s: %s: %s", f.Provider, f.Phase, f.Kind)
	if f.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", f.Status)
	}
	if f.Message != "" {
		b.WriteString(": " + f.Message)
	}
	if f.cause != nil {
		b.WriteString(": " + f.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause: a guest's fault, ErrPrivateAddress, a network error, or nil.
func (f *Failure) Unwrap() error { return f.cause }

// FallsOver says whether another deployment may be tried, as long as no byte has reached the caller. routed is false for
// a pinned call, where another deployment means the same model, so that it would not take what this one found too much.
// The rules are the specification's, "Deployments and failing over".
func (f *Failure) FallsOver(routed bool) bool {
	if f.Phase != PhaseAnswer {
		return true
	}
	switch {
	case f.Status < 400 || f.Status >= 500: // redirects are a provider's trouble as 5xx are
		return true
	case f.Kind == abi.ErrAuthentication: // Google says so with a 400
		return true
	case f.Status == http.StatusBadRequest:
		return routed && (f.Kind == abi.ErrContextTooLong || f.Kind == abi.ErrFeatureUnsupported)
	}
	switch f.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout,
		http.StatusTooManyRequests:
		return true
	}
	return false
}

// Retryable is FallsOver for a pinned call.
func (f *Failure) Retryable() bool { return f.FallsOver(false) }

// EndsCall says that nobody else is asked, however the call came: the vendor judged the request, not itself.
func (f *Failure) EndsCall() bool { return !f.FallsOver(true) }

// Operator says that the failure is for the operator to mend, and not to be blamed on the caller: credentials, a base
// URL, an address.
func (f *Failure) Operator() bool {
	return f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden || f.Kind == abi.ErrAuthentication || f.Phase == PhaseConnect ||
		f.Phase == PhaseGuest || f.Status >= 300 && f.Status < 400
}

// ErrCallerLeft is what a try ends with when its context did. It is no *Failure: there is nobody left to fall over for.
var ErrCallerLeft = errors.New("the caller left")

// Cancelled says whether err is the caller's going away rather than anything that the vendor did.
func Cancelled(err error) bool { return errors.Is(err, ErrCallerLeft) }

// kindOf is the error kind of a status that came without an adapter's word on it.
func kindOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return abi.ErrAuthentication
	case http.StatusPaymentRequired:
		return abi.ErrBilling
	case http.StatusForbidden:
		return abi.ErrPermission
	case http.StatusNotFound:
		return abi.ErrNotFound
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return abi.ErrTimeout
	case http.StatusRequestEntityTooLarge:
		return abi.ErrTooLarge
	case http.StatusTooManyRequests:
		return abi.ErrRateLimit
	case http.StatusServiceUnavailable, statusOverloaded:
		return abi.ErrOverloaded
	}
	if status >= 400 && status < 500 {
		return abi.ErrInvalidRequest
	}
	return abi.ErrAPI
}

// statusOverloaded is Anthropic's, which others took over.
const statusOverloaded = 529

// knownKind says whether a guest's error kind is one of abi's.
func knownKind(k string) bool {
	switch k {
	case abi.ErrInvalidRequest, abi.ErrAuthentication, abi.ErrPermission, abi.ErrBilling, abi.ErrNotFound,
		abi.ErrTooLarge, abi.ErrRateLimit, abi.ErrOverloaded, abi.ErrTimeout, abi.ErrAPI, abi.ErrContextTooLong,
		abi.ErrFeatureUnsupported:
		return true
	}
	return false
}

// timedOut says whether a network error is one of time.
func timedOut(err error) bool {
	var n net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
