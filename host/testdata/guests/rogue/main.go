// Command rogue is an adapter for tests that serves well until a caller's words tell it not to.
//
// "[[rogue WHAT WHERE]]" in the caller's body makes it loop, panic, return rubbish or far too many events at open, at the answer's head, at
// its first frame, or at its third, when the caller has had some of the answer. It asks the simulated OpenAI dialect for an
// answer in six pieces, and says one word a frame.
package main

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"unsafe"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A stream is one call.
type stream struct {
	what, where string
	frames      int
	done        bool
}

var (
	in, out []byte
	streams = map[uint32]*stream{}
)

func main() {}

//go:wasmexport ainfera_adapter_v1
func marker(uint32) uint32 { return abi.CapNone }

//go:wasmexport ainfera_manifest
func manifest() uint64 {
	out = []byte(`{"name":"rogue","version":"6.6.6","kind":"adapter","framing":["sse","json"],"features":["chat","stream"]}`)
	return pack()
}

//go:wasmexport ainfera_arena
func arena(size uint32) uint32 {
	if len(in) < int(size) {
		in = make([]byte, size)
	}
	return uint32(uintptr(unsafe.Pointer(&in[0])))
}

//go:wasmexport ainfera_open
func open(id, length uint32) uint64 {
	r, _ := abi.NewReader(in[:length])
	var opening, body []byte
	for rec, ok, _ := r.Next(); ok; rec, ok, _ = r.Next() {
		if rec.Kind == abi.KindOpen {
			opening = rec.Payload
		} else {
			body = append(body, rec.Payload...)
		}
	}
	s := orders(body)
	streams[id] = s
	if s.obey("open") {
		return pack()
	}
	framing, streamed := abi.FramingJSON, "false"
	if bytes.Contains(opening, []byte(`"stream":true`)) {
		framing, streamed = abi.FramingSSE, "true"
	}
	out = abi.AppendBatch(out[:0], id)
	out = abi.AppendRecord(out, abi.KindRequest, 0, 0, []byte(`{"method":"POST","path":"/chat/completions","headers":{"content-type":"application/json"},"framing":"`+framing+`"}`))
	out = abi.AppendRecord(out, abi.KindRequestBody, 0, 0, []byte(`{"model":"sim","stream":`+streamed+`,"messages":[{"role":"user","content":"x [[sim chunks=6 size=20]]"}]}`))
	return pack()
}

// orders finds what the caller told this module to do.
func orders(body []byte) *stream {
	_, rest, ok := bytes.Cut(body, []byte("[[rogue "))
	words, _, closed := bytes.Cut(rest, []byte("]]"))
	if !ok || !closed {
		return &stream{}
	}
	what, where, _ := bytes.Cut(words, []byte(" "))
	return &stream{what: string(what), where: string(where)}
}

//go:wasmexport ainfera_push
func push(id, length uint32) uint64 {
	s := streams[id]
	out = abi.AppendBatch(out[:0], id)
	r, _ := abi.NewReader(in[:length])
	for rec, ok, _ := r.Next(); ok; rec, ok, _ = r.Next() {
		switch rec.Kind {
		case abi.KindHead:
			if s.obey("head") {
				return pack()
			}
		case abi.KindFrame:
			s.frames++
			if s.obey("frame " + strconv.Itoa(s.frames)) {
				return pack()
			}
			s.say(rec)
		}
	}
	return pack()
}

// say makes a frame into a word, and the last one, or a whole document, into the end.
func (s *stream) say(frame abi.Record) {
	if s.done {
		return
	}
	if s.frames == 1 {
		out = abi.AppendRecord(out, abi.KindMessageStart, 0, 0, []byte(`{"id":"rogue-1","model":"rogue"}`))
	}
	out = abi.AppendRecord(out, abi.KindText, 0, 0, []byte("word "))
	if frame.Flags&abi.FlagDocument == 0 && !bytes.Contains(frame.Payload, []byte("[DONE]")) {
		return
	}
	s.done = true
	out = abi.AppendRecord(out, abi.KindUsage, 0, 0, []byte(`{"input":3,"output":7}`))
	out = abi.AppendRecord(out, abi.KindStop, 0, 0, []byte(`{"reason":"stop","native":"stop"}`))
}

// obey misbehaves when this is the place; true says that out holds what came of it.
func (s *stream) obey(here string) bool {
	if s.where != here {
		return false
	}
	switch s.what {
	case "loop":
		for n := 0; ; n++ {
			s.frames ^= n
		}
	case "panic":
		panic("told to panic at " + here)
	case "order":
		out = abi.AppendRecord(out, abi.KindToolDelta, 0, 9, []byte(`{"of a call":"that nobody began"`))
		return true
	case "turns": // to another block, and another
		for n := range uint16(1 << 13) {
			out = abi.AppendRecord(out, abi.KindText, 0, n, []byte("x"))
		}
		return true
	case "babble": // a frame of a hundred bytes for each byte, a million times
		const times = 1 << 20
		rec := abi.AppendRecord(abi.AppendBatch(nil, 0), abi.KindText, 0, 0, []byte("x"))[abi.BatchHeaderBytes:]
		out = append(out, bytes.Repeat(rec, times)...)
		binary.LittleEndian.PutUint32(out[4:], times)
		return true
	case "rubbish":
		out = append(out[:0], "this is no batch, whatever it may look like"...)
		return true
	}
	return false
}

//go:wasmexport ainfera_close
func closeStream(id uint32) { delete(streams, id) }

func pack() uint64 {
	return abi.Pack(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(out)))), uint32(len(out)))
}
