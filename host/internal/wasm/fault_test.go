package wasm

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGuestPanic(t *testing.T) {
	for name, c := range map[string]struct{ output, message, place string }{
		"Go": {
			"panic: told to\n\ngoroutine 1 [running]:\nmain.obey(...)\n\t/src/plugin/main.go:12\nmain.push(0x1)\n\t/src/plugin/main.go:90 +0x3\n",
			"panic: told to", "/src/plugin/main.go:12"},
		"GoRuntimeFramesFirst": {
			"panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\n" +
				"runtime.goPanicIndex(0x3)\n\t/go/src/runtime/panic.go:115 +0x2\npanic({0x1, 0x2})\n\t/go/src/runtime/panic.go:783 +0x1\nplugin/x.(*T).F()\n\tx/t.go:5 +0x9\n",
			"panic: runtime error: index out of range [3] with length 3", "x/t.go:5"},
		"GoFatal": {
			"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.f()\n\tmain.go:7 +0x1\n",
			"fatal error: all goroutines are asleep - deadlock!", "main.go:7"},
		"AfterOtherOutput": {"hello\npanic: x\n", "panic: x", ""},
		"Rust":             {"thread 'main' panicked at src/lib.rs:10:5:\nindex out of bounds\nnote: run with\n", "panic: index out of bounds", "src/lib.rs:10:5"},
		"OldRust":          {"thread 'main' panicked at 'boom', src/lib.rs:10:5\n", "panic: 'boom', src/lib.rs:10:5", ""},
		"Nothing":          {"just a line\n", "", ""},
		"Cut":              {"panic: x\n\ngoroutine 1 [running]:\nmain.f()", "panic: x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			message, place := guestPanic(c.output)
			if message != c.message || place != c.place {
				t.Errorf("got %q at %q, want %q at %q", message, place, c.message, c.place)
			}
		})
	}
}

func TestTrapMessage(t *testing.T) {
	err := errors.New("wasm error: integer divide by zero\nwasm stack trace:\n\t.$12(i32)\n\t.divide(i32,i32) i32\n\t.main()")
	if got, want := trapMessage(err), "integer divide by zero in divide"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessagesAreOneShortLine(t *testing.T) {
	got := shown("panic: a\x1b[2J\nlevel=error\tforged"+strings.Repeat("ä", 4000), maxMessage)
	if strings.ContainsAny(got, "\x1b\n") || len(got) > maxMessage+len("…") || !strings.HasPrefix(got, "panic: a\uFFFD[2J\uFFFDlevel=error\tforged") || !utf8.ValidString(got) {
		t.Errorf("got %d bytes: %q", len(got), got[:60])
	}
}
