package sdk_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// echo answers each frame with its data as text, and its name as a tool.
type echo struct{ err error }

func (e echo) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	out.Begin("POST", "/v1/echo", abi.FramingSSE)
	out.Query("a=b")
	out.Header("X-Greeting", c.String("greeting"))
	out.Header("X-Two", "2")
	out.Dropped("top_k")
	out.Dropped("top_k")
	_, _ = out.Write(c.Body)
	_, _ = out.Write([]byte(" and "))
	out.WriteRef(7)
	_, _ = out.Write([]byte(" rest"))
	if e.err != nil {
		return nil, e.err
	}
	return &echoStream{}, nil
}

type echoStream struct{ n uint16 }

func (s *echoStream) Head(h *sdk.Head, out *sdk.Events) {
	if h.Failed() {
		out.Error(abi.ErrAPI, h.Get("x-why"), 1500)
		return
	}
	out.MessageStart("id\"1", "m")
}

func (s *echoStream) Frame(f sdk.Frame, out *sdk.Events) {
	if len(f.Event) > 0 {
		s.n++
		out.ToolStart(s.n, "call", string(f.Event))
		out.ToolDelta(s.n, f.Data)
		out.BlockStop(s.n)
		return
	}
	out.Text(s.n, f.Data)
}

func (s *echoStream) End(why abi.EndReason, out *sdk.Events) {
	u := sdk.UnknownUsage()
	u.Output = 3
	out.Usage(u)
	out.Usage(sdk.Usage{Input: 1})
	out.Skipped(2)
	out.Stop(abi.FinishStop, "end", "")
}

var echoManifest = sdk.Manifest{
	Name: "echo", Version: "1.2.3", Framing: []string{abi.FramingSSE}, Features: []string{sdk.FeatureChat},
	Settings: []sdk.Setting{
		{Name: "greeting", Type: sdk.TypeString, Default: "hello", Doc: "what to say"},
		{Name: "n", Type: sdk.TypeNumber, Default: 3},
		{Name: "f", Type: sdk.TypeNumber, Default: 0.5},
		{Name: "b", Type: sdk.TypeBool, Default: true},
		{Name: "l", Type: sdk.TypeList, Default: []string{"x", "y"}},
		{Name: "none", Type: sdk.TypeString},
	},
}

type rec struct {
	kind    abi.Kind
	block   uint16
	payload string
}

// open makes an open batch.
func open(stream uint32, head string, bodies ...string) []byte {
	b := abi.AppendBatch(nil, stream)
	b = abi.AppendRecord(b, abi.KindOpen, 0, 0, []byte(head))
	for _, body := range bodies {
		b = abi.AppendRecord(b, abi.KindBody, 0, 0, []byte(body))
	}
	return b
}

// records reads a batch back and checks whose it is.
func records(t *testing.T, batch []byte, stream uint32) []rec {
	t.Helper()
	r, err := abi.NewReader(batch)
	if err != nil {
		t.Fatal(err)
	}
	if r.Stream() != stream {
		t.Fatalf("stream: got %d, want %d", r.Stream(), stream)
	}
	var out []rec
	for {
		x, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, rec{x.Kind, x.Block, string(x.Payload)})
	}
}

func check(t *testing.T, got, want []rec) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("record %d is missing, want %#x %q", i, want[i].kind, want[i].payload)
		case i >= len(want):
			t.Errorf("record %d is too many: %#x %q", i, got[i].kind, got[i].payload)
		case got[i] != want[i]:
			t.Errorf("record %d: got %#x %d %q, want %#x %d %q", i, got[i].kind, got[i].block, got[i].payload,
				want[i].kind, want[i].block, want[i].payload)
		}
	}
}

