package sdk

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// A Request is the vendor's HTTP request being built: Begin, then Query and Header, then the body. Its bytes go to the
// host as they are written. Not safe for concurrent use.
type Request struct {
	b       []byte // the batch
	head    []byte // KindRequest's JSON up to the headers' values
	framing string
	headers int
	state   requestState
	record  int // where the open body record's header starts, when state is inBody
	dropped []string
}

type requestState uint8

const (
	inNothing requestState = iota
	inHead
	inBody
	inWhole
)

// Begin names the method, the path below the provider's base URL, and the framing (abi.FramingSSE, …) of the answer.
func (r *Request) Begin(method, path, framing string) {
	if r.state != inNothing {
		panic("sdk: Request.Begin called twice")
	}
	r.state, r.framing, r.headers = inHead, framing, 0
	r.head = jwrite.AppendString(append(r.head[:0], `{"method":`...), method)
	r.head = jwrite.AppendString(jwrite.AppendKey(r.head, "path"), path)
}

// Query sets the query string, encoded and without "?". At most once, and before any Header.
func (r *Request) Query(encoded string) {
	if r.state != inHead || r.headers > 0 {
		panic("sdk: Request.Query belongs between Begin and the headers")
	}
	r.head = jwrite.AppendString(jwrite.AppendKey(r.head, "query"), encoded)
}

// Header adds a header. Names are sent as they are; the host drops authorisation headers and adds its own.
func (r *Request) Header(name, value string) {
	if r.state != inHead {
		panic("sdk: Request.Header belongs between Begin and the body")
	}
	if r.headers == 0 {
		r.head = append(r.head, `,"headers":{`...)
	}
	r.headers++
	r.head = jwrite.AppendString(jwrite.AppendKey(r.head, name), value)
}

// endHead writes the KindRequest record; what follows is the body.
func (r *Request) endHead() {
	if r.headers > 0 {
		r.head = append(r.head, '}')
	}
	r.head = jwrite.AppendString(jwrite.AppendKey(r.head, "framing"), r.framing)
	r.head = append(r.head, '}')
	r.b = abi.AppendRecord(r.b, abi.KindRequest, 0, 0, r.head)
}

// Write appends p to the body. It never fails; the results are io.Writer's.
func (r *Request) Write(p []byte) (int, error) {
	switch r.state {
	case inBody:
	case inHead:
		r.endHead()
		r.state, r.record = inBody, 0
	default:
		panic("sdk: Request.Write belongs after Begin, and not after Whole")
	}
	if r.record == 0 {
		r.record = len(r.b)
		r.b = abi.AppendHeader(r.b, abi.KindRequestBody, 0, 0, 0)
	}
	r.b = append(r.b, p...)
	abi.SetLength(r.b, r.record, len(r.b)-r.record-abi.RecordHeaderBytes)
	return len(p), nil
}

// WriteRef appends to the body the bytes that stand behind "ainfera-ref:n" in the caller's body. They never enter the
// module.
func (r *Request) WriteRef(n uint32) {
	_, _ = r.Write(nil)
	r.record = 0
	r.b = abi.AppendRecord(r.b, abi.KindRequestRef, 0, 0, []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

// AppendData appends to b, which is the body from where it was written last, the text of a JSON string of base64 data. The
// string of large data holds a reference to it instead: then b and the reference are written, and what is returned is
// empty, with b's memory.
func (r *Request) AppendData(b []byte, data jscan.Value) []byte {
	text := data.Escaped()
	n, ok := readRef(text)
	if !ok {
		return append(b, text...)
	}
	_, _ = r.Write(b)
	r.WriteRef(n)
	return b[:0]
}

// maxRefBytes is how long a reference can be.
const maxRefBytes = len(abi.RefPrefix) + 10

// readRef reads "ainfera-ref:n".
func readRef(text []byte) (n uint32, ok bool) {
	if len(text) > maxRefBytes {
		return 0, false
	}
	digits, ok := strings.CutPrefix(string(text), abi.RefPrefix)
	if !ok {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 10, 32)
	return uint32(u), err == nil
}

// Whole takes the caller's body as the host prepared it, byte for byte, instead of writing one.
func (r *Request) Whole() { r.WholeEdited(nil) }

// WholeEdited is Whole with edits of top-level fields: JSON {"set":{"field":value},"delete":["field"]}, or nothing.
func (r *Request) WholeEdited(edits []byte) {
	if r.state != inHead {
		panic("sdk: Request.Whole belongs after Begin, instead of a body")
	}
	r.endHead()
	r.state = inWhole
	r.b = abi.AppendRecord(r.b, abi.KindRequestWhole, 0, 0, edits)
}

// Dropped says that the caller's field, a path such as "top_k" or "messages.cache_control", did not go into the
// request because the vendor has nothing like it. The caller reads it in x-ainfera-dropped. May be called at any time;
// a field is listed once.
func (r *Request) Dropped(field string) {
	for _, d := range r.dropped {
		if d == field {
			return
		}
	}
	r.dropped = append(r.dropped, field)
}

// reset starts a batch in b's memory.
func (r *Request) reset(b []byte, stream uint32) {
	*r = Request{b: abi.AppendBatch(b[:0], stream), head: r.head[:0], dropped: r.dropped[:0]}
}

// finish completes the batch.
func (r *Request) finish() []byte {
	switch r.state {
	case inNothing:
		panic("sdk: the adapter returned from Open without Request.Begin or an error")
	case inHead:
		r.endHead()
	}
	for _, d := range r.dropped {
		r.b = abi.AppendRecord(r.b, abi.KindDropped, 0, 0, []byte(d))
	}
	return r.b
}

// refuse replaces whatever was written by a refusal.
func (r *Request) refuse(stream uint32, kind, message string) []byte {
	r.reset(r.b, stream)
	r.head = jwrite.AppendString(append(r.head, `{"kind":`...), kind)
	r.head = jwrite.AppendString(jwrite.AppendKey(r.head, "message"), message)
	r.head = append(r.head, '}')
	r.b = abi.AppendRecord(r.b, abi.KindRefuse, 0, 0, r.head)
	return r.b
}
