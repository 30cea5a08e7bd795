package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// ev makes an event.
func ev(kind abi.Kind, block uint16, payload string) abi.Record {
	return abi.Record{Kind: kind, Block: block, Payload: []byte(payload)}
}

func start() abi.Record { return ev(abi.KindMessageStart, 0, `{"id":"chatcmpl-1","model":"gpt-x"}`) }
func text(n uint16, s string) abi.Record {
	return ev(abi.KindText, n, s)
}
func think(n uint16, s string) abi.Record { return ev(abi.KindThinking, n, s) }
func tool(n uint16, id string) abi.Record {
	return ev(abi.KindToolStart, n, `{"id":"`+id+`","name":"get_`+id+`"}`)
}
func args(n uint16, s string) abi.Record { return ev(abi.KindToolDelta, n, s) }
func usage(s string) abi.Record          { return ev(abi.KindUsage, 0, s) }
func stop(reason string) abi.Record {
	return ev(abi.KindStop, 0, `{"reason":"`+reason+`","native":"n"}`)
}
func blockStop(n uint16) abi.Record    { return ev(abi.KindBlockStop, n, "") }
func seq(r ...abi.Record) []abi.Record { return r }
func testWriter() *Writer {
	return NewWriter(WriterConfig{ID: "msg_1", Model: "gpt-x-slug", EstimatedInputTokens: 42, Accumulate: true})
}

// write applies events and finishes, and returns the frames, together with those before an error.
func write(w *Writer, records []abi.Record, why abi.EndReason) (out []byte, err error) {
	for _, r := range records {
		if out, err = w.Apply(out, r); err != nil {
			return out, err
		}
	}
	return w.Finish(out, why)
}

func TestWriterFrames(t *testing.T) {
	w := testWriter()
	got, err := write(w, seq(start(), think(0, "hm\n"), ev(abi.KindSignature, 0, "s1"), ev(abi.KindSignature, 0, "s2"), text(1, "Hi \"you\""),
		ev(abi.KindCitation, 1, "{\n\"type\":\"char_location\"}"), tool(2, "a"), args(2, `{"x":`), args(2, "1}\n"), args(2, "\n"),
		ev(abi.KindRedactedThinking, 3, "opaque"), ev(abi.KindRawBlock, 4, `{"type":"server_tool_use","id":"s","input":{}}`),
		ev(abi.KindRawDelta, 4, `{"type":"input_json_delta","partial_json":"{\"q\":1}"}`), stop("tool_calls"),
		usage(`{"input":10,"output":20,"cache_read":3,"cache_write":4,"reasoning":5}`)), abi.EndOfBody)
	if err != nil {
		t.Fatal(err)
	}
	want := `event: message_start
data: {"type":"message_start","message":{"model":"gpt-x-slug","id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm\n"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s1s2"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi \"you\""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location"}}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"get_a","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"redacted_thinking","data":"opaque"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: content_block_start
data: {"type":"content_block_start","index":4,"content_block":{"type":"server_tool_use","id":"s","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":4}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":4,"cache_read_input_tokens":3,"output_tokens":20}}

event: message_stop
data: {"type":"message_stop"}

`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	wantMessage := `{"model":"gpt-x-slug","id":"msg_1","type":"message","role":"assistant","content":[` +
		`{"type":"thinking","thinking":"hm\n","signature":"s1s2"},{"citations":[{"type":"char_location"}],"type":"text","text":"Hi \"you\""},` +
		`{"type":"tool_use","id":"a","name":"get_a","input":{"x":1}},{"type":"redacted_thinking","data":"opaque"},` +
		`{"type":"server_tool_use","id":"s","input":{"q":1}}],"stop_reason":"tool_use","stop_sequence":null,` +
		`"usage":{"input_tokens":10,"cache_creation_input_tokens":4,"cache_read_input_tokens":3,"output_tokens":20}}`
	if got := string(w.Message()); got != wantMessage {
		t.Errorf("message:\n got %s\nwant %s", got, wantMessage)
	}
	r := w.Result()
	if len(r.ContentHash) != 64 {
		t.Errorf("content hash: %q", r.ContentHash)
	}
	r.ContentHash = ""
	wantResult := Result{ID: "chatcmpl-1", Model: "gpt-x", Usage: Usage{Input: 10, Output: 20, CacheRead: 3, CacheWrite: 4, Reasoning: 5},
		InputSeen: true, OutputSeen: true, UsageSeen: true, FinishReason: "tool_calls", StopReason: "tool_use", NativeReason: "n",
		Complete: true, Blocks: 5, ToolCalls: 1, TextBytes: 18, SignatureHash: HashSignature([]byte("opaque"))}
	if r != wantResult {
		t.Errorf("result:\n got %+v\nwant %+v", r, wantResult)
	}
}