func TestAdapterGuest(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	req := g.Open(9, open(9, `{"op":"chat","stream":true,"model":"m","settings":{"greeting":"hi\n"}}`, "one", "two"))
	check(t, records(t, req, 9), []rec{
		{abi.KindRequest, 0, `{"method":"POST","path":"/v1/echo","query":"a=b","headers":{"X-Greeting":"hi\n","X-Two":"2"},"framing":"sse"}`},
		{abi.KindRequestBody, 0, "onetwo and "},
		{abi.KindRequestRef, 0, "\x07\x00\x00\x00"},
		{abi.KindRequestBody, 0, " rest"},
		{abi.KindDropped, 0, "top_k"},
	})

	b := abi.AppendBatch(nil, 9)
	b = abi.AppendRecord(b, abi.KindHead, 0, 0, []byte(`{"status":200,"headers":{}}`))
	b = abi.AppendRecord(b, abi.KindFrame, 0, 0, []byte("hello"))
	b = abi.AppendRecord(b, 0x3f, 0, 0, []byte("of a later version"))
	b = abi.AppendRecord(b, abi.KindFrame, 0, 4, []byte("tool{}"))
	b = abi.AppendRecord(b, abi.KindFrame, 0, 0, nil)
	b = abi.AppendRecord(b, abi.KindEnd, uint8(abi.EndOfBody), 0, nil)
	check(t, records(t, g.Push(9, b), 9), []rec{
		{abi.KindMessageStart, 0, `{"id":"id\"1","model":"m"}`},
		{abi.KindText, 0, "hello"},
		{abi.KindToolStart, 1, `{"id":"call","name":"tool"}`},
		{abi.KindToolDelta, 1, `{}`},
		{abi.KindBlockStop, 1, ""},
		{abi.KindUsage, 0, `{"output":3}`},
		{abi.KindUsage, 0, `{"input":1,"output":0,"cache_read":0,"cache_write":0,"cache_write_1h":0,"reasoning":0}`},
		{abi.KindSkipped, 2, ""},
		{abi.KindStop, 0, `{"reason":"stop","native":"end"}`},
	})
	g.Close(9)
	g.Close(9)
	wantPanic(t, "not open", func() { g.Push(9, b) })
}

func TestAdapterGuestErrorAnswer(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	g.Open(1, open(1, `{"op":"chat"}`, "{}"))
	b := abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindHead, 0, 0, []byte(`{"status":503,"headers":{"x-why":"busy"}}`))
	check(t, records(t, g.Push(1, b), 1), []rec{{abi.KindError, 0, `{"kind":"api","message":"busy","retry_after_ms":1500}`}})
}

func TestAdapterGuestRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"unsupported": {sdk.Unsupported("no images"), `{"kind":"feature_unsupported","message":"no images"}`},
		"invalid":     {sdk.Invalid("bad"), `{"kind":"invalid_request","message":"bad"}`},
		"other":       {errors.New("oh"), `{"kind":"api","message":"oh"}`},
	} {
		t.Run(name, func(t *testing.T) {
			g := sdk.NewAdapterGuest(echoManifest, echo{err: tc.err})
			check(t, records(t, g.Open(2, open(2, `{}`, "{}")), 2), []rec{{abi.KindRefuse, 0, tc.want}})
			g.Open(2, open(2, `{}`, "{}")) // the handle is free again
		})
	}
}

// TestStreamsAreApart: streams of one instance share nothing but the buffers.
func TestStreamsAreApart(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	for s := range uint32(3) {
		g.Open(s, open(s, `{}`, "{}"))
	}
	for range 2 {
		for s := range uint32(3) {
			b := abi.AppendRecord(abi.AppendBatch(nil, s), abi.KindFrame, 0, 1, []byte{'a' + byte(s), '0' + byte(s)})
			got := records(t, g.Push(s, b), s)
			if got[1].payload != string([]byte{'0' + byte(s)}) {
				t.Errorf("stream %d: got %v", s, got)
			}
		}
	}
}

func TestHostMistakesPanic(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	g.Open(1, open(1, `{}`, "{}"))
	frame := func(block uint16, p string) []byte {
		return abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindFrame, 0, block, []byte(p))
	}
	wantPanic(t, "open already", func() { g.Open(1, open(1, `{}`)) })
	wantPanic(t, "no Open record", func() { g.Open(2, abi.AppendBatch(nil, 2)) })
	wantPanic(t, "open: JSON at byte 1", func() { g.Open(2, open(2, `{`)) })
	wantPanic(t, "longer than the frame", func() { g.Push(1, frame(3, "ab")) })
	wantPanic(t, "cut short", func() { g.Push(1, frame(0, "abc")[:17]) })
	wantPanic(t, "shorter", func() { g.Push(1, nil) })
}

func wantPanic(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if s, _ := recover().(string); !strings.Contains(s, text) {
			t.Errorf("panic: got %q, want %q in it", s, text)
		}
	}()
	f()
}

func TestSettings(t *testing.T) {
	var got []any
	a := probe(func(c *sdk.Call) {
		got = []any{c.String("greeting"), c.Int("n"), c.Float("f"), c.Float("n"), c.Bool("b"), strings.Join(c.Strings("l"), ","), c.String("none")}
	})
	g := sdk.NewAdapterGuest(echoManifest, a)
	g.Open(1, open(1, `{"op":"chat"}`))
	want := []any{"hello", 3, 0.5, 3.0, true, "x,y", ""}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("default %d: got %v, want %v", i, got[i], want[i])
		}
	}
	g.Open(2, open(2, `{"settings":{"greeting":"","n":4,"f":2.5,"b":false,"l":["z"],"none":"n"}}`))
	want = []any{"", 4, 2.5, 4.0, false, "z", "n"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("set %d: got %v, want %v", i, got[i], want[i])
		}
	}
}

