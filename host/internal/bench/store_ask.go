package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/wasm"
)

// storeRuns is how often each question is asked, each time of another agent or call.
const storeRuns = 40

// A question is one thing that is asked of a store; it returns how many rows it got.
type question struct {
	name string
	ask  func(ctx context.Context, run int) (int, error)
}

// ask times the questions and prints the table.
func (f *filler) ask(ctx context.Context, db *sql.DB, sandbox *wasm.Host, readme string) error {
	questions, err := f.owners(db, readme)
	if err != nil {
		return err
	}
	questions = append(questions, f.pages(db)...)
	questions = append(questions, question{"Begin and Complete, one caller", func(ctx context.Context, run int) (int, error) {
		_, err := f.call(ctx, f.calls-1-run)
		return 1, err
	}})
	fmt.Printf("%-58s %8s %10s %10s\n", "", "rows", "median", "slowest")
	missed := 0
	for _, q := range questions {
		median, slowest, rows, err := q.time(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		verdict := ""
		if median > storeTarget {
			verdict, missed = "  MISSED", missed+1
		}
		fmt.Printf("%-58s %8d %10s %10s%s\n", q.name, rows, short(median), short(slowest), verdict)
	}
	if missed == 0 {
		fmt.Printf("\nall within %s in the median: reached\n", storeTarget)
	}
	return f.reproduceDay(ctx, sandbox)
}

func short(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }

func (q *question) time(ctx context.Context) (median, slowest time.Duration, rows int, err error) {
	times := make([]time.Duration, storeRuns)
	for i := range times {
		began := time.Now()
		if rows, err = q.ask(ctx, i); err != nil {
			return 0, 0, 0, err
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)-1], rows, nil
}

// owners are the tables' README's questions, asked of the last day.
func (f *filler) owners(db *sql.DB, readme string) ([]question, error) {
	text, err := os.ReadFile(readme)
	if err != nil {
		return nil, fmt.Errorf("read the owner's questions: %w", err)
	}
	since := f.at(f.calls - f.calls/storeDays).Format("2006-01-02 15:04:05.000000-07:00")
	var questions []question
	for i, part := range strings.Split(string(text), "```sql\n")[1:] {
		query, _, _ := strings.Cut(part, "```")
		query = strings.NewReplacer("2026-03-01", since, "'local'", "'agent-07'").Replace(query)
		questions = append(questions, question{fmt.Sprintf("schema/README.md, query %d, of the last day", i+1), func(ctx context.Context, _ int) (int, error) {
			return countRows(ctx, db, query)
		}})
	}
	return questions, nil
}

// pages are what the API and the books ask.
func (f *filler) pages(db *sql.DB) []question {
	agent := func(run int) string { return f.agents[run%storeAgents].ID }
	return []question{
		{"an agent's newest 50 ledger entries", func(ctx context.Context, run int) (int, error) {
			entries, err := f.books.Ledger(ctx, agent(run), 50)
			return len(entries), err
		}},
		{"500 audit events of an agent, from the middle of its chain", func(ctx context.Context, run int) (int, error) {
			events, err := f.books.Events(ctx, agent(run), int64(f.calls/storeAgents*5/2), 500)
			return len(events), err
		}},
		{"an agent's newest 50 inferences", func(ctx context.Context, run int) (int, error) {
			return countRows(ctx, db, "SELECT * FROM inferences WHERE agent_id = '"+agent(run)+"' ORDER BY created_at DESC LIMIT 50")
		}},
		{"an agent's newest 50 outcomes", func(ctx context.Context, run int) (int, error) {
			return countRows(ctx, db, "SELECT * FROM routing_outcomes WHERE agent_id = '"+agent(run)+"' ORDER BY created_at DESC LIMIT 50")
		}},
		{"an inference, its outcome, its decision and its receipt", func(ctx context.Context, run int) (int, error) {
			c := f.some[run%len(f.some)]
			if _, err := f.books.Inference(ctx, c.ID()); err != nil {
				return 0, err
			}
			if _, err := f.books.OutcomeOf(ctx, c.ID()); err != nil {
				return 0, err
			}
			if _, _, err := f.books.Decision(ctx, c.OutcomeID()); err != nil {
				return 0, err
			}
			_, err := f.books.Receipt(ctx, c.ReceiptID())
			return 4, err
		}},
		{"what an agent spent today, for its daily cap", func(ctx context.Context, run int) (int, error) {
			return countRows(ctx, db, "SELECT spent_micro_usd, held_micro_usd FROM daily_spend WHERE agent_id = '"+agent(run)+"' AND day = '"+f.at(f.calls-1).Format(time.DateOnly)+"'")
		}},
		{"the open calls, as the sweep of orphans asks for them", func(ctx context.Context, _ int) (int, error) {
			s, err := f.books.Status(ctx)
			return s.OpenCalls, err
		}},
	}
}

func countRows(ctx context.Context, db *sql.DB, query string) (n int, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}