// sketch is a message in short: its blocks, and the stop reason.
func sketch(m object) string {
	var b strings.Builder
	for _, v := range m["content"].([]any) {
		c := v.(object)
		switch c["type"] {
		case "text":
			fmt.Fprintf(&b, "text %q, ", c["text"])
		case "thinking":
			fmt.Fprintf(&b, "thinking %q %q, ", c["thinking"], c["signature"])
		case "tool_use":
			input, _ := json.Marshal(c["input"])
			fmt.Fprintf(&b, "tool %s %s, ", c["id"], input)
		default:
			fmt.Fprintf(&b, "%s, ", c["type"])
		}
	}
	fmt.Fprint(&b, m["stop_reason"])
	if s := m["stop_sequence"]; s != nil {
		fmt.Fprintf(&b, " at %q", s)
	}
	return b.String()
}

func TestWriter(t *testing.T) {
	tests := []struct {
		name   string
		events []abi.Record
		want   string
	}{
		{"text", seq(start(), text(0, "a"), text(0, "b"), stop("stop")), `text "ab", end_turn`},
		{"no message_start from the adapter", seq(text(0, "a"), stop("stop")), `text "a", end_turn`},
		{"message_start behind content", seq(text(0, "a"), start(), text(0, "b")), `text "ab", end_turn`},
		{"the first delta is a tool call", seq(start(), tool(1, "a"), args(1, "{}"), stop("tool_calls")), `tool a {}, tool_use`},
		{"id, name and arguments at once", seq(start(), tool(1, "a"), args(1, `{"x":"}"}`), stop("tool_calls")), `tool a {"x":"}"}, tool_use`},
		{"no arguments", seq(start(), tool(1, "a"), stop("tool_calls")), `tool a {}, tool_use`},
		{"null for arguments", seq(start(), tool(1, "a"), args(1, " nu"), args(1, "ll"), stop("tool_calls")), `tool a {}, tool_use`},
		{"space for arguments", seq(start(), tool(1, "a"), args(1, " \n"), blockStop(1), stop("tool_calls")), `tool a {}, tool_use`},
		{"stop with a tool", seq(start(), tool(1, "a"), args(1, "{}"), stop("stop")), `tool a {}, tool_use`},
		{"tool_calls without a tool", seq(start(), text(1, "a"), stop("tool_calls")), `text "a", end_turn`},
		{"function_call", seq(start(), tool(1, "a"), args(1, "{}"), stop("function_call")), `tool a {}, tool_use`},
		{"no finish reason", seq(start(), text(0, "a")), `text "a", end_turn`},
		{"no finish reason and a tool", seq(start(), tool(0, "a"), args(0, `{"x":1}`)), `tool a {"x":1}, tool_use`},
		{"length", seq(start(), text(0, "a"), stop("length")), `text "a", max_tokens`},
		{"length in the middle of arguments", seq(start(), tool(0, "a"), args(0, `{"x":`), stop("length")), `tool a {}, max_tokens`},
		{"a filter, and no content", seq(start(), stop("content_filter")), `refusal`},
		{"a pause", seq(start(), text(0, "a"), stop("pause_turn")), `text "a", pause_turn`},
		{"a stop sequence", seq(start(), text(0, "a"), ev(abi.KindStop, 0, `{"reason":"stop","sequence":"END"}`)), `text "a", stop_sequence at "END"`},
		{"a reason that is repeated", seq(start(), text(0, "a"), stop("length"), stop("stop")), `text "a", max_tokens`},
		{"reason, tool, reason, text", seq(think(0, "r"), tool(1, "a"), args(1, "{}"), think(2, "s"), text(3, "t"), stop("stop")),
			`thinking "r" "", tool a {}, thinking "s" "", text "t", tool_use`},
		{"numbers that come again", seq(think(1, "r"), text(0, "t"), think(1, "s"), text(0, "u")),
			`thinking "r" "", text "t", thinking "s" "", text "u", end_turn`},
		{"a signature alone", seq(ev(abi.KindSignature, 0, "sig"), text(1, "t")), `thinking "" "sig", text "t", end_turn`},
		{"tool calls interleaved", seq(tool(1, "a"), tool(2, "b"), args(1, `{"x":`), args(2, `{"y":`), args(1, `1}`), args(2, `2}`), stop("tool_calls")),
			`tool a {"x":1}, tool b {"y":2}, tool_use`},
		{"three interleaved, the first ends last", seq(tool(1, "a"), args(1, "{"), tool(2, "b"), tool(3, "c"), args(3, `{"z":3}`), args(2, `{"y":2}`), args(1, "}"), stop("tool_calls")),
			`tool a {}, tool b {"y":2}, tool c {"z":3}, tool_use`},
		{"text while arguments are incomplete", seq(tool(1, "a"), args(1, "{"), text(2, "t"), think(3, "h"), text(2, "u"), args(1, "}"), text(2, "v")),
			`tool a {}, text "t", thinking "h" "", text "uv", tool_use`},
		{"a second tool behind a whole one", seq(tool(1, "a"), args(1, "{}"), tool(2, "b"), args(2, "{}"), args(1, "\n")), `tool a {}, tool b {}, tool_use`},
		{"a waiting tool that is stopped", seq(tool(1, "a"), tool(2, "b"), args(2, `{}`), blockStop(2), text(3, "t"), args(1, "{}"), blockStop(1)),
			`tool a {}, tool b {}, text "t", tool_use`},
		{"waiting blocks of every kind", seq(tool(1, "a"), ev(abi.KindRedactedThinking, 2, "x"), ev(abi.KindRawBlock, 3, `{"type":"new"}`), ev(abi.KindRawDelta, 3, `{"type":"d"}`),
			think(4, "h"), ev(abi.KindSignature, 4, "s"), ev(abi.KindCitation, 5, `{}`), stop("stop")),
			`tool a {}, redacted_thinking, new, thinking "h" "s", text "", tool_use`},
		{"empty deltas", seq(start(), text(0, ""), think(1, ""), blockStop(0), blockStop(9), text(2, "a"), args(7, "")), `text "a", end_turn`},
		{"a character cut in two", seq(text(0, "a\xf0\x9f"), text(0, "\x98\x80b\xe2"), text(0, "\x82"), text(0, "\xac")), `text "a😀b€", end_turn`},
		{"half a character at the end", seq(text(0, "a\xf0\x9f"), think(1, "\xe2")), "text \"a\ufffd\", thinking \"\ufffd\" \"\", end_turn"},
		{"no UTF-8", seq(text(0, "a\xffb")), "text \"a\ufffdb\", end_turn"},
		{"a character of arguments cut in two", seq(tool(0, "a"), args(0, "{\"x\":\"\xe2\x82"), args(0, "\xac\"}")), `tool a {"x":"€"}, tool_use`},
		{"a tool without an id", seq(ev(abi.KindToolStart, 0, `{"name":"n"}`)), `tool toolu_msg_1_0 {}, tool_use`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := testWriter()
			out, err := write(w, tt.events, abi.EndOfBody)
			if err != nil {
				t.Fatal(err)
			}
			a := newAccumulator()
			if err := a.read(out); err != nil {
				t.Fatal(err)
			}
			if got := sketch(a.whole()); got != tt.want || !a.ended {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			checkMessage(t, w, a)
		})
	}
}

