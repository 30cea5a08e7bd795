package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A question is one of the published decisions' inputs.
type question struct {
	id    string
	input []byte
}

// published reads the inputs of the decisions that the reference engine made.
func published(t *testing.T) []question {
	t.Helper()
	dir := os.Getenv("AINFERA_CONFORMANCE")
	if dir == "" {
		t.Skip("AINFERA_CONFORMANCE names no directory with the published vectors")
	}
	var all []question
	for _, name := range []string{"decide_from_tests", "decide_edge_cases", "decide_random"} {
		b, err := os.ReadFile(filepath.Join(dir, "vectors", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Cases []struct {
				ID    string `json:"case_id"`
				Input json.RawMessage
			}
		}
		if err := json.Unmarshal(b, &file); err != nil {
			t.Fatal(err)
		}
		for _, c := range file.Cases {
			all = append(all, question{c.ID, c.Input})
		}
	}
	if len(all) == 0 {
		t.Fatal("no decisions")
	}
	return all
}

// An answer is what a policy said, and what saying it used.
type answer struct {
	out    []byte
	fuel   int64
	failed string // the error's text: what can't be decided must fail alike
}

// TestEveryDecisionAHundredTimes decides each published input 100 times: on two hosts, the second of which has the
// module from the first one's cache as after a restart, with pages copied on write and with memory copied, on fresh
// instances and rewound ones, four at a time so that neighbours differ. Bytes and fuel are always those of the first.
func TestEveryDecisionAHundredTimes(t *testing.T) {
	questions := published(t)
	code, err := builtin.Module("floor")
	if err != nil {
		t.Skip(err)
	}
	want := make([]answer, len(questions))
	cache := t.TempDir()
	asked := 0
	for _, life := range []struct {
		name   string
		memory wasm.MemoryMode
		times  int
	}{{"CopyOnWrite", wasm.MemoryCopyOnWrite, 40}, {"CopyOnWriteAfterRestart", wasm.MemoryCopyOnWrite, 40},
		{"Copy", wasm.MemoryCopy, 10}, {"CopyAfterRestart", wasm.MemoryCopy, 10}} {
		t.Run(life.name, func(t *testing.T) {
			h, err := wasm.Open(t.Context(), wasm.Config{CacheDir: cache, Memory: life.memory})
			if err != nil {
				t.Skip(err) // a kernel without what copying on write needs
			}
			defer h.Close(context.Background())
			m, err := h.Load(t.Context(), wasm.Spec{Name: "floor", Bytes: code})
			if err != nil {
				t.Fatal(err)
			}
			for range life.times {
				var g errgroup.Group
				g.SetLimit(4)
				for i, q := range questions {
					first := asked == 0
					g.Go(func() error {
						got, err := decide(m, q.input)
						if err != nil {
							return err
						}
						if first {
							want[i] = got
						} else if !bytes.Equal(got.out, want[i].out) || got.fuel != want[i].fuel || got.failed != want[i].failed {
							t.Errorf("%s: got %d bytes for %d fuel (%s), want %d bytes for %d fuel (%s)",
								q.id, len(got.out), got.fuel, got.failed, len(want[i].out), want[i].fuel, want[i].failed)
						}
						return nil
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				asked++
			}
		})
	}
	decided := 0
	for _, a := range want {
		if a.failed == "" {
			decided++
		}
	}
	if decided != len(questions) {
		t.Errorf("%d of %d were decided", decided, len(questions))
	}
	t.Logf("%d decisions, %d times each", decided, asked)
}

func decide(m *wasm.Module, input []byte) (answer, error) {
	out, stats, err := m.Decide(context.Background(), input)
	var fault *wasm.Fault
	switch {
	case errors.As(err, &fault):
		return answer{nil, stats.FuelUsed, fault.Error()}, nil
	case err != nil:
		return answer{}, err
	}
	return answer{out, stats.FuelUsed, ""}, nil
}
