package admin

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/capture"
)

// TestAgents goes through an agent's life as an operator sees it; the steps follow each other.
func TestAgents(t *testing.T) {
	books, err := capture.Open(t.Context(), capture.Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := books.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	for _, tenant := range []string{"x", "y"} {
		if _, _, err := books.CreateAgent(t.Context(), capture.NewAgent{Name: "twin", Tenant: tenant}); err != nil {
			t.Fatal(err)
		}
	}
	var logs bytes.Buffer
	h := New(Config{Token: "s3cret", Ready: func() bool { return true }, Metrics: http.NotFoundHandler(), Agents: books,
		Logger: hclog.New(&hclog.LoggerOptions{Output: &logs})})
	key := ""
	for _, step := range []struct {
		name, token, method, path, body string
		status                          int
		field, want                     string
	}{
		{"NoToken", "", "GET", "/agents", "", 401, "error", "the admin token is missing or wrong"},
		{"NoTokenToCreate", "nope", "POST", "/agents", `{"name":"a"}`, 401, "error", "the admin token is missing or wrong"},
		{"Create", "s3cret", "POST", "/agents", `{"name":"a","tenant":"t","wallet":"prepaid","balance_usd":"1.50","daily_cap_usd":2}`, 201, "balance_usd", "1.500000"},
		{"CreateAgain", "s3cret", "POST", "/agents", `{"name":"a","tenant":"t"}`, 409, "error", "the tenant already has an agent of that name"},
		{"CreateNameless", "s3cret", "POST", "/agents", `{}`, 400, "error", "an agent needs a name, and a wallet that is metered or prepaid"},
		{"CreateUnprintable", "s3cret", "POST", "/agents", `{"name":"a\u001b[2J"}`, 400, "error", "name and tenant must be at most 128 printable characters, without spaces around them"},
		{"CreateInUnprintable", "s3cret", "POST", "/agents", `{"name":"b","tenant":"t "}`, 400, "error", "name and tenant must be at most 128 printable characters, without spaces around them"},
		{"CreateOfAList", "s3cret", "POST", "/agents", `[]`, 400, "error", "the body is not the JSON object that is wanted, but another value: array"},
		{"CreateANumber", "s3cret", "POST", "/agents", `{"name":5}`, 400, "error", "name is a number where another kind of value is wanted"},
		{"Elsewhere", "s3cret", "GET", "/agent", "", 404, "code", "not_found"},
		{"OddMethod", "s3cret", "DELETE", "/agents", "", 405, "code", "method_not_allowed"},
		{"CreateOddWallet", "s3cret", "POST", "/agents", `{"name":"b","wallet":"free"}`, 400, "error", "an agent needs a name, and a wallet that is metered or prepaid"},
		{"CreateOddCap", "s3cret", "POST", "/agents", `{"name":"b","daily_cap_usd":"lots"}`, 400, "error", `daily_cap_usd must be an amount in USD with at most six decimals, such as "5.00"`},
		{"List", "s3cret", "GET", "/agents", "", 200, "#.name", `["a","twin","twin"]`},
		{"Show", "s3cret", "GET", "/agents/a", "", 200, "daily_cap_usd", "2.000000"},
		{"ShowOneOfTwo", "s3cret", "GET", "/agents/twin", "", 409, "error", "several tenants have an agent of that name: use its id"},
		{"ShowNobody", "s3cret", "GET", "/agents/nobody", "", 404, "error", "there is no such agent"},
		{"Suspend", "s3cret", "POST", "/agents/a/suspend", "", 200, "status", "suspended"},
		{"Resume", "s3cret", "POST", "/agents/a/resume", "", 200, "status", "active"},
		{"ResumeNobody", "s3cret", "POST", "/agents/nobody/resume", "", 404, "error", "there is no such agent"},
		{"CreateWithASlash", "s3cret", "POST", "/agents", `{"name":"team/a b"}`, 201, "tenant", "team/a b"},
		{"ShowWithASlash", "s3cret", "GET", "/agents/team%2Fa%20b", "", 200, "name", "team/a b"},
		{"ShowNothing", "s3cret", "GET", "/agents/%00", "", 404, "error", "there is no such agent"},
		{"TopUp", "s3cret", "POST", "/agents/a/topup", `{"amount_usd":0.1,"memo":"m"}`, 201, "balance_usd", "1.600000"},
		{"TopUpNothing", "s3cret", "POST", "/agents/a/topup", `{"amount_usd":"0"}`, 400, "error", "amount_usd must be above zero, and at most 1000000000.000000"},
		{"TopUpWithout", "s3cret", "POST", "/agents/a/topup", `{}`, 400, "error", "amount_usd must be above zero, and at most 1000000000.000000"},
		{"TopUpNotJSON", "s3cret", "POST", "/agents/a/topup", `amount`, 400, "error", "the body is not the JSON object that is wanted: invalid character 'a' looking for beginning of value"},
		{"TooLarge", "s3cret", "POST", "/agents/a/topup", strings.Repeat(" ", maxForm+1), 400, "error", "the request's body is too large"},
	} {
		t.Run(step.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), step.method, step.path, strings.NewReader(step.body))
			if step.token != "" {
				r.Header.Set("Authorization", "Bearer "+step.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := gjson.Get(w.Body.String(), step.field).String(); w.Code != step.status || got != step.want {
				t.Errorf("got %d %s, want %d %q", w.Code, w.Body, step.status, step.want)
			}
			if step.name == "Create" {
				key = gjson.Get(w.Body.String(), "api_key").String()
			} else if step.status != 201 && strings.Contains(w.Body.String(), "ainfera_") {
				t.Errorf("a key is shown again: %s", w.Body)
			}
		})
	}
	if a, err := books.Authenticate(t.Context(), key); err != nil || a.Name != "a" {
		t.Errorf("the key is %v's, %v", a, err)
	}
	if text := logs.String(); strings.Contains(text, key) || strings.Contains(text, "s3cret") || !strings.Contains(text, "agent created") {
		t.Errorf("log:\n%s", text)
	}
}
