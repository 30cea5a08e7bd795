package provider

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

func noVendor(t *testing.T) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("the vendor was called") }
}

func TestPrepareOpensTheGuest(t *testing.T) {
	f := &fakeAdapter{}
	var call string
	var body []byte
	f.open = func(c string, b []byte) []abi.Record {
		call, body = c, append([]byte(nil), b...)
		return []abi.Record{request(`{"method":"POST","path":"/chat","framing":"sse"}`),
			{Kind: abi.KindRequestBody, Payload: []byte(`{"image":"data:`)}, ref(1), {Kind: abi.KindRequestBody, Payload: []byte(`","n":"`)}, ref(0),
			{Kind: abi.KindRequestBody, Payload: []byte(`"}`)}, {Kind: abi.KindDropped, Payload: []byte("top_k")}}
	}
	var got string
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		stream(w, "data: [DONE]\n\n")
	}, func(c *Config) { c.Settings = []byte(`{"a":"<b>","n":1}`) })
	ask := &Ask{Op: "chat", Stream: true, Model: "up", Slug: "slug", MaxTokens: 5, MaxOutput: 9, Thinking: true, Version: "2023-06-01",
		Beta: []string{"a, b", "c"}, Body: []byte(`{"x":"ainfera-ref:0"}`), Refs: [][]byte{[]byte("ZERO"), []byte("ONE")}}
	p, err := u.Prepare(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Dropped(), []string{"top_k"}; !reflect.DeepEqual(got, want) {
		t.Errorf("dropped: got %v, want %v", got, want)
	}
	a, err := p.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Close() // the answer has the guest by now
	if f.live.Load() != 1 {
		t.Error("closing the request took the guest from the answer")
	}
	a.Close()
	a.Close()

	want := `{"op":"chat","stream":true,"model":"up","slug":"slug","max_tokens":5,"max_output":9,"thinking":true,"anthropic_version":"2023-06-01","beta":["a","b","c"],"settings":{"a":"<b>","n":1}}`
	if call != want {
		t.Errorf("open: got %s, want %s", call, want)
	}
	if string(body) != string(ask.Body) {
		t.Errorf("body: got %s", body)
	}
	if want := `{"image":"data:ONE","n":"ZERO"}`; got != want {
		t.Errorf("sent: got %s, want %s", got, want)
	}
	if try := a.Try(); try.SentBytes != int64(len(got)) || try.Status != 200 || try.Module != "sha256:fake" || try.Ended < try.Head {
		t.Errorf("try: got %+v", try)
	}
}

func TestPrepareRefusal(t *testing.T) {
	for _, tt := range []struct{ payload, kind, message string }{
		{`{"kind":"feature_unsupported","message":"no images"}`, abi.ErrFeatureUnsupported, "no images"},
		{`{"kind":"odd"}`, abi.ErrAPI, "the adapter gave no reason"},
		{`nonsense`, abi.ErrAPI, "the adapter gave no reason"},
	} {
		f := &fakeAdapter{open: func(string, []byte) []abi.Record {
			return []abi.Record{request(`{}`), {Kind: abi.KindRefuse, Payload: []byte(tt.payload)}}
		}}
		_, err := newUpstream(t, f, noVendor(t)).Prepare(t.Context(), chat())
		var r *Refusal
		if !errors.As(err, &r) || r.Kind != tt.kind || r.Message != tt.message || r.Provider != "fake" {
			t.Errorf("%s: got %v, want a refusal %s: %s", tt.payload, err, tt.kind, tt.message)
		}
	}
}

