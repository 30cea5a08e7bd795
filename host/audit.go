package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/merkle"
	"github.com/ainfera-ai/router/host/internal/proof"
	"github.com/ainfera-ai/router/schema"
)

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Prove the audit chains, or let others prove them"}
	cmd.AddCommand(auditVerifyCommand(o), auditExportCommand(o))
	return cmd
}

// auditFlags are what the commands have in common.
type auditFlags struct {
	all   bool
	file  string
	roots []string
	keys  string
	since int64
}

func (f *auditFlags) add(cmd *cobra.Command, roots string) {
	cmd.Flags().BoolVar(&f.all, "all", false, "every agent's chain, and the operators'")
	cmd.Flags().StringArrayVar(&f.roots, "root", nil, roots)
}

// which is the one chain that was asked for, or none where it was all of them.
func (f *auditFlags) which(args []string) (string, error) {
	if f.all == (len(args) == 1) {
		return "", errors.New("name one agent, or `operator` for the operators' own chain, or say --all")
	}
	if f.all {
		return "", nil
	}
	return args[0], nil
}

func auditVerifyCommand(o *options) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "verify [AGENT]",
		Short: "Verify chains with their receipts, signed heads and roots; exit 1 and name what does not hold",
		Long: `Verify chains with their receipts, signed heads and roots; exit 1 and name what does not hold.

In the store, or with --file in an export, for which neither the store nor the configuration is needed.
--root is a root that was kept: it proves that since then nothing was rewritten or cut short. --keys is a saved
/.well-known/ainfera-public-key.json: without it an export's own keys are believed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			known, err := f.options()
			if err != nil {
				return err
			}
			out := newFindings(cmd.OutOrStdout(), o.json)
			v := proof.NewVerifier(known, out.add)
			if f.file != "" {
				if f.all || len(args) > 0 {
					return errors.New("--file is verified whole: name no agent")
				}
				err = verifyFile(cmd, f.file, v)
			} else {
				err = f.verifyStore(cmd, o, args, known, v)
			}
			return out.end(err, verifyRow(v), func(w io.Writer) { printVerified(w, v, out.n) })
		},
	}
	f.add(cmd, "a root that was kept: its hash, or a file with its document; may be repeated")
	cmd.Flags().StringVar(&f.file, "file", "", "an export to verify instead of the store; - is standard input")
	cmd.Flags().StringVar(&f.keys, "keys", "", "a file with the keys that are known")
	jsonFlag(cmd, o)
	return cmd
}

// options reads what the verifier brings along.
func (f *auditFlags) options() (proof.Options, error) {
	var out proof.Options
	for _, root := range f.roots {
		kept, err := readRoot(root)
		if err != nil {
			return out, err
		}
		out.Kept = append(out.Kept, kept...)
	}
	var err error
	if f.keys != "" {
		out.Keys, err = readKeys(f.keys)
	}
	return out, err
}

// readRoot takes a root's hash, or the file that has its document.
func readRoot(s string) ([]proof.Kept, error) {
	if _, err := merkle.Parse(s); err == nil {
		return []proof.Kept{{Hash: s}}, nil
	}
	document, err := os.ReadFile(s)
	if err != nil {
		return nil, fmt.Errorf("--root is neither 64 hex digits nor a file: %w", err)
	}
	kept, err := proof.ReadKept(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return kept, nil
}

func readKeys(path string) (proof.Keyring, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	keys, err := proof.ReadKeys(document)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func verifyFile(cmd *cobra.Command, path string, v *proof.Verifier) error {
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("open the export: %w", err)
		}
		defer file.Close()
		in = file
	}
	if err := proof.Read(in, v.Line); err != nil {
		return err
	}
	v.Finish()
	return nil
}

func (f *auditFlags) verifyStore(cmd *cobra.Command, o *options, args []string, known proof.Options, v *proof.Verifier) error {
	which, err := f.which(args)
	if err != nil {
		return err
	}
	return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
		scope, err := scopeOf(ctx, b, which, known)
		if err != nil {
			return err
		}
		return b.Verify(ctx, scope, v)
	})
}

// scopeOf is the chain of the agent that which names, by name or id; empty is all.
func scopeOf(ctx context.Context, b *capture.Books, which string, known proof.Options) (capture.ExportScope, error) {
	var scope capture.ExportScope
	for _, k := range known.Kept {
		scope.Roots = append(scope.Roots, k.Hash)
	}
	if which == "" || which == schema.OperatorChain {
		scope.AgentID = which
		return scope, nil
	}
	a, err := b.Agent(ctx, which)
	scope.AgentID = a.ID
	return scope, err
}

func auditExportCommand(o *options) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "export [AGENT]",
		Short: "Print chains with all that is needed to verify them elsewhere, as JSON lines",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			which, err := f.which(args)
			if err != nil {
				return err
			}
			if f.since != 0 && (f.all || f.since < 0) {
				return errors.New("--since-seq is a number from 0, of one agent's chain")
			}
			known, err := f.options()
			if err != nil {
				return err
			}
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				scope, err := scopeOf(ctx, b, which, known)
				if err != nil {
					return err
				}
				scope.SinceSeq = f.since
				w := proof.NewWriter(cmd.OutOrStdout())
				if err := b.Export(ctx, scope, w.Put); err != nil {
					return err
				}
				return w.Close()
			})
		},
	}
	f.add(cmd, "prove one agent's chain under this root as well as under the newest: its hash, or a file with its document")
	cmd.Flags().Int64Var(&f.since, "since-seq", 0, "leave out one agent's events up to this one")
	return cmd
}

// A verifySummary is what was verified, as `audit verify --json` prints it.
type verifySummary struct {
	Counts     proof.Counts `json:"counts"`
	LatestRoot *proof.Root  `json:"latest_root"`
}

func verifyRow(v *proof.Verifier) verifySummary { return verifySummary{v.Counts(), v.Latest()} }

func printVerified(w io.Writer, v *proof.Verifier, found int) {
	c := v.Counts()
	fmt.Fprintf(w, "%d chains, %d events, %d receipts, %d signed heads, %d roots, %d keys\n", c.Chains, c.Events, c.Receipts, c.Heads, c.Roots, c.Keys)
	if r := v.Latest(); r != nil {
		fmt.Fprintf(w, "newest root %d of %s, %s\n", r.RootSeq, r.SignedAt, r.RootHash)
	} else {
		fmt.Fprintln(w, "no root yet: an end that was cut off shows only where a receipt is left of it")
	}
	if found == 0 {
		fmt.Fprintln(w, "all of it holds")
	}
}
