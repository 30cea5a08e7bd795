package wasm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// misdeeds is what the rogue adapter can be told to do, and the fault that each must be.
var misdeeds = []struct {
	command string
	kind    FaultKind
	message string
}{
	{"spin", FaultFuel, "used up its fuel of 20001"},
	{"fill", FaultFuel, "used up its fuel"},
	{"panic! dance", FaultPanic, "panic: told to dance at "},
	{"panic! dance", FaultPanic, "main.go:"},
	{"panic! " + strings.Repeat("dance ", 300), FaultPanic, "… at "},
	{"error!", FaultPanic, "panic: an error value"},
	{"nil!", FaultPanic, "nil pointer dereference"},
	{"bomb", FaultMemory, "needs more than the 33554432 bytes of memory"},
	{"recurse", "", ""}, // fuel, stack or memory, whichever comes first
	{"ramble", "", ""},  // likewise
	{"deadlock", FaultPanic, "fatal error: all goroutines are asleep - deadlock!"},
	{"exit 3", FaultExit, "ended itself with exit code 3"},
	{"exit 0", FaultExit, "ended itself with exit code 0"},
	{"outside", FaultProtocol, "returned 64 bytes at 0xfffffff0, beyond its memory"},
	{"mirror", FaultProtocol, "which may not come here"},
	{"everything", FaultProtocol, "returned 4294967295 bytes at 0x0, beyond its memory"},
	{"nothing", FaultProtocol, "shorter than its header"},
	{"rubbish", FaultProtocol, "it is for stream"},
	{"otherstream", FaultProtocol, "it is for stream"},
	{"badkind", FaultProtocol, "of kind 0x80, which may not come here"},
	{"overlong", FaultProtocol, "record 0: record is larger than the ABI allows"},
	{"cut", FaultProtocol, "record 0: record is cut short"},
}

// arrangements are the ways in which instances are made and shared.
func arrangements(t *testing.T, f func(t *testing.T, h *Host, i Isolation)) {
	for _, mode := range []MemoryMode{MemoryCopyOnWrite, MemoryCopy} {
		for _, i := range []Isolation{IsolationStream, IsolationShared} {
			t.Run(fmt.Sprintf("%s-%s", mode, i), func(t *testing.T) {
				if mode == MemoryCopyOnWrite && copyOnWriteError() != nil {
					t.Skip("no copy-on-write here: ", copyOnWriteError())
				}
				f(t, open(t, Config{Memory: mode}), i)
			})
		}
	}
}

func TestMisdeedsAreFaultsOfTheirOwn(t *testing.T) {
	wasm := guest(t, "adapter", "")
	arrangements(t, func(t *testing.T, h *Host, i Isolation) {
		m := load(t, h, Spec{Name: "rogue", Bytes: wasm, Isolation: i})
		good := stream(t, m)
		if _, err := good.Open(opening("good")); err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		for n, d := range misdeeds {
			for _, call := range []string{abi.ExportOpen, abi.ExportPush} {
				misdeed(t, m, call, d.command, d.kind, d.message)
			}
			batch, err := good.Push(frame("x"))
			if err != nil {
				t.Fatalf("after %q another stream failed: %v", d.command, err)
			}
			if got, want := texts(t, batch)[0], fmt.Sprintf("good:%d:x", n+1); got != want {
				t.Fatalf("after %q: got %q, want %q", d.command, got, want)
			}
		}
		good.Close()
		goroutinesBack(t, before)
		stats := m.Stats()
		if stats.Instances > 2 {
			t.Errorf("instances: got %d, want at most the 2 that were in use at once", stats.Instances)
		}
		if limit := stats.Instances * int64(m.snapshot.image.size()); stats.MemoryBytes > limit {
			t.Errorf("memory: got %d bytes, want at most %d", stats.MemoryBytes, limit)
		}
		for _, k := range []FaultKind{FaultFuel, FaultPanic, FaultMemory, FaultExit, FaultProtocol} {
			if stats.Faults[k] == 0 {
				t.Errorf("no fault of kind %s was counted", k)
			}
		}
	})
}

// goroutinesBack waits until there are no more goroutines than before: one that has said that it is done may not be gone.
func goroutinesBack(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("goroutines: got %d, want at most %d", runtime.NumGoroutine(), before)
			return
		}
	}
}

