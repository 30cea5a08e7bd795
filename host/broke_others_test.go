package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A breaker is an answer of the kind that broke other routers.
type breaker struct {
	of     string // how the specification's item begins, under "what broke others"
	name   string
	by     string // the adapter: chat, responses, gemini or claude
	answer string
	beats  bool   // heartbeats come behind the answer, and no end
	want   string // blocks, stop_reason, and output tokens; ~ marks an estimate. Or "error: " and the vendor's words
}

// chunks is a stream of Chat Completions: deltas without their braces, whole chunks, or [DONE].
func chunks(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		if !strings.HasPrefix(p, "{") && p != "[DONE]" {
			p = `{"id":"c1","model":"m1","choices":[{"index":0,"delta":{` + p + `},"finish_reason":null}]}`
		}
		b.WriteString("data: " + p + "\n\n")
	}
	return b.String()
}

// toolPart is a delta of a tool call.
func toolPart(index int, id, name, args string) string {
	return fmt.Sprintf(`"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":%q}}]`, index, id, name, args)
}

func ended(reason string) string {
	return `{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}`
}

const usageLast = `{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}}`

// named is a stream of events that are named as their type is: of Responses, or of Anthropic.
func named(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		b.WriteString("event: " + gjson.Get(e, "type").Str + "\ndata: " + e + "\n\n")
	}
	return b.String()
}

func gemini(chunks ...string) string {
	return "data: " + strings.Join(chunks, "\r\n\r\ndata: ") + "\r\n\r\n"
}

func candidate(parts, rest string) string {
	return `{"candidates":[{"content":{"role":"model","parts":[` + parts + `]},"index":0` + rest + `}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":7,"totalTokenCount":16}}`
}

