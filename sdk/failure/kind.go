package failure

import (
	"slices"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
)

// kindOfStatus is what a status means when nothing else is known.
func kindOfStatus(status int) string {
	switch status {
	case 401:
		return abi.ErrAuthentication
	case 402:
		return abi.ErrBilling
	case 403:
		return abi.ErrPermission
	case 404:
		return abi.ErrNotFound
	case 408, 504, 524:
		return abi.ErrTimeout
	case 413:
		return abi.ErrTooLarge
	case 429:
		return abi.ErrRateLimit
	case 499: // Google's, of a call that it gave up itself
		return abi.ErrAPI
	case 503, 529:
		return abi.ErrOverloaded
	}
	if status >= 500 {
		return abi.ErrAPI
	}
	return abi.ErrInvalidRequest
}

// certain are codes and types that mean one thing whatever the status is.
var certain = map[string]string{
	"context_length_exceeded":       abi.ErrContextTooLong,
	"model_max_prompt_tokens":       abi.ErrContextTooLong,
	"exceed_context_size_error":     abi.ErrContextTooLong,
	"unsupported_parameter":         abi.ErrFeatureUnsupported,
	"unsupported_value":             abi.ErrFeatureUnsupported,
	"unsupported_content":           abi.ErrFeatureUnsupported,
	"extra_forbidden":               abi.ErrFeatureUnsupported,
	"model_not_found":               abi.ErrNotFound,
	"model_decommissioned":          abi.ErrNotFound,
	"model_terms_required":          abi.ErrPermission,
	"invalid_model":                 abi.ErrNotFound,
	"deploymentnotfound":            abi.ErrNotFound,
	"insufficient_quota":            abi.ErrBilling,
	"insufficient_balance":          abi.ErrBilling,
	"billing_hard_limit_reached":    abi.ErrBilling,
	"billing_not_active":            abi.ErrBilling,
	"billing_error":                 abi.ErrBilling,
	"rate_limit_exceeded":           abi.ErrRateLimit,
	"rate_limited":                  abi.ErrRateLimit,
	"rate_limit_error":              abi.ErrRateLimit,
	"resource_exhausted":            abi.ErrRateLimit,
	"invalid_api_key":               abi.ErrAuthentication,
	"api_key_invalid":               abi.ErrAuthentication,
	"overloaded_error":              abi.ErrOverloaded,
	"engine_overloaded_error":       abi.ErrOverloaded,
	"insufficient_system_resource":  abi.ErrOverloaded,
	"slow_down":                     abi.ErrOverloaded,
	"server_is_overloaded":          abi.ErrOverloaded,
	"request_too_large":             abi.ErrTooLarge,
	"timeout_error":                 abi.ErrTimeout,
	"deadline_exceeded":             abi.ErrTimeout,
	"request_timeout":               abi.ErrTimeout,
	"upstream_timeout":              abi.ErrTimeout,
	"serviceunavailableerror":       abi.ErrOverloaded,
	"service_unavailable":           abi.ErrOverloaded,
	"unavailable":                   abi.ErrOverloaded,
	"authentication_error":          abi.ErrAuthentication,
	"permission_error":              abi.ErrPermission,
	"not_found_error":               abi.ErrNotFound,
	"contextwindowexceedederror":    abi.ErrContextTooLong,
	"string_above_max_length_error": abi.ErrTooLarge,
}

