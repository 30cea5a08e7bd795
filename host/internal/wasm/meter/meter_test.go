package meter

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	a "github.com/ainfera-ai/router/host/internal/wasm/internal/asm"
)

const features = api.CoreFeaturesV2 | experimental.CoreFeaturesTailCall

// run instantiates a rewritten module and calls its export "f" with fuel; it returns the fuel that is left.
func run(t *testing.T, wasm []byte, fuel int64, args ...uint64) (left int64, results []uint64, err error) {
	t.Helper()
	m, err := Rewrite(wasm, Options{})
	if err != nil {
		t.Fatalf("rewrite: %v", err)
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer rt.Close(ctx)
	mod, err := rt.InstantiateWithConfig(ctx, m.Wasm, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	for _, s := range m.Segments {
		mod.Memory().Write(s.Offset, s.Data)
	}
	g := mod.ExportedGlobal(FuelExport).(api.MutableGlobal)
	g.Set(uint64(fuel))
	results, err = mod.ExportedFunction("f").Call(ctx, args...)
	return int64(g.Get()), results, err
}

// fn is a module with one exported function () -> () and a page of memory.
func fn(locals string, code ...any) []byte {
	m := a.New()
	t := m.Type("", "")
	m.Memory(1)
	m.Table(4)
	m.Export("f", 0, m.Func(t, locals, code...))
	m.Passive("0123456789")
	return m.Bytes()
}

func TestEndlessCodeIsStopped(t *testing.T) {
	i32 := a.Types(a.I32)
	cases := map[string][]byte{
		"Spin":         fn("", a.Loop, a.Empty, a.Br, 0, a.End),
		"NestedSpin":   fn("", a.Loop, a.Empty, a.Loop, a.Empty, a.Br, 1, a.End, a.End),
		"LoopInAnIf":   fn("", a.I32Const(1), a.If, a.Empty, a.Loop, a.Empty, a.Br, 0, a.End, a.End),
		"Recursion":    fn("", a.Op(a.Call, 0), a.Op(a.Call, 0)),
		"TailCall":     fn("", a.Op(0x12, 0)),
		"Fill":         fn("", a.Loop, a.Empty, a.I32Const(0), a.I32Const(7), a.I32Const(65536), 0xfc, 11, 0, a.Br, 0, a.End),
		"Copy":         fn("", a.Loop, a.Empty, a.I32Const(0), a.I32Const(1), a.I32Const(65535), 0xfc, 10, 0, 0, a.Br, 0, a.End),
		"Init":         fn("", a.Loop, a.Empty, a.I32Const(0), a.I32Const(0), a.I32Const(10), 0xfc, 8, 0, 0, a.Br, 0, a.End),
		"Grow":         fn("", a.Loop, a.Empty, a.I32Const(1<<14), 0x40, 0, a.Drop, a.Br, 0, a.End),
		"GrowTable":    fn("", a.Loop, a.Empty, 0xd0, 0x70, a.I32Const(1<<30), 0xfc, 15, 0, a.Drop, a.Br, 0, a.End),
		"BranchTable":  fn(i32, a.Loop, a.Empty, a.Op(a.LocalGet, 0), 0x0e, 1, 0, 0, a.End),
		"BranchIf":     fn("", a.Loop, a.Empty, a.I32Const(1), a.BrIf, 0, a.End),
		"IndirectCall": indirect(),
		// What only those branches pass that skip a site must be charged too.
		"BackFromBehindABlock": fn("", a.Loop, a.Empty, a.Block, a.Empty, a.I32Const(1), a.BrIf, 0, a.Loop, a.Empty, a.End, a.End, a.Br, 0, a.End),
		"DispatchToTheHead":    fn("", a.Loop, a.Empty, a.Block, a.Empty, a.I32Const(1), 0x0e, 1, 0, 1, a.End, a.End),
		"DispatchToAnEnd":      fn("", a.Loop, a.Empty, a.Block, a.Empty, a.I32Const(0), 0x0e, 1, 0, 0, a.End, a.Br, 0, a.End),
		"DispatchOutAndBack": fn("", a.Loop, a.Empty, a.Block, a.Empty, a.Loop, a.Empty, a.Block, a.Empty, a.I32Const(0), 0x0e, 1, 2, 0, a.End,
			a.End, a.End, a.Br, 0, a.End),
		"ElseOfAnIf":           fn("", a.Loop, a.Empty, a.I32Const(0), a.If, a.Empty, a.Loop, a.Empty, a.End, a.Else, a.Br, 1, a.End, a.End),
		"BehindALoop":          fn("", a.Loop, a.Empty, a.Loop, a.Empty, a.End, a.Br, 0, a.End),
		"RecursionBehindALoop": fn("", a.Loop, a.Empty, a.End, a.Op(a.Call, 0)),
		"Start":                startSpin(),
	}
	for name, wasm := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := Rewrite(wasm, Options{})
			if err != nil {
				t.Fatal(err)
			}
			left, err := call(t, m, 200_000)
			if err == nil {
				t.Fatal("ended without a trap")
			}
			if left >= 0 && !strings.Contains(err.Error(), "stack overflow") {
				t.Fatalf("fuel left: got %d, want less than zero; the trap was %v", left, err)
			}
		})
	}
}

