package messages

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/sdk/abi"
)

// feed sends a whole SSE body past a tap.
func feed(t *Tap, body []byte) error {
	f, err := framing.New(abi.FramingSSE, 0)
	if err != nil {
		return err
	}
	emit := func(f framing.Frame) error {
		if f.Empty {
			return nil
		}
		return t.Frame(f.Event, f.Data)
	}
	if err := f.Feed(body, emit); err != nil {
		return err
	}
	return f.Close(emit)
}

// usageJSON is a usage object, read independently of the tap.
type usageJSON struct {
	Input    *int64 `json:"input_tokens"`
	Output   *int64 `json:"output_tokens"`
	Read     *int64 `json:"cache_read_input_tokens"`
	Written  *int64 `json:"cache_creation_input_tokens"`
	Creation *struct {
		Hour int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Details *struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

// add overwrites what it has, as the SDKs do; zeros, where the input is counted again beside them.
func (u usageJSON) add(to *Usage, written *int64) {
	again := false
	for _, n := range []*int64{u.Input, u.Read, u.Written} {
		again = again || n != nil && *n > 0
	}
	for _, f := range []struct {
		from *int64
		to   *int64
	}{{u.Input, &to.Input}, {u.Output, &to.Output}, {u.Read, &to.CacheRead}, {u.Written, written}} {
		if f.from != nil && (*f.from > 0 || again) {
			*f.to = *f.from
		}
	}
	if u.Creation != nil {
		to.CacheWrite1h = u.Creation.Hour
	}
	if u.Details != nil {
		to.Reasoning = u.Details.Thinking
	}
	to.CacheWrite = *written - to.CacheWrite1h
}

// A told is what a recorded stream says, read independently of the tap.
type told struct {
	usage                 Usage
	counted, whole, fails bool // the output was counted; the stream has its end; it is an error, or out of order
	id, model, stop       string
}

func readStream(body []byte) (r told) {
	var written, blocks int64
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data:"))
		if !ok {
			continue
		}
		var e struct {
			Type    string
			Index   int64
			Message struct {
				ID, Model string
				Content   []any
				Stop      string `json:"stop_reason"`
				Usage     usageJSON
			}
			Usage usageJSON
			Delta struct {
				Stop *string `json:"stop_reason"`
			}
		}
		if json.Unmarshal(data, &e) != nil {
			return told{fails: true}
		}
		switch e.Type {
		case "message_start":
			if m := e.Message; r.id == "" || m.ID != r.id { // said twice before anything is in it, it counts once
				r.id, r.model, blocks = m.ID, m.Model, int64(len(m.Content))
				m.Usage.add(&r.usage, &written)
				if blocks > 0 { // it is whole as it starts
					r.stop, r.counted = m.Stop, m.Stop != ""
				}
			}
		case "content_block_start":
			r.fails = r.fails || e.Index > blocks
			blocks = max(blocks, e.Index+1)
		case "message_delta":
			e.Usage.add(&r.usage, &written)
			r.counted = r.counted || e.Usage.Output != nil
			if e.Delta.Stop != nil {
				r.stop = *e.Delta.Stop
			}
		case "message_stop":
			r.whole = true
		case "error":
			r.fails = true
		}
	}
	return r
}

func TestTapRecordedStreams(t *testing.T) {
	recorded(t, "response.sse", func(t *testing.T, dir string, body []byte) {
		want := readStream(body)
		tap := NewTap()
		err := feedOnce(tap, body)
		if want.fails {
			if err == nil {
				t.Fatal("an error, or out of order: it passed")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tap.Closing(nil); !want.whole && ok != (want.stop != "") {
			t.Fatalf("broken off: got %t for its end, the stop reason is %q", ok, want.stop)
		}
		if err := tap.End(); (err == nil) != (want.whole || want.stop != "") {
			t.Fatalf("got %v, the stream has its end: %t", err, want.whole)
		}
		r := tap.Result()
		if r.Usage != want.usage || r.StopReason != want.stop || r.UsageSeen != (want.counted && r.InputSeen) || r.ID != want.id || r.Model != want.model {
			t.Errorf("got %+v\nwant %+v", r, want)
		}
	})
}

// feedOnce is feed without a start that is said again, as the lane leaves it out.
func feedOnce(t *Tap, body []byte) error {
	f, err := framing.New(abi.FramingSSE, 0)
	if err != nil {
		return err
	}
	emit := func(f framing.Frame) error {
		if f.Empty || t.Repeats(f.Data) {
			return nil
		}
		return t.Frame(f.Event, f.Data)
	}
	if err := f.Feed(body, emit); err != nil {
		return err
	}
	return f.Close(emit)
}

func TestTapRecordedDocuments(t *testing.T) {
	recorded(t, "response.json", func(t *testing.T, dir string, body []byte) {
		var doc struct {
			Type   string
			Usage  usageJSON
			Stop   string `json:"stop_reason"`
			Blocks []struct {
				Type string
			} `json:"content"`
		}
		tap := NewTap()
		err := tap.Document(body)
		if json.Unmarshal(body, &doc) != nil || doc.Type != "message" {
			if err == nil {
				t.Fatalf("%s: got no error", doc.Type)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var want Usage
		var written int64
		doc.Usage.add(&want, &written)
		seen := doc.Usage.Input != nil && doc.Usage.Output != nil
		if r := tap.Result(); r.Usage != want || r.StopReason != doc.Stop || r.Blocks != len(doc.Blocks) || r.UsageSeen != seen {
			t.Errorf("got %+v\nwant usage %+v, stop %q, %d blocks", r, want, doc.Stop, len(doc.Blocks))
		}
	})
}

// frames joins data lines into an SSE body, naming each event by its type.
func frames(data ...string) []byte {
	var b []byte
	for _, d := range data {
		b = AppendEvent(b, string(eventOf([]byte(d))), []byte(d))
	}
	return b
}

const (
	tapStart = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"cache_read_input_tokens":5,"output_tokens":1}}}`
	tapText  = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	tapDelta = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`
	tapClose = `{"type":"content_block_stop","index":0}`
	tapEnd   = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}`
	tapStop  = `{"type":"message_stop"}`
)

func TestTap(t *testing.T) {
	tap := NewTap()
	if err := feed(tap, frames(tapStart, `{"type":"ping"}`, tapText, tapDelta, tapClose, tapEnd, tapStop)); err != nil {
		t.Fatal(err)
	}
	if err := tap.End(); err != nil {
		t.Fatal(err)
	}
	got := tap.Result()
	got.ContentHash = ""
	want := Result{ID: "msg_1", Model: "claude-x", Usage: Usage{Input: 12, Output: 7, CacheRead: 5, CacheWrite: 10, CacheWrite1h: 20, Reasoning: 3},
		InputSeen: true, OutputSeen: true, UsageSeen: true, FinishReason: "stop", StopReason: "end_turn", NativeReason: "end_turn",
		Complete: true, Blocks: 1, TextBytes: 5}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestTapGrammar(t *testing.T) {
	tests := []struct {
		name string
		data []string
		want string // of the error, empty for none
	}{
		{"a second message_start", []string{tapStart, tapStart}, "message_start: the message has started already"},
		{"content first", []string{tapText}, "content_block_start: before message_start"},
		{"a delta first", []string{tapDelta}, "content_block_delta: before message_start"},
		{"an index left out", []string{tapStart, strings.Replace(tapText, ":0", ":1", 1)}, "content_block_start: the index is not the next"},
		{"a block twice", []string{tapStart, tapText, tapText}, "content_block_start: the index is not the next"},
		{"a delta without its block", []string{tapStart, tapDelta}, "content_block_delta: the block is not open"},
		{"a delta in a closed block", []string{tapStart, tapText, tapClose, tapDelta}, "content_block_delta: the block is not open"},
		{"a block closed twice", []string{tapStart, tapText, tapClose, tapClose}, "content_block_stop: the block is not open"},
		{"a delta of another type", []string{tapStart, tapText, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}`},
			"content_block_delta: a thinking_delta in a block of type text"},
		{"content after the stop reason", []string{tapStart, tapText, tapEnd, tapDelta}, "content_block_delta: after the stop reason"},
		{"content after the end", []string{tapStart, tapText, tapClose, tapEnd, tapStop, tapStop}, "message_stop: after message_stop"},
		{"an empty success", []string{tapStart, tapStop}, "message_stop: the message has neither content nor a stop reason"},
		{"no JSON", []string{`{"type":"message_start","message":`}, "message_start: the data is not JSON"},
		{"a delta that is cut", []string{tapStart, tapText, tapDelta[:60]}, "content_block_delta: the data is no delta"},
		{"an error", []string{tapStart, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}, "overloaded: Overloaded"},
		{"an unknown event", []string{tapStart, `{"type":"new_event","x":1}`, tapText, tapDelta, tapClose, tapEnd, tapStop}, ""},
		{"an unknown block", []string{tapStart, `{"type":"content_block_start","index":0,"content_block":{"type":"new"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"new_delta"}}`, tapClose, tapEnd, tapStop}, ""},
		{"an unknown delta", []string{tapStart, tapText, `{"type":"content_block_delta","index":0,"delta":{"type":"new_delta"}}`, tapClose, tapEnd, tapStop}, ""},
		{"keys in another order", []string{tapStart, tapText, `{"index":0,"delta":{"text":"x","type":"text_delta"},"type":"content_block_delta"}`, tapClose, tapEnd, tapStop}, ""},
		{"no content, but a stop reason", []string{tapStart, strings.Replace(tapEnd, "end_turn", "refusal", 1), tapStop}, ""},
		{"an index again", []string{tapStart, tapText, tapClose, tapText, tapDelta, tapClose, strings.Replace(tapText, ":0", ":1", 1), tapEnd, tapStop}, ""},
		{"an index again, and another kind of block", []string{tapStart, `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
			tapClose, tapText, `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}`},
			"content_block_delta: a input_json_delta in a block of type text"},
		{"an index again, behind a gap", []string{tapStart, tapText, tapClose, tapText, tapClose, strings.Replace(tapText, ":0", ":2", 1)}, "content_block_start: the index is not the next"},
		{"an error of no type", []string{tapStart, `{"error":{"message":"busy","type":"server_error","code":503}}`}, "overloaded: busy"},
		{"an error that is a string", []string{tapStart, `{"error":"out of memory"}`}, "api: out of memory"},
		{"an error in another dialect's words", []string{tapStart, `{"type":"error","error":{"code":"429","message":"Try again in 2s"}}`}, "rate_limit: Try again in 2s"},
		{"an error without words", []string{tapStart, `{"type":"error","error":{"type":"overloaded_error"}}`}, "overloaded: the vendor failed and did not say why"},
		{"a new event with an error in it", []string{tapStart, `{"type":"new_event","error":{"message":"tool failed"}}`, tapText, tapClose, tapEnd, tapStop}, ""},
		{"data of no type", []string{tapStart, `{"error":null}`, `[DONE]`, tapText, tapClose, tapEnd, tapStop}, ""},
		{"blocks side by side", []string{tapStart, tapText, strings.Replace(tapText, ":0", ":1", 1), tapDelta, tapClose,
			strings.Replace(tapClose, ":0", ":1", 1), tapEnd, tapStop}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tap := NewTap()
			err := feed(tap, frames(tt.data...))
			if tt.want == "" {
				if err != nil || tap.End() != nil {
					t.Fatalf("got %v and at the end %v, want no error", err, tap.End())
				}
				return
			}
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTapWithoutNames(t *testing.T) {
	tap := NewTap()
	for _, d := range []string{tapStart, tapText, tapDelta, tapClose, tapEnd, tapStop} {
		if err := tap.Frame(nil, []byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tap.End(); err != nil {
		t.Fatal(err)
	}
}

func TestTapCut(t *testing.T) {
	tap := NewTap()
	if err := tap.End(); err != ErrEmpty {
		t.Errorf("before anything: got %v, want ErrEmpty", err)
	}
	if err := feed(tap, frames(tapStart, tapText, tapDelta)); err != nil {
		t.Fatal(err)
	}
	if err := tap.End(); err != ErrCut || !tap.Started() {
		t.Errorf("in the middle: got %v, want ErrCut", err)
	}
	if _, ok := tap.Closing(nil); ok {
		t.Error("in the middle: there is nothing to close properly")
	}
	u, estimated := tap.Result().Settled(1000)
	if want := (Usage{Input: 12, Output: 2, CacheRead: 5, CacheWrite: 10, CacheWrite1h: 20}); u != want || !estimated {
		t.Errorf("usage: got %+v, estimated %v, want %+v", u, estimated, want)
	}
	if err := feed(tap, frames(tapEnd)); err != nil {
		t.Fatal(err)
	}
	out, ok := tap.Closing([]byte("x"))
	want := "x" + string(frames(tapClose, tapStop))
	if !ok || string(out) != want || tap.End() != nil {
		t.Errorf("behind the stop reason: got %q, %v\nwant %q", out, ok, want)
	}
}

func TestTapUsageIsMerged(t *testing.T) {
	tap := NewTap()
	zeros := `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"cache_read_input_tokens":0,"cache_creation_input_tokens":0,"output_tokens":7}}`
	if err := feed(tap, frames(tapStart, tapText, tapClose, zeros, tapStop)); err != nil {
		t.Fatal(err)
	}
	if got, want := tap.Result().Usage, (Usage{Input: 12, Output: 7, CacheRead: 5, CacheWrite: 10, CacheWrite1h: 20}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestTapCutBeforeTheCount: of a vendor that says zero until the end, and doesn't get there, the input is estimated.
func TestTapCutBeforeTheCount(t *testing.T) {
	const start = `{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":0,"output_tokens":0}}}`
	tap := NewTap()
	if err := feed(tap, frames(start, tapText, tapDelta)); err != nil {
		t.Fatal(err)
	}
	if u, estimated := tap.Result().Settled(1000); u != (Usage{Input: 1000, Output: 2}) || !estimated {
		t.Errorf("cut: got %+v, estimated %v", u, estimated)
	}
	if err := feed(tap, frames(tapClose, tapEnd, tapStop)); err != nil {
		t.Fatal(err)
	}
	if u, estimated := tap.Result().Settled(1000); u != (Usage{Output: 7, Reasoning: 3}) || estimated {
		t.Errorf("complete: got %+v, estimated %v: the vendor's word is taken", u, estimated)
	}
}

