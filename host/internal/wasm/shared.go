package wasm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A sharedSet is the instances of a module that streams share. Each is one of the pool's, taken while it has a stream:
// the last one to leave gives it back, to be rewound, so that nothing piles up in it for ever.
type sharedSet struct {
	mu   sync.Mutex
	open []*sharedInstance // that take further streams
}

// A sharedInstance is an instance with a lock, and the handles of its streams.
type sharedInstance struct {
	mu   sync.Mutex // held through each call
	in   *instance
	next uint32
	free []uint32 // handles to use again

	streams  int  // guarded by the set's mu
	returned bool // guarded by the set's mu
}

// join finds a seat: in the instance with the fewest streams, or in another one while there are processors without work or
// when all are full.
func (set *sharedSet) join(ctx context.Context, m *Module) (*sharedInstance, error) {
	if s := set.seat(); s != nil {
		return s, nil
	}
	in, err := m.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s := &sharedInstance{in: in, streams: 1}
	set.mu.Lock()
	defer set.mu.Unlock()
	set.open = append(set.open, s)
	return s, nil
}

func (set *sharedSet) seat() *sharedInstance {
	set.mu.Lock()
	defer set.mu.Unlock()
	var best *sharedInstance
	for _, s := range set.open {
		if best == nil || s.streams < best.streams {
			best = s
		}
	}
	if best == nil || best.streams >= streamsPerInstance || len(set.open) < parallel() {
		return nil
	}
	best.streams++
	return best
}

// leave gives a seat up, and with the last one the instance.
func (set *sharedSet) leave(s *sharedInstance) {
	set.mu.Lock()
	s.streams--
	last := s.streams == 0
	if last {
		set.remove(s)
	}
	set.mu.Unlock()
	if last {
		set.giveBack(s)
	}
}

// retire lets nobody else in. A dead instance goes back at once, since its streams may be long in finding out.
func (set *sharedSet) retire(s *sharedInstance, dead bool) {
	set.mu.Lock()
	set.remove(s)
	set.mu.Unlock()
	if dead {
		set.giveBack(s)
	}
}

func (set *sharedSet) remove(s *sharedInstance) {
	for i, o := range set.open {
		if o == s {
			set.open = append(set.open[:i], set.open[i+1:]...)
			return
		}
	}
}

func (set *sharedSet) giveBack(s *sharedInstance) {
	set.mu.Lock()
	done := s.returned
	s.returned = true
	set.mu.Unlock()
	if !done {
		s.in.m.giveBack(s.in)
	}
}

// handle returns a number that no stream of the instance has. The lock is held.
func (s *sharedInstance) handle() uint32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	s.next++
	return s.next
}

// feedShared is feed for a stream that shares its instance. When another stream's fault has ended that, the stream takes a
// seat elsewhere and is replayed there first. It does so too, once, when memory ran out under its own call: which of the
// streams that share an instance used it up, nobody can tell.
func (s *Stream) feedShared(dst []byte, open bool, recs []abi.Record) ([]byte, int64, error) {
	retried := false
	for {
		sh := s.shared
		sh.mu.Lock()
		if sh.in.dead {
			sh.mu.Unlock()
			if err := s.move(); err != nil {
				return dst, 0, err
			}
			continue
		}
		if !s.seated {
			s.id, s.seated = sh.handle(), true
		}
		out, fuel, err := sh.in.stream(dst, open, s.id, recs)
		dead := sh.in.dead
		crowded := !dead && uint64(sh.in.mem.Size()) > s.m.meta.MaxMemoryBytes/2
		sh.mu.Unlock()
		if dead || crowded {
			s.m.set.retire(sh, dead)
		}
		if dead && !retried && !s.journal.lost && ranOut(err) {
			retried = true
			continue
		}
		return out, fuel, err
	}
}

// ranOut says whether a call failed for want of memory.
func ranOut(err error) bool {
	var f *Fault
	return errors.As(err, &f) && f.Kind == FaultMemory
}

// move takes the stream from a dead instance to another and replays it there. What the replay returns was delivered before.
// It never waits for room: whoever waits holds a seat, and all might.
func (s *Stream) move() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		if s.journal.lost {
			f := s.m.newFault("replay")
			f.Kind = FaultLost
			f.Message = fmt.Sprintf("another stream's fault ended the instance that it shared, and it had been fed more than the %d bytes that are kept for a replay", s.journal.limit)
			s.m.counters.fault(f.Kind)
			return f
		}
		s.m.set.leave(s.shared)
		s.shared, s.seated = nil, false
		sh, err := s.m.set.join(now, s.m)
		if err != nil {
			s.err = err
			return err
		}
		s.shared = sh
		if again, err := s.replay(sh); !again {
			return err
		}
	}
}

// replay feeds what the journal has to the stream's new instance. again says that it died before the stream's turn came.
func (s *Stream) replay(sh *sharedInstance) (again bool, err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.in.dead {
		return true, nil
	}
	s.id, s.seated = sh.handle(), true
	err = s.journal.each(func(open bool, recs []abi.Record) error {
		began := time.Now()
		_, fuel, err := sh.in.stream(nil, open, s.id, recs)
		s.m.counters.call(fuel, time.Since(began))
		return err
	})
	if sh.in.dead {
		s.m.set.retire(sh, true)
	}
	return false, err
}

// stand closes a shared stream in its guest and gives its seat up.
func (s *Stream) stand() {
	sh := s.shared
	sh.mu.Lock()
	if !sh.in.dead && s.seated {
		if s.opened {
			sh.in.closeStream(s.id)
		}
		sh.free = append(sh.free, s.id)
	}
	dead := sh.in.dead
	sh.mu.Unlock()
	if dead {
		s.m.set.retire(sh, true)
	}
	s.m.set.leave(sh)
}

// closeStream tells the guest that a stream is over. A guest that fails at it is dead like any other; the stream had ended
// already and so has nothing to lose.
func (in *instance) closeStream(id uint32) {
	if in.closeFunc == nil {
		in.closeFunc = in.mod.ExportedFunction(abi.ExportClose)
	}
	budget := in.m.spec.budget(0)
	in.tank.Set(uint64(budget))
	in.stack[0] = uint64(id)
	if err := in.closeFunc.CallWithStack(in.ctx, in.stack[:]); err != nil {
		in.m.log.Warn("close stream", "error", in.fault(abi.ExportClose, budget, err))
		return
	}
	in.m.trim(&in.closeFunc)
	in.flush()
	in.book()
}
