package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/schema"
)

func TestPaths(t *testing.T) {
	r := newRig(t)
	r.serve("v1", answer(200, wholeAnswer))
	for _, tc := range []struct {
		method, path string
		status       int
		code         string // of the error
		contains     string
		allow        string
	}{
		{method: "GET", path: "/", status: 200, contains: `"service":"Ainfera API"`},
		{method: "GET", path: "/health", status: 200, contains: `{"status":"ok"}`},
		{method: "HEAD", path: "/", status: 200},
		{method: "HEAD", path: "/v1/messages", status: 200},
		{method: "HEAD", path: "/nowhere", status: 200},
		{method: "POST", path: "/v1/messages?beta=true", status: 200, contains: `"hello"`},
		{method: "GET", path: "/nowhere", status: 404, code: "not_found", contains: "not_found_error"},
		{method: "POST", path: "/nowhere", status: 404, code: "not_found"},
		{method: "POST", path: "//v1/messages", status: 404, code: "not_found"},
		{method: "POST", path: "/v1/messages/", status: 404, code: "not_found"},
		{method: "POST", path: "/v1/./messages", status: 404, code: "not_found"},
		{method: "GET", path: "/v1/messages", status: 405, code: "method_not_allowed", allow: "HEAD, POST"},
		{method: "DELETE", path: "/v1/models", status: 405, code: "method_not_allowed", allow: "HEAD, GET"},
		{method: "POST", path: "/v1/inferences/x", status: 405, code: "method_not_allowed", contains: `,"code":"method_not_allowed","message":"method POST`, allow: "HEAD, GET"},
		{method: "POST", path: "/v1/chat/nothing", status: 404, code: "not_found", contains: `"type":"invalid_request_error","param":null`},
		{method: "GET", path: "/" + strings.Repeat("é", 500), status: 404, code: "not_found"},
	} {
		t.Run(tc.method+tc.path[:min(len(tc.path), 20)], func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), tc.method, "http://h"+tc.path, strings.NewReader(ask("v1", false)))
			req.Header.Set("X-Api-Key", r.key)
			w := httptest.NewRecorder()
			r.server.ServeHTTP(w, req)
			body := w.Body.String()
			if w.Code != tc.status || !strings.Contains(body, tc.contains) || w.Header().Get("Allow") != tc.allow {
				t.Fatalf("got %d %v %s, want %d", w.Code, w.Header(), body, tc.status)
			}
			id := w.Header().Get("Request-Id")
			if !strings.HasPrefix(id, "req_") || w.Header().Get("X-Request-Id") != id {
				t.Errorf("request ids %q and %q", id, w.Header().Get("X-Request-Id"))
			}
			if tc.code != "" && (gjson.Get(body, "error.code").String() != tc.code || gjson.Get(body, "request_id").String() != id || !gjson.Valid(body)) {
				t.Errorf("error body %s", body)
			}
		})
	}
}

const wholeAnswer = `{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":5}}`

func TestKeys(t *testing.T) {
	r := newRig(t)
	r.serve("v1", answer(200, wholeAnswer))
	for _, tc := range []struct {
		name           string
		bearer, header string
		status         int
	}{
		{name: "Bearer", bearer: "Bearer " + r.key, status: 200},
		{name: "BearerInLowerCase", bearer: "bearer  " + r.key, status: 200},
		{name: "Header", header: r.key, status: 200},
		{name: "OursInTheHeader", bearer: "Bearer sk-ant-xyz", header: r.key, status: 200},
		{name: "OursInTheBearer", bearer: "Bearer " + r.key, header: "sk-ant-xyz", status: 200},
		{name: "AnOldOneOfOursFirst", bearer: "Bearer ainfera_revoked", header: r.key, status: 200},
		{name: "Basic", bearer: "Basic " + r.key, status: 401},
		{name: "Unknown", header: "ainfera_nobody", status: 401},
		{name: "Foreign", header: "sk-ant-xyz", status: 401},
		{name: "None", status: 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			body := &watched{Reader: strings.NewReader(ask("v1", false))}
			req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/messages", body)
			if tc.bearer != "" {
				req.Header.Set("Authorization", tc.bearer)
			}
			if tc.header != "" {
				req.Header.Set("X-Api-Key", tc.header)
			}
			w := httptest.NewRecorder()
			r.server.ServeHTTP(w, req)
			if w.Code != tc.status {
				t.Fatalf("got %d %s, want %d", w.Code, w.Body, tc.status)
			}
			if tc.status == 401 && (body.read || gjson.Get(w.Body.String(), "error.type").String() != "authentication_error") {
				t.Errorf("body read: %v; %s", body.read, w.Body)
			}
		})
	}
	if strings.Contains(r.logs.String(), r.key) {
		t.Error("the key is in the log")
	}
}

