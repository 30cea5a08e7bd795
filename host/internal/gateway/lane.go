package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/route"
	"github.com/ainfera-ai/router/sdk/abi"
)

// A lane turns a vendor's pieces into what the caller is sent, and keeps account of them.
type lane interface {
	// take returns the bytes that a piece makes, also together with an error.
	take(p *provider.Piece) ([]byte, error)
	// started says that the message has opened: from here on the caller may be told 200.
	started() bool
	// finish ends the answer at the end of its body; it is an error where the vendor ended too early.
	finish() ([]byte, error)
	// done says that what was taken holds the message's end: nothing may go out behind it.
	done() bool
	// closing ends an answer whose connection broke, if the frames that end it are all that it lacks.
	closing() ([]byte, bool)
	// whole is the answer to a call that isn't streamed, once it is finished. It is asked for once.
	whole() ([]byte, error)
	// result is what is known of the answer so far.
	result() messages.Result
}

// lane is the verbatim one where the vendor speaks Anthropic, the translated one elsewhere, with the caller's dialect in
// front of it.
func (c *call) lane(ask *provider.Ask, cand *route.Candidate, dep route.Deployment) lane {
	var l lane
	if ask.Verbatim {
		l = &verbatim{tap: messages.NewTap(), stream: c.req.Stream, redact: c.world.Upstreams[dep.Provider].Redact}
	} else {
		l = &translated{w: messages.NewWriter(messages.WriterConfig{ID: "msg_" + plainID(c.inferenceID), Model: cand.Entry.Slug,
			EstimatedInputTokens: c.req.EstimatedInputTokens, Accumulate: !c.req.Stream})}
	}
	return c.dialect.lane(c, cand.Entry, dep.Provider, l)
}

// translated is a guest's events put into the Anthropic grammar.
type translated struct {
	w   *messages.Writer
	buf []byte // used again for every piece
}

// Bounds on what one piece of a vendor's answer becomes: an adapter that makes millions of events of a piece would have all
// their frames here at once. A larger buffer than most pieces need is not kept.
const (
	maxPieceBytes = 64 << 20
	keepPiece     = 1 << 20
)

func (l *translated) take(p *provider.Piece) ([]byte, error) {
	if l.buf = l.buf[:0]; cap(l.buf) > keepPiece {
		l.buf = nil
	}
	r, err := abi.NewReader(p.Batch)
	if err != nil {
		return nil, err
	}
	for {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			return l.buf, err
		}
		if l.buf, err = l.w.Apply(l.buf, rec); err != nil {
			return l.buf, err
		}
		if len(l.buf) > maxPieceBytes {
			return nil, &messages.GrammarError{Event: "a piece of the answer", Reason: fmt.Sprintf("it became more than %d bytes", maxPieceBytes)}
		}
	}
}

func (l *translated) started() bool { return l.w.Started() }

func (l *translated) finish() (out []byte, err error) {
	l.buf, err = l.w.Finish(l.buf[:0], abi.EndOfBody)
	return l.buf, err
}

// done is never so before finish: usage may come until the body ends.
func (l *translated) done() bool { return false }

// closing is never possible: a break behind the stop reason reaches this lane as the body's end.
func (l *translated) closing() ([]byte, bool) { return nil, false }

func (l *translated) whole() ([]byte, error) { return l.w.Message(), nil }

func (l *translated) result() messages.Result { return l.w.Result() }

// verbatim is the vendor's own bytes, with the tap reading along.
type verbatim struct {
	tap    *messages.Tap
	stream bool
	doc    []byte
	redact func([]byte) []byte // takes the operator's credentials out of a vendor's words
}

var errNotAsked = errors.New("the vendor streamed an answer that was asked for whole, or the other way round")

func (l *verbatim) take(p *provider.Piece) (out []byte, err error) {
	switch {
	case p.Document:
		err = l.document(p)
	case !l.stream:
		err = errNotAsked
	default:
		out, err = l.frames(p)
	}
	var vendor *messages.VendorError
	if errors.As(err, &vendor) {
		vendor.Message = string(l.redact([]byte(vendor.Message)))
	}
	return out, err
}

func (l *verbatim) document(p *provider.Piece) error {
	doc := bytes.TrimPrefix(p.Raw, bom)
	if l.stream {
		return notAsked(doc)
	}
	l.doc = bytes.Clone(doc)
	return l.tap.Document(l.doc)
}

// bom is a byte order mark, which clients take for part of a name, or for no JSON.
var bom = []byte("\xef\xbb\xbf")

// notAsked is the error of a document in a stream's place: the vendor's own, where that is what it is.
func notAsked(doc []byte) error {
	var vendor *messages.VendorError
	if err := messages.NewTap().Document(doc); errors.As(err, &vendor) {
		return vendor
	}
	return errNotAsked
}

// frames lets through what belongs to the message. Whatever comes before it or behind it, pings and comments too, would
// break the order that clients rely on. What precedes a frame that is refused is let through, so that an error in
// mid-stream costs nothing that came before.
func (l *verbatim) frames(p *provider.Piece) ([]byte, error) {
	if l.tap.Done() {
		return nil, nil
	}
	from, to := 0, len(p.Raw)
	opened := l.tap.Started()
	var before []byte // what precedes a frame that is left out
	for i := range p.Frames {
		f := &p.Frames[i]
		if l.tap.Done() {
			to = offset(p, i)
			break
		}
		if l.tap.Repeats(f.Data) {
			at := offset(p, i)
			before = append(before, p.Raw[from:at]...)
			from = at + len(f.Raw)
			continue
		}
		err := l.tap.Frame(f.Event, f.Data)
		if err == nil && f.Unterminated && !json.Valid(f.Data) {
			err = messages.ErrCut
		}
		if err != nil {
			return append(before, opening(p, opened, from, offset(p, i))...), err
		}
		if !opened && l.tap.Started() {
			opened, from = true, offset(p, i)
			if bytes.HasPrefix(p.Raw[from:], bom) {
				from += len(bom)
			}
		}
	}
	out := opening(p, opened, from, to)
	if before != nil {
		out = append(before, out...)
	}
	if n := len(p.Frames); n > 0 && to == len(p.Raw) && p.Frames[n-1].Unterminated {
		out = append(append([]byte(nil), bytes.TrimRight(out, "\r\n")...), "\n\n"...)
	}
	return out, nil
}

// opening is the part of a piece that may go out, which is nothing before the message has opened.
func opening(p *provider.Piece, opened bool, from, to int) []byte {
	if !opened {
		return nil
	}
	return p.Raw[from:to]
}

// offset is where a piece's i-th frame begins in its bytes. Comments lie between frames and are in none.
func offset(p *provider.Piece, i int) int {
	at := 0
	for j := range i + 1 {
		raw := p.Frames[j].Raw
		n := bytes.Index(p.Raw[at:], raw)
		if n < 0 {
			return 0
		}
		if at += n; j < i {
			at += len(raw)
		}
	}
	return at
}

func (l *verbatim) started() bool { return l.tap.Started() }

func (l *verbatim) finish() ([]byte, error) {
	if tail, ok := l.closing(); ok {
		return tail, nil
	}
	return nil, l.tap.End()
}

func (l *verbatim) done() bool { return l.tap.Done() }

func (l *verbatim) closing() ([]byte, bool) {
	if l.tap.Done() {
		return nil, true
	}
	return l.tap.Closing(nil)
}

func (l *verbatim) whole() ([]byte, error) { return l.doc, nil }

func (l *verbatim) result() messages.Result { return l.tap.Result() }
