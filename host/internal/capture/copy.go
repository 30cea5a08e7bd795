package capture

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/ainfera-ai/router/schema"
)

// A CopiedTable is what was copied of one table.
type CopiedTable struct {
	Table string
	Rows  int64
	Sums  []Sum // of the columns that hold money, in the table's order
	// Digest adds up the SHA-256 of every row, so that it is the same in whatever order the rows are read.
	Digest string
}

// A Sum is a column's, over all rows.
type Sum struct {
	Column   string
	MicroUSD int64
}

// A Copied is a store that was copied: exact, which Copy has made sure of, and what the checks say of it, which they would
// have said of the source.
type Copied struct {
	Tables []CopiedTable
	Check  Report
}

// ErrNotEmpty means that the store to copy into holds something.
var ErrNotEmpty = errors.New("the store to copy into is not empty")

// Copy copies a whole store into an empty one of either kind: all or nothing, in one transaction of the target's, which
// commits only when every row was read back as it was written. Broken off at any point it leaves the target as empty as
// it was, and can be run again. It refuses a source that a server holds, and keeps servers from both stores until it
// ends. Progress, which may be nil, is told of each table when its rows are written; an error of its breaks the copy off.
//
// What lives beside the source is not copied: the signing key, and a journal that a server has yet to deliver.
func Copy(ctx context.Context, fromDSN, toDSN string, progress func(CopiedTable) error) (result *Copied, err error) {
	if fromDSN == toDSN {
		return nil, errors.New("the store to copy into is the store to copy")
	}
	from, err := openCopySource(ctx, fromDSN)
	if err != nil {
		return nil, fmt.Errorf("open the store to copy: %w", err)
	}
	defer func() { err = errors.Join(err, from.close(ctx)) }()
	to, err := openCopyTarget(ctx, toDSN)
	if err != nil {
		return nil, fmt.Errorf("open the store to copy into: %w", err)
	}
	defer func() { err = errors.Join(err, to.close(ctx)) }()
	result, err = copyAll(ctx, from, to, progress)
	if cause := ctx.Err(); err != nil && cause != nil {
		err = fmt.Errorf("%w: %w", cause, err) // what broke is the connection, as a consequence
	}
	return result, err
}

func copyAll(ctx context.Context, from, to *copyStore, progress func(CopiedTable) error) (*Copied, error) {
	result := &Copied{}
	for _, table := range copyTables(from.db) {
		copied, err := to.fill(ctx, from, table)
		if err != nil {
			return nil, to.scrubbed("copy "+table.name, err)
		}
		result.Tables = append(result.Tables, copied)
		if progress == nil {
			continue
		}
		if err := progress(copied); err != nil {
			return nil, err
		}
	}
	if err := to.compare(ctx, result.Tables); err != nil {
		return nil, to.scrubbed("read the copy back", err)
	}
	if to.dialect() == dialect.PG {
		if err := to.exec(ctx, "ANALYZE "+tableList(to.db)); err != nil { // else the checks' joins are planned for tables without rows
			return nil, to.scrubbed("analyze the copy", err)
		}
	}
	var err error
	if result.Check, err = check(ctx, to.conn, time.Now()); err != nil {
		return nil, to.scrubbed("check the copy", err)
	}
	if err := to.exec(ctx, "COMMIT"); err != nil {
		return nil, to.scrubbed("commit the copy", err)
	}
	to.open = false
	return result, nil
}

// A copyTable is a table as it is copied: its columns, and what each of them holds.
type copyTable struct {
	name    string
	columns []copyColumn
}

type copyColumn struct {
	name string
	kind columnKind
	key  bool
}

// A columnKind is how a value travels between the stores, which keep times and truths differently.
type columnKind int

const (
	kindText columnKind = iota
	kindInt
	kindBool
	kindTime
	kindBytes
)

// copyTables are the tables of schema.Tables.
func copyTables(db *bun.DB) []copyTable {
	models := schema.Tables()
	tables := make([]copyTable, len(models))
	for i, model := range models {
		t := db.Table(reflect.TypeOf(model).Elem())
		tables[i].name = t.Name
		for _, f := range t.Fields {
			tables[i].columns = append(tables[i].columns, copyColumn{f.Name, kindOf(f.IndirectType), f.IsPK})
		}
	}
	return tables
}

func kindOf(t reflect.Type) columnKind {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return kindTime
	case t.Kind() == reflect.String:
		return kindText
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Int:
		return kindInt
	case t.Kind() == reflect.Bool:
		return kindBool
	case t == reflect.TypeFor[[]byte]():
		return kindBytes
	}
	panic("capture: no way to copy a " + t.String())
}

// tableList is all of them, for a statement.
func tableList(db *bun.DB) string {
	var names []string
	for _, t := range copyTables(db) {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

// names are the columns', for a statement. None of them needs quoting, as the tables' own statements show.
func (t *copyTable) names() []string {
	list := make([]string, len(t.columns))
	for i, c := range t.columns {
		list[i] = c.name
	}
	return list
}

func (t *copyTable) selectAll() string {
	return "SELECT " + strings.Join(t.names(), ", ") + " FROM " + t.name
}

// fill copies one table.
func (s *copyStore) fill(ctx context.Context, from *copyStore, t copyTable) (CopiedTable, error) {
	rows, err := from.rows(ctx, &t)
	if err != nil {
		return CopiedTable{}, err
	}
	defer rows.close()
	if s.dialect() == dialect.PG {
		rows.strict = true
		err = s.copyIn(ctx, &t, rows)
	} else {
		err = s.insertAll(ctx, &t, rows)
	}
	if rows.failed != nil {
		err = rows.failed // the writer's error, if it has one, only quotes what the reader stopped at
	}
	return rows.total(), err
}

// compare reads the copy back and holds it to what was read from the source.
func (s *copyStore) compare(ctx context.Context, want []CopiedTable) error {
	for i, t := range copyTables(s.db) {
		rows, err := s.rows(ctx, &t)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		rows.close()
		if rows.failed != nil {
			return fmt.Errorf("%s: %w", t.name, rows.failed)
		}
		if got := rows.total(); got.Rows != want[i].Rows || got.Digest != want[i].Digest {
			return fmt.Errorf("%s: %d rows with digest %.16s arrived, %d with %.16s were sent", t.name, got.Rows, got.Digest, want[i].Rows, want[i].Digest)
		}
	}
	return nil
}
