package capture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// A flakyStore is a store that goes away and comes back.
type flakyStore struct {
	engine
	away atomic.Bool
}

var errAway = errors.New("the store went away")

func (f *flakyStore) begin(ctx context.Context) (tx, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.engine.begin(ctx)
}

// openFlaky opens books whose store the test takes away and gives back.
func openFlaky(t *testing.T, config Config) (*Books, *flakyStore) {
	f := &flakyStore{}
	config.wrap = func(e engine) engine {
		f.engine = e
		return f
	}
	return openBooks(t, config), f
}

// crash leaves the books as the end of the process would: nothing is given up, nothing is closed but the file.
func crash(t *testing.T, b *Books) {
	t.Helper()
	b.host.started = time.Time{}
	if _, err := b.db.ExecContext(context.Background(), "UPDATE hosts SET lease_until = ? WHERE id = ?", "2000-01-01 00:00:00+00:00", b.host.id); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestStoreAway(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b, store := openFlaky(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		calls := []*Call{mustBegin(t, b, routed(a, 100)), mustBegin(t, b, pinned(a, 100))}
		store.away.Store(true)
		if _, err := b.Begin(ctx, routed(a, 100)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("begin: got %v, want ErrUnavailable", err)
		}
		if _, err := b.Reject(ctx, &Rejection{Agent: a, Status: schema.StatusRejectedFloor}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("reject: got %v, want ErrUnavailable", err)
		}
		if err := calls[0].RaiseHold(ctx, 200); !errors.Is(err, ErrUnavailable) || calls[0].HoldMicroUSD() != 100 {
			t.Errorf("raise: got %v, hold %d, want ErrUnavailable and 100", err, calls[0].HoldMicroUSD())
		}
		for _, c := range calls {
			mustComplete(t, c, ended(schema.StatusSucceeded, 40))
		}
		if err := calls[0].Complete(ctx, ended(schema.StatusSucceeded, 40)); !errors.Is(err, ErrCompleted) {
			t.Errorf("again: got %v, want ErrCompleted", err)
		}
		if n := b.journal.pending(); n != 2 {
			t.Errorf("got %d journaled, want 2", n)
		}
		if err := b.deliverJournal(ctx); err == nil || b.journal.pending() != 2 {
			t.Errorf("got %v, %d journaled, want both kept while the store is away", err, b.journal.pending())
		}
		store.away.Store(false)
		if err := b.deliverJournal(ctx); err != nil || b.journal.pending() != 0 {
			t.Errorf("got %v, %d journaled, want all delivered", err, b.journal.pending())
		}
		if got := balance(t, b, a); got != 920 {
			t.Errorf("got balance %d, want 920", got)
		}
		for _, c := range calls {
			checkReceipt(t, b, c, schema.StatusSucceeded)
		}
		checkBooks(t, b)
	})
}

// A forgetfulStore commits, and then does not say so.
type forgetfulStore struct {
	engine
	forgets atomic.Bool
}

type forgetfulTx struct{ tx }

func (f *forgetfulStore) begin(ctx context.Context) (tx, error) {
	t, err := f.engine.begin(ctx)
	if err == nil && f.forgets.Load() {
		t = forgetfulTx{t}
	}
	return t, err
}

func (f forgetfulTx) commit() error {
	if err := f.tx.commit(); err != nil {
		return err
	}
	return errAway
}

// Whatever fails while it is committed may be durable: nothing of it may stay held, and nothing may be booked twice.
func TestCommitInDoubt(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		store := &forgetfulStore{}
		config.wrap = func(e engine) engine {
			store.engine = e
			return store
		}
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 1000})
		c := mustBegin(t, b, routed(a, 100))
		store.forgets.Store(true)
		if _, err := b.Begin(ctx, routed(a, 50)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("begin: got %v, want ErrUnavailable", err)
		}
		if err := c.RaiseHold(ctx, 300); !errors.Is(err, ErrUnavailable) {
			t.Errorf("raise: got %v, want ErrUnavailable", err)
		}
		if got := balance(t, b, a); got != 650 {
			t.Errorf("got balance %d, want 650: both were committed", got)
		}
		mustComplete(t, c, ended(schema.StatusSucceeded, 40))
		store.forgets.Store(false)
		if err := errors.Join(b.endDoubts(ctx), b.deliverJournal(ctx)); err != nil {
			t.Fatal(err)
		}
		if got := balance(t, b, a); got != 960 {
			t.Errorf("got balance %d, want 960", got)
		}
		if r := checkBooks(t, b); r.OpenCalls != 0 || r.Inferences != 2 {
			t.Errorf("got %d open of %d calls, want none of 2", r.OpenCalls, r.Inferences)
		}
	})
}

