package sdktest

import (
	"bytes"
	"errors"
	"fmt"
)

// CasesSection is the custom section in which a module carries its recorded cases: JSON, one Case a line. A runtime passes
// custom sections over; the host reads this one before it lets a version serve.
const CasesSection = "ainfera.cases"

// MaxCasesBytes bounds the section.
const MaxCasesBytes = 4 << 20

var (
	wasmHeader = []byte("\x00asm\x01\x00\x00\x00")
	errCut     = errors.New("module is cut short")
)

// PackCases returns the module with these cases, one a line, in place of any that it had. The lines are read first, so that
// a module that can't be tested is not made.
func PackCases(module, lines []byte) ([]byte, error) {
	if _, err := ReadCases(lines); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(module)+len(lines)+32)
	err := sections(module, func(whole []byte, name string, _ []byte) error {
		if name != CasesSection {
			out = append(out, whole...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	body := append(appendLEB(nil, len(CasesSection)), CasesSection...)
	body = append(body, lines...)
	out = append(append([]byte(nil), wasmHeader...), out...)
	out = appendLEB(append(out, 0), len(body))
	return append(out, body...), nil
}

// CasesOf reads the cases that a module carries; none where it has no such section.
func CasesOf(module []byte) ([]Case, error) {
	var lines []byte
	found := false
	err := sections(module, func(_ []byte, name string, data []byte) error {
		if name != CasesSection {
			return nil
		}
		if found {
			return fmt.Errorf("module has two sections %s", CasesSection)
		}
		lines, found = data, true
		return nil
	})
	if err != nil || !found {
		return nil, err
	}
	return ReadCases(lines)
}

// sections walks a module. name and data are a custom section's; the name of any other is empty.
func sections(module []byte, each func(whole []byte, name string, data []byte) error) error {
	if !bytes.HasPrefix(module, wasmHeader) {
		return errors.New("not a WebAssembly module of version 1")
	}
	rest := module[len(wasmHeader):]
	for len(rest) > 0 {
		n, body, ok := cutLEB(rest[1:])
		if !ok || n > len(body) {
			return errCut
		}
		whole := rest[:len(rest)-len(body)+n]
		body, rest = body[:n], body[n:]
		name := ""
		if whole[0] == 0 {
			size, text, ok := cutLEB(body)
			if !ok || size > len(text) {
				return errCut
			}
			name, body = string(text[:size]), text[size:]
		}
		if err := each(whole, name, body); err != nil {
			return err
		}
	}
	return nil
}

// cutLEB takes an unsigned LEB128 of at most 32 bits off the front.
func cutLEB(b []byte) (n int, rest []byte, ok bool) {
	v := uint64(0)
	for i := 0; i < len(b) && i < 5; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int(v), b[i+1:], v <= 1<<32-1
		}
	}
	return 0, nil, false
}

func appendLEB(b []byte, n int) []byte {
	for v := uint32(n); ; v >>= 7 {
		if v < 0x80 {
			return append(b, byte(v))
		}
		b = append(b, byte(v)|0x80)
	}
}