// TestTapUsageIsCountedAgain: after a compaction the counts are those of the answer alone, zeros included.
func TestTapUsageIsCountedAgain(t *testing.T) {
	const counts = `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":181,"cache_creation_input_tokens":%s,"cache_read_input_tokens":0,"output_tokens":7%s}}`
	for _, tt := range []struct {
		name, end string
		want      Usage
	}{
		{"zeros", fmt.Sprintf(counts, "0", ""), Usage{Input: 181, Output: 7}},
		{"fewer writes", fmt.Sprintf(counts, "25", ""), Usage{Input: 181, Output: 7, CacheWrite: 5, CacheWrite1h: 20}},
		{"writes told apart", fmt.Sprintf(counts, "5", `,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}`),
			Usage{Input: 181, Output: 7, CacheWrite: 2, CacheWrite1h: 3}},
	} {
		tap := NewTap()
		if err := feed(tap, frames(tapStart, tapText, tapDelta, tapClose, tt.end, tapStop)); err != nil {
			t.Fatal(err)
		}
		if r := tap.Result(); r.Usage != tt.want || !r.UsageSeen {
			t.Errorf("%s: got %+v, want %+v", tt.name, r.Usage, tt.want)
		}
	}
}

// TestTapCountsInTheLastEvent are streams whose message_delta counts nothing, which the last event makes up for.
func TestTapCountsInTheLastEvent(t *testing.T) {
	const zero = `{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":0,"output_tokens":0}}}`
	const end = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null}}`
	const metrics = `{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":6,"cacheReadInputTokenCount":4,"cacheWriteInputTokenCount":2,"invocationLatency":1}}`
	for _, tt := range []struct {
		name, start, stop string
		want              Usage
		estimated         bool
	}{
		{"a guardrail that spoke", zero, `{"type":"message_stop","amazon-bedrock-guardrailAction":"INTERVENED","amazon-bedrock-trace":{}}`, Usage{}, false},
		{"a guardrail that did not", zero, `{"type":"message_stop","amazon-bedrock-guardrailAction":"NONE"}`, Usage{Output: 2}, true},
		{"metrics", zero, metrics, Usage{Input: 9, Output: 6, CacheRead: 4, CacheWrite: 2}, false},
		{"metrics behind a count", tapStart, metrics, Usage{Input: 12, Output: 6, CacheRead: 5, CacheWrite: 10, CacheWrite1h: 20}, false},
		{"metrics below zero", zero, strings.NewReplacer(":9", ":-9", ":6", ":-6", ":4", ":-4", ":2", ":-2").Replace(metrics), Usage{}, false},
		{"usage, as gateways put it", zero, `{"type":"message_stop","usage":{"input_tokens":3,"output_tokens":4}}`, Usage{Input: 3, Output: 4}, false},
		{"nothing", zero, tapStop, Usage{Output: 2}, true},
	} {
		tap := NewTap()
		if err := feed(tap, frames(tt.start, tapText, tapDelta, tapClose, end, tt.stop)); err != nil {
			t.Fatal(err)
		}
		if u, estimated := tap.Result().Settled(1000); u != tt.want || estimated != tt.estimated {
			t.Errorf("%s: got %+v, estimated %v, want %+v", tt.name, u, estimated, tt.want)
		}
	}
}

