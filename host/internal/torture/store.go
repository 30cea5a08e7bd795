package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/host/internal/pgtest"
)

// A store is where a fleet keeps its books, with the ways in which it can fail.
type store interface {
	dsn() string
	faults() []fault
	// rows reads a query's cells as text.
	rows(ctx context.Context, query string) ([][]string, error)
	count(ctx context.Context, query string) (int, error)
}

// A postgres is a cluster of its own.
type postgres struct{ cluster *pgtest.Cluster }

func (s *postgres) dsn() string { return s.cluster.DSN("postgres") }

func (s *postgres) rows(ctx context.Context, query string) ([][]string, error) {
	return read(ctx, "pgx", s.dsn(), query)
}

func (s *postgres) count(ctx context.Context, query string) (int, error) {
	return countOf(s.rows(ctx, query))
}

// processes are the server's, its first and those that clients talk to.
func (s *postgres) processes(ctx context.Context) ([]int, error) {
	first, err := s.cluster.PID()
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, "SELECT pid FROM pg_stat_activity")
	pids := []int{first}
	for _, row := range rows {
		pid, atoi := strconv.Atoi(row[0])
		err = errors.Join(err, atoi)
		pids = append(pids, pid)
	}
	return pids, err
}

func signalAll(pids []int, sig syscall.Signal) error {
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) { // a backend may have ended
			return fmt.Errorf("signal %d: %w", pid, err)
		}
	}
	return nil
}

// A sqlite is a file.
type sqlite struct{ path string }

func (s *sqlite) dsn() string { return "sqlite://" + s.path }

func (s *sqlite) rows(ctx context.Context, query string) ([][]string, error) {
	return read(ctx, sqliteshim.ShimName, "file:"+s.path+"?mode=ro&_pragma=busy_timeout(10000)", query)
}

func (s *sqlite) count(ctx context.Context, query string) (int, error) {
	return countOf(s.rows(ctx, query))
}

// lock keeps every writer out for a while.
func (s *sqlite) lock(ctx context.Context, d time.Duration) (err error) {
	db, err := sql.Open(sqliteshim.ShimName, "file:"+s.path+"?_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	time.Sleep(d)
	_, err = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err
}

func read(ctx context.Context, driver, source, query string) (out [][]string, err error) {
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]string, len(names))
		for i, c := range cells {
			row[i] = c.String
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func countOf(rows [][]string, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("%d rows where a count was asked for", len(rows))
	}
	return strconv.Atoi(rows[0][0])
}
