package simulator

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// vendor is a simulator under test, with a server for each dialect.
type vendor struct {
	*Server
	urls map[string]string
}

func newVendor(t testing.TB, opt Options) *vendor {
	t.Helper()
	v := &vendor{Server: New(opt), urls: make(map[string]string)}
	for _, name := range []string{Anthropic, OpenAI, Responses, Gemini} {
		srv := httptest.NewServer(v.Handler(name))
		t.Cleanup(srv.Close)
		v.urls[name] = srv.URL
	}
	t.Cleanup(func() { v.Close() }) // runs first: it frees the silent answers that httptest would wait for
	return v
}

var paths = map[string]string{Anthropic: "/v1/messages", OpenAI: "/v1/chat/completions", Responses: "/v1/responses"}

// request makes a call as a well-behaved client does; headers are pairs that are set over its own.
func (v *vendor) request(t testing.TB, dialect, body string, headers ...string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.urls[dialect]+paths[dialect], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer simulated")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// post returns the response and all of its body that came; the error is the one of reading that.
func (v *vendor) post(t testing.TB, dialect, body string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	res, err := http.DefaultClient.Do(v.request(t, dialect, body, headers...))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// ask posts a user message in a minimal body; more is further fields, each with its comma.
func (v *vendor) ask(t testing.TB, dialect, text, more string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	return v.post(t, dialect, minimal(text, more), headers...)
}

func minimal(text, more string) string {
	body := []byte(`{"model":"sim-small","max_tokens":1024,"messages":[{"role":"user","content":`)
	body = appendString(body, text)
	return string(body) + "}]" + more + "}"
}
