package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// An end is a call with how it ended.
type end struct {
	call *Call
	done *Completion
}

// stranded are the ends that neither the store nor the local disk took: it is full, or read-only. They are as many as
// there were calls in flight when both went away, since none begins without the store.
type stranded struct {
	mu   sync.Mutex
	ends []end
}

func (s *stranded) add(ends ...end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, ends...)
}

func (s *stranded) take() []end {
	s.mu.Lock()
	defer s.mu.Unlock()
	ends := s.ends
	s.ends = nil
	return ends
}

func (s *stranded) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ends)
}

// endStranded tries the store and the journal once more for each. What neither takes stays stranded; the error is the
// store's of one of them.
func (b *Books) endStranded(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(sweepWidth)
	for _, e := range b.stranded.take() {
		group.Go(func() error {
			err := e.call.end(ctx, e.done, true)
			if err == nil || b.journal.append(e.call.record(e.done)) == nil {
				return nil
			}
			b.stranded.add(e)
			return err
		})
	}
	return group.Wait()
}

// landEvery is how often a host that is about to stop tries to write down what is stranded.
const landEvery = 250 * time.Millisecond

// landStranded returns when nothing is stranded any more, or when ctx ends.
func (b *Books) landStranded(ctx context.Context) error {
	for said := false; b.stranded.count() > 0; said = true {
		err := b.endStranded(ctx)
		n := b.stranded.count()
		if n == 0 {
			return nil
		}
		if !said {
			b.log.Error("completions are written nowhere: the stop waits until the store or the local disk takes them",
				"calls", n, "dir", b.config.Dir, "error", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d calls will be failed_host, since neither the store nor %s takes their completions: %w", n, b.config.Dir, errors.Join(ctx.Err(), err))
		case <-time.After(landEvery):
		}
	}
	return nil
}
