package provider

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/sdk/abi"
)

// Bedrock streams Anthropic's events in AWS's frames, each as base64 in {"bytes":"…"}. On the verbatim lane they are put
// back into server-sent events, whose data is the vendor's JSON byte for byte.
//
//	┌ AWS frame, :event-type chunk ─────────┐        event: message_stop
//	│ {"bytes":"eyJ0eXBlIjoibWVzc2FnZV9…"}  │   ─▶   data: {"type":"message_stop",…}
//	└───────────────────────────────────────┘

// unwrap turns the frames of the last read into server-sent events, in scratch. An exception of AWS's ends the answer.
func (a *Answer) unwrap() error {
	need := 0
	for i := range a.frames {
		need += len(a.frames[i].Data) + sseOverhead
	}
	if cap(a.scratch) < need { // frames will alias scratch, which therefore may not move
		a.scratch = make([]byte, 0, need)
	}
	a.scratch = a.scratch[:0]
	kept := a.frames[:0]
	for _, f := range a.frames {
		if f.Exception {
			a.frames = kept
			return a.exception(f)
		}
		out, err := a.event(f.Data)
		if err != nil {
			a.frames = kept
			return a.malformed(err)
		}
		if out.Raw != nil {
			kept = append(kept, out)
		}
	}
	a.frames = kept
	return nil
}

// sseOverhead is what an event's name and the syntax add to its data at most; base64 gives up a quarter besides.
const sseOverhead = 128

// event appends one event to scratch. A frame without bytes is none, and is passed over.
func (a *Answer) event(payload []byte) (framing.Frame, error) {
	encoded := gjson.GetBytes(payload, "bytes")
	if encoded.Type != gjson.String {
		return framing.Frame{}, nil
	}
	data, err := base64.StdEncoding.DecodeString(encoded.Str)
	if err != nil {
		return framing.Frame{}, fmt.Errorf("bytes of a chunk: %w", err)
	}
	name := gjson.GetBytes(data, "type").Str
	if name == "" || len(name) > sseOverhead/2 || strings.ContainsAny(name, "\r\n") || strings.ContainsAny(string(data), "\r\n") {
		return framing.Frame{}, errors.New("bytes of a chunk: not an event of one line with a type")
	}
	from := len(a.scratch)
	a.scratch = append(append(append(a.scratch, "event: "...), name...), "\ndata: "...)
	at := len(a.scratch)
	a.scratch = append(append(a.scratch, data...), "\n\n"...)
	raw := a.scratch[from:]
	return framing.Frame{Event: raw[len("event: "):][:len(name)], Data: a.scratch[at : at+len(data)], Raw: raw}, nil
}

// exception is the failure that AWS reports in the midst of a stream, by the exception's name.
func (a *Answer) exception(f framing.Frame) *Failure {
	word := vendorError{Kind: abi.ErrAPI, Message: gjson.GetBytes(f.Data, "message").String()}
	switch strings.ToLower(string(f.Event)) { // in a frame of type "error" they begin in upper case
	case "throttlingexception":
		word.Kind = abi.ErrRateLimit
	case "validationexception":
		word.Kind = abi.ErrInvalidRequest
	case "accessdeniedexception":
		word.Kind = abi.ErrPermission
	case "modeltimeoutexception":
		word.Kind = abi.ErrTimeout
	case "serviceunavailableexception", "modelnotreadyexception":
		word.Kind = abi.ErrOverloaded
	case "modelstreamerrorexception":
		if status := gjson.GetBytes(f.Data, "originalStatusCode"); status.Int() >= 400 { // the model's own
			word.Kind = kindOf(int(status.Int()))
		}
	}
	if word.Message == "" {
		word.Message = string(f.Event)
	}
	return a.reported(&word)
}
