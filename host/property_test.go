package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ainfera-ai/router/host/internal/simulator"
)

// A way is one way out of a call, and what the specification's capture page says of it.
type way struct {
	name    string
	path    string // where it is asked for; /v1/messages where none is given
	text    string // the user's message
	more    string // further members of the body, with a comma behind each
	max     int    // max_tokens; 300 where none is given
	agent   string // who calls; "local" where none is given
	header  []string
	answer  string // of an answered call: the types of its blocks, and its stop_reason
	only    string // the one lane that knows this way
	routed  end
	pinned  end
	slug    string // the model of the pinned call; "cheap" where none is given
	differs bool   // the vendor fails a stream in other words than a document
	started bool   // the stream had begun, so that only the books can be the same
}

// An end is what the caller is told and what is booked.
type end struct {
	status  int // 0: the way doesn't exist for such a call
	code    string
	outcome string // outcome_status, of a pinned call the inference's; or that of a refusal
	ledger  string // "settled", "refunded" or "none"
	tries   string // models of the attempts, in order
}

// Ends that many ways share.
var (
	served        = end{200, "", "succeeded", "settled", "cheap"}
	allFail       = end{503, "all_routed_models_failed", "failed_provider_error", "refunded", "cheap spare thinker"}
	pinnedFails   = end{502, "provider_failed", "failed_provider_error", "refunded", "cheap"}
	vendorRefuses = end{400, "invalid_request", "failed_provider_error", "refunded", "cheap"}
)

func rejected(status int, code, outcome string) end { return end{status, code, outcome, "none", ""} }

const oneTool = `"tools":[{"name":"get_weather","description":"the weather","input_schema":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}}],`

var ways = []way{
	{name: "Answered", answer: "text end_turn", text: "Hello there", routed: served, pinned: served},
	{name: "Tools", answer: "text tool_use tool_use", text: "use the tool get_weather, please", more: oneTool, routed: served, pinned: served},
	{name: "CutAtMaxTokens", answer: "text max_tokens", text: "Hello there", max: 5, routed: served, pinned: served},
	{name: "Thinking", answer: "thinking text end_turn", text: "Why is the sky blue?", more: `"thinking":{"type":"enabled","budget_tokens":1024},`, max: 2048, slug: "thinker",
		routed: end{200, "", "succeeded", "settled", "thinker"}, pinned: end{200, "", "succeeded", "settled", "thinker"}},
	{name: "RateLimited", text: "Hello there", header: []string{"x-ainfera-min-quality", "0.90", "x-ainfera-budget-usd", "5"}, slug: "limited-pinned",
		routed: end{200, "", "succeeded", "settled", "limited good"},
		pinned: end{429, "provider_failed", "failed_provider_error", "refunded", "limited-pinned"}},
	{name: "Floor", text: "Hello", header: []string{"x-ainfera-min-quality", "0.99"}, routed: rejected(422, "no_candidate_clears_floor", "rejected_floor")},
	{name: "Capability", text: `Hello"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"},"title":"t`,
		routed: rejected(422, "documents_not_supported_by_backend", "rejected_capability"),
		pinned: rejected(422, "documents_not_supported_by_backend", "rejected_capability")},
	{name: "RefusedByTheAdapter", text: "Hello", more: `"tools":[{"type":"bash_20250124","name":"bash"}],`, only: "o",
		routed: rejected(422, "request_not_supported_by_backend", "rejected_capability"),
		pinned: rejected(422, "request_not_supported_by_backend", "rejected_capability")},
	{name: "PerCallCap", text: "Hello", agent: "capped", routed: rejected(402, "per_call_cap_exceeded", "rejected_cap"), pinned: rejected(402, "per_call_cap_exceeded", "rejected_cap")},
	{name: "DailyCap", text: "Hello", agent: "spent", routed: rejected(402, "daily_cap_exceeded", "rejected_cap"), pinned: rejected(402, "daily_cap_exceeded", "rejected_cap")},
	{name: "Funds", text: "Hello", agent: "poor", routed: rejected(402, "insufficient_funds", "rejected_funds"), pinned: rejected(402, "insufficient_funds", "rejected_funds")},
	{name: "Suspended", text: "Hello", agent: "idle", routed: rejected(409, "agent_not_active", "rejected_agent"), pinned: rejected(409, "agent_not_active", "rejected_agent")},
	{name: "PolicyFails", text: "Hello", header: []string{"x-ainfera-preference", "broken"}, routed: rejected(503, "policy_failed", "failed_policy")},
	{name: "VendorRefuses", text: `x [[sim error=invalid message=\"nope: nonsense\"]]`, routed: vendorRefuses, pinned: vendorRefuses},
	{name: "VendorFindsItTooLarge", text: "x [[sim error=too_large]]", only: "o", routed: vendorRefuses,
		pinned: end{413, "invalid_request", "failed_provider_error", "refunded", "cheap"}},
	{name: "VendorFindsItTooLarge", text: "x [[sim error=too_large]]", only: "a",
		routed: end{413, "", "failed_provider_error", "refunded", "cheap"}, pinned: end{413, "", "failed_provider_error", "refunded", "cheap"}},
	{name: "ContextTooLong", text: "x [[sim error=context]]", routed: allFail, pinned: vendorRefuses},
	{name: "ModelIsGone", text: "x [[sim error=not_found]]", routed: allFail, pinned: pinnedFails},
	{name: "ProxysPage", text: "x [[sim body=html status=200]]", routed: allFail, pinned: pinnedFails},
	{name: "EveryoneFails", text: "x [[sim status=500]]", routed: allFail, pinned: pinnedFails},
	{name: "OurKeyIsRefused", text: "x [[sim error=authentication]]", routed: allFail, pinned: pinnedFails},
	{name: "EmptyAnswer", text: "x [[sim empty]]", routed: allFail, pinned: pinnedFails},
	{name: "ErrorBeforeTheFirstEvent", differs: true, text: "x [[sim error-after=0]]", routed: allFail, pinned: pinnedFails},
	{name: "CutBeforeTheFirstEvent", differs: true, text: "x [[sim cut-after=0]]", routed: allFail, pinned: pinnedFails},
	{name: "EndBeforeTheFirstEvent", differs: true, text: "x [[sim end-after=0]]", routed: allFail, pinned: pinnedFails},
	{name: "ErrorAfterTheFirstByte", text: "x [[sim chunks=9 size=20 error-after=3]]", started: true, routed: allFail, pinned: pinnedFails},
	{name: "CutAfterTheFirstByte", text: "x [[sim chunks=9 size=20 cut-after=3]]", started: true, routed: allFail, pinned: pinnedFails},
	// Vendors of the OpenAI dialect may end like that; the adapter's tests have it.
	{name: "EndAfterTheFirstByte", only: "a", text: "x [[sim chunks=9 size=20 end-after=3]]", started: true, routed: allFail, pinned: pinnedFails},
}

