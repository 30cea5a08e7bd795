package wasm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	a "github.com/ainfera-ai/router/host/internal/wasm/internal/asm"
	"github.com/ainfera-ai/router/sdk/abi"
)

// parts are what a hand-made adapter is built from; a test changes one.
type parts struct {
	marker, arena, open string
	markerType          [2]string
	manifest            string
	start, initialize   []any
	imports             func(m *a.Module)
	extra               func(m *a.Module)
	noMemory            bool
}

// handmade is the smallest adapter: it returns its manifest, an arena at 32768, and nothing from its calls.
func handmade(change func(p *parts)) []byte {
	i, I := a.Types(a.I32), a.Types(a.I64)
	p := parts{marker: abi.ExportAdapter, arena: abi.ExportArena, open: abi.ExportOpen, markerType: [2]string{i, i},
		manifest: `{"name":"hand","version":"0","kind":"adapter"}`}
	if change != nil {
		change(&p)
	}
	m := a.New()
	if p.imports != nil {
		p.imports(m)
	}
	none := m.Type("", "")
	marker := m.Func(m.Type(p.markerType[0], p.markerType[1]), "", a.I32Const(0))
	manifest := m.Func(m.Type("", I), "", a.I64Const(int64(abi.Pack(1024, uint32(len(p.manifest))))))
	arena := m.Func(m.Type(i, i), "", a.I32Const(32768))
	call := m.Func(m.Type(i+i, I), "", a.I64Const(0))
	end := m.Func(m.Type(i, ""), "")
	if !p.noMemory {
		m.Memory(4)
		m.Export(abi.ExportMemory, 2, 0)
		m.Data(1024, p.manifest)
	}
	m.Export(p.marker, 0, marker)
	m.Export(abi.ExportManifest, 0, manifest)
	m.Export(p.arena, 0, arena)
	m.Export(p.open, 0, call)
	m.Export(abi.ExportPush, 0, call)
	m.Export(abi.ExportClose, 0, end)
	if p.start != nil {
		m.Start(m.Func(none, "", p.start...))
	}
	if p.initialize != nil {
		m.Export(abi.ExportInitialize, 0, m.Func(none, "", p.initialize...))
	}
	if p.extra != nil {
		p.extra(m)
	}
	return m.Bytes()
}

var spin = []any{a.Loop, a.Empty, a.Br, 0, a.End}

// TestDraftVersionLoads: a module from before the version was fixed, as the rows of then name them.
func TestDraftVersionLoads(t *testing.T) {
	draft := handmade(func(p *parts) {
		p.marker = "ainfera_adapter_v0"
		p.imports = func(m *a.Module) { m.Import("ainfera_v0", abi.ImportLog, m.Type(a.Types(a.I32, a.I32, a.I32), "")) }
	})
	if m := load(t, open(t, Config{}), Spec{Bytes: draft}); m.Kind() != KindAdapter {
		t.Errorf("got a %s, want an adapter", m.Kind())
	}
}

