package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const hello = `{"model":%q,"max_tokens":500,"stream":%v,"messages":[{"role":"user","content":"Hello %s"}]}`

// TestOneCallIsOneRow makes each kind of call and looks at what was written down.
func TestOneCallIsOneRow(t *testing.T) {
	r := start(t)
	for _, tc := range []struct {
		name, model, header, served string
		stream                      bool
	}{
		{"RoutedTranslatedStreamed", "ainfera-inference", "", "o-plain", true},
		{"RoutedTranslatedWhole", "ainfera-inference", "", "o-plain", false},
		{"RoutedVerbatimStreamed", "ainfera-inference", "0.90", "a-think", true},
		{"RoutedVerbatimWhole", "ainfera-inference", "0.90", "a-think", false},
		{"AliasStreamed", "ainfera-auto", "", "o-plain", true},
		{"PinnedTranslated", "o-tools-2026-01-01", "", "o-tools", true},
		{"PinnedVerbatim", "a-tools", "", "a-tools", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := r.message(fmt.Sprintf(hello, tc.model, tc.stream, tc.name), "x-ainfera-min-quality", tc.header)
			if resp.StatusCode != 200 {
				t.Fatalf("status %d: %s\n%s", resp.StatusCode, body, r.logs)
			}
			h := resp.Header
			for _, name := range []string{"x-ainfera-agent-id", "x-ainfera-inference-id", "x-ainfera-receipt-id", "x-ainfera-audit-url", "x-ainfera-policy", "request-id", "x-request-id"} {
				if h.Get(name) == "" {
					t.Errorf("no header %s", name)
				}
			}
			if h.Get("x-ainfera-model") != tc.served || h.Get("x-ainfera-stream-mode") != "native" {
				t.Errorf("served by %q, mode %q", h.Get("x-ainfera-model"), h.Get("x-ainfera-stream-mode"))
			}
			if !strings.Contains(body, "imulated") || !strings.Contains(body, tc.name) {
				t.Errorf("answer %s", body)
			}
			if tc.stream {
				if got := names(eventsOf(t, body)); got != "message_start content_block_start content_block_delta content_block_stop message_delta message_stop" {
					t.Errorf("events %s", got)
				}
			}
			id := h.Get("x-ainfera-inference-id")
			inf := r.one(`select model, status, input_tokens > 0, output_tokens > 0, cost_micro_usd > 0 from inferences where id = ?`, id)
			if got := strings.Join(inf, " "); got != tc.served+" succeeded 1 1 1" {
				t.Errorf("inference: %s", got)
			}
			rows := r.all(`select outcome_status, target, chosen_model_slug, served_model_slug, stream from routing_outcomes where inference_id = ?`, id)
			routed := strings.HasPrefix(tc.model, "ainfera")
			if routed && (len(rows) != 1 || rows[0][0] != "succeeded" || rows[0][1] != "ainfera-inference" || rows[0][3] != tc.served) || !routed && len(rows) != 0 {
				t.Errorf("outcomes: %v", rows)
			}
			if got := r.one(`select count(*), count(distinct kind) from ledger_entries where inference_id = ?`, id); got[0] < "2" {
				t.Errorf("ledger entries, kinds: %v", got)
			}
			if got := r.one(`select count(*) from receipts where inference_id = ?`, id); got[0] != "1" {
				t.Errorf("receipts: %v", got)
			}
			r.clean()
		})
	}
	if !strings.Contains(r.logs.String(), "router_alias_hit") {
		t.Error("the alias was not logged")
	}
}

