package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// queueLength is how many operations may wait. When it is full callers wait to get in; nothing is dropped.
	queueLength = 1024
	// batchLength is how many operations share a transaction at most.
	batchLength = 256
	// commitTimeout bounds one transaction. A store that takes longer counts as not available.
	commitTimeout = 10 * time.Second
)

// An operation is one caller's part of a transaction.
type operation struct {
	// agentID and day name what it works on, so that the batch reads and locks it first. Empty: nothing.
	agentID, day string
	// keyID names the idempotency key that the operation wants to claim. Empty: none.
	keyID string
	// alone operations read on their own or touch what others could touch: they get a transaction to themselves.
	alone bool
	// apply works on the batch's accounts and leaves rows. An error of an operation that shares its transaction refuses
	// it and must come before it changed anything; an error of one that is alone rolls back. It may run more than once.
	apply func(*batch) error

	err  error
	done chan struct{}
}

// A writer is the one goroutine that writes. While it commits one batch the next gathers in its queue, so that the busier
// the store the more calls share a commit.
type writer struct {
	engine engine
	now    func() time.Time
	signer func() *Signer
	batch  *batch
	// committed is told what a transaction left, after it is durable and before its callers are.
	committed func(*batch)

	queue   chan *operation
	mu      sync.RWMutex // held to send, so that close can't meet a sender
	closed  bool
	stopped chan struct{}
}

func newWriter(e engine, now func() time.Time, signer func() *Signer, hostID string, committed func(*batch)) *writer {
	w := &writer{
		engine: e, now: now, signer: signer, batch: newBatch(hostID), committed: committed,
		queue: make(chan *operation, queueLength), stopped: make(chan struct{}),
	}
	go w.run()
	return w
}

// submit waits for a place in the queue, as long as ctx lets it, and then for the operation's end, which ctx can't cut
// short: what is being committed may become durable. It returns nil when the operation is.
func (w *writer) submit(ctx context.Context, op *operation) error {
	op.done = make(chan struct{})
	if err := w.enqueue(ctx, op); err != nil {
		return err
	}
	<-op.done
	return op.err
}

func (w *writer) enqueue(ctx context.Context, op *operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return unavailable(errors.New("the books are closed"))
	}
	select {
	case w.queue <- op:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close takes no more, writes what is queued and stops.
func (w *writer) close(ctx context.Context) error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	select {
	case <-w.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write what is queued: %w", ctx.Err())
	}
}

func (w *writer) run() {
	defer close(w.stopped)
	ops := make([]*operation, 0, batchLength)
	var next *operation
	for {
		if next == nil {
			var ok bool
			if next, ok = <-w.queue; !ok {
				return
			}
		}
		ops, next = w.gather(ops[:0], next)
		w.write(ops)
		clear(ops)
	}
}

// gather takes what is waiting. An operation that wants to be alone ends the batch before it and comes back as left.
func (w *writer) gather(ops []*operation, first *operation) (_ []*operation, left *operation) {
	ops = append(ops, first)
	for !first.alone && len(ops) < batchLength {
		select {
		case op, ok := <-w.queue:
			if !ok {
				return ops, nil
			}
			if op.alone {
				return ops, op
			}
			ops = append(ops, op)
		default:
			return ops, nil
		}
	}
	return ops, nil
}

// write commits the operations together. When one of them is to blame for a failure each is tried by itself, so that
// only that one fails.
func (w *writer) write(ops []*operation) {
	err := w.try(ops, ops[0].alone)
	if err != nil && !ops[0].alone && w.engine.blamesOperation(err) {
		for _, op := range ops {
			one := []*operation{op}
			if err := w.try(one, true); err != nil {
				w.fail(one, err)
			}
			close(op.done)
		}
		return
	}
	if err != nil {
		w.fail(ops, err)
	}
	for _, op := range ops {
		close(op.done)
	}
}

// fail gives the operations the error. The store's own trouble becomes ErrUnavailable; what an operation brought upon
// itself stays what it is.
func (w *writer) fail(ops []*operation, err error) {
	if ofStore(err) && !w.engine.refuses(err) {
		err = unavailable(err)
	}
	for _, op := range ops {
		op.err = err
	}
}

// stepCommit is the one step that may have succeeded although it failed.
const stepCommit = "commit"

// inDoubt reports whether the operation may be durable in spite of its error: the connection broke, or the time ran out,
// while the store was committing.
func inDoubt(err error) bool {
	e := new(storeError)
	return errors.As(err, &e) && e.step == stepCommit
}

// A storeError is an error of the store's, as against one of the books' rules.
type storeError struct {
	step string
	err  error
}

// ofStore reports whether the error came from the store.
func ofStore(err error) bool {
	e := new(storeError)
	return errors.As(err, &e)
}

func (e *storeError) Error() string { return e.step + ": " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

// try is one transaction. It returns an error when nothing was committed; an operation that was refused has its own.
func (w *writer) try(ops []*operation, careful bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	b := w.batch
	b.reset()
	b.careful, b.now, b.signer = careful, w.now().UTC().Truncate(time.Microsecond), w.signer()
	t, err := w.engine.begin(ctx)
	if err != nil {
		return &storeError{"begin", err}
	}
	committed := false
	defer func() {
		if !committed {
			t.rollback()
			b.forget()
		}
	}()
	if !t.unchanged() {
		b.forget()
	}
	b.tx = t
	if err := b.load(ops); err != nil {
		return err
	}
	taken := 0
	for _, op := range ops {
		if op.err = op.apply(b); op.err == nil {
			taken++
		} else if op.alone || ofStore(op.err) {
			return op.err
		}
	}
	if taken == 0 {
		return nil // every operation was refused: there is nothing to commit
	}
	if err := b.flush(); err != nil {
		return &storeError{"write", err}
	}
	if err := t.commit(); err != nil {
		return &storeError{stepCommit, err}
	}
	committed = true
	w.committed(b)
	return nil
}
