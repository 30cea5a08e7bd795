package meter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A reader is a cursor over the module that remembers its first error. After an error every read returns zero, so that
// callers may check once at the end of a construct. It stands in one section; base makes offsets those of the file.
type reader struct {
	b    []byte
	pos  int
	base int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &RefusedError{Reason: fmt.Sprintf(format, args...), Offset: r.base + r.pos}
		r.pos = len(r.b)
	}
}

func (r *reader) more() bool { return r.err == nil && r.pos < len(r.b) }

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail("module is cut short")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.b)-r.pos {
		r.fail("module is cut short")
		return nil
	}
	s := r.b[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return s
}

// u32 reads an unsigned LEB128 of at most five bytes.
func (r *reader) u32() uint32 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			if shift == 28 && c > 0x0f {
				break
			}
			return v
		}
	}
	r.fail("number is too large for 32 bits")
	return 0
}

// signed reads a signed LEB128 of the given width.
func (r *reader) signed(bits int) int64 {
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if left := bits - shift; left < 7 {
			// The last byte: what lies above the width must repeat the sign.
			if sign := int8(c<<1) >> (left); sign != 0 && sign != -1 {
				break
			}
		}
		if shift += 7; shift < 64 && c&0x40 != 0 {
			v |= -1 << shift
		}
		return v
	}
	r.fail("number is too large for %d bits", bits)
	return 0
}

// count reads the length of a vector whose elements take at least size bytes each, so that nobody allocates for elements
// that can't be there.
func (r *reader) count(size int) int {
	n := int(r.u32())
	if r.err == nil && n > (len(r.b)-r.pos)/size {
		r.fail("%d elements can't fit into the %d bytes that are left", n, len(r.b)-r.pos)
		return 0
	}
	return n
}

// bounded is count for what the compiler keeps a record of: each may be a few bytes here and hundreds there.
func (r *reader) bounded(size, limit int, what string) int {
	n := r.count(size)
	if n > limit {
		r.fail("module has %d %s, the limit is %d", n, what, limit)
		return 0
	}
	return n
}

func (r *reader) name() string {
	s := r.bytes(r.count(1))
	if !utf8.Valid(s) {
		r.fail("name is not UTF-8")
		return ""
	}
	return string(s)
}

// label is the name of an import or export, which errors repeat to people.
func (r *reader) label() string {
	s := r.name()
	if len(s) > maxLabelBytes {
		r.fail("name of %d bytes, the limit is %d", len(s), maxLabelBytes)
	} else if i := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
		r.fail("name %q can't be printed", s)
	}
	return s
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS64(b []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c&0x40 == 0 || v == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func appendName(b []byte, s string) []byte { return append(appendU32(b, uint32(len(s))), s...) }

// reserve leaves room for a length that patch fills in, in five bytes whatever it is, so that what follows never moves.
func reserve(b []byte) ([]byte, int) { return append(b, 0, 0, 0, 0, 0), len(b) + 5 }

func patch(b []byte, start int) {
	n := uint32(len(b) - start)
	for i := range 5 {
		b[start-5+i] = byte(n>>(7*i))&0x7f | 0x80
	}
	b[start-1] &^= 0x80
}
