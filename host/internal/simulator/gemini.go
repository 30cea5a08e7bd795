package simulator

import (
	"net/http"
	"strings"
)

// gemini is Google's generateContent: as the Gemini API has it below /v1beta, and Vertex below any base that ends in
// /publishers/google.
type gemini struct{}

func (gemini) name() string { return Gemini }

func (gemini) operation(method, path string) operation {
	_, verb := geminiAddress(path)
	switch {
	case method == http.MethodPost && (verb == "generateContent" || verb == "streamGenerateContent"):
		return opChat
	case method == http.MethodPost && verb == "countTokens":
		return opCount
	case method == http.MethodGet && path == "/v1beta/models":
		return opModels
	}
	return opNone
}

// geminiAddress takes the model and the method out of a path: …/models/gemini-x:generateContent.
func geminiAddress(path string) (model, verb string) {
	_, rest, found := strings.Cut(path, "/models/")
	at := strings.LastIndexByte(rest, ':')
	if !found || at < 0 {
		return "", ""
	}
	return rest[:at], rest[at+1:]
}

var _ addressed = gemini{}

func (gemini) model(r *http.Request) string {
	model, _ := geminiAddress(r.URL.Path)
	return model
}

func (gemini) authorized(h http.Header) bool { return bearer(h) != "" || h.Get("X-Goog-Api-Key") != "" }

var (
	geminiServer = []string{"scaffolding on HTTPServer2"}
	geminiVary   = []string{"Origin", "X-Origin", "Referer"}
)

func (gemini) setHeaders(h http.Header, _ string) {
	h["Server"] = geminiServer
	h["Vary"] = geminiVary
}

// setFailureHeaders takes the wait away: Google says it in the body.
func (gemini) setFailureHeaders(h http.Header, _ *failure) { h.Del("Retry-After") }

func (gemini) stream(o *outlet, a *ask, ans *answer) {
	if !o.begin() {
		return
	}
	s := geminiStream{o: o, a: a, ans: ans}
	if ans.signed {
		for piece := range textPieces(ans.shownThinking(a), 0) {
			if !o.piece() {
				return
			}
			s.thoughts += len(piece)
			s.chunk(appendGeminiText(nil, piece, true), "")
		}
	}
	for piece := range textPieces(ans.text, ans.pieceSize) {
		if !o.piece() {
			return
		}
		s.said += len(piece)
		s.chunk(appendGeminiText(nil, piece, false), "")
	}
	for i, c := range ans.calls {
		if !o.piece() {
			return
		}
		s.said += len(c.name) + len(c.args)
		s.chunk(appendGeminiCall(nil, a, c, i), "")
	}
	if !o.end() {
		return
	}
	s.over = true
	s.chunk(appendGeminiEnd(nil, a, ans, true), geminiFinish(ans))
}

// geminiStream writes the chunks of one stream. Each reports what was counted so far.
type geminiStream struct {
	o              *outlet
	a              *ask
	ans            *answer
	thoughts, said int // bytes
	over           bool
}

func (s *geminiStream) chunk(parts []byte, finish string) {
	b := append(s.o.buf, `data: {"candidates": [{"content": {"parts": [`...)
	b = append(append(b, parts...), `],"role": "model"}`...)
	if finish != "" {
		b = appendString(append(b, `,"finishReason": `...), finish)
	}
	b = append(b, `,"index": 0}]`...)
	count := geminiCount{s.ans.prompt.total, s.ans.prompt.cacheRead, (s.said + bytesPerToken - 1) / bytesPerToken, (s.thoughts + bytesPerToken - 1) / bytesPerToken}
	if s.over {
		count = geminiCounted(s.ans)
	}
	b = appendGeminiTail(b, s.a, s.ans, count)
	s.o.buf = append(b, "\r\n\r\n"...)
	s.o.send()
}

func (gemini) appendDocument(b []byte, a *ask, ans *answer) []byte {
	b = append(b, `{"candidates": [{"content": {"parts": [`...)
	first := len(b)
	part := func(p []byte) {
		if len(b) > first && len(p) > 0 {
			b = append(b, ',')
		}
		b = append(b, p...)
	}
	if shown := ans.shownThinking(a); ans.signed && shown != "" {
		part(appendGeminiText(nil, shown, true))
	}
	if ans.text != "" {
		part(appendGeminiText(nil, ans.text, false))
	}
	for i, c := range ans.calls {
		part(appendGeminiCall(nil, a, c, i))
	}
	part(appendGeminiEnd(nil, a, ans, false))
	b = append(b, `],"role": "model"},"finishReason": `...)
	b = append(appendString(b, geminiFinish(ans)), `,"index": 0}]`...)
	return appendGeminiTail(b, a, ans, geminiCounted(ans))
}

func appendGeminiText(b []byte, text string, thought bool) []byte {
	b = appendString(append(b, `{"text": `...), text)
	if thought {
		b = append(b, `,"thought": true`...)
	}
	return append(b, '}')
}