func call(t *testing.T, m *Metered, fuel int64) (int64, error) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features))
	defer rt.Close(ctx)
	mod, err := rt.InstantiateWithConfig(ctx, m.Wasm, wazero.NewModuleConfig().WithStartFunctions())
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	g := mod.ExportedGlobal(FuelExport).(api.MutableGlobal)
	g.Set(uint64(fuel))
	name := "f"
	if m.HasStart {
		name = StartExport
	}
	_, err = mod.ExportedFunction(name).Call(ctx)
	return int64(g.Get()), err
}

func indirect() []byte {
	m := a.New()
	t := m.Type("", "")
	m.Table(1)
	f := m.Func(t, "", a.I32Const(0), 0x11, 0, 0, a.I32Const(0), 0x11, 0, 0)
	m.Elem(0, f)
	m.Export("f", 0, f)
	return m.Bytes()
}

func startSpin() []byte {
	m := a.New()
	t := m.Type("", "")
	m.Start(m.Func(t, "", a.Loop, a.Empty, a.Br, 0, a.End))
	return m.Bytes()
}

// count is a loop that runs n times and returns the sum of 0..n-1, beside work of about weight instructions in each turn.
func count(weight int) []byte {
	m := a.New()
	t := m.Type(a.Types(a.I32), a.Types(a.I32))
	body := []any{a.Loop, a.Empty,
		a.Op(a.LocalGet, 1), a.Op(a.LocalGet, 0), a.I32Add, a.Op(a.LocalSet, 1)}
	for range weight / 4 {
		body = append(body, a.Op(a.LocalGet, 2), a.I32Const(1), a.I32Add, a.Op(a.LocalSet, 2))
	}
	body = append(body, a.Op(a.LocalGet, 0), a.I32Const(1), a.I32Sub, a.Op(a.LocalTee, 0), a.BrIf, 0, a.End, a.Op(a.LocalGet, 1))
	m.Export("f", 0, m.Func(t, a.Types(a.I32, a.I32), body...))
	return m.Bytes()
}

func TestCostIsByTurnAndByWeight(t *testing.T) {
	for _, c := range []struct {
		name          string
		weight, turns int
		want          int64
	}{
		{"OneTurn", 0, 1, 2},
		{"ManyTurns", 0, 1000, 2000},
		{"HeavyTurns", 1280, 1000, 162_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			left, results, err := run(t, count(c.weight), 1_000_000, uint64(c.turns))
			if err != nil {
				t.Fatal(err)
			}
			if got := 1_000_000 - left; got != c.want {
				t.Errorf("fuel used: got %d, want %d", got, c.want)
			}
			if want := uint64(c.turns) * uint64(c.turns+1) / 2; results[0] != want {
				t.Errorf("result: got %d, want %d", results[0], want)
			}
		})
	}
}

func TestStraightCodeIsNotFree(t *testing.T) {
	var nops []any
	for range 12_800 {
		nops = append(nops, 0x01)
	}
	after := append([]any{a.Loop, a.Empty, a.End}, nops...)
	for name, wasm := range map[string][]byte{"Alone": fn("", nops...), "AfterALoop": fn("", after...)} {
		t.Run(name, func(t *testing.T) {
			left, _, err := run(t, wasm, 10_000)
			if err != nil {
				t.Fatal(err)
			}
			if used := 10_000 - left; used < 1600 || used > 1603 {
				t.Errorf("fuel used: got %d, want about 1601", used)
			}
		})
	}
}

