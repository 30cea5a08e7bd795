package jscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// String returns a string value without its quotes and escapes, and "" for every other kind. What is no UTF-8, or half
// of a surrogate pair, becomes U+FFFD, so that the result is always valid UTF-8.
func (v Value) String() string {
	s, ok := v.inner()
	if !ok {
		return ""
	}
	if isPlain(s) {
		return string(s)
	}
	return string(appendUnescaped(nil, s))
}

// AppendString appends what String returns.
func (v Value) AppendString(dst []byte) []byte {
	s, ok := v.inner()
	if !ok {
		return dst
	}
	if isPlain(s) {
		return append(dst, s...)
	}
	return appendUnescaped(dst, s)
}

// Bytes returns what String returns: the document's own bytes where there is nothing to unescape, which must not be
// changed, and otherwise bytes appended to scratch[:0].
func (v Value) Bytes(scratch []byte) []byte {
	s, ok := v.inner()
	if !ok {
		return nil
	}
	if isPlain(s) {
		return s
	}
	return appendUnescaped(scratch[:0], s)
}

// Escaped returns what stands between a string's quotes, escapes and all, and nil for every other kind: text that may be
// copied into another string as it is. It aliases the document.
func (v Value) Escaped() []byte {
	s, _ := v.inner()
	return s
}

// Equal reports whether v is a string and equal to s. It does not allocate unless v has escapes.
func (v Value) Equal(s string) bool {
	in, ok := v.inner()
	if !ok {
		return false
	}
	if isPlain(in) {
		return string(in) == s
	}
	return string(appendUnescaped(nil, in)) == s
}

// IsPlain reports whether v is a string of ASCII without escapes: what is between its quotes is what it says, and as it
// stands it is canonical JSON.
func (v Value) IsPlain() bool {
	s, ok := v.inner()
	return ok && plainRun(s, 0) == len(s)
}

// inner returns what is between the quotes.
func (v Value) inner() (Value, bool) {
	if len(v) < 2 || v[0] != '"' {
		return nil, false
	}
	return v[1 : len(v)-1], true
}

// isPlain reports whether s stands for itself: no escapes, and valid UTF-8.
func isPlain(s []byte) bool {
	i := plainRun(s, 0)
	if i == len(s) {
		return true
	}
	for _, c := range s[i:] {
		if c == '\\' {
			return false
		}
	}
	return utf8.Valid(s[i:])
}

// plainRun is where the run of ASCII without a backslash that starts at s[i] ends.
func plainRun(s []byte, i int) int {
	for i+8 <= len(s) {
		if hit := odd8(load8(s, i)); hit != 0 {
			return i + firstHit(hit)
		}
		i += 8
	}
	for i < len(s) && s[i] != '\\' && s[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// hexDigit is a hex digit's value plus one, and 0 for every other byte.
var hexDigit = func() (t [256]uint8) {
	for c := range uint8(10) {
		t['0'+c] = c + 1
	}
	for c := range uint8(6) {
		t['a'+c], t['A'+c] = c+11, c+11
	}
	return t
}()

// hex4 is the code unit of the escape \uXXXX at s[i], or -1 when there is none.
func hex4(s []byte, i int) rune {
	if len(s)-i < 6 || s[i] != '\\' || s[i+1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range s[i+2 : i+6] {
		d := hexDigit[c]
		if d == 0 {
			return -1
		}
		r = r<<4 | rune(d-1)
	}
	return r
}

func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if end := plainRun(s, i); end > i {
			dst = append(dst, s[i:end]...)
			i = end
			continue
		}
		if s[i] == '\\' {
			dst, i = appendEscape(dst, s, i)
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst
}

// appendEscape appends what the escape at s[i] stands for and returns where it ends.
func appendEscape(dst, s []byte, i int) ([]byte, int) {
	if i+1 >= len(s) {
		return dst, len(s)
	}
	switch c := s[i+1]; c {
	case 'n':
		return append(dst, '\n'), i + 2
	case 't':
		return append(dst, '\t'), i + 2
	case 'r':
		return append(dst, '\r'), i + 2
	case 'b':
		return append(dst, '\b'), i + 2
	case 'f':
		return append(dst, '\f'), i + 2
	case 'u':
		r := hex4(s, i)
		if r < 0 {
			return dst, i + 2
		}
		if utf16.IsSurrogate(r) {
			if pair := utf16.DecodeRune(r, hex4(s, i+6)); pair != utf8.RuneError {
				return utf8.AppendRune(dst, pair), i + 12
			}
		}
		return utf8.AppendRune(dst, r), i + 6 // half a pair comes out as U+FFFD
	default:
		return append(dst, c), i + 2
	}
}
