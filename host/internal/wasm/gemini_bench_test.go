package wasm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

const geminiOpen = `{"op":"chat","stream":%t,"model":"gemini-2.5-flash","slug":"gemini-2.5-flash","max_tokens":64,"max_output":32000,` +
	`"settings":{"max_stop":5,"platform":"gemini","safety":"","stream":"sse","thinking":"auto","unasked_thinking":"vendor","urls":true}}`

const geminiBody = `{"model":"gemini-2.5-flash","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`

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
