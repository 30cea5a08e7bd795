package suite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// parrot sends the body as it is, and says what each frame holds: as a call where that has an event, as an error where it is
// "no".
type parrot struct{ opened *int }

func (p parrot) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	*p.opened++
	if c.Model == "none" {
		return nil, sdk.Unsupported("no such parrot")
	}
	out.Begin("POST", "/", abi.FramingSSE)
	_, _ = out.Write(c.Body)
	if c.Model == "moody" {
		fmt.Fprintf(out, "%d", *p.opened)
	}
	return &squawk{}, nil
}

type squawk struct {
	n    uint16
	done bool
}

func (s *squawk) Head(_ *sdk.Head, out *sdk.Events) { out.MessageStart("i", "m") }

func (s *squawk) Frame(f sdk.Frame, out *sdk.Events) {
	switch {
	case string(f.Data) == "no":
		out.Error(abi.ErrRateLimit, "not now", 1000)
		s.done = true
	case len(f.Event) > 0:
		out.ToolStart(s.n, "c", string(f.Event))
		out.ToolDelta(s.n, f.Data)
		out.BlockStop(s.n)
	case string(f.Data) == "open":
		out.Text(s.n, f.Data)
	default:
		out.Text(s.n, f.Data)
		out.BlockStop(s.n)
	}
	s.n++
}

func (s *squawk) End(_ abi.EndReason, out *sdk.Events) {
	if !s.done {
		out.Stop(abi.FinishStop, "end", "")
	}
}

var opened int

var tests = suite.Suite{
	New:  func() sdktest.Guest { return sdk.NewAdapterGuest(sdk.Manifest{}, parrot{&opened}) },
	Call: `{"op":"chat","model":"m"}`, Body: `{"a":{"b":[1, 2]}}`,
}

func frames(f ...sdktest.Frame) sdktest.Answer { return sdktest.Answer{Status: 200, Frames: f} }

// A spy is a test that may fail.
type spy struct {
	testing.TB
	said []string
}

func (s *spy) Helper()                   {}
func (s *spy) Errorf(f string, a ...any) { s.said = append(s.said, fmt.Sprintf(f, a...)) }
func (s *spy) Fatalf(f string, a ...any) { s.Errorf(f, a...); panic(s) }
func (s *spy) Fatal(a ...any)            { s.Fatalf("%s", fmt.Sprint(a...)) }

// fails runs f and returns what it complained of.
func fails(f func(t testing.TB)) (said string) {
	s := &spy{}
	defer func() {
		if r := recover(); r != nil && r != any(s) {
			panic(r)
		}
		said = strings.Join(s.said, "; ")
	}()
	f(s)
	return ""
}

