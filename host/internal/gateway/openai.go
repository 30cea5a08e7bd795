package gateway

import (
	"errors"
	"net/http"

	"github.com/ainfera-ai/router/host/internal/chat"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// openai is the dialect of /v1/chat/completions.
type openai struct{}

var _ dialect = openai{}

func (openai) parse(body []byte) (*asked, error) {
	r, err := chat.Translate(body)
	if err != nil {
		return nil, err
	}
	req, err := messages.ParseRequest(r.Body)
	return &asked{req: req, dropped: r.Dropped, unsupported: r.Unsupported, usage: r.IncludeUsage, functions: r.Functions}, err
}

func (openai) native() bool { return false }

func (openai) ping() []byte { return chat.Ping }

// chatFields are Chat Completions' names for fields of Messages.
var chatFields = map[string]string{
	"thinking": "reasoning_effort", "stop_sequences": "stop", "metadata.user_id": "user", "output_config": "response_format",
	"output_config.format": "response_format", "tool_choice.disable_parallel_tool_use": "parallel_tool_calls",
	"tools.strict": "tools.function.strict",
}

func (openai) field(name string) string {
	if theirs, ok := chatFields[name]; ok {
		return theirs
	}
	return name
}

func (openai) lane(c *call, e *route.Entry, _ string, l lane) lane {
	a := chat.Answer{ID: "chatcmpl-" + plainID(c.inferenceID), Model: e.Slug, Created: c.start.Unix(), Ainfera: c.appendIDs(nil),
		IncludeUsage: c.asked.usage, Functions: c.asked.functions, Usage: func() messages.Usage { return c.settled(l) }}
	out := &chatLane{lane: l, answer: a}
	if c.req.Stream {
		out.stream = chat.NewStream(a)
	}
	return out
}

// appendIDs appends an object that says which call this is.
func (c *call) appendIDs(b []byte) []byte {
	b = jwrite.AppendString(append(b, `{"agent_id":`...), c.agent.ID)
	b = jwrite.AppendString(append(b, `,"inference_id":`...), c.inferenceID)
	b = jwrite.AppendString(append(b, `,"receipt_id":`...), c.receiptID)
	return append(jwrite.AppendString(append(b, `,"audit_url":`...), "/v1/audit/"+c.agent.ID), '}')
}

// settled is the usage that is booked for what a lane has seen.
func (c *call) settled(l lane) messages.Usage {
	u, _ := l.result().Settled(c.req.EstimatedInputTokens)
	return u
}

// A chatLane says in chunks what the lane behind it says in Anthropic's frames.
type chatLane struct {
	lane
	answer chat.Answer
	stream *chat.Stream // nil where the answer isn't streamed
	buf    []byte       // used again for every piece
}

func (l *chatLane) take(p *provider.Piece) ([]byte, error) {
	made, err := l.lane.take(p)
	return l.feed(made, err)
}

func (l *chatLane) finish() ([]byte, error) {
	made, err := l.lane.finish()
	return l.feed(made, err)
}

func (l *chatLane) closing() ([]byte, bool) {
	made, ok := l.lane.closing()
	if !ok {
		return nil, false
	}
	made, err := l.feed(made, nil)
	return made, err == nil
}

func (l *chatLane) feed(frames []byte, err error) ([]byte, error) {
	if l.stream == nil {
		return nil, err
	}
	var broke error
	l.buf, broke = l.stream.Feed(l.buf[:0], frames)
	return l.buf, errors.Join(err, broke)
}

func (l *chatLane) whole() ([]byte, error) {
	message, err := l.lane.whole()
	if err != nil {
		return nil, err
	}
	return chat.Completion(l.answer, message)
}

// openaiType is OpenAI's error type for an HTTP status.
func openaiType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "insufficient_quota"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= 500 {
		return "server_error"
	}
	return "invalid_request_error"
}

func (openai) errorBody(e *apiError, requestID string) []byte {
	return appendOpenAIError(nil, e, openaiType(e.status), requestID)
}

// errorFrame is a chunk that is an error, which the official SDKs raise. No [DONE] follows: there are clients to whom
// that is an answer's proper end.
func (openai) errorFrame(e *apiError, kind, requestID string) []byte {
	status := e.status
	switch kind {
	case abi.ErrRateLimit:
		status = http.StatusTooManyRequests
	case abi.ErrInvalidRequest, abi.ErrContextTooLong, abi.ErrFeatureUnsupported, abi.ErrTooLarge:
		status = http.StatusBadRequest
	}
	return append(appendOpenAIError([]byte("data: "), e, openaiType(status), requestID), "\n\n"...)
}

func appendOpenAIError(b []byte, e *apiError, kind, requestID string) []byte {
	b = jwrite.AppendString(append(b, `{"error":{"message":`...), e.message)
	b = jwrite.AppendString(append(b, `,"type":`...), kind)
	b = append(b, `,"param":`...)
	if e.param == "" {
		b = append(b, "null"...)
	} else {
		b = jwrite.AppendString(b, e.param)
	}
	b = jwrite.AppendString(append(b, `,"code":`...), e.code)
	b = e.appendDetails(b)
	return append(jwrite.AppendString(append(b, `},"request_id":`...), requestID), '}')
}