const (
	itemText  = `{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"ok"}`
	itemThink = `{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"hm"}`
	itemUsage = `"usage":{"input_tokens":9,"output_tokens":7,"total_tokens":16}`
	claudeEnd = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`
)

var (
	oneMiB  = strings.Repeat("0123456789abcdef", 1<<16)
	tenSaid = `text "Grüße 😀 \"é", end_turn, 7`
	okEnd   = []string{ended("stop"), usageLast, "[DONE]"}
)

func with(parts ...string) string { return chunks(append(parts, okEnd...)...) }

// breakers are all cases of the specification's list, each at least once in a protocol where it comes up. What is particular
// to one protocol is in the tests beside its adapter too, in more forms.
var breakers = []breaker{
	{of: "The first delta is a tool call", name: "Call", by: "chat", answer: with(toolPart(0, `"a"`, `"f"`, ``), toolPart(0, "null", "null", `{"x":1}`)), want: `f {"x":1}, tool_use, 7`},
	{of: "The first delta is a tool call", name: "Gemini", by: "gemini", answer: gemini(candidate(`{"functionCall":{"name":"f","args":{"x":1}}}`, `,"finishReason":"STOP"`)), want: `f {"x":1}, tool_use, 7`},
	{of: "reasoning_content, thinking or reasoning first", name: "ReasoningContent", by: "chat", answer: with(`"reasoning_content":"hm"`, `"content":"ok"`), want: `thinking "hm", text "ok", end_turn, 7`},
	{of: "reasoning_content, thinking or reasoning first", name: "Thinking", by: "chat", answer: with(`"thinking":"hm"`, `"content":"ok"`), want: `thinking "hm", text "ok", end_turn, 7`},
	{of: "reasoning_content, thinking or reasoning first", name: "Reasoning", by: "chat", answer: with(`"reasoning":"hm"`, `"content":"ok"`), want: `thinking "hm", text "ok", end_turn, 7`},
	{of: "reason → tool → reason → text", name: "ANewIndexEachTime", by: "chat", answer: with(`"reasoning":"a"`, toolPart(0, `"i"`, `"f"`, `{}`), `"reasoning":"b"`, `"content":"c"`),
		want: `thinking "a", f {}, thinking "b", text "c", tool_use, 7`},
	{of: "id, name and all arguments in one chunk", name: "OneChunk", by: "chat", answer: with(toolPart(0, `"i"`, `"f"`, `{"x":"}"}`)), want: `f {"x":"}"}, tool_use, 7`},
	{of: "id, name and all arguments in one chunk", name: "OnlyInDone", by: "responses", answer: named(
		`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"i","name":"f","arguments":""}}`,
		`{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"x\":1}"}`,
		`{"type":"response.completed","response":{"id":"r","status":"completed",`+itemUsage+`}}`), want: `f {"x":1}, tool_use, 7`},
	{of: "id, name and all arguments in one chunk", name: "BothOnce", by: "responses", answer: named(
		`{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"i","name":"f","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"x\":1}"}`,
		`{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"x\":1}"}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","id":"fc","call_id":"i","name":"f","arguments":"{\"x\":1}"}}`,
		`{"type":"response.completed","response":{"id":"r","status":"completed",`+itemUsage+`}}`), want: `f {"x":1}, tool_use, 7`},
	{of: "id, name and all arguments in one chunk", name: "LaterDeltasWithNulls", by: "chat", answer: with(toolPart(0, `"i"`, `"f"`, `{"x"`), toolPart(0, "null", "null", `:1}`)), want: `f {"x":1}, tool_use, 7`},
	{of: "Two tool calls interleaved", name: "OneAfterTheOther", by: "chat", answer: with(toolPart(0, `"a"`, `"f"`, `{"x":`), toolPart(1, `"b"`, `"g"`, `{"y":`), toolPart(0, "null", "null", `1}`), toolPart(1, "null", "null", `2}`)),
		want: `f {"x":1}, g {"y":2}, tool_use, 7`},
	{of: "finish_reason stop with a tool call", name: "ToolUse", by: "chat", answer: with(`"content":"a"`, toolPart(0, `"a"`, `"f"`, `{}`)), want: `text "a", f {}, tool_use, 7`},
	{of: "Ended without a finish reason", name: "NoFinishReason", by: "chat", answer: chunks(`"content":"ok"`, usageLast, "[DONE]"), want: `text "ok", end_turn, 7`},
	{of: "Ended without a finish reason", name: "NoDone", by: "chat", answer: chunks(`"content":"ok"`, ended("stop"), usageLast), want: `text "ok", end_turn, 7`},
	{of: "Ended without a finish reason", name: "NothingAtTheEnd", by: "chat", answer: chunks(`"content":"ok"`, usageLast), want: `text "ok", end_turn, 7`},
	{of: "Ended without a finish reason", name: "OnlyHeartbeatsAfterDone", by: "chat", answer: with(`"content":"ok"`), beats: true, want: `text "ok", end_turn, 7`},
	{of: "Ended without a finish reason", name: "OnlyHeartbeatsAfterFinish", by: "chat", answer: chunks(`"content":"ok"`, ended("stop"), usageLast), beats: true, want: `text "ok", end_turn, 7`},
	{of: "Responses API", name: "Incomplete", by: "responses", answer: named(itemText, `{"type":"response.incomplete","response":{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},`+itemUsage+`}}`), want: `text "ok", max_tokens, 7`},
	{of: "Responses API", name: "Failed", by: "responses", answer: named(itemText, `{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"it broke"}}}`), want: `error: it broke`},
	{of: "Responses API", name: "ReasoningThenMessage", by: "responses", answer: named(itemThink, itemText, `{"type":"response.completed","response":{"id":"r","status":"completed",`+itemUsage+`}}`), want: `thinking "hm", text "ok", end_turn, 7`},
	{of: "Usage in the last chunk", name: "ChoicesEmpty", by: "chat", answer: with(`"content":"ok"`), want: `text "ok", end_turn, 7`},
	{of: "Usage in the last chunk", name: "ChoicesNotEmpty", by: "chat", answer: chunks(`"content":"ok"`, `{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":7}}`, "[DONE]"), want: `text "ok", end_turn, 7`},
	{of: "Usage in the last chunk", name: "BeforeTheLast", by: "chat", answer: chunks(`"content":"ok"`, usageLast, ended("stop"), "[DONE]"), want: `text "ok", end_turn, 7`},
	{of: "Usage in the last chunk", name: "NoneAtAll", by: "chat", answer: chunks(`"content":"`+strings.Repeat("word ", 40)+`"`, ended("stop"), "[DONE]"), want: `text "` + strings.Repeat("word ", 40) + `", end_turn, ~`},
	{of: "Usage in the last chunk", name: "CachedAndReasoning", by: "chat", answer: chunks(`"content":"ok"`, ended("stop"),
		`{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":3}}}`, "[DONE]"), want: `text "ok", end_turn, 7, cached 5, reasoning 3`},
	{of: "Usage in the last chunk", name: "Cumulative", by: "chat", answer: chunks(`{"id":"c1","choices":[{"index":0,"delta":{"content":"o"}}],"usage":{"prompt_tokens":9,"completion_tokens":3}}`,
		`{"id":"c1","choices":[{"index":0,"delta":{"content":"k"}}],"usage":{"prompt_tokens":9,"completion_tokens":5}}`, ended("stop"), usageLast, usageLast, "[DONE]"), want: `text "ok", end_turn, 7`},
	{of: "An error object in the middle", name: "OpenAI", by: "chat", answer: chunks(`"content":"ok"`, `{"error":{"message":"it broke","type":"server_error","code":null}}`), want: `error: it broke`},
	{of: "An error object in the middle", name: "BesideChoices", by: "chat", answer: chunks(`"content":"ok"`, `{"id":"c1","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":503,"message":"it broke"}}`), want: `error: it broke`},
	{of: "An error object in the middle", name: "MistralFlat", by: "chat", answer: chunks(`"content":"ok"`, `{"object":"error","message":"it broke","type":"internal","code":"1300"}`), want: `error: it broke`},
	{of: "An error object in the middle", name: "Named", by: "chat", answer: chunks(`"content":"ok"`) + "event: error\ndata: {\"error\":{\"message\":\"it broke\"}}\n\n", want: `error: it broke`},
	{of: "An error object in the middle", name: "Google", by: "gemini", answer: gemini(candidate(`{"text":"ok"}`, "")) + "{\n \"error\": {\n  \"code\": 500,\n  \"message\": \"it broke\",\n  \"status\": \"INTERNAL\"\n }\n}\n", want: `error: it broke`},
	{of: "An error object in the middle", name: "Responses", by: "responses", answer: named(itemText, `{"type":"error","code":"server_error","message":"it broke"}`), want: `error: it broke`},
	{of: "An error object in the middle", name: "Anthropic", by: "claude", answer: named(claudeStart, claudeBlock, `{"type":"error","error":{"type":"overloaded_error","message":"it broke"}}`), want: `error: it broke`},
	{of: "Empty deltas, comment lines", name: "EmptyDeltas", by: "chat", answer: with(``, `"content":""`, `"content":null`, `"content":"ok","tool_calls":null`, ``), want: `text "ok", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "Comments", by: "chat", answer: ": OPENROUTER PROCESSING\n\n" + strings.ReplaceAll(with(`"content":"ok"`), "data: ", ": x\ndata: "), want: `text "ok", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "CRLF", by: "chat", answer: strings.ReplaceAll(with(`"content":"ok"`), "\n", "\r\n"), want: `text "ok", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "BOM", by: "chat", answer: "\xef\xbb\xbf" + with(`"content":"ok"`), want: `text "ok", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "SeveralDataLines", by: "chat", answer: strings.ReplaceAll(with(`"content":"ok"`), `,"choices"`, ",\ndata: \"choices\""), want: `text "ok", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "CutByReads", by: "chat", answer: with(`"content":"Grüße 😀"`, `"content":" \"\u00e9"`), want: tenSaid},
	{of: "Empty deltas, comment lines", name: "OneMiB", by: "chat", answer: with(`"content":"` + oneMiB + `"`), want: `text "` + oneMiB + `", end_turn, 7`},
	{of: "Empty deltas, comment lines", name: "OneMiBOfClaude", by: "claude", answer: named(claudeStart, claudeBlock, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"`+oneMiB+`"}}`,
		`{"type":"content_block_stop","index":0}`, claudeEnd, `{"type":"message_stop"}`), want: `text "` + oneMiB + `", end_turn, 7`},
	{of: "Gemini: several parts a chunk", name: "SeveralParts", by: "gemini", answer: gemini(candidate(`{"text":"a"},{"text":"b"},{"functionCall":{"name":"f"}},{"text":"c"}`, `,"finishReason":"STOP"`)), want: `text "ab", f {}, text "c", tool_use, 7`},
	{of: "Gemini: several parts a chunk", name: "ThoughtWithItsSignature", by: "gemini", answer: gemini(candidate(`{"text":"hm","thought":true,"thoughtSignature":"AB+/"}`, ""), candidate(`{"text":"ok"}`, `,"finishReason":"STOP"`)), want: `thinking "hm" signed, text "ok", end_turn, 7`},
	{of: "Gemini: several parts a chunk", name: "SAFETY", by: "gemini", answer: gemini(candidate(`{"text":"ok"}`, ""), candidate("", `,"finishReason":"SAFETY"`)), want: `text "ok", refusal, 7`},
	{of: "Gemini: several parts a chunk", name: "RECITATION", by: "gemini", answer: gemini(candidate(`{"text":"ok"}`, `,"finishReason":"RECITATION"`)), want: `text "ok", refusal, 7`},
	{of: "Gemini: several parts a chunk", name: "PromptFeedback", by: "gemini", answer: gemini(`{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}`), want: `refusal, 0`},
	{of: "Gemini: several parts a chunk", name: "UsageInEveryChunk", by: "gemini", answer: gemini(candidate(`{"text":"o"}`, ""), candidate(`{"text":"k"}`, ""), candidate("", `,"finishReason":"STOP"`)), want: `text "ok", end_turn, 7`},
	{of: "Anything unrecognised is skipped", name: "Skipped", by: "chat", answer: with(`{"type":"weather_report"}`, `"content":"ok"`, `"hologram":{"x":1}`), want: `text "ok", end_turn, 7, skipped`},
	{of: "Anything unrecognised is skipped", name: "PassesVerbatim", by: "claude", answer: named(claudeStart, `{"type":"weather_report","x":1}`, claudeBlock, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}`,
		`{"type":"content_block_stop","index":0}`, claudeEnd, `{"type":"message_stop"}`), want: `weather_report, text "ok", end_turn, 7`},
}

const (
	claudeStart = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}`
	claudeBlock = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
)

