package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/replay"
)

// An asked is what `policy replay` is asked to do otherwise.
type asked struct {
	module, preference string
	settings           []string
}

func replayCommand(o *options) *cobra.Command {
	var when span
	var ask asked
	cmd := &cobra.Command{
		Use:   "replay --since T [--until T] [--module FILE|builtin:NAME] [--settings NAME=VALUE]… [--preference P]",
		Short: "Decide past calls otherwise and say what would have changed",
		Long: "Decides each routed row again on the input that it keeps, with another module, other settings, or as a preference of\n" +
			"the configuration would; what is not asked for stays as the row has it. Says which picks and refusals would have\n" +
			"changed, and what the calls would have cost: the recorded usage at the other model's recorded prices, whatever its\n" +
			"answer would have been. Books nothing.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPast(cmd, o, &when, func(ctx context.Context, past replay.Config, cfg *config.Config) error {
				change, err := ask.change(ctx, &past, cfg)
				if err != nil {
					return err
				}
				r, err := replay.Otherwise(ctx, past, change)
				if err != nil {
					return fmt.Errorf("replay: %w", err)
				}
				if o.json {
					return printJSON(cmd.OutOrStdout(), r)
				}
				return printReplay(cmd.OutOrStdout(), r, change, &past)
			})
		},
	}
	when.flags(cmd)
	cmd.Flags().StringVar(&ask.module, "module", "", "decide by this one: a .wasm file, or builtin:NAME")
	cmd.Flags().StringArrayVar(&ask.settings, "settings", nil, "a setting of the policy, NAME=VALUE; a list's values are separated by commas")
	cmd.Flags().StringVar(&ask.preference, "preference", "", "decide with the policy and the settings that this preference binds")
	jsonFlag(cmd, o)
	return cmd
}

// change loads what is asked for. A setting that the module does not have is refused here, where it is known which module
// decides; else at the first row.
func (a *asked) change(ctx context.Context, past *replay.Config, cfg *config.Config) (*replay.Change, error) {
	c := &replay.Change{Settings: a.settings}
	if a.module == "" && a.preference == "" && len(a.settings) == 0 {
		return nil, errors.New("say what is to be otherwise: --module, --settings or --preference")
	}
	plugin, module := "", a.module
	if a.module != "" {
		plugin = filepath.Base(a.module)
	}
	if a.preference != "" {
		p := preferenceOf(cfg, a.preference)
		if p == nil {
			return nil, fmt.Errorf("the configuration has no preference %q", a.preference)
		}
		c.Preference = &replay.Preference{Name: p.Name, Policy: p.Policy}
		if len(p.Settings) > 0 {
			var err error
			if c.Preference.Settings, err = plainJSON(p.Settings); err != nil {
				return nil, fmt.Errorf("preference %q: settings: %w", p.Name, err)
			}
		}
		if module == "" {
			plugin, module = p.Policy, cfg.Plugin(p.Policy).Module
		}
	}
	if module == "" {
		return c, nil
	}
	bytes, err := moduleBytes(module)
	if err != nil {
		return nil, err
	}
	if c.Module, err = replay.Load(ctx, past, plugin, bytes); err != nil {
		return nil, err
	}
	manifest := c.Module.Manifest()
	return c, c.Check(&manifest)
}

func preferenceOf(cfg *config.Config, name string) *config.Preference {
	for i := range cfg.Routing.Preferences {
		if p := &cfg.Routing.Preferences[i]; p.Name == name {
			return p
		}
	}
	return nil
}

func printReplay(w io.Writer, r *replay.Replay, change *replay.Change, past *replay.Config) error {
	fmt.Fprintf(w, "%d decisions from %s until %s, decided with %s\n", r.Decided, past.Since.UTC().Format(time.RFC3339), past.Until.UTC().Format(time.RFC3339), change)
	printUndecided(w, r.Undecided)
	fmt.Fprintf(w, "%d of them byte for byte the same\n", r.Identical)
	for _, f := range []struct {
		n    int64
		what string
	}{{r.Unreadable, "can't be decided again, as their module or bytes can't be had"}, {r.Failed, "would not be decided at all"}} {
		if f.n > 0 {
			fmt.Fprintf(w, "%d %s\n", f.n, f.what)
		}
	}
	for _, d := range r.Why {
		fmt.Fprintf(w, "  %s  %s  %s\n", d.OutcomeID, d.PolicyVersion, d.Why)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Picks) > 0 {
		fmt.Fprintln(t, "\nFROM\tTO\tROWS")
		for _, p := range r.Picks {
			fmt.Fprintf(t, "%s\t%s\t%d\n", or(p.From, "(refused)"), or(p.To, "(refused)"), p.Rows)
		}
	}
	fmt.Fprintln(t, "\nCELL\tPREFERENCE\tROWS\tOTHER PICK\tREFUSED\tNO LONGER\tPROJECTED USD (ROWS)\tACTUAL USD (ROWS)\tSPARED USD (ROWS)")
	for i := range r.Groups {
		printGroup(t, r.Groups[i].Cell, &r.Groups[i])
	}
	printGroup(t, "all", &r.Total)
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Total.Unpriced > 0 {
		fmt.Fprintf(w, "\n%d paid calls would have had another model that has no price in their snapshot: not in ACTUAL.\n", r.Total.Unpriced)
	}
	if r.Total.CachedInput > 0 {
		fmt.Fprintf(w, "\n%d calls in ACTUAL used a cache at the vendor's: at the other model those tokens count at the price of input.\n", r.Total.CachedInput)
	}
	return nil
}

func printGroup(w io.Writer, cell string, g *replay.Group) {
	fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", cell, or(g.Preference, "-"), g.Rows, g.Other, g.Refused, g.Accepted,
		figure(&g.Projected), figure(&g.Actual), figure(&g.Spared))
}

func figure(f *replay.Figure) string {
	if f.Rows == 0 {
		return "-"
	}
	return fmt.Sprintf("%s → %s (%d)", f.Recorded, f.Replayed, f.Rows)
}
