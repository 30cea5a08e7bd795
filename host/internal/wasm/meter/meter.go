// Package meter is a rewriter of WebAssembly modules that makes them count their own work.
//
// Compiled guest code can't be preempted: a guest that loops for ever stops the garbage collector and with it the whole
// process, timers included. So a module is changed before it is compiled. A global, the fuel, is taken down at each
// function entry and each loop head by what the code behind it may cost, and code that takes it below zero traps.
// Rewrite is the whole of it: sections are read into a module, its functions are charged, and the result is written.
//
// The rewriter reads stricter than the compiler behind it. An encoding that two readers could take for different
// instructions is refused, because a loop that only one of them sees would run without being charged.
package meter

import (
	"fmt"

	"github.com/ainfera-ai/router/sdk/abi"
)

// Names of the exports that Rewrite adds. They begin with abi.Reserved, which no module may use itself.
const (
	// FuelExport is a mutable i64 global. It is zero until the host sets it, so that nothing runs by accident.
	FuelExport = abi.Reserved + "fuel"
	// StartExport is the module's start function, when it had one: the host calls it with fuel.
	StartExport = abi.Reserved + "start"
	// GlobalExportPrefix precedes the index of a mutable global of the module.
	GlobalExportPrefix = abi.Reserved + "g"
)

// PageBytes is the unit in which linear memory grows.
const PageBytes = 64 << 10

// Bounds on what a module may declare. They keep a small file from making the compiler allocate without measure.
const (
	maxFunctionBytes   = 4 << 20
	maxFunctionLocals  = 50_000
	maxTypeValues      = 1_000
	maxTableElements   = 1 << 18 // of all tables: they are memory of the host's, eight bytes each, in every instance
	maxTables          = 16
	maxNesting         = 10_000
	maxBranchTableSize = 1 << 16
	maxTypes           = 10_000
	maxImports         = 1_000
	maxLabelBytes      = 1_000
	maxFunctions       = 100_000
	maxGlobals         = 10_000
	maxExports         = 10_000
	maxElementSegments = 10_000
	maxDataSegments    = 1 << 18 // Go's linker makes a hundred thousand
)

// Options bound what Rewrite accepts. The zero value takes the defaults.
type Options struct {
	// MaxModuleBytes is the largest module. Defaults to 32 MiB.
	MaxModuleBytes int
	// MaxMemoryBytes is the most linear memory that an instance may grow to, rounded down to whole pages. Defaults to
	// 32 MiB.
	MaxMemoryBytes uint64
}

func (o Options) withDefaults() Options {
	if o.MaxModuleBytes <= 0 {
		o.MaxModuleBytes = 32 << 20
	}
	if o.MaxMemoryBytes == 0 {
		o.MaxMemoryBytes = 32 << 20
	}
	o.MaxMemoryBytes = min(o.MaxMemoryBytes/PageBytes, 1<<15) * PageBytes
	return o
}

// An ExternKind says what an import or export is.
type ExternKind byte

// Kinds of imports and exports, in the numbers of the binary format.
const (
	Func   ExternKind = 0
	Table  ExternKind = 1
	Memory ExternKind = 2
	Global ExternKind = 3
)

// An Import is a function that the module takes from outside. No other kind of import is accepted.
type Import struct {
	Module, Name string
	Type         FuncType
}

// An Export is something that the module gives. Type is set for functions.
type Export struct {
	Name string
	Kind ExternKind
	Type FuncType
}

// A Segment is data that belongs into memory before anything runs. Data aliases the module it came from.
type Segment struct {
	Offset uint32
	Data   []byte
}

// Metered is a module that counts, with what the host must know to run it.
type Metered struct {
	// Wasm is the rewritten module. It has no start function and its active data segments are empty.
	Wasm    []byte
	Imports []Import
	// Exports are the module's own, without those that Rewrite added.
	Exports []Export
	// Segments were the active data segments, in their order. The host writes them into a fresh memory.
	Segments []Segment
	// Globals are the names under which the module's mutable globals are exported, without the fuel.
	Globals []string
	// HasStart says that StartExport exists and must be called before anything else.
	HasStart bool
	// HasMemory says that there is a linear memory, of MinMemoryBytes at first and MaxMemoryBytes at most.
	HasMemory                      bool
	MinMemoryBytes, MaxMemoryBytes uint64
	// Unsnapshotable names what in the module changes state other than memory and numeric globals, or is empty. Such a
	// module can't be restored from a copy of those, so every instance must be built from the beginning.
	Unsnapshotable string
}

// A RefusedError says why a module can't be metered. Offset is where in the file the reason was found, or -1.
type RefusedError struct {
	Reason string
	Offset int
}

// Error returns the reason, and where it was found.
func (e *RefusedError) Error() string {
	if e.Offset < 0 {
		return e.Reason
	}
	return fmt.Sprintf("%s (at byte %#x)", e.Reason, e.Offset)
}

func refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...), Offset: -1}
}

// Rewrite returns a version of the module that counts its work. The result aliases neither opt nor the code of wasm, but
// its Segments do alias wasm. Every error is a *RefusedError.
func Rewrite(wasm []byte, opt Options) (*Metered, error) {
	opt = opt.withDefaults()
	if len(wasm) > opt.MaxModuleBytes {
		return nil, refuse("module is %d bytes, the limit is %d", len(wasm), opt.MaxModuleBytes)
	}
	m, err := readModule(wasm, opt)
	if err != nil {
		return nil, err
	}
	out, err := m.write()
	if err != nil {
		return nil, err
	}
	m.out.Wasm = out
	return &m.out, nil
}
