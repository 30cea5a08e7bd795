// Command policy is a guest for tests whose decision tells what it could see of the world.
package main

import (
	"strconv"
	"time"
	"unsafe"

	"github.com/ainfera-ai/router/sdk/abi"
)

var (
	in, out []byte
	calls   int
	hoard   [][]byte
)

func main() {}

//go:wasmexport ainfera_policy_v1
func marker(caps uint32) uint32 { return 0 }

//go:wasmexport ainfera_manifest
func manifest() uint64 {
	out = []byte(`{"name":"seer","version":"0.1.0","kind":"policy"}`)
	return pack(out)
}

//go:wasmexport ainfera_arena
func arena(size uint32) uint32 {
	if len(in) < int(size) {
		in = make([]byte, size)
	}
	return uint32(uintptr(unsafe.Pointer(&in[0])))
}

//go:wasmexport ainfera_decide
func decide(call, length uint32) uint64 {
	calls++
	r, _ := abi.NewReader(in[:length])
	rec, _, _ := r.Next()
	out = abi.AppendBatch(out[:0], call)
	switch string(rec.Payload) {
	case "two":
		out = abi.AppendRecord(out, abi.KindDecision, 0, 0, nil)
	case "none":
		return pack(out)
	case "panic":
		panic("no")
	case "spin":
		for {
		}
	case "grow":
		hoard = append(hoard, make([]byte, 8<<20))
	case "fast":
		out = abi.AppendRecord(out, abi.KindDecision, 0, 0, rec.Payload)
		return pack(out)
	}
	out = abi.AppendRecord(out, abi.KindDecision, 0, 0, []byte(describe(rec.Payload)))
	return pack(out)
}

// describe shows all that could differ between two instances: how often it was called, the clock, the order of a map, an
// address, and what the collector did.
func describe(input []byte) string {
	m := map[string]int{}
	for i := range 50 {
		m[strconv.Itoa(i)+string(input)] = i
	}
	s := strconv.Itoa(calls) + " " + strconv.FormatInt(time.Now().UnixNano(), 10)
	for k := range m {
		s += " " + k
	}
	return s + " " + strconv.FormatUint(uint64(uintptr(unsafe.Pointer(unsafe.StringData(s)))), 16)
}

func pack(b []byte) uint64 {
	return abi.Pack(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), uint32(len(b)))
}
