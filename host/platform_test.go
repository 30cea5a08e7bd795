package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// as sends a request with a key, to the public listener or, with a whole URL, to another.
func (r *running) as(key, method, url, body string) (int, string) {
	r.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = r.url + url
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// operatorToken is the one that the first start made.
func (r *running) operatorToken() string {
	r.t.Helper()
	kept, err := os.ReadFile(filepath.Join(r.dir, "admin.token"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(kept))
}

// TestSignUpToFirstCall has somebody sign up, who can't call before the operator tops its wallet up, and then sees its own
// call and nobody else's.
func TestSignUpToFirstCall(t *testing.T) {
	r := start(t, catalogue, "signup { enabled = true }\n")
	token := r.operatorToken()
	status, body := r.as("", "POST", "/v1/agents/signup", `{"agent_handle":"newcomer","daily_cap_usd":"1"}`)
	if status != 201 {
		t.Fatalf("sign up: %d %s", status, body)
	}
	key, id := gjson.Get(body, "api_key").String(), gjson.Get(body, "agent_id").String()
	call := `{"model":"ainfera-inference","max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}`
	if status, body := r.as(key, "POST", "/v1/messages", call); status != 402 || gjson.Get(body, "error.code").String() != "insufficient_funds" {
		t.Errorf("before it has money: %d %s", status, body)
	}
	if status, body := r.as(token, "POST", "/v1/wallets/topup", `{"agent_id":"`+id+`","amount_usd":"2.50"}`); status != 201 || gjson.Get(body, "new_balance_usd").String() != "2.500000" {
		t.Errorf("top up: %d %s", status, body)
	}
	if status, body := r.as(key, "POST", "/v1/messages", call); status != 200 {
		t.Errorf("with money: %d %s", status, body)
	}
	_, ledger := r.as(key, "GET", "/v1/ledger/"+id, "")
	if got := gjson.Get(ledger, "entries.#.kind").Raw; got != `["settle","hold","topup"]` {
		t.Errorf("its ledger: %s", ledger)
	}
	inference := gjson.Get(ledger, "entries.0.inference_id").String()
	for who, want := range map[string]int{key: 200, token: 200, r.key: 404, "": 401} {
		if status, body := r.as(who, "GET", "/v1/inferences/"+inference, ""); status != want {
			t.Errorf("its call, to another: %d %s, want %d", status, body, want)
		}
	}
	for _, secret := range []string{key, token, r.key} {
		if strings.Contains(r.logs.String(), secret) {
			t.Error("a key is in the log")
		}
		for _, file := range []string{"ainfera.db", "ainfera.db-wal"} {
			if raw, err := os.ReadFile(filepath.Join(r.dir, file)); err == nil && strings.Contains(string(raw), secret) {
				t.Errorf("a key is in %s", file)
			}
		}
	}
	r.clean()
}

// TestSignUpIsOff is how a server comes.
func TestSignUpIsOff(t *testing.T) {
	r := start(t)
	if status, body := r.as("", "POST", "/v1/agents/signup", `{"agent_handle":"newcomer"}`); status != 403 || gjson.Get(body, "code").String() != "signup_disabled" {
		t.Errorf("got %d %s", status, body)
	}
	if n := r.one("select count(*) from agents")[0]; n != "1" {
		t.Errorf("got %s agents", n)
	}
}
