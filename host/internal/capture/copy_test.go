package capture

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// fullStore is a store that was used, and has a row in every table. Its server has stopped.
func fullStore(t *testing.T, config Config) {
	t.Helper()
	ctx := context.Background()
	config.KeepBodies = true
	b, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for i, mode := range []string{schema.WalletMetered, schema.WalletPrepaid} {
		a := mustAgent(t, b, NewAgent{Name: fmt.Sprint("agent-", i), Tenant: "t", WalletMode: mode, BalanceMicroUSD: 5000})
		for j := range 4 {
			n := routed(a, 100)
			n.RequestBody = []byte("request \x00\xff")
			mustComplete(t, mustBegin(t, b, n), ended(schema.StatusSucceeded, int64(30+j)))
		}
		mustComplete(t, mustBegin(t, b, pinned(a, 50)), ended(schema.StatusFailedProviderError, 9))
		if _, err := b.Reject(ctx, &Rejection{Agent: a, RequestID: "r", Endpoint: "/v1/messages", Status: schema.StatusRejectedFloor, Decided: sampleDecided("r", a.ID, 5, 4)}); err != nil {
			t.Fatal(err)
		}
	}
	if made, err := b.makeRoot(ctx); err != nil || made != rootSigned {
		t.Fatalf("got root %v, %v, want one signed", made, err)
	}
	for _, model := range schema.Tables() {
		if n, err := b.db.NewSelect().Model(model).Count(ctx); err != nil {
			t.Fatal(err)
		} else if _, leases := model.(*schema.Host); n > 0 && !leases { // this server's own lease goes with it
			continue
		}
		row := reflect.New(reflect.TypeOf(model).Elem())
		fillRow(row.Elem())
		if _, err := b.db.NewInsert().Model(row.Interface()).Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// fillRow gives every field of a model a value.
func fillRow(row reflect.Value) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	for i := range row.NumField() {
		switch f := row.Field(i).Addr().Interface().(type) {
		case *bun.BaseModel:
		case *string:
			*f = "tëxt " + row.Type().Field(i).Name
		case *int64:
			*f = int64(100 + i)
		case *bool:
			*f = true
		case *[]byte:
			*f = []byte{0, 255, 1}
		case *time.Time:
			*f = at
		case **time.Time:
			*f = &at
		case **int64:
			n := int64(7)
			*f = &n
		default:
			panic(fmt.Sprintf("no value for %T", f))
		}
	}
}

// copyPairs runs a test on an empty store of each kind, with an address to copy it to.
func copyPairs(t *testing.T, test func(t *testing.T, from Config, to string)) {
	file := func(t *testing.T) string { return "sqlite://" + filepath.Join(t.TempDir(), "to.db") }
	t.Run("sqlite-to-postgres", func(t *testing.T) {
		dir := t.TempDir()
		test(t, Config{DSN: "sqlite://" + filepath.Join(dir, "books.db"), Dir: dir}, pgtest.DSN(t))
	})
	t.Run("postgres-to-sqlite", func(t *testing.T) {
		test(t, Config{DSN: pgtest.DSN(t), Dir: t.TempDir()}, file(t))
	})
}

func TestCopy(t *testing.T) {
	copyPairs(t, func(t *testing.T, from Config, to string) {
		ctx := context.Background()
		fullStore(t, from)
		seen := 0
		result, err := Copy(ctx, from.DSN, to, func(CopiedTable) error { seen++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		if want := len(schema.Tables()); len(result.Tables) != want || seen != want {
			t.Errorf("got %d tables, told of %d, want %d", len(result.Tables), seen, want)
		}
		for _, c := range result.Tables {
			if c.Rows == 0 {
				t.Errorf("%s: nothing copied", c.Table)
			}
		}
		for _, v := range result.Check.Violations {
			t.Errorf("check of the copy: %s: %v", v.Rule, v.IDs)
		}
		sameBooks(t, from, to)
	})
}

// sameBooks opens both stores and asks them the same; then the copy goes on where the source ended.
func sameBooks(t *testing.T, from Config, to string) {
	t.Helper()
	ctx := context.Background()
	source := openBooks(t, Config{DSN: from.DSN, Dir: from.Dir, Command: true})
	target := openBooks(t, Config{DSN: to, Dir: from.Dir}) // the directory goes along, with the signing key
	agents, err := source.Agents(ctx)
	if err != nil || len(agents) != 2 {
		t.Fatalf("got %d agents, %v", len(agents), err)
	}
	receiptsVerify(t, target)
	for i := range agents {
		a := &agents[i]
		want, err := source.Events(ctx, a.ID, 0, 500)
		if err != nil {
			t.Fatal(err)
		}
		got, err := target.Events(ctx, a.ID, 0, 500)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s has other events in the copy (%v)", a.Name, err)
		}
		if r := proof.VerifyChain(got); !r.Valid || len(got) < 20 {
			t.Errorf("%s: %d events, %s", a.Name, len(got), r.Reason)
		}
		mustComplete(t, mustBegin(t, target, routed(a, 100)), ended(schema.StatusSucceeded, 40))
		if r, n, err := target.VerifyAgent(ctx, a.ID); err != nil || !r.Valid || n != int64(len(want))+5 {
			t.Errorf("%s after a call: %d events, %+v, %v", a.Name, n, r, err)
		}
	}
	var outcomes []schema.RoutingOutcome
	if err := source.db.NewSelect().Model(&outcomes).Scan(ctx); err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		wantIn, wantOut, err := source.Decision(ctx, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		in, out, err := target.Decision(ctx, o.ID)
		if err != nil || string(in) != string(wantIn) || string(out) != string(wantOut) || len(out) == 0 {
			t.Errorf("%s: another decision in the copy (%v)", o.ID, err)
		}
	}
	checkBooks(t, target)
}

// receiptsVerify verifies every receipt with the keys that the store has.
func receiptsVerify(t *testing.T, b *Books) {
	t.Helper()
	ctx := context.Background()
	keys := map[string]ed25519.PublicKey{}
	known, err := b.SigningKeys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range known {
		keys[k.ID], _ = base64.StdEncoding.DecodeString(k.PublicKey)
	}
	var rows []schema.Receipt
	if err := b.db.NewSelect().Model(&rows).Scan(ctx); err != nil || len(rows) != 10 {
		t.Fatalf("got %d receipts, %v, want 10", len(rows), err)
	}
	for _, row := range rows {
		r, err := b.Receipt(ctx, row.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifySigned(r.Document, keys[row.KeyID]); err != nil {
			t.Errorf("receipt %s: %v", row.ID, err)
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	copyPairs(t, func(t *testing.T, from Config, to string) {
		ctx := context.Background()
		t.Run("AStoreThatAServerHas", func(t *testing.T) {
			b := openBooks(t, from)
			if _, err := Copy(ctx, from.DSN, to, nil); err == nil || !strings.Contains(err.Error(), "have the store") && !strings.Contains(err.Error(), "another host has") {
				t.Errorf("got %v, want a refusal that names the server", err)
			}
			if err := b.Close(ctx); err != nil {
				t.Fatal(err)
			}
		})
		fullStore(t, from)
		t.Run("ATargetThatIsNotEmpty", func(t *testing.T) {
			b, err := Open(ctx, Config{DSN: to, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			mustAgent(t, b, NewAgent{Name: "was-here"})
			if err := b.Close(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := Copy(ctx, from.DSN, to, nil); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("got %v, want %v", err, ErrNotEmpty)
			}
			after := openBooks(t, Config{DSN: to, Dir: t.TempDir(), Command: true})
			if agents, err := after.Agents(ctx); err != nil || len(agents) != 1 {
				t.Errorf("got %d agents, %v, want the one that was there", len(agents), err)
			}
			if r := checkBooks(t, after); r.Events != 1 {
				t.Errorf("got %d events, want the agent's one", r.Events)
			}
		})
		t.Run("AStoreIntoItself", func(t *testing.T) {
			if _, err := Copy(ctx, from.DSN, from.DSN, nil); err == nil {
				t.Error("copied a store into itself")
			}
		})
	})
}

func TestCopyFromNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	_, err := Copy(context.Background(), "sqlite://"+path, "sqlite://"+path+"2", nil)
	if err == nil || !strings.Contains(err.Error(), "there is no file") {
		t.Errorf("got %v, want that there is no file", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the source was made")
	}
}

// A copy that is broken off leaves nothing, whichever way it is broken off, and can be run again.
func TestCopyBrokenOff(t *testing.T) {
	copyPairs(t, func(t *testing.T, from Config, to string) {
		ctx, cancel := context.WithCancel(context.Background())
		fullStore(t, from)
		enough := errors.New("enough")
		_, err := Copy(ctx, from.DSN, to, func(c CopiedTable) error {
			if c.Table == "ledger_entries" {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("got %v, want %v", err, enough)
		}
		_, err = Copy(ctx, from.DSN, to, func(c CopiedTable) error {
			if c.Table == "inferences" {
				cancel() // the operator's ^C
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v", err, context.Canceled)
		}
		kill := startChild(t, "TestCopyingChild", from.DSN+" "+to, "halfway")
		kill()
		if _, err := Copy(context.Background(), from.DSN, to, nil); err != nil {
			t.Fatalf("after all that: %v", err)
		}
		sameBooks(t, from, to)
	})
}

// TestCopyingChild is the copy that is killed; by itself it does nothing.
func TestCopyingChild(t *testing.T) {
	from, to, ok := strings.Cut(os.Getenv(childDSN), " ")
	if !ok {
		t.Skip("runs as a child of TestCopyBrokenOff alone")
	}
	_, err := Copy(t.Context(), from, to, func(c CopiedTable) error {
		if c.Table == "audit_events" {
			fmt.Println("halfway")
			select {}
		}
		return nil
	})
	t.Fatalf("the copy ended: %v", err)
}

// What PostgreSQL can't hold is not changed on the way: the row is named.
func TestCopyNamesTheRowThatDoesNotFit(t *testing.T) {
	ctx := context.Background()
	dir, to := t.TempDir(), pgtest.DSN(t)
	from := Config{DSN: "sqlite://" + filepath.Join(dir, "books.db"), Dir: dir}
	fullStore(t, from)
	b, err := Open(ctx, from)
	if err != nil {
		t.Fatal(err)
	}
	id := ""
	if err := b.db.NewRaw("UPDATE inferences SET upstream_id = 'a' || char(0) || 'b' WHERE id = (SELECT max(id) FROM inferences) RETURNING id").Scan(ctx, &id); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(ctx, from.DSN, to, nil); !errors.Is(err, errNotText) || !strings.Contains(err.Error(), id) || !strings.Contains(err.Error(), "upstream_id") {
		t.Errorf("got %v, want an error that names %s and its column", err, id)
	}
}

// A row that did not arrive as it was sent is noticed, whatever it is.
func TestCopyIsReadBack(t *testing.T) {
	for _, change := range []string{
		"UPDATE wallets SET balance_micro_usd = balance_micro_usd + 1 WHERE mode = 'prepaid'",
		"UPDATE inferences SET request_hash = NULL",
		"UPDATE receipts SET created_at = '2026-01-01 00:00:00.000001+00:00' WHERE id = (SELECT max(id) FROM receipts)",
		"DELETE FROM audit_events WHERE seq = 7",
		"UPDATE bodies SET response = request",
	} {
		t.Run(change, func(t *testing.T) {
			ctx := context.Background()
			dir := t.TempDir()
			from := Config{DSN: "sqlite://" + filepath.Join(dir, "books.db"), Dir: dir}
			fullStore(t, from)
			source, err := openCopySource(ctx, from.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer source.close(ctx)
			target, err := openCopyTarget(ctx, "sqlite://"+filepath.Join(dir, "to.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer target.close(ctx)
			var sent []CopiedTable
			for _, table := range copyTables(source.db) {
				c, err := target.fill(ctx, source, table)
				if err != nil {
					t.Fatal(err)
				}
				sent = append(sent, c)
			}
			if err := target.compare(ctx, sent); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			if err := target.exec(ctx, change); err != nil {
				t.Fatal(err)
			}
			if err := target.compare(ctx, sent); err == nil {
				t.Error("nobody noticed")
			}
		})
	}
}
