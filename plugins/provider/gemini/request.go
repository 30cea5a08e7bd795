package main

import (
	"slices"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// A translation is one request on its way from the Anthropic shape to generateContent.
type translation struct {
	call  *sdk.Call
	opts  *options
	old   bool // the model is one before Gemini 3
	in    [len(bodyKeys)]jscan.Value
	out   *sdk.Request
	b     []byte // the body's text since the last reference
	names toolNames
	err   error // the first refusal of something deep inside

	turns   []turn
	blocks  []block  // of all turns
	calls   []called // the history's tool calls, in order
	textEnd int      // where in b the last text part ended, when nothing came behind it
}

// bodyKeys are the top-level fields of the caller's request, in the order in which clients have them. Those from
// inContainer on have no place at this vendor.
var bodyKeys = [...]string{"model", "messages", "system", "max_tokens", "metadata", "stop_sequences", "stream", "temperature",
	"top_k", "top_p", "tools", "tool_choice", "thinking", "output_config", "output_format", "routing_hint", "task_type", "agent_id",
	"container", "context_management", "mcp_servers", "service_tier", "inference_geo", "speed", "cache_control"}

const (
	inModel = iota
	inMessages
	inSystem
	inMaxTokens
	inMetadata
	inStop
	inStream
	inTemperature
	inTopK
	inTopP
	inTools
	inToolChoice
	inThinking
	inOutputConfig
	inOutputFormat
	inRoutingHint
	inTaskType
	inAgentID
	inContainer
)

// translate writes the vendor's request. The order of what it writes depends on nothing but the call.
func translate(c *sdk.Call, opts *options, out *sdk.Request, scratch []byte) (*translation, error) {
	t := &translation{call: c, opts: opts, old: isOld(c.Model), out: out, b: scratch}
	if err := t.read(); err != nil {
		return nil, sdk.Invalid("the request body is no JSON: " + err.Error())
	}
	t.begin()
	if t.counting() {
		t.countBody()
	} else {
		t.b = append(t.b, '{')
		t.config()
		t.safety()
		t.prompt()
		t.b = append(t.b, '}')
	}
	if t.err != nil {
		return nil, t.err
	}
	_, _ = out.Write(t.b)
	return t, nil
}

// read reads the caller's request in one walk, messages and their blocks with it, and lists what has no place here.
func (t *translation) read() error {
	r := jscan.NewReader(t.call.Body)
	unknown := false
	if r.Object() {
		for n, ok := r.Field(bodyKeys[:], 0); ok; n, ok = r.Field(bodyKeys[:], n+1) {
			switch {
			case n == inMessages && r.Kind() == jscan.Array:
				t.turns, t.blocks, t.calls = t.turns[:0], t.blocks[:0], t.calls[:0] // of two the last counts
				t.messages(&r)
			case n < 0:
				unknown = true
				r.Value()
			default:
				t.in[n] = r.Value()
			}
		}
	} else {
		r.Value()
	}
	if err := r.End(); err != nil {
		return err
	}
	for n := inContainer; n < len(bodyKeys); n++ {
		t.drop(bodyKeys[n], t.in[n])
	}
	for key, v := range t.in[inMetadata].Fields() {
		t.drop("metadata."+string(key), v) // Gemini takes nothing about the user
	}
	if unknown {
		t.unknown()
	}
	return nil
}

// unknown lists the fields that nobody knows yet.
func (t *translation) unknown() {
	doc, _ := jscan.Parse(t.call.Body) // which read has seen to be good
	for key, v := range doc.Fields() {
		if k := string(key); !slices.Contains(bodyKeys[:], k) {
			t.drop(k, v)
		}
	}
}

// drop lists a field, when it is there.
func (t *translation) drop(field string, v jscan.Value) {
	if !v.IsNull() {
		t.out.Dropped(field)
	}
}

// begin names path and headers. On Vertex the base URL ends where the model's name begins.
func (t *translation) begin() {
	model := strings.TrimPrefix(t.call.Model, "models/")
	path := "/models/" + sdk.PathEscape(model)
	if t.opts.vertex {
		path = "/" + sdk.PathEscape(model)
	}
	switch {
	case t.counting():
		t.out.Begin("POST", path+":countTokens", abi.FramingJSON)
	case !t.call.Stream:
		t.out.Begin("POST", path+":generateContent", abi.FramingJSON)
	case t.opts.array:
		t.out.Begin("POST", path+":streamGenerateContent", abi.FramingJSONArray)
	default:
		t.out.Begin("POST", path+":streamGenerateContent", abi.FramingSSE)
		t.out.Query("alt=sse")
	}
	t.out.Header("content-type", "application/json")
}

// countBody is the body of countTokens: what is read of the request, since the two platforms know no other fields there.
func (t *translation) countBody() {
	if t.opts.vertex {
		t.b = append(t.b, '{')
		t.prompt()
		t.b = append(t.b, '}')
		return
	}
	t.b = append(t.b, `{"generateContentRequest":{"model":`...)
	t.b = jwrite.AppendString(t.b, "models/"+strings.TrimPrefix(t.call.Model, "models/"))
	t.prompt()
	t.b = append(t.b, "}}"...)
}

func (t *translation) counting() bool { return t.call.Op == abi.OpCount }

// prompt writes what the model reads: system, tools, messages.
func (t *translation) prompt() {
	t.system()
	t.tools()
	t.b = append(jwrite.AppendKey(t.b, "contents"), '[')
	for _, n := range t.turns {
		t.turn(n)
	}
	t.b = append(t.b, ']')
}

// refuse keeps the first reason not to carry the request. What is written after it is thrown away.
func (t *translation) refuse(err error) {
	if t.err == nil {
		t.err = err
	}
}

// config writes generationConfig.
func (t *translation) config() {
	t.b = append(jwrite.AppendKey(t.b, "generationConfig"), '{')
	limit := int64(t.call.MaxTokens)
	if limit == 0 {
		limit = t.in[inMaxTokens].IntOr(0)
	}
	if limit > 0 {
		t.b = jwrite.AppendInt(jwrite.AppendKey(t.b, "maxOutputTokens"), limit)
	}
	t.raw("temperature", t.in[inTemperature])
	t.raw("topP", t.in[inTopP])
	t.raw("topK", t.in[inTopK])
	t.stop()
	t.thinking()
	t.format()
	t.b = append(t.b, '}')
}

// raw copies a value as it is, when it is there.
func (t *translation) raw(field string, v jscan.Value) {
	if !v.IsNull() {
		t.b = append(jwrite.AppendKey(t.b, field), v...)
	}
}

func (t *translation) stop() {
	if t.in[inStop].Len() == 0 {
		return
	}
	t.b = append(jwrite.AppendKey(t.b, "stopSequences"), '[')
	n := 0
	for v := range t.in[inStop].Items() {
		if n++; n > t.opts.maxStop {
			t.out.Dropped("stop_sequences")
			break
		}
		t.b = append(jwrite.AppendComma(t.b), v...)
	}
	t.b = append(t.b, ']')
}

// harms are the categories whose filters can be set.
var harms = [...]string{"HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"}

func (t *translation) safety() {
	if t.opts.safety == "" {
		return
	}
	t.b = append(jwrite.AppendKey(t.b, "safetySettings"), '[')
	for _, h := range harms {
		t.b = append(jwrite.AppendComma(t.b), `{"category":"HARM_CATEGORY_`...)
		t.b = append(append(t.b, h...), `","threshold":`...)
		t.b = append(jwrite.AppendString(t.b, t.opts.safety), '}')
	}
	t.b = append(t.b, ']')
}

// system writes the system prompt, a part for each of its blocks.
func (t *translation) system() {
	texts, err := messages.System(t.in[inSystem], t.out)
	t.refuse(err)
	for i, text := range texts {
		if i == 0 {
			t.b = append(jwrite.AppendKey(t.b, "systemInstruction"), `{"parts":[`...)
		}
		t.b = append(append(append(jwrite.AppendComma(t.b), `{"text":`...), text...), '}')
	}
	if len(texts) > 0 {
		t.b = append(t.b, "]}"...)
	}
}
