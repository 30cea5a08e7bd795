package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// facts is a Request without where things lie.
func facts(r *Request) Request {
	f := *r
	f.body, f.open, f.messages, f.thoughts, f.refs = nil, 0, nil, nil, nil
	f.Fields, f.EstimatedInputTokens = nil, 0
	return f
}

func TestParseRequest(t *testing.T) {
	hello := `"messages":[{"role":"user","content":"hi"}]`
	tests := []struct {
		name, body string
		want       Request
	}{
		{"the least", `{"model":"m",` + hello + `}`, Request{Model: "m", Messages: 1}},
		{"stream and max_tokens", `{"model":"m","stream":true,"max_tokens":1024,` + hello + `}`,
			Request{Model: "m", Messages: 1, Stream: true, MaxTokens: 1024, HasMaxTokens: true}},
		{"max_tokens as a float", `{"model":"m","max_tokens":1e3,` + hello + `}`,
			Request{Model: "m", Messages: 1, MaxTokens: 1000, HasMaxTokens: true}},
		{"nulls", `{"model":"m","stream":null,"max_tokens":null,"system":null,"tools":null,"thinking":null,"metadata":null,"routing_hint":null,"task_type":null,` + hello + `}`,
			Request{Model: "m", Messages: 1}},
		{"a key with escapes", `{"mod\u0065l":"\u006d\"",` + hello + `}`, Request{Model: `m"`, Messages: 1}},
		{"our fields", `{"model":"m",` + hello + `,"routing_hint":{"min_quality":0.5},"task_type":"code","agent_id":"a"}`,
			Request{Model: "m", Messages: 1, RoutingHint: []byte(`{"min_quality":0.5}`), TaskType: "code", AgentID: "a"}},
		{"system, tools, thinking", `{"model":"m","system":[{"type":"text","text":"s"}],"tools":[{"name":"a"},{"name":"b"}],"thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`,
			Request{Model: "m", Messages: 1, HasSystem: true, Tools: 2, Thinking: Thinking{Present: true, Type: "enabled", BudgetTokens: 2048}}},
		{"adaptive", `{"model":"m","thinking":{"type":"adaptive"},` + hello + `}`,
			Request{Model: "m", Messages: 1, Thinking: Thinking{Present: true, Type: "adaptive"}}},
		{"blocks of every kind", `{"model":"m","messages":[
			{"role":"user","content":[{"type":"text","text":"look"},{"source":{"data":"AAAA","type":"base64"},"type":"image"},
				{"type":"document","source":{"type":"url","url":"https://x"}},
				{"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"url","url":"u"}}]}}]},
			{"content":[{"type":"thinking","thinking":"t","signature":"sig1"},{"type":"redacted_thinking","data":"sig2"},
				{"type":"tool_use","id":"1","name":"n","input":{"type":"image"}}],"role":"assistant"},
			{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":[{"type":"image","source":{"type":"url","url":"u"}}]}]}]}`,
			Request{Model: "m", Messages: 3, Images: 3, Documents: 2, HasToolBlocks: true, EndsInToolResult: true,
				ThinkingBlocks: 2, Signatures: [][]byte{[]byte("sig1"), []byte("sig2")}}},
		{"a server tool's result", `{"model":"m","messages":[{"role":"assistant","content":[
			{"type":"web_search_tool_result","tool_use_id":"x","content":{"type":"web_search_tool_result_error"}}]}]}`,
			Request{Model: "m", Messages: 1, HasToolBlocks: true}},
		{"an image inside of a string is none", `{"model":"m","messages":[{"role":"user","content":"{\"type\":\"image\"}"}]}`,
			Request{Model: "m", Messages: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := facts(r); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("\n got %+v\nwant %+v", got, tt.want)
			}
			if r.EstimatedInputTokens < 1 {
				t.Errorf("estimate: got %d, want at least 1", r.EstimatedInputTokens)
			}
		})
	}
}

