package capture

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// openPostgres returns the pool and the password, which no error may contain.
func openPostgres(dsn string) (*bun.DB, string, error) {
	config, err := parsePostgres(dsn)
	if err != nil {
		return nil, "", err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(9) // one of them listens for activations
	db.SetMaxIdleConns(8)
	return bun.NewDB(db, pgdialect.New()), config.Password, nil
}

func parsePostgres(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The parser's error quotes the DSN, so that it is not passed on.
		return nil, errors.New("the store's DSN is not a PostgreSQL URL, which looks like postgres://user:password@host:5432/database?sslmode=require")
	}
	config.RuntimeParams["timezone"] = "UTC"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "ainfera"
	}
	return config, nil
}

// idleWithin is how long the server lets the writer's transaction wait for its host. A host that is frozen, or cut off,
// holds the locks of the agents it was writing for: the server takes them back well within the time in which the other
// hosts' own transactions give up.
const idleWithin = commitTimeout / 2

// writerSession is what the writer's connection is set to. A plan that is kept was made for the tables as they were: one
// that was best for the first calls of a new store reads the outcomes from end to end, and went on to until somebody
// analyzed them. Planning for what is there takes a tenth of a millisecond.
var writerSession = fmt.Sprintf("SET idle_in_transaction_session_timeout = %d; SET plan_cache_mode = force_custom_plan", idleWithin.Milliseconds())

// newPostgresEngine gives the writer a connection of its own, which no reader can take from it.
func newPostgresEngine(dsn string) (*postgresEngine, error) {
	config, err := parsePostgres(dsn)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, writerSession)
		return err
	}))
	db.SetMaxOpenConns(2) // the one, and one that was given up and is not closed yet
	db.SetMaxIdleConns(1)
	return &postgresEngine{db}, nil
}

// postgresDurable checks that a commit survives the loss of power.
func postgresDurable(ctx context.Context, db bun.IDB) error {
	var synchronous, synced string
	err := db.QueryRowContext(ctx, "SELECT current_setting('synchronous_commit'), current_setting('fsync')").Scan(&synchronous, &synced)
	switch {
	case err != nil:
		return fmt.Errorf("read synchronous_commit and fsync: %w", err)
	case synced == "off":
		return errors.New("PostgreSQL runs with fsync off: everything could be lost with the power; turn it on in postgresql.conf, " +
			"reload the server and start again")
	case synchronous == "off":
		return errors.New("PostgreSQL runs with synchronous_commit off: bookings could be lost with the power; " +
			"turn it on for this database (ALTER DATABASE … SET synchronous_commit = on) and start again")
	}
	return nil
}

// A postgresEngine runs each transaction on the writer's connection.
type postgresEngine struct{ db *sql.DB }

type postgresTx struct {
	ctx context.Context // of the transaction: the engine's interface leaves no other way to the statements
	tx  *sql.Tx
}

// begin tries once more when the connection that was kept turns out to be broken, as each is after a restart of the
// server: nothing has been done on it yet.
func (e *postgresEngine) begin(ctx context.Context) (tx, error) {
	t, err := e.db.BeginTx(ctx, nil)
	var unreached *pgconn.ConnectError
	if err != nil && ctx.Err() == nil && !errors.As(err, &unreached) {
		t, err = e.db.BeginTx(ctx, nil)
	}
	if err != nil {
		return nil, err
	}
	return &postgresTx{ctx: ctx, tx: t}, nil
}

func (t *postgresTx) unchanged() bool { return false } // another host may have

func (t *postgresTx) commit() error { return t.tx.Commit() }

func (t *postgresTx) rollback() { _ = t.tx.Rollback() } // sql.ErrTxDone after commit, and the pool drops a broken connection

func (t *postgresTx) exec(st *statement, params []any) (int64, error) {
	r, err := t.tx.ExecContext(t.ctx, st.postgres, columns(st, params)...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *postgresTx) query(st *statement, params []any, each func([]driver.Value) error) error {
	rows, err := t.tx.QueryContext(t.ctx, st.postgres, columns(st, params)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	cells, pointers, row := make([]any, len(names)), make([]any, len(names)), make([]driver.Value, len(names))
	for i := range cells {
		pointers[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(pointers...); err != nil {
			return err
		}
		for i, c := range cells {
			row[i] = c
		}
		if err := each(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// columns turns rows of parameters into one array a column.
func columns(st *statement, params []any) []any {
	n := len(st.params)
	out := make([]any, n)
	for i, typ := range st.params {
		switch typ {
		case "text":
			out[i] = column[string](params, i, n)
		case "bigint":
			out[i] = column[int64](params, i, n)
		case "boolean":
			out[i] = column[bool](params, i, n)
		case "timestamptz":
			out[i] = column[time.Time](params, i, n)
		case "bytea":
			list := make([][]byte, 0, len(params)/n)
			for j := i; j < len(params); j += n {
				b, _ := params[j].([]byte)
				list = append(list, b)
			}
			out[i] = list
		default:
			panic("capture: no array for " + typ)
		}
	}
	return out
}

// column gathers every n-th parameter from the i-th; what is not a T is NULL.
func column[T any](params []any, i, n int) []*T {
	list := make([]*T, 0, len(params)/n)
	for j := i; j < len(params); j += n {
		if v, ok := params[j].(T); ok {
			list = append(list, &v)
		} else {
			list = append(list, nil)
		}
	}
	return list
}

// blamesOperation: data, a constraint, or a deadlock that the next try will not meet; not a lost connection, a full
// disk or a server that goes down.
func (e *postgresEngine) blamesOperation(err error) bool {
	return e.refuses(err) || classOf(err) == "40"
}

func (e *postgresEngine) refuses(err error) bool {
	class := classOf(err)
	return class == "22" || class == "23" || errors.Is(err, errUnexpectedRows)
}

// classOf is the class of the server's error code, empty of an error that is not the server's.
func classOf(err error) string {
	var coded *pgconn.PgError
	if errors.As(err, &coded) && len(coded.Code) == 5 {
		return coded.Code[:2]
	}
	return ""
}

func (e *postgresEngine) close() error { return e.db.Close() }

// isUnique reports whether the error is that a unique index has the value already.
func isUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed")
}
