// Package suite is the steps that the tests of every adapter repeat.
//
//	var tests = suite.Suite{
//		New:  func() sdktest.Guest { return sdk.NewAdapterGuest(manifest, &mine{}) },
//		Call: `{"op":"chat","stream":true,"model":"m"}`,
//		Body: `{"messages":[{"role":"user","content":"hi"}]}`,
//	}
//
//	func TestAnswers(t *testing.T) {
//		tests.Says(t, sdktest.SSE(body), `thinking hm | call f({"x":1})`, abi.FinishToolCalls)
//		tests.Fails(t, sdktest.Document(429, `{}`), abi.ErrRateLimit, 0)
//	}
//
// It is apart from sdktest so that what isn't a test doesn't bring package testing along.
package suite

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A Suite is an adapter under test.
type Suite struct {
	// New makes a guest that has served nobody yet.
	New func() sdktest.Guest
	// Call and Body are a plain call, for tests that look at the answer.
	Call, Body string
}

// run plays an exchange on a new guest and ends the test where that isn't well formed.
func (s *Suite) run(t testing.TB, x sdktest.Exchange) *sdktest.Result {
	t.Helper()
	got, err := x.Run(s.New())
	if err != nil {
		t.Fatalf("%v\nevents: %v", err, got.Events)
	}
	return got
}

// Build runs the request side alone.
func (s *Suite) Build(t testing.TB, call, body string) *sdktest.Result {
	t.Helper()
	return s.run(t, sdktest.Exchange{Call: call, Body: body})
}

// Play reads an answer to the plain call.
func (s *Suite) Play(t testing.TB, a sdktest.Answer) sdktest.Message {
	t.Helper()
	return s.run(t, sdktest.Exchange{Call: s.Call, Body: s.Body, Answer: a}).Message
}

// Says reads an answer that is to be no error: its blocks, as in Message.Summary, all of them closed, and the reason for its
// end.
func (s *Suite) Says(t testing.TB, a sdktest.Answer, blocks, reason string) {
	t.Helper()
	m := s.Play(t, a)
	if m.Error != nil {
		t.Fatalf("error: %+v", m.Error)
	}
	if got := m.Summary(); got != blocks {
		t.Errorf("blocks: got %q, want %q", got, blocks)
	}
	if m.Stop.Reason != reason {
		t.Errorf("reason: got %q, want %q", m.Stop.Reason, reason)
	}
	for _, b := range m.Blocks {
		if !b.Closed && b.Type != "redacted_thinking" { // which is whole as it comes
			t.Errorf("block %d was not closed", b.Number)
		}
	}
}

// Fails reads an answer that is to be an error, with words, of a kind and with so many milliseconds to wait. The message
// has what came before it.
func (s *Suite) Fails(t testing.TB, a sdktest.Answer, kind string, wait int64) sdktest.Message {
	t.Helper()
	m := s.Play(t, a)
	if m.Error == nil {
		t.Fatalf("no error; %+v", m)
	}
	if m.Error.Kind != kind || m.Error.RetryAfterMS != wait || m.Error.Message == "" {
		t.Errorf("got %+v, want %s after %d", m.Error, kind, wait)
	}
	return m
}

// Valid checks what must hold of any body, for a fuzz test: the vendor gets valid JSON or nothing, and always the same. An
// empty body is of the verbatim lane, and not looked at.
func (s *Suite) Valid(t testing.TB, call, body string) {
	t.Helper()
	if body == "" {
		return
	}
	got := s.Build(t, call, body)
	if got.Refusal == nil && !json.Valid([]byte(got.Request.Body)) {
		t.Fatalf("%s\nbecame %s", body, got.Request.Body)
	}
	if again := s.Build(t, call, body); !reflect.DeepEqual(got, again) {
		t.Fatal("not the same twice")
	}
}

// Field is a value of the request by its path, as written, "" where there is none.
func Field(t testing.TB, r *sdktest.Result, path ...string) string {
	t.Helper()
	if r.Refusal != nil {
		t.Fatalf("refused: %+v", r.Refusal)
	}
	raw := json.RawMessage(r.Request.Body)
	for _, name := range path {
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if raw = doc[name]; raw == nil {
			return ""
		}
	}
	return string(raw)
}

