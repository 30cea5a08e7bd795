package capture

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/ainfera-ai/router/host/internal/pgtest"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

// big are the tables that grow with every call. No question that is asked while calls are taken, or of one agent, one
// call or one time, may read one of them from end to end.
var big = []string{"routing_outcomes", "inferences", "ledger_entries", "audit_events", "receipts", "bodies", "idempotency_keys"}

// partial are the indexes that hold but few rows of such a table, so that reading one whole is fine.
var partial = []string{"inferences_open"}

// A planner asks a store how it would answer a query.
type planner struct {
	t    *testing.T
	conn *sql.Conn
	pg   bool
}

func newPlanner(t *testing.T, b *Books) *planner {
	t.Helper()
	conn, err := b.db.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, sqlite := sqlitePath(b.config.DSN)
	p := &planner{t: t, conn: conn, pg: !sqlite}
	if p.pg {
		// An empty table is best read whole, so that PostgreSQL is told not to unless there is no other way.
		for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
			if _, err := conn.ExecContext(t.Context(), "SET "+way+" = off"); err != nil {
				t.Fatal(err)
			}
		}
	}
	return p
}

// scans says which big tables the query would read whole.
func (p *planner) scans(query string, args ...any) []string {
	p.t.Helper()
	if p.pg {
		return p.postgres(query, args...)
	}
	return p.sqlite(query, args...)
}

var scan = regexp.MustCompile(`^SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?`)

// sqlite reads lines such as "SCAN i USING INDEX inferences_open" and "SEARCH l USING PRIMARY KEY (agent_id=?)". Tables go
// by their aliases, so that what is small has to be known by them.
func (p *planner) sqlite(query string, args ...any) (found []string) {
	p.t.Helper()
	small := []string{"CONSTANT", "a", "agents", "w", "wallets", "t", "tenants", "s", "hosts", "h", "audit_heads", "g", "signing_keys",
		"v", "activations", "m", "modules", "q", "audit_roots", "p", "audit_signed_heads", "d", "daily_spend",
		"version", "schema_versions"}
	rows, err := p.conn.QueryContext(p.t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		p.t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			p.t.Fatal(err)
		}
		if m := scan.FindStringSubmatch(detail); m != nil && !slices.Contains(small, m[1]) && !slices.Contains(partial, m[2]) {
			found = append(found, detail)
		}
	}
	return found
}

// A plan is a node of PostgreSQL's.
type plan struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []plan
}

func (p *planner) postgres(query string, args ...any) (found []string) {
	p.t.Helper()
	var text string
	if err := p.conn.QueryRowContext(p.t.Context(), "EXPLAIN (FORMAT JSON) "+query, args...).Scan(&text); err != nil {
		p.t.Fatalf("%v: %s", err, query)
	}
	var top []struct{ Plan plan }
	if err := json.Unmarshal([]byte(text), &top); err != nil {
		p.t.Fatal(err)
	}
	var walk func(n plan, bitmap string)
	walk = func(n plan, bitmap string) {
		if n.Type == "Bitmap Heap Scan" {
			bitmap = n.Relation // its index scan, below, does not say of which table
		}
		relation := n.Relation
		if n.Type == "Bitmap Index Scan" {
			relation = bitmap
		}
		whole := n.Type == "Seq Scan" || strings.Contains(n.Type, "Index") && n.Cond == "" && !slices.Contains(partial, n.Index)
		if whole && slices.Contains(big, relation) {
			found = append(found, fmt.Sprintf("%s on %s %s", n.Type, relation, n.Index))
		}
		for _, child := range n.Plans {
			walk(child, bitmap)
		}
	}
	walk(top[0].Plan, "")
	return found
}

// A listener hears the queries that reads ask.
type listener struct{ queries []string }

func (l *listener) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	l.queries = append(l.queries, e.Query)
	return ctx
}

func (l *listener) AfterQuery(context.Context, *bun.QueryEvent) {}