// keepJournal copies the journal aside, so that a test may have it applied again.
func keepJournal(t *testing.T, dir string) (restore func()) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "journal-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %v, %v, want a journal", files, err)
	}
	kept := map[string][]byte{}
	for _, f := range files {
		if kept[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for f, data := range kept {
			if err := os.WriteFile(f, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestJournalIsAppliedAtOpenAndOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		if config.Dir == "" {
			config.Dir = t.TempDir()
		}
		b, store := openFlaky(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		c := mustBegin(t, b, routed(a, 100))
		store.away.Store(true)
		mustComplete(t, c, ended(schema.StatusSucceeded, 40))
		restore := keepJournal(t, config.Dir)
		crash(t, b)

		// The process that follows knows the end from the journal, so that the call is no orphan.
		b = openBooks(t, config)
		if i, err := b.Inference(context.Background(), c.ID()); err != nil || i.Status != schema.StatusSucceeded {
			t.Errorf("got %s, %v, want succeeded", i.Status, err)
		}
		crash(t, b)
		restore()
		b = openBooks(t, config)
		if got := balance(t, b, a); got != 960 {
			t.Errorf("got balance %d after the second time, want 960", got)
		}
		checkEvents(t, b, a.ID, "ainfera-inference")
		checkBooks(t, b)
	})
}

// A store that was restored from a copy has forgotten the call: the journal has its begin too.
func TestJournalBeginsWhatTheStoreForgot(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b, store := openFlaky(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		n := routed(a, 100)
		input := string(n.Decided.Input)
		c := mustBegin(t, b, n)
		store.away.Store(true)
		mustComplete(t, c, ended(schema.StatusSucceeded, 40))
		for _, statement := range []string{
			"DELETE FROM inferences", "DELETE FROM routing_outcomes", "DELETE FROM ledger_entries WHERE kind = 'hold'",
			"UPDATE wallets SET balance_micro_usd = 1000", "DELETE FROM daily_spend", "DELETE FROM blobs",
		} {
			if _, err := b.db.ExecContext(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		b.templates.last = nil
		store.away.Store(false)
		if err := b.deliverJournal(ctx); err != nil {
			t.Fatal(err)
		}
		if got := balance(t, b, a); got != 960 {
			t.Errorf("got balance %d, want 960", got)
		}
		if got, _, err := b.Decision(ctx, c.OutcomeID()); err != nil || string(got) != input {
			t.Errorf("got input %s, %v", got, err)
		}
		checkBooks(t, b)
	})
}

func TestOrphansAreEndedAtOpen(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		calls := []*Call{mustBegin(t, b, routed(a, 100)), mustBegin(t, b, pinned(a, 100))}
		crash(t, b)
		b = openBooks(t, config)
		if got := balance(t, b, a); got != 1000 {
			t.Errorf("got balance %d, want the holds refunded", got)
		}
		for _, c := range calls {
			i, err := b.Inference(ctx, c.ID())
			if err != nil || i.Status != schema.StatusFailedHost {
				t.Errorf("got %s, %v, want failed_host", i.Status, err)
			}
			checkSigned(t, b, c.ReceiptID())
		}
		o, err := b.OutcomeOf(ctx, calls[0].ID())
		if err != nil || o.OutcomeStatus != schema.StatusFailedHost {
			t.Errorf("got %s, %v, want failed_host", o.OutcomeStatus, err)
		}
		events, err := b.Events(ctx, a.ID, 2, 2)
		if err != nil || !strings.Contains(string(events[1].Payload), calls[0].output.hash) && !strings.Contains(string(events[1].Payload), "direct") {
			t.Errorf("got %s, %v, want the decision's hash", events[1].Payload, err)
		}
		checkBooks(t, b)
	})
}

func checkSigned(t *testing.T, b *Books, receiptID string) {
	t.Helper()
	r, err := b.Receipt(context.Background(), receiptID)
	if err != nil || r.Status != ReceiptSigned {
		t.Fatalf("got %+v, %v, want it signed", r, err)
	}
	if err := proof.VerifySigned(r.Document, b.Signer().Public()); err != nil {
		t.Error(err)
	}
}

// A host that was thought lost delivers the end of its call: the sweep's word is replaced, its entries are not.
func TestCompletionAfterTheSweep(t *testing.T) {
	for _, way := range []struct {
		name, mode string
		end        *Completion
		want       int64 // balance
		entries    int
	}{
		{"Metered", schema.WalletMetered, ended(schema.StatusSucceeded, 40), 960, 4},
		{"Prepaid", schema.WalletPrepaid, ended(schema.StatusSucceeded, 40), 960, 4},
		{"PrepaidForMoreThanThereIs", schema.WalletPrepaid, ended(schema.StatusSucceeded, 4000), 0, 4},
		{"Failed", schema.WalletMetered, ended(schema.StatusFailedProviderError, 40), 1000, 3},
	} {
		t.Run(way.name, func(t *testing.T) {
			onEachStore(t, func(t *testing.T, config Config) {
				ctx := context.Background()
				b := openBooks(t, config)
				a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000, WalletMode: way.mode})
				c := mustBegin(t, b, routed(a, 100))
				if _, err := b.db.ExecContext(ctx, "DELETE FROM hosts"); err != nil {
					t.Fatal(err)
				}
				if n, err := b.sweep(ctx); err != nil || n != 1 {
					t.Fatalf("got %d swept, %v, want 1", n, err)
				}
				mustComplete(t, c, way.end)
				if got := balance(t, b, a); got != way.want {
					t.Errorf("got balance %d, want %d", got, way.want)
				}
				entries, err := b.Ledger(ctx, a.ID, 10)
				if err != nil || len(entries) != way.entries || way.entries == 4 && entries[0].Kind != schema.LedgerCorrection {
					t.Errorf("got entries %+v, %v, want %d", entries, err, way.entries)
				}
				i, err := b.Inference(ctx, c.ID())
				if err != nil || i.Status != way.end.Status {
					t.Errorf("got %s, %v, want %s", i.Status, err, way.end.Status)
				}
				checkReceipt(t, b, c, way.end.Status)
				checkBooks(t, b)
			})
		})
	}
}

