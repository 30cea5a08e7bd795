package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/replay"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A span is the flags that name a time: since, which is needed, and until.
type span struct{ since, until string }

func (s *span) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.since, "since", "", "from when on: RFC 3339, a date (UTC), or so long ago (24h)")
	cmd.Flags().StringVar(&s.until, "until", "", "and until before when; now, by default")
	if err := cmd.MarkFlagRequired("since"); err != nil {
		panic(err) // the flag is two lines above
	}
}

func (s *span) times(now time.Time) (since, until time.Time, err error) {
	if since, err = parseTime(s.since, now); err != nil {
		return since, until, fmt.Errorf("--since: %w", err)
	}
	if s.until == "" {
		return since, now, nil
	}
	if until, err = parseTime(s.until, now); err != nil {
		return since, until, fmt.Errorf("--until: %w", err)
	}
	if !since.Before(until) {
		return since, until, fmt.Errorf("--since %s is not before --until %s", s.since, s.until)
	}
	return since, until, nil
}

func parseTime(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time (2026-03-01T12:00:00Z), nor a date (2026-03-01), nor a duration (24h)", text)
}

// reproduceShown is how many rows that differ are named where not all are asked for.
const reproduceShown = 20

func reproduceCommand(o *options) *cobra.Command {
	var when span
	cmd := &cobra.Command{
		Use:   "reproduce --since T [--until T]",
		Short: "Decide past calls again, each by the module that decided it; exit 1 unless all come out the same",
		Long: "Runs the module that each routed row names, from the store, on the input that the row keeps, and compares what comes\n" +
			"out with the decision that it keeps, byte for byte. Rows in which no policy came to an answer are counted apart.\n" +
			fmt.Sprintf("Names the first %d rows that differ, and with --json all.", reproduceShown),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPast(cmd, o, &when, func(ctx context.Context, cfg replay.Config, _ *config.Config) error {
				if o.json {
					return reproduceJSON(ctx, cfg, cmd.OutOrStdout())
				}
				return reproduce(ctx, cfg, cmd.OutOrStdout())
			})
		},
	}
	when.flags(cmd)
	jsonFlag(cmd, o)
	return cmd
}

// withPast opens the store and a sandbox for a command that decides again.
func withPast(cmd *cobra.Command, o *options, when *span, do func(context.Context, replay.Config, *config.Config) error) error {
	since, until, err := when.times(time.Now())
	if err != nil {
		return err
	}
	cfg, err := config.Load(o.config, os.LookupEnv)
	if err != nil {
		return err
	}
	return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) (err error) {
		sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: filepath.Join(cfg.Store.Dir, "modules"), Logger: hclog.NewNullLogger()})
		if err != nil {
			return fmt.Errorf("open the sandbox: %w", err)
		}
		defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
		return do(ctx, replay.Config{Books: b, Sandbox: sandbox, Since: since, Until: until, Limits: limitsOf(cfg)}, cfg)
	})
}

// limitsOf is what the configuration gives a plugin of a name; nothing where it has none of that name any more.
func limitsOf(cfg *config.Config) func(string) wasm.Spec {
	return func(name string) wasm.Spec {
		p := cfg.Plugin(name)
		if p == nil {
			return wasm.Spec{}
		}
		return wasm.Spec{Fuel: p.Fuel, FuelPerByte: p.FuelPerByte, MemoryBytes: uint64(p.MemoryBytes)}
	}
}

func reproduce(ctx context.Context, cfg replay.Config, w io.Writer) error {
	began, shown := time.Now(), 0
	r, err := replay.Reproduce(ctx, cfg, func(d replay.Difference) error {
		if shown++; shown > reproduceShown {
			return nil
		}
		_, err := fmt.Fprintf(w, "DIFFERS %s  %s  %s  %s\n", d.OutcomeID, d.CreatedAt, d.PolicyVersion, d.Why)
		return err
	})
	if err != nil {
		return fmt.Errorf("reproduce: %w", err)
	}
	if more := r.Differing - reproduceShown; more > 0 {
		fmt.Fprintf(w, "… and %d more; --json names all\n", more)
	}
	fmt.Fprintf(w, "%d of %d decisions reproduced, by %d modules, in %s\n", r.Reproduced, r.Decided, r.Modules, time.Since(began).Round(time.Millisecond))
	printUndecided(w, r.Undecided)
	return reproduced(&r)
}

func printUndecided(w io.Writer, list []replay.Undecided) {
	for _, u := range list {
		fmt.Fprintf(w, "%d rows without a decision: %s %s\n", u.Rows, u.Status, u.Code)
	}
}

// reproduceJSON names all rows that differ as they are found, so that their number does not matter.
func reproduceJSON(ctx context.Context, cfg replay.Config, w io.Writer) error {
	lead := "{\"differs\":[\n"
	r, err := replay.Reproduce(ctx, cfg, func(d replay.Difference) error {
		line, err := json.Marshal(d)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", lead, line)
		}
		lead = ",\n"
		return err
	})
	if err != nil {
		return fmt.Errorf("reproduce: %w", err)
	}
	if r.Differing == 0 {
		fmt.Fprint(w, lead)
	}
	sum, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("print the sum: %w", err)
	}
	fmt.Fprintf(w, "],\n\"sum\":%s}\n", sum)
	return reproduced(&r)
}

func reproduced(r *replay.Reproduction) error {
	if r.Differing == 0 {
		return nil
	}
	return &violation{fmt.Sprintf("%d of %d decisions do not reproduce", r.Differing, r.Decided)}
}