// checkMessage compares the whole message with what clients make of the frames.
func checkMessage(t *testing.T, w *Writer, a *accumulator) {
	t.Helper()
	var got object
	if err := json.Unmarshal(w.Message(), &got); err != nil {
		t.Fatalf("message %s: %v", w.Message(), err)
	}
	if want := a.whole(); !reflect.DeepEqual(got, want) {
		t.Errorf("message and frames differ:\n message %v\n  frames %v", got, want)
	}
	if len(a.sdk.Content) != len(got["content"].([]any)) || string(a.sdk.StopReason) != got["stop_reason"] {
		t.Errorf("the SDK has %d blocks, %q", len(a.sdk.Content), a.sdk.StopReason)
	}
	for i, v := range got["content"].([]any) {
		b, block := v.(object), a.sdk.Content[i]
		if b["type"] == "tool_use" && w.Result().FinishReason != abi.FinishLength {
			var input any
			if err := json.Unmarshal(block.Input, &input); err != nil || !reflect.DeepEqual(input, b["input"]) {
				t.Errorf("the SDK has input %s, want %v", block.Input, b["input"])
			}
		}
		if s, ok := b["text"].(string); ok && b["type"] == "text" && s != block.Text {
			t.Errorf("the SDK has text %q, want %q", block.Text, s)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	tests := []struct {
		name   string
		events []abi.Record
		why    abi.EndReason
		want   string
	}{
		{"nothing", nil, abi.EndOfBody, ErrEmpty.Error()},
		{"only usage", seq(usage(`{"output":1}`)), abi.EndOfBody, ErrEmpty.Error()},
		{"only a start", seq(start()), abi.EndOfBody, ErrEmpty.Error()},
		{"only empty deltas", seq(start(), text(0, "")), abi.EndOfBody, ErrEmpty.Error()},
		{"cut short", seq(start(), text(0, "a")), abi.EndBroken, ErrCut.Error()},
		{"message_start twice", seq(start(), start()), 0, "message_start of block 0: the message has started already"},
		{"thinking in a text block", seq(text(0, "a"), think(0, "b")), 0, "thinking of block 0: the block is of type text"},
		{"thinking in a tool", seq(tool(3, "a"), think(3, "b")), 0, "thinking of block 3: the block is of type tool_use"},
		{"text in a waiting tool", seq(tool(3, "a"), tool(4, "b"), text(4, "b")), 0, "text of block 4: the block is of type tool_use"},
		{"text in a closed tool", seq(tool(3, "a"), blockStop(3), text(3, "b")), 0, "text of block 3: the block was of type tool_use and is closed"},
		{"arguments of no tool", seq(args(1, "{}")), 0, "tool_delta of block 1: the block is not open"},
		{"arguments of a closed tool", seq(tool(1, "a"), args(1, "{}"), blockStop(1), args(1, "{}")), 0, "tool_delta of block 1: the block is not open"},
		{"a tool twice", seq(tool(1, "a"), tool(1, "b")), 0, "tool_start of block 1: the block has been there already"},
		{"a closed tool twice", seq(tool(1, "a"), blockStop(1), tool(1, "b")), 0, "tool_start of block 1: the block has been there already"},
		{"a tool without a name", seq(ev(abi.KindToolStart, 1, `{"id":"a"}`)), 0, "tool_start of block 1: the tool has no name"},
		{"a tool without JSON", seq(ev(abi.KindToolStart, 1, `{`)), 0, "tool_start of block 1: the payload is not a JSON object"},
		{"a raw block without a type", seq(ev(abi.KindRawBlock, 1, `{}`)), 0, "raw_block of block 1: the block has no type"},
		{"a raw block of text", seq(ev(abi.KindRawBlock, 1, `{"type":"text"}`)), 0, "raw_block of block 1: blocks of type text have events of their own"},
		{"a raw delta of no block", seq(ev(abi.KindRawDelta, 1, `{"type":"x"}`)), 0, "raw_delta of block 1: the block is not open"},
		{"a raw delta in text", seq(text(1, "a"), ev(abi.KindRawDelta, 1, `{"type":"x"}`)), 0, "raw_delta of block 1: the block is of type text"},
		{"content behind stop", seq(text(0, "a"), stop("stop"), text(0, "b")), 0, "text of block 0: content after the stop reason"},
		{"a block behind stop", seq(text(0, "a"), stop("stop"), tool(1, "b")), 0, "tool_start of block 1: content after the stop reason"},
		{"an unknown reason", seq(text(0, "a"), stop("end_turn")), 0, `stop of block 0: unknown finish reason "end_turn"`},
		{"an unknown kind", seq(text(0, "a"), ev(0x7f, 0, "")), 0, `event of kind 0x7f of block 0: not an event of an answer`},
		{"arguments that are an array", seq(tool(1, "a"), args(1, "[]")), 0, "tool_delta of block 1: the tool's arguments are not a JSON object"},
		{"arguments that are broken", seq(tool(1, "a"), args(1, `{"x":`), args(1, `}`)), 0, "tool_delta of block 1: the tool's arguments are not valid JSON"},
		{"arguments twice", seq(tool(1, "a"), args(1, `{}{}`)), 0, "tool_delta of block 1: more behind the end of the tool's arguments"},
		{"arguments without an end", seq(tool(1, "a"), args(1, `{"x":`), stop("tool_calls")), 0, "end: a tool's arguments are incomplete"},
		{"arguments without an end, nor a reason", seq(tool(1, "a"), args(1, `{"x":`)), 0, "end: a tool's arguments are incomplete"},
		{"usage below zero", seq(usage(`{"input":-1}`)), 0, "usage of block 0: input is -1, expected a whole number of tokens"},
		{"usage in words", seq(usage(`{"output":"7"}`)), 0, `usage of block 0: output is "7", expected a whole number of tokens`},
		{"an error without a kind", seq(ev(abi.KindError, 0, `{"kind":"bad","message":"m"}`)), 0, `error of block 0: unknown error kind "bad"`},
		{"too much that waits", seq(tool(1, "a"), text(2, strings.Repeat("x", 5<<20)), text(2, strings.Repeat("x", 5<<20))), 0,
			"text of block 2: more than 8388608 bytes wait for a tool's arguments to end"},
	}
	turns := func(n int) (r []abi.Record) {
		for i := range n {
			r = append(r, text(uint16(i%2), "x"))
		}
		return r
	}
	waiting := seq(tool(9, "a"))
	for i := range maxBlocks {
		waiting = append(waiting, tool(uint16(10+i), "b"))
	}
	large := slices.Repeat(seq(usage(`{"output":1,"pad":"`+strings.Repeat("x", 1<<20)+`"}`)), 128)
	tests = append(tests, []struct {
		name   string
		events []abi.Record
		why    abi.EndReason
		want   string
	}{
		{"more blocks than any answer has", turns(maxBlocks + 1), 0, "text of block 0: the answer has more than 4096 blocks"},
		{"more blocks that wait", waiting, 0, "tool_start of block 4105: the answer has more than 4096 blocks"},
		{"more than any answer is", large, 0, "usage of block 0: the answer is larger than 134217728 bytes"},
	}...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := testWriter()
			out, err := write(w, tt.events, tt.why)
			if err == nil || err.Error() != tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if err := newAccumulator().read(out); err != nil {
				t.Errorf("what came before the error: %v", err)
			}
			if w.Started() != (len(out) > 0) {
				t.Errorf("started: got %v, with %d bytes written", w.Started(), len(out))
			}
			if _, err := w.Apply(nil, text(9, "a")); !w.Done() || err == nil {
				t.Error("it goes on behind the error")
			}
			if w.Result().Complete {
				t.Error("it says that the answer is complete")
			}
		})
	}
}