// laneOf is a server all of whose models speak one dialect. The last three are dearer than most callers' budget here.
const laneOf = `
agent "capped" { per_call_cap_usd = "0.000001" }
agent "spent" { daily_cap_usd = "0.000001" }
agent "poor" {
  wallet      = "prepaid"
  balance_usd = "0.000001"
}
agent "idle" {}
plugin "dictator" { module = %[2]q }
routing {
  preference "broken" {
    policy   = "dictator"
    settings = { do = "panic" }
  }
}
model "cheap" {
  provider = %[1]q
  upstream = "sim-cheap"
  q_prior = "0.60"
  m_allowed = true
  context = 100000
  max_output = 4000
  can = ["tools"]
  price {
    input = "0.10"
    output = "0.20"
  }
}
model "spare" {
  provider = %[1]q
  upstream = "sim-spare"
  q_prior = "0.70"
  m_allowed = true
  context = 100000
  max_output = 4000
  can = ["tools"]
  price {
    input = "0.20"
    output = "0.40"
  }
}
model "thinker" {
  provider = %[1]q
  upstream = "sim-reasoner"
  q_prior = "0.80"
  m_allowed = true
  context = 100000
  max_output = 8000
  can = ["tools", "thinking"]
  price {
    input = "0.50"
    output = "1.00"
  }
}
model "limited" {
  provider = %[1]q
  upstream = "sim-limited?retry-after=3600&rate-limit"
  q_prior = "0.95"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "100"
    output = "100"
  }
}
model "good" {
  provider = %[1]q
  upstream = "sim-good"
  q_prior = "0.95"
  m_allowed = true
  context = 100000
  max_output = 4000
  price {
    input = "200"
    output = "200"
  }
}
model "limited-pinned" {
  provider = %[1]q
  upstream = "sim-limited-too?retry-after=3600&rate-limit"
  q_prior = "0.95"
  m_allowed = false
  context = 100000
  max_output = 4000
  price {
    input = "100"
    output = "100"
  }
}
`

