package wasm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

const responsesOpen = `{"op":"chat","stream":true,"model":"gpt-5","slug":"gpt-5","max_tokens":64,"max_output":32000,"thinking":true,"settings":` +
	`{"count_path":"/responses/input_tokens","documents":true,"leave_out":[],"least_tokens":16,"path":"/responses","query":"","reasoning":true,` +
	`"result_parts":true,"summary":"auto","user_field":"safety_identifier"}}`

// BenchmarkResponsesChunk is what one event of a stream takes, some 300 bytes of it.
func BenchmarkResponsesChunk(b *testing.B) {
	s := beginWith(b, shipped(b, "openai-responses"), responsesOpen, smallBody)
	defer s.Close()
	push(b, s, abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"text/event-stream"}}`)})
	const name = "response.output_text.delta"
	chunk := abi.Record{Kind: abi.KindFrame, Block: uint16(len(name)), Payload: fmt.Appendf([]byte(name), `{"type":"%s","content_index":0,"delta":"%s",`+
		`"item_id":"msg_060f468708eb0ff90069f3e2f104d881938387382c02f5868c","logprobs":[],"obfuscation":"ZX88yUoh5fLR","output_index":0,"sequence_number":17}`,
		name, strings.Repeat("the text of it ", 6))}
	b.SetBytes(int64(len(chunk.Payload)))
	push(b, s, chunk)
	before, n := s.Stats().FuelUsed, 0
	for b.Loop() {
		push(b, s, chunk)
		n++
	}
	b.ReportMetric(float64(s.Stats().FuelUsed-before)/float64(n), "fuel/op")
}

// BenchmarkResponsesRequest is what building a request of 200 KiB takes.
func BenchmarkResponsesRequest(b *testing.B) {
	body := bigBody()
	m := shipped(b, "openai-responses")
	b.SetBytes(int64(len(body)))
	var fuel int64
	for b.Loop() {
		s := beginWith(b, m, responsesOpen, body)
		fuel = s.Stats().FuelUsed
		s.Close()
	}
	b.ReportMetric(float64(fuel), "fuel/op")
}
