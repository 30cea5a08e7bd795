package capture

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/ainfera-ai/router/schema/migrations"
)

// A copyStore is one side of a copy: one connection with one transaction, and whatever keeps servers away meanwhile.
type copyStore struct {
	db     *bun.DB
	conn   bun.Conn
	taken  bool // conn is one
	open   bool // the transaction is
	lock   *fileLock
	secret string
}

func (s *copyStore) dialect() dialect.Name { return s.db.Dialect().Name() }

// openCopySource opens a store to be read as of one moment at which no server has it.
func openCopySource(ctx context.Context, dsn string) (*copyStore, error) {
	s := &copyStore{}
	err := s.connect(ctx, dsn, true)
	if err == nil {
		err = s.begin(ctx, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ")
	}
	if err == nil && s.dialect() == dialect.PG {
		// Whoever wants to renew or begin a lease waits until the copy ends. The lock comes before the snapshot does.
		if err = s.exec(ctx, "LOCK TABLE hosts IN SHARE MODE"); err == nil {
			err = s.noHosts(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(s.scrubbed("", err), s.close(ctx))
	}
	return s, nil
}

// openCopyTarget opens a store that is empty, and stays so for all others until the transaction ends.
func openCopyTarget(ctx context.Context, dsn string) (*copyStore, error) {
	s := &copyStore{}
	err := s.connect(ctx, dsn, false)
	if err == nil {
		err = s.begin(ctx, "BEGIN IMMEDIATE", "BEGIN")
	}
	if err == nil && s.dialect() == dialect.PG {
		err = s.exec(ctx, "LOCK TABLE "+tableList(s.db)+" IN ACCESS EXCLUSIVE MODE")
	}
	if err == nil {
		err = s.empty(ctx)
	}
	if err != nil {
		return nil, errors.Join(s.scrubbed("", err), s.close(ctx))
	}
	return s, nil
}

// connect opens the store, locks its file where it is one, and brings its tables to the newest version.
func (s *copyStore) connect(ctx context.Context, dsn string, mustExist bool) (err error) {
	if path, ok := sqlitePath(dsn); ok {
		if _, err := os.Stat(path); mustExist && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no file %s", path)
		}
		if s.lock, err = lockFile(path + ".lock"); err != nil {
			return fmt.Errorf("a server has it: %w", err)
		}
	}
	if s.db, s.secret, err = openDB(dsn); err != nil {
		return err
	}
	if s.dialect() == dialect.PG {
		err = postgresDurable(ctx, s.db)
	} else {
		err = sqliteDurable(ctx, s.db)
	}
	if err != nil {
		return err
	}
	if _, err := migrations.Run(ctx, s.db); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s.taken = true
	return nil
}

func (s *copyStore) begin(ctx context.Context, sqlite, postgres string) error {
	statement := sqlite
	if s.dialect() == dialect.PG {
		statement = postgres
	}
	if err := s.exec(ctx, statement); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	s.open = true
	if s.dialect() == dialect.PG {
		// Whoever holds a table longer than this is no statement that ends, but another copy, or this one's source.
		if err := s.exec(ctx, "SET LOCAL lock_timeout = '20s'"); err != nil {
			return fmt.Errorf("bound the wait for locks: %w", err)
		}
	}
	return nil
}

func (s *copyStore) exec(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

// close gives up what was not committed, and lets servers have the store again.
func (s *copyStore) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	if s.open {
		s.open = false
		// A connection that broke has rolled back by itself.
		_, _ = s.conn.ExecContext(ctx, "ROLLBACK")
	}
	if s.taken {
		if err := s.conn.Close(); !errors.Is(err, sql.ErrConnDone) { // which a cancelled statement may have seen to
			errs = append(errs, err)
		}
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.unlock())
	}
	return errors.Join(errs...)
}

// scrubbed names the step and takes the DSN's password out, should a driver have put it there.
func (s *copyStore) scrubbed(step string, err error) error {
	if step != "" {
		err = fmt.Errorf("%s: %w", step, err)
	}
	return scrub(err, s.secret)
}

// noHosts refuses a store, PostgreSQL, of which a server has a lease. A server that was killed has its own for up to a minute.
func (s *copyStore) noHosts(ctx context.Context) error {
	var ids []string
	err := s.conn.NewSelect().Table("hosts").Column("id").Where("lease_until > now()").Scan(ctx, &ids)
	if err != nil {
		return fmt.Errorf("look for servers: %w", err)
	}
	if len(ids) > 0 {
		return fmt.Errorf("%d servers have the store (%s): stop them, or wait a minute for the leases of those that were killed", len(ids), strings.Join(ids, ", "))
	}
	return nil
}

// empty refuses a store that holds anything but what its migrations put there: the head of the operators' chain, which it
// takes out, since the source has its own.
func (s *copyStore) empty(ctx context.Context) error {
	if err := s.exec(ctx, "DELETE FROM audit_heads WHERE agent_id = 'operator' AND seq = 0"); err != nil {
		return err
	}
	for _, t := range copyTables(s.db) {
		found, err := s.conn.NewSelect().Table(t.name).ColumnExpr("1").Exists(ctx)
		if err != nil {
			return fmt.Errorf("look into %s: %w", t.name, err)
		}
		if found {
			return fmt.Errorf("%w: %s has rows", ErrNotEmpty, t.name)
		}
	}
	return nil
}

func (s *copyStore) rows(ctx context.Context, t *copyTable) (*copyRows, error) {
	rows, err := s.conn.QueryContext(ctx, t.selectAll())
	if err != nil {
		return nil, err
	}
	return newCopyRows(t, rows), nil
}

// copyIn is PostgreSQL's COPY, which streams.
func (s *copyStore) copyIn(ctx context.Context, t *copyTable, rows *copyRows) error {
	return s.conn.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the postgres driver's %T can't COPY", c)
		}
		_, err := conn.Conn().CopyFrom(ctx, pgx.Identifier{t.name}, t.names(), rows)
		return err
	})
}

func (s *copyStore) insertAll(ctx context.Context, t *copyTable, rows *copyRows) error {
	names := t.names()
	st, err := s.conn.Conn.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", t.name, strings.Join(names, ", "), marks(len(names))))
	if err != nil {
		return err
	}
	defer st.Close()
	args := make([]any, len(names))
	for rows.Next() {
		for i, v := range rows.values {
			if at, ok := v.(time.Time); ok {
				v = at.Format(sqliteTime)
			}
			args[i] = v
		}
		if _, err := st.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("the row %s: %w", rows.key(), err)
		}
	}
	return nil
}
