package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// An Adapter is one generation of the provider's adapter module.
type Adapter interface {
	// NewStream takes an instance for one call. ctx bounds the wait for it, not the stream.
	NewStream(ctx context.Context) (Guest, error)
	// Digest names the module's bytes: "sha256:…".
	Digest() string
	// Feature says whether the manifest lists it.
	Feature(name string) bool
}

// An adapterWithSettings has settings of its own in place of the upstream's: those that this generation's manifest makes of
// what the operator gave, since a later one may have other defaults.
type adapterWithSettings interface {
	// Settings are as ValidateSettings returned them.
	Settings() json.RawMessage
}

// A Guest is one stream of an adapter. Open is called once and first, Push any number of times, Close once. What they
// return is a batch in memory of the host's that lasts until the next call. Not safe for concurrent use.
type Guest interface {
	Open(recs ...abi.Record) ([]byte, error)
	Push(recs ...abi.Record) ([]byte, error)
	Close()
}

// errContract is what a guest's batch is that reads, but holds what may not be there.
var errContract = errors.New("adapter broke the contract")

// outline is what the guest asked to be sent.
type outline struct {
	Method, Path, Query, Framing string
	Headers                      map[string]string

	body    segments
	bytes   int64 // of body
	most    int64 // that body may have
	dropped []string
}

// maxOwnBytes is what a request may have beside twice what the caller sent. A reference is four bytes to a guest, and the
// megabytes of an image to whoever sends it.
const maxOwnBytes = 32 << 20

// mostFor is the most that a request may have which is made of ask.
func mostFor(ask *Ask) int64 {
	brought := int64(len(ask.Body) + len(ask.Whole))
	for _, ref := range ask.Refs {
		brought += int64(len(ref))
	}
	return 2*brought + maxOwnBytes
}

// put adds to the body.
func (o *outline) put(pieces ...[]byte) error {
	for _, p := range pieces {
		o.bytes += int64(len(p))
	}
	if o.bytes > o.most {
		return fmt.Errorf("%w: a request of more than the %d bytes that it may have", errContract, o.most)
	}
	o.body.add(pieces...)
	return nil
}

// readOutline reads what Open returned. A refusal comes back as one, with its provider left open; any other error is
// the guest's fault.
func readOutline(batch []byte, ask *Ask) (*outline, *Refusal, error) {
	r, err := abi.NewReader(batch)
	if err != nil {
		return nil, nil, err
	}
	var out *outline
	for {
		rec, ok, err := r.Next()
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			break
		}
		switch rec.Kind {
		case abi.KindRefuse:
			return nil, readRefusal(rec.Payload), nil
		case abi.KindRequest:
			if out != nil {
				return nil, nil, fmt.Errorf("%w: two requests", errContract)
			}
			if out, err = readRequest(rec.Payload); err != nil {
				return nil, nil, fmt.Errorf("%w: request: %w", errContract, err)
			}
			out.most = mostFor(ask)
		default:
			if out == nil {
				return nil, nil, fmt.Errorf("%w: record %#x before the request", errContract, rec.Kind)
			}
			if err := out.add(rec, ask); err != nil {
				return nil, nil, err
			}
		}
	}
	if out == nil {
		return nil, nil, fmt.Errorf("%w: neither a request nor a refusal", errContract)
	}
	return out, nil, nil
}

// readRequest reads KindRequest. Fields that it doesn't know are let pass; those it knows must be of their type.
func readRequest(payload []byte) (*outline, error) {
	o := &outline{Headers: map[string]string{}}
	var v [5]jscan.Value
	whole, err := jscan.ParsePick(payload, v[:], "method", "path", "query", "framing", "headers")
	if err != nil {
		return nil, err
	}
	if whole.Kind() != jscan.Object {
		return nil, errors.New("it is not an object")
	}
	for i, to := range [...]*string{&o.Method, &o.Path, &o.Query, &o.Framing} {
		if !v[i].IsNull() && v[i].Kind() != jscan.String {
			return nil, errors.New("a field that must be a string is none")
		}
		*to = v[i].String()
	}
	if v[4].IsNull() {
		return o, nil
	}
	if v[4].Kind() != jscan.Object {
		return nil, errors.New("headers are not an object")
	}
	for name, value := range v[4].Fields() {
		if value.Kind() != jscan.String {
			return nil, errors.New("a header is not a string")
		}
		o.Headers[string(name)] = value.String()
	}
	return o, nil
}

