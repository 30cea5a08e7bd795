package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

type frame = framing.Frame

// framingOf is how the vendor's answer is cut.
func framingOf(rec *sdktest.Recording) string {
	switch {
	case strings.HasSuffix(rec.File, ".sse"):
		return abi.FramingSSE
	case strings.HasSuffix(rec.File, ".ndjson"):
		return abi.FramingNDJSON
	case strings.HasSuffix(rec.File, ".bin"):
		return abi.FramingAWS
	case rec.API == "gemini.generateContent" && bytes.HasPrefix(bytes.TrimSpace(rec.Body), []byte("[")):
		return abi.FramingJSONArray
	}
	return abi.FramingJSON
}

// frames cuts a recording's pieces into frames, which last until f returns. fed, when there is one, is called after each
// piece.
func frames(t *testing.T, rec *sdktest.Recording, pieces [][]byte, f func(frame), fed func()) {
	t.Helper()
	cutter, err := framing.New(framingOf(rec), 0)
	if err != nil {
		t.Fatal(err)
	}
	emit := func(one frame) error { f(one); return nil }
	var buf []byte
	for _, piece := range pieces {
		buf = append(buf[:0], piece...) // a reader's buffer, that is used again
		if err := cutter.Feed(buf, emit); err != nil {
			t.Fatal(err)
		}
		if fed != nil {
			fed()
		}
	}
	if err := cutter.Close(emit); err != nil {
		t.Fatal(err)
	}
}

// replayed is one recording on its way through its adapter.
type replayed struct {
	t        *testing.T
	rec      *sdktest.Recording
	m        *wasm.Module
	settings json.RawMessage
	verbatim bool
}

// replay is what a caller gets for the recorded answer in these pieces: a stream, or with whole one message.
func (p *replayed) replay(pieces [][]byte, whole bool) (out outcome) {
	p.t.Helper()
	s, err := p.m.NewStream(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Close()
	call := fmt.Appendf(nil, `{"op":"chat","stream":%t,"model":"m","slug":"m","max_tokens":64,"thinking":true,"settings":%s`, p.rec.Stream, p.settings)
	if p.verbatim {
		call = append(call, `,"verbatim":true`...)
	}
	open := []abi.Record{{Kind: abi.KindOpen, Payload: append(call, '}')}}
	if !p.verbatim {
		open = append(open, abi.Record{Kind: abi.KindBody, Payload: []byte(`{"model":"m","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`)})
	}
	batch, err := s.Open(open...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.each(batch, func(r abi.Record) error {
		if r.Kind == abi.KindRefuse {
			p.t.Fatalf("refused: %s", r.Payload)
		}
		return nil
	})
	if p.verbatim && p.rec.Status < 400 {
		return p.pass(pieces)
	}
	return p.translate(s, pieces, whole)
}

// each calls f with the records of a batch until it returns an error.
func (p *replayed) each(batch []byte, f func(abi.Record) error) error {
	r, err := abi.NewReader(batch)
	if err != nil {
		p.t.Fatal(err)
	}
	for {
		rec, ok, err := r.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if !ok {
			return nil
		}
		if err := f(rec); err != nil {
			return err
		}
	}
}

// translate has the module make events of the frames, and the grammar a stream of those.
func (p *replayed) translate(s *wasm.Stream, pieces [][]byte, whole bool) (out outcome) {
	p.t.Helper()
	w := messages.NewWriter(messages.WriterConfig{ID: "msg_1", Model: "m", Accumulate: whole})
	var sent []byte
	var recs []abi.Record
	var failed error
	push := func() {
		if len(recs) == 0 || failed != nil {
			return
		}
		batch, err := s.Push(recs...)
		if err != nil {
			p.t.Fatal(err)
		}
		recs = recs[:0]
		failed = p.each(batch, func(r abi.Record) (err error) {
			sent, err = w.Apply(sent, r)
			return err
		})
	}
	headers, err := json.Marshal(p.rec.Headers)
	if err != nil {
		p.t.Fatal(err)
	}
	recs = append(recs, abi.Record{Kind: abi.KindHead, Payload: fmt.Appendf(nil, `{"status":%d,"headers":%s}`, p.rec.Status, headers)})
	ended := false
	frames(p.t, p.rec, pieces, func(f frame) {
		if f.Empty || ended {
			return
		}
		r := abi.Record{Kind: abi.KindFrame, Block: uint16(len(f.Event)), Payload: append(slices.Clone(f.Event), f.Data...)}
		if f.Document {
			r.Flags = abi.FlagDocument
		}
		recs = append(recs, r)
		ended = string(f.Data) == "[DONE]"
	}, push)
	recs = append(recs, abi.Record{Kind: abi.KindEnd, Flags: uint8(abi.EndOfBody)})
	push()
	if failed == nil {
		sent, failed = w.Finish(sent, abi.EndOfBody)
	}
	out = outcome{sent: string(sent), result: w.Result()}
	if failed != nil {
		out.err = failed.Error()
	} else if whole {
		out.message = w.Message()
	}
	return out
}

// pass lets the vendor's bytes by, past the tap.
func (p *replayed) pass(pieces [][]byte) (out outcome) {
	p.t.Helper()
	tap := messages.NewTap()
	var failed error
	var sent []byte
	frames(p.t, p.rec, pieces, func(f frame) {
		data := f.Data
		if f.Exception {
			failed = errors.New(gjson.GetBytes(data, "message").Str)
			return
		}
		if framingOf(p.rec) == abi.FramingAWS {
			var err error
			if data, err = framing.AppendChunk(nil, f.Data); err != nil {
				p.t.Fatal(err)
			}
		}
		sent = append(sent, f.Raw...)
		switch {
		case f.Empty || failed != nil || tap.Repeats(data):
		case f.Document:
			failed = tap.Document(data)
		case framingOf(p.rec) == abi.FramingAWS:
			failed = tap.Frame(nil, data)
		default:
			failed = tap.Frame(f.Event, data)
		}
	}, nil)
	if failed == nil {
		if failed = tap.End(); failed != nil {
			if _, ok := tap.Closing(nil); ok { // the lane says the end that is missing
				failed = nil
			}
		}
	}
	out = outcome{sent: string(bytes.Clone(sent)), result: tap.Result()}
	if failed != nil {
		out.err = failed.Error()
	}
	return out
}
