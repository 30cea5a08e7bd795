package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/metrics"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/schema"
	"github.com/ainfera-ai/router/sdk/abi"
)

// A guest is an adapter in plain Go. On the verbatim lane it passes the body; on the translated one its vendor streams
// {"text":…}, {"usage":{…}}, {"stop":…} and {"error":…,"kind":…}, and what it says at a call's end is in end.
type guest struct {
	verbatim bool
	dropped  []string
	refuse   string                     // an error kind with which it refuses every request
	takes    string                     // the vendor's name of the one model for which it doesn't
	panics   string                     // text at which it panics
	end      func(abi.EndReason) string // usage, as JSON
}

var _ provider.Adapter = (*guest)(nil)

func (g *guest) NewStream(context.Context) (provider.Guest, error) { return &guestStream{g: g}, nil }
func (g *guest) Digest() string                                    { return fmt.Sprintf("%p", g) }
func (g *guest) Feature(name string) bool {
	return name == "stream" || name == "verbatim" && g.verbatim
}

type guestStream struct {
	g      *guest
	status int64
	out    []byte
}

func (s *guestStream) add(kind abi.Kind, payload string) {
	s.out = abi.AppendRecord(s.out, kind, 0, 0, []byte(payload))
}

func (s *guestStream) Open(recs ...abi.Record) ([]byte, error) {
	s.out = abi.AppendBatch(s.out[:0], 1)
	if s.g.refuse != "" && gjson.GetBytes(recs[0].Payload, "model").String() != s.g.takes {
		s.add(abi.KindRefuse, fmt.Sprintf(`{"kind":%q,"message":"not for this vendor"}`, s.g.refuse))
		return s.out, nil
	}
	framing := abi.FramingJSON
	if gjson.GetBytes(recs[0].Payload, "stream").Bool() {
		framing = abi.FramingSSE
	}
	s.add(abi.KindRequest, fmt.Sprintf(`{"method":"POST","path":"/","framing":%q}`, framing))
	if s.g.verbatim {
		s.add(abi.KindRequestWhole, "")
	} else {
		s.add(abi.KindRequestBody, string(recs[1].Payload))
	}
	for _, d := range s.g.dropped {
		s.add(abi.KindDropped, d)
	}
	return s.out, nil
}

func (s *guestStream) Push(recs ...abi.Record) ([]byte, error) {
	s.out = abi.AppendBatch(s.out[:0], 1)
	for _, r := range recs {
		switch r.Kind {
		case abi.KindHead:
			s.status = gjson.GetBytes(r.Payload, "status").Int()
		case abi.KindFrame:
			s.frame(gjson.ParseBytes(r.Payload[r.Block:]))
		case abi.KindEnd:
			if s.g.end != nil && s.status < 400 {
				s.add(abi.KindUsage, s.g.end(abi.EndReason(r.Flags)))
			}
		}
	}
	return s.out, nil
}

func (s *guestStream) frame(v gjson.Result) {
	text := v.Get("text").String()
	switch {
	case s.g.panics != "" && text == s.g.panics:
		panic("a bug")
	case v.Get("error").Exists() || s.status >= 400:
		kind := v.Get("kind").String()
		if kind == "" {
			kind = abi.ErrAPI
		}
		s.add(abi.KindError, fmt.Sprintf(`{"kind":%q,"message":%q}`, kind, v.Get("error").String()))
		return
	case text != "":
		s.add(abi.KindText, text)
	}
	if u := v.Get("usage"); u.Exists() {
		s.add(abi.KindUsage, u.Raw)
	}
	if v.Get("stop").Exists() {
		s.add(abi.KindStop, `{"reason":"stop"}`)
	}
}

func (s *guestStream) Close() {}

// inOrder is a policy that takes the candidates as they come.
type inOrder struct{ broken *atomic.Bool }

func (p inOrder) Decide(_ context.Context, input []byte) (route.Verdict, error) {
	if p.broken.Load() {
		return route.Verdict{}, errors.New("a trap")
	}
	var order []string
	for _, c := range gjson.GetBytes(input, "candidates").Array() {
		order = append(order, c.Get("model_slug").String())
	}
	list, err := json.Marshal(order)
	out := fmt.Sprintf(`{"chosen_model_slug":%q,"chosen_projected_cost_usd":"0.001000","fallback_order":%s,"is_reject":false,"rule_fired":"in_order","ruleset_hash":"07dbdce7"}`, order[0], list)
	return route.Verdict{Output: []byte(out), Module: "aa", Version: "1.0.0"}, err
}

