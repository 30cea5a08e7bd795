package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/ainfera-ai/router/host/internal/proof"
)

// findings prints what a check finds as it finds it, so that a store with millions of violations is named in full and
// kept in no memory. As JSON they are the first member of one object; end writes the others. Errors of w are kept for end.
type findings struct {
	w      io.Writer
	asJSON bool
	n      int
	err    error
}

func newFindings(w io.Writer, asJSON bool) *findings { return &findings{w: w, asJSON: asJSON} }

// opening is how the object begins, once something is found or all is over: a command that could not begin prints none.
const opening = `{"findings":[`

func (f *findings) print(format string, args ...any) {
	if _, err := fmt.Fprintf(f.w, format, args...); f.err == nil {
		f.err = err
	}
}

func (f *findings) add(x proof.Finding) {
	f.n++
	if !f.asJSON {
		f.print("FOUND %s\n", x.String())
		return
	}
	line, err := unescaped(x)
	if f.err == nil {
		f.err = err
	}
	before := ","
	if f.n == 1 {
		before = opening
	}
	f.print("%s\n%s", before, line)
}

// end prints the summary, or adds its members to the object, and returns the violation if anything was found. err is
// that of the check itself: what was found until then stands, and nothing is said of the rest.
func (f *findings) end(err error, summary any, text func(io.Writer)) error {
	if err != nil {
		return err
	}
	if f.asJSON {
		members, err := unescaped(summary)
		if err != nil {
			return err
		}
		if f.n == 0 {
			f.print(opening)
		}
		f.print("],\n%s,\n\"ok\":%t}\n", bytes.TrimSuffix(bytes.TrimPrefix(members, []byte("{")), []byte("}")), f.n == 0)
	} else {
		text(f.w)
	}
	switch {
	case f.err != nil:
		return fmt.Errorf("write: %w", f.err)
	case f.n == 1:
		return &violation{"1 thing is not as it must be"}
	case f.n > 0:
		return &violation{fmt.Sprintf("%d things are not as they must be", f.n)}
	}
	return nil
}

func unescaped(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
