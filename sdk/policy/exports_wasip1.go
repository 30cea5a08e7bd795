package policy

import (
	"unsafe"

	"github.com/ainfera-ai/router/sdk/abi"
)

// input is the arena as the last ainfera_arena left it.
var input []byte

//go:wasmexport ainfera_policy_v1
func marker(hostCaps uint32) uint32 { return hostCaps & abi.CapNone }

//go:wasmexport ainfera_manifest
func manifest() uint64 { return pack(guest.Manifest()) }

//go:wasmexport ainfera_arena
func arena(size uint32) uint32 {
	input = guest.Arena(int(size))
	return address(input)
}

//go:wasmexport ainfera_decide
func decide(call, length uint32) uint64 { return pack(guest.Decide(call, input[:length])) }

// pack makes a result of b, which the guest keeps alive until its next call.
func pack(b []byte) uint64 { return abi.Pack(address(b), uint32(len(b))) }

func address(b []byte) uint32 { return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