// appendGeminiCall appends the part of call n. Only the first of an answer is signed. An id is given by models that have
// "-ids" in their name.
func appendGeminiCall(b []byte, a *ask, c call, n int) []byte {
	b = append(b, `{"functionCall": {`...)
	if strings.Contains(a.model, "-ids") {
		b = appendString(append(b, `"id": `...), c.id[:8])
		b = append(b, ',')
	}
	b = appendString(append(b, `"name": `...), c.name)
	b = append(append(append(b, `,"args": `...), c.args...), '}')
	if n == 0 && geminiSigns(a) {
		b = appendString(append(b, `,"thoughtSignature": `...), geminiSign(a.model, "call "+c.name))
	}
	return append(b, '}')
}

// appendGeminiEnd appends the empty text that ends an answer: it carries the signature where no call does. A document has
// it only for that.
func appendGeminiEnd(b []byte, a *ask, ans *answer, streamed bool) []byte {
	signed := len(ans.calls) == 0 && geminiSigns(a)
	switch {
	case signed:
		b = appendString(append(b, `{"text": "","thoughtSignature": `...), geminiSign(a.model, "text"))
		return append(b, '}')
	case streamed:
		return append(b, `{"text": ""}`...)
	}
	return b
}

// geminiSigns says whether an answer is signed: when it was thought about, and always by models with "signed" in their
// name, which insist on getting the signature of a call back.
func geminiSigns(a *ask) bool { return a.thinking || geminiInsists(a.model) }

func geminiInsists(model string) bool { return strings.Contains(model, "signed") }

// geminiSign is a signature that only this model gives, and to this kind of part.
func geminiSign(model, part string) string { return sign(model, "gemini "+part) }

type geminiCount struct{ prompt, cached, candidates, thoughts int }

// geminiCounted is the count of the whole answer.
func geminiCounted(ans *answer) geminiCount {
	return geminiCount{ans.prompt.total, ans.prompt.cacheRead, max(ans.outputTokens-ans.thoughtTokens, 0), ans.thoughtTokens}
}

// appendGeminiTail ends a chunk or a document. A figure of 0 is left out, as protocol buffers do.
func appendGeminiTail(b []byte, a *ask, ans *answer, n geminiCount) []byte {
	if !ans.noUsage {
		b = appendField(b, `,"usageMetadata": {"promptTokenCount": `, n.prompt)
		for _, f := range [...]struct {
			key string
			n   int
		}{{`,"candidatesTokenCount": `, n.candidates}, {`,"cachedContentTokenCount": `, n.cached}, {`,"thoughtsTokenCount": `, n.thoughts}} {
			if f.n > 0 {
				b = appendField(b, f.key, f.n)
			}
		}
		b = appendField(b, `,"totalTokenCount": `, n.prompt+n.candidates+n.thoughts)
		b = append(b, '}')
	}
	b = appendString(append(b, `,"modelVersion": `...), a.model)
	b = append(append(append(b, `,"responseId": "sim`...), ans.id...), `"}`...)
	return b
}

func geminiFinish(ans *answer) string {
	switch {
	case ans.native != "":
		return ans.native
	case ans.stop == stopLength:
		return "MAX_TOKENS"
	}
	return "STOP"
}

func (gemini) appendCount(b []byte, tokens int) []byte {
	return append(appendField(b, `{"totalTokens": `, tokens), '}')
}

func (gemini) appendModels(b []byte, models []string) []byte {
	b = append(b, `{"models": [`...)
	for i, m := range models {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"name": `...), "models/"+m)
		b = append(b, `,"supportedGenerationMethods": ["generateContent","countTokens"]}`...)
	}
	return append(b, "]}"...)
}

// geminiStatus is Google's word for an HTTP status.
var geminiStatus = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "FAILED_PRECONDITION", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
	413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
	529: "UNAVAILABLE",
}

// appendError appends an error with Google's details: the reason of a bad key, which is a 400 there when it is asked for
// with one, and how long to wait, which no header says.
func (gemini) appendError(b []byte, e *failure, _ string) []byte {
	status := geminiStatus[e.status]
	if status == "" {
		status = "UNKNOWN"
	}
	b = appendField(b, "{\n  \"error\": {\n    \"code\": ", e.status)
	b = appendString(append(b, ",\n    \"message\": "...), e.geminiText())
	b = appendString(append(b, ",\n    \"status\": "...), status)
	switch {
	case e.kind == "authentication_error":
		b = append(b, ",\n    \"details\": [\n      {\"@type\": \"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\": \"API_KEY_INVALID\",\"domain\": \"googleapis.com\"}\n    ]"...)
	case e.retryAfter > 0:
		b = appendField(b, ",\n    \"details\": [\n      {\"@type\": \"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\": \"", e.retryAfter)
		b = append(b, "s\"}\n    ]"...)
	}
	return append(b, "\n  }\n}\n"...)
}

// appendErrorEvent appends an error as it stands in a stream: without a field name, as Google's front ends write it.
func (d gemini) appendErrorEvent(b []byte, e *failure) []byte { return d.appendError(b, e, "") }

func (gemini) appendHeartbeat(b []byte) []byte { return append(b, ": keep-alive\r\n\r\n"...) }
