package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
)

// An adapterBench is one adapter's pieces: a chunk of about 300 bytes as its vendor sends them.
type adapterBench struct {
	name  string
	event string
	chunk string
}

var adapterBenches = []adapterBench{
	{name: "openai", chunk: `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767323045,"model":"m","choices":[{"index":0,"delta":{"content":"` +
		strings.Repeat("the text ", 15) + `"},"logprobs":null,"finish_reason":null}],"usage":null}`},
	{name: "openai-responses", event: "response.output_text.delta", chunk: `{"type":"response.output_text.delta","content_index":0,"delta":"` + strings.Repeat("the text ", 10) +
		`","item_id":"msg_060f468708eb0ff90069f3e2f104d881938387382c02f5868c","logprobs":[],"obfuscation":"ZX88yUoh5fLR","output_index":0,"sequence_number":17}`},
	{name: "gemini", chunk: `{"candidates": [{"content": {"parts": [{"text": "` + strings.Repeat("the text ", 6) + `"}],"role": "model"},"index": 0}],` +
		`"usageMetadata": {"promptTokenCount": 54,"candidatesTokenCount": 14,"totalTokenCount": 68},"modelVersion": "gemini-2.5-flash","responseId": "zwCzaYWfAbnoz7IPmc_m6Q4"}`},
}

// Targets of the sandbox: CPU of one piece, of one request of 200 KiB, and of decisions.
const (
	targetPiece    = 8 * time.Microsecond
	targetRequest  = 4 * time.Millisecond
	targetVerbatim = 500 * time.Microsecond
)

var targetDecide = []struct {
	candidates int
	most       time.Duration
}{{5, 60 * time.Microsecond}, {50, 300 * time.Microsecond}, {240, 1500 * time.Microsecond}}

