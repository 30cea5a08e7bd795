package wasm_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
)

// shipped loads one of the server's own modules, as shared as it is there.
func shipped(b testing.TB, name string) *wasm.Module {
	b.Helper()
	code, err := builtin.Module(name)
	if err != nil {
		b.Skip(err)
	}
	cache, err := os.MkdirTemp("", "wasm-shipped")
	if err != nil {
		b.Fatal(err)
	}
	h, err := wasm.Open(context.Background(), wasm.Config{CacheDir: cache})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			b.Errorf("close: %v", err)
		}
		os.RemoveAll(cache)
	})
	m, err := h.Load(context.Background(), wasm.Spec{Name: name, Bytes: code, Isolation: wasm.IsolationShared})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkShippedDecide is what routing one call among five candidates takes.
func BenchmarkShippedDecide(b *testing.B) {
	m := shipped(b, "floor")
	input := candidates(5)
	var out []byte
	var fuel int64
	for b.Loop() {
		decided, stats, err := m.AppendDecide(context.Background(), out[:0], input)
		if err != nil {
			b.Fatal(err)
		}
		out, fuel = decided, stats.FuelUsed
	}
	b.ReportMetric(float64(fuel), "fuel/op")
}

// candidates is a decision's input with n of them.
func candidates(n int) []byte {
	var candidates []string
	for i := range n {
		candidates = append(candidates, fmt.Sprintf(`{"aa_agentic_index":null,"brand_slug":"brand-%d","expected_latency_ms":null,"m_allowed":true,`+
			`"model_id":"model-%[1]d","model_slug":"model-%[1]d","price_in_per_mtok_usd":"0.%[2]d","price_out_per_mtok_usd":"1.%[2]d","q_prior":"0.%d"}`, i, i+1, 60+i))
	}
	return []byte(`{"candidates":[` + strings.Join(candidates, ",") + `],"features":{"candidates":{},"images":0,"messages":1,"session_model":null,` +
		`"stream":false,"tags":{},"task_type":null,"tools":0},"min_quality_explicit":false,"options":{"expected_cost_ranking":false,` +
		`"floor_on_q_prior":true,"maker_penalty":null,"q_empirical":null,"quality_floor":null},"policy":{"agentic_floor":null,` +
		`"budget_cap_usd":null,"latency_cap_ms":null,"min_quality":"0.50","policy_name":"floor"},"request":{"agent_id":"bench",` +
		`"estimated_input_tokens":10,"request_id":"req_1","reserved_max_tokens":64}}`)
}

// TestLargeCallsRewind: a call of the size that catalogues and coding agents make leaves an instance that the next one can
// have. One whose memory had to grow would be thrown away, and making another takes longer than most calls.
func TestLargeCallsRewind(t *testing.T) {
	live := func(t *testing.T, m *wasm.Module) {
		t.Helper()
		if n := m.Stats().Instances; n != 1 {
			t.Errorf("%d instances wait for the next call, want the one that was used", n)
		}
	}
	t.Run("floor", func(t *testing.T) {
		m := shipped(t, "floor")
		if _, _, err := m.Decide(t.Context(), candidates(240)); err != nil {
			t.Fatal(err)
		}
		live(t, m)
	})
	body := `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"` + strings.Repeat("one line\\n", 20<<10) + `"}]}`
	for _, name := range []string{"openai", "openai-responses", "gemini"} {
		t.Run(name, func(t *testing.T) {
			m := shipped(t, name)
			beginWith(t, m, `{"op":"chat","stream":true,"model":"m","slug":"m","max_tokens":64,"max_output":32000,"settings":{}}`, body).Close()
			live(t, m)
		})
	}
}