// watched tells whether it was read.
type watched struct {
	io.Reader
	read bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.read = true
	return w.Reader.Read(p)
}

// raw sends bytes over a connection of their own and returns what comes back. finish ends the sending side.
func (r *rig) raw(text string, finish bool) (*http.Response, string) {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.http.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
	if finish {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

func TestBodies(t *testing.T) {
	r := newRig(t, func(c *Config) { c.BodyBytes = 1000 })
	head := "POST /v1/messages HTTP/1.1\r\nHost: h\r\nX-Api-Key: " + r.key + "\r\n"
	for _, tc := range []struct {
		name, request string
		finish        bool
		status        int
		closes        bool
		says          string
	}{
		{name: "TooLargeAndNeverSent", request: head + "Content-Length: 300000\r\n\r\n", status: 413, closes: true},
		{name: "SlightlyTooLargeAndNeverSent", request: head + "Content-Length: 1001\r\n\r\n", status: 413, closes: true},
		{name: "TooLargeAndAsksFirst", request: head + "Content-Length: 300000\r\nExpect: 100-continue\r\n\r\n", status: 413, closes: true},
		{name: "TooLargeInChunksWithoutEnd", request: head + "Transfer-Encoding: chunked\r\n\r\n400\r\n" + strings.Repeat(" ", 1024) + "\r\n", status: 413, closes: true},
		{name: "BrokenOff", request: head + "Content-Length: 900\r\n\r\n{", finish: true, status: 400},
		{name: "Empty", request: head + "Content-Length: 0\r\n\r\n", status: 400},
		{name: "Compressed", request: head + "Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\b", status: 400, says: "content-encoding is gzip"},
		{name: "NotJSON", request: head + "Content-Length: 3\r\n\r\n<a>", status: 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := r.raw(tc.request, tc.finish)
			if resp.StatusCode != tc.status || tc.closes && !resp.Close || gjson.Get(body, "request_id").String() == "" {
				t.Fatalf("got %d (closes: %v) %s, want %d", resp.StatusCode, resp.Close, body, tc.status)
			}
			if !strings.Contains(body, tc.says) {
				t.Errorf("%s does not say %q", body, tc.says)
			}
			if tc.status == 413 && gjson.Get(body, "error.type").String() != "request_too_large" {
				t.Errorf("error %s", body)
			}
		})
	}
	if got := r.tried(); got != "" {
		t.Errorf("vendors were asked: %s", got)
	}
}

// TestCallerSendsNoBody has a caller stop in its body: it holds the call no longer than it may.
func TestCallerSendsNoBody(t *testing.T) {
	r := newRig(t, func(c *Config) { c.CallerWithin = 10 * shortly }) // half of it is left to answer in
	resp, body := r.raw("POST /v1/messages HTTP/1.1\r\nHost: h\r\nX-Api-Key: "+r.key+"\r\nContent-Length: 50\r\n\r\n{", false)
	if resp.StatusCode != 400 {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	resp, body = r.raw("POST /v1/messages HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{", false)
	if resp.StatusCode != 401 {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
}

// bounded is a caller's connection that knows until when it is read from.
type bounded struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (b *bounded) SetReadDeadline(t time.Time) error { b.until = t; return nil }

// TestUnwantedBodies has bodies announced where nobody wants one: net/http waits for them before it answers, and must not
// for longer than a moment.
func TestUnwantedBodies(t *testing.T) {
	r := newRig(t, func(c *Config) { c.CallerWithin = time.Hour })
	for _, tc := range []string{"HEAD /", "HEAD /v1/messages", "GET /", "GET /health", "GET /openapi.json", "GET /v1/models", "GET /v1/providers",
		"POST /v1/nothing", "POST /v1/models", "GET /v1/messages", "GET /v1/wallets/1", "POST /v1/wallets/topup", "POST /v1/messages", "GET /.well-known/ainfera-public-key.json"} {
		method, path, _ := strings.Cut(tc, " ")
		w := &bounded{ResponseRecorder: httptest.NewRecorder()}
		r.server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}")))
		if left := time.Until(w.until); w.until.IsZero() || left > time.Minute {
			t.Errorf("%s: %d, and its body may take until %v", tc, w.Code, w.until)
		}
	}
}

// TestCallerEndsItsSide has a caller close its sending side and read on, which looks as if it had left. It must see that
// its connection broke, and no empty 200, nor a stream that ends as if it were over.
func TestCallerEndsItsSide(t *testing.T) {
	for _, tc := range []struct {
		name, path, body string
		before           []string // what the vendor says before it waits
	}{
		{name: "Whole", path: "/v1/messages", body: ask("v1", false)},
		{name: "StreamBeforeItsHead", path: "/v1/messages", body: ask("v1", true)},
		{name: "Stream", path: "/v1/messages", body: ask("v1", true), before: []string{evStart, evBlock, evDelta}},
		{name: "ChatStream", path: "/v1/chat/completions", body: ask("v1", true), before: []string{evStart, evBlock, evDelta}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			asked := make(chan struct{})
			r.serve("v1", func(w http.ResponseWriter, req *http.Request) {
				if tc.before != nil {
					sse(tc.before...)(w, req)
				}
				close(asked)
				<-req.Context().Done()
			})
			conn, err := net.Dial("tcp", r.http.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s", tc.path, r.key, len(tc.body), tc.body); err != nil {
				t.Fatal(err)
			}
			<-asked
			in := bufio.NewReader(conn)
			if tc.before != nil { // the head is out
				if _, err := in.Peek(1); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(in, nil)
			var text []byte
			if err == nil {
				text, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v %s, %v, want a connection that breaks", resp, text, err)
			}
			r.server.Wait()
			r.clean()
		})
	}
	t.Run("Visit", func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		req := httptest.NewRequestWithContext(ctx, "GET", "/v1/wallets/"+r.agent.ID, nil)
		req.Header.Set("X-Api-Key", r.key)
		w := httptest.NewRecorder()
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("got %v and %d %s, want a connection that breaks", got, w.Code, w.Body)
			}
		}()
		r.server.ServeHTTP(w, req)
	})
}

