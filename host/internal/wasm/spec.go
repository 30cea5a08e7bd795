package wasm

import "runtime"

// A Kind says what a module is for.
type Kind string

// Kinds of modules.
const (
	KindAdapter Kind = "adapter"
	KindPolicy  Kind = "policy"
)

// Isolation says whether streams of an adapter share instances.
type Isolation string

const (
	// IsolationStream gives each stream an instance of its own. It is the default.
	IsolationStream Isolation = "stream"
	// IsolationShared lets streams share an instance, which costs a tenth of the memory: for modules whose authors are
	// trusted not to mix streams up. A trap still hurts nobody but the stream that caused it.
	IsolationShared Isolation = "shared"
)

// Defaults of a Spec.
const (
	DefaultFuel        int64  = 20_000_000
	DefaultFuelPerByte int64  = 50
	DefaultMemoryBytes uint64 = 32 << 20
	// DefaultJournalBytes is what a stream in a shared instance may be fed before it can't be replayed any more.
	DefaultJournalBytes = 256 << 10
	// DefaultMaxInstances bounds a module's live instances; a caller beyond waits.
	DefaultMaxInstances = 4096
)

// initFuelFactor makes the first call generous, since it happens once a version: a program may fill tables or compile
// expressions then. Starting Go's own runtime uses some 300,000 of the 200 million that this makes by default.
const initFuelFactor = 10

// streamsPerInstance is how many streams share an instance before another one is made, so that they don't run out of the
// memory that they share.
const streamsPerInstance = 64

// A Spec is a module to load and what its calls may use. Zero fields take the defaults.
type Spec struct {
	// Name is the plugin's name in the configuration; faults and log lines carry it.
	Name string
	// Bytes is the module as its author built it. Load does not keep it.
	Bytes []byte
	// Digest, when set, is "sha256:" and the digest that Bytes must have.
	Digest string
	// Kind is what the module must be; empty takes either.
	Kind Kind
	// Fuel is what one call may use up, and FuelPerByte what each byte of its input adds. A unit pays for eight plain
	// instructions or one access to memory; see package meter. An adapter uses some 10,000 on a chunk of a stream and 20 a
	// byte on a request's body.
	Fuel, FuelPerByte int64
	// MemoryBytes bounds the linear memory of an instance.
	MemoryBytes uint64
	// Isolation is for adapters. Policies always decide on a fresh or rewound instance.
	Isolation Isolation
	// JournalBytes bounds what is kept of a shared stream's input for a replay.
	JournalBytes int
	// MaxInstances bounds the live instances.
	MaxInstances int
	// Workers is how many processors may compile. Defaults to all of them; a host that serves meanwhile gives fewer.
	Workers int
}

func (s Spec) withDefaults() Spec {
	if s.Fuel <= 0 {
		s.Fuel = DefaultFuel
	}
	if s.FuelPerByte <= 0 {
		s.FuelPerByte = DefaultFuelPerByte
	}
	if s.MemoryBytes == 0 {
		s.MemoryBytes = DefaultMemoryBytes
	}
	if s.Isolation == "" {
		s.Isolation = IsolationStream
	}
	if s.JournalBytes <= 0 {
		s.JournalBytes = DefaultJournalBytes
	}
	if s.MaxInstances <= 0 {
		s.MaxInstances = DefaultMaxInstances
	}
	if s.Workers <= 0 {
		s.Workers = parallel()
	}
	return s
}

// budget is the fuel of one call on n bytes of input.
func (s *Spec) budget(n int) int64 { return s.Fuel + s.FuelPerByte*int64(n) }

// parallel is how many instances are worth having at work at once.
func parallel() int { return max(1, runtime.GOMAXPROCS(0)) }
