package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// responsesTier is a catalogue whose cheapest model that can think speaks Responses only; %[1]q is its module, %[2]q where
// it is.
const responsesTier = `
plugin "openai-responses" {
  module    = %[1]q
  isolation = "shared"
}
provider "r" {
  adapter  = "openai-responses"
  base_url = %[2]q
  auth "bearer" { token = "vendor-secret-r" }
}
model "r-think" {
  provider = "r"
  upstream = "sim-codex"
  brand = "sim"
  q_prior = "0.83"
  m_allowed = true
  context = 200000
  max_output = 16000
  can = ["tools", "images", "documents", "thinking"]
  price {
    input = "0.30"
    output = "0.60"
    cache_read = "0.03"
  }
}
`

// startResponses is start with that tier beside the standard one, and the vendor of it.
func startResponses(t *testing.T) (*running, *simulator.Server) {
	t.Helper()
	sim := simulator.New(simulator.Options{Record: true})
	urls, err := sim.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return start(t, catalogue, fmt.Sprintf(responsesTier, guest(t, "./plugins/provider/openai-responses"), urls[simulator.Responses])), sim
}

// floor keeps the cheaper models, which speak other dialects, out of a routed call.
const floor = "0.82"

// TestResponses makes each kind of call to a model that only speaks Responses, and looks at what was written down.
func TestResponses(t *testing.T) {
	r, sim := startResponses(t)
	for _, model := range []string{"ainfera-inference", "r-think"} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(model, "/", stream), func(t *testing.T) {
				resp, body := r.message(fmt.Sprintf(hello, model, stream, "there"), "x-ainfera-min-quality", floor)
				if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "r-think" || resp.Header.Get("x-ainfera-stream-mode") != "native" {
					t.Fatalf("status %d by %s: %s\n%s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body, r.logs)
				}
				m := answerOf(t, body, stream)
				if len(m.Content) != 1 || !strings.Contains(m.Content[0].Text, "simulated answer from sim-codex") || m.StopReason != "end_turn" {
					t.Errorf("got %+v", m)
				}
				calls := sim.Calls()
				last := calls[len(calls)-1]
				if last.Path != "/v1/responses" || last.Header.Get("Authorization") != "Bearer vendor-secret-r" || !gjson.GetBytes(last.Body, "store").Exists() {
					t.Errorf("sent %s %s", last.Path, last.Body)
				}
				id := resp.Header.Get("x-ainfera-inference-id")
				row := r.one(`select model, provider, status, input_tokens, output_tokens, cost_micro_usd > 0 from inferences where id = ?`, id)
				if want := fmt.Sprintf("r-think r succeeded %d %d 1", m.Usage.Input, m.Usage.Output); strings.Join(row, " ") != want || m.Usage.Input == 0 {
					t.Errorf("inference: got %v, want %s", row, want)
				}
				outcomes := r.all(`select outcome_status, served_model_slug from routing_outcomes where inference_id = ?`, id)
				if routed := model == "ainfera-inference"; len(outcomes) == 1 != routed || routed && strings.Join(outcomes[0], " ") != "succeeded r-think" {
					t.Errorf("outcomes: %v", outcomes)
				}
			})
		}
	}
	r.clean()
}

// An anthropicMessage is what a caller reads, and what of it goes back.
type anthropicMessage struct {
	Content    []anthropicBlock
	StopReason string `json:"stop_reason"`
	Usage      struct {
		Input     int `json:"input_tokens"`
		CacheRead int `json:"cache_read_input_tokens"`
		Output    int `json:"output_tokens"`
	}
}

