package plugins

import (
	"context"
	"fmt"

	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// maxSelfTestFuel bounds what all cases of a module use together: fifty times what one call may by default. The shipped modules
// use a hundredth of it.
const maxSelfTestFuel = 1_000_000_000

// selfTest runs the cases that a module carries and returns how many there were. Together they may use so much fuel.
func selfTest(ctx context.Context, m *wasm.Module, module []byte, fuel int64) (int, error) {
	cases, err := sdktest.CasesOf(module)
	if err != nil {
		return 0, fmt.Errorf("read the module's cases: %w", err)
	}
	for i := range cases {
		c := &cases[i]
		if err := ctx.Err(); err != nil {
			return i, err
		}
		if m.Kind() == wasm.KindPolicy {
			err = decideCase(ctx, m, c)
		} else {
			err = streamCase(ctx, m, c)
		}
		if err != nil {
			return i, fmt.Errorf("case %q: %w", c.Name, err)
		}
		if used := m.Stats().Fuel; used > fuel {
			return i, fmt.Errorf("the first %d of its %d cases used %d units of fuel, the limit for all is %d: let it carry fewer", i+1, len(cases), used, fuel)
		}
	}
	return len(cases), nil
}

func decideCase(ctx context.Context, m *wasm.Module, c *sdktest.Case) error {
	if c.Input == nil {
		return fmt.Errorf("is no policy's case")
	}
	got, _, err := m.Decide(ctx, c.Input)
	if err != nil {
		return err
	}
	return c.Decided(got)
}

func streamCase(ctx context.Context, m *wasm.Module, c *sdktest.Case) error {
	s, err := m.NewStream(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	g := NewGuest(s)
	err = c.Run(g)
	if failed := g.Err(); failed != nil {
		return failed // what Run says of the batch that never came is not the reason
	}
	return err
}

// A Guest is a stream as the kit drives one: by batches, under a handle of the kit's.
type Guest struct {
	s   *wasm.Stream
	err error
}

var _ sdktest.Guest = (*Guest)(nil)

// NewGuest makes a guest of a stream that was not opened yet. The stream stays its maker's, who closes it.
func NewGuest(s *wasm.Stream) *Guest { return &Guest{s: s} }

// Err is what ended the stream, a *wasm.Fault most likely; nothing that came back after it means anything.
func (g *Guest) Err() error { return g.err }

// Open implements sdktest.Guest.
func (g *Guest) Open(stream uint32, batch []byte) []byte { return g.exchange(stream, batch, g.s.Open) }

// Push implements sdktest.Guest.
func (g *Guest) Push(stream uint32, batch []byte) []byte { return g.exchange(stream, batch, g.s.Push) }

// Close leaves the stream to its maker.
func (g *Guest) Close(uint32) {}

func (g *Guest) exchange(stream uint32, batch []byte, call func(...abi.Record) ([]byte, error)) []byte {
	if g.err != nil {
		return nil
	}
	var recs []abi.Record
	in, err := abi.NewReader(batch)
	for ok := err == nil; ok; {
		var rec abi.Record
		if rec, ok, err = in.Next(); ok {
			recs = append(recs, rec)
		}
	}
	var out []byte
	if err == nil {
		out, err = call(recs...)
	}
	if err != nil {
		g.err = err
		return nil
	}
	again := abi.AppendBatch(nil, stream)
	return append(append(again[:4], out[4:abi.BatchHeaderBytes]...), out[abi.BatchHeaderBytes:]...)
}
