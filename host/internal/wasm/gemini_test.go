package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

const geminiOpen = `{"op":"chat","stream":%t,"model":"gemini-2.5-flash","slug":"gemini-2.5-flash","max_tokens":64,"max_output":32000,` +
	`"settings":{"max_stop":5,"platform":"gemini","safety":"","stream":"sse","thinking":"auto","unasked_thinking":"vendor","urls":true}}`

const geminiBody = `{"model":"gemini-2.5-flash","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`

// TestGeminiRecordings plays every recording of generateContent through the framer, the module and the grammar, as the
// server does: whole, byte by byte, and cut in two at 64 places. What the caller gets is the same, and says what the
// recording does.
func TestGeminiRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("gemini.generateContent")
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	h, err := wasm.Open(t.Context(), wasm.Config{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.WithoutCancel(t.Context()))
	m, err := h.Load(t.Context(), wasm.Spec{Name: "gemini", Bytes: buildtest.Build(t, "./plugins/provider/gemini"), Isolation: wasm.IsolationShared})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		t.Run(rec.Path, func(t *testing.T) {
			want := replay(t, m, rec, rec.Body)
			if got := replay(t, m, rec, pieces(rec.Body, 1)...); got != want {
				t.Fatalf("byte by byte:\ngot  %s\nwant %s", got, want)
			}
			for i := range 64 {
				at := len(rec.Body) * i / 64
				if got := replay(t, m, rec, rec.Body[:at], rec.Body[at:]); got != want {
					t.Fatalf("cut at %d:\ngot  %s\nwant %s", at, got, want)
				}
			}
			compare(t, rec, want)
		})
	}
	t.Logf("%d recordings, 66 times each", len(recs))
}

func pieces(b []byte, n int) (out [][]byte) {
	for ; len(b) > n; b = b[n:] {
		out = append(out, b[:n])
	}
	return append(out, b)
}

// replay returns the stream that a caller would get, with the error at its end when there is one.
func replay(t *testing.T, m *wasm.Module, rec sdktest.Recording, body ...[]byte) string {
	t.Helper()
	s, err := m.NewStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Open(abi.Record{Kind: abi.KindOpen, Payload: fmt.Appendf(nil, geminiOpen, true)}, abi.Record{Kind: abi.KindBody, Payload: []byte(geminiBody)}); err != nil {
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

// compare holds what the caller gets against the recording.
func compare(t *testing.T, rec sdktest.Recording, got string) {
	t.Helper()
	var text, said string
	var calls, called []any
	answer := rec.Answer()
	for _, f := range answer.Frames {
		doc := gjson.Parse(f.Data)
		if !doc.IsArray() {
			doc = gjson.Parse("[" + f.Data + "]")
		}
		for _, chunk := range doc.Array() {
			if e := chunk.Get("error.message"); e.Exists() {
				if !strings.Contains(got, "error: ") || !strings.Contains(got, e.Str) {
					t.Errorf("got %s, want the error %q", got, e.Str)
				}
				return
			}
			for _, part := range chunk.Get("candidates.0.content.parts").Array() {
				if !part.Get("thought").Bool() {
					text += part.Get("text").Str
				}
				if c := part.Get("functionCall"); c.Exists() {
					args := c.Get("args").Value()
					if args == nil {
						args = map[string]any{}
					}
					calls = append(calls, []any{c.Get("name").Str, args})
				}
			}
		}
	}
	name, args := "", ""
	for _, line := range strings.Split(got, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		e := gjson.Parse(data)
		said += e.Get("delta.text").Str
		args += e.Get("delta.partial_json").Str
		if e.Get("content_block.type").Str == "tool_use" {
			name = e.Get("content_block.name").Str
		}
		if e.Get("type").Str == "content_block_stop" && name != "" {
			var v any
			if err := json.Unmarshal([]byte(args), &v); err != nil {
				t.Errorf("arguments %q: %v", args, err)
			}
			called, name, args = append(called, []any{name, v}), "", ""
		}
	}
	if said != text {
		t.Errorf("text: got %q, want %q", said, text)
	}
	if !reflect.DeepEqual(called, calls) {
		t.Errorf("calls: got %v, want %v", called, calls)
	}
}

// BenchmarkGeminiChunk is what one chunk of a stream takes, some 300 bytes of text.
func BenchmarkGeminiChunk(b *testing.B) {
	s := beginWith(b, shipped(b, "gemini"), fmt.Sprintf(geminiOpen, true), geminiBody)
	defer s.Close()
	push(b, s, abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"text/event-stream"}}`)})
	chunks := [2]abi.Record{}
	for i := range chunks { // the count grows, so that it is passed on each time
		chunks[i] = abi.Record{Kind: abi.KindFrame, Payload: fmt.Appendf(nil, `{"candidates": [{"content": {"parts": [{"text": "%s"}],"role": "model"},"index": 0}],`+
			`"usageMetadata": {"promptTokenCount": 54,"candidatesTokenCount": %d,"totalTokenCount": %d,"promptTokensDetails": [{"modality": "TEXT","tokenCount": 54}]},`+
			`"modelVersion": "gemini-2.5-flash","responseId": "zwCzaYWfAbnoz7IPmc_m6Q4"}`, strings.Repeat("the text", 8), 14+i, 68+i)}
	}
	b.SetBytes(int64(len(chunks[0].Payload)))
	push(b, s, chunks[0])
	before, n := s.Stats().FuelUsed, 0
	for b.Loop() {
		n++
		push(b, s, chunks[n%2])
	}
	b.ReportMetric(float64(s.Stats().FuelUsed-before)/float64(n), "fuel/op")
}

// BenchmarkGeminiRequest is what building a request of 200 KiB takes: a coding agent's, with its tools and a long history.
func BenchmarkGeminiRequest(b *testing.B) {
	body := bigBody()
	m := shipped(b, "gemini")
	b.SetBytes(int64(len(body)))
	var fuel int64
	for b.Loop() {
		s := beginWith(b, m, fmt.Sprintf(geminiOpen, true), body)
		fuel = s.Stats().FuelUsed
		s.Close()
	}
	b.ReportMetric(float64(fuel), "fuel/op")
}

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
