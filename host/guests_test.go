package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

// foreignGuest builds one of examples/guests by its own script. The test is skipped, by name of what lacks, where its
// compiler isn't installed.
func foreignGuest(t *testing.T, name string, compiler ...string) string {
	t.Helper()
	for _, c := range compiler {
		if _, err := exec.LookPath(c); err != nil {
			t.Skipf("%s is not installed: %s can't be built", c, name)
		}
	}
	out := filepath.Join(t.TempDir(), name+".wasm")
	if said, err := exec.Command(filepath.Join("..", "examples", "guests", name, "build"), out).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, said)
	}
	return out
}

// An ollama is a vendor that speaks Ollama's own protocol, /api/chat: it answers with the lines it was given, in pieces
// that fit no line, and keeps what it was asked.
type ollama struct {
	url string

	mu     sync.Mutex
	status int
	answer []byte
	asked  []byte
}

func newOllama(t *testing.T) *ollama {
	o := &ollama{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/api/chat" {
			t.Errorf("asked for %s, %v", r.URL.Path, err)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked = body
		w.Header().Set("Content-Type", "application/json")
		if gjson.GetBytes(body, "stream").Bool() && o.status == 200 {
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		w.WriteHeader(o.status)
		for rest := o.answer; len(rest) > 0; {
			n := min(len(rest), 37)
			_, _ = w.Write(rest[:n]) // a host that left is seen by the test
			w.(http.Flusher).Flush()
			rest = rest[n:]
		}
	}))
	t.Cleanup(srv.Close)
	o.url = srv.URL
	return o
}

func (o *ollama) will(status int, answer string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status, o.answer = status, []byte(answer)
}

func (o *ollama) wasAsked() gjson.Result {
	o.mu.Lock()
	defer o.mu.Unlock()
	return gjson.ParseBytes(o.asked)
}

// withOllama is a server whose only model is served by the guest in C.
func withOllama(t *testing.T) (*running, *ollama) {
	o := newOllama(t)
	return start(t, fmt.Sprintf(`
plugin "ollama" { module = %q }
provider "local" {
  adapter  = "ollama"
  base_url = %q
  settings = { keep_alive = "5m" }
}
model "qwen" {
  provider   = "local"
  upstream   = "qwen3:4b"
  brand      = "qwen"
  q_prior    = "0.80"
  m_allowed  = true
  context    = 100000
  max_output = 4000
  can        = ["tools", "images", "thinking"]
  price {
    input  = "0.10"
    output = "0.20"
  }
}
`, foreignGuest(t, "ollama-c", "clang", "wasm-ld"), o.url)), o
}

const ollamaLines = `{"model":"qwen3:4b","created_at":"2026-08-04T19:59:11.8Z","message":{"role":"assistant","content":"","thinking":"Let me\n"},"done":false}
{"model":"qwen3:4b","message":{"role":"assistant","content":"","thinking":"see \ud83d\ude00."},"done":false}
{"model":"qwen3:4b","message":{"role":"assistant","content":"Gr\u00fc\u00dfe \"you\""},"done":false}
{"news":"a line of another kind"}
{"model":"qwen3:4b","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"K\u00f6ln"}}},{"id":"call_9","function":{"name":"time","arguments":{}}}]},"done":false}
{"model":"qwen3:4b","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"prompt_eval_count":12,"eval_count":34}
`

const ollamaWhole = `{"model":"qwen3:4b","created_at":"2026-08-04T19:59:11.8Z","message":{"role":"assistant","content":"Gr\u00fc\u00dfe \"you\"","thinking":"Let me\nsee \ud83d\ude00.","tool_calls":[{"function":{"name":"weather","arguments":{"city":"K\u00f6ln"}}},{"id":"call_9","function":{"name":"time","arguments":{}}}]},"done_reason":"stop","done":true,"prompt_eval_count":12,"eval_count":34}`

const ollamaCall = `{"model":"qwen","max_tokens":900,"stream":%t,"temperature":0.5,"metadata":{"user_id":"u"},"stop_sequences":["END"],
"system":[{"type":"text","text":"x-anthropic-billing-header: cc"},{"type":"text","text":"Be \"brief\"."}],
"thinking":{"type":"enabled","budget_tokens":1024},
"tools":[{"name":"weather","description":"tells it","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],
"messages":[
 {"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"text","text":"What is it?"}]},
 {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":""},{"type":"text","text":"I look."},{"type":"tool_use","id":"t1","name":"weather","input":{"city":"Bonn"}}]},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"rain"}],"is_error":true},{"type":"text","text":"And?"}]}]}`