// A store makes an empty one and returns where it is; dir is for what lives beside it.
type store func(t *testing.T) (dir, dsn string)

func sqliteStore(t *testing.T) (dir, dsn string) {
	dir = t.TempDir()
	return dir, "sqlite://" + filepath.Join(dir, "ainfera.db")
}

// TestPropertyStreamedAndWholeAreTheSameCall makes every call twice, streamed at one server and whole at another of the
// same configuration, and compares what the caller saw and what was written down, for each lane, dialect and way out,
// routed and pinned.
func TestPropertyStreamedAndWholeAreTheSameCall(t *testing.T) {
	for _, lane := range []string{"o", "a"} {
		t.Run(lane, func(t *testing.T) { sameCalls(t, lane, ways, sqliteStore) })
		t.Run(lane+"/chat", func(t *testing.T) { sameCalls(t, lane, inChat(ways), sqliteStore) })
	}
}

func sameCalls(t *testing.T, lane string, ways []way, at store) {
	more := fmt.Sprintf(laneOf, lane, guest(t, "./host/testdata/guests/dictator"))
	var servers [2]*running
	for i := range servers {
		dir, dsn := at(t)
		servers[i] = startOn(t, dir, dsn, more)
		if status, out := servers[i].command("agent", "suspend", "idle"); status != exitOK {
			t.Fatal(out)
		}
	}
	for _, w := range ways {
		for _, pinned := range []bool{false, true} {
			want := w.routed
			if pinned {
				want = w.pinned
			}
			if want.status == 0 || w.only != "" && w.only != lane {
				continue
			}
			t.Run(fmt.Sprintf("%s/pinned=%v", w.name, pinned), func(t *testing.T) {
				streamed, whole := w.call(t, servers[0], true, pinned), w.call(t, servers[1], false, pinned)
				whole.holds(t, "whole", want, &w, lane, pinned)
				if w.started {
					want.status, want.code, want.tries = 200, "", strings.Fields(want.tries)[0]
				}
				streamed.holds(t, "streamed", want, &w, lane, pinned)
				same(t, streamed, whole, &w)
			})
		}
	}
	callersLeave(t, servers, ways[0].path)
	for _, r := range servers {
		r.clean()
	}
}

// A sight is all that can be seen of one call, but for what must differ: ids, times, and what is hashed over them.
type sight struct {
	Status    int
	Header    map[string]string
	Error     any // the body of a refusal, or the data of an error event
	Content   any
	Stop      string
	Usage     map[string]int64
	Model     string
	Sent      []string // tools and messages that vendors were sent
	Outcomes  [][]string
	Inference [][]string
	Tries     string
	Reasons   string
	Ledger    [][]string
	Events    []string
	Receipts  [][]string
}

// call makes the call and looks at what became of it.
func (w *way) call(t *testing.T, r *running, stream, pinned bool) *sight {
	t.Helper()
	before := len(r.sim.Calls())
	resp, text := r.call(w.endpoint(), w.body(stream, pinned), append([]string{"x-ainfera-budget-usd", "0.01", "authorization", "Bearer " + r.keys[w.who()]}, w.header...)...)
	s := &sight{Status: resp.StatusCode, Header: told(resp.Header)}
	if w.path == chatPath && s.Status == 200 {
		s.hearChat(t, text, stream)
	} else {
		s.hear(t, text, stream)
	}
	for _, c := range r.sim.Calls()[before:] {
		s.Sent = append(s.Sent, c.Model+" "+gjson.GetBytes(c.Body, "tools").Raw+gjson.GetBytes(c.Body, "messages").Raw)
	}
	s.books(r, resp.Header.Get("request-id"))
	return s
}

func (w *way) endpoint() string {
	if w.path == "" {
		return "/v1/messages"
	}
	return w.path
}

func (w *way) who() string {
	if w.agent == "" {
		return "local"
	}
	return w.agent
}

