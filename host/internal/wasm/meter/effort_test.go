package meter

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	a "github.com/ainfera-ai/router/host/internal/wasm/internal/asm"
)

// with is a function that does nothing, and what is added to it.
func with(add func(m *a.Module, empty int)) []byte {
	m := a.New()
	empty := m.Type("", "")
	m.Memory(1)
	m.Export("f", 0, m.Func(empty, ""))
	add(m, empty)
	return m.Bytes()
}

// function is a module with one more function.
func function(locals int, code ...any) []byte {
	return with(func(m *a.Module, empty int) { m.Func(empty, strings.Repeat(a.Types(a.I32), locals), code...) })
}

func times(n int, code ...any) []byte { return bytes.Repeat(a.Cat(code...), n) }

func dispatch(labels int) []byte {
	return a.Cat(a.Block, a.Empty, a.I32Const(0), 0x0e, a.U32(uint32(labels)), make([]byte, labels), 0, a.End)
}

// TestBombsForTheCompiler are small modules that would keep the compiler behind for minutes, or take gigabytes of memory
// that no instance's limit knows of. Their smaller kin pass.
func TestBombsForTheCompiler(t *testing.T) {
	many := func(n int, add func(m *a.Module, empty, i int)) []byte {
		return with(func(m *a.Module, empty int) {
			for i := range n {
				add(m, empty, i)
			}
		})
	}
	turn := a.Cat(a.Loop, a.Empty, a.LocalGet, 0, a.BrIf, 0, a.End)
	for name, c := range map[string]struct {
		good, bad []byte
		want      string
	}{
		"Blocks": {function(1, times(4_000, a.Block, a.Empty, a.End)), function(1, times(100_000, a.Block, a.Empty, a.End)), "function 1 is too much for the compiler: 300004 bytes with 1 locals, 100000 blocks"},
		"Loops":  {function(1, times(2_000, turn)), function(1, times(20_000, turn)), "20000 blocks"},
		"Ifs": {function(1, times(2_000, a.LocalGet, 0, a.If, a.Empty, a.End)), function(1, times(20_000, a.LocalGet, 0, a.If, a.Empty, a.End)),
			"20000 blocks"},
		"Branches": {function(1, a.Block, a.Empty, times(4_000, a.LocalGet, 0, a.BrIf, 0), a.End), function(1, a.Block, a.Empty, times(20_000, a.LocalGet, 0, a.BrIf, 0), a.End),
			"20000 branches"},
		"Growing": {function(0, times(4_000, a.I32Const(0), 0x40, 0, a.Drop)), function(0, times(20_000, a.I32Const(0), 0x40, 0, a.Drop)), "20000 instructions that may trap"},
		"Filling": {function(1, times(4_000, a.LocalGet, 0, a.LocalGet, 0, a.LocalGet, 0, 0xfc, 11, 0)), function(1, times(20_000, a.LocalGet, 0, a.LocalGet, 0, a.LocalGet, 0, 0xfc, 11, 0)),
			"180000 instructions that may trap"},
		"Loads": {function(0, times(50_000, a.I32Const(0), 0x28, 2, 0, a.Drop)), function(0, times(200_000, a.I32Const(0), 0x28, 2, 0, a.Drop)), "200000 instructions that may trap"},
		"Divisions": {function(1, times(50_000, a.LocalGet, 0, a.LocalGet, 0, 0x6d, a.Drop)), function(1, times(200_000, a.LocalGet, 0, a.LocalGet, 0, 0x6d, a.Drop)),
			"200000 instructions that may trap"},
		"IndirectCalls": {with(func(m *a.Module, empty int) { m.Table(1); m.Func(empty, "", times(10_000, a.I32Const(0), 0x11, 0, 0)) }),
			with(func(m *a.Module, empty int) { m.Table(1); m.Func(empty, "", times(100_000, a.I32Const(0), 0x11, 0, 0)) }), "200000 instructions that may trap"},
		"LocalsInLoops": {function(100, times(1_000, turn)), function(2_000, times(2_000, turn)), "2000 locals"},
		"BranchTables":  {function(0, dispatch(60_000)), function(0, times(10, dispatch(60_000))), "600010 labels"},
		"Calls":         {function(0, times(100_000, a.Op(a.Call, 0))), function(0, times(500_000, a.Op(a.Call, 0))), "500000 calls"},
		"ManyOfTheMost": {many(1, func(m *a.Module, empty, _ int) { m.Func(empty, "", dispatch(60_000)) }),
			many(50, func(m *a.Module, empty, _ int) { m.Func(empty, "", dispatch(60_000)) }), "module is too much for the compiler: after 26 functions"},
		"Types": {many(9_000, func(m *a.Module, _, _ int) { m.Type("", "") }), many(10_001, func(m *a.Module, _, _ int) { m.Type("", "") }),
			"10002 types, the limit is 10000"},
		"Functions": {many(90_000, func(m *a.Module, empty, _ int) { m.Func(empty, "") }), many(100_001, func(m *a.Module, empty, _ int) { m.Func(empty, "") }),
			"100002 functions, the limit is 100000"},
		"Exports": {many(9_000, func(m *a.Module, _, i int) { m.Export(fmt.Sprint(i), 0, 0) }), many(10_001, func(m *a.Module, _, i int) { m.Export(fmt.Sprint(i), 0, 0) }),
			"10002 exports, the limit is 10000"},
		"Globals": {many(9_000, func(m *a.Module, _, _ int) { m.Global(a.I32, false, a.I32Const(0)) }),
			many(10_001, func(m *a.Module, _, _ int) { m.Global(a.I32, false, a.I32Const(0)) }), "10001 globals, the limit is 10000"},
		"Data": {many(100_000, func(m *a.Module, _, _ int) { m.Data(0, "") }), many(300_000, func(m *a.Module, _, _ int) { m.Data(0, "") }),
			"300000 data segments, the limit is 262144"},
		"ElementSegments": {many(2, func(m *a.Module, _, _ int) { m.Table(1); m.Elem(0) }), with(func(m *a.Module, _ int) {
			m.Table(1)
			for range 10_001 {
				m.Elem(0)
			}
		}), "10001 element segments, the limit is 10000"},
		"Elements": {with(func(m *a.Module, _ int) { m.Table(1000); m.Elem(0, make([]int, 1000)...) }), with(func(m *a.Module, _ int) {
			m.Table(1)
			m.Elem(0, make([]int, 150_000)...)
			m.Elem(0, make([]int, 150_000)...)
		}), "more than 262144 elements"},
		"Tables": {many(16, func(m *a.Module, _, _ int) { m.Table(1 << 14) }), many(2, func(m *a.Module, _, _ int) { m.Table(1 << 18) }),
			"table of 262144 elements, the limit is 262144 for all tables"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Rewrite(c.good, Options{}); err != nil {
				t.Errorf("its smaller kin: %v", err)
			}
			if _, err := Rewrite(c.bad, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to say %q", err, c.want)
			}
		})
	}
}

// TestTablesGrowWithinABound holds all tables of an instance together to a size: they are the host's memory.
func TestTablesGrowWithinABound(t *testing.T) {
	m, err := readModule(with(func(m *a.Module, _ int) {
		for range 16 {
			m.Table(0)
		}
	}), Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, table := range m.tables {
		total += int(table.hi)
	}
	if total != maxTableElements {
		t.Errorf("they may grow to %d elements, want %d", total, maxTableElements)
	}
}

// TestNamesBeyondMeasure drops a name section of more names than there can be functions: each is a record to the runtime.
func TestNamesBeyondMeasure(t *testing.T) {
	names := func(n int) []byte {
		return a.Cat(1, a.U32(uint32(5+2*n)), []byte{byte(n)&0x7f | 0x80, byte(n>>7)&0x7f | 0x80, byte(n>>14)&0x7f | 0x80, byte(n>>21)&0x7f | 0x80, 0}, make([]byte, 2*n))
	}
	for n, want := range map[int]bool{1000: true, maxFunctions + 1: false} {
		m, err := readModule(with(func(m *a.Module, _ int) { m.Custom("name", names(n)) }), Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		if got := m.names != nil; got != want {
			t.Errorf("%d names: kept %v, want %v", n, got, want)
		}
	}
}
