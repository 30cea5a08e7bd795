package sdk

import (
	"errors"

	"github.com/ainfera-ai/router/sdk/abi"
)

// keepBytes is how large the arena and the output buffer may stay between calls. One huge request must not hold its
// memory for the life of an instance that others share.
const keepBytes = 1 << 20

// arena is the input memory of a module: one buffer, grown when asked.
type arena struct{ in []byte }

// Arena makes room for size bytes of input and returns it. It holds until the next Arena.
func (a *arena) Arena(size int) []byte {
	if cap(a.in) < size || (cap(a.in) > keepBytes && size <= keepBytes) {
		a.in = make([]byte, max(size, 4<<10))
	}
	return a.in[:size]
}

// An AdapterGuest runs an Adapter on batches: what the exports of a module do, in plain Go. The slices that Open and
// Push return are overwritten by the next call. A batch that the host could not have meant panics, which in a module is
// a trap. Not safe for concurrent use.
type AdapterGuest struct {
	arena
	adapter  Adapter
	manifest []byte
	defaults []Setting
	streams  map[uint32]Stream
	out      []byte
	call     Call
	head     Head
	request  Request
	events   Events
}

// usualBytes is room for a usual result. The host makes instances of a module by copying one that has just started, and
// rewinds them to that: what is allocated at the start is there for every call, what is not each would have to allocate.
const usualBytes = 16 << 10

// NewAdapterGuest makes a guest of a. m.Kind is filled in.
func NewAdapterGuest(m Manifest, a Adapter) *AdapterGuest {
	m.Kind = KindAdapter
	g := &AdapterGuest{adapter: a, manifest: m.AppendJSON(nil), defaults: m.Settings, streams: map[uint32]Stream{}}
	g.out = make([]byte, 0, usualBytes)
	g.call.known = make([]known, 0, len(m.Settings))
	g.request.head = make([]byte, 0, usualBytes/32)
	makeRoom()
	return g
}

// Manifest is the manifest's JSON.
func (g *AdapterGuest) Manifest() []byte { return g.manifest }

// Open begins a stream: batch holds Open and Body records. It returns the batch of the vendor's request, or of one
// refusal; a refused stream does not exist.
func (g *AdapterGuest) Open(stream uint32, batch []byte) []byte {
	if _, ok := g.streams[stream]; ok {
		panic("sdk: open of a stream that is open already")
	}
	g.call.read(batch, g.defaults)
	g.request.reset(g.recycled(), stream)
	s, err := g.adapter.Open(&g.call, &g.request)
	switch {
	case err != nil:
		kind := abi.ErrAPI
		if r := (*Refusal)(nil); errors.As(err, &r) {
			kind = r.Kind
		}
		g.out = g.request.refuse(stream, kind, err.Error())
	case s == nil:
		panic("sdk: the adapter returned neither a stream nor an error from Open")
	default:
		g.out = g.request.finish()
		g.streams[stream] = s
	}
	g.call.release()
	g.request.b = nil
	return g.out
}

// Push feeds a stream a batch of Head, Frame and End records and returns the batch of its events.
func (g *AdapterGuest) Push(stream uint32, batch []byte) []byte {
	s, ok := g.streams[stream]
	if !ok {
		panic("sdk: push to a stream that is not open")
	}
	r, err := abi.NewReader(batch)
	if err != nil {
		panic("sdk: push: " + err.Error())
	}
	g.events.b = abi.AppendBatch(g.recycled(), stream)
	for {
		rec, ok, err := r.Next()
		if err != nil {
			panic("sdk: push: " + err.Error())
		}
		if !ok {
			break
		}
		g.feed(s, rec)
	}
	g.out, g.events.b = g.events.b, nil
	return g.out
}

// feed hands one record to a stream. Kinds of a later version of the ABI are passed over.
func (g *AdapterGuest) feed(s Stream, rec abi.Record) {
	switch rec.Kind {
	case abi.KindFrame:
		n := int(rec.Block)
		if n > len(rec.Payload) {
			panic("sdk: push: the event name is longer than the frame")
		}
		s.Frame(Frame{Event: rec.Payload[:n], Data: rec.Payload[n:], Document: rec.Flags&abi.FlagDocument != 0}, &g.events)
	case abi.KindHead:
		g.head.read(rec.Payload)
		s.Head(&g.head, &g.events)
	case abi.KindEnd:
		s.End(abi.EndReason(rec.Flags), &g.events)
	}
}

// Close forgets a stream. Closing one that is not open does nothing, since the host closes whatever it opened.
func (g *AdapterGuest) Close(stream uint32) { delete(g.streams, stream) }

// recycled is the output buffer, empty.
func (g *AdapterGuest) recycled() []byte {
	if cap(g.out) > keepBytes {
		g.out = nil
	}
	return g.out[:0]
}

// A PolicyGuest runs a Policy on batches. As for AdapterGuest, results are overwritten by the next call.
type PolicyGuest struct {
	arena
	policy   Policy
	manifest []byte
	out      []byte
}

// NewPolicyGuest makes a guest of p. m.Kind is filled in.
func NewPolicyGuest(m Manifest, p Policy) *PolicyGuest {
	m.Kind = KindPolicy
	makeRoom()
	return &PolicyGuest{policy: p, manifest: m.AppendJSON(nil), out: make([]byte, 0, usualBytes)}
}

// Manifest is the manifest's JSON.
func (g *PolicyGuest) Manifest() []byte { return g.manifest }

// Decide takes a batch with one Input record and returns a batch with one Decision. An error of the policy panics: the
// host counts a policy that can't decide as failed, whatever the reason, and the text reaches the operator.
func (g *PolicyGuest) Decide(call uint32, batch []byte) []byte {
	b := abi.AppendBatch(g.out[:0], call)
	b = abi.AppendHeader(b, abi.KindDecision, 0, 0, 0)
	at := len(b)
	b, err := g.policy.Decide(input(batch), b)
	if err != nil {
		panic("decide: " + err.Error())
	}
	abi.SetLength(b, at-abi.RecordHeaderBytes, len(b)-at)
	g.out = b
	return b
}

// input is the payload of the batch's Input record.
func input(batch []byte) []byte {
	r, err := abi.NewReader(batch)
	if err != nil {
		panic("sdk: decide: " + err.Error())
	}
	for {
		rec, ok, err := r.Next()
		switch {
		case err != nil:
			panic("sdk: decide: " + err.Error())
		case !ok:
			panic("sdk: decide: the batch holds no input")
		case rec.Kind == abi.KindInput:
			return rec.Payload
		}
	}
}
