package provider

import (
	"net/http"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

func TestFallsOver(t *testing.T) {
	const never, routedOnly, always = 0, 1, 2
	tests := []struct {
		status int
		kind   string
		want   int
	}{
		{302, abi.ErrAPI, always},
		{400, abi.ErrInvalidRequest, never},
		{400, abi.ErrContextTooLong, routedOnly},
		{400, abi.ErrFeatureUnsupported, routedOnly},
		{400, abi.ErrAuthentication, always}, // Google's, of a key that is not valid
		{401, abi.ErrAuthentication, always},
		{402, abi.ErrBilling, never},
		{403, abi.ErrPermission, always},
		{404, abi.ErrNotFound, always},
		{408, abi.ErrTimeout, always},
		{409, abi.ErrInvalidRequest, never},
		{413, abi.ErrContextTooLong, never},
		{422, abi.ErrFeatureUnsupported, never},
		{429, abi.ErrRateLimit, always},
		{500, abi.ErrInvalidRequest, always},
		{503, abi.ErrOverloaded, always},
		{529, abi.ErrOverloaded, always},
	}
	for _, tt := range tests {
		f := &Failure{Phase: PhaseAnswer, Status: tt.status, Kind: tt.kind}
		if got, want := f.FallsOver(true), tt.want >= routedOnly; got != want {
			t.Errorf("%d %s, routed: got %v, want %v", tt.status, tt.kind, got, want)
		}
		if got, want := f.Retryable(), tt.want == always; got != want {
			t.Errorf("%d %s, pinned: got %v, want %v", tt.status, tt.kind, got, want)
		}
		if got, want := f.EndsCall(), tt.want == never; got != want {
			t.Errorf("%d %s, ends: got %v, want %v", tt.status, tt.kind, got, want)
		}
	}
	for _, phase := range []Phase{PhaseConnect, PhaseSend, PhaseBody, PhaseGuest} {
		if f := (&Failure{Phase: phase, Kind: abi.ErrInvalidRequest, Status: 200}); !f.Retryable() {
			t.Errorf("%s: got no fall-over", phase)
		}
	}
}

func TestKindOf(t *testing.T) {
	for status, want := range map[int]string{
		400: abi.ErrInvalidRequest, 401: abi.ErrAuthentication, 402: abi.ErrBilling, 403: abi.ErrPermission, 404: abi.ErrNotFound,
		408: abi.ErrTimeout, 413: abi.ErrTooLarge, 422: abi.ErrInvalidRequest, 429: abi.ErrRateLimit, 500: abi.ErrAPI,
		502: abi.ErrAPI, 503: abi.ErrOverloaded, 504: abi.ErrTimeout, 529: abi.ErrOverloaded, 599: abi.ErrAPI,
	} {
		if got := kindOf(status); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
		if !knownKind(want) {
			t.Errorf("%s is not known", want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tests := []struct {
		name, ms, header string
		want             time.Duration
	}{
		{"None", "", "", 0},
		{"Seconds", "", "7", 7 * time.Second},
		{"Fraction", "", " 1.5 ", 1500 * time.Millisecond},
		{"Milliseconds", "250", "7", 250 * time.Millisecond},
		{"Date", "", "Fri, 02 Jan 2026 03:04:35 GMT", 30 * time.Second},
		{"PastDate", "", "Fri, 02 Jan 2026 03:04:00 GMT", 0},
		{"Negative", "", "-5", 0},
		{"Huge", "", "1e300", maxRetryAfter},
		{"Infinite", "", "Inf", maxRetryAfter},
		{"NaN", "NaN", "NaN", 0},
		{"Words", "soon", "in a while", 0},
		{"Year", "", "Sat, 02 Jan 2027 03:04:35 GMT", maxRetryAfter},
	}
	for _, tt := range tests {
		h := http.Header{}
		if tt.ms != "" {
			h.Set("retry-after-ms", tt.ms)
		}
		if tt.header != "" {
			h.Set("retry-after", tt.header)
		}
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
