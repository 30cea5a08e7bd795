// Package sdktest is a stand-in for the host in an adapter's tests.
//
// It opens a stream with a call, shows the request that comes out, feeds a recorded answer and puts the events together
// into a message, checking on the way that they are well formed:
//
//	g := sdk.NewAdapterGuest(manifest, mine{})
//	x := sdktest.Exchange{Call: `{"op":"chat","model":"m"}`, Body: body, Answer: sdktest.SSE(recording)}
//	got, err := x.Run(g)
//
// Guest is what an exchange runs on, so that the same table runs on the adapter as Go and on the module it was
// compiled to.
package sdktest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A Guest is an adapter behind its batches: *sdk.AdapterGuest, or a module in a runtime.
type Guest interface {
	Open(stream uint32, batch []byte) []byte
	Push(stream uint32, batch []byte) []byte
	Close(stream uint32)
}

// An Exchange is one call and the vendor's answer to it.
type Exchange struct {
	// Call is the Open record's JSON.
	Call string
	// Body is the caller's request in the Anthropic shape; none on the verbatim lane.
	Body string
	// Answer is what the vendor sends; the zero Answer stops behind the request.
	Answer Answer
	// Together pushes head, frames and end in one batch instead of one each. An adapter must not tell the difference.
	Together bool
	// Split has a new push begin at these frames, where Together is set; the number of frames is the end.
	Split []int
}

// An Answer is a vendor's, in pieces as the host cuts them.
type Answer struct {
	// Status is the HTTP status, 0 when there is no answer.
	Status int
	// Headers have their names in lower case.
	Headers map[string]string
	Frames  []Frame
	End     abi.EndReason
}

// A Frame is one piece of an answer.
type Frame struct {
	Event, Data string
	Document    bool
}

// Document is the answer that isn't streamed.
func Document(status int, body string) Answer {
	return Answer{Status: status, Frames: []Frame{{Data: body, Document: true}}}
}

// SSE is the streamed answer with this body.
func SSE(body []byte) Answer { return Answer{Status: 200, Frames: CutSSE(body)} }

// stream is the handle that exchanges use.
const stream = 7

// Run plays the exchange on g and returns what came out. The error is about the guest: a batch that does not read, or
// events that aren't well formed; a refusal or a vendor's error is a result like any other.
func (x *Exchange) Run(g Guest) (*Result, error) {
	b := abi.AppendBatch(nil, stream)
	b = abi.AppendRecord(b, abi.KindOpen, 0, 0, []byte(x.Call))
	if x.Body != "" {
		b = abi.AppendRecord(b, abi.KindBody, 0, 0, []byte(x.Body))
	}
	res := &Result{}
	if err := res.takeRequest(g.Open(stream, b)); err != nil {
		return res, fmt.Errorf("open: %w", err)
	}
	if res.Refusal != nil {
		return res, nil
	}
	defer g.Close(stream)
	if x.Answer.Status == 0 {
		return res, nil
	}
	c := newChecker(res)
	for i, batch := range x.batches() {
		if err := c.take(g.Push(stream, batch)); err != nil {
			return res, fmt.Errorf("push %d: %w", i, err)
		}
	}
	return res, c.end(x.Answer.End)
}

// batches are the pushes of the answer.
func (x *Exchange) batches() [][]byte {
	headers := x.Answer.Headers
	if headers == nil {
		headers = map[string]string{}
	}
	head, err := json.Marshal(struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
	}{x.Answer.Status, headers})
	if err != nil {
		panic(err) // strings and an int
	}
	type piece struct {
		kind    abi.Kind
		flags   uint8
		block   uint16
		payload string
	}
	pieces := []piece{{abi.KindHead, 0, 0, string(head)}}
	for _, f := range x.Answer.Frames {
		p := piece{abi.KindFrame, 0, uint16(len(f.Event)), f.Event + f.Data}
		if f.Document {
			p.flags = abi.FlagDocument
		}
		pieces = append(pieces, p)
	}
	pieces = append(pieces, piece{abi.KindEnd, uint8(x.Answer.End), 0, ""})
	var out [][]byte
	for i, p := range pieces {
		if i == 0 || !x.Together || slices.Contains(x.Split, i-1) {
			out = append(out, abi.AppendBatch(nil, stream))
		}
		last := len(out) - 1
		out[last] = abi.AppendRecord(out[last], p.kind, p.flags, p.block, []byte(p.payload))
	}
	return out
}

// A Result is what an adapter made of an exchange.
type Result struct {
	Request Request
	// Refusal is set when the adapter refused the call; all else is then empty.
	Refusal *Refusal
	Dropped []string

	Message Message
	// Events are all events in their order.
	Events []Event
}

// A Request is the vendor's request as the adapter built it.
type Request struct {
	Method, Path, Query, Framing string
	Headers                      map[string]string
	// Body holds "<ref N>" where a reference stands.
	Body string
	// Whole says that the caller's body is taken as it is, apart from Edits.
	Whole bool
	Edits string
}

// A Refusal is the adapter's.
type Refusal struct{ Kind, Message string }

// An Event is one record that the adapter emitted.
type Event struct {
	Kind    abi.Kind
	Block   uint16
	Payload string
}

// takeRequest reads the batch of an open.
func (r *Result) takeRequest(batch []byte) error {
	recs, err := read(batch)
	if err != nil {
		return err
	}
	begun := false
	for i, rec := range recs {
		switch rec.Kind {
		case abi.KindRequest:
			if begun {
				return errors.New("two Request records")
			}
			begun = true
			if err := json.Unmarshal([]byte(rec.Payload), &r.Request); err != nil {
				return fmt.Errorf("request %q: %w", rec.Payload, err)
			}
		case abi.KindRequestBody:
			r.Request.Body += rec.Payload
		case abi.KindRequestRef:
			if len(rec.Payload) != 4 {
				return fmt.Errorf("a reference of %d bytes", len(rec.Payload))
			}
			r.Request.Body += fmt.Sprintf("<ref %d>", binary.LittleEndian.Uint32([]byte(rec.Payload)))
		case abi.KindRequestWhole:
			r.Request.Whole, r.Request.Edits = true, rec.Payload
		case abi.KindDropped:
			r.Dropped = append(r.Dropped, rec.Payload)
		case abi.KindRefuse:
			if len(recs) > 1 {
				return errors.New("a refusal among other records")
			}
			r.Refusal = &Refusal{}
			return json.Unmarshal([]byte(rec.Payload), r.Refusal)
		default:
			return fmt.Errorf("record %d of kind %#x has no place in the answer to open", i, rec.Kind)
		}
	}
	if !begun {
		return errors.New("neither a request nor a refusal")
	}
	return nil
}

// read copies the records out of a batch, as the host does before its next call.
func read(batch []byte) ([]Event, error) {
	r, err := abi.NewReader(batch)
	if err != nil {
		return nil, err
	}
	if r.Stream() != stream {
		return nil, fmt.Errorf("batch for stream %d, want %d", r.Stream(), stream)
	}
	var out []Event
	for {
		rec, ok, err := r.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		out = append(out, Event{rec.Kind, rec.Block, string(rec.Payload)})
	}
}
