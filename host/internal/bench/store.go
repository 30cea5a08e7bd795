package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun/driver/sqliteshim"
	"golang.org/x/sync/errgroup"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/replay"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/schema"
)

const (
	storeAgents = 20
	storeDays   = 30
	// storeCallers book at the same time, so that they share commits.
	storeCallers = 256
	// storeTarget is what a question may take, in the median.
	storeTarget = 50 * time.Millisecond
)

// storeBench fills a store by booking calls, as a host does, with real decisions, chains and receipts, and times what is
// asked of a grown one. The calls are the same at every run but for their ids.
func storeBench(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	calls := flags.Int("calls", 100_000, "calls to book; each is ten rows")
	within := flags.Duration("within", 150*time.Second, "stop booking then, however many calls there are")
	dsn := flags.String("dsn", "", "an empty store to fill; a SQLite file that is thrown away, by default")
	readme := flags.String("readme", "schema/README.md", "where the owner's questions are")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ainfera-store-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *dsn == "" {
		*dsn = "sqlite://" + filepath.Join(dir, "books.db")
	}
	books, err := capture.Open(ctx, capture.Config{DSN: *dsn, Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close(context.WithoutCancel(ctx))) }()
	sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: filepath.Join(dir, "modules")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
	if *calls < storeCallers {
		return fmt.Errorf("at least %d calls make a store", storeCallers)
	}
	f := &filler{books: books, calls: *calls, within: *within, first: time.Now().UTC().AddDate(0, 0, -storeDays),
		step: storeDays * 24 * time.Hour / time.Duration(*calls)}
	if err := f.prepare(ctx, sandbox); err != nil {
		return err
	}
	if err := f.fill(ctx); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	db, err := openQueries(*dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := f.count(ctx, db); err != nil {
		return err
	}
	return f.ask(ctx, db, sandbox, *readme)
}

// openQueries opens the store as its owner's own tools would.
func openQueries(dsn string) (*sql.DB, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite://"); ok {
		return sql.Open(sqliteshim.ShimName, "file:"+path+"?mode=ro")
	}
	return sql.Open("pgx", dsn)
}

// A filler books calls.
type filler struct {
	books  *capture.Books
	calls  int
	within time.Duration
	first  time.Time     // when the first call was
	step   time.Duration // from a call to the next
	agents [storeAgents]capture.Agent
	kinds  [64]capture.Decided // the calls' decisions, in turn
	mu     sync.Mutex
	some   []*capture.Call // of those that were booked, from all over the time, to ask about
}

// prepare makes the agents and the decisions, which the real policy makes.
func (f *filler) prepare(ctx context.Context, sandbox *wasm.Host) error {
	module, err := builtin.Module("floor")
	if err != nil {
		return err
	}
	policy, err := sandbox.Load(ctx, wasm.Spec{Name: "floor", Bytes: module, Kind: wasm.KindPolicy})
	if err != nil {
		return err
	}
	digest := strings.TrimPrefix(policy.Digest(), "sha256:")
	if err := f.books.PutModule(ctx, digest, "policy", "floor", policy.Manifest().Version, module); err != nil {
		return err
	}
	for i := range f.agents {
		a, _, err := f.books.CreateAgent(ctx, capture.NewAgent{Name: fmt.Sprintf("agent-%02d", i), Tenant: "bench"})
		if err != nil {
			return err
		}
		f.agents[i] = a
	}
	tasks := []string{"general", "code", "chat", "reasoning"}
	for i := range f.kinds {
		input := decisionInput(900+37*i, 256<<(i%4))
		output, _, err := policy.Decide(ctx, []byte(input))
		if err != nil {
			return err
		}
		task := tasks[i%len(tasks)]
		f.kinds[i] = capture.Decided{Target: "ainfera-inference", TaskType: task, Cell: task + ":model-03:balanced", PolicyName: "floor",
			PolicyVersion: "floor@" + policy.Manifest().Version + "+07dbdce7", PolicyModule: digest, Rule: "cheapest_clearing_floor",
			ChosenSlug: "model-03", Input: []byte(input), Output: output, RulesetHash: "07dbdce7", Preference: "balanced",
			ProjectedUSD: "0.002700", BaselineUSD: "0.009000", BaselineSlug: "model-11"}
	}
	return nil
}

