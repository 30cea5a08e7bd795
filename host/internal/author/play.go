package author

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A play is one run of a case on a module.
type play struct {
	result *sdktest.Result
	fuel   int64
	took   time.Duration // inside of the module
}

// run plays an exchange on a stream of its own.
func run(ctx context.Context, m *wasm.Module, x sdktest.Exchange) (play, error) {
	s, err := m.NewStream(ctx)
	if err != nil {
		return play{}, err
	}
	defer s.Close()
	g := plugins.NewGuest(s)
	res, err := x.Run(g)
	if failed := g.Err(); failed != nil {
		err = failed // what Run says of the batch that never came is not the reason
	}
	stats := s.Stats()
	return play{res, stats.FuelUsed, stats.Duration}, err
}

// feed opens a stream and pushes the answer as far as x has it; the stream stays open.
func feed(s *wasm.Stream, x sdktest.Exchange) error {
	g := plugins.NewGuest(s)
	x.Answer.End = abi.EndCancelled
	_, err := x.Run(g)
	if failed := g.Err(); failed != nil {
		err = failed
	}
	return err
}

// A script is a case as the host plays it: the answer cut by the framing that the module's request asks for.
type script struct {
	sdktest.Exchange
	kind   string // of the framing; "" where there is nothing to cut
	body   []byte
	frames []sdktest.Frame
	// raw are the bytes of each frame, so that an answer that was cut short can be written down.
	raw [][]byte
}

// stage asks the module for its request and cuts the answer as that says.
func stage(ctx context.Context, m *wasm.Module, f *sdktest.File) (*script, error) {
	sc := &script{Exchange: f.Exchange()}
	ask := sc.Exchange
	ask.Answer = sdktest.Answer{}
	opened, err := run(ctx, m, ask)
	if err != nil {
		return sc, err
	}
	r := f.Response()
	if r == nil || opened.result.Refusal != nil || r.Status >= 400 {
		return sc, nil
	}
	sc.body, sc.kind = r.Body, opened.result.Request.Framing
	if typ, _, _ := strings.Cut(r.Headers["content-type"], ";"); strings.TrimSpace(typ) == "application/json" &&
		(sc.kind == abi.FramingSSE || sc.kind == abi.FramingAWS) {
		sc.kind = abi.FramingJSON // asked to stream, it didn't
	}
	if sc.frames, sc.raw, _, err = cut(sc.kind, sc.body, len(sc.body)); err != nil {
		return sc, err
	}
	sc.Answer.Frames = sc.frames
	return sc, nil
}

// cut puts a body through the host's framer in two reads. early is how many frames the first one completed.
func cut(kind string, body []byte, at int) (frames []sdktest.Frame, raw [][]byte, early int, err error) {
	f, err := framing.New(kind, 0)
	if err != nil {
		return nil, nil, 0, err
	}
	var taken []byte // comments and the like go with the frame behind them
	emit := func(f framing.Frame) error {
		taken = append(taken, f.Raw...)
		if !f.Empty {
			raw, taken = append(raw, taken), nil
			frames = append(frames, sdktest.Frame{Event: string(f.Event), Data: string(f.Data), Document: f.Document})
		}
		return nil
	}
	if err := f.Feed(body[:at], emit); err != nil {
		return nil, nil, 0, err
	}
	early = len(frames)
	if err := f.Feed(body[at:], emit); err != nil {
		return nil, nil, 0, err
	}
	return frames, raw, early, f.Close(emit)
}

// cuts are the ways in which the answer may reach the module, wherever the network cuts it: each byte is tried, and what
// differs is how many frames the first push holds.
func (sc *script) cuts() (splits []int, bytes int, err error) {
	if sc.kind == "" {
		return nil, 0, nil
	}
	seen := map[int]bool{}
	for at := range len(sc.body) + 1 {
		frames, _, early, err := cut(sc.kind, sc.body, at)
		if err != nil {
			return nil, 0, fmt.Errorf("cut at byte %d: %w", at, err)
		}
		if !slices.Equal(frames, sc.frames) {
			return nil, 0, fmt.Errorf("cut at byte %d the frames are others", at)
		}
		seen[early] = true
	}
	return slices.Sorted(maps.Keys(seen)), len(sc.body), nil
}

// until is the exchange with its answer ended after so many frames.
func (sc *script) until(frames int, why abi.EndReason) sdktest.Exchange {
	x := sc.Exchange
	x.Answer.Frames, x.Answer.End = x.Answer.Frames[:frames], why
	return x
}
