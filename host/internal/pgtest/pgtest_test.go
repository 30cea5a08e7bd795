package pgtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/ainfera-ai/router/host/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabasesAreApart(t *testing.T) {
	ctx := context.Background()
	for range 2 {
		conn, err := pgx.Connect(ctx, pgtest.DSN(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "CREATE TABLE t (n int)"); err != nil {
			t.Fatal(err)
		}
		var commit string
		if err := conn.QueryRow(ctx, "SHOW synchronous_commit").Scan(&commit); err != nil || commit != "on" {
			t.Fatalf("got synchronous_commit %q, %v, want on", commit, err)
		}
	}
}

func TestWhatWasCommittedOutlivesTheServer(t *testing.T) {
	c, err := pgtest.Start(true)
	if errors.Is(err, pgtest.ErrNoServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	ctx := context.Background()
	if err := c.Exec(ctx, "CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	if err := c.Halt("immediate"); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("a halted server answers")
	}
	if err := c.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec(ctx, "INSERT INTO kept VALUES (1)"); err != nil {
		t.Error(err)
	}
}
