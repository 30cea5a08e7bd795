package capture

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/schema/migrations"
)

// childDSN names the store that a child process of this test binary works on until it is killed.
const childDSN = "AINFERA_TEST_CHILD_DSN"

// A stopper halts the process in the middle of its migration: tables made, nothing committed, the lock held.
type stopper struct{}

func (stopper) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (stopper) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if strings.HasPrefix(e.Query, "CREATE INDEX routing_outcomes_agent ") {
		fmt.Println("halfway")
		select {}
	}
}

// TestMigratingChild is the host that is killed; by itself it does nothing.
func TestMigratingChild(t *testing.T) {
	dsn := os.Getenv(childDSN)
	if dsn == "" {
		t.Skip("runs as a child of TestKilledWhileMigrating alone")
	}
	db, _, err := openDB(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db = db.WithQueryHook(stopper{})
	_, err = migrations.Run(t.Context(), db)
	t.Fatalf("the migration ended: %v", err)
}

// A child runs one test of this binary as a process of its own and returns once it has printed the line.
func startChild(t *testing.T, test, dsn, line string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), childDSN+"="+dsn)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill() // an error says that it has ended
			_ = cmd.Wait()         // and this that it was killed
		}
	}
	t.Cleanup(kill)
	var seen strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); fmt.Fprintln(&seen, lines.Text()) {
		if lines.Text() == line {
			return kill
		}
	}
	t.Fatalf("the child did not come to %q:\n%s", line, seen.String())
	return nil
}

// A host that is killed with kill -9 in the middle of a migration leaves nothing of it, and holds up nobody: neither who
// waited for it nor who comes after.
func TestKilledWhileMigrating(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		kill := startChild(t, "TestMigratingChild", config.DSN, "halfway")
		states, err := Versions(ctx, config.DSN)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if !s.AppliedAt.IsZero() {
				t.Errorf("version %d counts as applied while it is not committed", s.Version)
			}
		}
		const others = 3
		applied, errs := make(chan int, others), make(chan error, others)
		for range others {
			db, _, err := openDB(config.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			go func() {
				versions, err := migrations.Run(ctx, db)
				applied <- len(versions)
				errs <- err
			}()
		}
		select {
		case n := <-applied:
			t.Fatalf("a host went on with %d versions while another migrated", n)
		default:
		}
		kill()
		total := 0
		for range others {
			if err := <-errs; err != nil {
				t.Errorf("a host that waited: %v", err)
			}
			total += <-applied
		}
		if want := len(migrations.Pending()); total != want {
			t.Errorf("got %d versions applied among the hosts left, want %d", total, want)
		}
		b := openBooks(t, config)
		mustComplete(t, mustBegin(t, b, routed(mustAgent(t, b, NewAgent{Name: "a"}), 10)), ended("succeeded", 5))
		checkBooks(t, b)
	})
}

func TestVersionsOfAStoreThatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "books.db")
	states, err := Versions(context.Background(), "sqlite://"+path)
	if err != nil || len(states) != len(migrations.Pending()) {
		t.Fatalf("got %v, %v, want every version pending", states, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("looking made the store's directory: %v", err)
	}
}

func TestVersionsKeepThePassword(t *testing.T) {
	_, err := Versions(context.Background(), "postgres://u:hunter2secret@127.0.0.1:1/none?connect_timeout=2")
	if err == nil || strings.Contains(err.Error(), "hunter2secret") {
		t.Fatalf("got %v, want an error without the password", err)
	}
}
