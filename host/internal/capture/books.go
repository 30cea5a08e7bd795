package capture

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/ainfera-ai/router/schema/migrations"
)

// Config says where the books are kept.
type Config struct {
	// DSN is sqlite://path or postgres://user:password@host/database. It never appears in an error or a log.
	DSN string
	// Dir is where this host keeps what is its own: the journal and the signing key. Defaults to the directory of the
	// SQLite file; PostgreSQL needs one. Two hosts must not share it.
	Dir string
	// Logger defaults to one that says nothing.
	Logger hclog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Lease is how long this host's calls are its own after the store last heard of it; it is heard of six times as often.
	// Defaults to a minute.
	Lease time.Duration
	// KeepBodies keeps the bodies that a Begin and a Completion carry.
	KeepBodies bool
	// RootInterval is how often a root over the audit chains is signed, by one host of the fleet, when a chain has moved.
	// Defaults to a minute.
	RootInterval time.Duration
	// BodiesFor is how long bodies are kept, those too that were kept while KeepBodies was still on. Zero is for ever.
	BodiesFor time.Duration
	// Command opens the books beside a running host, for a command of the operator's: it holds no lease, ends no
	// orphans, applies no journal, and can't Begin.
	Command bool

	// wrap lets a test stand between the writer and the store, disk between the books and the host's own files.
	wrap func(engine) engine
	disk disk
}

// Books are the open books. They are safe for concurrent use.
type Books struct {
	config Config
	log    hclog.Logger
	db     *bun.DB
	engine engine
	writer *writer
	signer atomic.Pointer[Signer]
	// retireDue is set while a key that no longer signs is not retired in the store. It is for whoever holds the lock.
	retireDue bool
	host      host
	// applied are the versions of the tables that this start migrated.
	applied []migrations.Version

	keys      keyCache
	standings standings
	bodies    bodySweep
	templates templates
	journal   *journal
	doubts    doubts
	keyHolds  keyHolds
	stranded  stranded
	locks     []*fileLock

	dispatchWithoutCapture, captureWithoutRoute atomic.Int64

	closing   chan struct{}
	tasks     sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Open opens the books and brings their tables to the newest version. As a host it first ends what a former process
// left: it applies the journal and ends the orphans. It refuses a store that could lose a commit with the power, and on
// SQLite a file that another host has open.
func Open(ctx context.Context, config Config) (*Books, error) {
	b, secret, err := open(ctx, config)
	if err != nil {
		return nil, scrub(fmt.Errorf("open the books: %w", err), secret)
	}
	return b, nil
}

func open(ctx context.Context, config Config) (*Books, string, error) {
	config, err := withDefaults(config)
	if err != nil {
		return nil, "", err
	}
	b := &Books{config: config, log: config.Logger, closing: make(chan struct{})}
	secret, err := b.start(ctx)
	if err != nil {
		return nil, secret, errors.Join(err, b.stop(context.WithoutCancel(ctx)))
	}
	return b, secret, nil
}

func withDefaults(c Config) (Config, error) {
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.RootInterval == 0 {
		c.RootInterval = time.Minute
	}
	if c.disk == nil {
		c.disk = osDisk{}
	}
	if c.Lease <= 0 {
		c.Lease = time.Minute
	}
	if path, ok := sqlitePath(c.DSN); ok && c.Dir == "" {
		c.Dir = filepath.Dir(path)
	}
	if c.Dir == "" {
		return c, errors.New("no directory for the journal and the signing key: give this host one of its own")
	}
	return c, nil
}

// start opens everything in order; stop undoes what there is of it.
func (b *Books) start(ctx context.Context) (secret string, err error) {
	if err := b.lock(); err != nil {
		return "", err
	}
	if secret, err = b.connect(ctx); err != nil {
		return secret, err
	}
	if b.applied, err = migrations.Run(ctx, b.db); err != nil {
		return secret, fmt.Errorf("migrate: %w", err)
	}
	for _, v := range b.applied {
		b.log.Info("tables migrated", "version", v.Version, "name", v.Name)
	}
	signer, err := openSigner(b.config.disk, b.config.Dir, b.config.Command)
	if err != nil {
		return secret, err
	}
	b.signer.Store(signer)
	if b.journal, err = openJournal(b.config.disk, b.config.Dir, b.log.Named("journal")); err != nil {
		return secret, err
	}
	b.standings.now, b.keys.now = b.config.Now, b.config.Now
	b.host.id = NewID()
	if b.config.wrap != nil {
		b.engine = b.config.wrap(b.engine)
	}
	b.writer = newWriter(b.engine, b.config.Now, b.signer.Load, b.host.id, b.committed)
	if b.config.Command {
		return secret, nil
	}
	return secret, b.takeOver(ctx)
}

// lock makes sure that this is the only host on its directory, and on its file where the store is one.
func (b *Books) lock() error {
	if b.config.Command {
		return nil
	}
	paths := []string{filepath.Join(b.config.Dir, "host.lock")}
	if path, ok := sqlitePath(b.config.DSN); ok {
		paths = append(paths, path+".lock")
	}
	for _, path := range paths {
		l, err := lockFile(path)
		if err != nil {
			return err
		}
		b.locks = append(b.locks, l)
	}
	return nil
}

func (b *Books) connect(ctx context.Context) (secret string, err error) {
	if b.db, secret, err = openDB(b.config.DSN); err != nil {
		return secret, err
	}
	if b.db.Dialect().Name() == dialect.PG {
		engine, err := newPostgresEngine(b.config.DSN)
		if err != nil {
			return secret, err
		}
		b.engine = engine
		return secret, postgresDurable(ctx, b.db)
	}
	if err := sqliteDurable(ctx, b.db); err != nil {
		return secret, err
	}
	b.engine, err = newSQLiteEngine(ctx, b.db)
	return secret, err
}

// openDB opens the store that a DSN names, and no more: its tables may be missing. secret is what no error may contain.
func openDB(dsn string) (db *bun.DB, secret string, err error) {
	if path, ok := sqlitePath(dsn); ok {
		db, err = openSQLite(path)
		return db, "", err
	}
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return nil, "", errors.New("the store's DSN names no store that is known: write sqlite://path/to/file or postgres://user@host/database")
	}
	return openPostgres(dsn)
}