type anthropicBlock struct {
	Type      string          `json:"type"`
	Text      string          `json:"text,omitempty"`
	Thinking  string          `json:"thinking,omitempty"`
	Signature string          `json:"signature,omitempty"`
	Data      string          `json:"data,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
}

// answerOf reads an answer, put together from its events where it was streamed.
func answerOf(t *testing.T, body string, stream bool) (m anthropicMessage) {
	t.Helper()
	if !stream {
		if err := json.Unmarshal([]byte(body), &m); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return m
	}
	args := ""
	for _, e := range eventsOf(t, body) {
		raw, err := json.Marshal(e.data)
		if err != nil {
			t.Fatal(err)
		}
		d := gjson.ParseBytes(raw)
		switch e.name {
		case "message_start":
			err = json.Unmarshal([]byte(d.Get("message.usage").Raw), &m.Usage)
		case "content_block_start":
			var b anthropicBlock
			err = json.Unmarshal([]byte(d.Get("content_block").Raw), &b)
			m.Content, args = append(m.Content, b), ""
		case "content_block_delta":
			b := &m.Content[len(m.Content)-1]
			b.Text += d.Get("delta.text").Str
			b.Thinking += d.Get("delta.thinking").Str
			b.Signature += d.Get("delta.signature").Str
			if args += d.Get("delta.partial_json").Str; b.Type == "tool_use" {
				b.Input = json.RawMessage(args)
			}
		case "message_delta":
			m.StopReason = d.Get("delta.stop_reason").Str
			err = json.Unmarshal([]byte(d.Get("usage").Raw), &m.Usage)
		case "error":
			t.Fatalf("the stream failed: %s", raw)
		}
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	return m
}

// TestResponsesToolRound makes a tool loop with thinking: what the model thought goes to the caller, comes back in its
// next message, and reaches the vendor as the item that it made.
func TestResponsesToolRound(t *testing.T) {
	r, sim := startResponses(t)
	const tools = `"tools":[{"name":"get_weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}},{"name":"get_time","input_schema":{"type":"object"}}]`
	for _, model := range []string{"ainfera-inference", "r-think"} {
		for _, display := range []string{"summarized", "omitted"} {
			for _, stream := range []bool{true, false} {
				t.Run(fmt.Sprint(model, "/", display, "/", stream), func(t *testing.T) {
					ask := func(messages string) (anthropicMessage, []byte, string) {
						resp, body := r.message(fmt.Sprintf(`{"model":%q,"max_tokens":4000,"stream":%v,"thinking":{"type":"adaptive","display":%q},%s,"messages":[%s]}`,
							model, stream, display, tools, messages), "x-ainfera-min-quality", floor)
						if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "r-think" || resp.Header.Get("x-ainfera-dropped") != "" {
							t.Fatalf("status %d by %s, dropped %q: %s\n%s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), resp.Header.Get("x-ainfera-dropped"), body, r.logs)
						}
						calls := sim.Calls()
						return answerOf(t, body, stream), calls[len(calls)-1].Body, resp.Header.Get("x-ainfera-inference-id")
					}
					const first = `{"role":"user","content":"Use both, in parallel, with {\"city\":\"Zürich\"}"}`
					m, _, id := ask(first)
					kinds := ""
					for _, b := range m.Content {
						kinds += b.Type + " "
					}
					want := "thinking text tool_use tool_use "
					if display == "omitted" {
						want = "redacted_thinking text tool_use tool_use "
					}
					if kinds != want || m.StopReason != "tool_use" || gjson.ParseBytes(m.Content[2].Input).Get("city").Str != "Zürich" {
						t.Fatalf("got %+v", m)
					}
					if row := r.one(`select reasoning_tokens > 0, output_tokens > reasoning_tokens from inferences where id = ?`, id); strings.Join(row, " ") != "1 1" {
						t.Errorf("reasoning in the row: %v", row)
					}
					said, err := json.Marshal(m.Content)
					if err != nil {
						t.Fatal(err)
					}
					m, sent, _ := ask(first + `,{"role":"assistant","content":` + string(said) + `},{"role":"user","content":[` +
						`{"type":"tool_result","tool_use_id":"` + m.Content[2].ID + `","content":"rain"},{"type":"tool_result","tool_use_id":"` + m.Content[3].ID + `","content":[{"type":"text","text":"noon"}]}]}`)
					if last := m.Content[len(m.Content)-1]; last.Type != "text" || !strings.Contains(last.Text, "“rain”") || !strings.Contains(last.Text, "“noon”") {
						t.Errorf("got %+v, want it to quote the results", m)
					}
					item := gjson.GetBytes(sent, `input.#(type=="reasoning")`)
					if item.Get("id").Str == "" || item.Get("encrypted_content").Str == "" || item.Get("summary.0").Exists() != (display == "summarized") {
						t.Errorf("sent back: %s", sent)
					}
				})
			}
		}
	}
	r.clean()
}

// TestResponsesFailures are ways in which the vendor fails, or can't be asked at all.
func TestResponsesFailures(t *testing.T) {
	r, _ := startResponses(t)
	for _, tc := range []struct {
		name, text, more string
		status           int
		code             string
		header           [2]string
	}{
		{name: "Down", text: "x [[sim status=503]]", status: 502, code: "provider_failed"},
		{name: "Refused", text: `x [[sim error=invalid message="nonsense"]]`, status: 400, code: "invalid_request"},
		{name: "FailedItself", text: "x [[sim error=api error-after=0]]", status: 502, code: "provider_failed"},
		{name: "ServerTool", more: `,"tools":[{"type":"web_search_20250305","name":"web_search"}]`, status: 422, code: "request_not_supported_by_backend"},
		{name: "Dropped", text: "x", more: `,"top_k":5,"stop_sequences":["END"]`, status: 200, header: [2]string{"x-ainfera-dropped", "top_k, stop_sequences"}},
		{name: "ALimitTooLow", text: "x", more: `,"max_tokens":1`, status: 200, header: [2]string{"x-ainfera-dropped", "max_tokens"}},
		{name: "CutShort", text: "x [[sim finish=max_output_tokens]]", status: 200},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(tc.name, "/", stream), func(t *testing.T) {
				limit := `"max_tokens":300,`
				if strings.Contains(tc.more, "max_tokens") {
					limit = ""
				}
				text, err := json.Marshal(tc.text + " ")
				if err != nil {
					t.Fatal(err)
				}
				resp, body := r.message(fmt.Sprintf(`{"model":"r-think",%s"stream":%v,"messages":[{"role":"user","content":%s}]%s}`, limit, stream, text, tc.more))
				if resp.StatusCode != tc.status || tc.code != "" && gjson.Get(body, "error.code").Str != tc.code {
					t.Fatalf("got %d %s\n%s", resp.StatusCode, body, r.logs)
				}
				if name := tc.header[0]; name != "" && resp.Header.Get(name) != tc.header[1] {
					t.Errorf("%s: got %q, want %q", name, resp.Header.Get(name), tc.header[1])
				}
				if tc.name == "CutShort" {
					if m := answerOf(t, body, stream); m.StopReason != "max_tokens" {
						t.Errorf("got %+v", m)
					}
				}
			})
		}
	}
	resp, body := r.message(`{"model":"r-think","max_tokens":300,"messages":[{"role":"user","content":"x [[sim rate-limit]]"}]}`)
	if resp.StatusCode != 429 || resp.Header.Get("retry-after") != "7" {
		t.Errorf("over quota: got %d %v %s", resp.StatusCode, resp.Header, body)
	}
	r.clean()
}

// TestResponsesFallsOver has a vendor that fails right behind response.created, as they do when they are over capacity:
// nothing has been sent to the caller yet, and another model answers.
func TestResponsesFallsOver(t *testing.T) {
	const created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"status\":\"in_progress\",\"output\":[]}}\n\n"
	var failure atomic.Value
	vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, created)
		w.(http.Flusher).Flush()
		fmt.Fprint(w, failure.Load())
	}))
	defer vendor.Close()
	r := start(t, catalogue, fmt.Sprintf(responsesTier, guest(t, "./plugins/provider/openai-responses"), vendor.URL))
	for name, said := range map[string]string{
		"Error":  "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"over capacity\"}\n\n",
		"Failed": "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"over capacity\"}}}\n\n",
		"Ended":  "",
	} {
		t.Run(name, func(t *testing.T) {
			failure.Store(said)
			resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", true, "there"), "x-ainfera-min-quality", floor)
			if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "o-think" {
				t.Fatalf("status %d by %s: %s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body)
			}
			row := r.one(`select json_array_length(attempts) from routing_outcomes where inference_id = ?`, resp.Header.Get("x-ainfera-inference-id"))
			if row[0] != "2" {
				t.Errorf("attempts: %v", row)
			}
		})
	}
	r.clean()
}

