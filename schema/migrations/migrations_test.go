package migrations

import (
	"context"
	"database/sql"
	"path/filepath"
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

// Every column of every model must be in the tables that the migrations leave behind.
func TestModelsFitTables(t *testing.T) {
	ctx := context.Background()
	db := open(t, filepath.Join(t.TempDir(), "books.db"))
	if _, err := Run(ctx, db); err != nil {
		t.Fatal(err)
	}
	for _, model := range []any{
		&schema.Tenant{}, &schema.Agent{}, &schema.APIKey{}, &schema.Wallet{}, &schema.DailySpend{},
		&schema.RoutingOutcome{}, &schema.Inference{}, &schema.LedgerEntry{}, &schema.AuditEvent{}, &schema.AuditHead{},
		&schema.Receipt{}, &schema.Module{}, &schema.Activation{}, &schema.Blob{}, &schema.Body{}, &schema.Host{},
		&schema.SigningKey{},
		&schema.IdempotencyKey{},
		&schema.AuditRoot{}, &schema.AuditSignedHead{},
		&schema.ModuleSignature{},
	} {
		if err := db.NewSelect().Model(model).Limit(1).Scan(ctx); err != nil && err != sql.ErrNoRows {
			t.Errorf("%T: %v", model, err)
		}
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
