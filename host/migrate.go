package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/schema/migrations"
)

func migrateCommand(o *options) *cobra.Command {
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Bring the store to this version's tables, as a start does",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				s, err := b.Status(ctx) // opening the books has migrated them
				if err != nil {
					return err
				}
				for _, v := range s.Versions {
					fmt.Fprintf(cmd.OutOrStdout(), "version %d  %s\n", v.Version, v.Name)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d of them applied now\n", s.Migrated)
				return nil
			})
		},
	}
	status := &cobra.Command{
		Use:   "status",
		Short: "Say which versions of the tables the store has and which are pending; changes nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			states, err := capture.Versions(cmd.Context(), cfg.Store.DSN.Reveal())
			if err != nil {
				return fmt.Errorf("the store %s: %w", cfg.Store.DSN.Redacted(), err)
			}
			return printVersions(cmd.OutOrStdout(), states, o.json)
		},
	}
	jsonFlag(status, o)
	migrate.AddCommand(status)
	return migrate
}

// versionRow is a version of the tables as `migrate status --json` prints it.
type versionRow struct {
	Version   int    `json:"version"`
	Name      string `json:"name"`
	State     string `json:"state"` // applied, pending, newer
	AppliedAt string `json:"applied_at,omitempty"`
}

func printVersions(w io.Writer, states []migrations.State, asJSON bool) error {
	rows := make([]versionRow, len(states))
	for i, s := range states {
		rows[i] = versionRow{Version: s.Version, Name: s.Name, State: "pending"}
		if !s.AppliedAt.IsZero() {
			rows[i].State, rows[i].AppliedAt = "applied", s.AppliedAt.UTC().Format(time.RFC3339)
		}
		if s.Unknown {
			rows[i].State = "newer" // than this ainfera, which will refuse the store
		}
	}
	if asJSON {
		return printJSON(w, rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VERSION\tSTATE\tWHEN\tTABLES")
	for _, r := range rows {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", r.Version, r.State, or(r.AppliedAt, "-"), r.Name)
	}
	return t.Flush()
}