func TestWriterVendorError(t *testing.T) {
	w := testWriter()
	out, err := write(w, seq(start(), text(0, "a"), ev(abi.KindError, 0, `{"kind":"overloaded","message":"busy","retry_after_ms":1500}`)), 0)
	var vendor *VendorError
	if !errors.As(err, &vendor) || *vendor != (VendorError{"overloaded", "busy", 1500 * time.Millisecond}) {
		t.Fatalf("got %v", err)
	}
	if vendor.Type() != "overloaded_error" {
		t.Errorf("type: got %s", vendor.Type())
	}
	out = ErrorFrame(out, vendor.Type(), vendor.Message, "req_1")
	want := "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"},\"request_id\":\"req_1\"}\n\n"
	if !strings.HasSuffix(string(out), "\"text\":\"a\"}}\n\n"+want) {
		t.Errorf("got %s", out)
	}
}

func TestWriterBrokenBehindTheStopReason(t *testing.T) {
	w := testWriter()
	out, err := write(w, seq(start(), text(0, "a"), stop("stop")), abi.EndBroken)
	if a := newAccumulator(); err != nil || a.read(out) != nil || !a.ended {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestWriterCancelled(t *testing.T) {
	w := testWriter()
	if _, err := write(w, seq(start(), usage(`{"input":9}`), text(0, "eight by")), abi.EndCancelled); err != nil {
		t.Fatal(err)
	}
	r := w.Result()
	if u, estimated := r.Settled(42); u != (Usage{Input: 9, Output: 2}) || !estimated || r.Complete {
		t.Errorf("got %+v, estimated %v, complete %v", u, estimated, r.Complete)
	}
}

func TestWriterUsage(t *testing.T) {
	tests := []struct {
		name           string
		events         []abi.Record
		atStart, atEnd string
		usage          Usage
		estimated      bool
	}{
		{"none", seq(text(0, "twelve bytes")), `{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}`,
			`{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}`, Usage{Input: 42, Output: 3}, true},
		{"first", seq(usage(`{"input":7,"output":0,"cache_write":1,"cache_write_1h":2}`), text(0, "a"), stop("stop"), usage(`{"output":5}`)),
			`{"input_tokens":7,"cache_creation_input_tokens":3,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},"output_tokens":0}`,
			`{"input_tokens":7,"cache_creation_input_tokens":3,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},"output_tokens":5}`,
			Usage{Input: 7, Output: 5, CacheWrite: 1, CacheWrite1h: 2}, false},
		{"in every chunk", seq(start(), usage(`{"input":7,"output":1}`), text(0, "a"), usage(`{"input":7,"output":2}`), text(0, "b"), usage(`{"input":7,"output":3}`)),
			`{"input_tokens":42,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}`,
			`{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3}`, Usage{Input: 7, Output: 3}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := testWriter()
			out, err := write(w, tt.events, abi.EndOfBody)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`"stop_sequence":null,"usage":` + tt.atStart + "}}\n", `"stop_sequence":null},"usage":` + tt.atEnd + "}\n"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %s in\n%s", want, out)
				}
			}
			if u, estimated := w.Result().Settled(42); u != tt.usage || estimated != tt.estimated {
				t.Errorf("settled: got %+v, %v, want %+v, %v", u, estimated, tt.usage, tt.estimated)
			}
		})
	}
}

