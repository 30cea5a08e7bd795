package author

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A Cost is what one case costs on a module.
type Cost struct {
	Case string
	// Pieces is how many calls the case makes of the module: the open, then the head, each frame and the end; 1 of a policy.
	Pieces int
	// Fuel and Time are of the whole case, Time the median of many.
	Fuel int64
	Time time.Duration
}

// benchFor is how long a case is repeated.
const benchFor = 300 * time.Millisecond

// Bench plays cases over and over. A case that does not pass is an error: what a wrong answer costs says nothing.
func Bench(ctx context.Context, sandbox *wasm.Host, module []byte, files []*sdktest.File) (costs []Cost, perStream int64, err error) {
	m, err := sandbox.Load(ctx, wasm.Spec{Name: "plugin", Bytes: module})
	if err != nil {
		return nil, 0, err
	}
	defer m.Close()
	for _, f := range files {
		c, err := bench(ctx, m, f)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", f.Path, err)
		}
		costs = append(costs, c)
	}
	if m.Kind() == wasm.KindAdapter && len(files) > 0 {
		perStream, err = held(ctx, m, files[len(files)-1])
	}
	return costs, perStream, err
}

func bench(ctx context.Context, m *wasm.Module, f *sdktest.File) (Cost, error) {
	c := Cost{Case: f.Name, Pieces: 1}
	once := func() (int64, time.Duration, error) {
		_, stats, err := m.Decide(ctx, f.Input)
		return stats.FuelUsed, stats.Duration, err
	}
	if m.Kind() == wasm.KindAdapter {
		sc, err := stage(ctx, m, f)
		if err != nil {
			return c, err
		}
		if sc.Answer.Status > 0 {
			c.Pieces = len(sc.Answer.Frames) + 3
		}
		once = func() (int64, time.Duration, error) {
			p, err := run(ctx, m, sc.Exchange)
			return p.fuel, p.took, err
		}
	}
	var times []time.Duration
	for began := time.Now(); time.Since(began) < benchFor || len(times) == 0; {
		fuel, took, err := once()
		if err != nil {
			return c, err
		}
		c.Fuel, times = fuel, append(times, took)
	}
	slices.Sort(times)
	c.Time = times[len(times)/2]
	return c, nil
}

// heldStreams are enough for the pages of one to be told from noise.
const heldStreams = 64

// held is what a stream keeps to itself in the middle of its answer, with an instance of its own; 0 where the system does not
// tell.
func held(ctx context.Context, m *wasm.Module, f *sdktest.File) (int64, error) {
	sc, err := stage(ctx, m, f)
	if err != nil {
		return 0, err
	}
	x := sc.Exchange
	if n := len(x.Answer.Frames); n > 0 {
		x.Answer.Frames = x.Answer.Frames[:(n+1)/2]
	}
	before := private()
	var open []*wasm.Stream
	defer func() {
		for _, s := range open {
			s.Close()
		}
	}()
	for range heldStreams {
		s, err := m.NewStream(ctx)
		if err != nil {
			return 0, err
		}
		open = append(open, s)
		if err := feed(s, x); err != nil {
			return 0, err
		}
	}
	return max(0, private()-before) / heldStreams, nil
}

// private is the memory that the process has written and shares with nobody, as Linux counts it; 0 elsewhere. What is resident
// would count the snapshot's pages again for each instance that reads them.
func private() int64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "Private_Dirty:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}