// TestWideSchemas: what a strict tool of very many properties takes grows as its bytes do, which pay for it.
func TestWideSchemas(t *testing.T) {
	var properties, required []string
	for i := range 2000 {
		properties = append(properties, fmt.Sprintf(`"property_%d":{"type":"string"}`, i))
		required = append(required, fmt.Sprintf(`"property_%d"`, i))
	}
	body := `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"f","strict":true,"input_schema":` +
		`{"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(required, ",") + `]}}]}`
	for _, name := range []string{"openai", "openai-responses"} {
		t.Run(name, func(t *testing.T) {
			beginWith(t, shipped(t, name), `{"op":"chat","stream":true,"model":"m","slug":"m","max_tokens":64,"max_output":32000,"settings":{}}`, body).Close()
		})
	}
}

const shippedOpen = `{"op":"chat","stream":%t,"model":"model-1","slug":"model-1","max_tokens":64,"max_output":32000,"anthropic_version":"2023-06-01",` +
	`"settings":{"documents":false,"leave_out":[],"max_stop":4,"max_tokens_field":"max_completion_tokens","path":"/chat/completions","query":"",` +
	`"reasoning":"effort","stream_options":true,"system_role":"system","thinking_history":"","tool_ids":"any","user_field":"user"}}`

// begin opens a stream of m.
func begin(b testing.TB, m *wasm.Module, streamed bool) *wasm.Stream {
	b.Helper()
	return beginWith(b, m, fmt.Sprintf(shippedOpen, streamed), `{"model":"model-1","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`)
}

// beginWith opens a stream of m with a call and the caller's body.
func beginWith(b testing.TB, m *wasm.Module, call, body string) *wasm.Stream {
	b.Helper()
	s, err := m.NewStream(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	_, err = s.Open(abi.Record{Kind: abi.KindOpen, Payload: []byte(call)}, abi.Record{Kind: abi.KindBody, Payload: []byte(body)})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func push(b *testing.B, s *wasm.Stream, recs ...abi.Record) {
	b.Helper()
	if _, err := s.Push(recs...); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkShippedExchange is what translating one small call and its whole answer takes: in an instance that another
// stream keeps alive, and in one that is rewound after each.
func BenchmarkShippedExchange(b *testing.B) {
	m := shipped(b, "openai")
	head := abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"application/json","x-request-id":"req_1"}}`)}
	answer := abi.Record{Kind: abi.KindFrame, Flags: abi.FlagDocument, Payload: []byte(`{"id":"chatcmpl-1","object":"chat.completion","created":1767323045,` +
		`"model":"model-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello. How are you?","refusal":null,"annotations":[]},` +
		`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":21,"total_tokens":30,` +
		`"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}`)}
	exchange := func(b *testing.B) {
		var fuel int64
		for b.Loop() {
			s := begin(b, m, false)
			push(b, s, head, answer)
			push(b, s, abi.Record{Kind: abi.KindEnd})
			fuel = s.Stats().FuelUsed
			s.Close()
		}
		b.ReportMetric(float64(fuel), "fuel/op")
	}
	b.Run("rewound", exchange)
	b.Run("shared", func(b *testing.B) {
		for range runtime.GOMAXPROCS(0) { // until then each stream gets an instance of its own
			defer begin(b, m, false).Close()
		}
		exchange(b)
	})
}

// BenchmarkShippedChunk is what one chunk of a stream takes, some 300 bytes of text.
func BenchmarkShippedChunk(b *testing.B) {
	s := begin(b, shipped(b, "openai"), true)
	defer s.Close()
	push(b, s, abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"text/event-stream"}}`)})
	chunk := abi.Record{Kind: abi.KindFrame, Payload: []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767323045,"model":"model-1",` +
		`"choices":[{"index":0,"delta":{"content":"` + strings.Repeat("the text of it ", 20) + `"},"logprobs":null,"finish_reason":null}],"usage":null}`)}
	push(b, s, chunk)
	before, n := s.Stats().FuelUsed, 0
	for b.Loop() {
		push(b, s, chunk)
		n++
	}
	b.ReportMetric(float64(s.Stats().FuelUsed-before)/float64(n), "fuel/op")
}