func TestParseRequestErrors(t *testing.T) {
	hello := `"messages":[{"role":"user","content":"hi"}]`
	tests := []struct{ name, body, param, want string }{
		{"empty", " \n", "", "the body is empty: expected a JSON object"},
		{"an array", "[]", "", "line 1, column 1: expected a JSON object"},
		{"cut short", "{\"model\":\"m\",\n \"messages\":[{", "", "line 2, column 15: the text ends too early"},
		{"a comma too many", "{\"model\":\"m\",\n}", "", "line 2, column 1: expected a field's name in quotes"},
		{"a comma missing", "{\"a\":\"é\" \"b\":1}", "", "line 1, column 10: expected ',' or '}' after the field's value"},
		{"single quotes", `{'model':1}`, "", "line 1, column 2: expected a field's name in quotes"},
		{"a bare word", `{"model":m}`, "", "line 1, column 10: expected a value"},
		{"a line feed in a string", "{\"model\":\"a\nb\"}", "", "line 1, column 12: a control character in a string must be escaped"},
		{"a bad escape", `{"model":"\x"}`, "", "line 1, column 11: expected an escape sequence that JSON knows"},
		{"a bad code point", `{"model":"\u12g4"}`, "", "line 1, column 15: expected four hexadecimal digits"},
		{"not UTF-8", "{\"model\":\"\xff\"}", "", "line 1, column 11: the text is not UTF-8"},
		{"a leading zero", `{"a":01}`, "", "line 1, column 7: expected ',' or '}' after the field's value"},
		{"text behind", `{"model":"m",` + hello + `} x`, "", "line 1, column 59: text after the end of the object"},
		{"too deep", `{"a":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "", "line 1, column 517: nested too deeply"},
		{"no model", `{` + hello + `}`, "model", "model: field required"},
		{"model a number", `{"model":4,` + hello + `}`, "model", "model: expected a string"},
		{"model empty", `{"model":"",` + hello + `}`, "model", "model: expected the name of a model"},
		{"no messages", `{"model":"m"}`, "messages", "messages: field required"},
		{"messages an object", `{"model":"m","messages":{}}`, "messages", "messages: expected an array of messages"},
		{"messages empty", `{"model":"m","messages":[]}`, "messages", "messages: at least one message is required"},
		{"a message that is a string", `{"model":"m","messages":["hi"]}`, "messages.0", "messages.0: expected an object"},
		{"a role missing", `{"model":"m","messages":[{"content":"hi"}]}`, "messages.0.role", "messages.0.role: field required"},
		{"content missing", `{"model":"m","messages":[{"role":"user"}]}`, "messages.0.content", "messages.0.content: field required"},
		{"content a number", `{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":1}]}`,
			"messages.1.content", "messages.1.content: expected a string or an array of blocks"},
		{"a block that is a string", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":""},"a"]}]}`,
			"messages.0.content.1", "messages.0.content.1: expected an object, a content block"},
		{"a block of no type's kind", `{"model":"m","messages":[{"role":"user","content":[{"type":1}]}]}`,
			"messages.0.content.0.type", "messages.0.content.0.type: expected a string"},
		{"max_tokens a string", `{"model":"m","max_tokens":"1",` + hello + `}`, "max_tokens", "max_tokens: expected a whole number of tokens, not negative"},
		{"max_tokens negative", `{"model":"m","max_tokens":-1,` + hello + `}`, "max_tokens", "max_tokens: expected a whole number of tokens, not negative"},
		{"max_tokens a fraction", `{"model":"m","max_tokens":1.5,` + hello + `}`, "max_tokens", "max_tokens: expected a whole number of tokens, not negative"},
		{"stream a string", `{"model":"m","stream":"true",` + hello + `}`, "stream", "stream: expected true or false"},
		{"tools an object", `{"model":"m","tools":{},` + hello + `}`, "tools", "tools: expected an array"},
		{"a tool that is a string", `{"model":"m","tools":[{},"a"],` + hello + `}`, "tools.1", "tools.1: expected an object, a tool"},
		{"thinking of a wrong type", `{"model":"m","thinking":{"type":7},` + hello + `}`, "thinking", "thinking: expected an object with a type"},
		{"thinking a flag", `{"model":"m","thinking":true,` + hello + `}`, "thinking", "thinking: expected an object with a type"},
		{"a hint that is a string", `{"model":"m","routing_hint":"good",` + hello + `}`, "routing_hint", "routing_hint: expected an object"},
		{"model twice", `{"model":"a","mod\u0065l":"b",` + hello + `}`, "model", "model: the field is there twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseRequest([]byte(tt.body))
			var bad *RequestError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a RequestError", err)
			}
			want := tt.want
			if strings.HasPrefix(want, "line ") {
				want = "the body is not valid JSON: " + want
			}
			if bad.Error() != want || bad.Param != tt.param {
				t.Errorf("\n got %q, param %q\nwant %q, param %q", bad.Error(), bad.Param, want, tt.param)
			}
		})
	}
}

