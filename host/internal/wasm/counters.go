package wasm

import (
	"slices"
	"sync/atomic"
	"time"
)

// CallSeconds are the upper bounds of the buckets in which calls of a guest are counted. A call is a chunk of a stream or a
// decision: microseconds, as long as the guest is well.
var CallSeconds = [...]float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1}

// counters are what a module counts of itself.
type counters struct {
	calls, fuel       atomic.Int64
	initFuel          atomic.Int64
	instances, memory atomic.Int64
	faults            [8]atomic.Int64
	buckets           [len(CallSeconds) + 1]atomic.Int64 // the last is for what is above all bounds
	nanos             atomic.Int64
}

func (c *counters) fault(k FaultKind) {
	if i := slices.Index(FaultKinds, k); i >= 0 {
		c.faults[i].Add(1)
	}
}

func (c *counters) call(fuel int64, d time.Duration) {
	c.calls.Add(1)
	c.fuel.Add(fuel)
	c.nanos.Add(int64(d))
	i, _ := slices.BinarySearch(CallSeconds[:], d.Seconds())
	c.buckets[i].Add(1)
}

// Stats is what a module did since it was loaded, and what it holds now.
type Stats struct {
	// Calls counts calls of open, push and decide, replays included, and Fuel what they used.
	Calls, Fuel int64
	// InitFuel is what starting an instance used, out of its generous budget.
	InitFuel int64
	// Instances are live; MemoryBytes is their linear memory, of which copy-on-write shares what was not written.
	Instances, MemoryBytes int64
	// Faults by kind, without those that never happened.
	Faults map[FaultKind]int64
	// Load is how long it took to load: a second where it was compiled, milliseconds where the cache had it.
	Load time.Duration
	// Holders are those who keep the module from being freed: calls, streams, shared instances.
	Holders int64
	// CallTime is how long all calls took together, and CallBuckets how many took as long as each bound of CallSeconds but
	// longer than the one before; the last has no bound.
	CallTime    time.Duration
	CallBuckets [len(CallSeconds) + 1]int64
}

// Stats reads the module's counters, each at its own moment.
func (m *Module) Stats() Stats {
	c := &m.counters
	s := Stats{Calls: c.calls.Load(), Fuel: c.fuel.Load(), InitFuel: c.initFuel.Load(), Instances: c.instances.Load(),
		MemoryBytes: c.memory.Load(), Faults: map[FaultKind]int64{}, Load: m.loadTime, Holders: m.refs.Load(),
		CallTime: time.Duration(c.nanos.Load())}
	if !m.closed.Load() {
		s.Holders-- // whoever loaded it
	}
	for i := range c.buckets {
		s.CallBuckets[i] = c.buckets[i].Load()
	}
	for i, k := range FaultKinds {
		if n := c.faults[i].Load(); n > 0 {
			s.Faults[k] = n
		}
	}
	return s
}