func TestPrepareBadGuest(t *testing.T) {
	post := func(more string) abi.Record {
		return request(`{"method":"POST","path":"/x","framing":"sse"` + more + `}`)
	}
	for name, recs := range map[string][]abi.Record{
		"Nothing":         {},
		"BodyFirst":       {{Kind: abi.KindRequestBody}},
		"TwoRequests":     {post(""), post("")},
		"NotJSON":         {request(`{`)},
		"HeaderNotString": {post(`,"headers":{"a":1}`)},
		"Method":          {request(`{"method":"CONNECT","path":"/x","framing":"sse"}`)},
		"Framing":         {request(`{"method":"POST","path":"/x","framing":"xml"}`)},
		"Path":            {request(`{"method":"POST","path":"//evil.example/x","framing":"sse"}`)},
		"Query":           {post(`,"query":"a\nb"`)},
		"RefMissing":      {post(""), ref(3)},
		"RefShort":        {post(""), {Kind: abi.KindRequestRef, Payload: []byte{0}}},
		"Whole":           {post(""), {Kind: abi.KindRequestWhole}},
		"Event":           {post(""), {Kind: abi.KindText}},
	} {
		f := &fakeAdapter{open: func(string, []byte) []abi.Record { return recs }}
		_, err := newUpstream(t, f, noVendor(t)).Prepare(t.Context(), chat())
		var fail *Failure
		if !errors.As(err, &fail) || fail.Phase != PhaseGuest || fail.Module != "sha256:fake" || !fail.Retryable() || !errors.Is(err, errContract) {
			t.Errorf("%s: got %v, want the guest's failure", name, err)
		}
	}
	for n, want := range map[int]error{30: nil, 40: errContract} { // of an image of a MiB
		f := &fakeAdapter{open: func(string, []byte) []abi.Record {
			return append([]abi.Record{post("")}, slices.Repeat([]abi.Record{ref(0)}, n)...)
		}}
		ask := chat()
		ask.Refs = [][]byte{make([]byte, 1<<20)}
		p, err := newUpstream(t, f, noVendor(t)).Prepare(t.Context(), ask)
		if !errors.Is(err, want) {
			t.Errorf("one image %d times: got %v, want %v", n, err, want)
		}
		if err == nil {
			p.Close()
		}
	}
	f := &fakeAdapter{features: []string{"verbatim"}, open: whole(`{"method":"POST","path":"/x","framing":"sse"}`, `{"rename":{}}`)}
	_, err := newUpstream(t, f, noVendor(t)).Prepare(t.Context(), &Ask{Verbatim: true, Whole: []byte(`{}`)})
	if !errors.Is(err, errContract) {
		t.Errorf("edits: got %v, want the guest's failure", err)
	}
}

var errTrap = errors.New("unreachable executed")

// A trappingGuest fails every call.
type trappingGuest struct{ *fakeGuest }

func (trappingGuest) Open(...abi.Record) ([]byte, error) { return nil, errTrap }

type trappingAdapter struct{ *fakeAdapter }

func (a trappingAdapter) NewStream(ctx context.Context) (Guest, error) {
	g, err := a.fakeAdapter.NewStream(ctx)
	if err != nil {
		return nil, err
	}
	return trappingGuest{g.(*fakeGuest)}, nil
}

func TestPrepareTrap(t *testing.T) {
	f := &fakeAdapter{}
	u := newUpstream(t, f, noVendor(t), func(c *Config) {
		c.Adapter = func() (Adapter, func()) {
			_, release := f.current()
			return trappingAdapter{f}, release
		}
	})
	_, err := u.Prepare(t.Context(), chat())
	var fail *Failure
	if !errors.As(err, &fail) || fail.Phase != PhaseGuest || !errors.Is(err, errTrap) || strings.Contains(fail.Message, "unreachable") {
		t.Errorf("got %v, want the guest's failure with its cause", err)
	}
}

func TestPrepareCallerLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newUpstream(t, &fakeAdapter{}, noVendor(t)).Prepare(ctx, chat())
	if !Cancelled(err) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's leaving", err)
	}
}

func TestPrepareWrongLane(t *testing.T) {
	u := newUpstream(t, &fakeAdapter{}, noVendor(t))
	for _, ask := range []*Ask{{Verbatim: true, Whole: []byte("{}")}, {}} {
		if _, err := u.Prepare(t.Context(), ask); err == nil {
			t.Errorf("%+v: got no error", ask)
		}
	}
	v := newUpstream(t, &fakeAdapter{features: []string{"verbatim"}}, noVendor(t))
	if _, err := v.Prepare(t.Context(), &Ask{Verbatim: true, Body: []byte("{}")}); err == nil {
		t.Error("verbatim without a whole body: got no error")
	}
	if u.Verbatim() || !v.Verbatim() || v.Module() != "sha256:fake" || v.Name() != "fake" {
		t.Error("the upstream doesn't describe its adapter")
	}
}

func TestPrepareClose(t *testing.T) {
	f := &fakeAdapter{}
	p, err := newUpstream(t, f, noVendor(t)).Prepare(t.Context(), chat())
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
}

func TestNewChecks(t *testing.T) {
	f := &fakeAdapter{}
	good := Config{Name: "p", BaseURL: "https://h", Adapter: f.current}
	for name, change := range map[string]func(*Config){
		"BaseURL":  func(c *Config) { c.BaseURL = "h" },
		"Adapter":  func(c *Config) { c.Adapter = nil },
		"Settings": func(c *Config) { c.Settings = []byte(`[]`) },
		"Broken":   func(c *Config) { c.Settings = []byte(`{"a":x}`) },
		"Auth":     func(c *Config) { c.Auth = Bearer{} },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	u, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if u.limits != DefaultLimits() || !json.Valid(u.settings) {
		t.Errorf("defaults: got %+v, %s", u.limits, u.settings)
	}
}