// body is as long streamed as not, so that nothing can hang on its length.
func (w *way) body(stream, pinned bool) string {
	model, flag, limit := "ainfera-inference", "false", w.max
	if pinned {
		if model = w.slug; model == "" {
			model = "cheap"
		}
	}
	if stream {
		flag = "true "
	}
	if limit == 0 {
		limit = 300
	}
	if w.path == chatPath { // where usage must be asked for
		flag += map[bool]string{true: `,"stream_options":{"include_usage":true}`}[stream]
	}
	return fmt.Sprintf(`{"model":%q,"max_tokens":%d,"stream":%s,%s"messages":[{"role":"user","content":[{"type":"text","text":"%s"}]}]}`, model, limit, flag, w.more, w.text)
}

// told are the headers that are ours to promise. An id's value is its presence.
func told(h http.Header) map[string]string {
	out := map[string]string{}
	for name := range h {
		low := strings.ToLower(name)
		switch {
		case low == "request-id" || low == "x-request-id" || strings.HasSuffix(low, "-id") && strings.HasPrefix(low, "x-ainfera-"):
			out[low] = "some"
		case low == "x-ainfera-audit-url":
			out[low] = filepath.Dir(h.Get(name))
		case strings.HasPrefix(low, "x-ainfera-") || low == "x-should-retry" || low == "retry-after":
			out[low] = h.Get(name)
		}
	}
	return out
}

// hear reads an answer, or an error, of either form.
func (s *sight) hear(t *testing.T, text string, stream bool) {
	t.Helper()
	doc := text
	if stream && s.Status == 200 {
		var failed any
		doc, failed = assemble(t, eventsOf(t, text))
		s.Error = failed
	}
	m := gjson.Parse(doc)
	if s.Status != 200 {
		doc, _ = sjson.Delete(doc, "request_id")
		s.Error = parsed(t, doc)
		return
	}
	s.Content, s.Stop, s.Model = parsed(t, m.Get("content").Raw), m.Get("stop_reason").Str, m.Get("model").Str
	s.Usage = map[string]int64{}
	for _, k := range []string{"input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"} {
		s.Usage[k] = m.Get("usage." + k).Int()
	}
}

func parsed(t *testing.T, doc string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return v
}

// assemble is the message that a stream's events make, as the SDKs put it together, and the error that ended it.
func assemble(t *testing.T, events []event) (doc string, failed any) {
	t.Helper()
	var message map[string]any
	var blocks []any
	args := map[int]string{}
	for _, e := range events {
		switch e.name {
		case "message_start":
			message = e.data["message"].(map[string]any)
		case "content_block_start":
			if int(e.data["index"].(float64)) != len(blocks) {
				t.Fatalf("block %v opened as number %d", e.data["index"], len(blocks))
			}
			blocks = append(blocks, e.data["content_block"])
		case "content_block_delta":
			i := int(e.data["index"].(float64))
			b, d := blocks[i].(map[string]any), e.data["delta"].(map[string]any)
			for k, v := range d {
				switch k {
				case "text", "thinking", "signature":
					old, _ := b[k].(string)
					b[k] = old + v.(string)
				case "partial_json":
					args[i] += v.(string)
				}
			}
		case "message_delta":
			for k, v := range e.data["delta"].(map[string]any) {
				message[k] = v
			}
			for k, v := range e.data["usage"].(map[string]any) {
				message["usage"].(map[string]any)[k] = v
			}
		case "error":
			failed = e.data["error"]
		}
	}
	for i, a := range args {
		if a != "" {
			blocks[i].(map[string]any)["input"] = parsed(t, a)
		}
	}
	if blocks == nil {
		blocks = []any{}
	}
	message["content"] = blocks
	b, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), failed
}