func TestSessionID(t *testing.T) {
	const id = "3f2c0d3e-8b7a-4f57-9a52-0d1f7b8f5c11"
	tests := []struct{ name, user, want string }{
		{"as Claude Code writes it", "user_9c0f_account_5f7d0b7a_session_" + id, id},
		{"without an account", "user_9c0f_account__session_" + id, id},
		{"JSON", `{"device_id":"d","account_uuid":"a","session_id":"` + id + `"}`, id},
		{"somebody's name", "alice@example.com", ""},
		{"a session that is none", "user_1_session_../../x y", ""},
		{"too short", "user_1_session_1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			user, _ := json.Marshal(tt.user)
			r, err := ParseRequest(fmt.Appendf(nil, `{"model":"m","metadata":{"user_id":%s},"messages":[{"role":"user","content":"hi"}]}`, user))
			if err != nil {
				t.Fatal(err)
			}
			if r.SessionID != tt.want {
				t.Errorf("got %q, want %q", r.SessionID, tt.want)
			}
		})
	}
}

func TestEstimate(t *testing.T) {
	message := func(content string) string {
		return `{"model":"m","messages":[{"role":"user","content":` + content + `}]}`
	}
	tests := []struct {
		name, body string
		want       int64
	}{
		{"English", message(`"` + strings.Repeat("word ", 80) + `"`), 100 + 4},
		{"escapes", message(`"` + strings.Repeat(`\n`, 400) + `"`), 100 + 4},
		{"Chinese", message(`"` + strings.Repeat("字", 100) + `"`), 100 + 4},
		{"an image", message(`[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + strings.Repeat("A", 1<<16) + `"}}]`), 1600 + 4},
		{"a document of text", message(`[{"type":"document","source":{"type":"text","data":"` + strings.Repeat("word ", 80) + `"}}]`), 100 + 4},
		{"a PDF", message(`[{"type":"document","source":{"type":"base64","data":"` + strings.Repeat("A", 1<<16) + `"}}]`), 3000 + 4},
		{"a signature", message(`[{"type":"thinking","thinking":"","signature":"` + strings.Repeat("A", 1<<10) + `"}]`), 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := ParseRequest([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.EstimatedInputTokens; got < tt.want || got > tt.want+8 {
				t.Errorf("got %d, want %d or a little more", got, tt.want)
			}
		})
	}
}

// recorded calls each with every recorded case of the Anthropic dialect that has the file.
func recorded(t *testing.T, file string, each func(t *testing.T, dir string, body []byte)) {
	t.Helper()
	root := os.Getenv("AINFERA_CONFORMANCE")
	if root == "" {
		t.Skip("AINFERA_CONFORMANCE is not set: no recorded traffic to read")
	}
	n := 0
	for _, vendor := range []string{"anthropic", "azure-foundry", "vertex"} {
		files, err := filepath.Glob(filepath.Join(root, "fixtures", vendor, "messages-*", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			body, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n++
			dir := filepath.Dir(f)
			t.Run(vendor+"/"+filepath.Base(dir), func(t *testing.T) { each(t, dir, body) })
		}
	}
	if n == 0 {
		t.Fatalf("no recorded %s under %s", file, root)
	}
}

// refused says that a recorded request was answered with an error.
func refused(t *testing.T, dir string) bool {
	t.Helper()
	var meta struct{ Status int }
	raw, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err == nil {
		err = json.Unmarshal(raw, &meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	return meta.Status >= 400
}

// TestRecordedRequests reads real bodies. Those of Vertex have no model: it is in the URL.
func TestRecordedRequests(t *testing.T) {
	recorded(t, "request.json", func(t *testing.T, dir string, body []byte) {
		var want struct {
			Model    string
			Messages []json.RawMessage
			Tools    []json.RawMessage
			Stream   bool
		}
		r, err := ParseRequest(body)
		var bad *RequestError
		if errors.As(err, &bad) && refused(t, dir) {
			return // the vendor wouldn't have it either
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		if want.Model == "" {
			if bad == nil || bad.Param != "model" {
				t.Fatalf("without a model: got %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Model != want.Model || r.Messages != len(want.Messages) || r.Tools != len(want.Tools) || r.Stream != want.Stream {
			t.Errorf("got %q, %d messages, %d tools, stream %v; want %q, %d, %d, %v",
				r.Model, r.Messages, r.Tools, r.Stream, want.Model, len(want.Messages), len(want.Tools), want.Stream)
		}
	})
}

// TestEstimateAgainstRecordings compares with what the vendor counted. Single calls are off by what nobody can see from
// here: prompts that server tools bring, the size of images.
func TestEstimateAgainstRecordings(t *testing.T) {
	var ratios []float64
	recorded(t, "request.json", func(t *testing.T, dir string, body []byte) {
		r, err := ParseRequest(body)
		if err != nil {
			return
		}
		tap := NewTap()
		if sse, err := os.ReadFile(filepath.Join(dir, "response.sse")); err == nil {
			_ = feed(tap, sse) // the usage is in the first frame
		} else if doc, err := os.ReadFile(filepath.Join(dir, "response.json")); err == nil {
			_ = tap.Document(doc)
		}
		if u := tap.Result().Usage; u.Input > 0 {
			ratios = append(ratios, float64(r.EstimatedInputTokens)/float64(u.Input+u.CacheRead+u.CacheWrite+u.CacheWrite1h))
		}
	})
	slices.Sort(ratios)
	n := len(ratios)
	if n < 20 {
		t.Fatalf("only %d recordings have both sides", n)
	}
	t.Logf("estimate ÷ count over %d recordings: quartiles %.2f, %.2f, %.2f", n, ratios[n/4], ratios[n/2], ratios[3*n/4])
	if m := ratios[n/2]; m < 0.6 || m > 1.2 {
		t.Errorf("median: got %.2f, want about 1", m)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AA"}}]}],"x":[1,-2.5e+3,true,null,"\u00e9"]}`,
		"{\"a\":\"\xff\"}", `{"a":[`, `{"model":"m"} {}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseRequest(body)
		if err == nil {
			if !json.Valid(body) || r.Model == "" || r.Messages < 1 {
				t.Fatalf("accepted %q", body)
			}
			return
		}
		var bad *RequestError
		if !errors.As(err, &bad) {
			t.Fatalf("got %T", err)
		}
		if bad.Line > 0 && json.Valid(body) && utf8.Valid(body) && body[firstByte(body)] == '{' && !strings.Contains(bad.Message, "deeply") {
			t.Fatalf("refused valid JSON %q: %v", body, err)
		}
	})
}

func firstByte(b []byte) int {
	return len(b) - len(strings.TrimLeft(string(b), " \t\r\n"))
}

func BenchmarkParseRequest(b *testing.B) {
	long := strings.Repeat("The quick brown fox jumps over the lazy dog.\\n", 2000)
	image := strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 40000)
	body := []byte(`{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,"system":[{"type":"text","text":"` + long +
		`","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` +
		image + `"}},{"type":"text","text":"` + long + `"}]}]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRequest(body); err != nil {
			b.Fatal(err)
		}
	}
}
