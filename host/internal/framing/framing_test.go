package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

// got is a frame with its bytes copied, as a string that reads well in a failure.
func describe(f Frame) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q raw %q", f.Event, f.Data, f.Raw)
	for _, flag := range []struct {
		set  bool
		name string
	}{{f.Document, "document"}, {f.Empty, "empty"}, {f.Exception, "exception"}, {f.Unterminated, "unterminated"}} {
		if flag.set {
			b.WriteString(" " + flag.name)
		}
	}
	return b.String()
}

// cut feeds a body in pieces and returns its frames; the pieces are overwritten once they are fed, as a reader does.
func cut(kind string, max int, pieces ...[]byte) ([]string, []byte, error) {
	f, err := New(kind, max)
	if err != nil {
		return nil, nil, err
	}
	var frames []string
	var raw []byte
	emit := func(f Frame) error {
		frames = append(frames, describe(f))
		raw = append(raw, f.Raw...)
		return nil
	}
	buf := make([]byte, 0, 4096)
	for _, p := range pieces {
		buf = append(buf[:0], p...)
		if err := f.Feed(buf, emit); err != nil {
			return frames, raw, err
		}
		for i := range buf {
			buf[i] = 0xa5
		}
	}
	err = f.Close(emit)
	return frames, raw, err
}