// TestVendorsSeeWhatIsTheirs looks at what was sent: the key added, our own fields taken out, the body otherwise alone.
func TestVendorsSeeWhatIsTheirs(t *testing.T) {
	r := start(t)
	body := `{"model":"ainfera-inference", "max_tokens":100,  "routing_hint":{"min_quality":0.9},"messages":[{"role":"user","content":"Zürich \u00e9"}],"task_type":"chat","metadata":{"user_id":"u"}}`
	resp, out := r.message(body)
	if resp.StatusCode != 200 {
		t.Fatalf("%d: %s", resp.StatusCode, out)
	}
	resp, out = r.message(strings.Replace(body, "0.9", "0.1", 1))
	if resp.StatusCode != 200 {
		t.Fatalf("%d: %s", resp.StatusCode, out)
	}
	calls := r.sim.Calls()
	if len(calls) != 2 {
		t.Fatalf("%d calls", len(calls))
	}
	if got, want := string(calls[0].Body), `{"model":"sim-think", "max_tokens":100,"messages":[{"role":"user","content":"Zürich \u00e9"}],"metadata":{"user_id":"u"}}`; got != want {
		t.Errorf("verbatim body\ngot  %s\nwant %s", got, want)
	}
	if calls[0].Header.Get("X-Api-Key") != "vendor-secret-a" || calls[0].Header.Get("Authorization") != "" {
		t.Errorf("headers %v", calls[0].Header)
	}
	if calls[1].Header.Get("Authorization") != "Bearer vendor-secret-o" || strings.Contains(string(calls[1].Body), "routing_hint") || strings.Contains(string(calls[1].Body), "task_type") {
		t.Errorf("translated: %v %s", calls[1].Header, calls[1].Body)
	}
	for _, c := range calls {
		if strings.Contains(fmt.Sprint(c.Header), r.key) {
			t.Error("the caller's key went to a vendor")
		}
	}
	for _, secret := range []string{"vendor-secret", r.key} {
		if strings.Contains(r.logs.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// TestRefusals are the ways in which a call ends before any vendor hears of it.
func TestRefusals(t *testing.T) {
	r := start(t)
	for _, tc := range []struct {
		name, body, key string
		header          []string
		status          int
		code            string
		outcome         string // the row, or empty for none
		contains        string
	}{
		{name: "UnknownModel", body: fmt.Sprintf(hello, "a-tool", false, ""), status: 404, code: "not_found", contains: "a-tools"},
		{name: "BrokenJSON", body: `{"model":"ainfera-inference","max_tokens":1,`, status: 400, code: "invalid_request"},
		{name: "NoMessages", body: `{"model":"ainfera-inference","max_tokens":1}`, status: 400, code: "invalid_request", contains: "messages"},
		{name: "BadKey", body: fmt.Sprintf(hello, "ainfera-inference", false, ""), key: "ainfera_nope", status: 401, code: "invalid_api_key"},
		{name: "HintOutOfRange", body: `{"model":"ainfera-inference","max_tokens":1,"routing_hint":{"min_quality":7},"messages":[{"role":"user","content":"x"}]}`, status: 400, code: "invalid_routing_hint", contains: "min_quality"},
		{name: "Floor", body: fmt.Sprintf(hello, "ainfera-inference", true, ""), header: []string{"x-ainfera-min-quality", "0.99"}, status: 422, code: "no_candidate_clears_floor", outcome: "rejected_floor"},
		{name: "TooLong", body: `{"model":"ainfera-inference","max_tokens":10,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 400_000) + `"}]}`, status: 400, code: "request_too_large_for_any_model", outcome: "rejected_capability", contains: "prompt is too long"},
		{name: "PinnedCan't", body: `{"model":"o-plain","max_tokens":10,"tools":[{"name":"t","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"x"}]}`, status: 422, code: "tools_not_supported_by_backend", contains: "o-plain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := len(r.all(`select id from routing_outcomes`))
			if tc.key != "" {
				tc.header = append(tc.header, "Authorization", "Bearer "+tc.key)
			}
			resp, body := r.message(tc.body, tc.header...)
			e := gjson.Get(body, "error")
			if resp.StatusCode != tc.status || e.Get("code").String() != tc.code || gjson.Get(body, "type").String() != "error" || gjson.Get(body, "request_id").String() != resp.Header.Get("request-id") {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			if !strings.Contains(e.Get("message").String(), tc.contains) {
				t.Errorf("message %q does not name %q", e.Get("message"), tc.contains)
			}
			if tc.code == "invalid_routing_hint" && e.Get("param").String() != "routing_hint."+tc.contains {
				t.Errorf("param %s", e.Get("param"))
			}
			rows := r.all(`select outcome_status, inference_id from routing_outcomes order by created_at desc, id desc`)
			switch {
			case tc.outcome == "" && len(rows) != before:
				t.Errorf("a row was written: %v", rows[0])
			case tc.outcome != "" && (len(rows) != before+1 || rows[0][0] != tc.outcome || rows[0][1] != ""):
				t.Errorf("rows %v", rows)
			}
		})
	}
	if n := len(r.sim.Calls()); n != 0 {
		t.Errorf("vendors were sent %d calls", n)
	}
	r.clean()
	if resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", true, "after")); resp.StatusCode != 200 {
		t.Errorf("the next call: %d %s", resp.StatusCode, body)
	}
}

// TestNoModelTakesTools is a catalogue without tools asked for some.
func TestNoModelTakesTools(t *testing.T) {
	plain, _, _ := strings.Cut(catalogue, "model \"o-tools\"")
	r := start(t, plain)
	resp, body := r.message(`{"model":"ainfera-inference","max_tokens":10,"tools":[{"name":"t","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"x"}]}`)
	e := gjson.Get(body, "error")
	if resp.StatusCode != 422 || e.Get("code").String() != "tools_not_supported_by_backend" || !strings.Contains(e.Get("backend").String(), "o-plain") || e.Get("hint").String() == "" {
		t.Fatalf("got %d %s", resp.StatusCode, body)
	}
	if got := r.one(`select outcome_status, inference_id, (select count(*) from ledger_entries), (select count(*) from inferences) from routing_outcomes`); strings.Join(got, ",") != "rejected_capability,,0,0" {
		t.Errorf("row %v", got)
	}
	r.clean()
}

// TestFailingOver breaks vendors in turn.
func TestFailingOver(t *testing.T) {
	r := start(t)
	for _, stream := range []bool{true, false} {
		say := func(model, text string) string {
			b, _ := json.Marshal(text)
			return fmt.Sprintf(`{"model":%q,"max_tokens":300,"stream":%v,"messages":[{"role":"user","content":%s}]}`, model, stream, b)
		}
		t.Run(fmt.Sprint("EveryoneFails/", stream), func(t *testing.T) {
			resp, body := r.message(say("ainfera-inference", "x [[sim status=500]]"))
			if resp.StatusCode != 503 || gjson.Get(body, "error.code").String() != "all_routed_models_failed" {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
			row := r.one(`select outcome_status, inference_id <> '', json_array_length(attempts) from routing_outcomes where request_id = ?`, resp.Header.Get("request-id"))
			if strings.Join(row, " ") != "failed_provider_error 1 5" {
				t.Errorf("row %v", row)
			}
		})
		t.Run(fmt.Sprint("VendorRefuses/", stream), func(t *testing.T) {
			resp, body := r.message(say("ainfera-inference", "x [[sim error=invalid message=\"nope: nonsense\"]]"))
			if resp.StatusCode != 400 || !strings.Contains(body, "nope: nonsense") {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
		})
		t.Run(fmt.Sprint("Pinned429/", stream), func(t *testing.T) {
			resp, body := r.message(say("a-tools", "x [[sim rate-limit]]"))
			if resp.StatusCode != 429 || resp.Header.Get("retry-after") != "7" {
				t.Fatalf("got %d %v %s", resp.StatusCode, resp.Header, body)
			}
			// Until then the deployment is left alone, and a routed call goes elsewhere.
			resp, body = r.message(say("ainfera-inference", "again"), "x-ainfera-min-quality", "0.75")
			if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "o-think" {
				t.Fatalf("got %d by %s: %s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body)
			}
		})
		t.Run(fmt.Sprint("PinnedBreaks/", stream), func(t *testing.T) {
			resp, body := r.message(say("o-tools", "x [[sim status=503]]"))
			if resp.StatusCode != 502 || gjson.Get(body, "error.upstream_status").Int() != 503 {
				t.Fatalf("got %d %s", resp.StatusCode, body)
			}
		})
	}
	t.Run("BreaksAfterTheFirstByte", func(t *testing.T) {
		for _, floor := range []string{"0.1", "0.9"} {
			resp, body := r.message(`{"model":"ainfera-inference","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"x [[sim chunks=9 size=20 error-after=3]]"}]}`, "x-ainfera-min-quality", floor)
			evs := eventsOf(t, body)
			last := evs[len(evs)-1]
			if resp.StatusCode != 200 || last.name != "error" || last.data["request_id"] != resp.Header.Get("request-id") {
				t.Fatalf("got %d, the end %v", resp.StatusCode, last)
			}
			id := resp.Header.Get("x-ainfera-inference-id")
			row := r.one(`select outcome_status, (select sum(amount_micro_usd) from ledger_entries l where l.inference_id = o.inference_id) from routing_outcomes o where inference_id = ?`, id)
			if strings.Join(row, " ") != "failed_provider_error 0" {
				t.Errorf("row %v", row)
			}
		}
	})
	r.clean()
}

// TestChunksComeAsTheyAreMade has a vendor that sends a piece only once the caller has seen the one before: were
// anything held back, the two would wait for each other for ever.
func TestChunksComeAsTheyAreMade(t *testing.T) {
	for _, dialect := range []string{"openai", "anthropic"} {
		t.Run(dialect, func(t *testing.T) {
			seen := make(chan struct{})
			vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				_, _ = io.Copy(io.Discard, req.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				send := func(s string) { fmt.Fprint(w, s); w.(http.Flusher).Flush() }
				pieces := openaiPieces
				if dialect == "anthropic" {
					pieces = anthropicPieces
				}
				send(pieces.head)
				for i := range 5 {
					send(fmt.Sprintf(pieces.text, fmt.Sprint("piece", i, ".")))
					select {
					case <-seen:
					case <-req.Context().Done():
						return
					}
				}
				send(pieces.tail)
			}))
			defer vendor.Close()
			r := start(t, fmt.Sprintf(`
provider "v" {
  adapter  = %q
  base_url = %q
}
model "slow" {
  provider = "v"
  q_prior = "0.9"
  m_allowed = true
  price {
    input = "1"
    output = "1"
  }
}`, dialect, vendor.URL))
			resp := r.post("/v1/messages", fmt.Sprintf(hello, "ainfera-inference", true, ""))
			lines := bufio.NewScanner(resp.Body)
			got := 0
			for lines.Scan() {
				if strings.Contains(lines.Text(), fmt.Sprint("piece", got, ".")) {
					got++
					seen <- struct{}{}
				}
			}
			if got != 5 {
				t.Fatalf("saw %d pieces", got)
			}
		})
	}
}

var openaiPieces = struct{ head, text, tail string }{
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":null}]}\n\n",
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":8}}\n\ndata: [DONE]\n\n",
}

var anthropicPieces = struct{ head, text, tail string }{
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\n",
	"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
}

// TestCallerLeaves cancels in mid-stream: the vendor is let go, and what came until then is charged.
func TestCallerLeaves(t *testing.T) {
	r := start(t)
	for _, floor := range []string{"0.1", "0.9"} {
		ctx, cancel := context.WithCancel(t.Context())
		body := `{"model":"ainfera-inference","max_tokens":3000,"stream":true,"messages":[{"role":"user","content":"x [[sim chunks=9 size=200 silent-after=3]]"}]}`
		req, _ := http.NewRequestWithContext(ctx, "POST", r.url+"/v1/messages", strings.NewReader(body))
		req.Header.Set("x-api-key", r.key)
		req.Header.Set("x-ainfera-min-quality", floor)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(resp.Body)
		for n := 0; n < 3 && lines.Scan(); {
			if strings.Contains(lines.Text(), "event: content_block_delta") {
				n++
			}
		}
		cancel()
		resp.Body.Close()
		if _, err := r.sim.WaitFinished(t.Context(), len(r.sim.Calls())); err != nil {
			t.Fatal(err)
		}
	}
	r.stop() // waits for the calls in flight, and for what they write
	rows := r.all(`select o.outcome_status, o.usage_estimated, i.cost_micro_usd > 0, (select sum(amount_micro_usd) from ledger_entries l where l.inference_id = i.id) = -i.cost_micro_usd
		from routing_outcomes o join inferences i on i.id = o.inference_id order by o.created_at`)
	if len(rows) != 2 {
		t.Fatalf("rows %v", rows)
	}
	for _, row := range rows {
		if row[0] != "cancelled_client" || row[2] != "1" || row[3] != "1" {
			t.Errorf("row %v", row)
		}
	}
	for _, c := range r.sim.Calls() {
		if !c.Disconnected {
			t.Errorf("the vendor of %s was not let go", c.Model)
		}
	}
	r.clean()
}

// TestClaudeCodesRequest is its shape: adaptive thinking for any model, 32,000 tokens, betas, a dated id, both keys.
func TestClaudeCodesRequest(t *testing.T) {
	upTo, _, _ := strings.Cut(catalogue, "model \"o-think\"") // nobody here can think, nobody has 32,000 tokens
	r := start(t, upTo, "\nrouting {\n  target \"ainfera-code\" {\n    task_type = \"code\"\n  }\n}\n")
	body := `{"model":%q,"max_tokens":32000,"stream":true,"thinking":{"type":"adaptive"},"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"},{"type":"text","text":"You are Claude Code.","cache_control":{"type":"ephemeral"}}],` +
		`"tools":[{"name":"Bash","description":"run","input_schema":{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]},"cache_control":{"type":"ephemeral"}}],"metadata":{"user_id":"user_ab_account__session_7c1e6b5e-0000-4000-8000-000000000000"},` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"use the tool Bash","cache_control":{"type":"ephemeral"}}]}]}`
	for _, model := range []string{"ainfera-code", "ainfera-inference", "o-tools-2026-01-01"} {
		resp, out := r.message(fmt.Sprintf(body, model), "anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14", "x-api-key", r.key, "User-Agent", "claude-cli/2.1", "x-claude-code-session-id", "s1")
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d %s\n%s", model, resp.StatusCode, out, r.logs)
		}
		if !strings.Contains(resp.Header.Get("x-ainfera-dropped"), "thinking") {
			t.Errorf("%s: dropped %q", model, resp.Header.Get("x-ainfera-dropped"))
		}
		evs := eventsOf(t, out)
		if stop := evs[len(evs)-2].data["delta"].(map[string]any)["stop_reason"]; stop != "tool_use" {
			t.Errorf("%s: stop_reason %v", model, stop)
		}
	}
	for _, c := range r.sim.Calls() {
		n := gjson.GetBytes(c.Body, "max_tokens").Int() + gjson.GetBytes(c.Body, "max_completion_tokens").Int()
		if n > 16000 || gjson.GetBytes(c.Body, "thinking").Exists() {
			t.Errorf("%s was sent %d tokens, thinking %s", c.Model, n, gjson.GetBytes(c.Body, "thinking"))
		}
	}
}

// TestSecondStart shows the key once, and keeps what was written.
func TestSecondStart(t *testing.T) {
	r := start(t)
	if resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "")); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	first := r.key
	if status := r.stop(); status != exitOK {
		t.Fatalf("status %d: %s", status, r.logs)
	}
	r.key = ""
	r.serve()
	if r.key != "" {
		t.Error("the key was shown twice")
	}
	r.key = first
	if resp, body := r.message(fmt.Sprintf(hello, "ainfera-inference", false, "")); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if got := r.one(`select count(*) from routing_outcomes where outcome_status = 'succeeded'`); got[0] != "2" {
		t.Errorf("%v rows", got)
	}
	for path, want := range map[string]string{"/ready": "ready", "/metrics": `ainfera_dispatch_without_capture_total 0`} {
		resp, err := http.Get(r.admin + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(b), want) {
			t.Errorf("%s does not say %s", path, want)
		}
	}
	info, err := os.Stat(filepath.Join(r.dir, "admin.token"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin.token: %v, %v", info, err)
	}
	r.clean()
}

// TestDeploymentsFailOver has an entry in two places, the first of them broken: the second serves, for routed and pinned
// calls alike, with one debit.
func TestDeploymentsFailOver(t *testing.T) {
	r := start(t, `
