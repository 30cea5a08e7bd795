package wasm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

func pieces(b []byte, n int) (out [][]byte) {
	for ; len(b) > n; b = b[n:] {
		out = append(out, b[:n])
	}
	return append(out, b)
}

// replayBody is a caller's request, whatever was recorded.
const replayBody = `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`

// replay plays a recorded answer, in these pieces, through the framer, the module and the grammar, as the server does. It
// returns the stream that a caller would get, with the error at its end when there is one.
func replay(t *testing.T, m *wasm.Module, call string, rec sdktest.Recording, body ...[]byte) string {
	t.Helper()
	s, err := m.NewStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Open(abi.Record{Kind: abi.KindOpen, Payload: []byte(call)}, abi.Record{Kind: abi.KindBody, Payload: []byte(replayBody)}); err != nil {
		t.Fatal(err)
	}
	kind := abi.FramingSSE
	if strings.HasSuffix(rec.File, ".json") {
		if kind = abi.FramingJSON; rec.Stream && rec.Status == 200 {
			kind = abi.FramingJSONArray
		}
	}
	f, err := framing.New(kind, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := player{t: t, s: s, w: messages.NewWriter(messages.WriterConfig{ID: "msg_1", Model: "m"})}
	p.push(abi.Record{Kind: abi.KindHead, Payload: fmt.Appendf(nil, `{"status":%d,"headers":{}}`, rec.Status)})
	for _, b := range body {
		if err := f.Feed(bytes.Clone(b), p.frame); err != nil {
			t.Fatal(err)
		}
		p.push(p.recs...)
	}
	if err := f.Close(p.frame); err != nil {
		t.Fatal(err)
	}
	p.push(append(p.recs, abi.Record{Kind: abi.KindEnd})...)
	if p.err == nil {
		p.out, p.err = p.w.Finish(p.out, abi.EndOfBody)
	}
	if p.err != nil {
		return string(p.out) + "error: " + p.err.Error()
	}
	return string(p.out)
}

// A player feeds a stream what one read of the vendor's answer amounts to at a time.
type player struct {
	t    *testing.T
	s    *wasm.Stream
	w    *messages.Writer
	recs []abi.Record
	out  []byte
	err  error
}

func (p *player) frame(f framing.Frame) error {
	if f.Empty {
		return nil
	}
	r := abi.Record{Kind: abi.KindFrame, Block: uint16(len(f.Event)), Payload: append(bytes.Clone(f.Event), f.Data...)}
	if f.Document {
		r.Flags = abi.FlagDocument
	}
	p.recs = append(p.recs, r)
	return nil
}

func (p *player) push(recs ...abi.Record) {
	p.t.Helper()
	p.recs = nil
	if len(recs) == 0 || p.err != nil {
		return
	}
	batch, err := p.s.Push(recs...)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := abi.NewReader(batch)
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		rec, ok, err := r.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if !ok {
			return
		}
		if p.out, p.err = p.w.Apply(p.out, rec); p.err != nil {
			return
		}
	}
}

// bigBody is the request of a coding agent, some 200 KiB, with its tools and a long history.
func bigBody() string {
	var tools, history []string
	for i := range 20 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":%q,"input_schema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",`+
			`"properties":{"path":{"type":"string","description":"the path of the file"},"limit":{"type":"integer","exclusiveMinimum":0},"mode":{"type":"string","enum":["a","b"]}},`+
			`"required":["path"],"additionalProperties":false},"cache_control":{"type":"ephemeral"}}`, i, strings.Repeat("It does one thing well. ", 60)))
	}
	for i := range 40 {
		history = append(history, fmt.Sprintf(`{"role":"user","content":[{"type":"text","text":%q}]}`, strings.Repeat("please look at the file once more. ", 20)),
			fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"I'll look."},{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"a/b/c.go","limit":3}}]}`, i),
			fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":%q}]}`, i, strings.Repeat("\tif err != nil {\n\t\treturn \"wrong\"\n\t}\n", 80)))
	}
	return `{"model":"m","max_tokens":64,"system":"You are an agent.","tools":[` + strings.Join(tools, ",") + `],"messages":[` + strings.Join(history, ",") + `]}`
}
