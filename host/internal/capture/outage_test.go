package capture

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/schema"
)

// A wire stands between a host and its PostgreSQL, and can be cut on the host's side: the server does not learn of it.
type wire struct {
	ln     net.Listener
	server string
	mu     sync.Mutex
	hosts  []net.Conn
	ends   []net.Conn // the server's
	done   sync.WaitGroup
}

// throughWire returns the DSN by which the database is reached over a wire.
func throughWire(t *testing.T, dsn string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	const socket = ".s.PGSQL.5432"
	dir := t.TempDir()
	w := &wire{server: filepath.Join(query.Get("host"), socket)}
	if w.ln, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
		t.Fatal(err)
	}
	w.done.Go(w.serve)
	t.Cleanup(func() {
		w.ln.Close()
		w.cut()
		for _, c := range w.ends {
			c.Close()
		}
		w.done.Wait()
	})
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		host, err := w.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", w.server)
		if err != nil {
			host.Close()
			continue
		}
		w.mu.Lock()
		w.hosts, w.ends = append(w.hosts, host), append(w.ends, server)
		w.mu.Unlock()
		w.done.Go(func() { // until the server is done with it, whatever became of the host
			_, _ = io.Copy(host, server)
			_, _ = io.Copy(io.Discard, server)
			host.Close()
			server.Close()
		})
		w.done.Go(func() { _, _ = io.Copy(server, host) })
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.hosts {
		c.Close()
	}
	w.hosts = nil
}

// look is a connection of the test's own.
func look(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func mustExec(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// waiting counts the database's sessions that wait for a lock of that kind.
func waiting(t *testing.T, conn *pgx.Conn, event string) (n int) {
	t.Helper()
	err := conn.QueryRow(context.Background(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = $1`, event).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A commit may still be under way in the store when the host has given up on it. Whoever asks then whether the call has
// begun must wait for the answer, or the hold would stay for ever.
func TestCommitThatIsStillUnderWay(t *testing.T) {
	ctx := context.Background()
	direct := pgtest.DSN(t)
	w, dsn := throughWire(t, direct)
	b := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	a := mustAgent(t, b, NewAgent{Name: "a", WalletMode: schema.WalletPrepaid, BalanceMicroUSD: 1000})
	conn := look(t, direct)
	// As with a disk that hangs, no cancelling ends it: pgx sends one after a connection that it loses.
	mustExec(t, conn, `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOOP
		BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END'`)
	mustExec(t, conn, `CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON inferences DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()`)
	mustExec(t, conn, `SELECT pg_advisory_lock(7)`)

	begun := make(chan error, 1)
	go func() {
		_, err := b.Begin(ctx, routed(a, 100))
		begun <- err
	}()
	waitFor(func() bool { return waiting(t, conn, "advisory") == 1 })
	w.cut()
	if err := <-begun; !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.endDoubts(ctx) }()
	waitFor(func() bool { return waiting(t, conn, "transactionid")+waiting(t, conn, "tuple") > 0 || len(ended) > 0 })
	mustExec(t, conn, `SELECT pg_advisory_unlock(7)`)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	waitFor(func() bool { // the readers' connections were cut, too, and each finds out by itself
		_, err := b.Check(ctx)
		return err == nil
	})
	if r := checkBooks(t, b); r.OpenCalls != 0 || r.Inferences != 1 {
		t.Errorf("got %d open of %d calls, want that the one is ended", r.OpenCalls, r.Inferences)
	}
	if got := balance(t, b, a); got != 1000 {
		t.Errorf("got balance %d, want the hold refunded", got)
	}
}

// A host that is frozen in the middle of a transaction holds locks: the server takes them back before another host's
// transaction gives up on them.
func TestFrozenHostIsNotInTheWay(t *testing.T) {
	t.Parallel() // it waits
	ctx := context.Background()
	dsn := pgtest.DSN(t)
	frozen, live := openBooks(t, Config{DSN: dsn, Dir: t.TempDir()}), openBooks(t, Config{DSN: dsn, Dir: t.TempDir()})
	a := mustAgent(t, live, NewAgent{Name: "a", BalanceMicroUSD: 1000})
	tx, err := frozen.engine.begin(ctx) // its writer has nothing to do, so that the engine is ours
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.query(lockHeads, []any{a.ID}, func([]driver.Value) error { return nil }); err != nil {
		t.Fatal(err)
	}
	c, err := live.Begin(ctx, routed(a, 100))
	if err != nil {
		t.Fatalf("got %v, want that the other host's locks are gone", err)
	}
	mustComplete(t, c, ended(schema.StatusSucceeded, 40))
	if err := tx.commit(); err == nil {
		t.Error("the frozen host's transaction was committed")
	}
	checkBooks(t, live)
}
