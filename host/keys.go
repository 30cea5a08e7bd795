package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
)

func keyCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "List, rotate and revoke the keys that receipts and roots are signed with"}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the keys of every host, former ones among them; --json is what /.well-known/ainfera-public-key.json has",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				keys, err := b.Keys(ctx)
				if err != nil {
					return err
				}
				if o.json {
					return printJSON(cmd.OutOrStdout(), proof.KeyList{Keys: keys})
				}
				return printKeys(cmd.OutOrStdout(), keys)
			})
		},
	}
	jsonFlag(list, o)
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Give the host of this configuration a new key; a running one takes it within seconds",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				r, err := b.RotateKey(ctx)
				if err != nil {
					return fmt.Errorf("rotate the key: %w", err)
				}
				if r.Waiting {
					fmt.Fprintf(cmd.OutOrStdout(), "key %s waits for the running host, which signs with %s still; it, or its next start, will take it\n", r.KeyID, r.Replaces)
					return nil
				}
				fmt.Fprintf(cmd.OutOrStdout(), "signing with key %s; %s is retired\n", r.KeyID, r.Replaces)
				return nil
			})
		},
	}
	revoke := &cobra.Command{
		Use:   "revoke KEY",
		Short: "Trust nothing that a retired key signs from now on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				if err := b.RevokeKey(ctx, args[0]); err != nil {
					return fmt.Errorf("revoke: %w", err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "key %s is revoked\n", args[0])
				return nil
			})
		},
	}
	cmd.AddCommand(list, rotate, revoke)
	return cmd
}

func printKeys(w io.Writer, keys []proof.Key) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tSTATUS\tMADE\tRETIRED\tREVOKED\tREPLACES")
	for _, k := range keys {
		status := "signs"
		if k.RetiredAt != nil {
			status = "retired"
		}
		if k.RevokedAt != nil {
			status = "revoked"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", k.KeyID, status, k.CreatedAt, orDash(k.RetiredAt), orDash(k.RevokedAt), orDash(&k.Replaces))
	}
	return t.Flush()
}

func orDash(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return *s
}
