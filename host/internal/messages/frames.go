package messages

import (
	"net/http"
	"strconv"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// PingFrame is what goes out when nothing else has for a while, after message_start. It must not be written to.
var PingFrame = []byte("event: ping\ndata: {\"type\": \"ping\"}\n\n")

// ErrorFrame appends the frame that ends a stream which can't be completed: the only way to fail once the head is out.
// errorType is Anthropic's, see [ErrorType].
func ErrorFrame(dst []byte, errorType, message, requestID string) []byte {
	dst = append(dst, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"...)
	dst = jwrite.AppendString(dst, errorType)
	dst = jwrite.AppendString(append(dst, `,"message":`...), message)
	dst = jwrite.AppendString(append(dst, `},"request_id":`...), requestID)
	return append(dst, "}\n\n"...)
}

// ErrorType is Anthropic's error type for an HTTP status.
func ErrorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "overloaded_error"
	case http.StatusGatewayTimeout:
		return "timeout_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// statusOverloaded is Anthropic's own.
const statusOverloaded = 529

// kindTypes maps the error kinds of the ABI to Anthropic's types.
var kindTypes = map[string]string{
	abi.ErrInvalidRequest:     "invalid_request_error",
	abi.ErrAuthentication:     "authentication_error",
	abi.ErrPermission:         "permission_error",
	abi.ErrBilling:            "billing_error",
	abi.ErrNotFound:           "not_found_error",
	abi.ErrTooLarge:           "request_too_large",
	abi.ErrRateLimit:          "rate_limit_error",
	abi.ErrOverloaded:         "overloaded_error",
	abi.ErrTimeout:            "timeout_error",
	abi.ErrAPI:                "api_error",
	abi.ErrContextTooLong:     "invalid_request_error",
	abi.ErrFeatureUnsupported: "invalid_request_error",
}

// typeKinds maps Anthropic's error types to the kinds of the ABI.
var typeKinds = map[string]string{
	"invalid_request_error": abi.ErrInvalidRequest,
	"authentication_error":  abi.ErrAuthentication,
	"permission_error":      abi.ErrPermission,
	"billing_error":         abi.ErrBilling,
	"not_found_error":       abi.ErrNotFound,
	"request_too_large":     abi.ErrTooLarge,
	"rate_limit_error":      abi.ErrRateLimit,
	"overloaded_error":      abi.ErrOverloaded,
	"timeout_error":         abi.ErrTimeout,
}

// appendIndexed opens the frame of a content_block_start or content_block_stop up to its index.
func appendIndexed(dst []byte, event string, index int) []byte {
	dst = append(append(dst, "event: "...), event...)
	dst = append(append(dst, "\ndata: {\"type\":\""...), event...)
	dst = append(dst, `","index":`...)
	return strconv.AppendInt(dst, int64(index), 10)
}

// appendDelta opens the frame of a content_block_delta up to the value that it holds.
func appendDelta(dst []byte, index int, deltaType, field string) []byte {
	dst = append(dst, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	dst = strconv.AppendInt(dst, int64(index), 10)
	dst = append(append(dst, `,"delta":{"type":"`...), deltaType...)
	dst = append(append(dst, `","`...), field...)
	return append(dst, `":`...)
}

// appendUsage appends a usage object. Anthropic counts all writes to the cache in one field, and tells them apart by how
// long they live in another.
func appendUsage(dst []byte, u Usage) []byte {
	dst = append(dst, `{"input_tokens":`...)
	dst = strconv.AppendInt(dst, u.Input, 10)
	dst = append(dst, `,"cache_creation_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheWrite+u.CacheWrite1h, 10)
	dst = append(dst, `,"cache_read_input_tokens":`...)
	dst = strconv.AppendInt(dst, u.CacheRead, 10)
	if u.CacheWrite1h > 0 {
		dst = append(dst, `,"cache_creation":{"ephemeral_5m_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite, 10)
		dst = append(dst, `,"ephemeral_1h_input_tokens":`...)
		dst = strconv.AppendInt(dst, u.CacheWrite1h, 10)
		dst = append(dst, '}')
	}
	dst = append(dst, `,"output_tokens":`...)
	dst = strconv.AppendInt(dst, u.Output, 10)
	return append(dst, '}')
}

// AppendEvent appends an SSE frame of an event's name and its data, which must not hold a line end.
func AppendEvent(dst []byte, event string, data []byte) []byte {
	dst = append(append(dst, "event: "...), event...)
	dst = append(append(dst, "\ndata: "...), data...)
	return append(dst, "\n\n"...)
}