// hookedBooks are real books with a test's hands in them.
type hookedBooks struct {
	booked
	authenticate func(ctx context.Context, key string) error
	begin        func(ctx context.Context) error
	claimKey     func()
}

func (h *hookedBooks) ClaimKey(ctx context.Context, u *capture.KeyUse) (*capture.Claim, *capture.Answer, error) {
	if h.claimKey != nil {
		h.claimKey()
	}
	return h.Books.ClaimKey(ctx, u)
}

func (h *hookedBooks) Authenticate(ctx context.Context, key string) (*capture.Agent, error) {
	if h.authenticate != nil {
		if err := h.authenticate(ctx, key); err != nil {
			return nil, err
		}
	}
	return h.Books.Authenticate(ctx, key)
}

func (h *hookedBooks) Begin(ctx context.Context, b *capture.Begin) (Booking, error) {
	if h.begin != nil {
		if err := h.begin(ctx); err != nil {
			return nil, err
		}
	}
	return h.booked.Begin(ctx, b)
}

// A rig is a server over real HTTP, with books on SQLite and one vendor a lane: "v" is verbatim, "t" is translated, and
// the models v1, t1, v2 and t2 run there, tried in this order. A token costs 1000 micro-USD, of t2 twice that.
type rig struct {
	t      *testing.T
	server *Server
	http   *httptest.Server
	books  *hookedBooks
	agent  capture.Agent
	key    string
	guests map[string]*guest
	logs   *lockedText

	policyBroken atomic.Bool

	mu     sync.Mutex
	vendor map[string]http.HandlerFunc // by the vendor's name for the model
	asked  []string
}

type lockedText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	books, err := capture.Open(t.Context(), capture.Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := books.Close(context.Background()); err != nil {
			t.Errorf("close the books: %v", err)
		}
	})
	r := &rig{t: t, books: &hookedBooks{booked: booked{books}}, logs: &lockedText{}, vendor: map[string]http.HandlerFunc{},
		guests: map[string]*guest{"v": {verbatim: true}, "t": {}}}
	r.agent, r.key = r.newAgent(capture.NewAgent{Name: "local"})
	vendor := httptest.NewServer(http.HandlerFunc(r.serveVendor))
	t.Cleanup(vendor.Close)
	cfg := Config{World: r.world(vendor.URL), Books: r.books, Metrics: metrics.New(), Logger: hclog.New(&hclog.LoggerOptions{Output: r.logs})}
	for _, ch := range change {
		ch(&cfg)
	}
	r.server = New(cfg)
	r.http = httptest.NewUnstartedServer(r.server)
	r.http.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	r.http.Start()
	t.Cleanup(func() {
		r.http.CloseClientConnections()
		r.http.Close()
		r.server.Wait()
	})
	return r
}

func (r *rig) newAgent(n capture.NewAgent) (capture.Agent, string) {
	r.t.Helper()
	a, key, err := r.books.CreateAgent(r.t.Context(), n)
	if err != nil {
		r.t.Fatal(err)
	}
	return a, key
}

// vendorsKey is the operator's key at the vendors.
const vendorsKey = "sk-of-the-operator"