// Recordings plays the recordings of some APIs, each in its frames and in one batch, which must make no difference. compare
// holds what came of one against the test's own reading of it and says what kind of recording it was; how many there were of
// each is logged. Without recordings the test is skipped.
func (s *Suite) Recordings(t *testing.T, apis []string, compare func(*testing.T, sdktest.Recording, sdktest.Message) string) {
	t.Helper()
	recs, err := sdktest.Recordings(apis...)
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	table := map[string]int{}
	for _, rec := range recs {
		if !rec.Passes() {
			table[fmt.Sprintf("%s of status %d, which no adapter is shown", rec.Vendor, rec.Status)]++
			continue
		}
		outcome := "failed"
		t.Run(rec.Path, func(t *testing.T) {
			defer func() { table[rec.Vendor+" "+outcome]++ }()
			x := sdktest.Exchange{Call: s.Call, Body: s.Body, Answer: rec.Answer()}
			got := s.run(t, x)
			x.Together = true
			together, err := x.Run(s.New())
			if err != nil || !reflect.DeepEqual(got, together) {
				t.Errorf("in one batch (%v) it reads differently", err)
			}
			if what := compare(t, rec, got.Message); !t.Failed() {
				outcome = what
			}
		})
	}
	rows := make([]string, 0, len(table))
	for k, n := range table {
		rows = append(rows, fmt.Sprintf("%-40s %d", k, n))
	}
	sort.Strings(rows)
	t.Logf("%d recordings:\n%s", len(recs), strings.Join(rows, "\n"))
}

// A Reading is what a test finds in a recording by itself, with encoding/json say, of what every message has.
type Reading struct {
	ID, Text, Thinking string
	// Native is the vendor's word for the end.
	Native string
	// Usage is nil where there is none to compare.
	Usage map[string]int64
	// Failed says that the recording is an error, and Err is in its words; either will do.
	Failed bool
	Err    string
}

// Compare holds a message against the reading, and says what kind of recording it was. Of an error there is no more to look
// at.
func (r *Reading) Compare(t testing.TB, m *sdktest.Message) (what string) {
	t.Helper()
	if r.Failed || r.Err != "" {
		if m.Error == nil || !strings.Contains(m.Error.Message, r.Err) {
			t.Fatalf("error: got %+v, want %q", m.Error, r.Err)
		}
		return Failed
	}
	if m.Error != nil {
		t.Fatalf("error: %+v", m.Error)
	}
	if m.Stop == nil {
		t.Fatal("it has no end")
	}
	if got := m.Text("text"); got != r.Text {
		t.Errorf("text: got %q, want %q", got, r.Text)
	}
	if got := m.Text("thinking"); got != r.Thinking {
		t.Errorf("thinking: got %q, want %q", got, r.Thinking)
	}
	if m.Stop == nil {
		t.Fatal("it has no end")
	}
	if m.ID != r.ID || m.Stop.Native != r.Native {
		t.Errorf("got id %q and finish %q, want %q, %q", m.ID, m.Stop.Native, r.ID, r.Native)
	}
	if r.Usage == nil {
		return "passed, no usage in it"
	}
	if !reflect.DeepEqual(m.Usage, r.Usage) {
		t.Errorf("usage: got %v, want %v", m.Usage, r.Usage)
	}
	return "passed"
}

// Failed is what Compare says of a recording that is an error.
const Failed = "error"

// Calls gives a message's tool calls to compare, one after the other, and checks their number.
func Calls(t testing.TB, m *sdktest.Message, want int, compare func(n int, b sdktest.Block)) {
	t.Helper()
	n := 0
	for _, b := range m.Blocks {
		if b.Type != "tool_use" {
			continue
		}
		if n >= want {
			t.Fatalf("a call too many: %+v", b)
		}
		compare(n, b)
		n++
	}
	if n != want {
		t.Errorf("got %d calls, want %d", n, want)
	}
}