// books reads what was written down for a request.
func (s *sight) books(r *running, request string) {
	r.t.Helper()
	s.Outcomes = r.all(`select outcome_status, code, source, target, task_type, cell, policy_version, policy_module, adapter_module, decision_rule,
		decision_type, chosen_propensity, chosen_model_slug, served_model_slug, affinity, ruleset_hash, routing_hint, routing_preference, excluded, tags,
		cost_projected_usd, cost_actual_usd, vendor_cost_usd, cost_baseline_usd, baseline_model_slug, usage, usage_estimated,
		decision is null, decision_input is null, inference_id is null, completed_at is null
		from routing_outcomes where request_id = ?`, request)
	s.Inference = r.all(`select status, code, model, provider, adapter_module, finish_reason, finish_reason_native, input_tokens, output_tokens,
		cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens, usage_estimated, hold_micro_usd, cost_micro_usd,
		vendor_cost_micro_usd, uncollected_micro_usd, requested_model, endpoint, outcome_id is null, completed_at is null
		from inferences where request_id = ?`, request)
	s.Ledger = r.all(`select l.kind, l.amount_micro_usd from ledger_entries l join inferences i on i.id = l.inference_id where i.request_id = ? order by l.id`, request)
	s.Receipts = r.all(`select p.signature <> '', (select event_type from audit_events e where e.agent_id = p.agent_id and e.seq = p.audit_seq)
		from receipts p join inferences i on i.id = p.inference_id where i.request_id = ?`, request)
	var inference string
	for _, row := range r.all(`select id from inferences where request_id = ?`, request) {
		inference = row[0]
	}
	for _, row := range r.all(`select event_type, payload from audit_events where agent_id <> 'operator' order by seq`) {
		p := gjson.Parse(row[1])
		if p.Get("request_id").Str == request || inference != "" && p.Get("inference_id").Str == inference {
			s.Events = append(s.Events, strings.TrimSpace(row[0]+" "+p.Get("router").Str))
		}
	}
	tries := r.all(`select coalesce(o.attempts, i.attempts, '[]') from inferences i left join routing_outcomes o on o.inference_id = i.id where i.request_id = ?`, request)
	for _, row := range tries {
		list := gjson.Parse(row[0]).Array()
		for _, a := range list {
			s.Tries = strings.TrimSpace(s.Tries + " " + a.Get("model").Str)
			s.Reasons = strings.TrimSpace(s.Reasons + " " + a.Get("reason").Str)
		}
	}
}

// dispatchedEvents are the audit events of a call that was dispatched; a pinned one's router is direct.
var dispatchedEvents = []string{"inference.requested", "inference.routed ainfera-inference", "provider.responded", "ledger.debited", "receipt.created"}

// holds checks a call against the specification's table.
func (s *sight) holds(t *testing.T, name string, want end, w *way, lane string, pinned bool) {
	t.Helper()
	errs := func(format string, args ...any) { t.Helper(); t.Errorf(name+": "+format, args...) }
	code := ""
	if e, ok := s.Error.(map[string]any); ok && s.Status != 200 {
		inner, _ := e["error"].(map[string]any)
		code, _ = inner["code"].(string)
	}
	wantCode := want.code
	if want == vendorRefuses && lane == "a" && w.path != chatPath {
		wantCode = "" // the vendor's own words, unchanged
	}
	if s.Status != want.status || code != wantCode {
		errs("told %d %q, want %d %q: %v", s.Status, code, want.status, wantCode, s.Error)
	}
	if s.Tries != want.tries {
		errs("tried %q, want %q", s.Tries, want.tries)
	}
	if got := s.shape(); w.answer != "" && got != w.answer {
		errs("answered %s, want %s", got, w.answer)
	}
	refused := want.ledger == "none"
	switch {
	case pinned && len(s.Outcomes) != 0:
		errs("a pinned call has an outcome: %v", s.Outcomes)
	case !pinned && (len(s.Outcomes) != 1 || s.Outcomes[0][0] != want.outcome):
		errs("outcomes %v, want one that says %s", s.Outcomes, want.outcome)
	}
	if refused {
		if len(s.Inference)+len(s.Ledger)+len(s.Receipts) != 0 {
			errs("refused, yet booked: %v %v %v", s.Inference, s.Ledger, s.Receipts)
		}
		event := map[string]string{"rejected_floor": "inference.rejected_floor", "rejected_capability": "inference.rejected_capability",
			"rejected_cap": "inference.rejected_cap_violation", "rejected_funds": "inference.rejected_funds",
			"rejected_agent": "inference.rejected_agent", "failed_policy": "inference.rejected_policy"}[want.outcome]
		if got, want := strings.Join(s.Events, ","), event+router(pinned); got != want {
			errs("events %s, want %s", got, want)
		}
		return
	}
	if len(s.Inference) != 1 || s.Inference[0][0] != want.outcome || len(s.Receipts) != 1 {
		errs("inferences %v, receipts %v, want one of each, %s", s.Inference, s.Receipts, want.outcome)
	}
	s.balances(errs, want)
	events := slices.Clone(dispatchedEvents)
	if pinned {
		events[1] = "inference.routed direct"
	}
	if !slices.Equal(s.Events, events) {
		errs("events %v, want %v", s.Events, events)
	}
}