// TestComplaints: each step is quiet about what is as it should be, and says what isn't.
func TestComplaints(t *testing.T) {
	hello := frames(sdktest.Frame{Data: "hi"}, sdktest.Frame{Event: "f", Data: `{"x":1}`})
	const said = `text hi | call f({"x":1})`
	reading := suite.Reading{ID: "i", Text: "hi", Native: "end"}
	counted, other, failed := reading, reading, suite.Reading{Err: "not now"}
	counted.Usage = map[string]int64{"input": 1}
	other.Text, other.Thinking, other.ID = "ho", "hm", "j"
	for name, tc := range map[string]struct {
		f    func(t testing.TB)
		want string
	}{
		"says":              {func(t testing.TB) { tests.Says(t, hello, said, abi.FinishStop) }, ""},
		"says other blocks": {func(t testing.TB) { tests.Says(t, hello, "text hi", abi.FinishStop) }, "blocks: got"},
		"another reason":    {func(t testing.TB) { tests.Says(t, hello, said, abi.FinishLength) }, "reason: got"},
		"says an error":     {func(t testing.TB) { tests.Says(t, frames(sdktest.Frame{Data: "no"}), "", abi.FinishStop) }, "not now"},
		"leaves it open":    {func(t testing.TB) { tests.Says(t, frames(sdktest.Frame{Data: "open"}), "text open", abi.FinishStop) }, "block 0 was not closed"},
		"not well formed":   {func(t testing.TB) { tests.Play(t, frames(sdktest.Frame{Event: "f", Data: "7"})) }, "are no object"},
		"fails":             {func(t testing.TB) { tests.Fails(t, frames(sdktest.Frame{Data: "no"}), abi.ErrRateLimit, 1000) }, ""},
		"fails otherwise":   {func(t testing.TB) { tests.Fails(t, frames(sdktest.Frame{Data: "no"}), abi.ErrAPI, 1000) }, "want api after"},
		"waits otherwise":   {func(t testing.TB) { tests.Fails(t, frames(sdktest.Frame{Data: "no"}), abi.ErrRateLimit, 0) }, "after 0"},
		"doesn't fail":      {func(t testing.TB) { tests.Fails(t, hello, abi.ErrRateLimit, 0) }, "no error"},
		"valid":             {func(t testing.TB) { tests.Valid(t, tests.Call, `{}`); tests.Valid(t, tests.Call, ``) }, ""},
		"valid, refused":    {func(t testing.TB) { tests.Valid(t, `{"op":"chat","model":"none"}`, `{`) }, ""},
		"not valid":         {func(t testing.TB) { tests.Valid(t, tests.Call, `{`) }, "became {"},
		"not the same":      {func(t testing.TB) { tests.Valid(t, `{"op":"chat","model":"moody"}`, ` `) }, "not the same twice"},
		"read":              {func(t testing.TB) { m := tests.Play(t, hello); reading.Compare(t, &m) }, ""},
		"read otherwise":    {func(t testing.TB) { m := tests.Play(t, hello); other.Compare(t, &m) }, `text: got "hi", want "ho"; thinking: got "", want "hm"; got id "i"`},
		"counted otherwise": {func(t testing.TB) { m := tests.Play(t, hello); counted.Compare(t, &m) }, "usage: got"},
		"read as an error":  {func(t testing.TB) { m := tests.Play(t, hello); failed.Compare(t, &m) }, "error: got"},
		"failed, not read":  {func(t testing.TB) { m := tests.Play(t, frames(sdktest.Frame{Data: "no"})); reading.Compare(t, &m) }, "not now"},
		"failed":            {func(t testing.TB) { m := tests.Play(t, frames(sdktest.Frame{Data: "no"})); failed.Compare(t, &m) }, ""},
		"failed wordlessly": {func(t testing.TB) {
			m := tests.Play(t, frames(sdktest.Frame{Data: "no"}))
			(&suite.Reading{Failed: true}).Compare(t, &m)
		}, ""},
		"read as failed":  {func(t testing.TB) { m := tests.Play(t, hello); (&suite.Reading{Failed: true}).Compare(t, &m) }, "error: got"},
		"no end":          {func(t testing.TB) { m := sdktest.Message{ID: "i"}; reading.Compare(t, &m) }, "it has no end"},
		"a call":          {func(t testing.TB) { m := tests.Play(t, hello); suite.Calls(t, &m, 1, func(int, sdktest.Block) {}) }, ""},
		"a call too many": {func(t testing.TB) { m := tests.Play(t, hello); suite.Calls(t, &m, 0, nil) }, "a call too many"},
		"a call too few":  {func(t testing.TB) { m := tests.Play(t, hello); suite.Calls(t, &m, 2, func(int, sdktest.Block) {}) }, "got 1 calls, want 2"},
		"a field refused": {func(t testing.TB) { suite.Field(t, tests.Build(t, `{"op":"chat","model":"none"}`, `{}`), "a") }, "no such parrot"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fails(tc.f); !strings.Contains(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestField(t *testing.T) {
	r := tests.Build(t, tests.Call, tests.Body)
	for path, want := range map[string]string{"a": `{"b":[1, 2]}`, "a.b": `[1, 2]`, "c": "", "c.d": ""} {
		if got := suite.Field(t, r, strings.Split(path, ".")...); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	m := sdktest.Message{Blocks: []sdktest.Block{{Type: "thinking", Text: "hm", Signature: "s"}, {Type: "thinking", Signature: "t"}, {Type: "tool_use", Name: "f"}, {Type: "text", Text: "a"}}}
	if got, want := m.Summary(), "thinking hm [s] | thinking [t] | call f() | text a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRecordings plays those of one API, and no others.
func TestRecordings(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(sdktest.ConformanceEnv, dir)
	for name, text := range map[string]string{
		"index.json":     `[{"path":"x","vendor":"v","api":"parrots","status":200,"response_file":"a.sse"},{"path":"x","api":"parrots","status":302,"response_file":"a.sse"},{"path":"y","api":"others","response_file":"b"}]`,
		"x/a.sse":        "data: hi\n\nevent: f\ndata: {}\n\n",
		"x/headers.json": `{}`,
	} {
		path := filepath.Join(dir, "fixtures", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := ""
	tests.Recordings(t, []string{"parrots"}, func(_ *testing.T, rec sdktest.Recording, m sdktest.Message) string {
		seen += rec.Path + ": " + m.Summary()
		return "passed"
	})
	if want := "x: text hi | call f({})"; seen != want {
		t.Errorf("got %q, want %q", seen, want)
	}
}
