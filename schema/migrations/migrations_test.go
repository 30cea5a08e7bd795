package migrations

import (
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/sqliteshim"

	"github.com/ainfera-ai/router/schema"
)

func open(t *testing.T, path string) *bun.DB {
	t.Helper()
	db, err := sql.Open(sqliteshim.ShimName, "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return bun.NewDB(db, sqlitedialect.New())
}

// Tables and columns that the migrations leave behind are those of schema.Tables, no more and no fewer: what is copied
// from a store to another is that list.
func TestModelsAreTheTables(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "books.db"))
	if _, err := Run(ctx, db); err != nil {
		t.Fatal(err)
	}
	var have []string
	err := db.NewRaw(`SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'schema_versions'`).Scan(ctx, &have)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, model := range schema.Tables() {
		table := db.Table(reflect.TypeOf(model).Elem())
		for _, f := range table.Fields {
			want = append(want, table.Name+"."+f.Name)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	for _, column := range have {
		if _, ok := slices.BinarySearch(want, column); !ok {
			t.Errorf("%s is in the tables and in no model of schema.Tables", column)
		}
	}
	for _, column := range want {
		if _, ok := slices.BinarySearch(have, column); !ok {
			t.Errorf("%s is in schema.Tables and in no table", column)
		}
	}
	if len(want) == 0 || len(slices.Compact(want)) != len(want) {
		t.Errorf("schema.Tables has %d columns, some of them twice", len(want))
	}
}

func TestHostsThatStartTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "books.db")
	var group sync.WaitGroup
	counts, errs := make([]int, 6), make([]error, 6)
	for i := range counts {
		db := open(t, path)
		group.Go(func() {
			applied, err := Run(context.Background(), db)
			counts[i], errs[i] = len(applied), err
		})
	}
	group.Wait()
	total := 0
	for i, n := range counts {
		if errs[i] != nil {
			t.Errorf("host %d: %v", i, errs[i])
		}
		total += n
	}
	if total != len(steps) {
		t.Fatalf("got %d versions applied among all hosts, want %d", total, len(steps))
	}
	applied, err := Applied(context.Background(), open(t, path))
	if err != nil || len(applied) != len(steps) {
		t.Fatalf("got %v, %v, want %d versions", applied, err, len(steps))
	}
}

func TestStatus(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "books.db"))
	pending := func() (n int) {
		t.Helper()
		states, err := Status(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range states {
			if s.Version != i+1 || s.Name == "" {
				t.Errorf("got version %d %q at place %d", s.Version, s.Name, i)
			}
			if s.AppliedAt.IsZero() {
				n++
			}
		}
		return n
	}
	if n := pending(); n != len(steps) {
		t.Errorf("got %d versions pending of an empty store, want %d", n, len(steps))
	}
	if n := 0; db.NewRaw("SELECT count(*) FROM sqlite_master").Scan(ctx, &n) != nil || n != 0 {
		t.Errorf("got %d tables and indexes after looking, want none", n)
	}
	if _, err := Run(ctx, db); err != nil {
		t.Fatal(err)
	}
	if n := pending(); n != 0 {
		t.Errorf("got %d versions pending after migrating, want none", n)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO schema_versions VALUES (99, 'the future', '2030-01-01 00:00:00+00:00')"); err != nil {
		t.Fatal(err)
	}
	states, err := Status(ctx, db)
	if err != nil {
		t.Fatal(err)
	}
	if last := states[len(states)-1]; last.Version != 99 || !last.Unknown || last.AppliedAt.IsZero() {
		t.Errorf("got %+v last, want the future's version 99", last)
	}
}

func TestNewerStoreIsRefused(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "books.db"))
	if _, err := Run(ctx, db); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO schema_versions VALUES (99, 'the future', '2030-01-01 00:00:00+00:00')"); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(ctx, db); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Fatalf("got %v, want a refusal that names version 99", err)
	}
}
