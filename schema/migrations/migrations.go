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
