package gateway

import (
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// anthropic is the dialect of /v1/messages, which is also what the rooms behind speak: all passes as it is.
type anthropic struct{}

var _ dialect = anthropic{}

func (anthropic) parse(body []byte) (*asked, error) {
	req, err := messages.ParseRequest(body)
	return &asked{req: req}, err
}

func (anthropic) native() bool { return true }

func (anthropic) lane(_ *call, _ *route.Entry, _ string, l lane) lane { return l }

func (anthropic) field(name string) string { return name }

func (anthropic) ping() []byte { return messages.PingFrame }

func (anthropic) errorFrame(e *apiError, kind, requestID string) []byte {
	return messages.ErrorFrame(nil, streamType(kind), e.message, requestID)
}

func (anthropic) errorBody(e *apiError, requestID string) []byte {
	b := append([]byte(nil), `{"type":"error","error":{"type":`...)
	b = jwrite.AppendString(b, messages.ErrorType(e.status))
	b = jwrite.AppendString(append(b, `,"message":`...), e.message)
	b = jwrite.AppendString(append(b, `,"code":`...), e.code)
	b = e.appendDetails(b)
	if e.param != "" {
		b = jwrite.AppendString(jwrite.AppendKey(b, "param"), e.param)
	}
	b = jwrite.AppendString(append(b, `},"request_id":`...), requestID)
	return append(b, '}')
}