// committed is told of every transaction of the writer's.
func (b *Books) committed(t *batch) {
	b.standings.publish(t)
	if t.strays > 0 {
		b.captureWithoutRoute.Add(t.strays)
		b.log.Error("pinned calls have outcome rows", "calls", t.strays)
	}
}

// Close writes what is queued, gives up the lease and closes the store. Completions that neither the store nor the local
// disk took so far it tries until one does. Calls that are still open may be completed afterwards: their completions go
// to the journal. When ctx ends first, Close says what is written nowhere and leaves the store as a crash would. A second
// Close returns what the first did.
func (b *Books) Close(ctx context.Context) error {
	b.closeOnce.Do(func() { b.closeErr = b.stop(ctx) })
	return b.closeErr
}

func (b *Books) stop(ctx context.Context) error {
	close(b.closing)
	b.tasks.Wait()
	if err := b.landStranded(ctx); err != nil {
		return err
	}
	var errs []error
	if b.writer != nil {
		if !b.config.Command {
			b.giveUpLease(ctx)
		}
		if err := b.writer.close(ctx); err != nil {
			return err
		}
	}
	if b.engine != nil {
		errs = append(errs, b.engine.close())
	}
	if b.db != nil {
		errs = append(errs, b.db.Close())
	}
	for _, l := range b.locks {
		errs = append(errs, l.unlock())
	}
	return errors.Join(errs...)
}

// Status is how the books are.
type Status struct {
	Store            string // sqlite, postgres
	HostID           string
	Versions         []migrations.Version // of the tables, oldest first
	Migrated         int                  // how many of them this start applied
	Queued           int                  // operations that wait for the writer
	Journaled        int                  // completions on local disk that the store does not have yet
	Stranded         int                  // completions in memory, which neither the store nor the local disk takes
	SigningKeyID     string
	OpenCalls        int // calls that have not ended, of all hosts
	OpenHoldMicroUSD int64
}

// Status reads how the books are. It returns an error when the store can't be read.
func (b *Books) Status(ctx context.Context) (Status, error) {
	s := Status{
		Store: "postgres", HostID: b.host.id, Migrated: len(b.applied), Queued: len(b.writer.queue),
		Journaled: b.journal.pending(), Stranded: b.stranded.count(), SigningKeyID: b.Signer().KeyID(),
	}
	if _, ok := sqlitePath(b.config.DSN); ok {
		s.Store = "sqlite"
	}
	var err error
	if s.Versions, err = migrations.Applied(ctx, b.db); err != nil {
		return s, err
	}
	err = b.db.NewSelect().Table("inferences").ColumnExpr("count(*), coalesce(sum(hold_micro_usd), 0)").
		Where("status = 'pending'").Scan(ctx, &s.OpenCalls, &s.OpenHoldMicroUSD)
	if err != nil {
		return s, fmt.Errorf("count open calls: %w", err)
	}
	return s, nil
}

// Guard counts what must never happen: routed calls that were dispatched and have no outcome row, and pinned calls that
// have one. Both are of this process; Check asserts them over the whole store.
func (b *Books) Guard() (dispatchWithoutCapture, captureWithoutRoute int64) {
	return b.dispatchWithoutCapture.Load(), b.captureWithoutRoute.Load()
}

// scrub takes a secret out of an error's text, should a driver have put it there.
func scrub(err error, secret string) error {
	if err == nil || secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), secret, "xxxxx"))
}
