package sdktest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

const written = `text, streamed

what more there is to say
-- call.json --
{"op": "chat"}
-- body.json --
{"messages": []}
-- answer.http --
HTTP/1.1 200 OK
content-type: text/event-stream; charset=utf-8

data: a

data: b

-- end --
cancelled
-- want-message.json --
{"blocks": [{"type": "text", "text": "ab"}]}
`

func TestFile(t *testing.T) {
	f, err := sdktest.ParseFile([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	if string(f.Bytes()) != written {
		t.Errorf("written again:\n%s", f.Bytes())
	}
	x := f.Exchange()
	if f.Name != "text, streamed" || x.Call != `{"op":"chat"}` || len(x.Answer.Frames) != 2 || x.Answer.Frames[1].Data != "b" ||
		x.Answer.End != abi.EndCancelled || x.Answer.Headers["content-type"] == "" {
		t.Errorf("got %q %+v", f.Name, x)
	}
	if f.Case() != nil {
		t.Error("a module can't carry an answer that was cut off, and got one")
	}
	f.End = abi.EndOfBody
	if c := f.Case(); c == nil || c.Want.Text != "ab" || c.Answer.SSE == "" || c.Answer.Document != "" {
		t.Errorf("got %+v", c)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for says, text := range map[string]string{
		"either input.json": "-- body.json --\n{}\n",
		"twice":             "-- call.json --\n{}\n-- call.json --\n{}\n",
		"not JSON":          "-- call.json --\n{\n",
		"not known":         "-- call.json --\n{}\n-- want.json --\n{}\n",
		"status line":       "-- call.json --\n{}\n-- answer.http --\n200\n",
		"no status":         "-- call.json --\n{}\n-- answer.http --\nHTTP/1.1 many\n",
		"no header":         "-- call.json --\n{}\n-- answer.http --\nHTTP/1.1 200 OK\nx\n",
		"neither cancelled": "-- call.json --\n{}\n-- end --\nsoon\n",
	} {
		if _, err := sdktest.ParseFile([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q in it", err, says)
		}
	}
	dir := t.TempDir()
	if _, err := sdktest.Files(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no cases: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txtar"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sdktest.Files(dir); err == nil || !strings.Contains(err.Error(), "a.txtar") {
		t.Errorf("an empty case: got %v", err)
	}
}

// TestFileSaysWhatDiffers, and an update makes it agree.
func TestFileSaysWhatDiffers(t *testing.T) {
	g := func() *script {
		return &script{request, []rec{start, {abi.KindText, 0, "ax"}, stop}}
	}
	f, err := sdktest.ParseFile([]byte(strings.Replace(written, "-- end --\ncancelled\n", "", 1)))
	if err != nil {
		t.Fatal(err)
	}
	err = f.Run(g())
	if err == nil || !strings.Contains(err.Error(), "the message is not the one") || !strings.Contains(err.Error(), `+       "text": "ax"`) {
		t.Fatalf("got %v", err)
	}
	x := f.Exchange()
	res, err := x.Run(g())
	if err != nil {
		t.Fatal(err)
	}
	f.Update(res)
	if err := f.Run(g()); err != nil {
		t.Errorf("after the update: %v", err)
	}
}

func TestDiff(t *testing.T) {
	for name, tc := range map[string]struct{ from, to, want string }{
		"the same": {"a\nb", "a\nb", ""},
		"one line": {"a\nb\nc", "a\nx\nc", "  a\n- b\n+ x\n  c\n"},
		"far away": {"1\n2\n3\n4\n5\n6", "0\n2\n3\n4\n5\n6", "- 1\n+ 0\n  2\n  3\n  …\n"},
		"added":    {"a", "a\nb", "  a\n+ b\n"},
		"emptied":  {"a", "", "- a\n+ \n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sdktest.Diff(tc.from, tc.to); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// FuzzParseFile: what reads is written so that it reads again, as the same.
func FuzzParseFile(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte("-- input.json --\n{}\n-- decision.json --\n{}"))
	f.Add([]byte("-- call.json --\r\n{}\r\n-- answer.http --\r\nHTTP/1.1 200 OK\r\na: b\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := sdktest.ParseFile(text)
		if err != nil {
			return
		}
		again, err := sdktest.ParseFile(first.Bytes())
		if err != nil {
			t.Fatalf("written as %q: %v", first.Bytes(), err)
		}
		if string(again.Bytes()) != string(first.Bytes()) {
			t.Errorf("got  %q\nwant %q", again.Bytes(), first.Bytes())
		}
		first.Exchange()
		first.Case()
	})
}
