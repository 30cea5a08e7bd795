package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/sqliteshim"
)

// openSQLite opens the file, made with its directory when missing, readable by its owner only.
func openSQLite(path string) (*bun.DB, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make the store's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the store's file: %w", err)
	}
	f.Close()
	// busy_timeout first: the others may meet another process's lock.
	query := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-32768)", "wal_autocheckpoint(8000)",
	}}
	escaped := (&url.URL{Path: path}).EscapedPath()
	db, err := sql.Open(sqliteshim.ShimName, "file:"+escaped+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(5) // the writer's and a few readers'
	db.SetMaxIdleConns(5)
	return bun.NewDB(db, sqlitedialect.New()), nil
}

// sqliteDurable checks that a commit survives the loss of power.
func sqliteDurable(ctx context.Context, db *bun.DB) error {
	var mode string
	var synchronous int
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return fmt.Errorf("read journal_mode: %w", err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous); err != nil {
		return fmt.Errorf("read synchronous: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("sqlite runs with journal_mode %s where WAL was asked for: put the store on a local file system", mode)
	}
	if synchronous < 2 {
		return errors.New("sqlite runs with synchronous below FULL: commits could be lost with the power; use a build that does not lower it")
	}
	return nil
}

// A sqliteEngine holds one connection of the pool for itself and keeps its statements prepared. It goes to the driver
// directly: database/sql would cost as much again as the statement.
type sqliteEngine struct {
	conn   *sql.Conn
	driver interface {
		driver.ConnPrepareContext
		driver.ExecerContext
	}
	prepared map[*statement]driver.Stmt
	args     []driver.NamedValue
	times    map[time.Time]string // of the open transaction
	open     bool
	version  int64 // of the data, as the last transaction found it
}

func newSQLiteEngine(ctx context.Context, db *bun.DB) (*sqliteEngine, error) {
	conn, err := db.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	e := &sqliteEngine{conn: conn, prepared: map[*statement]driver.Stmt{}, times: map[time.Time]string{}}
	err = conn.Raw(func(c any) error {
		// The connection may be used after Raw returns because conn keeps it out of the pool until close.
		var ok bool
		if e.driver, ok = c.(interface {
			driver.ConnPrepareContext
			driver.ExecerContext
		}); !ok {
			return fmt.Errorf("the sqlite driver's %T lacks PrepareContext or ExecContext", c)
		}
		return nil
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	return e, nil
}

// begin takes the write lock at once: a transaction that read first could not be sure to get it later. The driver is
// never given a context that ends, since it would start a goroutine a statement; busy_timeout bounds the wait.
func (e *sqliteEngine) begin(context.Context) (tx, error) {
	if _, err := e.driver.ExecContext(context.Background(), "BEGIN IMMEDIATE", nil); err != nil {
		return nil, err
	}
	e.open = true
	clear(e.times)
	return e, nil
}

var dataVersion = &statement{sqlite: "PRAGMA data_version"}

// unchanged asks SQLite, whose data_version moves when another connection commits.
func (e *sqliteEngine) unchanged() bool {
	version := int64(-1)
	s, err := e.prepare(dataVersion)
	if err == nil {
		err = queryRows(s, nil, func(row []driver.Value) error {
			version = asInt(row[0])
			return nil
		})
	}
	same := err == nil && version == e.version
	e.version = version
	return same
}

func (e *sqliteEngine) commit() error {
	_, err := e.driver.ExecContext(context.Background(), "COMMIT", nil)
	e.open = err != nil
	return err
}

func (e *sqliteEngine) rollback() {
	if e.open {
		// An error means that SQLite rolled back by itself already.
		_, _ = e.driver.ExecContext(context.Background(), "ROLLBACK", nil)
		e.open = false
	}
}

func (e *sqliteEngine) prepare(st *statement) (driver.Stmt, error) {
	if s, ok := e.prepared[st]; ok {
		return s, nil
	}
	s, err := e.driver.PrepareContext(context.Background(), st.sqlite)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", st.sqlite, err)
	}
	e.prepared[st] = s
	return s, nil
}

func (e *sqliteEngine) exec(st *statement, params []any) (int64, error) {
	s, err := e.prepare(st)
	if err != nil {
		return 0, err
	}
	var changed int64
	for n := len(st.params); len(params) > 0; params = params[n:] {
		r, err := s.(driver.StmtExecContext).ExecContext(context.Background(), e.bind(params[:n]))
		if err != nil {
			return changed, err
		}
		c, _ := r.RowsAffected()
		changed += c
	}
	return changed, nil
}

func (e *sqliteEngine) query(st *statement, params []any, each func([]driver.Value) error) error {
	if st.sqlite == "" {
		return nil
	}
	s, err := e.prepare(st)
	if err != nil {
		return err
	}
	for n := len(st.params); len(params) > 0; params = params[n:] {
		if err := queryRows(s, e.bind(params[:n]), each); err != nil {
			return err
		}
	}
	return nil
}

func queryRows(s driver.Stmt, args []driver.NamedValue, each func([]driver.Value) error) error {
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), args)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(row); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

// bind fills the engine's own slice, which the driver does not keep.
func (e *sqliteEngine) bind(params []any) []driver.NamedValue {
	e.args = e.args[:0]
	for i, p := range params {
		if t, ok := p.(time.Time); ok {
			p = e.timeText(t)
		}
		e.args = append(e.args, driver.NamedValue{Ordinal: i + 1, Value: p})
	}
	return e.args
}

// sqliteTime is how times are kept: as text that sorts and that SQLite's own date functions read.
const sqliteTime = "2006-01-02 15:04:05.000000-07:00"

// timeText prints each time once a transaction, since most rows of a call carry the same two.
func (e *sqliteEngine) timeText(t time.Time) string {
	s, ok := e.times[t]
	if !ok {
		s = t.UTC().Format(sqliteTime)
		e.times[t] = s
	}
	return s
}

// blamesOperation: a constraint or a value the table refuses; not a full disk, a lock or a lost file.
func (e *sqliteEngine) blamesOperation(err error) bool {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return errors.Is(err, errUnexpectedRows)
	}
	switch coded.Code() & 0xff {
	case 18, 19, 20, 25: // TOOBIG, CONSTRAINT, MISMATCH, RANGE
		return true
	}
	return false
}

func (e *sqliteEngine) refuses(err error) bool { return e.blamesOperation(err) }

func (e *sqliteEngine) close() error {
	for _, s := range e.prepared {
		s.Close()
	}
	return e.conn.Close()
}

// sqlitePath is the file that a sqlite:// DSN names: sqlite://data/books.db is relative, sqlite:///var/books.db is not.
func sqlitePath(dsn string) (string, bool) {
	path, ok := strings.CutPrefix(dsn, "sqlite://")
	return path, ok && path != ""
}