// every checks that a body gives the same frames whole, cut in two at each byte, and byte by byte.
func every(t *testing.T, kind string, body []byte) []string {
	t.Helper()
	want, raw, err := cut(kind, 0, body)
	if err != nil {
		t.Fatalf("whole: %v", err)
	}
	if !bytes.Equal(raw, body) {
		t.Fatalf("raw of all frames is not the body:\n got %q\nwant %q", raw, body)
	}
	check := func(name string, pieces ...[]byte) {
		got, raw, err := cut(kind, 0, pieces...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
		if !bytes.Equal(raw, body) {
			t.Fatalf("%s: raw differs from the body", name)
		}
	}
	step := 1
	if len(body) > 1024 { // each cut costs the whole body; byte by byte, below, cuts everywhere at once
		step = len(body)/512 | 1
	}
	for i := 0; i <= len(body); i += step {
		check(fmt.Sprintf("cut at %d", i), body[:i], body[i:])
	}
	check("byte by byte", split(body, 1)...)
	check("seven by seven", split(body, 7)...)
	return want
}

func split(b []byte, n int) (pieces [][]byte) {
	for ; len(b) > n; b = b[n:] {
		pieces = append(pieces, b[:n])
	}
	return append(pieces, b)
}

func TestSSE(t *testing.T) {
	tests := []struct {
		name, body string
		want       []string
	}{
		{"LF", "event: a\ndata: 1\n\ndata: 2\n\n", []string{
			`"a" "1" raw "event: a\ndata: 1\n\n"`, `"" "2" raw "data: 2\n\n"`}},
		{"CRLF", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", []string{
			`"a" "1" raw "event: a\r\ndata: 1\r\n\r\n"`, `"" "2" raw "data: 2\r\n\r\n"`}},
		{"CR", "event: a\rdata: 1\r\rdata: 2\r\r", []string{
			`"a" "1" raw "event: a\rdata: 1\r\r"`, `"" "2" raw "data: 2\r\r"`}},
		{"CR, then CRLF for the blank line", "data: 1\r\r\ndata: 2\n\n", []string{
			`"" "1" raw "data: 1\r\r"`, `"" "2" raw "\ndata: 2\n\n"`}},
		{"LF, then CRLF for the blank line", "data: 1\n\r\ndata: 2\n\n", []string{
			`"" "1" raw "data: 1\n\r\n"`, `"" "2" raw "data: 2\n\n"`}},
		{"BOM", "\xef\xbb\xbfdata: 1\n\n", []string{`"" "1" raw "\ufeffdata: 1\n\n"`}},
		{"BOM then a blank line", "\xef\xbb\xbf\ndata: 1\n\n", []string{
			`"" "" raw "\ufeff\n" empty`, `"" "1" raw "data: 1\n\n"`}},
		{"BOM later is data", "data: 1\n\ndata: \xef\xbb\xbf2\n\n", []string{
			`"" "1" raw "data: 1\n\n"`, `"" "\ufeff2" raw "data: \ufeff2\n\n"`}},
		{"several data lines", "data: {\ndata: }\n\ndata:a\ndata\ndata: b\n\n", []string{
			`"" "{\n}" raw "data: {\ndata: }\n\n"`, `"" "a\n\nb" raw "data:a\ndata\ndata: b\n\n"`}},
		{"comments", ": OPENROUTER PROCESSING\n\ndata: 1\n: inside\n\n", []string{
			`"" "" raw ": OPENROUTER PROCESSING\n\n" empty`, `"" "1" raw "data: 1\n: inside\n\n"`}},
		{"an event without data", "event: a\n\n", []string{`"a" "" raw "event: a\n\n" empty`}},
		{"only the first space goes", "data:  1\n\n", []string{`"" " 1" raw "data:  1\n\n"`}},
		{"other fields", "id: 7\nretry: 3\ndata: 1\nfoo\n\n", []string{`"" "1" raw "id: 7\nretry: 3\ndata: 1\nfoo\n\n"`}},
		{"the last event name wins", "event: a\nevent: b\ndata: 1\n\n", []string{`"b" "1" raw "event: a\nevent: b\ndata: 1\n\n"`}},
		{"no blank line at the end", "data: 1\n\ndata: 2\n", []string{
			`"" "1" raw "data: 1\n\n"`, `"" "2" raw "data: 2\n" unterminated`}},
		{"no line end at the end", "data: 1\n\nevent: x\ndata: [DONE]", []string{
			`"" "1" raw "data: 1\n\n"`, `"x" "[DONE]" raw "event: x\ndata: [DONE]" unterminated`}},
		{"blank lines at the end", "data: 1\n\n\n\n", []string{
			`"" "1" raw "data: 1\n\n"`, `"" "" raw "\n" empty`, `"" "" raw "\n" empty`}},
		{"an empty body", "", nil},
		{"an error without a field name, as Google's", "data: 1\r\n\r\n{\r\n  \"error\": {}\r\n}\r\n", []string{
			`"" "1" raw "data: 1\r\n\r\n"`, `"" "{\r\n  \"error\": {}\r\n}" raw "{\r\n  \"error\": {}\r\n}\r\n" unterminated`}},
		{"an error as a field, as llama.cpp's", "data: 1\n\nerror: {\"code\":400}\n\ndata: [DONE]\n\n", []string{
			`"" "1" raw "data: 1\n\n"`, `"error" "{\"code\":400}" raw "error: {\"code\":400}\n\n"`, `"" "[DONE]" raw "data: [DONE]\n\n"`}},
		{"an error behind a byte order mark", "\xef\xbb\xbferror: {}", []string{`"error" "{}" raw "\ufefferror: {}" unterminated`}},
		{"another field called error", "error: 7\ndata: 1\n\n", []string{`"" "1" raw "error: 7\ndata: 1\n\n"`}},
		{"a line that begins with a brace before data", "{\ndata: 1\n\n", []string{`"" "1" raw "{\ndata: 1\n\n"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := every(t, abi.FramingSSE, []byte(tt.body)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

func TestNDJSON(t *testing.T) {
	got := every(t, abi.FramingNDJSON, []byte("{\"a\":1}\n\r\n{\"b\":2}\r\n{\"c\":3}"))
	want := []string{
		`"" "{\"a\":1}" raw "{\"a\":1}\n"`, `"" "" raw "\r\n" empty`, `"" "{\"b\":2}" raw "{\"b\":2}\r\n"`,
		`"" "{\"c\":3}" raw "{\"c\":3}" unterminated`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	got := every(t, abi.FramingJSON, []byte("\n {\"a\":1}\n"))
	if want := []string{`"" "{\"a\":1}" raw "\n {\"a\":1}\n" document`}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if got := every(t, abi.FramingJSON, nil); got != nil {
		t.Errorf("empty body: got %q, want no frame", got)
	}
}

func TestJSONArray(t *testing.T) {
	tests := []struct {
		name, body string
		want       []string
	}{
		{"as Gemini writes it", "[{\n \"a\": \"]},\\\"\"\n}\n,\r\n{\"b\":[1,{}]}\n]\n", []string{
			`"" "{\n \"a\": \"]},\\\"\"\n}" raw "[{\n \"a\": \"]},\\\"\"\n}"`,
			`"" "{\"b\":[1,{}]}" raw "\n,\r\n{\"b\":[1,{}]}"`, `"" "" raw "\n]\n" empty`}},
		{"scalars", `[1, "a,]", null]`, []string{
			`"" "1" raw "[1"`, `"" "\"a,]\"" raw ", \"a,]\""`, `"" "null" raw ", null"`, `"" "" raw "]" empty`}},
		{"no elements", "[]", []string{`"" "" raw "[]" empty`}},
		{"an object instead", "{\"error\":{}}\n", []string{`"" "{\"error\":{}}" raw "{\"error\":{}}" document`, `"" "" raw "\n" empty`}},
		{"cut in an element", `[{"a":1},{"b"`, []string{`"" "{\"a\":1}" raw "[{\"a\":1}"`, `"" "{\"b\"" raw ",{\"b\"" unterminated`}},
		{"cut between elements", `[{"a":1},`, []string{`"" "{\"a\":1}" raw "[{\"a\":1}"`, `"" "" raw "," empty unterminated`}},
		{"BOM", "\xef\xbb\xbf[1]", []string{`"" "1" raw "\ufeff[1"`, `"" "" raw "]" empty`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := every(t, abi.FramingJSONArray, []byte(tt.body)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

// awsMessage builds one message; header values are strings.
func awsMessage(payload string, headers ...string) []byte {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(h, byte(len(headers[i])))
		h = append(h, headers[i]...)
		h = append(h, headerString)
		h = binary.BigEndian.AppendUint16(h, uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	m := binary.BigEndian.AppendUint32(nil, uint32(preludeBytes+len(h)+len(payload)+trailerBytes))
	m = binary.BigEndian.AppendUint32(m, uint32(len(h)))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
	m = append(append(m, h...), payload...)
	return binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(m))
}

func TestAWS(t *testing.T) {
	var body []byte
	body = append(body, awsMessage(`{"bytes":"e30="}`, ":event-type", "chunk", ":message-type", "event")...)
	body = append(body, awsMessage(`{"message":"slow down"}`, ":exception-type", "throttlingException", ":message-type", "exception")...)
	body = append(body, awsMessage("", ":error-code", "InternalError", ":error-message", `it "broke"`, ":message-type", "error")...)
	var got []string
	for _, f := range every(t, abi.FramingAWS, body) {
		before, after, _ := strings.Cut(f, " raw ")
		got = append(got, before+after[strings.LastIndexByte(after, '"')+1:])
	}
	want := []string{
		`"chunk" "{\"bytes\":\"e30=\"}"`, `"throttlingException" "{\"message\":\"slow down\"}" exception`,
		`"InternalError" "{\"message\":\"it \\\"broke\\\"\"}" exception`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func TestAWSDamaged(t *testing.T) {
	good := awsMessage(`{"bytes":"e30="}`, ":event-type", "chunk")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		_, _, err := cut(abi.FramingAWS, 0, bad)
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("bit of byte %d flipped: got error %v, want a FormatError", i, err)
		}
	}
	if _, _, err := cut(abi.FramingAWS, 0, good[:len(good)-1]); err == nil {
		t.Error("cut short: got no error")
	}
}

func TestLimits(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	tests := []struct{ kind, body string }{
		{abi.FramingSSE, "data: " + big + "\n\ndata: 2\n\n"},
		{abi.FramingNDJSON, `"` + big + "\"\n2\n"},
		{abi.FramingJSON, `"` + big + `"`},
		{abi.FramingJSONArray, `["` + big + `"]`},
		{abi.FramingAWS, string(awsMessage(big, ":event-type", "chunk"))},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			frames, raw, err := cut(tt.kind, 0, split([]byte(tt.body), 4096)...)
			if err != nil || string(raw) != tt.body || len(frames) == 0 {
				t.Errorf("1 MiB by default: %d frames, %d of %d bytes, error %v", len(frames), len(raw), len(tt.body), err)
			}
			var size *SizeError
			if _, _, err := cut(tt.kind, 1<<16, split([]byte(tt.body), 4096)...); !errors.As(err, &size) {
				t.Errorf("over the limit: got error %v, want a SizeError", err)
			}
		})
	}
}

func TestNewUnknown(t *testing.T) {
	if _, err := New("xml", 0); err == nil {
		t.Error("got no error")
	}
}

func TestEmitErrorEndsFeed(t *testing.T) {
	stop := errors.New("stop")
	for _, kind := range []string{abi.FramingSSE, abi.FramingNDJSON, abi.FramingJSONArray} {
		f, _ := New(kind, 0)
		if err := f.Feed([]byte("[1,2]\n\ndata: 1\n\n"), func(Frame) error { return stop }); err != stop {
			t.Errorf("%s: got %v, want the error of emit", kind, err)
		}
	}
}

// TestRecordings cuts every recorded body in many ways.
func TestRecordings(t *testing.T) {
	root := os.Getenv("AINFERA_CONFORMANCE")
	if root == "" {
		t.Skip("AINFERA_CONFORMANCE is not set: no recorded traffic to read")
	}
	kinds := map[string]string{
		"response.sse": abi.FramingSSE, "response.ndjson": abi.FramingNDJSON, "response.eventstream.bin": abi.FramingAWS,
	}
	files, err := filepath.Glob(filepath.Join(root, "fixtures", "*", "*", "response.*"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		kind := kinds[filepath.Base(file)]
		if kind == "" {
			continue
		}
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n++
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			whole, raw, err := cut(kind, 0, body)
			if err != nil || !bytes.Equal(raw, body) {
				t.Fatalf("whole: %d of %d bytes, error %v", len(raw), len(body), err)
			}
			if kind == abi.FramingAWS || len(body) < 2048 {
				every(t, kind, body)
				return
			}
			for _, size := range []int{1, 7, 255, 4096} {
				if got, _, err := cut(kind, 0, split(body, size)...); err != nil || !reflect.DeepEqual(got, whole) {
					t.Fatalf("in pieces of %d: frames differ, error %v", size, err)
				}
			}
		})
	}
	if n == 0 {
		t.Fatalf("no recordings under %s", root)
	}
}

func FuzzCuts(f *testing.F) {
	kinds := []string{abi.FramingSSE, abi.FramingNDJSON, abi.FramingJSON, abi.FramingJSONArray, abi.FramingAWS}
	for i, body := range []string{
		"\xef\xbb\xbfevent: a\r\ndata: 1\r\rdata: 2\ndata\n\n: c\n\r\n", "{}\n{}\r\n", `{"a":[]}`, `[{"a":"]"},1,"b"]`,
		string(awsMessage("{}", ":event-type", "chunk")),
	} {
		f.Add(byte(i), []byte(body), uint64(0x9e3779b97f4a7c15))
	}
	f.Fuzz(func(t *testing.T, k byte, body []byte, seed uint64) {
		kind := kinds[int(k)%len(kinds)]
		want, raw, wantErr := cut(kind, 1<<20, body)
		if wantErr == nil && !bytes.Equal(raw, body) {
			t.Fatalf("%s: raw %q, body %q", kind, raw, body)
		}
		var pieces [][]byte
		for rest := body; len(rest) > 0; {
			seed = seed*6364136223846793005 + 1442695040888963407
			n := min(int(seed>>60)+1, len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, _, err := cut(kind, 1<<20, pieces...)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s in pieces %q:\n got %q, %v\nwant %q, %v", kind, pieces, got, err, want, wantErr)
		}
	})
}

func BenchmarkSSE(b *testing.B) {
	one := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" +
		strings.Repeat("word ", 40) + "\"}}\n\n"
	body := []byte(strings.Repeat(one, 12))
	for _, size := range []int{len(body), 1460} {
		b.Run(fmt.Sprintf("reads of %d", size), func(b *testing.B) {
			f, _ := New(abi.FramingSSE, 0)
			pieces := split(body, size)
			emit := func(Frame) error { return nil }
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range pieces {
					if err := f.Feed(p, emit); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
