// Package migrations is the history of the tables: one file a version, run in order, each once.
//
// A file's structs are frozen copies of what the models were at that version. Never edit one that was released: add the
// next. All that is pending runs in one transaction, so that a store is at one version or another and nowhere between.
package migrations

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// A Version is one version of the tables and when this store reached it.
type Version struct {
	bun.BaseModel `bun:"table:schema_versions"`

	Version   int       `bun:"version,pk"`
	Name      string    `bun:"name,notnull"`
	AppliedAt time.Time `bun:"applied_at,notnull"`
}

// A step takes the tables from the version before it to its own.
type step struct {
	name string
	up   func(context.Context, bun.IDB) error
}

// steps are the versions from 1, in order.
var steps = []step{
	{"the books", v0001},
	{"idempotency keys", v0002},
	{"roots of the audit chains", v0003},
	{"indexes of a grown store", v0004},
	{"versions of plugins", v0005},
}

// advisoryLock is the key of the PostgreSQL lock under which hosts that start together take turns.
const advisoryLock = 0x61696e66657261 // "ainfera"

// Run brings the tables to the newest version and returns the versions it applied, none when there was nothing to do.
// Hosts that start together are safe: one applies, the others wait for it. A store that a newer ainfera has migrated is
// refused.
func Run(ctx context.Context, db *bun.DB) ([]Version, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	if err := begin(ctx, conn); err != nil {
		return nil, err
	}
	applied, err := apply(ctx, conn)
	if err != nil {
		// A connection that broke has rolled back by itself, so what this returns adds nothing to err.
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return applied, nil
}

// begin opens a transaction that no other migration can run beside.
func begin(ctx context.Context, conn bun.Conn) error {
	start := "BEGIN"
	if conn.Dialect().Name() == dialect.SQLite {
		start = "BEGIN IMMEDIATE" // the write lock now: a lock taken later could fail after work was done
	}
	if _, err := conn.ExecContext(ctx, start); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if conn.Dialect().Name() == dialect.PG {
		// A host that is killed closes its connection, and with it the transaction and the lock. One whose machine went
		// away closes nothing: PostgreSQL ends the transaction of a host that has been silent this long.
		if _, err := conn.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = '60s'"); err != nil {
			return fmt.Errorf("bound the migration's silence: %w", err)
		}
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", advisoryLock); err != nil {
			return fmt.Errorf("wait for other hosts' migration: %w", err)
		}
	}
	return nil
}

func apply(ctx context.Context, db bun.IDB) ([]Version, error) {
	if _, err := db.NewCreateTable().Model((*Version)(nil)).IfNotExists().Exec(ctx); err != nil {
		return nil, fmt.Errorf("create schema_versions: %w", err)
	}
	at := 0
	if err := db.NewSelect().Model((*Version)(nil)).ColumnExpr("coalesce(max(version), 0)").Scan(ctx, &at); err != nil {
		return nil, fmt.Errorf("read schema_versions: %w", err)
	}
	if at > len(steps) {
		return nil, fmt.Errorf("the store's tables are at version %d, this ainfera knows up to %d: start the newer ainfera that migrated them", at, len(steps))
	}
	var applied []Version
	for i := at; i < len(steps); i++ {
		v := Version{Version: i + 1, Name: steps[i].name, AppliedAt: time.Now().UTC()}
		if err := steps[i].up(ctx, db); err != nil {
			return nil, fmt.Errorf("version %d, %s: %w", v.Version, v.Name, err)
		}
		if _, err := db.NewInsert().Model(&v).Exec(ctx); err != nil {
			return nil, fmt.Errorf("version %d: record: %w", v.Version, err)
		}
		applied = append(applied, v)
	}
	return applied, nil
}

// Applied lists the versions that the store has been through, oldest first.
func Applied(ctx context.Context, db bun.IDB) ([]Version, error) {
	var v []Version
	if err := db.NewSelect().Model(&v).Order("version").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read schema_versions: %w", err)
	}
	return v, nil
}

// A State is one version of the tables as a store has it.
type State struct {
	Version int
	Name    string
	// AppliedAt is the zero time of a version that is pending.
	AppliedAt time.Time
	// Unknown marks a version that a newer ainfera applied, of which this one knows the name alone.
	Unknown bool
}

// Pending is the state of a store without tables: every version that this ainfera knows, none of them applied.
func Pending() []State {
	states := make([]State, len(steps))
	for i, s := range steps {
		states[i] = State{Version: i + 1, Name: s.name}
	}
	return states
}

// Status says which versions the store has been through, and when, and which are pending. It changes nothing.
func Status(ctx context.Context, db bun.IDB) ([]State, error) {
	states := Pending()
	query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_versions'"
	if db.Dialect().Name() == dialect.PG {
		query = "SELECT count(*) FROM (SELECT to_regclass('schema_versions') AS oid) t WHERE oid IS NOT NULL"
	}
	tables := 0
	if err := db.QueryRowContext(ctx, query).Scan(&tables); err != nil {
		return nil, fmt.Errorf("look for schema_versions: %w", err)
	}
	if tables == 0 {
		return states, nil
	}
	applied, err := Applied(ctx, db)
	if err != nil {
		return nil, err
	}
	for _, v := range applied {
		if v.Version > len(steps) {
			states = append(states, State{Version: v.Version, Name: v.Name, AppliedAt: v.AppliedAt, Unknown: true})
			continue
		}
		states[v.Version-1].AppliedAt = v.AppliedAt
	}
	return states, nil
}

// clustered creates a table whose rows are kept in the order of their key. On SQLite that is WITHOUT ROWID, which saves
// a small row a second tree; PostgreSQL has no such thing.
func clustered(ctx context.Context, db bun.IDB, model any) error {
	q := db.NewCreateTable().Model(model)
	if db.Dialect().Name() != dialect.SQLite {
		_, err := q.Exec(ctx)
		return err
	}
	_, err := db.ExecContext(ctx, q.String()+" WITHOUT ROWID")
	return err
}