type probe func(*sdk.Call)

func (p probe) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	p(c)
	out.Begin("GET", "/", abi.FramingJSON)
	return &echoStream{}, nil
}

func TestCallFields(t *testing.T) {
	var got sdk.Call
	g := sdk.NewAdapterGuest(echoManifest, probe(func(c *sdk.Call) { got = *c }))
	g.Open(1, open(1, `{"op":"chat","stream":true,"model":"up","slug":"sl","max_tokens":10,"max_output":20,"thinking":true,
		"anthropic_version":"2023-06-01","beta":["a","b"],"settings":{},"verbatim":true,"later":1}`))
	if got.Op != "chat" || !got.Stream || got.Model != "up" || got.Slug != "sl" || got.MaxTokens != 10 || got.MaxOutput != 20 ||
		!got.Thinking || got.AnthropicVersion != "2023-06-01" || strings.Join(got.Beta, " ") != "a b" || !got.Verbatim || got.Body != nil {
		t.Errorf("got %+v", got)
	}
}

func TestManifest(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	var m struct {
		Name, Version, Kind string
		Framing, Features   []string
		Settings            []struct {
			Name, Type, Doc string
			Default         any
		}
	}
	if err := json.Unmarshal(g.Manifest(), &m); err != nil {
		t.Fatalf("%s: %v", g.Manifest(), err)
	}
	if m.Name != "echo" || m.Version != "1.2.3" || m.Kind != "adapter" || len(m.Framing) != 1 || len(m.Settings) != 6 {
		t.Errorf("got %+v", m)
	}
	if m.Settings[1].Default != 3.0 || m.Settings[3].Default != true || m.Settings[5].Default != nil {
		t.Errorf("defaults: got %+v", m.Settings)
	}
}

type answer struct{ err error }

func (a answer) Decide(in, out []byte) ([]byte, error) {
	return append(append(out, in...), '!'), a.err
}

func TestPolicyGuest(t *testing.T) {
	g := sdk.NewPolicyGuest(sdk.Manifest{Name: "p"}, answer{})
	b := abi.AppendRecord(abi.AppendBatch(nil, 4), abi.KindInput, 0, 0, []byte("{}"))
	check(t, records(t, g.Decide(4, b), 4), []rec{{abi.KindDecision, 0, "{}!"}})
	check(t, records(t, g.Decide(4, b), 4), []rec{{abi.KindDecision, 0, "{}!"}})
	wantPanic(t, "no input", func() { g.Decide(4, abi.AppendBatch(nil, 4)) })
	bad := sdk.NewPolicyGuest(sdk.Manifest{Name: "p"}, answer{errors.New("no candidates")})
	wantPanic(t, "decide: no candidates", func() { bad.Decide(4, b) })
}

func TestArena(t *testing.T) {
	g := sdk.NewPolicyGuest(sdk.Manifest{Name: "p"}, answer{})
	a := g.Arena(10)
	if len(a) != 10 || &a[0] != &g.Arena(4000)[0] {
		t.Error("a small arena is not kept")
	}
	big := g.Arena(3 << 20)
	if len(big) != 3<<20 {
		t.Errorf("got %d bytes", len(big))
	}
	if small := g.Arena(10); cap(small) > 1<<20 {
		t.Errorf("the big arena is kept: %d bytes", cap(small))
	}
}

// TestPushAllocates holds the promise of flat memory: a text frame costs no allocation once the buffer has grown.
func TestPushAllocates(t *testing.T) {
	g := sdk.NewAdapterGuest(echoManifest, echo{})
	g.Open(1, open(1, `{}`, "{}"))
	b := abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindFrame, 0, 0, []byte(strings.Repeat("x", 300)))
	g.Push(1, b)
	if n := testing.AllocsPerRun(100, func() { g.Push(1, b) }); n != 0 {
		t.Errorf("got %v allocations a frame, want 0", n)
	}
}

func TestToolIDs(t *testing.T) {
	for _, tc := range []struct{ vendor, client string }{
		{"call_abc-9", "call_abc-9"},
		{"functions.add:0", "x-functions-2eadd-3a0"},
		{"x-y", "x-x-2dy"},
		{"", "x-"},
		{"é", "x--c3-a9"},
	} {
		if got := sdk.ClientToolID(tc.vendor); got != tc.client {
			t.Errorf("ClientToolID(%q): got %q, want %q", tc.vendor, got, tc.client)
		}
		if got := sdk.VendorToolID(tc.client); got != tc.vendor {
			t.Errorf("VendorToolID(%q): got %q, want %q", tc.client, got, tc.vendor)
		}
	}
	for _, id := range []string{"x-a-", "x-a-2", "x-a-zz", "toolu_01"} {
		if got := sdk.VendorToolID(id); got != id {
			t.Errorf("VendorToolID(%q): got %q, want it unchanged", id, got)
		}
	}
}