// measureGuests measures the shipped modules in this process, one after the other on one goroutine: CPU as the kernel
// counts it, and fuel.
func measureGuests(ctx context.Context) error {
	cache, err := os.MkdirTemp("", "ainfera-bench-modules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: cache})
	if err != nil {
		return err
	}
	defer sandbox.Close(context.WithoutCancel(ctx))
	fmt.Println("\nguests, one call after the other; CPU time and fuel")
	for _, a := range adapterBenches {
		if err := measureAdapter(ctx, sandbox, a); err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
	}
	if err := measureVerbatim(ctx, sandbox); err != nil {
		return fmt.Errorf("verbatim: %w", err)
	}
	if err := measureDecisions(ctx, sandbox); err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	return measureInstances(ctx, sandbox)
}

func loadGuest(ctx context.Context, sandbox *wasm.Host, name string, i wasm.Isolation) (*wasm.Module, error) {
	code, err := builtin.Module(name)
	if err != nil {
		return nil, err
	}
	return sandbox.Load(ctx, wasm.Spec{Name: name, Bytes: code, Isolation: i})
}

// opening is what the host tells an adapter of a call, its settings at their defaults.
func opening(m *wasm.Module, verbatim bool) ([]byte, error) {
	settings := map[string]any{}
	for _, s := range m.Manifest().Settings {
		settings[s.Name] = s.Default
	}
	return json.Marshal(map[string]any{"op": "chat", "stream": true, "model": "m", "slug": "m", "max_tokens": 64, "max_output": 32000,
		"anthropic_version": "2023-06-01", "verbatim": verbatim, "settings": settings})
}

func openGuest(ctx context.Context, m *wasm.Module, body string) (*wasm.Stream, error) {
	call, err := opening(m, false)
	if err != nil {
		return nil, err
	}
	s, err := m.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.Open(abi.Record{Kind: abi.KindOpen, Payload: call}, abi.Record{Kind: abi.KindBody, Payload: []byte(body)})
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

var streamHead = abi.Record{Kind: abi.KindHead, Payload: []byte(`{"status":200,"headers":{"content-type":"text/event-stream"}}`)}

func measureAdapter(ctx context.Context, sandbox *wasm.Host, a adapterBench) error {
	m, err := loadGuest(ctx, sandbox, a.name, wasm.IsolationShared)
	if err != nil {
		return err
	}
	s, err := openGuest(ctx, m, `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Push(streamHead); err != nil {
		return err
	}
	chunk := abi.Record{Kind: abi.KindFrame, Block: uint16(len(a.event)), Payload: []byte(a.event + a.chunk)}
	unknown := abi.Record{Kind: 0x3f}
	if err := report("a call across the boundary, "+a.name, 0, 20000, func() (int64, error) { return fueled(s, func() error { _, err := s.Push(unknown); return err }) }); err != nil {
		return err
	}
	if err := report(fmt.Sprintf("a chunk of %d bytes, %s", len(a.chunk), a.name), targetPiece, 20000, func() (int64, error) {
		return fueled(s, func() error { _, err := s.Push(chunk); return err })
	}); err != nil {
		return err
	}
	body := largeBody()
	return report(fmt.Sprintf("a request of %d KiB, %s", len(body)>>10, a.name), targetRequest, 200, func() (int64, error) {
		s, err := openGuest(ctx, m, body)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		return s.Stats().FuelUsed, nil
	})
}

func fueled(s *wasm.Stream, f func() error) (int64, error) {
	before := s.Stats().FuelUsed
	err := f()
	return s.Stats().FuelUsed - before, err
}

// measureVerbatim is the whole of what a large request costs on its way to a vendor that speaks the caller's own
// protocol: reading it, editing it, and the guest's word on it.
func measureVerbatim(ctx context.Context, sandbox *wasm.Host) error {
	m, err := loadGuest(ctx, sandbox, "anthropic", wasm.IsolationShared)
	if err != nil {
		return err
	}
	call, err := opening(m, true)
	if err != nil {
		return err
	}
	body := []byte(largeBody())
	return report(fmt.Sprintf("a request of %d KiB, anthropic, verbatim: read, edited, prepared", len(body)>>10), targetVerbatim, 500, func() (int64, error) {
		req, err := messages.ParseRequest(body)
		if err != nil {
			return 0, err
		}
		req.Edit(messages.EditSpec{Model: "claude", MaxTokens: 64000})
		s, err := m.NewStream(ctx)
		if err != nil {
			return 0, err
		}
		defer s.Close()
		_, err = s.Open(abi.Record{Kind: abi.KindOpen, Payload: call})
		return s.Stats().FuelUsed, err
	})
}

func measureDecisions(ctx context.Context, sandbox *wasm.Host) error {
	m, err := loadGuest(ctx, sandbox, "floor", wasm.IsolationShared)
	if err != nil {
		return err
	}
	for _, t := range targetDecide {
		input := candidatesInput(t.candidates)
		var out []byte
		err := report(fmt.Sprintf("a decision over %d candidates, on a rewound instance", t.candidates), t.most, 2000, func() (int64, error) {
			decided, stats, err := m.AppendDecide(ctx, out[:0], input)
			out = decided
			return stats.FuelUsed, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// measureInstances opens streams that have an instance each and says how many fit into a gigabyte.
func measureInstances(ctx context.Context, sandbox *wasm.Host) error {
	m, err := loadGuest(ctx, sandbox, "openai", wasm.IsolationStream)
	if err != nil {
		return err
	}
	const streams = 400
	before, err := ownBytes()
	if err != nil {
		return err
	}
	chunk := abi.Record{Kind: abi.KindFrame, Payload: []byte(adapterBenches[0].chunk)}
	for range streams {
		s, err := openGuest(ctx, m, `{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"Say hello."}]}`)
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err := s.Push(streamHead, chunk); err != nil {
			return err
		}
	}
	after, err := ownBytes()
	if err != nil {
		return err
	}
	each := max(1, (after-before)/streams)
	fmt.Printf("  %-66s %d KiB each, %d in a gigabyte\n", fmt.Sprintf("%d streams with an instance each, after a chunk", streams), each>>10, (1<<30)/each)
	return nil
}

// report runs f, once to warm up and then n times, and prints what one costs against its target, if it has one.
func report(what string, target time.Duration, n int, f func() (fuel int64, err error)) error {
	for range max(1, n/20) {
		if _, err := f(); err != nil {
			return err
		}
	}
	var fuel int64
	before := processorTime()
	for range n {
		used, err := f()
		if err != nil {
			return err
		}
		fuel = used
	}
	each := (processorTime() - before) / time.Duration(n)
	verdict := ""
	switch {
	case target == 0:
	case each <= target:
		verdict = fmt.Sprintf("  (target at most %v: reached)", target)
	default:
		verdict = fmt.Sprintf("  (target at most %v: MISSED)", target)
	}
	fmt.Printf("  %-66s %10v %9d fuel%s\n", what, each.Round(10*time.Nanosecond), fuel, verdict)
	return nil
}

// processorTime is what this process used, in the kernel too.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no way to fail with these arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ownBytes is the memory of this process that it shares with nobody: what instances have copied of a snapshot counts, what
// they still share does not. The collector has run before.
func ownBytes() (int64, error) {
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, fmt.Errorf("read memory (Linux only): %w", err)
	}
	var kib int64
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "Private_Dirty:" && f[0] != "Private_Clean:" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read memory: %w", err)
		}
		kib += n
	}
	return kib << 10, nil
}

// largeBody is a coding agent's request: its tools and a long history, some 200 KiB.
func largeBody() string {
	var tools, history []string
	for i := range 20 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":%q,"input_schema":{"type":"object","properties":{"path":{"type":"string","description":"the path of the file"},`+
			`"limit":{"type":"integer"},"mode":{"type":"string","enum":["a","b"]}},"required":["path"]},"cache_control":{"type":"ephemeral"}}`, i, strings.Repeat("It does one thing well. ", 60)))
	}
	for i := range 38 {
		history = append(history, fmt.Sprintf(`{"role":"user","content":[{"type":"text","text":%q}]}`, strings.Repeat("please look at the file once more. ", 20)),
			fmt.Sprintf(`{"role":"assistant","content":[{"type":"text","text":"I'll look."},{"type":"tool_use","id":"toolu_%d","name":"tool_1","input":{"path":"a/b/c.go","limit":3}}]}`, i),
			fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_%d","content":%q}]}`, i, strings.Repeat("\tif err != nil {\n\t\treturn \"wrong\"\n\t}\n", 75)))
	}
	return `{"model":"m","max_tokens":64,"system":"You are an agent.","tools":[` + strings.Join(tools, ",") + `],"messages":[` + strings.Join(history, ",") + `]}`
}

func candidatesInput(candidates int) []byte {
	list := make([]string, candidates)
	for i := range list {
		list[i] = fmt.Sprintf(`{"aa_agentic_index":null,"brand_slug":"brand-%[1]d","expected_latency_ms":null,"m_allowed":true,"model_id":"model-%[1]d",`+
			`"model_slug":"model-%[1]d","price_in_per_mtok_usd":"0.%[2]d","price_out_per_mtok_usd":"1.%[2]d","q_prior":"0.%[3]d"}`, i, i+1, 60+i%40)
	}
	return []byte(`{"candidates":[` + strings.Join(list, ",") + `],"features":{"candidates":{},"images":0,"messages":1,"session_model":null,"stream":false,` +
		`"tags":{},"task_type":null,"tools":0},"min_quality_explicit":false,"options":{"expected_cost_ranking":false,"floor_on_q_prior":true,"maker_penalty":null,` +
		`"q_empirical":null,"quality_floor":null},"policy":{"agentic_floor":null,"budget_cap_usd":null,"latency_cap_ms":null,"min_quality":"0.50",` +
		`"policy_name":"floor"},"request":{"agent_id":"bench","estimated_input_tokens":10,"request_id":"req_1","reserved_max_tokens":64}}`)
}
