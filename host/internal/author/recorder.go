package author

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A Case is a recorded case, which only this room and the kit know the inside of.
type Case = sdktest.File

// Decision is the case of a decision, without a name and without anything wanted.
func Decision(input []byte) *Case { return &Case{Input: slices.Clone(input)} }

// A Recorder writes down what an adapter's stream is fed, so that it can be played again. What it holds is the caller's
// content: it is for an author's machine. Not safe for concurrent use.
type Recorder struct {
	file    sdktest.File
	framing string
	head    []byte
	frames  []sdktest.Frame
}

// Open notes the records of an open.
func (r *Recorder) Open(recs []abi.Record) {
	for _, rec := range recs {
		switch rec.Kind {
		case abi.KindOpen:
			r.file.Call = slices.Clone(rec.Payload)
		case abi.KindBody:
			r.file.Body = append(r.file.Body, rec.Payload...)
		}
	}
}

// Opened notes the batch that the open returned, which says how the answer is cut.
func (r *Recorder) Opened(batch []byte) {
	in, err := abi.NewReader(batch)
	for ok := err == nil; ok; {
		var rec abi.Record
		if rec, ok, err = in.Next(); err != nil {
			return // the host finds it, too, and says so
		}
		var q struct{ Framing string }
		if ok && rec.Kind == abi.KindRequest && json.Unmarshal(rec.Payload, &q) == nil {
			r.framing = q.Framing
		}
	}
}

// Push notes the records of a push.
func (r *Recorder) Push(recs []abi.Record) {
	for _, rec := range recs {
		switch rec.Kind {
		case abi.KindHead:
			r.head = slices.Clone(rec.Payload)
		case abi.KindFrame:
			n := min(int(rec.Block), len(rec.Payload))
			r.frames = append(r.frames, sdktest.Frame{Event: string(rec.Payload[:n]), Data: string(rec.Payload[n:]), Document: rec.Flags&abi.FlagDocument != 0})
		case abi.KindEnd:
			r.file.End = abi.EndReason(rec.Flags)
		}
	}
}

// File is the case so far, without a name and without anything wanted.
func (r *Recorder) File() *Case {
	f := r.file
	if r.head == nil {
		return &f
	}
	var head struct {
		Status  int
		Headers map[string]string
	}
	if json.Unmarshal(r.head, &head) != nil {
		return &f // the host wrote it
	}
	f.Answer = AnswerText(head.Status, head.Headers, []byte(r.body()))
	return &f
}

// body puts the frames together as the vendor might have sent them.
func (r *Recorder) body() string {
	var b strings.Builder
	for i, f := range r.frames {
		switch {
		case f.Document:
			b.WriteString(f.Data)
		case r.framing == abi.FramingNDJSON:
			b.WriteString(f.Data + "\n")
		case r.framing == abi.FramingJSONArray:
			b.WriteString([]string{"[", ",\n"}[min(i, 1)] + f.Data)
		default:
			if f.Event != "" {
				b.WriteString("event: " + f.Event + "\n")
			}
			for _, line := range strings.Split(f.Data, "\n") {
				b.WriteString("data: " + line + "\n")
			}
			b.WriteString("\n")
		}
	}
	if r.framing == abi.FramingJSONArray && len(r.frames) > 0 && !r.frames[0].Document {
		b.WriteString("]")
	}
	return b.String()
}

// AnswerText is an answer as a case holds it: status line, headers by name, an empty line, the body.
func AnswerText(status int, headers map[string]string, body []byte) []byte {
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\n", status, http.StatusText(status))
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b = fmt.Appendf(b, "%s: %s\n", strings.ToLower(name), headers[name])
	}
	return append(append(b, '\n'), body...)
}
