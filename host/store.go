package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/money"
)

func storeCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "Move the store and clean it up"}
	cmd.AddCommand(storeCopyCommand(o), storeGCCommand(o))
	return cmd
}

func storeCopyCommand(o *options) *cobra.Command {
	var to config.DSN
	cmd := &cobra.Command{
		Use:   "copy --to DSN",
		Short: "Copy the configured store into an empty one, SQLite or PostgreSQL; exit 1 when the books break a rule",
		Long: "Copies every table into an empty store, in one transaction: all or nothing, so that a copy that was broken off\n" +
			"leaves nothing and is simply run again. Every row is read back and compared before the transaction commits; then\n" +
			"the copy's books are checked as `capture check` does. No server may have either store meanwhile.\n\n" +
			"A password is better given in PGPASSWORD than in the DSN, which other users of the machine can see.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			return copyStore(cmd.Context(), cfg, to, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar((*string)(&to), "to", "", "the store to copy into: sqlite://path or postgres://user@host/database")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is the line above
	}
	return cmd
}

func copyStore(ctx context.Context, cfg *config.Config, to config.DSN, w io.Writer) error {
	began := time.Now()
	fmt.Fprintf(w, "from  %s\nto    %s\n\n", cfg.Store.DSN.Redacted(), to.Redacted())
	result, err := capture.Copy(ctx, cfg.Store.DSN.Reveal(), to.Reveal(), func(t capture.CopiedTable) error {
		_, err := fmt.Fprintf(w, "  %-20s %10d rows%s\n", t.Table, t.Rows, sumsOf(t.Sums))
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the store: %w", err)
	}
	fmt.Fprintf(w, "\nEvery row was read back as it was written, in %s. The copy's books:\n\n", time.Since(began).Round(time.Millisecond))
	if err := printReport(w, &result.Check); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nTo serve from it: set `store { dsn }` to it and `dir` to %q, where the signing key is (signing_key.pem)\n"+
		"and a journal, if calls ended that the store has yet to hear of (journal-*.jsonl). To leave that directory, move both\n"+
		"files and admin.token. Don't serve from the old store again: its books would part from these.\n", cfg.Store.Dir)
	if !result.Check.OK() {
		return &violation{fmt.Sprintf("the copy is exact, and the books break %d rules, as they do in the source", len(result.Check.Violations))}
	}
	return nil
}

// sumsOf is a table's money as a line shows it.
func sumsOf(sums []capture.Sum) string {
	var b strings.Builder
	for _, s := range sums {
		fmt.Fprintf(&b, "  %s %s", strings.TrimSuffix(s.Column, "_micro_usd"), money.USD(s.MicroUSD))
	}
	return b.String()
}

func storeGCCommand(o *options) *cobra.Command {
	var older time.Duration
	var dry bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove the modules that no call, no activation and no configuration names",
		Long: "A module stays as long as a row names it, so that its decisions can be decided again; this removes the others.\n" +
			"With several hosts whose configurations differ, run it with each: only this one's is looked at.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			configured, err := configuredModules(cfg)
			if err != nil {
				return err
			}
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				return removeModules(ctx, b, configured, time.Now().Add(-older), dry, cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().DurationVar(&older, "older-than", 24*time.Hour, "leave what was put there since: it may be about to be used")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be removed")
	return cmd
}

// configuredModules are the digests of the modules that the configuration names. One that can't be read is an error: it
// might be the one that is about to be removed.
func configuredModules(cfg *config.Config) ([]string, error) {
	var digests []string
	for _, use := range pluginsInUse(cfg) {
		p := cfg.Plugin(use.name)
		bytes, err := moduleBytes(p.Module)
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", p.Name, err)
		}
		sum := sha256.Sum256(bytes)
		digests = append(digests, hex.EncodeToString(sum[:]))
	}
	return digests, nil
}

func removeModules(ctx context.Context, b *capture.Books, configured []string, before time.Time, dry bool, w io.Writer) error {
	modules, err := b.UnusedModules(ctx, configured, before)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range modules {
		did := "would be removed"
		if !dry {
			removed, err := b.RemoveModule(ctx, m.Digest)
			if err != nil {
				return err
			}
			if did = "removed"; !removed {
				did = "came into use"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d bytes\n", did, m.Kind, m.Name, m.Version, shortDigest(m.Digest), m.SizeBytes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(modules) == 0 {
		fmt.Fprintln(w, "every module is in use")
	}
	return nil
}