// misdeed runs one command and holds the fault to what is wanted, and the stream to failing for good.
func misdeed(t *testing.T, m *Module, call, command string, kind FaultKind, message string) {
	t.Helper()
	s := stream(t, m)
	defer s.Close()
	var err error
	if call == abi.ExportOpen {
		_, err = s.Open(opening(command))
	} else {
		if _, err := s.Open(opening("bad")); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		_, err = s.Push(frame("fine"), frame(command))
	}
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("%s in %s: got %v, want a fault", command, call, err)
	}
	if f.Plugin != "rogue" || f.Version != "1.2.3" || f.Digest != m.Digest() || f.Call != call {
		t.Errorf("%s: got a fault of %s %s %s in %s", command, f.Plugin, f.Version, f.Digest, f.Call)
	}
	if kind == "" {
		return
	}
	if f.Kind != kind || !strings.Contains(f.Message, message) {
		t.Errorf("%s in %s: got %s: %q, want %s: %q", command, call, f.Kind, f.Message, kind, message)
	}
	if _, again := s.Push(frame("x")); again == nil || again.Error() != err.Error() {
		t.Errorf("%s: a further call gave %v, want the same fault", command, again)
	}
}

func TestPolicyMisdeeds(t *testing.T) {
	m := load(t, open(t, Config{}), Spec{Name: "seer", Bytes: guest(t, "policy", "")})
	for command, want := range map[string]string{
		"two":   "plugin seer 0.1.0: ainfera_decide: protocol: returned 2 records, want one decision",
		"none":  "plugin seer 0.1.0: ainfera_decide: protocol: returned 0 records, want one decision",
		"panic": "plugin seer 0.1.0: ainfera_decide: panic: panic: no at ",
		"spin":  "plugin seer 0.1.0: ainfera_decide: fuel: used up its fuel of 20001000 units",
	} {
		dst := []byte("kept")
		out, _, err := m.AppendDecide(context.Background(), dst, []byte(command))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", command, err, want)
		}
		if string(out) != "kept" {
			t.Errorf("%s: the buffer became %q", command, out)
		}
		if _, _, err := m.Decide(context.Background(), []byte("fast")); err != nil {
			t.Errorf("after %s: %v", command, err)
		}
	}
}

func TestInputLargerThanMemory(t *testing.T) {
	h := open(t, Config{})
	adapter := load(t, h, Spec{Bytes: guest(t, "adapter", "")})
	s := stream(t, adapter)
	if _, err := s.Open(abi.Record{Kind: abi.KindOpen, Payload: make([]byte, 17<<20)}); !errors.Is(err, ErrInputTooLarge) {
		t.Errorf("got %v, want ErrInputTooLarge", err)
	}
	if n := adapter.Stats().Faults; len(n) != 0 {
		t.Errorf("faults: got %v, want none, since the guest did nothing", n)
	}
}

func TestKindsAreNotMixedUp(t *testing.T) {
	h := open(t, Config{})
	adapter, policy := load(t, h, Spec{Bytes: guest(t, "adapter", "")}), load(t, h, Spec{Bytes: guest(t, "policy", "")})
	if _, _, err := adapter.Decide(context.Background(), nil); !errors.Is(err, ErrKind) {
		t.Errorf("decide of an adapter: got %v, want ErrKind", err)
	}
	if _, err := policy.NewStream(context.Background()); !errors.Is(err, ErrKind) {
		t.Errorf("stream of a policy: got %v, want ErrKind", err)
	}
}

func TestLargeAnswersAndInputs(t *testing.T) {
	arrangements(t, func(t *testing.T, h *Host, i Isolation) {
		m := load(t, h, Spec{Bytes: guest(t, "adapter", ""), Isolation: i})
		s := stream(t, m)
		if _, err := s.Open(opening("big"), abi.Record{Kind: abi.KindBody, Payload: make([]byte, 4<<20)}); err != nil {
			t.Fatal(err)
		}
		batch, err := s.Push(frame("large 5000000"))
		if err != nil || len(batch) != 5_000_000+abi.BatchHeaderBytes+abi.RecordHeaderBytes {
			t.Fatalf("got %d bytes, %v", len(batch), err)
		}
		if batch, err = s.Push(frame("small")); err != nil || texts(t, batch)[0] != "big:2:small" {
			t.Fatalf("after it: got %q, %v", batch, err)
		}
	})
}