model "twice" {
  deployment {
    provider = "o"
    upstream = "sim-broken?status=500"
    priority = 1
  }
  deployment {
    provider = "a"
    upstream = "sim-small"
    priority = 2
  }
  q_prior = "0.9"
  m_allowed = true
  price {
    input = "1"
    output = "1"
  }
}`)
	for _, model := range []string{"ainfera-inference", "twice"} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprint(model, "/", stream), func(t *testing.T) {
				before := len(r.sim.Calls())
				resp, body := r.message(fmt.Sprintf(hello, model, stream, "two"))
				if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "twice" {
					t.Fatalf("%d %s", resp.StatusCode, body)
				}
				if n := len(r.sim.Calls()) - before; n != 2 {
					t.Errorf("%d calls upstream", n)
				}
				id := resp.Header.Get("x-ainfera-inference-id")
				got := r.one(`select i.provider, i.status, (select count(*) from ledger_entries l where l.inference_id = i.id and l.kind = 'settle'),
					json_array_length(coalesce(i.attempts, (select attempts from routing_outcomes o where o.inference_id = i.id))) from inferences i where i.id = ?`, id)
				if strings.Join(got, " ") != "a succeeded 1 2" {
					t.Errorf("inference %v", got)
				}
			})
		}
	}
	r.clean()
}

// TestDrainCutsNoStream ends the server, simulated vendors and all, while a stream is being made: the stream comes to its
// end first.
func TestDrainCutsNoStream(t *testing.T) {
	r := start(t, `
