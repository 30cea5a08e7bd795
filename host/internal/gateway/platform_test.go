package gateway

import (
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
	"github.com/tidwall/sjson"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

const adminToken = "operators-token-0123456789"

// A town is a rig with several tenants: the local agent, a sibling in its tenant, and a stranger.
type town struct {
	*rig
	keys      map[string]string // by visitor; "nobody" has none
	inference string
	pinned    string
	receipt   string
}

func newTown(t *testing.T, change ...func(*Config)) *town {
	t.Helper()
	r := newRig(t, append([]func(*Config){func(c *Config) { c.AdminToken = adminToken }}, change...)...)
	r.vendors(false)
	_, sibling := r.newAgent(capture.NewAgent{Name: "sibling", Tenant: "local"})
	_, stranger := r.newAgent(capture.NewAgent{Name: "stranger"})
	w := &town{rig: r, keys: map[string]string{"own": r.key, "sibling": sibling, "stranger": stranger, "admin": adminToken, "nobody": "", "unknown": "ainfera_unknown"}}
	resp, _ := r.post(ask("ainfera-inference", false))
	w.inference, w.receipt = resp.Header.Get("X-Ainfera-Inference-Id"), resp.Header.Get("X-Ainfera-Receipt-Id")
	resp, _ = r.post(ask("v1", false))
	w.pinned = resp.Header.Get("X-Ainfera-Inference-Id")
	r.server.Wait()
	return w
}

// visit sends a request as one of the visitors.
func (w *town) visit(as, method, path, body string) (int, string) {
	w.t.Helper()
	req := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if key := w.keys[as]; key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, req)
	out := rec.Body.String()
	if rec.Header().Get("Content-Type") != "application/json" || !gjson.Valid(out) || rec.Code < 300 && rec.Header().Get("Cache-Control") != "no-store" {
		w.t.Errorf("%s %s: %v %s", method, path, rec.Header(), out)
	}
	return rec.Code, out
}

// plain is a body without what differs from one answer to the next.
func plain(body string) string {
	out, err := sjson.Delete(body, "request_id")
	if err != nil {
		return body
	}
	return out
}

// TestWhoMaySee visits every endpoint as everybody: a key of the tenant's sees what is the tenant's, the operator sees all,
// and to anybody else what is there is as what is not.
func TestWhoMaySee(t *testing.T) {
	w := newTown(t, func(c *Config) { c.Signup, c.Proofs = true, &publisher{} })
	const missing = "019a0000-0000-7000-8000-000000000000"
	capsBody := `{"daily_cap_usd":"50"}`
	endpoints := []struct {
		method, path, real, body string
		// want is told of the local agent's own record, fields of the answer.
		want string
	}{
		{"GET", "/v1/agents/%s", w.agent.ID, "", w.agent.ID + " local active metered"},
		{"PATCH", "/v1/agents/%s/spend-policy", w.agent.ID, capsBody, w.agent.ID + " local active metered"},
		{"GET", "/v1/wallets/%s", w.agent.ID, "", w.agent.ID + " metered"},
		{"GET", "/v1/ledger/%s", w.agent.ID, "", w.agent.ID},
		{"GET", "/v1/audit/%s", w.agent.ID, "", w.agent.ID},
		{"GET", "/v1/audit/%s/verify", w.agent.ID, "", w.agent.ID + " true"},
		{"GET", "/v1/audit/%s/proof", w.agent.ID, "", w.agent.ID},
		{"GET", "/v1/inferences/%s", w.inference, "", w.inference + " succeeded v1 ainfera-inference"},
		{"GET", "/v1/inferences/%s/decision", w.inference, "", w.inference},
		{"GET", "/v1/receipts/%s", w.receipt, "", w.receipt},
	}
	_, gone := w.visit("own", "GET", "/v1/agents/"+missing, "")
	gone = plain(gone)
	for _, e := range endpoints {
		for as, want := range map[string]int{"own": 200, "sibling": 200, "admin": 200, "stranger": 404, "nobody": 401, "unknown": 401} {
			for name, id := range map[string]string{"Real": e.real, "Missing": missing, "Malformed": "local", "OddlyEncoded": "%00%2e%2e", "UpperCase": strings.ToUpper(e.real)} {
				t.Run(fmt.Sprintf("%s%s/%s/%s", e.method, strings.ReplaceAll(e.path, "%s", "id"), as, name), func(t *testing.T) {
					w.t = t
					want := want
					if name != "Real" && want == 200 {
						want = 404
					}
					status, body := w.visit(as, e.method, fmt.Sprintf(e.path, id), e.body)
					if status != want {
						t.Fatalf("got %d %s, want %d", status, body, want)
					}
					switch status {
					case 404:
						if plain(body) != gone {
							t.Errorf("got %s, want what is said of any record that is not there: %s", body, gone)
						}
					case 200:
						var got []string
						for _, field := range strings.Fields("agent_id name status mode wallet valid inference_id receipt_id model requested_model") {
							got = append(got, gjson.Get(body, field).String())
						}
						for _, word := range strings.Fields(e.want) {
							if !strings.Contains(strings.Join(got, " "), word) {
								t.Errorf("got %s, want %s in it", body, word)
							}
						}
					}
				})
			}
		}
	}
	w.t = t
	for as, key := range w.keys {
		if key != "" && strings.Contains(w.logs.String(), key) {
			t.Errorf("the key of %s is in the log", as)
		}
	}
	w.clean()
}