// TestWhatBrokeOthers plays each of the cases at a vendor that writes a few bytes at a time, through the whole server.
func TestWhatBrokeOthers(t *testing.T) {
	v := newTaped(t)
	var more strings.Builder
	for _, name := range []string{"openai-responses", "gemini"} {
		fmt.Fprintf(&more, "plugin %q {\n module = %q\n isolation = \"shared\"\n}\n", name, guest(t, "./plugins/provider/"+name))
	}
	for model, adapter := range map[string]string{"chat": "openai", "responses": "openai-responses", "gemini": "gemini", "claude": "anthropic"} {
		fmt.Fprintf(&more, "provider %q {\n adapter = %q\n base_url = %q\n}\nmodel %q {\n provider = %q\n upstream = \"m\"\n q_prior = \"0.8\"\n m_allowed = true\n context = 100000\n max_output = 4000\n"+
			" can = [\"tools\", \"thinking\"]\n price {\n input = \"1\"\n output = \"2\"\n }\n}\n", model, adapter, v.url, model, model)
	}
	r := start(t, more.String())
	for _, b := range breakers {
		t.Run(strings.Fields(b.of)[0]+"/"+b.name, func(t *testing.T) {
			piece := 5
			if len(b.answer) > 1<<20 {
				piece = 16 << 10
			}
			v.will(200, "text/event-stream", b.answer, piece)
			v.beat(b.beats)
			skipped := r.skipped(b.by)
			resp, body := r.message(fmt.Sprintf(`{"model":%q,"max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, b.by))
			if resp.StatusCode != 200 {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			if got := r.outline(resp.Header.Get("x-ainfera-inference-id"), body, r.skipped(b.by) > skipped); got != b.want {
				t.Errorf("got  %.300s\nwant %.300s\nof %.600s", got, b.want, body)
			}
		})
	}
	r.clean()
}

// skipped is how many pieces of a provider's answers nobody understood, as the metrics say.
func (r *running) skipped(provider string) float64 {
	r.t.Helper()
	status, text := r.as(r.operatorToken(), http.MethodGet, r.admin+"/metrics", "")
	if status != http.StatusOK {
		r.t.Fatalf("metrics: %d %s", status, text)
	}
	m := regexp.MustCompile(`(?m)^ainfera_vendor_events_skipped_total\{provider="` + provider + `"\} (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// outline is what a stream says, and its row, in the words of breaker.want.
func (r *running) outline(id, stream string, skipped bool) string {
	r.t.Helper()
	events := eventsOf(r.t, stream)
	var out []string
	for _, e := range events {
		if e.name == "weather_report" {
			out = append(out, e.name)
		}
	}
	doc, failed := assemble(r.t, events)
	if e, ok := failed.(map[string]any); ok {
		return fmt.Sprintf("error: %v", e["message"])
	}
	for _, b := range gjson.Get(doc, "content").Array() {
		switch b.Get("type").Str {
		case "tool_use":
			out = append(out, b.Get("name").Str+" "+b.Get("input").Raw)
		case "thinking":
			signed := map[bool]string{true: " signed"}[b.Get("signature").Str != ""]
			out = append(out, fmt.Sprintf("thinking %q%s", b.Get("thinking").Str, signed))
		default:
			out = append(out, fmt.Sprintf("%s %q", b.Get("type").Str, b.Get("text").Str))
		}
	}
	row := r.one(`select output_tokens, cache_read_tokens, reasoning_tokens, usage_estimated from inferences where id = ?`, id)
	if row[3] == "1" {
		row[0] = "~"
	}
	out = append(out, gjson.Get(doc, "stop_reason").Str, row[0])
	if row[1] != "0" {
		out = append(out, "cached "+row[1])
	}
	if row[2] != "0" {
		out = append(out, "reasoning "+row[2])
	}
	if skipped {
		out = append(out, "skipped")
	}
	return strings.Join(out, ", ")
}

// TestEveryBreakerHasATest reads the specification's list and looks for a case of each of its items.
func TestEveryBreakerHasATest(t *testing.T) {
	dir := os.Getenv(sdktest.ConformanceEnv)
	if dir == "" {
		t.Skip(sdktest.ConformanceEnv + " names no directory with the specification")
	}
	text, err := os.ReadFile(filepath.Join(dir, "spec", "adapters.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "## The response side: what broke others\n")
	items := regexp.MustCompile(`(?m)^- (.+)$`).FindAllStringSubmatch(list, -1)
	if len(items) < 13 {
		t.Fatalf("%d items in the list", len(items))
	}
	seen := map[string]bool{}
	for _, item := range items {
		for _, b := range breakers {
			if strings.HasPrefix(item[1], b.of) {
				seen[b.of] = true
				item[0] = ""
			}
		}
		if item[0] != "" {
			t.Errorf("no case of %q", item[1])
		}
	}
	for _, b := range breakers {
		if !seen[b.of] {
			t.Errorf("%q is not in the list", b.of)
		}
	}
}