func TestLoadRefuses(t *testing.T) {
	imports := func(module, name string, params, results string) func(p *parts) {
		return func(p *parts) {
			p.imports = func(m *a.Module) { m.Import(module, name, m.Type(params, results)) }
		}
	}
	i := a.Types(a.I32)
	for name, c := range map[string]struct {
		wasm []byte
		spec Spec
		step string
		want string
	}{
		"Text":         {wasm: []byte("#!/bin/sh\n"), step: "meter", want: "not a WebAssembly module: starts with 23 21 2f 62"},
		"Digest":       {wasm: handmade(nil), spec: Spec{Digest: "sha256:00"}, step: "digest", want: "the configuration wants sha256:00"},
		"Isolation":    {wasm: handmade(nil), spec: Spec{Isolation: "none"}, step: "digest", want: `isolation "none" is unknown`},
		"Socket":       {wasm: handmade(imports(wasiModule, "sock_accept", i+i+i, i)), step: "imports", want: "imports sock_accept from wasi_snapshot_preview1, which guests may not have"},
		"OtherModule":  {wasm: handmade(imports("env", "abort", "", "")), step: "imports", want: "imports abort from env, which guests may not have"},
		"ImportType":   {wasm: handmade(imports(abi.ImportModule, abi.ImportLog, i, "")), step: "imports", want: "imports log from ainfera_v1 as (i32) -> (), want (i32, i32, i32) -> ()"},
		"LaterVersion": {wasm: handmade(func(p *parts) { p.marker = "ainfera_adapter_v7" }), step: "exports", want: "exports the marker ainfera_adapter_v7, this host expects ainfera_adapter_v1 or ainfera_policy_v1"},
		"LaterPolicy":  {wasm: handmade(func(p *parts) { p.marker = "ainfera_policy_v8" }), spec: Spec{Kind: KindPolicy}, step: "exports", want: "exports the marker ainfera_policy_v8, this host expects ainfera_policy_v1"},
		"OtherKind":    {wasm: handmade(nil), spec: Spec{Kind: KindPolicy}, step: "exports", want: "exports the marker ainfera_adapter_v1, this host expects ainfera_policy_v1"},
		"UnknownKind":  {wasm: handmade(nil), spec: Spec{Kind: "filter"}, step: "exports", want: `kind "filter" is unknown`},
		"BothKinds":    {wasm: handmade(func(p *parts) { p.extra = func(m *a.Module) { m.Export(abi.ExportPolicy, 0, 0) } }), step: "exports", want: "exports both"},
		"TwoVersions":  {wasm: handmade(func(p *parts) { p.extra = func(m *a.Module) { m.Export("ainfera_adapter_v0", 0, 0) } }), step: "exports", want: "exports both"},
		"NoMarker":     {wasm: handmade(func(p *parts) { p.marker = "x" }), step: "exports", want: "exports no marker, this host expects ainfera_adapter_v1 or ainfera_policy_v1"},
		"Command":      {wasm: handmade(func(p *parts) { p.marker = "_start" }), step: "exports", want: "build it with -buildmode=c-shared"},
		"NoArena":      {wasm: handmade(func(p *parts) { p.arena = "arena" }), step: "exports", want: "exports no function ainfera_arena, which every adapter has"},
		"NoOpen":       {wasm: handmade(func(p *parts) { p.open = "open" }), step: "exports", want: "exports no function ainfera_open"},
		"NoMemory":     {wasm: handmade(func(p *parts) { p.noMemory = true }), step: "exports", want: `exports no memory under the name "memory"`},
		"MarkerType":   {wasm: handmade(func(p *parts) { p.markerType[0] = "" }), step: "exports", want: "exports ainfera_adapter_v1 as () -> i32, want (i32) -> i32"},
		"Reserved":     {wasm: handmade(func(p *parts) { p.extra = func(m *a.Module) { m.Export("ainfera.host.fuel", 0, 0) } }), step: "meter", want: "belong to the host"},
		"Invalid":      {wasm: handmade(func(p *parts) { p.initialize = []any{a.I32Add} }), step: "compile", want: "i32.add"},
		"InvalidLong":  {wasm: handmade(func(p *parts) { p.initialize = []any{bytes.Repeat(a.I64Const(0), 5000)} }), step: "compile", want: "too many results"},
		"Memory":       {wasm: handmade(nil), spec: Spec{MemoryBytes: 1 << 16}, step: "meter", want: "needs 262144 bytes of memory to begin with, the limit is 65536"},
		"SpinInStart":  {wasm: handmade(func(p *parts) { p.start = spin }), step: "start", want: "ainfera.host.start: fuel: used up its fuel of 200000000 units"},
		"SpinInInit":   {wasm: handmade(func(p *parts) { p.initialize = spin }), step: "start", want: "_initialize: fuel: used up its fuel"},
		"TrapInInit":   {wasm: handmade(func(p *parts) { p.initialize = []any{a.Unreachable} }), step: "start", want: "_initialize: trap: unreachable"},
		"GoSpin":       {wasm: guest(t, "adapter", "spin"), step: "start", want: "_initialize: fuel: used up its fuel"},
		"GoPanic":      {wasm: guest(t, "adapter", "panic"), step: "start", want: "_initialize: panic: panic: can't start at "},
		"GoBomb":       {wasm: guest(t, "adapter", "bomb"), step: "start", want: "_initialize: memory: needs more than the 33554432 bytes"},
		"GoManifest":   {wasm: guest(t, "adapter", "manifest"), step: "start", want: "manifest is not the JSON it should be"},
		"ManifestKind": {wasm: handmade(func(p *parts) { p.manifest = `{"name":"x","version":"1","kind":"policy"}` }), step: "start", want: `says that it is of kind "policy"`},
		"ManifestName": {wasm: handmade(func(p *parts) { p.manifest = `{"version":"1","kind":"adapter"}` }), step: "start", want: `has no "name"`},
		"DearStarts": {wasm: handmade(func(p *parts) {
			fill := a.Cat(a.I32Const(60000), a.I32Const(0), a.I32Const(200000), 0xfc, 11, 0)
			p.initialize = []any{a.I32Const(0), 0xd0, 0x70, 0x26, 0, fill, fill}
			p.extra = func(m *a.Module) { m.Table(1) }
		}), spec: Spec{Fuel: 5000}, step: "start", want: "because of table.set every instance starts from the beginning: it may use no more than the 5000 of a call"},
		"ManifestClimbs": {wasm: handmade(func(p *parts) { p.manifest = `{"name":"../x","version":"1","kind":"adapter"}` }), step: "start", want: `manifest's name "../x" is not a word`},
		"ManifestWrites": {wasm: handmade(func(p *parts) { p.manifest = `{"name":"x","version":"1\n\u001b[2J","kind":"adapter"}` }), step: "start", want: `manifest's version "1\n\x1b[2J" is not a word`},
		"SettingName": {wasm: handmade(func(p *parts) {
			p.manifest = `{"name":"x","version":"1","kind":"adapter","settings":[{"name":"a b","type":"bool"}]}`
		}), step: "start", want: `manifest's setting "a b" is not a word`},
		"FeatureWrites": {wasm: handmade(func(p *parts) {
			p.manifest = `{"name":"x","version":"1","kind":"adapter","features":["chat\u0007"]}`
		}), step: "start", want: `manifest's feature "chat\a" is not a word`},
		"DocWrites": {wasm: handmade(func(p *parts) {
			p.manifest = `{"name":"x","version":"1","kind":"adapter","settings":[{"name":"s","type":"bool","doc":"a\nb"}]}`
		}), step: "start", want: `setting "s" has a doc that can't be printed on a line`},
		"ImportWrites": {wasm: handmade(imports("env", "a\x1b[31m\nb", "", "")), step: "meter", want: `name "a\x1b[31m\nb" can't be printed`},
		"LongExport":   {wasm: handmade(func(p *parts) { p.marker = strings.Repeat("ainfera_adapter_v", 100) }), step: "meter", want: "name of 1700 bytes, the limit is 1000"},
		"HugeManifest": {wasm: handmade(func(p *parts) { p.manifest = strings.Repeat(" ", abi.MaxManifestBytes+1) }), step: "start", want: "manifest is 65537 bytes, the limit is 65536"},
		"SettingType": {wasm: handmade(func(p *parts) {
			p.manifest = `{"name":"x","version":"1","kind":"adapter","settings":[{"name":"s","type":"int"}]}`
		}), step: "start", want: `setting "s" has the type "int"`},
		"SettingDefault": {wasm: handmade(func(p *parts) {
			p.manifest = `{"name":"x","version":"1","kind":"adapter","settings":[{"name":"s","type":"bool","default":1}]}`
		}), step: "start", want: `setting "s" is a bool, its default 1 is not`},
	} {
		t.Run(name, func(t *testing.T) {
			c.spec.Name, c.spec.Bytes = "bad", c.wasm
			_, err := open(t, Config{}).Load(context.Background(), c.spec)
			var l *LoadError
			if !errors.As(err, &l) {
				t.Fatalf("got %v, want a LoadError", err)
			}
			if l.Plugin != "bad" || l.Step != c.step || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got step %s: %q, want step %s: %q", l.Step, err, c.step, c.want)
			}
			if n := len(err.Error()); n > 2*maxMessage {
				t.Errorf("says so in %d bytes", n)
			}
		})
	}
}

