package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// geminiModels are two of the simulated Gemini's, the cheaper of which insists on its signatures and gives its calls ids,
// and one of another vendor to fall over to.
const geminiModels = `
plugin "gemini" {
  module    = %q
  isolation = "shared"
}
provider "g" {
  adapter  = "gemini"
  base_url = %q
  auth "header" {
    name  = "x-goog-api-key"
    value = "vendor-secret-g"
  }
}
model "g-signed" {
  provider = "g"
  upstream = "sim-signed-ids"
  brand = "sim"
  q_prior = "0.80"
  m_allowed = true
  context = 100000
  max_output = 8000
  can = ["tools", "images", "documents", "thinking"]
  price {
    input = "0.10"
    output = "0.20"
    cache_read = "0.01"
  }
}
model "g-plain" {
  provider = "g"
  upstream = "gemini-2.5-sim"
  brand = "sim"
  q_prior = "0.60"
  m_allowed = true
  context = 100000
  max_output = 8000
  can = ["tools", "images"]
  price {
    input = "0.05"
    output = "0.10"
  }
}
model "o-next" {
  provider = "o"
  upstream = "sim-tools"
  brand = "sim"
  q_prior = "0.80"
  m_allowed = true
  context = 100000
  max_output = 8000
  can = ["tools", "images", "documents"]
  price {
    input = "0.50"
    output = "1.00"
  }
}
`

// startGemini serves with the simulated Gemini beside the other two.
func startGemini(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	r := configured(t, dir, "sqlite://"+filepath.Join(dir, "ainfera.db"), "")
	f, err := os.OpenFile(r.config, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, geminiModels, guest(t, "./plugins/provider/gemini"), r.urls[simulator.Gemini]); err != nil {
		t.Fatal(err)
	}
	r.serve()
	return r
}

// TestGeminiOneCallIsOneRow makes each kind of call to the simulated Gemini and looks at what was written down.
func TestGeminiOneCallIsOneRow(t *testing.T) {
	r := startGemini(t)
	for _, model := range []string{"ainfera-inference", "g-signed"} {
		for _, stream := range []bool{true, false} {
			name := fmt.Sprint(model, "/stream=", stream)
			t.Run(name, func(t *testing.T) {
				body := fmt.Sprintf(`{"model":%q,"max_tokens":500,"stream":%v,"top_k":3,"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"Hello %s"}]}`, model, stream, name)
				resp, out := r.message(body, "x-ainfera-min-quality", "0.75")
				if resp.StatusCode != 200 {
					t.Fatalf("status %d: %s\n%s", resp.StatusCode, out, r.logs)
				}
				h := resp.Header
				if h.Get("x-ainfera-model") != "g-signed" || h.Get("x-ainfera-stream-mode") != "native" || h.Get("x-ainfera-dropped") != "metadata.user_id" {
					t.Errorf("headers %v", h)
				}
				if !strings.Contains(out, "imulated") || !strings.Contains(out, name) {
					t.Errorf("answer %s", out)
				}
				if stream {
					const block = " content_block_start content_block_delta content_block_stop"
					if got := names(eventsOf(t, out)); got != "message_start"+block+block+" message_delta message_stop" {
						t.Errorf("events %s", got)
					}
				}
				id := h.Get("x-ainfera-inference-id")
				inf := r.one(`select model, provider, status, finish_reason, finish_reason_native, input_tokens > 0, output_tokens > 27, cost_micro_usd > 0 from inferences where id = ?`, id)
				if got := strings.Join(inf, " "); got != "g-signed g succeeded stop STOP 1 1 1" {
					t.Errorf("inference: %s", got)
				}
				rows := r.all(`select outcome_status, chosen_model_slug, served_model_slug, stream, usage_estimated, adapter_module <> '' from routing_outcomes where inference_id = ?`, id)
				if routed := model == "ainfera-inference"; routed && (len(rows) != 1 || strings.Join(rows[0], " ") != "succeeded g-signed g-signed "+map[bool]string{true: "1", false: "0"}[stream]+" 0 1") || !routed && len(rows) != 0 {
					t.Errorf("outcomes: %v", rows)
				}
				if got := r.one(`select count(*), -sum(amount_micro_usd) = (select cost_micro_usd from inferences where id = ?) from ledger_entries where inference_id = ?`, id, id); got[0] < "2" || got[1] != "1" {
					t.Errorf("ledger: %v", got)
				}
			})
		}
	}
	r.clean()
	for _, c := range r.sim.Calls() {
		if c.Dialect != simulator.Gemini || c.Header.Get("X-Goog-Api-Key") != "vendor-secret-g" || c.Header.Get("Authorization") != "" {
			t.Errorf("the vendor was sent %s %s %v", c.Dialect, c.Path, c.Header)
		}
		if got := gjson.GetBytes(c.Body, "generationConfig").Raw; got != `{"maxOutputTokens":500,"topK":3,"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"}}` {
			t.Errorf("generationConfig %s", got)
		}
	}
}