func TestTapErrorSaysWhen(t *testing.T) {
	err := feed(NewTap(), frames(`{"type":"error","error":{"code":429,"message":"Please try again in 2s"}}`))
	var v *VendorError
	if !errors.As(err, &v) || v.RetryAfter != 2*time.Second {
		t.Errorf("got %+v", err)
	}
}

// TestTapStartsWhole: a message that goes on with what a tool of the API's own has returned may be whole in message_start.
func TestTapStartsWhole(t *testing.T) {
	const start = `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[` +
		`{"type":"code_execution_tool_result","tool_use_id":"s","content":{"type":"code_execution_result","stdout":"1"}},` +
		`{"type":"tool_use","id":"t","name":"f","input":{"x":1}}],"stop_reason":"tool_use","usage":{"input_tokens":0,"output_tokens":0}}}`
	for _, tt := range []struct {
		name string
		data []string
		want Result
	}{
		{"and ends there", []string{start, tapStop}, Result{StopReason: "tool_use", Blocks: 2, ToolCalls: 1, UsageSeen: true}},
		{"and goes on", []string{start, strings.Replace(tapText, ":0", ":2", 1), strings.Replace(tapDelta, ":0", ":2", 1), tapEnd, tapStop},
			Result{StopReason: "end_turn", Blocks: 3, ToolCalls: 1, UsageSeen: true, Usage: Usage{Output: 7, Reasoning: 3}}},
		{"and goes on, and nobody says why it stops", []string{start, strings.Replace(tapText, ":0", ":2", 1), tapStop}, Result{Blocks: 3, ToolCalls: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tap := NewTap()
			if err := feed(tap, frames(tt.data...)); err != nil {
				t.Fatal(err)
			}
			r := tap.Result()
			got := Result{StopReason: r.StopReason, Blocks: r.Blocks, ToolCalls: r.ToolCalls, UsageSeen: r.UsageSeen, Usage: r.Usage}
			if got != tt.want || !r.Complete || tap.End() != nil {
				t.Errorf("got %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestTapSignature(t *testing.T) {
	tap := NewTap()
	err := feed(tap, frames(tapStart, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}`, tapClose, tapEnd, tapStop))
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, `{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2\u006cn"}]}]}`)
	if got, want := tap.Result().SignatureHash, HashSignature(r.Signatures[0]); got != want || want == "" {
		t.Errorf("got %q, want %q, as it comes back", got, want)
	}
}

func TestTapDocument(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"OK", `{"type":"message","id":"m","model":"c","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}`, ""},
		{"a refusal without content", `{"type":"message","content":[],"stop_reason":"refusal","usage":{}}`, ""},
		{"empty", `{"type":"message","content":[],"stop_reason":null,"usage":{}}`, ErrEmpty.Error()},
		{"an error", `{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}`, "rate_limit: slow"},
		{"an error of no type", `{"error":{"message":"slow","code":429}}`, "rate_limit: slow"},
		{"something else", `{"object":"chat.completion"}`, "document: not a message"},
		{"no JSON", `<html>`, "document: not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tap := NewTap()
			err := tap.Document([]byte(tt.body))
			if got := fmt.Sprint(err); err == nil && tt.want != "" || err != nil && got != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if (tap.End() == nil) != (tt.want == "") {
				t.Errorf("at the end: got %v", tap.End())
			}
		})
	}
}

func BenchmarkTapFrame(b *testing.B) {
	tap := NewTap()
	if err := feed(tap, frames(tapStart, tapText)); err != nil {
		b.Fatal(err)
	}
	event := []byte("content_block_delta")
	data := []byte(strings.Replace(tapDelta, "Hello", strings.Repeat("word ", 44), 1))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := tap.Frame(event, data); err != nil {
			b.Fatal(err)
		}
	}
}
