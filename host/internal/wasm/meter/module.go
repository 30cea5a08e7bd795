package meter

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
)

// Ids of sections.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	sections
)

// order is the place of each section in a file; each may appear once.
var order = [sections]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7,
	secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// A module is what was read of one: the raw sections that are written back as they were, and what the rest needs.
type module struct {
	opt   Options
	raw   [sections]reader // b is nil for a section that isn't there
	names []byte           // the function names of the name section, or nil

	types    []FuncType
	funcs    []uint32 // type of each function, imported ones first
	imported int      // how many of funcs are
	globals  []globalType
	tables   []tableLimits
	exports  int
	start    uint32
	segments int // data segments of any kind
	counted  int // what the data count section says, or -1
	// namesData says that an instruction refers to a data segment; known once the code was read.
	namesData bool
	// blockTypes are types that the charged code needs beside the module's own.
	blockTypes  []FuncType
	blockTypeOf map[string]int // where each is, by its text
	elements    int            // of the element segments
	effort      int64          // of the functions that were read; see afford
	out         Metered
}

type globalType struct {
	value   ValueType
	mutable bool
}

type tableLimits struct {
	ref    ValueType
	lo, hi uint32
}

// readModule reads every section but the code, whose functions are read as they are rewritten.
func readModule(wasm []byte, opt Options) (*module, error) {
	m := &module{opt: opt, counted: -1}
	if err := m.split(wasm); err != nil {
		return nil, err
	}
	steps := [...]struct {
		id   int
		read func(*reader)
	}{
		{secType, m.readTypes}, {secImport, m.readImports}, {secFunction, m.readFunctions}, {secTable, m.readTables},
		{secMemory, m.readMemory}, {secGlobal, m.readGlobals}, {secExport, m.readExports}, {secStart, m.readStart},
		{secElement, m.readElements}, {secDataCount, m.readDataCount}, {secData, m.readData},
	}
	for _, s := range steps {
		r := m.raw[s.id]
		if r.b == nil {
			continue
		}
		s.read(&r)
		if r.more() {
			r.fail("section %d has %d bytes after its end", s.id, len(r.b)-r.pos)
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if m.counted >= 0 && m.counted != m.segments {
		return nil, refuse("module announces %d data segments and has %d", m.counted, m.segments)
	}
	if m.segments > 0 && !m.out.HasMemory {
		return nil, refuse("module has data segments but no memory")
	}
	return m, nil
}

// split finds the sections. Custom ones are dropped, but for the function names that traces show.
func (m *module) split(wasm []byte) error {
	if !bytes.HasPrefix(wasm, header[:4]) {
		if len(wasm) == 0 {
			return refuse("not a WebAssembly module: it is empty")
		}
		return refuse("not a WebAssembly module: starts with % x", wasm[:min(8, len(wasm))])
	}
	if !bytes.HasPrefix(wasm, header) {
		return refuse("not a WebAssembly module of version 1: starts with % x", wasm[:min(8, len(wasm))])
	}
	r := reader{b: wasm, pos: len(header)}
	last := 0
	for r.more() {
		id := int(r.byte())
		n := int(r.u32())
		at := r.pos
		if left := len(r.b) - at; r.err == nil && n > left {
			r.fail("module is cut short: %d bytes of a section can't fit into the %d that are left", n, left)
		}
		b := r.bytes(n)
		if r.err != nil {
			return r.err
		}
		switch {
		case id == secCustom:
			if names := functionNames(b); names != nil {
				m.names = names
			}
			continue
		case id >= sections:
			return &RefusedError{Reason: "section " + strconv.Itoa(id) + " is not supported", Offset: at}
		case order[id] <= last:
			return &RefusedError{Reason: "section " + strconv.Itoa(id) + " is out of order", Offset: at}
		}
		last = order[id]
		m.raw[id] = reader{b: b, base: at}
	}
	return r.err
}

func (m *module) readTypes(r *reader) {
	for range r.bounded(3, maxTypes, "types") {
		if r.err != nil {
			return
		}
		if form := r.byte(); form != 0x60 {
			r.fail("type of form %#x is not supported: only functions are", form)
		}
		m.types = append(m.types, FuncType{Params: r.valueTypes(), Results: r.valueTypes()})
	}
}

func (m *module) readImports(r *reader) {
	for range r.bounded(4, maxImports, "imports") {
		if r.err != nil {
			return
		}
		im := Import{Module: r.label(), Name: r.label()}
		kind := r.byte()
		if r.err == nil && kind != byte(Func) {
			r.fail("imports %s from %s, which is not a function: a module must bring its own memory, tables and globals", im.Name, im.Module)
			return
		}
		t := m.typeIndex(r)
		if r.err != nil {
			return
		}
		im.Type = m.types[t]
		m.funcs = append(m.funcs, t)
		m.out.Imports = append(m.out.Imports, im)
	}
	m.imported = len(m.funcs)
}

func (m *module) readFunctions(r *reader) {
	n := r.bounded(1, maxFunctions, "functions")
	m.funcs = append(make([]uint32, 0, len(m.funcs)+n), m.funcs...)
	for range n {
		if r.err != nil {
			return
		}
		m.funcs = append(m.funcs, m.typeIndex(r))
	}
}

func (m *module) typeIndex(r *reader) uint32 {
	t := r.u32()
	if r.err == nil && int(t) >= len(m.types) {
		r.fail("type %d does not exist", t)
	}
	return t
}

func (m *module) readTables(r *reader) {
	n := r.bounded(3, maxTables, "tables")
	total := uint64(0)
	for range n {
		if r.err != nil {
			return
		}
		ref := r.refType()
		lo, hi := r.limits("table")
		if total += uint64(lo); total > maxTableElements {
			r.fail("table of %d elements, the limit is %d for all tables", lo, maxTableElements)
		}
		m.tables = append(m.tables, tableLimits{ref, lo, max(lo, min(hi, uint32(maxTableElements/n)))})
	}
}

func (m *module) readMemory(r *reader) {
	n := r.count(2)
	if n == 0 || r.err != nil {
		return
	}
	if n > 1 {
		r.fail("module has %d memories, only one is supported", n)
		return
	}
	lo, hi := r.limits("memory")
	limit := m.opt.MaxMemoryBytes
	m.out.HasMemory = true
	m.out.MinMemoryBytes = uint64(lo) * PageBytes
	m.out.MaxMemoryBytes = min(uint64(hi)*PageBytes, limit)
	if r.err == nil && m.out.MinMemoryBytes > limit {
		r.fail("needs %d bytes of memory to begin with, the limit is %d", m.out.MinMemoryBytes, limit)
	}
}

func (m *module) readGlobals(r *reader) {
	for range r.bounded(4, maxGlobals, "globals") {
		if r.err != nil {
			return
		}
		g := globalType{value: r.valueType()}
		switch r.byte() {
		case 0:
		case 1:
			g.mutable = true
		default:
			r.fail("global with an unknown mutability")
		}
		m.constExpr(r)
		m.globals = append(m.globals, g)
		if g.mutable {
			m.addGlobal(g)
		}
	}
}

// addGlobal books a mutable global for the snapshot.
func (m *module) addGlobal(g globalType) {
	switch g.value {
	case I32, I64, F32, F64:
		m.out.Globals = append(m.out.Globals, GlobalExportPrefix+strconv.Itoa(len(m.globals)-1))
	default:
		// The host can neither read nor write these from outside.
		m.out.Unsnapshotable = "a mutable global of type " + g.value.String()
	}
}

func (m *module) readExports(r *reader) {
	n := r.bounded(3, maxExports, "exports")
	seen := make(map[string]bool, n)
	for range n {
		e := Export{Name: r.label(), Kind: ExternKind(r.byte())}
		i := int(r.u32())
		if r.err != nil {
			return
		}
		if strings.HasPrefix(e.Name, abi.Reserved) {
			r.fail("exports %q: names that begin with %q belong to the host", e.Name, abi.Reserved)
			return
		}
		if seen[e.Name] {
			r.fail("exports %q twice", e.Name)
			return
		}
		seen[e.Name] = true
		ok := false
		switch e.Kind {
		case Func:
			if ok = i < len(m.funcs); ok {
				e.Type = m.types[m.funcs[i]]
			}
		case Table:
			ok = i < len(m.tables)
		case Memory:
			ok = i == 0 && m.out.HasMemory
		case Global:
			ok = i < len(m.globals)
		}
		if !ok {
			r.fail("export %q is of something that does not exist", e.Name)
			return
		}
		m.out.Exports = append(m.out.Exports, e)
	}
	m.exports = n
}

func (m *module) readStart(r *reader) {
	m.start = r.u32()
	if r.err != nil {
		return
	}
	if int(m.start) >= len(m.funcs) {
		r.fail("start function %d does not exist", m.start)
		return
	}
	if t := m.types[m.funcs[m.start]]; len(t.Params)+len(t.Results) > 0 {
		r.fail("start function has the signature %s, want () -> ()", t)
	}
	m.out.HasStart = true
}

func (m *module) readDataCount(r *reader) { m.counted = int(r.u32()) }
