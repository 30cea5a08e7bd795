package provider

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/sdk/abi"
)

// An Answer is a vendor's answer on its way. It must be closed. Not safe for concurrent use: whoever wants to end a Next
// that waits cancels the context of Send.
type Answer struct {
	p        *Prepared
	ctx      context.Context // of the request; net/http leaves no other place for it
	caller   <-chan struct{} // Done of the context that Send was given
	cancel   context.CancelCauseFunc
	watch    *watch
	idle     *lapse
	resp     *http.Response
	streamed bool // the request asked for frames, so that the limits of streams hold
	document bool // the answer is a whole document, asked for as one or not

	framer  framing.Framer
	collect func(framing.Frame) error
	buf     []byte
	filled  bool            // the last read filled buf
	waited  time.Duration   // for a frame since the last one: comments and pings keep a connection alive, and are no answer
	pending error           // what the body's read returned together with its last bytes
	frames  []framing.Frame // of the last read
	records []abi.Record    // what the guest is pushed for them
	scratch []byte          // the records' payloads, or the raw bytes of several frames

	state    state
	err      error // what Next returns once ended
	headSent bool
	told     bool   // the guest had its End, or can't be told any more
	rest     []byte // what it then said, of an answer that is not complete
	eof      bool   // the body was read to its end, so that the connection can be used again
}

type state uint8

const (
	reading  state = iota
	complete       // the answer has all it needs; the vendor may still hold the connection open for a moment
	ended          // there is nothing more to read
)

// A Piece is what one read of the vendor's answer amounted to. All of it lasts until the next call of Next or Close.
type Piece struct {
	// Batch is an abi batch of events, on the translated lane: any of the kinds from KindMessageStart to KindSkipped
	// except KindError, which Next returns as a *Failure after the events before it.
	Batch []byte
	// Raw is the bytes to pass on, on the verbatim lane: whole frames, with the comments between them.
	Raw []byte
	// Frames are the frames with data that Raw holds, for the tap. There are none when Raw is a comment.
	Frames []framing.Frame
	// Document says that this is a whole answer and not a stream's element.
	Document bool
}

const (
	smallReadBytes = 4 << 10  // what a stream that waits holds
	largeReadBytes = 32 << 10 // once a read has filled the small one
	drainBytes     = 64 << 10
	drainTime      = 100 * time.Millisecond
)

// begin makes the answer ready to be read.
func (a *Answer) begin() error {
	kind, limit := a.p.framing, 0
	if a.document || kind == abi.FramingJSON {
		kind, limit, a.document = abi.FramingJSON, a.p.up.limits.DocumentBytes, true
	}
	var err error
	if a.framer, err = framing.New(kind, limit); err != nil {
		return a.p.fault("frame the answer", err)
	}
	if a.p.ask.Verbatim {
		a.told = true
		a.p.free() // the guest had a word on the request and has none on the answer: its place is for others
	}
	a.collect = func(f framing.Frame) error {
		a.frames = append(a.frames, f)
		return nil
	}
	a.buf = make([]byte, smallReadBytes)
	return nil
}

// Status is the vendor's HTTP status.
func (a *Answer) Status() int { return a.resp.StatusCode }

// Header is the vendor's response header. Its rate limits describe the operator's key and are nobody else's business.
func (a *Answer) Header() http.Header { return a.resp.Header }

// Document says that the answer is a whole document, asked for as one or not.
func (a *Answer) Document() bool { return a.document }

// Try returns the numbers of the try so far. It may be asked after Close.
func (a *Answer) Try() Try { return a.p.Try() }

// Next waits for the next piece and returns io.EOF after the last. Any other error is a *Failure, or says that the
// caller went away (Cancelled tells); Rest then has what there is for the books. ctx is watched for this call, beside
// the one that Send was given.
func (a *Answer) Next(ctx context.Context) (Piece, error) {
	if ctx.Done() != nil && ctx.Done() != a.caller {
		defer context.AfterFunc(ctx, func() { a.cancel(context.Cause(ctx)) })()
	}
	for a.state != ended {
		if err := a.read(); err != nil {
			a.end(err)
		}
		piece, err := a.deliver()
		if err != nil {
			a.end(err)
			continue
		}
		if piece.Batch != nil || piece.Raw != nil {
			return piece, nil
		}
	}
	return a.last()
}

// last is the end of the answer. One that broke off, or behind which there came nothing but comments, is complete all the
// same where the guest says so: vendors give the reason to stop, and do not always stop.
func (a *Answer) last() (Piece, error) {
	if a.err == io.EOF || a.told || !a.headSent || a.document || a.p.guest == nil || Cancelled(a.err) {
		return Piece{}, a.err
	}
	ev, ok := a.tellEnd(abi.EndBroken)
	if !ok {
		return Piece{}, a.err
	}
	if !ev.stopped || ev.failed != nil {
		a.rest = ev.batch
		return Piece{}, a.err
	}
	a.err = io.EOF
	return Piece{Batch: ev.batch}, nil
}