func TestLoadReadsTheManifest(t *testing.T) {
	wasm := guest(t, "adapter", "")
	m := load(t, open(t, Config{}), Spec{Bytes: wasm})
	got := m.Manifest()
	if got.Name != "rogue" || got.Version != "1.2.3" || m.Kind() != KindAdapter || !m.Feature("chat") || m.Feature("tools") ||
		len(got.Settings) != 1 || got.Settings[0].Default != 3.0 {
		t.Errorf("got %+v", got)
	}
	if !strings.HasPrefix(m.Digest(), "sha256:") || len(m.Digest()) != 71 {
		t.Errorf("digest: got %q", m.Digest())
	}
	again := load(t, open(t, Config{}), Spec{Bytes: wasm, Digest: strings.ToUpper(m.Digest()[:7]) + m.Digest()[7:]})
	if again.Digest() != m.Digest() {
		t.Errorf("got %s, want %s", again.Digest(), m.Digest())
	}
}

func TestLoadAfterCloseOrCancel(t *testing.T) {
	h, err := Open(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Load(ctx, Spec{Bytes: handmade(nil)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if err := h.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Load(context.Background(), Spec{Bytes: handmade(nil)}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: got %v, want ErrClosed", err)
	}
}

// TestModuleThatCanNotBeSnapshotted loads one that changes a table at its start: every instance must see that change.
func TestModuleThatCanNotBeSnapshotted(t *testing.T) {
	wasm := handmade(func(p *parts) {
		p.initialize = []any{a.I32Const(0), 0xd0, 0x70, 0x26, 0, a.I32Const(2000), a.I32Const(5), a.I32Store, 2, 0}
		p.extra = func(m *a.Module) { m.Table(1) }
	})
	m := load(t, open(t, Config{}), Spec{Bytes: wasm})
	if m.snapshot != nil {
		t.Fatal("it has a snapshot")
	}
	for range 3 {
		in, err := m.acquire(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := in.mem.ReadUint32Le(2000); v != 5 {
			t.Errorf("memory: got %d, want 5", v)
		}
		in.mem.WriteUint32Le(2000, 6)
		if b, _ := in.mem.Read(1024, 5); !bytes.Equal(b, []byte(`{"nam`)) {
			t.Errorf("data: got %q", b)
		}
		m.giveBack(in)
	}
}

// TestBrokenCacheIsDoneWithout spoils every file of the cache, as a full disk may.
func TestBrokenCacheIsDoneWithout(t *testing.T) {
	dir := t.TempDir()
	load(t, open(t, Config{CacheDir: dir}), Spec{Bytes: handmade(nil)})
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		return os.WriteFile(path, []byte("spoilt"), 0o600)
	})
	if err != nil || files == 0 {
		t.Fatalf("got %d files in the cache, %v", files, err)
	}
	m := load(t, open(t, Config{CacheDir: dir}), Spec{Bytes: handmade(nil)})
	if m.Manifest().Name != "hand" {
		t.Errorf("got %+v", m.Manifest())
	}
}
