package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/proof"
)

func receiptCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "receipt", Short: "Show and verify receipts"}
	show := &cobra.Command{
		Use:   "show ID",
		Short: "Print a receipt as GET /v1/receipts/{id} has it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				r, err := b.Receipt(ctx, args[0])
				if err != nil {
					return err
				}
				if r.Status == capture.ReceiptPending {
					return fmt.Errorf("receipt %s is pending: its call, inference %s, has not ended", r.ID, r.InferenceID)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", r.Document)
				return err
			})
		},
	}
	var keys string
	verify := &cobra.Command{
		Use:   "verify FILE",
		Short: "Verify a saved receipt; exit 1 and name what is wrong with it",
		Long: `Verify a saved receipt; exit 1 and name what is wrong with it. - is standard input.

--keys is a saved /.well-known/ainfera-public-key.json, with which neither the store nor the configuration is needed.
Without it the store's keys are asked.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			document, err := readReceipt(cmd, args[0])
			if err != nil {
				return err
			}
			if keys != "" {
				ring, err := readKeys(keys)
				if err != nil {
					return err
				}
				return printReceipt(cmd.OutOrStdout(), proof.VerifyReceipt(document, ring), o.json)
			}
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				ring, err := b.Keyring(ctx)
				if err != nil {
					return err
				}
				return printReceipt(cmd.OutOrStdout(), proof.VerifyReceipt(document, ring), o.json)
			})
		},
	}
	verify.Flags().StringVar(&keys, "keys", "", "a file with the keys that are known")
	jsonFlag(verify, o)
	cmd.AddCommand(show, verify)
	return cmd
}

// mostReceipt bounds a receipt, which is a few kilobytes.
const mostReceipt = 1 << 20

func readReceipt(cmd *cobra.Command, path string) ([]byte, error) {
	in := cmd.InOrStdin()
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open the receipt: %w", err)
		}
		defer file.Close()
		in = file
	}
	document, err := io.ReadAll(io.LimitReader(in, mostReceipt+1))
	if err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	if len(document) > mostReceipt {
		return nil, fmt.Errorf("read the receipt: %s is no receipt: it has more than %d bytes", path, mostReceipt)
	}
	return document, nil
}

func printReceipt(w io.Writer, r proof.ReceiptResult, asJSON bool) error {
	if asJSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else {
		for i := range r.Findings {
			fmt.Fprintf(w, "FOUND %s\n", r.Findings[i].String())
		}
		if r.Valid {
			fmt.Fprintf(w, "receipt %s holds\n  agent %s, inference %s\n  served by %s for %s USD\n  event %d, %s\n  signed with key %s\n",
				r.ReceiptID, r.AgentID, r.InferenceID, orDash(&r.Model), r.CostUSD, r.AuditSeq, r.AuditHash, r.KeyID)
		}
	}
	if !r.Valid {
		return &violation{"the receipt does not hold"}
	}
	return nil
}