// TestBranchesToTheEnd holds the rewriter to what it does to labels: a block takes the place of the function's own.
func TestBranchesToTheEnd(t *testing.T) {
	i32, arg := a.Types(a.I32), a.Op(a.LocalGet, 0)
	nested := []any{}
	for range 130 {
		nested = append(nested, a.Block, a.Empty)
	}
	nested = append(nested, a.I32Const(7), a.Op(a.Br, 130))
	for range 130 {
		nested = append(nested, a.End)
	}
	for name, c := range map[string]struct {
		code []any
		want [3]uint64
	}{
		"Br":        {[]any{a.I32Const(5), a.Br, 0}, [3]uint64{5, 5, 5}},
		"BrIf":      {[]any{a.I32Const(1), arg, a.BrIf, 0, a.Drop, a.I32Const(2)}, [3]uint64{2, 1, 1}},
		"Return":    {[]any{arg, a.If, a.Empty, a.I32Const(3), a.Return, a.End, a.I32Const(4)}, [3]uint64{4, 3, 3}},
		"BrInIf":    {[]any{arg, a.If, a.I32, a.I32Const(3), a.Br, 1, a.Else, a.I32Const(4), a.End}, [3]uint64{4, 3, 3}},
		"DeepBr":    {append(nested, a.I32Const(8)), [3]uint64{7, 7, 7}},
		"LoopAndBr": {[]any{a.Loop, a.I32, a.I32Const(6), a.I32Const(1), a.BrIf, 1, a.End}, [3]uint64{6, 6, 6}},
		"BrTable": {[]any{a.Block, a.Empty, a.Block, a.Empty, arg, 0x0e, 1, 0, 1, a.End, a.I32Const(10), a.Return, a.End, a.I32Const(11)},
			[3]uint64{10, 11, 11}},
		"BrTableToTheEnd": {[]any{a.I32Const(12), arg, 0x0e, 2, 0, 0, 0}, [3]uint64{12, 12, 12}},
		"IfElse": {[]any{arg, a.If, a.I32, a.Loop, a.I32, a.I32Const(1), a.End, a.Else, a.Loop, a.I32, a.I32Const(2), a.End, a.End},
			[3]uint64{2, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			m := a.New()
			m.Export("f", 0, m.Func(m.Type(i32, i32), "", c.code...))
			for n, want := range c.want {
				if _, got, err := run(t, m.Bytes(), 1000, uint64(n)); err != nil || got[0] != want {
					t.Errorf("f(%d): got %v, %v, want %d", n, got, err, want)
				}
			}
		})
	}
}

func TestSeveralResults(t *testing.T) {
	m := a.New()
	typ := m.Type(a.Types(a.I32), a.Types(a.I32, a.I64))
	m.Export("f", 0, m.Func(typ, "", a.I32Const(3), a.I64Const(4), a.Op(a.LocalGet, 0), a.BrIf, 0, a.Drop, a.Drop, a.I32Const(5), a.I64Const(6)))
	m.Func(typ, "", a.I32Const(3), a.I64Const(4))
	for arg, want := range map[uint64][2]uint64{0: {5, 6}, 1: {3, 4}} {
		if _, got, err := run(t, m.Bytes(), 100, arg); err != nil || [2]uint64(got) != want {
			t.Errorf("f(%d): got %v, %v, want %v", arg, got, err, want)
		}
	}
}

func TestFuelIsTheSameFromRunToRun(t *testing.T) {
	wasm := count(100)
	want, _, err := run(t, wasm, 1<<40, 12345)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if got, _, _ := run(t, wasm, 1<<40, 12345); got != want {
			t.Fatalf("fuel left: got %d, want %d", got, want)
		}
	}
}