// add takes one of the records that follow KindRequest.
func (o *outline) add(rec abi.Record, ask *Ask) error {
	switch rec.Kind {
	case abi.KindRequestBody:
		return o.put(append([]byte(nil), rec.Payload...)) // the batch's memory is used again
	case abi.KindRequestRef:
		n, ok := readRef(rec.Payload)
		if !ok || int64(n) >= int64(len(ask.Refs)) {
			return fmt.Errorf("%w: reference %d of %d", errContract, n, len(ask.Refs))
		}
		return o.put(ask.Refs[n])
	case abi.KindRequestWhole:
		if ask.Whole == nil {
			return fmt.Errorf("%w: takes the whole body on the translated lane", errContract)
		}
		whole, err := edit(ask.Whole, rec.Payload)
		if err != nil {
			return fmt.Errorf("%w: edits: %w", errContract, err)
		}
		return o.put(whole...)
	case abi.KindDropped:
		o.dropped = append(o.dropped, string(rec.Payload))
	default:
		return fmt.Errorf("%w: record %#x in answer to open", errContract, rec.Kind)
	}
	return nil
}

func readRef(p []byte) (n uint32, ok bool) {
	if len(p) != 4 {
		return 0, false
	}
	return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24, true
}

// readRefusal reads KindRefuse. What can't be read is a refusal all the same: the guest did say no.
func readRefusal(p []byte) *Refusal {
	var v struct{ Kind, Message string }
	if err := json.Unmarshal(p, &v); err != nil || !knownKind(v.Kind) {
		v.Kind = abi.ErrAPI
	}
	if v.Message == "" {
		v.Message = "the adapter gave no reason"
	}
	return &Refusal{Kind: v.Kind, Message: v.Message}
}

// vendorError is KindError.
type vendorError struct {
	Kind         string  `json:"kind"`
	Message      string  `json:"message"`
	RetryAfterMS float64 `json:"retry_after_ms"`
}

func readVendorError(p []byte) vendorError {
	var v vendorError
	if err := json.Unmarshal(p, &v); err != nil || !knownKind(v.Kind) {
		v.Kind = abi.ErrAPI
	}
	return v
}

func (v *vendorError) retryAfter() time.Duration {
	return clampWait(v.RetryAfterMS * float64(time.Millisecond))
}

// events is what a batch of events held, beside the events.
type events struct {
	batch   []byte // without the error; nil when nothing is left
	stopped bool   // a KindStop was there
	failed  *vendorError
}

// readEvents checks that a batch holds events only, and takes the error out of it together with whatever comes after,
// since nothing may. It writes to the batch's count.
func readEvents(batch []byte) (events, error) {
	r, err := abi.NewReader(batch)
	if err != nil {
		return events{}, err
	}
	at, n := abi.BatchHeaderBytes, uint32(0)
	var ev events
	for {
		rec, ok, err := r.Next()
		if err != nil {
			return events{}, err
		}
		if !ok {
			break
		}
		switch {
		case rec.Kind == abi.KindError:
			e := readVendorError(rec.Payload)
			ev.failed = &e
			if n > 0 {
				ev.batch = recount(batch[:at], n)
			}
			return ev, nil
		case rec.Kind == abi.KindStop:
			ev.stopped = true
		case rec.Kind < abi.KindMessageStart || rec.Kind > abi.KindSkipped:
			return events{}, fmt.Errorf("%w: record %#x among events", errContract, rec.Kind)
		}
		at += abi.RecordHeaderBytes + len(rec.Payload)
		n++
	}
	if n > 0 {
		ev.batch = batch
	}
	return ev, nil
}

// recount writes the number of records into a batch's header.
func recount(batch []byte, n uint32) []byte {
	batch[4], batch[5], batch[6], batch[7] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return batch
}