func (r *rig) world(url string) *World {
	r.t.Helper()
	w := &World{Upstreams: map[string]*provider.Upstream{}, Providers: map[string]ProviderInfo{"off": {Adapter: "openai"}}}
	for name, g := range r.guests {
		up, err := provider.New(provider.Config{Name: name, BaseURL: url, Auth: provider.Bearer{Token: vendorsKey}, Adapter: func() (provider.Adapter, func()) { return g, func() {} }})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(up.Close)
		w.Upstreams[name], w.Providers[name] = up, ProviderInfo{Adapter: "go", Active: true}
	}
	yes := true
	var entries []*route.Entry
	for _, m := range [][2]string{{"v1", "1000"}, {"t1", "1000"}, {"v2", "1000"}, {"t2", "2000"}} {
		slug := m[0]
		price, err := money.ParsePrice(m[1])
		if err != nil {
			r.t.Fatal(err)
		}
		entries = append(entries, &route.Entry{Slug: slug, Brand: "b", QPrior: "0.9", Allowed: &yes, Context: 100_000, MaxOutput: 1000,
			CanTools: true, Prices: &route.Prices{Input: price, Output: price, CacheRead: price, CacheWrite: price, CacheWrite1h: price},
			Deployments: []route.Deployment{{Provider: slug[:1], Upstream: "up-" + slug}}})
	}
	cat, err := route.NewCatalogue(entries, []*route.Target{{Name: "ainfera-inference"}}, func(p string) bool { return w.Upstreams[p] != nil })
	if err != nil {
		r.t.Fatal(err)
	}
	w.Router, err = route.New(route.Config{Catalogue: cat, MinQuality: "0.50", Health: route.NewHealth(time.Now), Affinity: route.NewAffinity(time.Now),
		Now: time.Now, PreferenceLive: func() bool { return false }, AliasHit: func(string, string) {},
		Preferences: []*route.Preference{{Name: route.Balanced, Policy: "in-order", Decider: inOrder{&r.policyBroken}}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// serve says what the vendor answers for a model.
func (r *rig) serve(slug string, h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vendor["up-"+slug] = h
}

func (r *rig) serveVendor(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body) // only a server that has read the body notices that the client left
	if err != nil {
		return
	}
	model := gjson.GetBytes(body, "model").String()
	r.mu.Lock()
	h := r.vendor[model]
	r.asked = append(r.asked, strings.TrimPrefix(model, "up-"))
	r.mu.Unlock()
	if h == nil {
		http.Error(w, `{"type":"error","error":{"type":"api_error","message":"not scripted"}}`, 500)
		return
	}
	h(w, req)
}

// tried lists the models whose vendors were asked, and forgets them.
func (r *rig) tried() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.asked, " ")
	r.asked = nil
	return s
}

func ask(model string, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"max_tokens":10,"stream":%v,"messages":[{"role":"user","content":"hi"}]}`, model, stream)
}

// post sends a body to /v1/messages and reads the answer.
func (r *rig) post(body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	resp := r.begin(r.t.Context(), body, header...)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(b)
}

// do sends a request and reads the answer.
func (r *rig) do(req *http.Request) (*http.Response, string) {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(req)
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

// begin is post up to the response's head.
func (r *rig) begin(ctx context.Context, body string, header ...string) *http.Response {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", r.http.URL+"/v1/messages", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", r.key)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// row is the one inference of a response, once no call is in flight any more.
func (r *rig) row(resp *http.Response) schema.Inference {
	r.t.Helper()
	r.server.Wait()
	inf, err := r.books.Inference(r.t.Context(), resp.Header.Get("X-Ainfera-Inference-Id"))
	if err != nil {
		r.t.Fatalf("inference %q: %v", resp.Header.Get("X-Ainfera-Inference-Id"), err)
	}
	return inf
}

// clean asserts what the books promise.
func (r *rig) clean() {
	r.t.Helper()
	r.server.Wait()
	report, err := r.books.Check(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if !report.OK() {
		r.t.Errorf("the books: %+v", report)
	}
	if a, b := r.books.Guard(); a != 0 || b != 0 {
		r.t.Errorf("guard: got %d and %d, want none", a, b)
	}
}

// sse answers with a stream of these pieces, each flushed.
func sse(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "4")
		for _, p := range pieces {
			if p == broken {
				panic(http.ErrAbortHandler)
			}
			_, _ = io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
	}
}

// broken is a piece at which the connection breaks.
const broken = "\x00"

// answer answers with a status and a JSON body.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Ratelimit-Remaining-Tokens", "4")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Frames of the Anthropic dialect.
const (
	evStart = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
	evBlock = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	evDelta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
	evClose = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
	evStop  = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":5}}\n\n"
	evLast  = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	evPing  = "event: ping\ndata: {\"type\": \"ping\"}\n\n"
	evFault = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"too busy\"}}\n\n"
)

// eventNames lists a stream's events, and fails where a frame is not whole.
func eventNames(t *testing.T, body string) string {
	t.Helper()
	var names []string
	frames := strings.SplitAfter(body, "\n\n")
	for i, f := range frames {
		if f == "" && i == len(frames)-1 {
			break
		}
		lines := strings.Split(f, "\n")
		name, ok := strings.CutPrefix(lines[0], "event: ")
		if len(lines) != 4 || !ok || !strings.HasPrefix(lines[1], "data: ") || !gjson.Valid(lines[1][6:]) {
			t.Fatalf("not a frame: %q in\n%s", f, body)
		}
		names = append(names, name)
	}
	return strings.Join(slices.Compact(names), " ")
}

var errBooks = errors.New("the store is away")
