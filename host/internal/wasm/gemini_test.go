package wasm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
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
			want := replay(t, m, fmt.Sprintf(geminiOpen, true), rec, rec.Body)
			if got := replay(t, m, fmt.Sprintf(geminiOpen, true), rec, pieces(rec.Body, 1)...); got != want {
				t.Fatalf("byte by byte:\ngot  %s\nwant %s", got, want)
			}
			for i := range 64 {
				at := len(rec.Body) * i / 64
				if got := replay(t, m, fmt.Sprintf(geminiOpen, true), rec, rec.Body[:at], rec.Body[at:]); got != want {
					t.Fatalf("cut at %d:\ngot  %s\nwant %s", at, got, want)
				}
			}
			compare(t, rec, want)
		})
	}
	t.Logf("%d recordings, 66 times each", len(recs))
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