// TestResponsesImagesAndCount sends an image that the guest never sees and a document, and has the vendor count: what it
// says is what it asks for.
func TestResponsesImagesAndCount(t *testing.T) {
	r, sim := startResponses(t)
	image := "iVBORw0KGgo" + strings.Repeat("A", 200_000) + "="
	resp, body := r.message(`{"model":"r-think","max_tokens":300,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + image + `"}},` +
		`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}},{"type":"text","text":"See?"}]}]}`)
	if resp.StatusCode != 200 || !strings.Contains(body, "one image") || !strings.Contains(body, "one document") {
		t.Fatalf("got %d %s", resp.StatusCode, body)
	}
	if sent := sim.Calls()[0].Body; !bytes.Contains(sent, []byte(`"image_url":"data:image/png;base64,`+image+`"`)) {
		t.Errorf("sent %.300s", sent)
	}
	const more = `"system":"Be brief.","messages":[{"role":"user","content":"Count me."}]}`
	resp = r.post("/v1/messages/count_tokens", `{"model":"r-think",`+more)
	count, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("x-ainfera-estimated") != "" {
		t.Fatalf("got %d %v %s", resp.StatusCode, err, count)
	}
	_, body = r.message(`{"model":"r-think","max_tokens":100,` + more)
	if got, want := gjson.GetBytes(count, "input_tokens").Int(), gjson.Get(body, "usage.input_tokens").Int(); got != want || got == 0 {
		t.Errorf("counted %d, the call says %d", got, want)
	}
	r.clean()
}

// TestResponsesSimulated serves the built-in simulated vendor, by the URL that a configuration names it by.
func TestResponsesSimulated(t *testing.T) {
	tier := strings.Replace(responsesTier, `  auth "bearer" { token = "vendor-secret-r" }`+"\n", "", 1)
	r := start(t, fmt.Sprintf(tier, guest(t, "./plugins/provider/openai-responses"), "simulator:openai-responses"), `simulator { enabled = "on" }`)
	for _, stream := range []bool{true, false} {
		resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", stream, "there"))
		if resp.StatusCode != 200 || !strings.Contains(body, "imulated") {
			t.Errorf("status %d: %s\n%s", resp.StatusCode, body, r.logs)
		}
	}
	r.clean()
}
