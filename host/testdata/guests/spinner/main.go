// Command spinner is a module for tests that never gets through its start.
package main

import "github.com/ainfera-ai/router/sdk/abi"

var turns uint32

func init() {
	for {
		turns++
	}
}

func main() {}

//go:wasmexport ainfera_policy_v1
func marker(uint32) uint32 { return abi.CapNone }

//go:wasmexport ainfera_manifest
func manifest() uint64 { return 0 }

//go:wasmexport ainfera_arena
func arena(uint32) uint32 { return 0 }

//go:wasmexport ainfera_decide
func decide(_, _ uint32) uint64 { return 0 }