provider "built-in" {
  adapter  = "openai"
  base_url = "simulator:openai"
}
model "inside" {
  provider = "built-in"
  q_prior = "0.9"
  m_allowed = true
  price {
    input = "1"
    output = "1"
  }
}
simulator { enabled = "on" }
`)
	resp := r.post("/v1/messages", `{"model":"ainfera-inference","max_tokens":900,"stream":true,"messages":[{"role":"user","content":"x [[sim chunks=8 size=10 between=50ms]]"}]}`)
	lines := bufio.NewReader(resp.Body)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int)
	go func() { ended <- r.stop() }()
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatalf("the stream was cut: %v", err)
	}
	if got := names(eventsOf(t, first+string(rest))); !strings.HasSuffix(got, "message_delta message_stop") {
		t.Errorf("events %s", got)
	}
	if status := <-ended; status != exitOK {
		t.Errorf("status %d: %s", status, r.logs)
	}
	r.clean()
}

// TestSessionsModelIsTooDear has a prepaid agent whose session is on a dear model when its money runs low: a cheaper
// survivor serves, and the wallet stays above zero.
func TestSessionsModelIsTooDear(t *testing.T) {
	r := start(t, catalogue, `
agent "poor" {
  wallet      = "prepaid"
  balance_usd = "0.10"
}
`)
	say := func(max int, floor string) (*http.Response, string) {
		return r.message(fmt.Sprintf(`{"model":"ainfera-inference","max_tokens":%d,"messages":[{"role":"user","content":"Hello"}]}`, max),
			"Authorization", "Bearer "+r.keys["poor"], "x-claude-code-session-id", "s", "x-ainfera-min-quality", floor)
	}
	if resp, body := say(100, "0.9"); resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "a-think" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	// The session's model would hold 0.15 USD of the 0.10 there are.
	resp, body := say(10000, "0.5")
	if resp.StatusCode != 200 || resp.Header.Get("x-ainfera-model") != "o-plain" {
		t.Fatalf("%d by %s: %s", resp.StatusCode, resp.Header.Get("x-ainfera-model"), body)
	}
	if resp, body := say(15000, "0.9"); resp.StatusCode != 402 || gjson.Get(body, "error.code").String() != "insufficient_funds" {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	r.clean()
}