func TestSegmentsStartAndGlobalsAreTakenOut(t *testing.T) {
	m := a.New()
	typ := m.Type("", "")
	m.Memory(1)
	m.Global(a.I32, true, a.I32Const(5))
	m.Global(a.I64, false, a.I64Const(5))
	m.Global(a.I64, true, a.I64Const(6))
	f := m.Func(typ, "", a.I32Const(1), a.Op(a.GlobalSet, 0))
	m.Start(f)
	m.Export("f", 0, f)
	m.Data(100, "hello")
	m.Passive("passive")
	got, err := Rewrite(m.Bytes(), Options{MaxMemoryBytes: 3*PageBytes + 5})
	if err != nil {
		t.Fatal(err)
	}
	if !got.HasStart || got.MinMemoryBytes != PageBytes || got.MaxMemoryBytes != 3*PageBytes {
		t.Errorf("got start %t, memory %d to %d", got.HasStart, got.MinMemoryBytes, got.MaxMemoryBytes)
	}
	if len(got.Segments) != 1 || got.Segments[0].Offset != 100 || string(got.Segments[0].Data) != "hello" {
		t.Errorf("segments: got %v", got.Segments)
	}
	if strings.Join(got.Globals, " ") != "ainfera.host.g0 ainfera.host.g2" {
		t.Errorf("globals: got %v", got.Globals)
	}
	ctx := context.Background()
	rt := wazero.NewRuntime(ctx)
	defer rt.Close(ctx)
	mod, err := rt.Instantiate(ctx, got.Wasm)
	if err != nil {
		t.Fatal(err)
	}
	if v := mod.ExportedGlobal("ainfera.host.g0").Get(); v != 5 {
		t.Errorf("global 0: got %d, want 5, since the start function must not have run", v)
	}
	if b, _ := mod.Memory().Read(100, 5); string(b) != "\x00\x00\x00\x00\x00" {
		t.Errorf("memory: got %q, want nothing written", b)
	}
}

func TestRewriteRefuses(t *testing.T) {
	module := func(build func(m *a.Module)) []byte {
		m := a.New()
		m.Type("", "")
		build(m)
		return m.Bytes()
	}
	code := func(c ...any) []byte { return fn("", c...) }
	for name, c := range map[string]struct {
		wasm []byte
		want string
	}{
		"Text":            {[]byte("<html>"), "not a WebAssembly module: starts with 3c 68 74 6d 6c 3e"},
		"Empty":           {nil, "not a WebAssembly module"},
		"Component":       {[]byte("\x00asm\x0d\x00\x01\x00"), "version 1"},
		"CutShort":        {count(0)[:30], "can't fit"},
		"ReservedExport":  {module(func(m *a.Module) { m.Export("ainfera.host.fuel", 0, m.Func(0, "")) }), "belong to the host"},
		"OurGlobal":       {code(a.I64Const(1), a.Op(a.GlobalSet, 0)), "uses global 0, which does not exist"},
		"ReadsOurGlobal":  {code(a.Op(a.GlobalGet, 0), a.Drop), "uses global 0, which does not exist"},
		"ExportOurGlobal": {module(func(m *a.Module) { m.Export("x", 3, 0) }), "does not exist"},
		"TwoMemories":     {module(func(m *a.Module) { m.Memory(1); m.Memory(1) }), "2 memories"},
		"Memory64":        {module(func(m *a.Module) { m.MemoryRaw(4, 1) }), "64-bit"},
		"SharedMemory":    {module(func(m *a.Module) { m.MemoryRaw(3, 1, 2) }), "shared memory"},
		"HugeMemory":      {module(func(m *a.Module) { m.Memory(1000) }), "needs 65536000 bytes of memory to begin with, the limit is 33554432"},
		"ImportedMemory":  {module(func(m *a.Module) { m.ImportRaw("env", "memory", 2, 0, 1) }), "imports memory from env"},
		"ImportedGlobal":  {module(func(m *a.Module) { m.ImportRaw("env", "g", 3, a.I32, 0) }), "imports g from env"},
		"ImportedTable":   {module(func(m *a.Module) { m.ImportRaw("env", "t", 1, a.Func, 0, 1) }), "imports t from env"},
		"HugeTable":       {module(func(m *a.Module) { m.Table(1 << 30) }), "table of 1073741824 elements"},
		"HugeLocals":      {module(func(m *a.Module) { m.RawCode(0, a.Cat(1, a.U32(1<<31), a.I64, a.End)...) }), "locals"},
		"Atomics":         {code(0xfe, 0x03, 0x00), "threads"},
		"RefFunc":         {code(0xd2, 0, a.Drop), "0xd2 is not supported: it belongs to references to functions made as the code runs"},
		"Exceptions":      {code(0x1f, 0x40, 0), "exception handling"},
		"GCTypes":         {code(0xfb, 0), "garbage collected"},
		"LongVectorOp":    {code(0xfd, 0x8c, 0x00), "0xfd 0x8c 0x0 is not supported"},
		"RelaxedVectorOp": {code(0xfd, 0x80, 0x02), "0xfd 0x80 0x2 is not supported"},
		"LongMiscOp":      {code(0xfc, 0x8b, 0x00), "0xfc 0x8b is not supported"},
		"LongBlockType":   {code(a.Loop, 0xc0, 0x7f, a.Br, 0, a.End), "block type -64"},
		"SegmentOutside":  {module(func(m *a.Module) { m.Memory(1); m.Data(65530, "1234567") }), "ends at 65537"},
		"SegmentNowhere":  {module(func(m *a.Module) { m.Data(0, "") }), "no memory"},
		"HugeVector":      {a.Cat("\x00asm\x01\x00\x00\x00", 1, 5, a.U32(1<<32-1)), "can't fit"},
		"NoBytes":         {nil, "not a WebAssembly module: it is empty"},
		"CutInASection":   {a.Cat("\x00asm\x01\x00\x00\x00", 1, 50, 1), "module is cut short"},
		"SectionTwice":    {a.Cat("\x00asm\x01\x00\x00\x00", 1, 1, 0, 1, 1, 0), "out of order"},
		"NumberTooLong":   {a.Cat("\x00asm\x01\x00\x00\x00", 1, 6, "\x80\x80\x80\x80\x80\x00"), "too large for 32 bits"},
		"CodeAfterEnd":    {module(func(m *a.Module) { m.RawCode(0, 0, a.End, a.End) }), "after its end"},
		"NoEnd":           {module(func(m *a.Module) { m.RawCode(0, 0, a.Loop, a.Empty, a.End) }), "cut short"},
		"StartTakesMore":  {module(func(m *a.Module) { m.Type(a.Types(a.I32), ""); m.Start(m.Func(1, "")) }), "start function has the signature (i32) -> ()"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Rewrite(c.wasm, Options{})
			var refused *RefusedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a RefusedError", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to contain %q", err, c.want)
			}
		})
	}
	if _, err := Rewrite(make([]byte, 11), Options{MaxModuleBytes: 10}); err == nil || !strings.Contains(err.Error(), "11 bytes, the limit is 10") {
		t.Errorf("large module: got %v", err)
	}
}

