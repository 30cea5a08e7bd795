package simulator

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Header carries directives for callers that cannot change the text.
const Header = "X-Sim"

const (
	directiveOpen  = "[[sim"
	directiveClose = "]]"
)

// takeDirectives applies to f every directive in text, and returns the text without them.
func takeDirectives(text string, f *Fault) (string, error) {
	for from := 0; ; {
		at := strings.Index(text[from:], directiveOpen)
		if at < 0 {
			return text, nil
		}
		start := from + at
		words, after, closed := strings.Cut(text[start+len(directiveOpen):], directiveClose)
		if !closed || words == "" || words[0] != ' ' && words[0] != '\n' {
			from = start + len(directiveOpen) // somebody's prose
			continue
		}
		if err := f.apply(words); err != nil {
			return "", err
		}
		before := strings.TrimRight(text[:start], " ")
		text, from = before+after, len(before)
	}
}

// An agent's program tells the model things in the user's turn, between these. The names of tools and the braces in there
// are not the user asking for anything.
const (
	reminderOpen  = "<system-reminder>"
	reminderClose = "</system-reminder>"
)

// withoutReminders is what the user said. A reminder that is not closed is somebody's prose.
func withoutReminders(text string) string {
	if !strings.Contains(text, reminderOpen) {
		return text
	}
	var sb strings.Builder
	for {
		before, rest, _ := strings.Cut(text, reminderOpen)
		_, after, closed := strings.Cut(rest, reminderClose)
		if !closed {
			sb.WriteString(text)
			return strings.Trim(sb.String(), "\n")
		}
		sb.WriteString(before)
		text = after
	}
}

// takeModel splits the directives from a model's name: sim-small?status=529&retry-after=7.
func takeModel(model string, f *Fault) (string, error) {
	name, words, found := strings.Cut(model, "?")
	if !found {
		return model, nil
	}
	return name, f.apply(words)
}

// apply reads words, which are separated by spaces or &, into f.
func (f *Fault) apply(words string) error {
	for words != "" {
		var word string
		word, words = nextWord(words)
		if word == "" {
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		if err := f.set(key, value); err != nil {
			return fmt.Errorf("simulator: directive %q: %w", word, err)
		}
	}
	return nil
}

// nextWord cuts at a separator outside quotes, and takes the quotes off.
func nextWord(s string) (word, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '&' || c == '\n'):
			return strings.ReplaceAll(s[:i], `"`, ""), s[i+1:]
		}
	}
	return strings.ReplaceAll(s, `"`, ""), ""
}

func (f *Fault) set(key, value string) (err error) {
	if b, ok := breaks[key]; ok {
		f.Break, f.After = b.kind, 0
		if b.counted {
			f.After, err = count(value)
		} else {
			f.After = 1 << 30 // where the answer ends
		}
		return err
	}
	switch key {
	case "status":
		if f.Status, err = count(value); err == nil && (f.Status < 200 || f.Status > 599) {
			err = fmt.Errorf("a status is 200 to 599")
		}
	case "error":
		f.Error = value
		if _, ok := failures[value]; !ok {
			err = fmt.Errorf("no such kind of error")
		}
	case "rate-limit":
		f.Error, f.RetryAfter = "rate_limit", max(f.RetryAfter, 7)
	case "message":
		f.Message = value
	case "retry-after":
		f.RetryAfter, err = count(value)
	case "should-retry":
		f.ShouldRetry = value
	case "body":
		f.Body = value
		if value != "html" && value != "empty" {
			err = fmt.Errorf("a body is html or empty")
		}
	case "empty":
		f.Body = "empty"
	case "silent":
		f.Silent = true
	case "first":
		f.First, err = pause(value)
	case "between":
		f.Between, err = pause(value)
	case "stop-for":
		f.Stall, err = time.ParseDuration(value)
	case "stop-after":
		f.StallAfter, err = count(value)
	case "heartbeat":
		f.Heartbeat, err = time.ParseDuration(value)
	default:
		return f.setContent(key, value)
	}
	return err
}

func (f *Fault) setContent(key, value string) (err error) {
	switch key {
	case "chunks":
		f.Chunks, err = count(value)
	case "size":
		f.Size, err = count(value)
	case "batch":
		f.Batch, err = count(value)
	case "usage":
		f.Usage.None = true
		if value != "none" {
			err = fmt.Errorf("usage is none; set its parts with in, out, cache-read and cache-write")
		}
	case "in":
		f.Usage.Input, err = count(value)
	case "out":
		f.Usage.Output, err = count(value)
	case "cache-read":
		f.Usage.CacheRead, err = count(value)
	case "cache-write":
		f.Usage.CacheWrite, err = count(value)
	case "finish":
		f.Finish = value
	case "tools":
		f.Calls = strings.Split(value, ",")
	default:
		err = fmt.Errorf("unknown word %q", key)
	}
	return err
}

// breaks are the words that end a stream the wrong way; a counted one takes the number of pieces before it.
var breaks = map[string]struct {
	kind    Break
	counted bool
}{
	"error-after":  {BreakError, true},
	"cut-after":    {BreakCut, true},
	"torn-after":   {BreakTorn, true},
	"end-after":    {BreakEnd, true},
	"end-early":    {BreakEnd, false},
	"silent-after": {BreakSilent, true},
}

// maxCount bounds what a directive can make a simulated vendor produce: a gigabyte from one line of text would be an
// accident, not a test.
const maxCount = 10_000_000

func count(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > maxCount {
		return 0, fmt.Errorf("want a number from 0 to %d", maxCount)
	}
	return n, nil
}

// pause reads a duration, where an explicit 0 is not "the server's own".
func pause(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if d == 0 {
		d = -1
	}
	return d, err
}