// TestGeminiTools goes a round of tools with the official SDK, on a model that refuses a call whose signature didn't come
// back, and whose results must name its ids.
func TestGeminiTools(t *testing.T) {
	r := startGemini(t)
	weather := sdk.ToolUnionParam{OfTool: &sdk.ToolParam{Name: "get_weather", InputSchema: sdk.ToolInputSchemaParam{
		Properties: map[string]any{
			"city": map[string]any{"$ref": "#/$defs/city"},
			"unit": map[string]any{"anyOf": []any{map[string]any{"const": "C"}, map[string]any{"const": "F"}, map[string]any{"type": "null"}}},
		}, Required: []string{"city"},
		ExtraFields: map[string]any{"$schema": "x", "additionalProperties": false, "$defs": map[string]any{"city": map[string]any{"type": "string", "format": "uri"}}}}}}
	clock := sdk.ToolUnionParam{OfTool: &sdk.ToolParam{Name: "get_time", InputSchema: sdk.ToolInputSchemaParam{Properties: map[string]any{}}}}
	params := sdk.MessageNewParams{Model: "ainfera-inference", MaxTokens: 2048, Thinking: sdk.ThinkingConfigParamOfEnabled(1024), Tools: []sdk.ToolUnionParam{weather, clock},
		Messages: []sdk.MessageParam{sdk.NewUserMessage(sdk.NewTextBlock("Call both get_weather and get_time in parallel."))}}
	m := sdkCall(t, r, "0.75", params)
	var results []sdk.ContentBlockParamUnion
	for _, b := range m.Content {
		if b.Type == "tool_use" {
			results = append(results, sdk.NewToolResultBlock(b.ID, "the result of "+b.Name, false))
		}
	}
	if m.StopReason != sdk.StopReasonToolUse || len(results) != 2 || m.Content[0].Type != "thinking" {
		t.Fatalf("got %s", m.RawJSON())
	}
	results[0], results[1] = results[1], results[0] // clients run tools at once; who is first is first
	params.Messages = append(params.Messages, m.ToParam(), sdk.NewUserMessage(results...))
	m = sdkCall(t, r, "0.75", params)
	if said := m.Content[len(m.Content)-1].Text; m.StopReason != sdk.StopReasonEndTurn || !strings.Contains(said, "“the result of get_weather”. The tool returned: “the result of get_time”") {
		t.Errorf("got %s", m.RawJSON())
	}
	calls := r.sim.Calls()
	contents := gjson.GetBytes(calls[len(calls)-1].Body, "contents")
	var parts []string
	for _, p := range contents.Get("1.parts").Array() {
		switch {
		case p.Get("functionCall").Exists():
			parts = append(parts, p.Get("functionCall.name").Str+map[bool]string{true: " signed"}[p.Get("thoughtSignature").Exists()])
		case p.Get("thought").Bool():
			parts = append(parts, "thought")
		default:
			parts = append(parts, "text")
		}
	}
	// The thought itself had no signature, and a routed call goes on without those.
	if got := strings.Join(parts, ", "); got != "text, get_weather signed, get_time" {
		t.Errorf("the history went back as %s", got)
	}
	for i := range 2 {
		call, result := contents.Get("1.parts.#(functionCall)#").Array()[i].Get("functionCall"), contents.Get("2.parts").Array()[i].Get("functionResponse")
		if call.Get("id").Str == "" || call.Get("id").Str != result.Get("id").Str || call.Get("name").Str != result.Get("name").Str {
			t.Errorf("call %s, its result %s", call, result)
		}
	}
	// Then the history goes to another vendor: what only Gemini can read stays behind.
	params.Messages = append(params.Messages, m.ToParam(), sdk.NewUserMessage(sdk.NewTextBlock("Thank you.")))
	params.Model = "o-next"
	params.Thinking = sdk.ThinkingConfigParamUnion{}
	if m = sdkCall(t, r, "", params); !strings.Contains(m.Content[0].Text, "Thank you.") {
		t.Errorf("another vendor: got %s", m.RawJSON())
	}
	r.clean()
}

