package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
)

// anthropic is the Messages API as of anthropic-version 2023-06-01.
type anthropic struct{}

func (anthropic) name() string { return Anthropic }

func (anthropic) operation(method, path string) operation {
	switch {
	case method == http.MethodPost && path == "/v1/messages":
		return opChat
	case method == http.MethodPost && path == "/v1/messages/count_tokens":
		return opCount
	case method == http.MethodGet && path == "/v1/models":
		return opModels
	}
	return opNone
}

func (anthropic) authorized(h http.Header) bool {
	return h.Get("X-Api-Key") != "" || bearer(h) != ""
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// The rate-limit headers are there to be kept back: they speak of the key that called the vendor.
var (
	anthropicLimit     = []string{"4000"}
	anthropicRemaining = []string{"3999"}
	organization       = []string{"org-simulated"}
)

func (anthropic) setHeaders(h http.Header, requestID string) {
	h["Anthropic-Organization-Id"] = organization
	h["Anthropic-Ratelimit-Requests-Limit"] = anthropicLimit
	h["Anthropic-Ratelimit-Requests-Remaining"] = anthropicRemaining
	if requestID != "" {
		h["Request-Id"] = []string{requestID}
	}
}

func (anthropic) setFailureHeaders(h http.Header, e *failure) {
	if e.kind == "rate_limit_error" {
		h["Anthropic-Ratelimit-Requests-Remaining"] = []string{"0"}
	}
}

func appendMessageStart(b []byte, a *ask, ans *answer) []byte {
	b = append(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{"...)
	b = appendMessageHead(b, a, ans)
	b = append(b, `,"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null`...)
	if !ans.noUsage {
		b = append(b, `,"usage":{`...)
		b = appendInputUsage(b, ans)
		b = appendCacheDetail(b, ans)
		b = appendField(b, `,"output_tokens":`, 1)
		b = append(b, anthropicTier...)
		b = append(b, '}')
	}
	return append(b, "}}\n\n"...)
}

func (anthropic) appendDocument(b []byte, a *ask, ans *answer) []byte {
	b = append(b, '{')
	b = appendMessageHead(b, a, ans)
	b = append(b, `,"content":[`...)
	empty := len(b)
	separate := func() {
		if len(b) > empty {
			b = append(b, ',')
		}
	}
	if ans.signed {
		shown := ans.shownThinking(a)
		b = append(b, `{"type":"thinking","thinking":`...)
		b = appendString(b, shown)
		b = append(b, `,"signature":`...)
		b = appendString(b, sign(a.model, shown))
		b = append(b, '}')
	}
	if ans.text != "" {
		separate()
		b = append(b, `{"type":"text","text":`...)
		b = appendString(b, ans.text)
		b = append(b, '}')
	}
	for _, c := range ans.calls {
		separate()
		b = appendToolUse(b, c, c.args)
	}
	b = append(b, `],`...)
	b = appendStop(b, ans)
	if !ans.noUsage {
		b = append(b, `,"usage":{`...)
		b = appendInputUsage(b, ans)
		b = appendCacheDetail(b, ans)
		b = appendOutputUsage(b, ans)
		b = append(b, anthropicTier...)
		b = append(b, '}')
	}
	return append(b, '}')
}

const anthropicTier = `,"service_tier":"standard","inference_geo":"not_available"`

func appendMessageHead(b []byte, a *ask, ans *answer) []byte {
	b = append(b, `"model":`...)
	b = appendString(b, a.model)
	b = append(b, `,"id":"msg_sim`...)
	b = append(b, ans.id...)
	return append(b, `","type":"message","role":"assistant"`...)
}

func appendToolUse(b []byte, c call, input string) []byte {
	b = append(b, `{"type":"tool_use","id":"toolu_sim`...)
	b = append(b, c.id...)
	b = append(b, `","name":`...)
	b = appendString(b, c.name)
	b = append(b, `,"input":`...)
	b = append(b, input...)
	return append(b, '}')
}

func appendStop(b []byte, ans *answer) []byte {
	b = append(b, `"stop_reason":`...)
	reason := ans.native
	if reason == "" {
		reason = [...]string{"end_turn", "max_tokens", "stop_sequence", "tool_use"}[ans.stop]
	}
	b = appendString(b, reason)
	b = append(b, `,"stop_sequence":`...)
	b = appendOrNull(b, ans.stopped)
	return append(b, `,"stop_details":null`...)
}

func appendInputUsage(b []byte, ans *answer) []byte {
	p := ans.prompt
	b = appendField(b, `"input_tokens":`, p.uncached())
	b = appendField(b, `,"cache_creation_input_tokens":`, p.cacheWrite5m+p.cacheWrite1h)
	return appendField(b, `,"cache_read_input_tokens":`, p.cacheRead)
}

func appendCacheDetail(b []byte, ans *answer) []byte {
	b = appendField(b, `,"cache_creation":{"ephemeral_5m_input_tokens":`, ans.prompt.cacheWrite5m)
	b = appendField(b, `,"ephemeral_1h_input_tokens":`, ans.prompt.cacheWrite1h)
	return append(b, '}')
}

func appendOutputUsage(b []byte, ans *answer) []byte {
	b = appendField(b, `,"output_tokens":`, ans.outputTokens)
	b = appendField(b, `,"output_tokens_details":{"thinking_tokens":`, ans.thoughtTokens)
	return append(b, '}')
}

func (anthropic) appendCount(b []byte, tokens int) []byte {
	return append(appendField(b, `{"input_tokens":`, tokens), '}')
}

func (anthropic) appendModels(b []byte, models []string) []byte {
	b = append(b, `{"data":[`...)
	for i, m := range models {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"model","id":`...)
		b = appendString(b, m)
		b = append(b, `,"display_name":`...)
		b = appendString(b, m+" (simulated)")
		b = append(b, `,"created_at":"2026-01-02T03:04:05Z"}`...)
	}
	b = append(b, `],"has_more":false,"first_id":`...)
	b = appendString(b, models[0])
	b = append(b, `,"last_id":`...)
	b = appendString(b, models[len(models)-1])
	return append(b, '}')
}

func (anthropic) appendError(b []byte, e *failure, requestID string) []byte {
	b = append(b, `{"type":"error","error":{"type":`...)
	b = appendString(b, e.kind)
	b = append(b, `,"message":`...)
	b = appendString(b, e.message)
	b = append(b, `},"request_id":`...)
	b = appendOrNull(b, requestID)
	return append(b, '}')
}

func (anthropic) appendErrorEvent(b []byte, e *failure) []byte {
	b = append(b, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"...)
	b = appendString(b, e.kind)
	b = append(b, `,"message":`...)
	b = appendString(b, e.message)
	return append(b, "}}\n\n"...)
}

func (anthropic) appendHeartbeat(b []byte) []byte {
	return append(b, "event: ping\ndata: {\"type\":\"ping\"}\n\n"...)
}

func (ans *answer) shownThinking(a *ask) string {
	if a.hideThinking {
		return ""
	}
	return ans.thinking
}

// sign is the signature over a block of thinking: 64 bytes that only this model gives to this text. It keeps no secret;
// it is there so that a block that was changed, or moved to another model, is refused as the vendor refuses it.
func sign(model, thinking string) string {
	var raw [64]byte
	key := sum(0, model, thinking)
	for i := 0; i < len(raw); i += 8 {
		binary.BigEndian.PutUint64(raw[i:], key)
		key = sum(key, "simulated signature")
	}
	return base64.StdEncoding.EncodeToString(raw[:])
}
