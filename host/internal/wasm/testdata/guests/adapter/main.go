// Command adapter is a guest for tests that does what its input says, good or bad.
package main

import (
	"bytes"
	"errors"
	"strconv"
	"time"
	"unsafe"

	"github.com/ainfera-ai/router/sdk/abi"
)

// mode is set by the linker, to make the guest fail at its start.
var mode string

var (
	in      []byte
	out     []byte
	streams = map[uint32]*state{}
	hoard   [][]byte
)

// state is what a stream must find again after a replay.
type state struct {
	frames int
	name   string
}

func init() {
	switch mode {
	case "panic":
		panic("can't start")
	case "spin":
		for {
		}
	case "bomb":
		bomb()
	}
}

func main() {}

//go:wasmimport ainfera_v1 log
func hostLog(level uint32, p unsafe.Pointer, n uint32)

//go:wasmexport ainfera_adapter_v1
func marker(caps uint32) uint32 { return 0 }

//go:wasmexport ainfera_manifest
func manifest() uint64 {
	if mode == "manifest" {
		return pack([]byte("{"))
	}
	return pack([]byte(`{"name":"rogue","version":"1.2.3","kind":"adapter","framing":["sse"],"features":["chat"],` +
		`"settings":[{"name":"n","type":"number","default":3,"doc":"a number"}]}`))
}

//go:wasmexport ainfera_arena
func arena(size uint32) uint32 {
	if len(in) < int(size) || len(in) > 1<<20 {
		in = make([]byte, size)
	}
	return uint32(uintptr(unsafe.Pointer(&in[0])))
}

//go:wasmexport ainfera_open
func open(stream, length uint32) uint64 {
	out = abi.AppendBatch(out[:0], stream)
	r, _ := abi.NewReader(in[:length])
	rec, _, _ := r.Next()
	s := &state{name: string(rec.Payload)}
	streams[stream] = s
	if v, ok := obey(stream, s, rec.Payload, abi.KindRequest); ok {
		return v
	}
	out = abi.AppendRecord(out, abi.KindRequest, 0, 0, []byte(s.name))
	return pack(out)
}

//go:wasmexport ainfera_push
func push(stream, length uint32) uint64 {
	out = abi.AppendBatch(out[:0], stream)
	s := streams[stream]
	r, _ := abi.NewReader(in[:length])
	for {
		rec, ok, err := r.Next()
		if err != nil {
			panic(err)
		}
		if !ok {
			return pack(out)
		}
		s.frames++
		if v, ok := obey(stream, s, rec.Payload, abi.KindText); ok {
			return v
		}
		text := s.name + ":" + strconv.Itoa(s.frames) + ":" + string(rec.Payload)
		out = abi.AppendRecord(out, abi.KindText, 0, 0, []byte(text))
	}
}

//go:wasmexport ainfera_close
func closeStream(stream uint32) {
	if s := streams[stream]; s != nil && s.name == "panic in close" {
		panic("close")
	}
	delete(streams, stream)
}

// obey does what a command says; ok says that v is the result of the call.
func obey(stream uint32, s *state, command []byte, kind abi.Kind) (v uint64, ok bool) {
	word, arg, _ := bytes.Cut(command, []byte(" "))
	n, _ := strconv.Atoi(string(arg))
	switch string(word) {
	case "spin":
		for {
		}
	case "fill":
		b := make([]byte, 1<<20)
		for {
			clear(b)
		}
	case "panic!":
		panic("told to " + string(arg))
	case "error!":
		panic(errors.New("an error value"))
	case "nil!":
		var p *state
		p.frames++
	case "bomb":
		bomb()
	case "keep":
		hoard = append(hoard, make([]byte, n))
	case "recurse":
		recurse(1)
	case "ramble":
		ramble(1)
	case "nest":
		nest(n)
	case "deadlock":
		<-make(chan int)
	case "exit":
		exit(uint32(n))
	case "print":
		for range n {
			println("a line")
		}
	case "log":
		hostLog(2, unsafe.Pointer(unsafe.SliceData(arg)), uint32(len(arg)))
	case "loglong":
		b := bytes.Repeat([]byte("x"), n)
		hostLog(2, unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)))
	case "sleep":
		time.Sleep(time.Duration(n))
	case "work":
		work(n)
	case "outside":
		return abi.Pack(0xfffffff0, 64), true
	case "mirror":
		return pack(in), true // the arena itself: what the host wrote there is no answer
	case "everything":
		return abi.Pack(0, 0xffffffff), true
	case "nothing":
		return 0, true
	case "rubbish":
		return pack([]byte("this is not a batch, whatever you say")), true
	case "otherstream":
		return pack(abi.AppendRecord(abi.AppendBatch(nil, stream+1), kind, 0, 0, nil)), true
	case "badkind":
		return pack(abi.AppendRecord(abi.AppendBatch(nil, stream), abi.KindDecision, 0, 0, nil)), true
	case "overlong":
		b := abi.AppendRecord(abi.AppendBatch(nil, stream), kind, 0, 0, []byte("short"))
		abi.SetLength(b, abi.BatchHeaderBytes, abi.MaxRecordBytes+1)
		return pack(b), true
	case "cut":
		b := abi.AppendRecord(abi.AppendBatch(nil, stream), kind, 0, 0, []byte("short"))
		return pack(b[:len(b)-1]), true
	case "large":
		return pack(abi.AppendRecord(abi.AppendBatch(nil, stream), kind, 0, 0, make([]byte, n))), true
	}
	return 0, false
}

//go:wasmimport wasi_snapshot_preview1 proc_exit
func exit(code uint32)

func bomb() {
	for {
		hoard = append(hoard, make([]byte, 1<<20))
	}
}

//go:noinline
func recurse(n int) int { return recurse(n+1) + n }

// ramble recurses out of loops that begin again before they are done.
//
//go:noinline
func ramble(n int) (sum int) {
	for i := range n {
		sum += i + ramble(n+1)
	}
	return sum
}

//go:noinline
func nest(n int) int {
	if n == 0 {
		return 0
	}
	return nest(n-1) + n
}

//go:noinline
func work(n int) (sum int) {
	for i := range n {
		sum += i ^ sum
	}
	return sum
}

func pack(b []byte) uint64 {
	out = b
	return abi.Pack(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), uint32(len(b)))
}
