package gateway

import (
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/chat"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// inference is the platform's own dialect, of /v1/inference: not streamed, and flat.
//
// Its messages and tools may be written as Anthropic's or as OpenAI's. What tells them apart is what only the one has:
// roles beside user and assistant, tool_calls, tools that are functions.
type inference struct{}

var _ dialect = inference{}

func (inference) parse(body []byte) (*asked, error) {
	if !gjson.ValidBytes(body) || !openaiShaped(body) {
		req, err := messages.ParseRequest(body)
		if err != nil {
			return nil, err
		}
		return &asked{req: req}, notStreamed(req)
	}
	r, err := chat.Translate(body)
	if err != nil {
		return nil, err
	}
	req, err := messages.ParseRequest(r.Body)
	if err != nil {
		return nil, err
	}
	return &asked{req: req, dropped: r.Dropped, unsupported: r.Unsupported}, notStreamed(req)
}

func notStreamed(req *messages.Request) error {
	if req.Stream {
		return &messages.RequestError{Param: "stream", Message: "this endpoint does not stream: ask at /v1/messages or /v1/chat/completions"}
	}
	return nil
}

// openaiShaped says whether a request's messages or tools can only be OpenAI's.
func openaiShaped(body []byte) bool {
	f := gjson.GetManyBytes(body, "messages", "tools")
	theirs := false
	f[0].ForEach(func(_, m gjson.Result) bool {
		switch m.Get("role").Str {
		case "system", "developer", "tool", "function":
			theirs = true
		}
		theirs = theirs || m.Get("tool_calls").Exists()
		return !theirs
	})
	f[1].ForEach(func(_, tool gjson.Result) bool {
		theirs = theirs || tool.Get("type").Str == "function"
		return !theirs
	})
	return theirs
}

// native is false: what is in this dialect's error shape can't be a vendor's own body.
func (inference) native() bool { return false }

// field keeps the names: where a caller of this dialect had a choice, they are Anthropic's.
func (inference) field(name string) string { return name }

// ping and errorFrame are for streams, of which there are none.
func (inference) ping() []byte { return nil }

func (inference) errorFrame(*apiError, string, string) []byte { return nil }

func (inference) lane(c *call, e *route.Entry, provider string, l lane) lane {
	return &flatLane{lane: l, call: c, entry: e, provider: provider}
}

// A flatLane puts a whole answer into the platform's shape.
type flatLane struct {
	lane
	call     *call
	entry    *route.Entry
	provider string
}

func (l *flatLane) whole() ([]byte, error) {
	message, err := l.lane.whole()
	if err != nil {
		return nil, err
	}
	var f [1]jscan.Value
	if _, err := jscan.ParsePick(message, f[:], "content"); err != nil {
		return nil, err
	}
	c, res, usage := l.call, l.result(), l.call.settled(l)
	var text strings.Builder
	for b := range f[0].Items() {
		if b.Get("type").Equal("text") {
			text.WriteString(b.Get("text").String())
		}
	}
	b := make([]byte, 0, len(message)+512)
	b = jwrite.AppendString(append(b, `{"agent_id":`...), c.agent.ID)
	b = jwrite.AppendString(jwrite.AppendKey(b, "inference_id"), c.inferenceID)
	b = jwrite.AppendString(jwrite.AppendKey(b, "receipt_id"), c.receiptID)
	b = jwrite.AppendString(jwrite.AppendKey(b, "content"), text.String())
	b = jwrite.AppendRaw(jwrite.AppendKey(b, "content_blocks"), f[0])
	b = jwrite.AppendString(jwrite.AppendKey(b, "model_used"), l.entry.Slug)
	b = jwrite.AppendString(jwrite.AppendKey(b, "provider"), l.provider)
	b = jwrite.AppendString(jwrite.AppendKey(b, "finish_reason"), res.FinishReason)
	b = jwrite.AppendString(jwrite.AppendKey(b, "finish_reason_native"), res.NativeReason)
	b = jwrite.AppendInt(jwrite.AppendKey(b, "input_tokens"), usage.Input)
	b = jwrite.AppendInt(jwrite.AppendKey(b, "output_tokens"), usage.Output)
	b = jwrite.AppendString(jwrite.AppendKey(b, "cost_usd"), money.USD(cost(l.entry, usage)))
	return append(b, '}'), nil
}

// errorBody is flat: code and message at the top, which is where the platform's clients look. model and provider are
// there for the one error of which they make something of their own.
func (inference) errorBody(e *apiError, requestID string) []byte {
	b := jwrite.AppendString([]byte(`{"code":`), e.code)
	b = jwrite.AppendString(jwrite.AppendKey(b, "message"), e.message)
	for _, f := range [...]struct{ k, v string }{{"param", e.param}, {"model", e.model}, {"provider", e.provider}} {
		if f.v != "" {
			b = jwrite.AppendString(jwrite.AppendKey(b, f.k), f.v)
		}
	}
	b = e.appendDetails(b)
	return append(jwrite.AppendString(jwrite.AppendKey(b, "request_id"), requestID), '}')
}
