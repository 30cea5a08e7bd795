package provider

import (
	"io"

	"github.com/ainfera-ai/router/sdk/abi"
)

// deliver makes a piece of the frames of the last read.
func (a *Answer) deliver() (Piece, error) {
	if a.p.ask.Verbatim {
		return a.pass(), nil
	}
	return a.translate()
}

// pass hands the vendor's bytes on as they are.
func (a *Answer) pass() Piece {
	if a.p.framing == abi.FramingAWS && !a.document {
		if err := a.unwrap(); err != nil {
			a.end(err)
		}
	}
	piece := Piece{Document: a.document}
	if len(a.frames) == 1 {
		piece.Raw = a.frames[0].Raw
	} else if len(a.frames) > 1 && a.p.framing == abi.FramingAWS {
		piece.Raw = a.scratch
	} else if len(a.frames) > 1 {
		a.scratch = a.scratch[:0]
		for i := range a.frames {
			a.scratch = append(a.scratch, a.frames[i].Raw...)
		}
		piece.Raw = a.scratch
	}
	kept := a.frames[:0]
	for _, f := range a.frames {
		if f.Empty {
			continue
		}
		kept = append(kept, f)
		if string(f.Event) == "message_stop" || string(f.Event) == "error" {
			a.linger(drainTime)
		}
	}
	piece.Frames = kept
	return piece
}

// translate has the guest make events of the frames.
func (a *Answer) translate() (Piece, error) {
	a.records, a.scratch = a.records[:0], a.scratch[:0]
	terminal := a.recordFrames()
	if terminal {
		a.end(io.EOF)
	}
	if a.state == ended && a.err == io.EOF {
		a.records = append(a.records, abi.Record{Kind: abi.KindEnd, Flags: uint8(abi.EndOfBody)})
		a.told = true
	}
	if len(a.records) == 0 {
		return Piece{}, nil
	}
	if !a.headSent {
		a.headSent = true
		a.records = append(a.records, abi.Record{})
		copy(a.records[1:], a.records)
		a.records[0] = a.head()
	}
	ev, err := a.push()
	if err != nil {
		a.told = true // a guest that failed is not asked again
		return Piece{}, a.p.fault("push", err)
	}
	if ev.failed != nil {
		a.told = true
		a.end(a.reported(ev.failed))
	} else if ev.stopped {
		a.linger(a.p.up.limits.Linger)
	}
	return Piece{Batch: ev.batch, Document: a.document}, nil
}

// recordFrames turns frames into records and says whether one of them is the last that its protocol knows: what a vendor
// sends after it, heartbeats for the rest of the hour, is not waited for.
func (a *Answer) recordFrames() (terminal bool) {
	need := 0
	for i := range a.frames {
		need += len(a.frames[i].Event) + len(a.frames[i].Data)
	}
	if cap(a.scratch) < need { // records alias scratch, which therefore may not move
		a.scratch = make([]byte, 0, need)
	}
	for i := range a.frames {
		f := &a.frames[i]
		if f.Empty {
			continue
		}
		rec := abi.Record{Kind: abi.KindFrame, Block: uint16(len(f.Event)), Payload: f.Data}
		if f.Document {
			rec.Flags = abi.FlagDocument
		}
		if len(f.Event) > 0 {
			from := len(a.scratch)
			a.scratch = append(append(a.scratch, f.Event...), f.Data...)
			rec.Payload = a.scratch[from:]
		}
		a.records = append(a.records, rec)
		if string(f.Data) == "[DONE]" || string(f.Event) == "message_stop" {
			return true
		}
	}
	return false
}

func (a *Answer) push() (events, error) {
	batch, err := a.p.guest.Push(a.records...)
	if err != nil {
		return events{}, err
	}
	return readEvents(batch)
}

// reported is the failure that the vendor told of in an answer that had begun as a success.
func (a *Answer) reported(word *vendorError) *Failure {
	f := a.p.unusable(PhaseBody, "the vendor reported an error in its answer")
	f.Kind, f.RetryAfter = word.Kind, word.retryAfter()
	if word.Message != "" {
		f.Message = string(a.p.up.Redact([]byte(word.Message)))
	}
	return f
}