// tellEnd says to the guest that no more comes. A guest that fails then has only the log to say so: the answer has failed
// already.
func (a *Answer) tellEnd(why abi.EndReason) (events, bool) {
	a.told = true
	a.records = append(a.records[:0], abi.Record{Kind: abi.KindEnd, Flags: uint8(why)})
	ev, err := a.push()
	if err != nil {
		a.p.up.log.Warn("adapter failed at the end of a call", "provider", a.p.up.name, "module", a.p.module,
			"inference", a.p.ask.InferenceID, "error", err)
	}
	return ev, err == nil
}

// read fills frames from one read of the body, or from its end. The error is what Next is to end with: io.EOF, possibly
// together with last frames, or a failure.
func (a *Answer) read() error {
	a.frames = a.frames[:0]
	n, err := 0, a.pending
	if err == nil {
		n, err = a.readBody()
	}
	if n > 0 {
		a.pending = err // frames last until the framer's next call, so that the end is dealt with on its own
		if err := a.framer.Feed(a.buf[:n], a.collect); err != nil {
			return a.malformed(err)
		}
		if slices.ContainsFunc(a.frames, saysSomething) {
			a.waited = 0
		}
		return nil
	}
	switch {
	case err == nil:
		return nil
	case err == io.EOF:
		a.eof = true
	case a.state == complete: // broke off, or lingered too long, when all had been said
		return io.EOF
	default:
		return a.p.broken(a.ctx, PhaseBody, err)
	}
	if err := a.framer.Close(a.collect); err != nil && a.state != complete {
		return a.malformed(err)
	}
	return io.EOF
}

// saysSomething is false for what only shows that the vendor is there: a comment, or the event that Anthropic has for it.
func saysSomething(f framing.Frame) bool { return !f.Empty && string(f.Event) != "ping" }

// readBody reads the body once, under the deadline that holds now.
func (a *Answer) readBody() (int, error) {
	if a.streamed && a.state == reading && a.p.try.FirstByte > 0 {
		a.expect()
	}
	began := time.Now()
	if a.filled && len(a.buf) < largeReadBytes {
		a.buf = make([]byte, largeReadBytes)
	}
	n, err := a.resp.Body.Read(a.buf)
	a.waited += time.Since(began)
	if n == 0 {
		return 0, err
	}
	if a.streamed && a.state == reading {
		a.watch.stop() // the time that the caller takes to read is not the vendor's
	}
	if a.p.try.FirstByte == 0 {
		a.p.try.FirstByte = time.Since(a.p.try.Started)
	}
	a.p.try.ReceivedBytes += int64(n)
	a.filled = n == len(a.buf)
	return n, err
}

// expect gives the vendor its time for the next byte. Comments and pings say that it is at work still, and vendors send them
// for minutes before they answer; but no longer than a whole answer may take.
func (a *Answer) expect() {
	switch left := a.p.up.limits.Total - a.waited; {
	case left >= a.idle.after:
		a.watch.set(a.idle)
	case left > 0:
		a.watch.set(&lapse{onlyComments, left})
	default:
		a.cancel(&lapse{onlyComments, a.p.up.limits.Total})
	}
}

const onlyComments = "nothing but comments and pings"

// malformed is the failure of a body that isn't in the framing it should be in.
func (a *Answer) malformed(err error) *Failure {
	f := a.p.unusable(PhaseBody, "the vendor's answer could not be read")
	f.cause = fmt.Errorf("frame the answer: %w", err)
	return f
}

// end settles how the answer ended. What settled it first stays.
func (a *Answer) end(err error) {
	if a.state != ended {
		a.state, a.err = ended, err
	} else if a.err == io.EOF {
		a.err = err
	}
}

// linger gives the vendor d to close an answer that is complete.
func (a *Answer) linger(d time.Duration) {
	if a.state == reading {
		a.state = complete
		a.watch.set(&lapse{"no end", d})
	}
}

// Rest ends the answer where it is: the vendor is cancelled, the guest told why, and what it then says is returned as a
// batch of events that are only booked, never sent: the usage so far. It is nil on the verbatim lane, after the answer's
// own end, and when asked again. The batch lasts until Close.
func (a *Answer) Rest() []byte {
	a.cancel(context.Canceled)
	why := abi.EndCancelled
	if a.state == ended && !Cancelled(a.err) {
		why = abi.EndBroken
	}
	a.end(fmt.Errorf("provider %s: %w", a.p.up.name, ErrCallerLeft))
	if said := a.rest; said != nil {
		a.rest = nil
		return said
	}
	if a.told || !a.headSent || a.p.guest == nil {
		return nil
	}
	ev, ok := a.tellEnd(why)
	if !ok {
		return nil
	}
	return ev.batch
}

// Close cancels what is still under way and gives the guest back. It may be called any number of times.
func (a *Answer) Close() {
	if a.p.try.Ended == 0 {
		a.p.try.Ended = time.Since(a.p.try.Started)
	}
	if a.resp != nil {
		a.drain()
	}
	a.cancel(context.Canceled)
	a.watch.stop()
	if a.resp != nil {
		a.resp.Body.Close()
	}
	a.p.free()
}

// drain reads the end of an answer that is complete, for a moment, since the connection can only be used again after it.
func (a *Answer) drain() {
	if a.eof || a.state != ended || a.err != io.EOF {
		return
	}
	a.eof = true
	a.watch.set(&lapse{"no end", drainTime})
	// Whatever goes wrong costs the connection, nothing else.
	_, _ = io.CopyN(io.Discard, a.resp.Body, drainBytes)
}