// decisionInput is a decision over twelve candidates, as long as real ones are.
func decisionInput(tokens, reserved int) string {
	var b strings.Builder
	b.WriteString(`{"candidates":[`)
	for i := range 12 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"aa_agentic_index":null,"brand_slug":"brand-%d","expected_latency_ms":900,"m_allowed":true,"model_id":"model-%02d","model_slug":"model-%02d","price_in_per_mtok_usd":"0.%d9","price_out_per_mtok_usd":"1.%d9","q_prior":"0.%d0"}`,
			i%5, i, i, i%9+1, i%9+1, i%7+3)
	}
	fmt.Fprintf(&b, `],"options":{"expected_cost_ranking":false,"floor_on_q_prior":true,"maker_penalty":null,"q_empirical":null,"quality_floor":null},"policy":{"agentic_floor":null,"budget_cap_usd":null,"latency_cap_ms":null,"min_quality":"0.60","policy_name":"floor"},"request":{"agent_id":"bench","estimated_input_tokens":%d,"request_id":"bench","reserved_max_tokens":%d}}`, tokens, reserved)
	return b.String()
}

// at is when call i was.
func (f *filler) at(i int) time.Time {
	return f.first.Add(time.Duration(i) * f.step)
}

func (f *filler) fill(ctx context.Context) error {
	began := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range storeCallers {
		group.Go(func() error {
			for {
				i := int(next.Add(1) - 1)
				if i >= f.calls || i > 0 && time.Since(began) > f.within {
					next.Add(-1)
					return nil
				}
				c, err := f.call(ctx, i)
				if err != nil {
					return err
				}
				if i%(f.calls/storeRuns) == 0 {
					f.mu.Lock()
					f.some = append(f.some, c)
					f.mu.Unlock()
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	if booked := int(next.Load()); booked < f.calls {
		fmt.Printf("(of %d calls there was time for %d)\n", f.calls, booked)
		f.calls = booked
	}
	fmt.Printf("%d calls of %d agents over %d days, booked in %s: %.0f a second\n\n", f.calls, storeAgents, storeDays, took.Round(time.Millisecond), float64(f.calls)/took.Seconds())
	return nil
}

// call books call i from its begin to its end.
func (f *filler) call(ctx context.Context, i int) (*capture.Call, error) {
	at := f.at(i)
	c, err := f.books.Begin(ctx, &capture.Begin{Agent: &f.agents[i%storeAgents], RequestID: fmt.Sprint("bench-", i), Endpoint: "/v1/messages",
		Stream: i%2 == 0, Model: "model-03", Provider: "vendor", HoldMicroUSD: 12_000, RequestHash: strings.Repeat("ab", 32), CreatedAt: at,
		Decided: &f.kinds[i%len(f.kinds)]})
	if err != nil {
		return nil, err
	}
	end := &capture.Completion{Status: schema.StatusSucceeded, ServedSlug: "model-03", Provider: "vendor", UpstreamID: fmt.Sprint("msg_", i),
		FinishReason: "stop", NativeFinishReason: "end_turn", AdapterModule: strings.Repeat("cd", 32),
		Usage: capture.Usage{Input: int64(900 + i%64), Output: 210}, CostMicroUSD: int64(1900 + i%97), VendorCostMicroUSD: int64(1900 + i%97),
		Attempts: []capture.Attempt{{Model: "model-03", Provider: "vendor", Upstream: "model-03", Status: 200, Started: at, Duration: 800 * time.Millisecond}},
		TTFT:     time.Duration(200+i%300) * time.Millisecond, Latency: 800 * time.Millisecond, ResponseHash: strings.Repeat("ef", 32), CompletedAt: at.Add(800 * time.Millisecond)}
	if i%50 == 0 {
		end.Status, end.Code = schema.StatusFailedProviderError, "all_routed_models_failed"
	}
	return c, c.Complete(ctx, end)
}

func (f *filler) count(ctx context.Context, db *sql.DB) error {
	total := 0
	for _, table := range []string{"routing_outcomes", "inferences", "ledger_entries", "audit_events", "receipts"} {
		n := 0
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return err
		}
		fmt.Printf("  %-17s %9d rows\n", table, n)
		total += n
	}
	fmt.Printf("  %-17s %9d rows\n\n", "together", total)
	return nil
}

// reproduceDay decides the last day's calls again.
func (f *filler) reproduceDay(ctx context.Context, sandbox *wasm.Host) error {
	cfg := replay.Config{Books: f.books, Sandbox: sandbox}
	var r replay.Reproduction
	var took time.Duration
	for _, calls := range []int{1, f.calls / storeDays} { // the first time compiles the module
		began := time.Now()
		cfg.Since = f.at(f.calls - calls)
		var err error
		r, err = replay.Reproduce(ctx, cfg, func(d replay.Difference) error { return fmt.Errorf("%s: %s", d.OutcomeID, d.Why) })
		if err != nil {
			return fmt.Errorf("reproduce: %w", err)
		}
		took = time.Since(began)
	}
	fmt.Printf("\npolicy reproduce of the last day: %d of %d decisions in %s, %.0f a second\n", r.Reproduced, r.Decided, took.Round(time.Millisecond), float64(r.Decided)/took.Seconds())
	return nil
}
