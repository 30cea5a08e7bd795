// Command dictator is a policy for tests that misbehaves as its setting "do" says.
package main

import (
	"bytes"
	"unsafe"

	"github.com/ainfera-ai/router/sdk/abi"
)

var in, out []byte

func main() {}

//go:wasmexport ainfera_policy_v1
func marker(uint32) uint32 { return abi.CapNone }

//go:wasmexport ainfera_manifest
func manifest() uint64 {
	out = []byte(`{"name":"dictator","version":"0.0.1","kind":"policy","settings":[{"name":"do","type":"string","default":"","doc":"how to misbehave"}]}`)
	return pack()
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
	_, rest, _ := bytes.Cut(in[:length], []byte(`"settings":{"do":"`))
	do, _, _ := bytes.Cut(rest, []byte(`"`))
	out = abi.AppendBatch(out[:0], call)
	decision := ""
	switch string(do) {
	case "loop":
		for n := 0; ; n++ {
			in[0] ^= byte(n)
		}
	case "panic":
		panic("told to panic")
	case "rubbish":
		out = append(out[:0], "this is no batch, whatever it may look like"...)
		return pack()
	case "nothing":
		return pack()
	case "prose":
		decision = "take the first one"
	case "stranger":
		decision = `{"chosen_model_slug":"made-up","fallback_order":["made-up"],"is_reject":false,"rule_fired":"mine","ruleset_hash":"07dbdce7"}`
	}
	out = abi.AppendRecord(out, abi.KindDecision, 0, 0, []byte(decision))
	return pack()
}

func pack() uint64 {
	return abi.Pack(uint32(uintptr(unsafe.Pointer(unsafe.SliceData(out)))), uint32(len(out)))
}