// shape is the types of the answer's blocks, and its stop_reason.
func (s *sight) shape() string {
	var words []string
	blocks, _ := s.Content.([]any)
	for _, b := range blocks {
		words = append(words, b.(map[string]any)["type"].(string))
	}
	return strings.Join(append(words, s.Stop), " ")
}

func router(pinned bool) string {
	if pinned {
		return " direct"
	}
	return " ainfera-inference"
}

// balances checks the call's ledger entries.
func (s *sight) balances(errs func(string, ...any), want end) {
	var kinds []string
	var sum, cost int64
	for _, l := range s.Ledger {
		kinds = append(kinds, l[0])
		sum += gjson.Parse(l[1]).Int()
	}
	for _, i := range s.Inference {
		cost += gjson.Parse(i[15]).Int()
	}
	kinds = slices.Compact(kinds)
	switch {
	case want.ledger == "settled" && (strings.Join(kinds, " ") != "hold settle" || sum != -cost || cost <= 0):
		errs("ledger %v for a cost of %d", s.Ledger, cost)
	case want.ledger == "refunded" && (strings.Join(kinds, " ") != "hold refund" || sum != 0 || cost != 0):
		errs("ledger %v for a refunded call that cost %d", s.Ledger, cost)
	}
}

// same compares what a streamed and a whole call of one request came to, field by field. Of a call that broke after the
// first byte of the stream only the books' verdict can be the same: the whole one could still go elsewhere.
func same(t *testing.T, streamed, whole *sight, w *way) {
	t.Helper()
	a, b := reflect.ValueOf(*streamed), reflect.ValueOf(*whole)
	for i := range a.NumField() {
		name, x, y := a.Type().Field(i).Name, a.Field(i).Interface(), b.Field(i).Interface()
		if w.started && name != "Events" && name != "Receipts" || w.differs && (name == "Error" || name == "Reasons") {
			continue
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("%s differ\nstreamed %v\nwhole    %v", name, x, y)
		}
	}
}

// callersLeave has callers go away at both servers, routed and pinned: in mid-stream, and while they wait for a whole
// answer. It ends the servers, which is what their completions are waited for with.
func callersLeave(t *testing.T, servers [2]*running, path string) {
	for i, r := range servers {
		for _, pinned := range []bool{false, true} {
			w := way{path: path, text: "x [[sim chunks=9 size=200 silent-after=3]]", max: 3000}
			before := len(r.sim.Calls())
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, "POST", r.url+w.endpoint(), strings.NewReader(w.body(i == 0, pinned)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("x-api-key", r.keys["local"])
			asked, gone := make(chan struct{}, 8), make(chan struct{})
			r.sim.Script(func(simulator.Request) *simulator.Fault { asked <- struct{}{}; return nil })
			go func() {
				defer close(gone)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return // the whole answer never came
				}
				defer resp.Body.Close()
				lines := bufio.NewScanner(resp.Body)
				for n := 0; n < 3 && lines.Scan(); {
					if strings.Contains(lines.Text(), "event: content_block_delta") || strings.Contains(lines.Text(), `"delta":{"content":`) {
						n++
					}
				}
				cancel()
			}()
			if i == 1 {
				<-asked
				cancel()
			}
			<-gone
			cancel()
			if _, err := r.sim.WaitFinished(t.Context(), before+1); err != nil {
				t.Fatal(err)
			}
		}
		r.stop()
	}
	for _, pinned := range []bool{false, true} {
		model := "ainfera-inference"
		if pinned {
			model = "cheap"
		}
		for i, r := range servers {
			name := []string{"streamed", "whole"}[i]
			s := &sight{}
			request := r.one(`select request_id from inferences where status = 'cancelled_client' and requested_model = ?`, model)[0]
			s.books(r, request)
			// 0 stands for the answer that never was; "settled" demands a cost, since what was sent will be charged.
			s.holds(t, name+" and abandoned", end{0, "", "cancelled_client", "settled", "cheap"}, &way{}, "", pinned)
			if estimated := s.Inference[0][13]; estimated != "1" && estimated != "true" {
				t.Errorf("%s and abandoned: the vendor's usage was not seen, and it is not marked as estimated: %v", name, s.Inference)
			}
		}
	}
}