// TestGeminiFails: its errors mean what they do elsewhere, in its own shapes.
func TestGeminiFails(t *testing.T) {
	r := startGemini(t)
	for _, stream := range []bool{true, false} {
		say := func(model, text string) string {
			return fmt.Sprintf(`{"model":%q,"max_tokens":300,"stream":%v,"messages":[{"role":"user","content":%q}]}`, model, stream, text)
		}
		t.Run(fmt.Sprint("RetryDelay/", stream), func(t *testing.T) {
			resp, body := r.message(say("g-plain", "x [[sim rate-limit]]"))
			if resp.StatusCode != 429 || resp.Header.Get("retry-after") != "7" {
				t.Fatalf("got %d %v %s", resp.StatusCode, resp.Header, body)
			}
		})
		t.Run(fmt.Sprint("ABadKeyIsNotTheCallers/", stream), func(t *testing.T) {
			resp, body := r.message(say("g-signed", `x [[sim status=400 error=authentication]]`))
			if resp.StatusCode != 502 || gjson.Get(body, "error.upstream_status").Int() != 400 {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
		})
		t.Run(fmt.Sprint("ContextTooLong/", stream), func(t *testing.T) {
			resp, body := r.message(say("g-signed", `x [[sim error=context]]`))
			if resp.StatusCode != 400 || !strings.Contains(body, "input token count") {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
		})
		t.Run(fmt.Sprint("FailsOver/", stream), func(t *testing.T) {
			r.sim.Script(func(q simulator.Request) *simulator.Fault {
				if q.Dialect == simulator.Gemini {
					return &simulator.Fault{Finish: "MALFORMED_FUNCTION_CALL", Chunks: 1, Size: 0, Break: simulator.BreakError}
				}
				return nil
			})
			defer r.sim.Script(nil)
			resp, body := r.message(say("ainfera-inference", "x"), "x-ainfera-min-quality", "0.75")
			if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "o-next" {
				t.Fatalf("got %d by %s: %s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body)
			}
		})
		t.Run(fmt.Sprint("Safety/", stream), func(t *testing.T) {
			resp, body := r.message(say("g-signed", "x [[sim finish=SAFETY]]"))
			if resp.StatusCode != 200 || !strings.Contains(body, `"stop_reason":"refusal"`) {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			inf := r.one(`select finish_reason, finish_reason_native from inferences where id = ?`, resp.Header.Get("x-ainfera-inference-id"))
			if inf[0] != "content_filter" || inf[1] != "SAFETY" {
				t.Errorf("inference %v", inf)
			}
		})
	}
	t.Run("AnErrorAmidTheStream", func(t *testing.T) { // which Google writes without a field name
		resp, body := r.message(`{"model":"ainfera-inference","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"x [[sim chunks=9 size=20 error-after=3]]"}]}`, "x-ainfera-min-quality", "0.75")
		evs := eventsOf(t, body)
		if last := evs[len(evs)-1]; resp.StatusCode != 200 || last.name != "error" || !strings.Contains(fmt.Sprint(last.data), "overloaded") {
			t.Fatalf("got %d, the end %v", resp.StatusCode, last)
		}
		row := r.one(`select outcome_status, (select sum(amount_micro_usd) from ledger_entries l where l.inference_id = o.inference_id) from routing_outcomes o where inference_id = ?`, resp.Header.Get("x-ainfera-inference-id"))
		if strings.Join(row, " ") != "failed_provider_error 0" {
			t.Errorf("row %v", row)
		}
	})
	r.clean()
}

// TestGeminiImages: data goes to the vendor as it came, without entering the guest.
func TestGeminiImages(t *testing.T) {
	r := startGemini(t)
	data := strings.Repeat("iVBORw0KGgo", 30000) + "AA==" // 330 kB
	body, err := json.Marshal(map[string]any{"model": "ainfera-inference", "max_tokens": 300, "messages": []any{map[string]any{"role": "user", "content": []any{
		map[string]any{"type": "image", "source": map[string]any{"type": "base64", "media_type": "image/png", "data": data}},
		map[string]any{"type": "document", "source": map[string]any{"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
		map[string]any{"type": "text", "text": "what?"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	resp, out := r.message(string(body), "x-ainfera-min-quality", "0.75")
	if resp.StatusCode != 200 || !strings.Contains(out, "one image") || !strings.Contains(out, "one document") {
		t.Fatalf("got %d %s", resp.StatusCode, out)
	}
	sent := gjson.GetBytes(r.sim.Calls()[0].Body, "contents.0.parts")
	if sent.Get("0.inlineData.data").Str != data || sent.Get("1.inlineData.data").Str != "JVBERi0=" || sent.Get("2.text").Str != "what?" {
		t.Errorf("sent %.300s", sent.Raw)
	}
	r.clean()
}

// TestGeminiCounts: it counts tokens itself, so that the count is no estimate.
func TestGeminiCounts(t *testing.T) {
	r := startGemini(t)
	resp := r.post("/v1/messages/count_tokens", `{"model":"g-signed","system":"Be brief.","messages":[{"role":"user","content":"four"}]}`)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || string(b) != `{"input_tokens":7}` || resp.Header.Get("x-ainfera-estimated") != "" { // 3 of the system, 3 a turn, 1
		t.Errorf("got %d %s %v", resp.StatusCode, b, resp.Header)
	}
	if c := r.sim.Calls()[0]; c.Path != "/v1beta/models/sim-signed-ids:countTokens" {
		t.Errorf("asked %s", c.Path)
	}
	r.clean()
}

// TestGeminiSimulated: the vendor that the server brings along, with no key and no address.
func TestGeminiSimulated(t *testing.T) {
	r := start(t, fmt.Sprintf(`
simulator { enabled = "on" }
plugin "gemini" { module = %q }
provider "sim-gemini" {
  adapter  = "gemini"
  base_url = "simulator:gemini"
}
model "gemini-sim" {
  provider = "sim-gemini"
  q_prior = "0.9"
  m_allowed = true
  price {
    input = "1"
    output = "1"
  }
}`, guest(t, "./plugins/provider/gemini")))
	resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "there"))
	if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "gemini-sim" || !strings.Contains(body, "simulated answer from gemini-sim") {
		t.Fatalf("got %d %s", resp.StatusCode, body)
	}
	r.clean()
}
