package simulator

import (
	"net/http"
)

// openai is Chat Completions, with the reasoning_content of the vendors that show what their models think.
type openai struct{}

func (openai) name() string { return OpenAI }

func (openai) operation(method, path string) operation {
	switch {
	case method == http.MethodPost && path == "/v1/chat/completions":
		return opChat
	case method == http.MethodGet && path == "/v1/models":
		return opModels
	}
	return opNone
}

func (openai) authorized(h http.Header) bool { return bearer(h) != "" || h.Get("Api-Key") != "" }

var (
	openaiVersion   = []string{"2020-10-01"}
	openaiLimit     = []string{"500"}
	openaiRemaining = []string{"499"}
)

func (openai) setHeaders(h http.Header, requestID string) {
	h["Openai-Organization"] = organization
	h["Openai-Version"] = openaiVersion
	h["X-Ratelimit-Limit-Requests"] = openaiLimit
	h["X-Ratelimit-Remaining-Requests"] = openaiRemaining
	if requestID != "" {
		h["X-Request-Id"] = []string{requestID}
	}
}

func (openai) setFailureHeaders(h http.Header, e *failure) {
	if e.code == "rate_limit_exceeded" {
		h["X-Ratelimit-Remaining-Requests"] = []string{"0"}
	}
}

// created is when every answer says it was made: the answers are a function of the request, and so is this.
const created = 1767323045

func (openai) stream(o *outlet, a *ask, ans *answer) {
	if !o.begin() {
		return
	}
	s := openaiStream{o: o, ans: ans, wantUsage: a.wantUsage && !ans.noUsage}
	s.head = appendCompletionHead(nil, "chat.completion.chunk", a, ans)
	s.chunk(func(b []byte) []byte { return append(b, `"role":"assistant","content":"","refusal":null`...) }, "")
	if !s.texts(a, ans) || !s.toolCalls(ans) || !o.end() {
		return
	}
	s.chunk(func(b []byte) []byte { return b }, finishReason(ans))
	if s.wantUsage {
		o.buf = append(o.buf, "data: "...)
		o.buf = append(o.buf, s.head...)
		o.buf = append(o.buf, `,"choices":[],"usage":`...)
		o.buf = appendOpenAIUsage(o.buf, ans)
		o.buf = append(o.buf, "}\n\n"...)
		o.send()
	}
	o.buf = append(o.buf, "data: [DONE]\n\n"...)
	o.send()
}

// openaiStream writes the chunks of one stream, which all begin alike.
type openaiStream struct {
	o         *outlet
	ans       *answer
	head      []byte
	wantUsage bool
}

// chunk sends one, with what delta appends as the members of its delta.
func (s *openaiStream) chunk(delta func([]byte) []byte, finish string) {
	b := append(s.o.buf, "data: "...)
	b = append(b, s.head...)
	b = append(b, `,"choices":[{"index":0,"delta":{`...)
	b = delta(b)
	b = append(b, `},"logprobs":null,"finish_reason":`...)
	b = appendOrNull(b, finish)
	b = append(b, "}]"...)
	if s.wantUsage {
		b = append(b, `,"usage":null`...)
	}
	s.o.buf = append(b, "}\n\n"...)
	s.o.send()
}

func (s *openaiStream) texts(a *ask, ans *answer) bool {
	if ans.signed {
		for piece := range textPieces(ans.shownThinking(a), 0) {
			if !s.text(`"reasoning_content":`, piece) {
				return false
			}
		}
	}
	for piece := range textPieces(ans.text, ans.pieceSize) {
		if !s.text(`"content":`, piece) {
			return false
		}
	}
	return true
}

func (s *openaiStream) text(key, piece string) bool {
	if !s.o.piece() {
		return false
	}
	s.chunk(func(b []byte) []byte { return appendString(append(b, key...), piece) }, "")
	return true
}

