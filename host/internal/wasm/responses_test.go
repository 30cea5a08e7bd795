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

const responsesOpen = `{"op":"chat","stream":true,"model":"gpt-5","slug":"gpt-5","max_tokens":64,"max_output":32000,"thinking":true,"settings":` +
	`{"count_path":"/responses/input_tokens","documents":true,"leave_out":[],"least_tokens":16,"path":"/responses","query":"","reasoning":true,` +
	`"result_parts":true,"summary":"auto","user_field":"safety_identifier"}}`

// TestResponsesRecordings plays every recording of the Responses API: whole, byte by byte, and cut in two at 64 places.
// What the caller gets is the same, and says what the recording does.
func TestResponsesRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("openai.responses")
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
	m, err := h.Load(t.Context(), wasm.Spec{Name: "openai-responses", Bytes: buildtest.Build(t, "./plugins/provider/openai-responses"), Isolation: wasm.IsolationShared})
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs {
		t.Run(rec.Path, func(t *testing.T) {
			want := replay(t, m, responsesOpen, rec, rec.Body)
			if got := replay(t, m, responsesOpen, rec, pieces(rec.Body, 1)...); got != want {
				t.Fatalf("byte by byte:\ngot  %s\nwant %s", got, want)
			}
			for i := range 64 {
				at := len(rec.Body) * i / 64
				if got := replay(t, m, responsesOpen, rec, rec.Body[:at], rec.Body[at:]); got != want {
					t.Fatalf("cut at %d:\ngot  %s\nwant %s", at, got, want)
				}
			}
			compareResponse(t, rec, want)
		})
	}
	t.Logf("%d recordings, 66 times each", len(recs))
}

// compareResponse holds what the caller gets against the recording's own account of its items.
func compareResponse(t *testing.T, rec sdktest.Recording, got string) {
	t.Helper()
	var items []gjson.Result
	var last gjson.Result
	for _, f := range rec.Answer().Frames {
		e := gjson.Parse(f.Data)
		switch {
		case rec.Status >= 400:
			if !strings.Contains(got, "error: ") || strings.Contains(got, "event: ") {
				t.Errorf("got %s, want an error and nothing else", got)
			}
			return
		case f.Document:
			items, last = e.Get("output").Array(), e
		case e.Get("type").Str == "response.output_item.done":
			items = append(items, e.Get("item"))
		case e.Get("response").Exists():
			last = e.Get("response")
		}
	}
	if last.Get("status").Str == "queued" {
		if !strings.Contains(got, "status is queued") {
			t.Errorf("got %s, want an error: there is no answer", got)
		}
		return
	}
	var text, thinking string
	var calls []any
	for _, it := range items {
		for _, part := range it.Get("content").Array() {
			if part.Get("type").Str == "reasoning_text" {
				thinking += part.Get("text").Str
				continue
			}
			text += part.Get("text").Str
		}
		if it.Get("type").Str == "function_call" {
			calls = append(calls, []any{it.Get("name").Str, gjson.Parse(it.Get("arguments").Str).Value()})
		}
		if len(it.Get("content").Array()) == 0 {
			var parts []string
			for _, part := range it.Get("summary").Array() {
				parts = append(parts, part.Get("text").Str)
			}
			thinking += strings.Join(parts, "\n\n")
		}
	}
	said := readStream(t, got)
	if said.text != text || said.thinking != thinking || !reflect.DeepEqual(said.calls, calls) {
		t.Errorf("got %+v\nwant text %q, thinking %q, calls %v", said, text, thinking, calls)
	}
	if u := last.Get("usage"); u.Exists() && said.output != u.Get("total_tokens").Int()-u.Get("input_tokens").Int() {
		t.Errorf("output tokens: got %d, want those of %s", said.output, u.Raw)
	}
}

// A streamed is what a caller reads in a stream.
type streamed struct {
	text, thinking string
	calls          []any
	output         int64
}

func readStream(t *testing.T, stream string) (s streamed) {
	t.Helper()
	name, args := "", ""
	for _, line := range strings.Split(stream, "\n") {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		e := gjson.Parse(data)
		s.text += e.Get("delta.text").Str
		s.thinking += e.Get("delta.thinking").Str
		args += e.Get("delta.partial_json").Str
		if e.Get("content_block.type").Str == "tool_use" {
			name = e.Get("content_block.name").Str
		}
		if e.Get("type").Str == "content_block_stop" && name != "" {
			var v any
			if err := json.Unmarshal([]byte(args), &v); err != nil {
				t.Errorf("arguments %q: %v", args, err)
			}
			s.calls, name, args = append(s.calls, []any{name, v}), "", ""
		}
		if e.Get("type").Str == "message_delta" {
			s.output = e.Get("usage.output_tokens").Int()
		}
	}
	return s
}

// BenchmarkResponsesChunk is what one event of a stream takes, some 300 bytes of it.
func BenchmarkResponsesChunk(b *testing.B) {
	s := beginWith(b, shipped(b, "openai-responses"), responsesOpen, replayBody)
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
