package capture

import (
	"context"
	"database/sql/driver"
)

// An engine is a store as the writer sees it. It is used by one goroutine only.
type engine interface {
	// begin starts the one transaction that may be open. ctx bounds it to its end.
	begin(ctx context.Context) (tx, error)
	// blamesOperation reports whether the error blames one operation of a batch, so that the others may succeed without it;
	// anything else is the store's own trouble.
	blamesOperation(err error) bool
	// refuses reports whether the store will give that error again, however often it is asked: the data, a constraint.
	refuses(err error) bool
	close() error
}

// A tx is the writer's open transaction.
type tx interface {
	// exec runs the statement over rows of parameters, one after the other in one slice, and returns how many rows of
	// the table changed. It keeps nothing of params.
	exec(st *statement, params []any) (int64, error)
	// query runs the statement over rows of parameters and hands each row found to each, which must not keep the slice.
	query(st *statement, params []any, each func(row []driver.Value) error) error
	// unchanged reports whether nobody else has written since this engine's last transaction, so that what was read
	// then is still true.
	unchanged() bool
	commit() error
	// rollback gives up what was done. After commit it does nothing.
	rollback()
}
