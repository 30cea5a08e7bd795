package messages

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxDepth bounds nesting: far above what a tool schema needs, far below what a stack holds.
const maxDepth = 512

// A scanner reads JSON in place, once, checking it as it goes. It weighs what it passes, see estimate.go.
type scanner struct {
	b     []byte
	i     int
	depth int
}

// A value is where a JSON value lies: from its first byte to behind its last.
type value struct {
	from, to int
	weight   int // of the text it holds, in quarters of a token
}

// kind is the value's first byte: '{', '[', '"', 't', 'f', 'n', or one of a number.
func (s *scanner) kind(v value) byte { return s.b[v.from] }

// fail makes the error of broken JSON at the scanner's place.
func (s *scanner) fail(what string) error {
	if s.i >= len(s.b) {
		what = "the text ends too early"
	}
	return SyntaxAt(s.b, s.i, what)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek passes over space and returns the byte it then stands at, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// value passes over one value.
func (s *scanner) value() (value, error) {
	c := s.peek()
	v := value{from: s.i}
	var err error
	switch c {
	case '"':
		v, err = s.str()
	case '{':
		err = s.object(func(m member) error {
			v.weight += m.weight
			return s.skipInto(&v)
		})
	case '[':
		err = s.array(func() error { return s.skipInto(&v) })
	case 't':
		err = s.literal("true")
	case 'f':
		err = s.literal("false")
	case 'n':
		err = s.literal("null")
	default:
		err = s.number()
	}
	if err != nil {
		return v, err
	}
	v.to = s.i
	if v.weight == 0 && c != '"' {
		v.weight = v.to - v.from
	}
	return v, nil
}

func (s *scanner) skipInto(v *value) error {
	inner, err := s.value()
	v.weight += inner.weight
	return err
}

// A member is the key of an object's field, unescaped.
type member struct {
	name   []byte // may alias the body
	from   int    // of the key's quote
	weight int    // of key, quotes and colon
}

// object calls each at every member's value; each must pass over it.
func (s *scanner) object(each func(member) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == '}' {
		return s.leave()
	}
	for {
		if s.peek() != '"' {
			return s.fail("expected a field's name in quotes")
		}
		key, err := s.str()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.fail("expected ':' after the field's name")
		}
		s.i++
		s.space()
		if err := each(member{name: s.text(key), from: key.from, weight: key.weight + 3}); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			return s.leave()
		default:
			return s.fail("expected ',' or '}' after the field's value")
		}
	}
}

// array calls each at every element; each must pass over it.
func (s *scanner) array(each func() error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		return s.leave()
	}
	for {
		s.space()
		if err := each(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			return s.leave()
		default:
			return s.fail("expected ',' or ']' after the element")
		}
	}
}

func (s *scanner) enter() error {
	s.depth++
	if s.depth > maxDepth {
		return s.fail("nested too deeply")
	}
	s.i++
	return nil
}

func (s *scanner) leave() error {
	s.depth--
	s.i++
	return nil
}

func (s *scanner) literal(text string) error {
	for j := range len(text) {
		if s.i >= len(s.b) || s.b[s.i] != text[j] {
			return s.fail("expected " + text)
		}
		s.i++
	}
	return nil
}

func (s *scanner) number() error {
	start := s.i
	if s.at('-') {
		s.i++
	}
	switch {
	case s.at('0'):
		s.i++
	case s.digits() > 0:
	case s.i == start:
		return s.fail("expected a value")
	default:
		return s.fail("expected a digit")
	}
	if s.at('.') {
		s.i++
		if s.digits() == 0 {
			return s.fail("expected a digit after the point")
		}
	}
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		if s.digits() == 0 {
			return s.fail("expected a digit in the exponent")
		}
	}
	return nil
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *scanner) digits() (n int) {
	for s.i < len(s.b) && s.b[s.i]-'0' < 10 {
		s.i++
		n++
	}
	return n
}

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// escapes marks, in the high bit of each byte, the bytes of x that can't stand for themselves in a string: quotes,
// backslashes and control characters. Above the lowest mark there may be false ones.
func escapes(x uint64) uint64 {
	quote := x ^ eachByte*'"'
	slash := x ^ eachByte*'\\'
	return ((x-eachByte*0x20)&^x | (quote-eachByte)&^quote | (slash-eachByte)&^slash) & highBits
}

// special marks those and what isn't ASCII.
func special(x uint64) uint64 { return escapes(x) | x&highBits }

// plain passes over text that has nothing special in it, eight bytes at once, and returns how much. It stops before the
// end of the body, where there are no eight bytes left.
func (s *scanner) plain() int {
	start := s.i
	for s.i+8 <= len(s.b) {
		if marks := special(binary.LittleEndian.Uint64(s.b[s.i:])); marks != 0 {
			s.i += bits.TrailingZeros64(marks) / 8
			break
		}
		s.i += 8
	}
	return s.i - start
}

// str passes over a string. It is where the time goes, in bodies of megabytes.
func (s *scanner) str() (value, error) {
	v := value{from: s.i}
	s.i++
	for {
		v.weight += s.plain()
		if s.i >= len(s.b) {
			return v, s.fail("")
		}
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			v.to = s.i
			return v, nil
		case c == '\\':
			w, err := s.escape()
			if err != nil {
				return v, err
			}
			v.weight += w
		case c < ' ':
			return v, s.fail("a control character in a string must be escaped")
		case c < utf8.RuneSelf:
			s.i++
			v.weight++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return v, SyntaxAt(s.b, s.i, "the text is not UTF-8")
			}
			s.i += n
			v.weight += runeWeight(n)
		}
	}
}

// escape passes over one escape sequence and returns its weight.
func (s *scanner) escape() (n int, err error) {
	if s.i+1 >= len(s.b) {
		s.i = len(s.b)
		return 0, s.fail("")
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return 1, nil
	case 'u':
		for s.i += 2; n < 4; n++ {
			if s.i >= len(s.b) || !isHex(s.b[s.i]) {
				return 0, s.fail("expected four hexadecimal digits")
			}
			s.i++
		}
		return runeWeight(3), nil
	}
	return 0, s.fail("expected an escape sequence that JSON knows")
}

func isHex(c byte) bool { return c-'0' < 10 || (c|0x20)-'a' < 6 }

// text is the string's text, unescaped. Without escapes it aliases the body.
func (s *scanner) text(v value) []byte {
	raw := s.b[v.from+1 : v.to-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[:len(raw):len(raw)]
	}
	return []byte(gjson.ParseBytes(s.b[v.from:v.to]).String())
}