// One operation that the store refuses must not take those with it that share its transaction.
func TestBadOperationFailsAlone(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		gate := &gatedStore{}
		config.wrap = func(e engine) engine {
			gate.engine = e
			return gate
		}
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		first := mustBegin(t, b, routed(a, 1))
		var group sync.WaitGroup
		gate.mu.Lock()
		group.Go(func() { mustBegin(t, b, routed(a, 1)) })
		waitFor(func() bool { return gate.waiting.Load() == 1 })
		errs := make([]error, 20) // all of these share the next transaction
		for i := range errs {
			group.Go(func() {
				n := routed(a, 1)
				if i == 7 {
					n.InferenceID = first.ID()
				}
				_, errs[i] = b.Begin(context.Background(), n)
			})
		}
		waitFor(func() bool { return len(b.writer.queue) == len(errs) })
		gate.mu.Unlock()
		group.Wait()
		for i, err := range errs {
			if i == 7 && (err == nil || errors.Is(err, ErrUnavailable)) || i != 7 && err != nil {
				t.Errorf("operation %d: got %v", i, err)
			}
		}
		mustComplete(t, first, ended(schema.StatusSucceeded, 1))
		checkBooks(t, b)
	})
}

// A gatedStore begins no transaction while its mutex is held.
type gatedStore struct {
	engine
	mu      sync.Mutex
	waiting atomic.Int64
}

func (g *gatedStore) begin(ctx context.Context) (tx, error) {
	g.waiting.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting.Add(-1)
	return g.engine.begin(ctx)
}

