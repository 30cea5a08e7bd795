package gateway

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A world is over when the last call that began with it has ended, and not before.
func TestWorldsEndWithTheirLastCall(t *testing.T) {
	s := &Server{}
	first := &World{}
	s.epoch.Store(newEpoch(first))
	one, two := s.enter(), s.enter()
	over := s.SetWorld(&World{})
	if one.World != first || s.World() == first {
		t.Error("a call's world changed, or the server's did not")
	}
	one.leave()
	select {
	case <-over:
		t.Error("over with a call in flight")
	default:
	}
	two.leave()
	<-over
}

func TestWorldsUnderLoad(t *testing.T) {
	s := &Server{}
	s.epoch.Store(newEpoch(&World{}))
	var calls sync.WaitGroup
	var done atomic.Bool
	for range 4 {
		calls.Go(func() {
			for !done.Load() {
				e := s.enter()
				select {
				case <-e.over:
					t.Error("a call holds a world that is over")
				default:
				}
				e.leave()
			}
		})
	}
	var overs []<-chan struct{}
	for range 2000 {
		overs = append(overs, s.SetWorld(&World{}))
	}
	done.Store(true)
	calls.Wait()
	for _, over := range overs {
		<-over // each ends, since no call is left
	}
}
