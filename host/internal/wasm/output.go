package wasm

import (
	"bytes"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxOutput is what is kept of one call's output; a Go panic's message and its first frames come first.
	maxOutput = 8 << 10
	// maxLogLines bounds the lines that one call adds to the operator's log.
	maxLogLines = 32
	// maxLogLinesAMinute bounds those of all calls of a version: a stream is a call a chunk, and a line may be 4 KiB.
	maxLogLinesAMinute = 1200
)

// A lineLimit counts the lines of a version within a minute. Safe for concurrent use.
type lineLimit struct {
	mu    sync.Mutex
	since time.Time
	lines int
}

// take says whether one more line may be logged, and whether it is the first that may not.
func (l *lineLimit) take(now time.Time) (ok, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.lines = now, 0
	}
	l.lines++
	return l.lines <= maxLogLinesAMinute, l.lines == maxLogLinesAMinute+1
}

// say logs a line of the guest's. One that the operator's level leaves out takes no other's place.
func (m *Module) say(level hclog.Level, msg, line string) {
	if level < m.log.GetLevel() {
		return
	}
	ok, first := m.lines.take(time.Now())
	if ok {
		m.log.Log(level, msg, "line", line)
	} else if first {
		m.log.Warn("guest says more than is logged", "lines-a-minute", maxLogLinesAMinute)
	}
}

// print keeps what fits of what the guest wrote.
func (s *system) print(b []byte) {
	s.printed = append(s.printed, b[:min(len(b), maxOutput-len(s.printed))]...)
}

// output is what the guest printed during the call.
func (s *system) output() string { return string(s.printed) }

// flush logs what a call printed that ended well, and forgets it.
func (in *instance) flush() {
	in.sys.lines = 0
	if len(in.sys.printed) == 0 {
		return
	}
	n := 0
	for line := range bytes.Lines(in.sys.printed) {
		if n++; n > maxLogLines {
			break
		}
		in.m.say(hclog.Info, "guest printed", printable(bytes.TrimRight(line, "\r\n")))
	}
	in.sys.printed = in.sys.printed[:0]
}

// printable keeps a guest from writing control characters, and with them lines of its own making, into the log.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, string(b))
}
