package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/jscan"
)

// An arguments writes the JSON of arguments that come in pieces. A piece is a value, or some of a string, with the path
// that leads to it; pieces come in the order of the JSON text, so that each only closes what it is not in:
//
//	{"jsonPath":"$.a[0].b","stringValue":"x","willContinue":true}   {"a":[{"b":"x
//	{"jsonPath":"$.a[0].b","stringValue":"y"}                       y"
//	{"jsonPath":"$.a[1]","numberValue":7}                           },7
//
// An object or array that is empty has no piece, and doesn't come.
type arguments struct {
	path   []step // to the last value; all that it leads through is open
	spare  []step // to be used again
	string bool   // the last value is a string that goes on
}

// A step leads from an object or array to what it holds.
type step struct {
	key   string // as it stands between quotes
	index int    // in an array, or inObject
}

const inObject = -1

// add appends what a piece adds to the JSON. ok is false for a piece that says nothing, or fits nowhere.
func (a *arguments) add(b []byte, piece jscan.Value) (_ []byte, ok bool) {
	var f [6]jscan.Value
	piece.Pick(f[:], "jsonPath", "stringValue", "numberValue", "boolValue", "nullValue", "willContinue")
	path, ok := readPath(a.spare[:0], f[0].String())
	a.spare = path
	value := f[1]
	switch {
	case !ok:
		return b, false
	case value.Kind() == jscan.String:
	case f[2].Kind() == jscan.Number:
		value = f[2]
	case f[3].Kind() == jscan.Bool:
		value = f[3]
	case f[4] != nil:
		value = jscan.Value("null")
	default:
		return b, false
	}
	text := value.Kind() == jscan.String
	if a.string && text && slices.Equal(path, a.path) {
		b = append(b, value.Escaped()...)
	} else {
		if b, ok = a.walk(b, path); !ok {
			return b, false
		}
		if text {
			b = append(append(b, '"'), value.Escaped()...)
		} else {
			b = append(b, value...)
		}
		a.path, a.spare = path, a.path
	}
	a.string = text && f[5].Bool()
	if text && !a.string {
		b = append(b, '"')
	}
	return b, true
}

// walk appends what stands between the last value and the one at path.
func (a *arguments) walk(b []byte, path []step) (_ []byte, ok bool) {
	common := 0
	for common < min(len(a.path), len(path)) && a.path[common] == path[common] {
		common++
	}
	if len(a.path) == 0 {
		b = append(b, '{')
	} else if common == len(a.path) || common == len(path) || !follows(a.path[common], path[common]) {
		return b, false
	} else {
		b = append(a.close(b, common+1), ',')
	}
	for i, s := range path[common:] {
		if i > 0 && s.index == inObject {
			b = append(b, '{')
		} else if i > 0 {
			b = append(b, '[')
		}
		if s.index == inObject {
			b = append(append(append(b, '"'), s.key...), `":`...)
		}
	}
	return b, true
}

// follows says whether a value may be written behind another in the same object or array.
func follows(last, next step) bool {
	return last.index == inObject && next.index == inObject || last.index != inObject && next.index > last.index
}

// close appends the ends of all that is open inside the first levels.
func (a *arguments) close(b []byte, levels int) []byte {
	if a.string {
		b = append(b, '"')
	}
	for i := len(a.path) - 1; i >= levels; i-- {
		if a.path[i].index == inObject {
			b = append(b, '}')
		} else {
			b = append(b, ']')
		}
	}
	return b
}

// end appends the end of the arguments, which is nothing where nothing came, and is ready for the next.
func (a *arguments) end(b []byte) []byte {
	b = a.close(b, 0)
	a.reset()
	return b
}

func (a *arguments) reset() { a.path, a.string = a.path[:0], false }

// readPath reads a path of names and indices, as in $.a['b c'][0]; the first is a name.
func readPath(dst []step, s string) (_ []step, ok bool) {
	s, ok = strings.CutPrefix(s, "$")
	for ok && s != "" {
		var next step
		if next, s, ok = readStep(s); ok {
			dst = append(dst, next)
		}
	}
	return dst, ok && len(dst) > 0 && dst[0].index == inObject
}

// readStep reads one step and returns the rest of the path.
func readStep(s string) (_ step, rest string, ok bool) {
	if s[0] == '.' {
		end := strings.IndexAny(s[1:], ".[") + 1
		if end == 0 {
			end = len(s)
		}
		return step{escaped([]byte(s[1:end])), inObject}, s[end:], end > 1
	}
	if len(s) < 3 || s[0] != '[' {
		return step{}, "", false
	}
	if quote := s[1]; quote == '\'' || quote == '"' {
		var key []byte
		for i := 2; i < len(s); i++ {
			switch {
			case s[i] == quote:
				rest, ok = strings.CutPrefix(s[i+1:], "]")
				return step{escaped(key), inObject}, rest, ok
			case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`\'"`, s[i+1]) >= 0:
				i++
			}
			key = append(key, s[i])
		}
		return step{}, "", false
	}
	digits, rest, ok := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(digits)
	return step{index: n}, rest, ok && err == nil && n >= 0
}
