package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
)

func ledgerCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Look at the money"}
	check := &cobra.Command{
		Use:   "check",
		Short: "Prove every wallet, call and day from the entries; exit 1 and name each that does not come out",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				f := newFindings(cmd.OutOrStdout(), o.json)
				r, err := b.CheckLedger(ctx, f.add)
				return f.end(err, ledgerRow(&r), func(w io.Writer) { printLedger(w, &r) })
			})
		},
	}
	jsonFlag(check, o)
	cmd.AddCommand(check)
	return cmd
}

// A ledgerSummary is a report as `ledger check --json` prints it.
type ledgerSummary struct {
	Wallets               int64  `json:"wallets"`
	Entries               int64  `json:"ledger_entries"`
	Inferences            int64  `json:"inferences"`
	OpenCalls             int64  `json:"open_calls"`
	Days                  int64  `json:"days"`
	CostUSD               string `json:"cost_usd"`
	UncollectedUSD        string `json:"uncollected_usd"`
	VendorCostUSD         string `json:"vendor_cost_usd"`
	RefundedVendorCostUSD string `json:"refunded_vendor_cost_usd"`
}

func ledgerRow(r *capture.LedgerReport) ledgerSummary {
	return ledgerSummary{r.Wallets, r.Entries, r.Inferences, r.OpenCalls, r.Days, money.USD(r.CostMicroUSD), money.USD(r.UncollectedMicroUSD),
		money.USD(r.VendorCostMicroUSD), money.USD(r.RefundedVendorCostMicroUSD)}
}

func printLedger(w io.Writer, r *capture.LedgerReport) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	for _, row := range []struct {
		n    any
		what string
	}{{r.Wallets, "wallets"}, {r.Entries, "ledger entries"}, {r.Inferences, "inferences"}, {r.OpenCalls, "of them in flight"}, {r.Days, "days"},
		{money.USD(r.CostMicroUSD), "USD charged to the agents"}, {money.USD(r.UncollectedMicroUSD), "USD of it not collected"},
		{money.USD(r.VendorCostMicroUSD), "USD charged by the vendors"},
		{money.USD(r.RefundedVendorCostMicroUSD), "USD of that for calls that were refunded"}} {
		fmt.Fprintf(t, "%v\t %s\n", row.n, row.what)
	}
	t.Flush()
	if r.Findings == 0 {
		fmt.Fprintln(w, "every wallet, call and day comes out")
	}
}
