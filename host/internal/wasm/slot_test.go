package wasm

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestSlotKeepsTheOldVersionForItsCalls(t *testing.T) {
	h := open(t, Config{})
	old, next := load(t, h, Spec{Bytes: guest(t, "adapter", "")}), load(t, h, Spec{Bytes: guest(t, "adapter", "")})
	slot := NewSlot(old)
	m, release := slot.Acquire()
	s, err := m.NewStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	slot.Swap(next)
	release()
	if _, err := s.Open(opening("old")); err != nil {
		t.Errorf("a stream of the old version: %v", err)
	}
	if got, release := slot.Acquire(); got != next {
		t.Error("the slot does not give the new version")
	} else {
		release()
	}
	if n := old.Stats().Instances; n != 1 {
		t.Errorf("instances of the old version: got %d, want the stream's", n)
	}
	if n := old.Stats().Holders; n != 1 {
		t.Errorf("holders of the old version: got %d, want the stream", n)
	}
	select {
	case <-old.Freed():
		t.Error("the old version was freed under its stream")
	default:
	}
	s.Close()
	<-old.Freed()
	if n := old.Stats().Holders; n != 0 {
		t.Errorf("holders of a freed module: got %d, want none", n)
	}
	if n := old.Stats().Instances; n != 0 {
		t.Errorf("after its last call: got %d instances, want none", n)
	}
	if _, err := old.NewStream(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("stream of a closed module: got %v, want ErrClosed", err)
	}
	slot.Close()
	if m, release := slot.Acquire(); m != nil {
		t.Error("an empty slot gives a module")
	} else {
		release()
	}
}

func TestSwapsUnderLoad(t *testing.T) {
	h := open(t, Config{})
	wasm := guest(t, "policy", "")
	slot := NewSlot(load(t, h, Spec{Bytes: wasm}))
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		wg.Go(func() {
			for !done.Load() {
				m, release := slot.Acquire()
				if out, _, err := m.Decide(context.Background(), []byte("fast")); err != nil || string(out) != "fast" {
					t.Errorf("got %q, %v", out, err)
				}
				release()
			}
		})
	}
	for range 20 {
		slot.Swap(load(t, h, Spec{Bytes: wasm}))
	}
	done.Store(true)
	wg.Wait()
	h.mu.Lock()
	n := len(h.modules)
	h.mu.Unlock()
	if n != 1 {
		t.Errorf("modules: got %d, want the active one", n)
	}
	goroutinesBack(t, before)
}