func (s *openaiStream) toolCalls(ans *answer) bool {
	for i, c := range ans.calls {
		if !s.o.piece() {
			return false
		}
		s.chunk(func(b []byte) []byte {
			b = appendField(b, `"tool_calls":[{"index":`, i)
			return append(appendFunction(append(b, ','), c, ""), "}]"...)
		}, "")
		for piece := range argumentPieces(c.args) {
			if !s.o.piece() {
				return false
			}
			s.chunk(func(b []byte) []byte {
				b = appendField(b, `"tool_calls":[{"index":`, i)
				b = append(b, `,"function":{"arguments":`...)
				return append(appendString(b, piece), "}}]"...)
			}, "")
		}
	}
	return true
}

// appendFunction appends the members of a tool call.
func appendFunction(b []byte, c call, args string) []byte {
	b = append(b, `"id":"call_sim`...)
	b = append(b, c.id...)
	b = append(b, `","type":"function","function":{"name":`...)
	b = appendString(b, c.name)
	b = append(b, `,"arguments":`...)
	b = appendString(b, args)
	return append(b, '}')
}

// appendCompletionHead opens the object that a chunk or a completion is.
func appendCompletionHead(b []byte, object string, a *ask, ans *answer) []byte {
	b = append(b, `{"id":"chatcmpl-sim`...)
	b = append(b, ans.id...)
	b = append(b, `","object":"`...)
	b = append(b, object...)
	b = appendField(b, `","created":`, created)
	b = append(b, `,"model":`...)
	b = appendString(b, a.model)
	return append(b, `,"service_tier":"default","system_fingerprint":"fp_simulated"`...)
}

func (openai) appendDocument(b []byte, a *ask, ans *answer) []byte {
	b = appendCompletionHead(b, "chat.completion", a, ans)
	b = append(b, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	b = appendOrNull(b, ans.text)
	if shown := ans.shownThinking(a); ans.signed && shown != "" {
		b = append(b, `,"reasoning_content":`...)
		b = appendString(b, shown)
	}
	for i, c := range ans.calls {
		if i == 0 {
			b = append(b, `,"tool_calls":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(appendFunction(append(b, '{'), c, c.args), '}')
	}
	if len(ans.calls) > 0 {
		b = append(b, ']')
	}
	b = append(b, `,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":`...)
	b = appendString(b, finishReason(ans))
	b = append(b, "}]"...)
	if !ans.noUsage {
		b = append(b, `,"usage":`...)
		b = appendOpenAIUsage(b, ans)
	}
	return append(b, '}')
}

func finishReason(ans *answer) string {
	if ans.native != "" {
		return ans.native
	}
	return [...]string{"stop", "length", "stop", "tool_calls"}[ans.stop]
}

func appendOpenAIUsage(b []byte, ans *answer) []byte {
	b = appendField(b, `{"prompt_tokens":`, ans.prompt.total)
	b = appendField(b, `,"completion_tokens":`, ans.outputTokens)
	b = appendField(b, `,"total_tokens":`, ans.prompt.total+ans.outputTokens)
	b = appendField(b, `,"prompt_tokens_details":{"cached_tokens":`, ans.prompt.cacheRead)
	b = appendField(b, `,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":`, ans.thoughtTokens)
	return append(b, `,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`...)
}

func (openai) appendCount(b []byte, _ int) []byte { return b }

func (openai) appendModels(b []byte, models []string) []byte {
	b = append(b, `{"object":"list","data":[`...)
	for i, m := range models {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = appendString(b, m)
		b = appendField(b, `,"object":"model","created":`, created)
		b = append(b, `,"owned_by":"simulated"}`...)
	}
	return append(b, "]}"...)
}

func (openai) appendError(b []byte, e *failure, _ string) []byte {
	b = append(b, `{"error":{"message":`...)
	b = appendString(b, e.openaiText())
	b = append(b, `,"type":`...)
	b = appendString(b, e.openaiType)
	b = append(b, `,"param":`...)
	b = appendOrNull(b, e.param)
	b = append(b, `,"code":`...)
	b = appendOrNull(b, e.code)
	return append(b, "}}"...)
}

func (d openai) appendErrorEvent(b []byte, e *failure) []byte {
	b = append(b, "data: "...)
	return append(d.appendError(b, e, ""), "\n\n"...)
}

func (openai) appendHeartbeat(b []byte) []byte { return append(b, ": keep-alive\n\n"...) }
