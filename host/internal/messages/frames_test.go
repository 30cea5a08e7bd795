package messages

import (
	"encoding/json"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

func TestErrorFrame(t *testing.T) {
	got := string(ErrorFrame([]byte("x"), "api_error", "it \"broke\"\noff", "req_1"))
	want := "xevent: error\ndata: " + `{"type":"error","error":{"type":"api_error","message":"it \"broke\"\noff"},"request_id":"req_1"}` + "\n\n"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestPingFrame(t *testing.T) {
	if err := feed(NewTap(), PingFrame); err != nil {
		t.Error(err)
	}
}

func TestErrorType(t *testing.T) {
	for status, want := range map[int]string{400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
		403: "permission_error", 404: "not_found_error", 409: "invalid_request_error", 413: "request_too_large",
		422: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 502: "api_error", 503: "overloaded_error",
		504: "timeout_error", 529: "overloaded_error"} {
		if got := ErrorType(status); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}

// TestErrorKinds holds that an error keeps its kind when it passes through the dialect, where that has a type for it.
func TestErrorKinds(t *testing.T) {
	for kind, errorType := range kindTypes {
		var vendor *VendorError
		body, _ := json.Marshal(map[string]any{"type": "error", "error": map[string]any{"type": errorType, "message": "m"}})
		vendor, ok := vendorErrorOf(body).(*VendorError)
		if !ok || vendor.Type() != errorType {
			t.Errorf("%s: got %v", errorType, vendor)
		}
		if special := kind == abi.ErrContextTooLong || kind == abi.ErrFeatureUnsupported; !special && vendor.Kind != kind {
			t.Errorf("%s: got kind %s, want %s", errorType, vendor.Kind, kind)
		}
	}
}