func TestChangesBesideMemoryForbidASnapshot(t *testing.T) {
	for want, wasm := range map[string][]byte{
		"":           fn("", a.I32Const(0), a.I32Const(0), a.I32Const(1), 0xfc, 8, 0, 0),
		"table.set":  fn("", a.I32Const(0), 0xd0, 0x70, 0x26, 0),
		"table.grow": fn("", 0xd0, 0x70, a.I32Const(1), 0xfc, 15, 0, a.Drop),
		"table.fill": fn("", a.I32Const(0), 0xd0, 0x70, a.I32Const(1), 0xfc, 17, 0),
		"table.copy": fn("", a.I32Const(0), a.I32Const(0), a.I32Const(1), 0xfc, 14, 0, 0),
		"data.drop":  fn("", 0xfc, 9, 0),
	} {
		m, err := Rewrite(wasm, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Unsnapshotable != want {
			t.Errorf("got %q, want %q", m.Unsnapshotable, want)
		}
		if left, err := call(t, m, 1_000_000); err != nil {
			t.Errorf("%s: %v with fuel %d", want, err, left)
		}
	}
}

func TestFunctionNamesAreKept(t *testing.T) {
	m := a.New()
	typ := m.Type("", "")
	m.Export("f", 0, m.Func(typ, "", a.Unreachable))
	m.Custom("producers", []byte("\xff\xff\xff\xff\x0f"))
	m.Custom("name", a.Cat(1, 10, 1, 0, a.Str("culprit"), 2, 5, a.U32(1<<32-1)))
	_, _, err := run(t, m.Bytes(), 100)
	if err == nil || !strings.Contains(err.Error(), "culprit") {
		t.Errorf("got %v, want the function's name in the trace", err)
	}
}

func TestSignedNumbers(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 1<<31 - 1, -1 << 31} {
		r := reader{b: a.S64(v)}
		if got := r.signed(32); r.err != nil || got != v {
			t.Errorf("32 bits: got %d, %v, want %d", got, r.err, v)
		}
	}
	for _, v := range []int64{1<<63 - 1, -1 << 63, 1 << 40, -1 << 40} {
		r := reader{b: a.S64(v)}
		if got := r.signed(64); r.err != nil || got != v {
			t.Errorf("64 bits: got %d, %v, want %d", got, r.err, v)
		}
	}
	for _, v := range []int64{1 << 31, -1<<31 - 1, 1 << 40} {
		r := reader{b: a.S64(v)}
		if got := r.signed(32); r.err == nil {
			t.Errorf("32 bits: got %d for %d, want an error", got, v)
		}
	}
}
