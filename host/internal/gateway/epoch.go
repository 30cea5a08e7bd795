package gateway

import "sync/atomic"

// An epoch is a World and the calls that began with it.
type epoch struct {
	*World
	holders atomic.Int64 // the calls, and the server while this is its newest
	over    chan struct{}
}

func newEpoch(w *World) *epoch {
	e := &epoch{World: w, over: make(chan struct{})}
	e.holders.Store(1)
	return e
}

// enter takes the newest epoch for a call, which leaves it when it ends.
func (s *Server) enter() *epoch {
	for {
		e := s.epoch.Load()
		for n := e.holders.Load(); n > 0; n = e.holders.Load() {
			if e.holders.CompareAndSwap(n, n+1) {
				return e
			}
		}
		// It ended between the two: there is a newer one.
	}
}

func (e *epoch) leave() {
	if e.holders.Add(-1) == 0 {
		close(e.over)
	}
}

// World is what calls that begin now look at.
func (s *Server) World() *World { return s.epoch.Load().World }

// SetWorld swaps the configuration for calls that begin from now on. What it returns is closed when the last call has ended
// that began with the one before: until then that one's upstreams and plugins are in use.
func (s *Server) SetWorld(w *World) (over <-chan struct{}) {
	old := s.epoch.Swap(newEpoch(w))
	old.leave()
	return old.over
}