func TestNoQuestionReadsABigTableWhole(t *testing.T) {
	onEachStore(t, func(t *testing.T, config Config) {
		ctx := context.Background()
		config.KeepBodies = true
		host := openBooks(t, config)
		a := mustAgent(t, host, NewAgent{Name: "local"})
		done := mustBegin(t, host, routed(a, 100))
		mustComplete(t, done, ended(schema.StatusSucceeded, 50))
		open := mustBegin(t, host, routed(a, 100))
		defer func() { mustComplete(t, open, ended(schema.StatusSucceeded, 50)) }()

		config.Command = true
		b := openBooks(t, config)
		heard := &listener{}
		b.db = b.db.WithQueryHook(heard)
		p := newPlanner(t, b)
		for query, whole := range map[string]bool{
			"SELECT count(*) FROM ledger_entries WHERE note = 'x'":                               true,
			"SELECT id FROM routing_outcomes WHERE outcome_status = 'x' ORDER BY id":             true,
			"SELECT x.id FROM receipts AS r JOIN inferences AS x ON x.upstream_id = r.key_id":    true,
			"SELECT count(*) FROM inferences":                                                    true,
			"SELECT x.id FROM receipts AS r JOIN inferences AS x ON x.id = r.id WHERE r.id = ''": false,
			"SELECT id FROM agents": false,
		} {
			if got := p.scans(query); whole != (len(got) > 0) {
				t.Fatalf("the test sees %q in %s: it can't tell a table that is read whole", got, query)
			}
		}
		must := func(what string, err error) {
			t.Helper()
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatalf("%s: %v", what, err)
			}
			if len(heard.queries) == 0 {
				t.Errorf("%s asks nothing", what)
			}
			for _, q := range heard.queries {
				if !strings.HasPrefix(q, "SELECT") {
					continue
				}
				for _, whole := range p.scans(q) {
					t.Errorf("%s: %s: %s", what, whole, q)
				}
			}
			heard.queries = nil
		}
		_, err := b.Outcome(ctx, done.OutcomeID())
		must("an outcome", err)
		_, err = b.OutcomeOf(ctx, done.ID())
		must("the outcome of an inference", err)
		_, err = b.Inference(ctx, done.ID())
		must("an inference", err)
		_, _, err = b.Decision(ctx, done.OutcomeID())
		must("a decision", err)
		_, _, err = b.Bodies(ctx, done.ID())
		must("bodies", err)
		_, err = b.Wallet(ctx, a.ID)
		must("a wallet", err)
		_, err = b.Ledger(ctx, a.ID, 50)
		must("a page of the ledger", err)
		_, err = b.Events(ctx, a.ID, 2, 500)
		must("a page of the audit chain", err)
		_, err = b.Receipt(ctx, done.ReceiptID())
		must("a receipt", err)
		_, err = b.Receipt(ctx, open.ReceiptID())
		must("a receipt that is pending", err)
		_, err = b.Agent(ctx, "local")
		must("an agent", err)
		_, err = b.Status(ctx)
		must("the open calls", err)
		_, err = b.orphans(ctx)
		must("the orphans", err)
		_, err = b.leads(ctx)
		must("the eldest host", err)
		_, _, err = b.VerifyAgent(ctx, a.ID)
		must("an agent's chain, verified", err)
		must("an agent's chain, exported", b.Export(ctx, ExportScope{AgentID: a.ID}, func(*proof.Record) error { return nil }))
		must("past decisions", b.Decisions(ctx, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), func(page []PastDecision) error { return nil }))
		must("expired keys", b.forgetKeys(ctx))

		for _, q := range append(readmeQueries(t),
			"SELECT * FROM inferences WHERE agent_id = 'x' ORDER BY created_at DESC LIMIT 50",
			"SELECT * FROM routing_outcomes WHERE agent_id = 'x' ORDER BY created_at DESC LIMIT 50",
			"SELECT * FROM routing_outcomes WHERE cell = 'x' AND created_at > '2026-01-01' ORDER BY created_at",
			"SELECT * FROM receipts WHERE inference_id = 'x'",
			"SELECT * FROM ledger_entries WHERE inference_id = 'x'",
			"SELECT * FROM bodies WHERE created_at < '2026-01-01'",
		) {
			for _, whole := range p.scans(q) {
				t.Errorf("an owner's question: %s: %s", whole, q)
			}
		}
		p.writers()
	})
}

// writers plans what the writer runs: of every statement, over one row.
func (p *planner) writers() {
	p.t.Helper()
	for _, st := range append(slices.Clone(writeOrder), lockHeads, selectAccount, selectDay, selectState, selectStray) {
		query := st.sqlite
		args := make([]any, len(st.params))
		if p.pg {
			query = st.postgres
			row := make([]any, len(st.params))
			for i, typ := range st.params {
				row[i] = map[string]any{"text": "x", "bigint": int64(1), "boolean": true, "bytea": []byte{1}, "timestamptz": time.Now()}[typ]
			}
			args = columns(st, row)
		}
		if query == "" {
			continue
		}
		for _, whole := range p.scans(query, args...) {
			p.t.Errorf("the writer: %s: %s", whole, query)
		}
	}
}

// readmeQueries are the three that the tables' README shows.
func readmeQueries(t *testing.T) (queries []string) {
	t.Helper()
	readme, err := os.ReadFile("../../../schema/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(readme), "```sql\n")[1:] {
		query, _, _ := strings.Cut(part, "```")
		queries = append(queries, query)
	}
	if len(queries) != 3 {
		t.Fatalf("got %d queries, want 3", len(queries))
	}
	return queries
}

// TestWriterPlansForWhatIsThere: the writer's statements are planned for the tables as they are, however often they ran
// while those were small.
func TestWriterPlansForWhatIsThere(t *testing.T) {
	b := openBooks(t, Config{DSN: pgtest.DSN(t), Dir: t.TempDir()})
	a := mustAgent(t, b, NewAgent{Name: "a"})
	for range 20 { // PostgreSQL thinks of keeping a plan after five
		mustComplete(t, mustBegin(t, b, routed(a, 100)), ended(schema.StatusSucceeded, 50))
	}
	var planned, kept int
	err := b.engine.(*postgresEngine).db.QueryRowContext(t.Context(),
		"SELECT coalesce(sum(custom_plans), 0), coalesce(sum(generic_plans), 0) FROM pg_prepared_statements WHERE statement LIKE 'UPDATE routing_outcomes %'").Scan(&planned, &kept)
	if err != nil {
		t.Fatal(err)
	}
	if planned < 20 || kept != 0 {
		t.Errorf("%d plans for the tables as they were, %d for any; want 20 or more, and none", planned, kept)
	}
}