// TestNoTokensAsked sends a max_tokens of zero, which passes as it is or not at all.
func TestNoTokensAsked(t *testing.T) {
	for _, tc := range []struct {
		model, path string
		status      int
		tried       string
	}{
		{"v1", "/v1/messages", 200, "v1"},
		{"t1", "/v1/messages", 400, ""},
		{"t1", "/v1/chat/completions", 400, ""},
		{"ainfera-inference", "/v1/messages", 200, "v1"},
	} {
		t.Run(tc.model+tc.path, func(t *testing.T) {
			r := newRig(t)
			r.serve("v1", answer(200, wholeAnswer))
			req, err := http.NewRequestWithContext(t.Context(), "POST", r.http.URL+tc.path, strings.NewReader(fmt.Sprintf(`{"model":%q,"max_tokens":0,"messages":[{"role":"user","content":"hi"}]}`, tc.model)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Api-Key", r.key)
			resp, body := r.do(req)
			if tried := r.tried(); resp.StatusCode != tc.status || tried != tc.tried {
				t.Errorf("got %d %s of %q, want %d of %q", resp.StatusCode, body, tried, tc.status, tc.tried)
			}
			if tc.status == 400 && !strings.Contains(body, "max_tokens") {
				t.Errorf("told %s", body)
			}
			r.clean()
		})
	}
}

func TestModels(t *testing.T) {
	r := newRig(t)
	get := func(t *testing.T, query string, header ...string) gjson.Result {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/models"+query, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		r.server.ServeHTTP(w, req)
		if w.Code != 200 || !gjson.ValidBytes(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		return gjson.ParseBytes(w.Body.Bytes())
	}
	for _, tc := range []struct{ name, key, value string }{
		{"Anthropic", "Anthropic-Version", "2023-06-01"}, {"OpenAI", "X-Stainless-Lang", "python"}, {"ClaudeCode", "User-Agent", "claude-cli/2.1 (external)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := get(t, "?limit=1000", tc.key, tc.value)
			if s := fmt.Sprintf("%s %s %s %s %s", got.Get("object"), got.Get("has_more"), got.Get("first_id"), got.Get("last_id"), got.Get("data.#")); s != "list false ainfera-inference t2 5" {
				t.Errorf("got %s", got)
			}
			for _, m := range got.Get("data").Array() {
				for _, f := range []string{"id", "object", "type", "display_name", "created", "created_at", "owned_by"} {
					if !m.Get(f).Exists() {
						t.Errorf("no %s in %s", f, m)
					}
				}
			}
		})
	}
	for query, want := range map[string]string{
		"?limit=2":                 `["ainfera-inference","v1"] true ainfera-inference v1`,
		"?limit=2&after_id=v1":     `["t1","v2"] true t1 v2`,
		"?limit=2&after_id=v2":     `["t2"] false t2 t2`,
		"?after_id=t2":             `[] false  `,
		"?limit=1&before_id=v2":    `["t1"] true t1 t1`,
		"?limit=0":                 `["ainfera-inference","v1","t1","v2","t2"] false ainfera-inference t2`,
		"?limit=-1&after_id=other": `["ainfera-inference","v1","t1","v2","t2"] false ainfera-inference t2`,
	} {
		got := get(t, query, "Anthropic-Version", "2023-06-01")
		if s := fmt.Sprintf("%s %s %s %s", got.Get("data.#.id"), got.Get("has_more"), got.Get("first_id"), got.Get("last_id")); s != want {
			t.Errorf("%s: got %s, want %s", query, s, want)
		}
	}
	t.Run("Catalogue", func(t *testing.T) {
		got := get(t, "")
		if !got.IsArray() || got.Get("#").Int() != 5 || got.Get("0.type").String() != "router" || got.Get("1.type").String() != "model" {
			t.Fatalf("got %s", got)
		}
		for _, m := range got.Array() {
			for _, f := range []string{"slug", "display_name", "provider", "type", "prices", "context_window", "capabilities", "routable_status"} {
				if !m.Get(f).Exists() {
					t.Errorf("no %s in %s", f, m)
				}
			}
		}
		if p := got.Get("1.prices.input"); p.String() != "1000" && p.String() != "1000.000000" || p.Type != gjson.String {
			t.Errorf("price %s", p.Raw)
		}
	})
	t.Run("Providers", func(t *testing.T) {
		w := httptest.NewRecorder()
		r.server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/providers", nil))
		if got := gjson.GetBytes(w.Body.Bytes(), "#.slug").Raw; got != `["off","t","v"]` || gjson.GetBytes(w.Body.Bytes(), "0.active").Bool() {
			t.Errorf("got %s", w.Body)
		}
	})
}

// TestAgentsRefused are the refusals that belong to the agent and not to the request: the SDKs are told not to repeat.
func TestAgentsRefused(t *testing.T) {
	r := newRig(t)
	little := int64(1)
	for _, tc := range []struct {
		name    string
		agent   capture.NewAgent
		suspend bool
		status  int
		code    string
		kind    string
	}{
		{name: "Suspended", suspend: true, status: 409, code: "agent_not_active", kind: "invalid_request_error"},
		{name: "NoFunds", agent: capture.NewAgent{WalletMode: schema.WalletPrepaid}, status: 402, code: "insufficient_funds", kind: "billing_error"},
		{name: "PerCallCap", agent: capture.NewAgent{PerCallCapMicroUSD: &little}, status: 402, code: "per_call_cap_exceeded", kind: "billing_error"},
		{name: "DailyCap", agent: capture.NewAgent{DailyCapMicroUSD: &little}, status: 402, code: "daily_cap_exceeded", kind: "billing_error"},
	} {
		for _, model := range []string{"ainfera-inference", "v1"} {
			t.Run(tc.name+"/"+model, func(t *testing.T) {
				tc.agent.Name = strings.ReplaceAll(t.Name(), "/", "-")
				a, key := r.newAgent(tc.agent)
				if tc.suspend {
					if err := r.books.SetAgentStatus(t.Context(), a.ID, schema.AgentSuspended); err != nil {
						t.Fatal(err)
					}
				}
				resp, body := r.post(ask(model, true), "X-Api-Key", key)
				e := gjson.Get(body, "error")
				if resp.StatusCode != tc.status || e.Get("code").String() != tc.code || e.Get("type").String() != tc.kind || resp.Header.Get("X-Should-Retry") != "false" {
					t.Errorf("got %d %v %s", resp.StatusCode, resp.Header, body)
				}
			})
		}
	}
	if got := r.tried(); got != "" {
		t.Errorf("vendors were asked: %s", got)
	}
	r.clean()
}

func TestBooksAway(t *testing.T) {
	r := newRig(t)
	r.serve("v1", answer(200, wholeAnswer))
	r.books.begin = func(context.Context) error { return errBooks }
	for _, step := range []string{"Begin", "Authenticate"} {
		resp, body := r.post(ask("ainfera-inference", true))
		if resp.StatusCode != 503 || gjson.Get(body, "error.code").String() != "capture_unavailable" || resp.Header.Get("Retry-After") != "1" || strings.Contains(body, errBooks.Error()) {
			t.Errorf("%s: got %d %s", step, resp.StatusCode, body)
		}
		r.books.authenticate = func(context.Context, string) error { return errBooks }
	}
	if got := r.tried(); got != "" {
		t.Errorf("vendors were asked: %s", got)
	}
	r.clean()
}

func TestHeaderList(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []string
		want string
	}{
		{"OK", []string{"thinking", "top_k"}, "thinking, top_k"},
		{"Twice", []string{"thinking", "thinking", " thinking "}, "thinking"},
		{"Injection", []string{"a\r\nSet-Cookie: x=1", "b\x00\x7fé"}, "aSet-Cookie: x=1, b"},
		{"Commas", []string{"a,b"}, "ab"},
		{"Nothing", []string{"", "\n", ","}, ""},
		{"Long", []string{strings.Repeat("x", 5000)}, strings.Repeat("x", headerItemBytes)},
	} {
		if got := headerList(tc.in); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprint("field", i))
	}
	if got := strings.Count(headerList(many), ","); got != headerItems-1 {
		t.Errorf("many: got %d commas", got)
	}
}

func TestDroppedIsListed(t *testing.T) {
	r := newRig(t)
	r.guests["t"].dropped = []string{"thinking", "top_k\r\nX-Evil: 1", "top_k\r\nX-Evil: 1"}
	r.serve("t1", sse("data: {\"text\":\"a\"}\n\ndata: {\"stop\":1}\n\n"))
	body := `{"model":"t1","max_tokens":2000,"stream":true,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"hi"}]}`
	resp, out := r.post(body)
	if got := resp.Header.Get("X-Ainfera-Dropped"); resp.StatusCode != 200 || got != "thinking, top_kX-Evil: 1" || resp.Header.Get("X-Evil") != "" {
		t.Errorf("got %d %q %s", resp.StatusCode, got, out)
	}
	if bytes.Contains([]byte(out), []byte("Evil")) {
		t.Error("in the body, too")
	}
}
