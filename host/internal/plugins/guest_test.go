package plugins

import (
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// Guests made by hand, since a compiled one takes a second under the race detector where these take a millisecond.
//
// seer decides `{}`, traps on an input that begins with p and spins on one that begins with s. rogue is an adapter that only
// has streams.
var (
	seer  = assemble(`{"name":"seer","version":"0.1.0","kind":"policy"}`, abi.ExportPolicy, seerFunctions)
	rogue = assemble(`{"name":"rogue","version":"0.1.0","kind":"adapter"}`, abi.ExportAdapter, rogueFunctions)
)

// numbered is a build of a guest that differs from the others in nothing but its digest.
func numbered(t testing.TB, guest []byte, n int) []byte {
	t.Helper()
	return packed(t, guest, strings.Repeat("\n", n))
}

func packed(t testing.TB, guest []byte, cases string) []byte {
	t.Helper()
	module, err := sdktest.PackCases(guest, []byte(cases))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// shipped is one of the product's own modules, without cases.
func shipped(t testing.TB, pkg string) []byte { return buildtest.Build(t, pkg) }

// A function is an export: its name, the index of its type, and its body, locals and end left out.
type function struct {
	name string
	typ  byte
	body string
}

// The types of exports: marker and arena, manifest, open, push and decide, close.
const types = "\x04" + "\x60\x01\x7f\x01\x7f" + "\x60\x00\x01\x7e" + "\x60\x02\x7f\x7f\x01\x7e" + "\x60\x01\x7f\x00"

// Where things are in a guest's memory: the manifest at 0, the decision's batch, and the arena, in which the payload of the
// first record comes behind two headers of 8 bytes.
const (
	batchAt   = 1024
	arenaAt   = 4096
	payloadAt = arenaAt + 16
)

var seerFunctions = []function{{abi.ExportDecide, 2, "" +
	"\x41" + leb(payloadAt) + "\x2d\x00\x00" + "\x41\xf0\x00\x46" + "\x04\x40\x00\x0b" + // the payload's first byte is p: unreachable
	"\x41" + leb(payloadAt) + "\x2d\x00\x00" + "\x41\xf3\x00\x46" + "\x04\x40\x03\x40\x0c\x00\x0b\x0b" + // s: loop for ever
	"\x41" + leb(batchAt) + "\x20\x00\x36\x02\x00" + // the batch is for this call
	"\x42" + leb64(abi.Pack(batchAt, uint32(len(decision))))}}

var rogueFunctions = []function{{abi.ExportOpen, 2, "\x00"}, {abi.ExportPush, 2, "\x00"}, {abi.ExportClose, 3, ""}}

// decision is the batch that every decision is, but for its handle.
var decision = string(abi.AppendRecord(abi.AppendBatch(nil, 0), abi.KindDecision, 0, 0, []byte("{}")))

func assemble(manifest, marker string, more []function) []byte {
	functions := append([]function{{marker, 0, "\x41\x00"}, {abi.ExportManifest, 1, "\x42" + leb64(abi.Pack(0, uint32(len(manifest))))},
		{abi.ExportArena, 0, "\x41" + leb(arenaAt)}}, more...)
	declared, exported, code := "", vec("memory")+"\x02\x00", ""
	for i, f := range functions {
		declared += string(rune(f.typ))
		exported += vec(f.name) + "\x00" + string(rune(i))
		code += vec("\x00" + f.body + "\x0b")
	}
	data := "\x00\x41\x00\x0b" + vec(manifest) + "\x00\x41" + leb(batchAt) + "\x0b" + vec(decision)
	n := len(functions)
	return sectioned(1, types, 3, leb(n)+declared, 5, "\x01\x00\x02", 7, leb(n+1)+exported, 10, leb(n)+code, 11, "\x02"+data)
}

func vec(s string) string { return leb(len(s)) + s }

// leb is a signed LEB128, which for what is used here reads the same unsigned.
func leb(n int) string { return leb64(uint64(n)) }

func leb64(v uint64) string {
	n, out := int64(v), ""
	for {
		low := byte(n & 0x7f)
		if n >>= 7; n == 0 && low&0x40 == 0 {
			return out + string([]byte{low})
		}
		out += string([]byte{low | 0x80})
	}
}

// sectioned is a module of these sections: ids and bodies in turn.
func sectioned(parts ...any) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for i := 0; i < len(parts); i += 2 {
		body := parts[i+1].(string)
		out = append(append(append(out, byte(parts[i].(int))), leb(len(body))...), body...)
	}
	return out
}

// asking imports a function that no guest may have.
func asking() []byte { return sectioned(1, "\x01\x60\x00\x00", 2, "\x01\x03env\x04exec\x00\x00") }

// lacking says that it is a policy, and has nothing but a memory and the marker.
func lacking() []byte {
	return sectioned(1, types, 3, "\x01\x00", 5, "\x01\x00\x01", 7, "\x02"+vec("memory")+"\x02\x00"+vec(abi.ExportPolicy)+"\x00\x00", 10, "\x01\x04\x00\x41\x00\x0b")
}
