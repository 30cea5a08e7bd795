package wasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A Stream is one call's conversation with an adapter: Open once and first, Push any number of times, Close once, always.
// After an error that is a *Fault every later call returns the same. Not safe for concurrent use.
type Stream struct {
	m *Module
	// An isolated stream has an instance; a shared one has a seat in one, and a journal to take another seat with.
	in      *instance
	shared  *sharedInstance
	id      uint32
	seated  bool // shared and known to the guest under id
	journal journal
	out     []byte
	stats   CallStats
	err     error
	opened  bool
}

// NewStream takes an instance for a stream, or a seat in one. ctx bounds the wait for it, not the stream.
func (m *Module) NewStream(ctx context.Context) (*Stream, error) {
	if m.kind != KindAdapter {
		return nil, fmt.Errorf("plugin %s: %w: stream of a %s", m.spec.Name, ErrKind, m.kind)
	}
	s := &Stream{m: m, id: 1}
	var err error
	if m.spec.Isolation == IsolationShared {
		s.journal.limit = m.spec.JournalBytes
		s.shared, err = m.set.join(ctx, m)
	} else {
		s.in, err = m.acquire(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open begins the stream with Open and Body records, and returns the batch of the vendor's request or of a refusal. The
// batch lasts until the next call.
//
// The records' payloads are kept, not copied, until Close: a shared stream may have to be begun again. Callers must not
// change them before.
func (s *Stream) Open(recs ...abi.Record) ([]byte, error) {
	return s.own(s.AppendOpen(s.out[:0], recs...))
}

// Push feeds the stream Head, Frame and End records, whose payloads are free again when it returns, and returns the batch
// of its events. The batch lasts until the next call.
func (s *Stream) Push(recs ...abi.Record) ([]byte, error) {
	return s.own(s.AppendPush(s.out[:0], recs...))
}

// own keeps the buffer for the next call, unless it is larger than what most streams ever need.
func (s *Stream) own(out []byte, err error) ([]byte, error) {
	const keep = 64 << 10
	if s.out = out; cap(out) > keep {
		s.out = nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// AppendOpen is Open that appends the batch to dst, which is returned as it was when there is an error.
func (s *Stream) AppendOpen(dst []byte, recs ...abi.Record) ([]byte, error) {
	if s.opened {
		return dst, errors.New("wasm: open of a stream that is open already")
	}
	s.opened = true
	dst, err := s.feed(dst, true, recs)
	switch {
	case err != nil:
	case s.shared != nil:
		s.journal.begin(recs)
	default:
		// The stream will not call these again, or hardly, and each has a stack.
		s.in.openFunc, s.in.arenaFunc = nil, nil
	}
	return dst, err
}

// AppendPush is Push that appends the batch to dst, which is returned as it was when there is an error.
func (s *Stream) AppendPush(dst []byte, recs ...abi.Record) ([]byte, error) {
	if !s.opened {
		return dst, errors.New("wasm: push to a stream that was not opened")
	}
	dst, err := s.feed(dst, false, recs)
	if err == nil && s.shared != nil {
		s.journal.add(recs)
	}
	return dst, err
}

// Stats is what the stream's calls cost so far.
func (s *Stream) Stats() CallStats { return s.stats }

// Close ends the stream, whatever state it is in, and gives back what it holds. Idempotent.
func (s *Stream) Close() {
	if errors.Is(s.err, ErrClosed) {
		return
	}
	if s.in != nil {
		s.m.giveBack(s.in)
	}
	if s.shared != nil {
		s.stand()
	}
	s.in, s.shared, s.out, s.journal = nil, nil, nil, journal{}
	s.err = fmt.Errorf("plugin %s: stream: %w", s.m.spec.Name, ErrClosed)
}

// feed is one call, on whichever instance the stream is at.
func (s *Stream) feed(dst []byte, open bool, recs []abi.Record) ([]byte, error) {
	if s.err != nil {
		return dst, s.err
	}
	began := time.Now()
	var fuel int64
	var err error
	if s.in != nil {
		dst, fuel, err = s.in.stream(dst, open, s.id, recs)
	} else {
		dst, fuel, err = s.feedShared(dst, open, recs)
	}
	s.m.counters.call(fuel, s.stats.add(fuel, began))
	if err != nil {
		s.failed(err)
	}
	return dst, err
}

// failed keeps a fault for later calls. Other errors left the stream as it was.
func (s *Stream) failed(err error) {
	if f := (*Fault)(nil); errors.As(err, &f) {
		s.err = err
		s.journal = journal{}
	}
}

// stream is a call of open or push.
func (in *instance) stream(dst []byte, open bool, id uint32, recs []abi.Record) ([]byte, int64, error) {
	if open {
		return in.exchange(dst, abi.ExportOpen, &in.openFunc, toVendor, id, recs)
	}
	return in.exchange(dst, abi.ExportPush, &in.pushFunc, toCaller, id, recs)
}