// general are words that vendors also put beside a status that says more, so they count only where there is none.
var general = map[string]string{
	"invalid_request_error": abi.ErrInvalidRequest,
	"invalid_argument":      abi.ErrInvalidRequest,
	"badrequesterror":       abi.ErrInvalidRequest,
	"bad request":           abi.ErrInvalidRequest,
	"bad_request":           abi.ErrInvalidRequest,
	"content_filter":        abi.ErrInvalidRequest,
	"tool_use_failed":       abi.ErrInvalidRequest,
	"permission_denied":     abi.ErrPermission,
	"forbidden":             abi.ErrPermission,
	"unauthenticated":       abi.ErrAuthentication,
	"unauthorized":          abi.ErrAuthentication,
	"not_found":             abi.ErrNotFound,
	"tokens":                abi.ErrRateLimit,
	"requests":              abi.ErrRateLimit,
	"server_error":          abi.ErrAPI,
	"internal_server_error": abi.ErrAPI,
	"api_error":             abi.ErrAPI,

	// What OpenAI's Responses API says in a stream that began well, of the caller's prompt and images.
	"invalid_prompt":                 abi.ErrInvalidRequest,
	"content_policy_violation":       abi.ErrInvalidRequest,
	"image_content_policy_violation": abi.ErrInvalidRequest,
	"invalid_image":                  abi.ErrInvalidRequest,
	"invalid_image_format":           abi.ErrInvalidRequest,
	"invalid_base64_image":           abi.ErrInvalidRequest,
	"invalid_image_url":              abi.ErrInvalidRequest,
	"invalid_image_mode":             abi.ErrInvalidRequest,
	"image_too_large":                abi.ErrInvalidRequest,
	"image_too_small":                abi.ErrInvalidRequest,
	"image_file_too_large":           abi.ErrInvalidRequest,
	"image_file_not_found":           abi.ErrInvalidRequest,
	"image_parse_error":              abi.ErrInvalidRequest,
	"empty_image_file":               abi.ErrInvalidRequest,
	"unsupported_image_media_type":   abi.ErrInvalidRequest,
	"failed_to_download_image":       abi.ErrInvalidRequest,
}

// kindOfWords looks up what the vendor put into code, type and status.
func (s *saying) kindOfWords(table map[string]string) string {
	for _, w := range s.words {
		if k := table[strings.ToLower(w)]; k != "" {
			return k
		}
	}
	return ""
}

// A phrase in a message changes a kind that is one of from, and no other: a rate limit on tokens also speaks of the
// length of the prompt.
type phrase struct {
	from []string
	kind string
	any  []string // lower case
}

var vague = []string{abi.ErrInvalidRequest, abi.ErrTooLarge, abi.ErrAPI}

var phrases = []phrase{
	// Google's 404 goes on with "or is not supported for generateContent".
	{[]string{abi.ErrNotFound}, abi.ErrNotFound, []string{"is not found for api version"}},
	{vague, abi.ErrContextTooLong, []string{
		"context length", "context window", "context_length", "context size", "prompt is too long", "input is too long",
		"input length and `max_tokens` exceed", "too many input tokens", "input token count", "maximum number of tokens",
		"prompt contains too many tokens", "longer than the model's context", "exceeds the model's maximum",
		"maximum prompt length", "exceed the context",
	}},
	{append([]string{abi.ErrNotFound}, vague...), abi.ErrFeatureUnsupported, []string{
		"does not support", "doesn't support", "do not support", "not supported", "unsupported parameter",
		"unsupported value", "unsupported content", "extra inputs are not permitted", "unknown parameter",
		"unrecognized request argument", "unknown field", "requires --jinja", "not enabled for this model", "is not enabled for models/",
		"unsupported mime type", "too many states for serving", "maximum allowed nesting depth",
		"no endpoints found that support", "not available for this model", "invalid beta flag", "for the `anthropic-beta` header",
		"is deprecated for this model", "be specified for this model",
	}},
	{[]string{abi.ErrInvalidRequest}, abi.ErrNotFound, []string{
		"is not a valid model", "model does not exist", "supported api model names", "model not found", "unknown model",
	}},
	{[]string{abi.ErrInvalidRequest, abi.ErrRateLimit, abi.ErrPermission, abi.ErrAPI}, abi.ErrBilling, []string{
		"exceeded your current quota", "credit balance", "insufficient balance", "insufficient credits", "insufficient_quota",
		"enable billing on your project", // Google's, with a 400
	}},
	// xAI says so with a 400 and no code. It is the operator's trouble, and not the request's.
	{[]string{abi.ErrInvalidRequest}, abi.ErrAuthentication, []string{"incorrect api key provided"}},
	{[]string{abi.ErrAPI}, abi.ErrOverloaded, []string{"overloaded", "at capacity", "over capacity"}},
}

// kindOfMessage is the kind that a message gives away, "" when it gives away none.
func kindOfMessage(kind, lower string) string {
	for _, p := range phrases {
		if !slices.Contains(p.from, kind) {
			continue
		}
		for _, text := range p.any {
			if strings.Contains(lower, text) {
				return p.kind
			}
		}
	}
	return ""
}