func TestWriterSkipped(t *testing.T) {
	w := testWriter()
	if _, err := write(w, seq(ev(abi.KindSkipped, 2, ""), text(0, "a"), ev(abi.KindSkipped, 3, "")), abi.EndOfBody); err != nil {
		t.Fatal(err)
	}
	if got := w.Result().Skipped; got != 5 {
		t.Errorf("got %d, want 5", got)
	}
}

// TestWriterContentHash holds that the hash is of the content, not of how it was cut.
func TestWriterContentHash(t *testing.T) {
	hash := func(events ...abi.Record) string {
		w := NewWriter(WriterConfig{})
		if _, err := write(w, events, abi.EndOfBody); err != nil {
			t.Fatal(err)
		}
		return w.Result().ContentHash
	}
	one := hash(text(0, "ab"), tool(1, "a"), args(1, `{"x":1}`))
	if two := hash(start(), text(4, "a"), text(4, "b"), tool(7, "a"), args(7, `{"x"`), args(7, `:1}`), stop("stop")); two != one {
		t.Errorf("cut otherwise: got %s, want %s", two, one)
	}
	if three := hash(text(0, "ab"), tool(1, "a"), args(1, `{"x":2}`)); three == one {
		t.Error("another argument: the hash is the same")
	}
}

func BenchmarkWriterText(b *testing.B) {
	w := NewWriter(WriterConfig{ID: "msg_1", Model: "m"})
	rec := text(0, strings.Repeat("word ", 40))
	buf, err := w.Apply(make([]byte, 0, 4096), rec)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(rec.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = w.Apply(buf[:0], rec); err != nil {
			b.Fatal(err)
		}
	}
}