// TestReadAnswers looks at what the endpoints say.
func TestReadAnswers(t *testing.T) {
	w := newTown(t)
	if _, err := w.books.TopUp(t.Context(), w.agent.ID, 2_500_000, "a gift"); err != nil {
		t.Fatal(err)
	}
	get := func(path string) gjson.Result {
		t.Helper()
		status, body := w.visit("own", "GET", path, "")
		if status != 200 {
			t.Fatalf("%s: got %d %s", path, status, body)
		}
		return gjson.Parse(body)
	}
	t.Run("Wallet", func(t *testing.T) {
		// Two calls of 8 tokens at 1000 micro-USD, and the gift.
		if got := get("/v1/wallets/" + w.agent.ID); got.Get("balance_usd").Raw != `"2.484000"` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("Ledger", func(t *testing.T) {
		all := get("/v1/ledger/" + w.agent.ID)
		if all.Get("balance_usd").String() != "2.484000" || all.Get("entries.#").Int() != 5 || all.Get("entries.0.kind").String() != "topup" ||
			all.Get("entries.0.amount_usd").Raw != `"2.500000"` || all.Get("entries.0.memo").String() != "a gift" || all.Get("entries.4.kind").String() != "hold" ||
			all.Get("entries.4.inference_id").String() != w.inference {
			t.Errorf("got %s", all)
		}
		if two := get("/v1/ledger/" + w.agent.ID + "?limit=2"); two.Get("entries.#").Int() != 2 || two.Get("entries.0.id").String() != all.Get("entries.0.id").String() {
			t.Errorf("got %s", two)
		}
	})
	t.Run("Audit", func(t *testing.T) {
		all := get("/v1/audit/" + w.agent.ID + "?limit=500")
		var events []capture.ChainEvent
		if err := json.Unmarshal([]byte(all.Get("events").Raw), &events); err != nil {
			t.Fatal(err)
		}
		if result := proof.VerifyChain(events); !result.Valid || len(events) != 12 || events[0].Seq != 1 || events[11].EventType != "wallet.topped_up" {
			t.Errorf("got %+v of %d events", result, len(events))
		}
		var walked []string
		for since := int64(0); ; {
			page := get(fmt.Sprintf("/v1/audit/%s?since_seq=%d&limit=5", w.agent.ID, since)).Get("events")
			if page.Get("#").Int() == 0 {
				break
			}
			for _, e := range page.Array() {
				walked, since = append(walked, e.Raw), e.Get("seq").Int()
			}
		}
		if got := "[" + strings.Join(walked, ",") + "]"; got != all.Get("events").Raw {
			t.Errorf("by pages %s\nat once %s", got, all.Get("events"))
		}
		if got := get("/v1/audit/" + w.agent.ID + "/verify"); got.Raw != fmt.Sprintf(`{"agent_id":%q,"event_count":12,"valid":true,"failure_seq":null,"failure_reason":null}`+"\n", w.agent.ID) {
			t.Errorf("got %s", got)
		}
		status, body := w.visit("admin", "GET", "/v1/audit/operator", "")
		if status != 200 || gjson.Get(body, "agent_id").String() != "operator" {
			t.Errorf("the operators' own: %d %s", status, body)
		}
		if status, body := w.visit("own", "GET", "/v1/audit/operator", ""); status != 404 {
			t.Errorf("the operators' own, to a caller: %d %s", status, body)
		}
	})
	t.Run("Inference", func(t *testing.T) {
		routed, pinned := get("/v1/inferences/"+w.inference), get("/v1/inferences/"+w.pinned)
		if routed.Get("cost_usd").Raw != `"0.008000"` || routed.Get("input_tokens").Int() != 3 || routed.Get("routing.target").String() != "ainfera-inference" ||
			routed.Get("routing.outcome_status").String() != "succeeded" || routed.Get("attempts.0.model").String() != "v1" || routed.Get("receipt_id").String() != w.receipt {
			t.Errorf("got %s", routed)
		}
		if pinned.Get("routing").Raw != "null" || pinned.Get("attempts.0.model").String() != "v1" || pinned.Get("requested_model").String() != "v1" {
			t.Errorf("got %s", pinned)
		}
	})
	t.Run("Decision", func(t *testing.T) {
		got := get("/v1/inferences/" + w.inference + "/decision")
		inf, err := w.books.Inference(t.Context(), w.inference)
		if err != nil {
			t.Fatal(err)
		}
		input, output, err := w.books.Decision(t.Context(), inf.OutcomeID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Get("decision_input").Raw != string(input) || got.Get("decision").Raw != string(output) || got.Get("decision_hash").String() != hashOf(output) {
			t.Errorf("got %s\nwant %s\nand %s", got, input, output)
		}
		routed := get("/v1/audit/" + w.agent.ID).Get(`events.#(event_type=="inference.routed").payload`)
		if got.Get("decision_input_hash").String() != routed.Get("decision_input_hash").String() {
			t.Errorf("hash %s, in the chain %s", got.Get("decision_input_hash"), routed)
		}
		for part, want := range map[string]string{"decision_input": string(input), "decision": string(output)} {
			if got := get("/v1/inferences/" + w.inference + "/decision?part=" + part).Raw; got != want {
				t.Errorf("%s: got %s, want %s", part, got, want)
			}
		}
		if status, body := w.visit("own", "GET", "/v1/inferences/"+w.pinned+"/decision", ""); status != 404 || !strings.Contains(body, "named its model") {
			t.Errorf("pinned: %d %s", status, body)
		}
	})
	t.Run("Receipt", func(t *testing.T) {
		got := get("/v1/receipts/" + w.receipt)
		if err := proof.VerifySigned([]byte(got.Raw), w.books.Signer().Public()); err != nil || got.Get("status").String() != "succeeded" {
			t.Errorf("%v: %s", err, got)
		}
	})
	t.Run("PendingReceipt", func(t *testing.T) {
		dispatched, release := make(chan struct{}), make(chan struct{})
		w.serve("v2", func(rw http.ResponseWriter, req *http.Request) {
			sse(evStart)(rw, req)
			close(dispatched)
			<-release
			sse(evBlock, evDelta, evClose, evStop, evLast)(rw, req)
		})
		resp := w.begin(t.Context(), ask("v2", true))
		<-dispatched
		id := resp.Header.Get("X-Ainfera-Receipt-Id")
		if got := get("/v1/receipts/" + id); got.Get("status").String() != "pending" || got.Get("agent_id").String() != w.agent.ID || got.Get("signature").Exists() {
			t.Errorf("got %s", got)
		}
		if status, body := w.visit("stranger", "GET", "/v1/receipts/"+id, ""); status != 404 {
			t.Errorf("to a stranger: %d %s", status, body)
		}
		close(release)
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		w.server.Wait()
		if got := get("/v1/receipts/" + id); !got.Get("signature").Exists() {
			t.Errorf("got %s", got)
		}
	})
	w.clean()
}

// TestWhatIsRefused are requests that are wrong, and changes that their visitor may not make.
func TestWhatIsRefused(t *testing.T) {
	w := newTown(t)
	prepaid, key := w.newAgent(capture.NewAgent{Name: "prepaid", WalletMode: schema.WalletPrepaid})
	w.keys["prepaid"] = key
	idle, key := w.newAgent(capture.NewAgent{Name: "idle"})
	w.keys["idle"] = key
	if err := w.books.SetAgentStatus(t.Context(), idle.ID, schema.AgentSuspended); err != nil {
		t.Fatal(err)
	}
	stranger, err := w.books.Authenticate(t.Context(), w.keys["stranger"])
	if err != nil {
		t.Fatal(err)
	}
	agent, policy := "/v1/agents/"+w.agent.ID, "/v1/agents/"+w.agent.ID+"/spend-policy"
	topup := func(amount string) string { return fmt.Sprintf(`{"agent_id":%q,"amount_usd":%s}`, w.agent.ID, amount) }
	for _, tc := range []struct {
		name, as, method, path, body string
		status                       int
		code, param                  string
	}{
		{"LimitZero", "own", "GET", "/v1/ledger/" + w.agent.ID + "?limit=0", "", 400, "invalid_request", "limit"},
		{"LimitTooLarge", "own", "GET", "/v1/ledger/" + w.agent.ID + "?limit=501", "", 400, "invalid_request", "limit"},
		{"LimitNoNumber", "own", "GET", "/v1/audit/" + w.agent.ID + "?limit=ten", "", 400, "invalid_request", "limit"},
		{"LimitTwice", "own", "GET", "/v1/audit/" + w.agent.ID + "?limit=1&limit=2", "", 400, "invalid_request", "limit"},
		{"LimitEmpty", "own", "GET", "/v1/audit/" + w.agent.ID + "?limit=", "", 400, "invalid_request", "limit"},
		{"LimitBehindASemicolon", "own", "GET", "/v1/ledger/" + w.agent.ID + "?limit=1;since=2", "", 400, "invalid_request", ""},
		{"LimitUnescaped", "own", "GET", "/v1/audit/" + w.agent.ID + "?limit=%zz", "", 400, "invalid_request", ""},
		{"SinceBelowZero", "own", "GET", "/v1/audit/" + w.agent.ID + "?since_seq=-1", "", 400, "invalid_request", "since_seq"},
		{"SinceOverflows", "own", "GET", "/v1/audit/" + w.agent.ID + "?since_seq=9223372036854775808", "", 400, "invalid_request", "since_seq"},
		{"UnknownPart", "own", "GET", "/v1/inferences/" + w.inference + "/decision?part=all", "", 400, "invalid_request", "part"},
		{"NoSuchMethod", "own", "DELETE", agent, "", 405, "method_not_allowed", ""},

		{"PolicyNothing", "own", "PATCH", policy, `{}`, 400, "invalid_request", ""},
		{"PolicyNotJSON", "own", "PATCH", policy, `{"daily_cap_usd":`, 400, "invalid_request", ""},
		{"PolicyList", "own", "PATCH", policy, `[]`, 400, "invalid_request", ""},
		{"PolicyBelowZero", "own", "PATCH", policy, `{"daily_cap_usd":-1}`, 400, "invalid_request", "daily_cap_usd"},
		{"PolicySevenPlaces", "own", "PATCH", policy, `{"per_call_cap_usd":"0.0000001"}`, 400, "invalid_request", "per_call_cap_usd"},
		{"PolicyObject", "own", "PATCH", policy, `{"per_call_cap_usd":{}}`, 400, "invalid_request", "per_call_cap_usd"},
		{"PolicyTooLarge", "own", "PATCH", policy, `{"x":"` + strings.Repeat("x", maxForm) + `"}`, 413, "request_too_large", ""},
		{"PolicyOfASuspended", "idle", "PATCH", "/v1/agents/" + idle.ID + "/spend-policy", `{"daily_cap_usd":"1"}`, 409, "agent_not_active", ""},

		{"TopUpByItsOwner", "own", "POST", "/v1/wallets/topup", topup(`"5.00"`), 403, "forbidden", ""},
		{"TopUpByNobody", "nobody", "POST", "/v1/wallets/topup", topup(`"5.00"`), 401, "invalid_api_key", ""},
		{"TopUpNothing", "admin", "POST", "/v1/wallets/topup", topup(`0`), 400, "invalid_request", "amount_usd"},
		{"TopUpBelowZero", "admin", "POST", "/v1/wallets/topup", topup(`"-5"`), 400, "invalid_request", "amount_usd"},
		{"TopUpTooMuch", "admin", "POST", "/v1/wallets/topup", topup(`1000000000.000001`), 400, "invalid_request", "amount_usd"},
		{"TopUpWithout", "admin", "POST", "/v1/wallets/topup", `{}`, 400, "invalid_request", "amount_usd"},
		{"TopUpOfAName", "admin", "POST", "/v1/wallets/topup", `{"agent_id":"local","amount_usd":1}`, 404, "not_found", ""},
		{"TopUpOfNobody", "admin", "POST", "/v1/wallets/topup", `{"agent_id":"019a0000-0000-7000-8000-000000000000","amount_usd":1}`, 404, "not_found", ""},

		{"SignupIsOff", "nobody", "POST", "/v1/agents/signup", `{"agent_handle":"new"}`, 403, "signup_disabled", ""},
		{"RegisterByNobody", "nobody", "POST", "/v1/agents/register", `{"name":"new"}`, 401, "invalid_api_key", ""},
		{"RegisterWithoutAName", "own", "POST", "/v1/agents/register", `{}`, 400, "invalid_request", "name"},
		{"RegisterAnOddName", "own", "POST", "/v1/agents/register", `{"name":"a\u0000b"}`, 400, "invalid_request", "name"},
		{"RegisterALongName", "own", "POST", "/v1/agents/register", `{"name":"` + strings.Repeat("é", 129) + `"}`, 400, "invalid_request", "name"},
		{"RegisterTwice", "own", "POST", "/v1/agents/register", `{"name":"sibling"}`, 409, "agent_exists", ""},
		{"RegisterAnOddWallet", "own", "POST", "/v1/agents/register", `{"name":"new","wallet":"free"}`, 400, "invalid_request", "wallet"},
		{"RegisterElsewhere", "own", "POST", "/v1/agents/register", fmt.Sprintf(`{"name":"new","tenant_id":%q}`, stranger.TenantID), 404, "not_found", ""},
		{"RegisterElsewhereByName", "own", "POST", "/v1/agents/register", `{"name":"new","tenant":"stranger"}`, 404, "not_found", ""},
		{"RegisterNowhere", "admin", "POST", "/v1/agents/register", `{"name":"new","tenant_id":"none"}`, 404, "not_found", ""},
		{"RegisterMoreThanOneself", "prepaid", "POST", "/v1/agents/register", `{"name":"new","wallet":"metered"}`, 403, "forbidden", ""},
		{"RegisterBySuspended", "idle", "POST", "/v1/agents/register", `{"name":"new"}`, 409, "agent_not_active", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			status, body := w.visit(tc.as, tc.method, tc.path, tc.body)
			if status != tc.status || gjson.Get(body, "code").String() != tc.code || gjson.Get(body, "error.param").String() != tc.param {
				t.Fatalf("got %d %s, want %d %s %s", status, body, tc.status, tc.code, tc.param)
			}
			mapped(t, status, body)
		})
	}
	w.t = t
	for _, id := range []string{w.agent.ID, prepaid.ID, idle.ID} {
		a, err := w.books.Agent(t.Context(), id)
		if err != nil || a.DailyCapMicroUSD != nil || a.PerCallCapMicroUSD != nil || a.BalanceMicroUSD > 0 {
			t.Errorf("a refusal changed %+v, %v", a, err)
		}
	}
	w.clean()
}

// TestMoneyInAndOut has caps and top-ups as strings and numbers, exactly.
func TestMoneyInAndOut(t *testing.T) {
	w := newTown(t)
	policy := "/v1/agents/" + w.agent.ID + "/spend-policy"
	for _, step := range []struct{ body, perCall, daily string }{
		{`{"per_call_cap_usd":"0.10","daily_cap_usd":5}`, `"0.100000"`, `"5.000000"`},
		{`{"daily_cap_usd":1e-06}`, `"0.100000"`, `"0.000001"`},
		{`{"per_call_cap_usd":null}`, `null`, `"0.000001"`},
		{`{"per_call_cap_usd":0.3}`, `"0.300000"`, `"0.000001"`},
	} {
		status, body := w.visit("own", "PATCH", policy, step.body)
		if status != 200 || gjson.Get(body, "per_call_cap_usd").Raw != step.perCall || gjson.Get(body, "daily_cap_usd").Raw != step.daily {
			t.Errorf("%s: got %d %s", step.body, status, body)
		}
		if _, again := w.visit("sibling", "GET", "/v1/agents/"+w.agent.ID, ""); again != body {
			t.Errorf("%s: changed to %s, read %s", step.body, body, again)
		}
	}
	if resp, text := w.post(ask("v1", false)); resp.StatusCode != 402 || !strings.Contains(text, "daily_cap_exceeded") {
		t.Errorf("the cap does not hold: %d %s", resp.StatusCode, text)
	}
	for amount, want := range map[string]string{`"10"`: "10.000000", `0.1`: "0.100000"} {
		before := gjson.Get(second(w.visit("admin", "GET", "/v1/wallets/"+w.agent.ID, "")), "balance_usd").String()
		status, body := w.visit("admin", "POST", "/v1/wallets/topup", fmt.Sprintf(`{"agent_id":%q,"amount_usd":%s,"memo":"m"}`, w.agent.ID, amount))
		after := gjson.Get(second(w.visit("own", "GET", "/v1/wallets/"+w.agent.ID, "")), "balance_usd").String()
		if status != 201 || gjson.Get(body, "amount_usd").String() != want || gjson.Get(body, "new_balance_usd").String() != after || after == before {
			t.Errorf("%s: got %d %s, from %s to %s", amount, status, body, before, after)
		}
	}
	w.clean()
}

func second(_ int, body string) string { return body }

// TestNewAgents makes agents in every way there is and has them call.
func TestNewAgents(t *testing.T) {
	w := newTown(t, func(c *Config) { c.Signup = true })
	if status, body := w.visit("own", "PATCH", "/v1/agents/"+w.agent.ID+"/spend-policy", `{"daily_cap_usd":"7"}`); status != 200 {
		t.Fatal(body)
	}
	for _, tc := range []struct {
		name, as, path, body string
		tenant               string // whose it is: "local", or "new"
		wallet, daily        string
		call                 int
	}{
		{"Register", "own", "register", `{"name":"further"}`, "local", "metered", `"7.000000"`, 200},
		{"RegisterWithCaps", "sibling", "register", `{"name":"capped","daily_cap_usd":"0.000001"}`, "local", "metered", `"0.000001"`, 402},
		{"RegisterPrepaid", "own", "register", `{"name":"careful","wallet":"prepaid","daily_cap_usd":null}`, "local", "prepaid", `null`, 402},
		{"RegisterNamingTheTenant", "own", "register", fmt.Sprintf(`{"name":"named","tenant_id":%q}`, w.agent.TenantID), "local", "metered", `"7.000000"`, 200},
		{"RegisterByTheOperator", "admin", "register", fmt.Sprintf(`{"name":"given","tenant_id":%q,"wallet":"prepaid"}`, w.agent.TenantID), "local", "prepaid", `null`, 402},
		{"RegisterInATenantOfItsOwn", "admin", "register", `{"name":"apart"}`, "new", "metered", `null`, 200},
		{"Signup", "nobody", "signup", `{"agent_handle":"local","owner_handle":"somebody","metadata":{"x":1},"daily_cap_usd":"1"}`, "new", "prepaid", `"1.000000"`, 402},
		{"SignupUnderATenantsName", "nobody", "signup", `{"agent_handle":"mallory","tenant":"local","tenant_id":"` + w.agent.TenantID + `"}`, "new", "prepaid", `null`, 402},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			status, body := w.visit(tc.as, "POST", "/v1/agents/"+tc.path, tc.body)
			b := gjson.Parse(body)
			key, id := b.Get("api_key").String(), b.Get("agent_id").String()
			if status != 201 || !strings.HasPrefix(key, "ainfera_") || b.Get("id").String() != id || b.Get("agent_handle").String() != b.Get("name").String() ||
				b.Get("wallet").String() != tc.wallet || b.Get("daily_cap_usd").Raw != tc.daily {
				t.Fatalf("got %d %s", status, body)
			}
			if ours := b.Get("tenant_id").String() == w.agent.TenantID; ours != (tc.tenant == "local") {
				t.Errorf("tenant %s, the local one is %s", b.Get("tenant_id"), w.agent.TenantID)
			}
			want := map[string]int{"local": 200, "new": 404}[tc.tenant]
			w.keys["new"] = key
			if status, _ := w.visit("new", "GET", "/v1/agents/"+w.agent.ID, ""); status != want {
				t.Errorf("it sees the local agent: %d, want %d", status, want)
			}
			if status, _ := w.visit("own", "GET", "/v1/agents/"+id, ""); status != want {
				t.Errorf("the local agent sees it: %d, want %d", status, want)
			}
			if resp, text := w.post(ask("v1", false), "X-Api-Key", key); resp.StatusCode != tc.call {
				t.Errorf("its call: got %d %s, want %d", resp.StatusCode, text, tc.call)
			}
			_, again := w.visit("admin", "GET", "/v1/agents/"+id, "")
			if strings.Contains(again, "ainfera_") || strings.Contains(again, hashOf([]byte(key))) {
				t.Errorf("the key is shown again: %s", again)
			}
			if strings.Contains(w.logs.String(), key) {
				t.Error("the key is in the log")
			}
		})
	}
	w.t = t
	if status, body := w.visit("nobody", "POST", "/v1/agents/signup", `{"agent_handle":"greedy","wallet":"metered"}`); status != 403 || gjson.Get(body, "code").String() != "forbidden" {
		t.Errorf("got %d %s", status, body)
	}
	w.clean()
}