// waitFor lets other goroutines run until the condition holds.
func waitFor(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

// A full queue makes callers wait, and a caller that waits may leave.
func TestFullQueueWaits(t *testing.T) {
	gate := &gatedStore{}
	config := Config{DSN: "sqlite://" + filepath.Join(t.TempDir(), "books.db"), wrap: func(e engine) engine {
		gate.engine = e
		return gate
	}}
	b := openBooks(t, config)
	a := mustAgent(t, b, NewAgent{Name: "a"})
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	var begun, left atomic.Int64
	gate.mu.Lock()
	const calls = queueLength + batchLength + 50
	for range calls {
		group.Go(func() {
			switch _, err := b.Begin(ctx, pinned(a, 1)); {
			case err == nil:
				begun.Add(1)
			case errors.Is(err, context.Canceled):
				left.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	waitFor(func() bool { return len(b.writer.queue) == queueLength })
	cancel()
	waitFor(func() bool { return left.Load() > 0 })
	gate.mu.Unlock()
	group.Wait()
	if begun.Load()+left.Load() != calls || begun.Load() < queueLength {
		t.Errorf("got %d begun and %d left of %d", begun.Load(), left.Load(), calls)
	}
	if r := checkBooks(t, b); r.OpenCalls != begun.Load() {
		t.Errorf("got %d open calls, want the %d that began", r.OpenCalls, begun.Load())
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		if config.Dir == "" {
			config.Dir = t.TempDir()
		}
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a"})
		var group sync.WaitGroup
		var begun, refused atomic.Int64
		late := mustBegin(t, b, routed(a, 1))
		for range 64 {
			group.Go(func() {
				c, err := b.Begin(ctx, routed(a, 1))
				if errors.Is(err, ErrUnavailable) {
					refused.Add(1)
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				begun.Add(1)
				if err := c.Complete(ctx, ended(schema.StatusSucceeded, 1)); err != nil {
					t.Error(err)
				}
			})
		}
		if err := b.Close(ctx); err != nil {
			t.Fatal(err)
		}
		group.Wait()
		mustComplete(t, late, ended(schema.StatusSucceeded, 1))
		if err := b.Close(ctx); err != nil {
			t.Errorf("the second close: %v", err)
		}
		b = openBooks(t, config)
		r := checkBooks(t, b)
		if r.Inferences != begun.Load()+1 || r.OpenCalls != 0 || begun.Load()+refused.Load() != 64 {
			t.Errorf("got %d inferences, %d open, want %d ended (%d refused)", r.Inferences, r.OpenCalls, begun.Load()+1, refused.Load())
		}
		var failed int
		if err := b.db.NewSelect().Table("inferences").ColumnExpr("count(*)").Where("status <> 'succeeded'").Scan(ctx, &failed); err != nil || failed != 0 {
			t.Errorf("got %d that did not succeed, %v, want none: the journal has what came after the close", failed, err)
		}
	})
}

// A vendor's words may hold what a store does not take.
func TestUnstorableTextIsMended(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		b := openBooks(t, config)
		a := mustAgent(t, b, NewAgent{Name: "a", BalanceMicroUSD: 1000})
		n := routed(a, 100)
		n.RequestedModel = "mo\x00del"
		c := mustBegin(t, b, n)
		d := ended(schema.StatusSucceeded, 40)
		d.UpstreamID, d.FinishReason, d.NativeFinishReason = "id\x00\xff", "stop\xc3", "\x00"
		d.Attempts[0].Reason = "\xfe\x00"
		mustComplete(t, c, d)
		if n := b.journal.pending(); n != 0 {
			t.Errorf("got %d journaled, want that the store took it", n)
		}
		i, err := b.Inference(context.Background(), c.ID())
		if err != nil || i.UpstreamID != "id\ufffd\ufffd" || i.FinishReason != "stop\ufffd" || i.RequestedModel != "mo\ufffddel" {
			t.Errorf("got %q, %q, %q, %v", i.UpstreamID, i.FinishReason, i.RequestedModel, err)
		}
		checkBooks(t, b)
	})
}