func FuzzToolID(f *testing.F) {
	f.Add("functions.add:0")
	f.Add("x-")
	f.Fuzz(func(t *testing.T, id string) {
		c := sdk.ClientToolID(id)
		for _, r := range c {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", r) {
				t.Fatalf("%q has %q", c, r)
			}
		}
		if back := sdk.VendorToolID(c); back != id {
			t.Fatalf("%q became %q and then %q", id, c, back)
		}
	})
}

// FuzzPush: whatever the bytes, Push answers a batch or says in so many words that the host erred.
func FuzzPush(f *testing.F) {
	f.Add(binary.LittleEndian.AppendUint64(nil, 1))
	f.Add(abi.AppendRecord(abi.AppendBatch(nil, 1), abi.KindFrame, 0, 2, []byte("ab{}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := sdk.NewAdapterGuest(echoManifest, echo{})
		g.Open(1, open(1, `{}`, "{}"))
		defer func() {
			if s, ok := recover().(string); ok && !strings.HasPrefix(s, "sdk: ") {
				t.Fatalf("panic: %s", s)
			}
		}()
		if _, err := abi.NewReader(g.Push(1, b)); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAppendData: data goes where it stands in the body, itself or the reference to it.
func TestAppendData(t *testing.T) {
	for in, want := range map[string][]rec{
		`"AAAA"`:                   {{abi.KindRequestBody, 0, "[AAAA]"}},
		`"ainfera-ref:7"`:          {{abi.KindRequestBody, 0, "["}, {abi.KindRequestRef, 0, "\x07\x00\x00\x00"}, {abi.KindRequestBody, 0, "]"}},
		`"ainfera-ref:"`:           {{abi.KindRequestBody, 0, "[ainfera-ref:]"}},
		`"ainfera-ref:4294967296"`: {{abi.KindRequestBody, 0, "[ainfera-ref:4294967296]"}},
		`null`:                     {{abi.KindRequestBody, 0, "[]"}},
	} {
		g := sdk.NewAdapterGuest(sdk.Manifest{}, opener(func(_ *sdk.Call, out *sdk.Request) {
			out.Begin("POST", "/", abi.FramingJSON)
			_, _ = out.Write(append(out.AppendData([]byte("["), jscan.Value(in)), ']'))
		}))
		got := records(t, g.Open(1, open(1, `{}`)), 1)
		check(t, got[1:], want)
	}
}

// TestOptions: settings are read again when they are others, and what can't be read is not kept.
func TestOptions(t *testing.T) {
	var opts sdk.Options[string]
	reads := 0
	read := func(c *sdk.Call) (string, error) {
		reads++
		if c.String("a") == "bad" {
			return "", errors.New("bad")
		}
		return c.String("a"), nil
	}
	for i, tc := range []struct {
		settings, want string
		reads          int
	}{{`{"a":"x"}`, "x", 1}, {`{"a":"x"}`, "x", 1}, {`{"a":"bad"}`, "", 2}, {`{"a":"bad"}`, "", 3}, {`{"a":"x"}`, "x", 3}, {`{"a":"y"}`, "y", 4}} {
		g := sdk.NewAdapterGuest(sdk.Manifest{}, opener(func(c *sdk.Call, out *sdk.Request) {
			out.Begin("POST", "/", abi.FramingJSON)
			got, err := opts.Of(c, read)
			if (err != nil) != (tc.want == "") || err == nil && *got != tc.want || reads != tc.reads {
				t.Errorf("%d: got %v, %v after %d reads, want %q after %d", i, got, err, reads, tc.want, tc.reads)
			}
		}))
		g.Open(1, open(1, `{"settings":`+tc.settings+`}`))
	}
	var none sdk.Options[int]
	g := sdk.NewAdapterGuest(sdk.Manifest{}, opener(func(c *sdk.Call, out *sdk.Request) {
		out.Begin("POST", "/", abi.FramingJSON)
		if n, err := none.Of(c, func(*sdk.Call) (int, error) { return 7, nil }); err != nil || *n != 7 {
			t.Errorf("without settings: got %v, %v", n, err)
		}
	}))
	g.Open(1, open(1, `{}`))
}

// An opener is an adapter for what it does in Open.
type opener func(c *sdk.Call, out *sdk.Request)

func (f opener) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	f(c, out)
	return &echoStream{}, nil
}