// TestGuestInC is an adapter that never saw the SDK: what it asks its vendor for, and what callers get of the answer.
func TestGuestInC(t *testing.T) {
	r, o := withOllama(t)
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("Answer/", stream), func(t *testing.T) {
			o.will(200, ollamaWhole)
			if stream {
				o.will(200, ollamaLines)
			}
			resp, body := r.message(fmt.Sprintf(ollamaCall, stream))
			if resp.StatusCode != 200 {
				t.Fatalf("got %d %s\n%s", resp.StatusCode, body, r.logs)
			}
			m := wholeMessage(t, body, stream)
			var got []string
			for _, b := range m.Get("content").Array() {
				got = append(got, b.Get("type").String()+":"+b.Get("thinking").String()+b.Get("text").String()+b.Get("name").String()+b.Get("input").Get("city").String())
			}
			want := []string{"thinking:Let me\nsee 😀.", "text:Grüße \"you\"", "tool_use:weatherKöln", "tool_use:time"}
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("got %q, want %q", got, want)
			}
			if s := m.Get("stop_reason").String() + " " + m.Get("usage.input_tokens").String() + " " + m.Get("usage.output_tokens").String(); s != "tool_use 12 34" {
				t.Errorf("got %s, want tool_use 12 34", s)
			}
			if d := resp.Header.Get("x-ainfera-dropped"); d != "metadata" {
				t.Errorf("dropped %q, want metadata", d)
			}
			asked := o.wasAsked()
			wantAsked := fmt.Sprintf(`{"model":"qwen3:4b","stream":%t,"messages":[{"role":"system","content":"Be \"brief\"."},`+
				`{"role":"user","content":"What is it?","images":["iVBORw0KGgo="]},`+
				`{"role":"assistant","content":"I look.","thinking":"hm","tool_calls":[{"id":"t1","function":{"name":"weather","arguments":{"city":"Bonn"}}}]},`+
				`{"role":"tool","content":"Error: rain","tool_name":"weather"},{"role":"user","content":"And?"}],`+
				`"tools":[{"type":"function","function":{"name":"weather","description":"tells it","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],`+
				`"think":true,"keep_alive":"5m","options":{"num_predict":900,"temperature":0.5,"stop":["END"]}}`, stream)
			if asked.Raw != wantAsked {
				t.Errorf("asked\n%s\nwant\n%s", asked.Raw, wantAsked)
			}
		})
	}
	for _, tc := range []struct {
		name, call string
		status     int
		answer     string
		want       int
		says       string
	}{
		{"ErrNotFound", `{"model":"qwen","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, 404, `{"error":"model 'qwen3:4b' not found"}`, 502, "failed: not_found"},
		{"ErrWithoutABody", `{"model":"qwen","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, 503, ``, 502, "failed: overloaded"},
		{"ErrInMidStream", `{"model":"qwen","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, 200,
			"{\"message\":{\"content\":\"so\"},\"done\":false}\n{\"error\":\"out of \\\"memory\\\"\"}\n", 200, `out of \"memory\"`},
		{"ErrDocument", `{"model":"ainfera-inference","max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}}]}]}`, 200, "", 422, "documents"},
		{"ErrImageByAddress", `{"model":"qwen","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x.example/a.png"}}]}]}`, 200, "", 422, "not by address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o.will(tc.status, tc.answer)
			resp, body := r.message(tc.call)
			if resp.StatusCode != tc.want || !strings.Contains(body, tc.says) {
				t.Errorf("got %d %s, want %d and %q", resp.StatusCode, body, tc.want, tc.says)
			}
		})
	}
	r.clean()
}

// wholeMessage is an answer as one message, whichever way it came.
func wholeMessage(t *testing.T, body string, stream bool) gjson.Result {
	t.Helper()
	if !stream {
		return gjson.Parse(body)
	}
	doc, failed := assemble(t, eventsOf(t, body))
	if failed != nil {
		t.Fatalf("the stream ended in %v", failed)
	}
	return gjson.Parse(doc)
}

// TestGuestInCOnRecordings replays what Ollama really said, and compares text, thinking and arguments with it.
func TestGuestInCOnRecordings(t *testing.T) {
	dir := os.Getenv("AINFERA_CONFORMANCE")
	if dir == "" {
		t.Skip("AINFERA_CONFORMANCE names no directory with recorded traffic")
	}
	cases, err := filepath.Glob(filepath.Join(dir, "fixtures", "ollama", "*", "response.*json"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	r, o := withOllama(t)
	for _, file := range cases {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			recorded, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			meta, err := os.ReadFile(filepath.Join(filepath.Dir(file), "meta.json"))
			if err != nil {
				t.Fatal(err)
			}
			if api := gjson.GetBytes(meta, "api").Str; api != "ollama.chat" {
				t.Logf("%s, which it speaks too, is for another adapter", api)
				return
			}
			status := int(gjson.GetBytes(meta, "status").Int())
			stream := strings.HasSuffix(file, ".ndjson")
			o.will(status, string(recorded))
			resp, body := r.message(fmt.Sprintf(`{"model":"qwen","max_tokens":900,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`, stream))
			if status != 200 {
				if resp.StatusCode != 502 || gjson.Get(body, "error.upstream_status").Int() != int64(status) {
					t.Errorf("got %d %s", resp.StatusCode, body)
				}
				return
			}
			var got, want [3]string
			for _, b := range wholeMessage(t, body, stream).Get("content").Array() {
				got[0] += b.Get("text").String()
				got[1] += b.Get("thinking").String()
				if b.Get("type").Str == "tool_use" {
					got[2] += b.Get("name").String() + fmt.Sprint(b.Get("input").Value())
				}
			}
			for lines := bufio.NewScanner(bytes.NewReader(recorded)); lines.Scan(); {
				m := gjson.GetBytes(lines.Bytes(), "message")
				want[0] += m.Get("content").String()
				want[1] += m.Get("thinking").String()
				for _, c := range m.Get("tool_calls").Array() {
					want[2] += c.Get("function.name").String() + fmt.Sprint(c.Get("function.arguments").Value())
				}
			}
			if got != want || got == [3]string{} {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	r.clean()
}