// Without a token of the operators' there is no operator, whatever is sent.
func TestNoAdminToken(t *testing.T) {
	w := newTown(t, func(c *Config) { c.AdminToken = "" })
	for _, header := range []string{"Bearer ", "Bearer", "", "Bearer " + adminToken, "Basic " + adminToken} {
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/agents/"+w.agent.ID, nil)
		req.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		w.server.ServeHTTP(rec, req)
		if rec.Code != 401 {
			t.Errorf("%q: got %d", header, rec.Code)
		}
	}
}

// TestRecordsAway: the store can't be asked, which is nobody's mistake but says nothing of why.
func TestRecordsAway(t *testing.T) {
	w := newTown(t)
	if err := w.books.Books.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, body := w.visit("admin", "GET", "/v1/receipts/"+w.receipt, "")
	if status != 503 || gjson.Get(body, "code").String() != "capture_unavailable" || strings.Contains(body, "sql") || !strings.Contains(w.logs.String(), "/v1/receipts/{id}") {
		t.Errorf("got %d %s\n%s", status, body, w.logs)
	}
}

// mapped asserts what the platform's published clients make of an error: our words, and no exception that means
// something else.
func mapped(t *testing.T, status int, body string) {
	t.Helper()
	exception, message := published(status, body, "Reason")
	if want := map[int]string{402: "WalletInsufficient"}[status]; exception != or(want, "APIError") || message != gjson.Get(body, "error.message").String() || message == "" {
		t.Errorf("published clients raise %s(%q) for %d %s", exception, message, status, body)
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// published is how the platform's published clients read an error's body.
func published(status int, body, reason string) (exception, message string) {
	b := gjson.Parse(body)
	if !b.IsObject() {
		b = gjson.Parse("{}")
	}
	detail := b.Get("detail")
	code := or(b.Get("code").String(), b.Get("error").String())
	message = or(b.Get("message").String(), b.Get("error").String())
	switch {
	case message != "":
	case detail.Type == gjson.String:
		message = detail.String()
	case detail.Get("code").Exists() && detail.Get("upstream_status").Exists():
		message = detail.Get("code").String() + " upstream_status=" + detail.Get("upstream_status").Raw
	default:
		message = or(detail.Get("code").String(), reason)
	}
	switch {
	case status == 402:
		return "WalletInsufficient", message
	case status == 403 && (code == "spend_policy_exceeded" || or(detail.Get("code").String(), detail.Get("error").String()) == "spend_policy_exceeded"):
		return "SpendPolicyExceeded", message
	case status == 422 && or(b.Get("error").String(), b.Get("code").String()) == "model_unavailable":
		return "ModelUnavailable", message
	}
	return "APIError", message
}

// TestPublishedClients holds published, by which the other tests judge, against what the clients were seen to do.
func TestPublishedClients(t *testing.T) {
	root := os.Getenv("AINFERA_CONFORMANCE")
	if root == "" {
		t.Skip("AINFERA_CONFORMANCE is not set: what published clients do is not here")
	}
	text, err := os.ReadFile(filepath.Join(root, "vectors", "client_error_mapping.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases := gjson.GetBytes(text, "cases").Array()
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		exception, message := published(int(c.Get("input.status").Int()), c.Get("input.body").Raw, c.Get("input.reason_phrase").String())
		if exception != c.Get("expected.exception").String() || message != c.Get("expected.message").String() {
			t.Errorf("%s: got %s(%q), want %s", c.Get("case_id"), exception, message, c.Get("expected"))
		}
	}
}
