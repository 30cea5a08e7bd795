package simulator

import "net/http"

// failure is an error answer in the words of all vendors.
type failure struct {
	status  int
	kind    string // Anthropic's type
	message string

	openaiMessage string // where the wording differs
	openaiType    string
	param, code   string

	geminiMessage string // where the wording differs
	retryAfter    int    // in seconds; 0 says nothing
}

// failures are the kinds that a directive can name. The wording is that of the vendors, since clients and adapters match it.
var failures = map[string]failure{
	"overloaded": {
		status: 529, kind: "overloaded_error", message: "Overloaded",
		openaiMessage: "The server is currently overloaded with other requests. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if the error persists.",
		openaiType:    "server_error",
		geminiMessage: "The model is overloaded. Please try again later.",
	},
	"rate_limit": {
		status: http.StatusTooManyRequests, kind: "rate_limit_error",
		message:       "This request would exceed the rate limit for your organization of 40,000 input tokens per minute. For details, refer to: https://docs.anthropic.com/en/api/rate-limits.",
		openaiMessage: "Rate limit reached for sim in organization org-simulated on tokens per min (TPM): Limit 10000, Used 10000. Please try again in 7s.",
		openaiType:    "tokens", code: "rate_limit_exceeded",
		geminiMessage: "Quota exceeded for quota metric 'Generate Content API requests per minute' and limit 'GenerateContent request limit per minute for a region'.",
	},
	"api": {
		status: http.StatusInternalServerError, kind: "api_error", message: "Internal server error",
		openaiMessage: "The server had an error while processing your request. Sorry about that!",
		openaiType:    "server_error",
		geminiMessage: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
	},
	"authentication": {
		status: http.StatusUnauthorized, kind: "authentication_error", message: "invalid x-api-key",
		openaiMessage: "Incorrect API key provided: simulated. You can find your API key at https://platform.openai.com/account/api-keys.",
		openaiType:    "invalid_request_error", code: "invalid_api_key",
		geminiMessage: "API key not valid. Please pass a valid API key.",
	},
	"permission": {
		status: http.StatusForbidden, kind: "permission_error",
		message:       "Your API key does not have permission to use the specified resource.",
		openaiMessage: "You are not allowed to sample from this model.",
		openaiType:    "invalid_request_error", code: "model_not_allowed",
		geminiMessage: "Permission denied: Consumer 'api_key:simulated' has been suspended.",
	},
	"billing": {
		status: http.StatusPaymentRequired, kind: "billing_error",
		message:       "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
		openaiMessage: "You exceeded your current quota, please check your plan and billing details.",
		openaiType:    "insufficient_quota", code: "insufficient_quota",
		geminiMessage: "Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.",
	},
	"not_found": {
		status: http.StatusNotFound, kind: "not_found_error", message: "model: not found",
		openaiMessage: "The model does not exist or you do not have access to it.",
		openaiType:    "invalid_request_error", code: "model_not_found",
		geminiMessage: "models/simulated is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
	},
	"invalid": {
		status: http.StatusBadRequest, kind: "invalid_request_error", message: "simulated: the request is not valid",
		openaiType: "invalid_request_error",
	},
	"too_large": {
		status: http.StatusRequestEntityTooLarge, kind: "request_too_large", message: "Request exceeds the maximum size",
		openaiType:    "invalid_request_error",
		geminiMessage: "Request payload size exceeds the limit: 20971520 bytes.",
	},
	"timeout": {
		status: http.StatusGatewayTimeout, kind: "timeout_error", message: "Request timed out",
		openaiType:    "server_error",
		geminiMessage: "Deadline expired before operation could complete.",
	},
	"context": {
		status: http.StatusBadRequest, kind: "invalid_request_error",
		message:       "prompt is too long: 250000 tokens > 200000 maximum",
		openaiMessage: "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens. Please reduce the length of the messages.",
		openaiType:    "invalid_request_error", param: "messages", code: "context_length_exceeded",
		geminiMessage: "The input token count (250000) exceeds the maximum number of tokens allowed (200000).",
	},
}

// failureOf is what a vendor says with a status.
func failureOf(status int) failure {
	for _, name := range [...]string{"overloaded", "rate_limit", "api", "authentication", "permission", "billing", "not_found", "invalid", "too_large", "timeout"} {
		if e := failures[name]; e.status == status {
			return e
		}
	}
	name := "invalid"
	switch {
	case status == http.StatusServiceUnavailable:
		name = "overloaded"
	case status >= 500:
		name = "api"
	}
	e := failures[name]
	e.status = status
	return e
}

// invalid is a 400 that both vendors would word alike.
func invalid(message string) *failure {
	e := failures["invalid"]
	e.message = message
	return &e
}

// invalidParam is a 400 as OpenAI words it.
func invalidParam(param, code, message string) *failure {
	e := invalid(message)
	e.param, e.code = param, code
	return e
}

func (e *failure) openaiText() string {
	if e.openaiMessage != "" {
		return e.openaiMessage
	}
	return e.message
}

func (e *failure) geminiText() string {
	if e.geminiMessage != "" {
		return e.geminiMessage
	}
	return e.message
}
