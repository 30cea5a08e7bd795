package capture

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// An event is what a watched process did to a file, or said.
type event struct {
	// kind is create, mkdir, unlink, rename, write, truncate, sync-begins, sync-ends or promise. A write counts from its
	// end, and a sync is for the writes that ended before it began; a promise counts from its beginning.
	kind   string
	path   string // of a promise: what was promised
	to     string // of a rename the new name, of a promise the call
	data   []byte
	offset int64 // of a write, -1 to append; of a truncate the size
}

var (
	traceLine    = regexp.MustCompile(`^(\d+) +(.*)$`)
	traceResumed = regexp.MustCompile(`^<\.\.\. \w+ resumed>(.*)$`)
	traceCall    = regexp.MustCompile(`(?s)^(\w+)\((.*)\)\s+= (-?\d+)`)
	traceFile    = regexp.MustCompile(`^\d+<((?:\\x[0-9a-f]{2})*)>`)
	traceText    = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

const unfinished = " <unfinished ...>"

// parseTrace reads what strace -f -y -xx wrote, of the files below dir. It refuses what it does not know, so that nothing
// is overlooked.
func parseTrace(text, dir string) ([]event, error) {
	var events []event
	begun := map[string]string{} // calls that have not returned, by thread
	for line := range strings.Lines(text) {
		m := traceLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			return nil, fmt.Errorf("trace: %.80q", line)
		}
		thread, call := m[1], m[2]
		starts, ends := true, true
		if head, ok := strings.CutSuffix(call, unfinished); ok {
			begun[thread] = head
			call, ends = head+") = 0", false
		} else if rest := traceResumed.FindStringSubmatch(call); rest != nil {
			call, starts = begun[thread]+rest[1], false
			delete(begun, thread)
		}
		if strings.HasPrefix(call, "+++") || strings.HasPrefix(call, "---") {
			continue
		}
		made, err := parseCall(call, dir, starts, ends)
		if err != nil {
			return nil, err
		}
		events = append(events, made...)
	}
	return events, nil
}

// parseCall returns the events of one line: of a call that was cut in two the first starts it and the second ends it.
func parseCall(call, dir string, starts, ends bool) ([]event, error) {
	m := traceCall.FindStringSubmatch(call)
	if m == nil {
		if strings.Contains(call, ") = ?") { // the process ended in it
			return nil, nil
		}
		return nil, fmt.Errorf("trace: %.200q", call)
	}
	name, args := m[1], m[2]
	if strings.HasPrefix(m[3], "-") {
		return nil, nil // it failed
	}
	path := ""
	if f := traceFile.FindStringSubmatch(args); f != nil { // of a call that takes a descriptor
		path = unhex(f[1])
	}
	var texts []string
	for _, t := range traceText.FindAllStringSubmatch(args, -1) {
		texts = append(texts, unhex(t[1]))
	}
	ours := func(p string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
	if name == "write" && starts && len(texts) > 0 {
		if words := strings.Fields(texts[0]); len(words) == 3 && words[0] == "promise" {
			return []event{{kind: "promise", path: words[1], to: words[2]}}, nil
		}
	}
	if name == "fsync" || name == "fdatasync" {
		var both []event
		if starts && ours(path) {
			both = append(both, event{kind: "sync-begins", path: path})
		}
		if ends && ours(path) {
			both = append(both, event{kind: "sync-ends", path: path})
		}
		return both, nil
	}
	if !ends {
		return nil, nil
	}
	switch name {
	case "open", "openat":
		if len(texts) == 1 && ours(texts[0]) && strings.Contains(args, "O_CREAT") {
			return []event{{kind: "create", path: texts[0]}}, nil
		}
		return nil, nil
	case "mkdir", "mkdirat":
		if ours(texts[0]) {
			return []event{{kind: "mkdir", path: texts[0]}}, nil
		}
		return nil, nil
	case "unlink", "unlinkat":
		return []event{{kind: "unlink", path: texts[0]}}, nil
	case "rename", "renameat", "renameat2":
		return []event{{kind: "rename", path: texts[0], to: texts[1]}}, nil
	}
	if !ours(path) {
		return nil, nil
	}
	switch name {
	case "write":
		return []event{{kind: "write", path: path, data: []byte(texts[0]), offset: -1}}, nil
	case "pwrite64":
		offset, err := lastNumber(args)
		return []event{{kind: "write", path: path, data: []byte(texts[0]), offset: offset}}, err
	case "ftruncate":
		size, err := lastNumber(args)
		return []event{{kind: "truncate", path: path, offset: size}}, err
	}
	return nil, fmt.Errorf("trace: %s of %s is not known here", name, path)
}

func lastNumber(args string) (int64, error) {
	return strconv.ParseInt(strings.TrimSpace(args[strings.LastIndexByte(args, ',')+1:]), 10, 64)
}

// unhex reads text of which strace has written every byte as \xNN. The expressions let nothing else pass.
func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}
