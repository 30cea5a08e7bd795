package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// withBooks opens the configured store for one command and closes it after.
func withBooks(cmd *cobra.Command, o *options, do func(context.Context, *capture.Books) error) (err error) {
	cfg, err := config.Load(o.config, os.LookupEnv)
	if err != nil {
		return err
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "ainfera", Level: hclog.Warn, Output: cmd.ErrOrStderr()})
	books, err := openBooks(cmd.Context(), cfg, log, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.Close(context.WithoutCancel(cmd.Context()))) }()
	return do(cmd.Context(), books)
}

func agentCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "agent", Short: "Make, list, suspend and resume agents"}
	var tenant, wallet string
	create := &cobra.Command{
		Use:   "create NAME",
		Short: "Make an agent and print its key, alone, on standard output; it is shown this once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				_, key, err := b.CreateAgent(ctx, capture.NewAgent{Name: args[0], Tenant: tenant, WalletMode: wallet})
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), key)
				return nil
			})
		},
	}
	create.Flags().StringVar(&tenant, "tenant", "", "the tenant it belongs to; one of its own by default")
	create.Flags().StringVar(&wallet, "wallet", schema.WalletMetered, "metered (recorded and capped) or prepaid (never below zero)")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the agents with their wallets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				return listAgents(ctx, b, cmd.OutOrStdout(), o.json)
			})
		},
	}
	jsonFlag(list, o)
	cmd.AddCommand(create, list, statusCommand(o, "suspend", schema.AgentSuspended, "Refuse an agent's calls from now on"),
		statusCommand(o, "resume", schema.AgentActive, "Serve a suspended agent again"))
	return cmd
}

func statusCommand(o *options, verb, status, short string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				if err := b.SetAgentStatus(ctx, args[0], status); err != nil {
					return fmt.Errorf("%s agent %q: %w", verb, args[0], err)
				}
				fmt.Fprintln(cmd.OutOrStdout(), args[0], "is", status)
				return nil
			})
		},
	}
}

// agentRow is one agent as `agent list` prints it.
type agentRow struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Tenant     string `json:"tenant"`
	TenantID   string `json:"tenant_id"`
	Status     string `json:"status"`
	Wallet     string `json:"wallet"`
	BalanceUSD string `json:"balance_usd"`
}

func listAgents(ctx context.Context, b *capture.Books, w io.Writer, asJSON bool) error {
	agents, err := b.Agents(ctx)
	if err != nil {
		return fmt.Errorf("list agents: %w", err)
	}
	rows := make([]agentRow, 0, len(agents))
	for _, a := range agents {
		wallet, err := b.Wallet(ctx, a.ID)
		if err != nil {
			return fmt.Errorf("read the wallet of %s: %w", a.Name, err)
		}
		rows = append(rows, agentRow{ID: a.ID, Name: a.Name, Tenant: a.TenantName, TenantID: a.TenantID, Status: a.Status, Wallet: wallet.Mode, BalanceUSD: money.USD(wallet.BalanceMicroUSD)})
	}
	if asJSON {
		return printJSON(w, rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSTATUS\tWALLET\tBALANCE USD\tTENANT\tID")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Status, r.Wallet, r.BalanceUSD, r.Tenant, r.ID)
	}
	return t.Flush()
}

func walletCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "wallet", Short: "Put money into agents' wallets"}
	cmd.AddCommand(&cobra.Command{
		Use:   "topup AGENT USD",
		Short: "Add an amount of USD to an agent's wallet",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			micro, err := money.ParseMicro(args[1])
			if err != nil {
				return err
			}
			if micro == 0 {
				return errors.New("the amount is zero")
			}
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				wallet, err := b.TopUp(ctx, args[0], micro, "ainfera wallet topup")
				if err != nil {
					return fmt.Errorf("top up %q: %w", args[0], err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s has %s USD\n", args[0], money.USD(wallet.BalanceMicroUSD))
				return nil
			})
		},
	})
	return cmd
}

func captureCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "capture", Short: "Look at what was written down"}
	check := &cobra.Command{
		Use:   "check",
		Short: "Count violations of the books' rules in the store; exit 1 when there are any",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withBooks(cmd, o, func(ctx context.Context, b *capture.Books) error {
				return checkBooks(ctx, b, cmd.OutOrStdout(), o.json)
			})
		},
	}
	jsonFlag(check, o)
	cmd.AddCommand(check)
	return cmd
}

func configCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the configuration, or have the server read it again"}
	check := &cobra.Command{
		Use:   "check",
		Short: "Read the configuration and say what it offers; exit 2 where it is wrong",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			return printConfig(cmd.OutOrStdout(), o.config, cfg, o.json)
		},
	}
	jsonFlag(check, o)
	cmd.AddCommand(check, reloadCommand(o))
	return cmd
}

func printConfig(w io.Writer, path string, cfg *config.Config, asJSON bool) error {
	s := cfg.Summary()
	if asJSON {
		return printJSON(w, s)
	}
	fmt.Fprintf(w, "%s is fine\n\n", path)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROVIDER\tADAPTER\tSTATUS")
	for i := range cfg.Providers {
		p := &cfg.Providers[i]
		status := "enabled"
		if ok, why := cfg.Offered(p); !ok {
			status = "off: " + why
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", p.Name, p.Adapter, status)
	}
	return t.Flush()
}

func printVersion(w io.Writer, asJSON bool) error {
	v := struct {
		Version string   `json:"version"`
		Modules []string `json:"modules"`
	}{version(), builtin.Names()}
	if asJSON {
		return printJSON(w, v)
	}
	_, err := fmt.Fprintf(w, "ainfera %s\nmodules %v\n", v.Version, v.Modules)
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// checkBooks prints what Check finds; a violation is exit status 1.
func checkBooks(ctx context.Context, b *capture.Books, w io.Writer, asJSON bool) error {
	r, err := b.Check(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		if err := printJSON(w, reportRow(&r)); err != nil {
			return err
		}
	} else if err := printReport(w, &r); err != nil {
		return err
	}
	if !r.OK() {
		return &violation{fmt.Sprintf("the books break %d rules", len(r.Violations))}
	}
	return nil
}

// checkRow is a report as `capture check --json` prints it.
type checkRow struct {
	OK                     bool                `json:"ok"`
	Outcomes               int64               `json:"outcomes"`
	Inferences             int64               `json:"inferences"`
	OpenCalls              int64               `json:"open_calls"`
	LedgerEntries          int64               `json:"ledger_entries"`
	AuditEvents            int64               `json:"audit_events"`
	Receipts               int64               `json:"receipts"`
	DispatchWithoutCapture int64               `json:"dispatch_without_capture"`
	CaptureWithoutRoute    int64               `json:"capture_without_route"`
	Violations             []capture.Violation `json:"violations"`
}

func reportRow(r *capture.Report) checkRow {
	violations := r.Violations
	if violations == nil {
		violations = []capture.Violation{}
	}
	return checkRow{r.OK(), r.Outcomes, r.Inferences, r.OpenCalls, r.Entries, r.Events, r.Receipts, r.DispatchWithoutCapture, r.CaptureWithoutRoute, violations}
}

func printReport(w io.Writer, r *capture.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range []struct {
		n    int64
		what string
	}{{r.Outcomes, "routing outcomes"}, {r.Inferences, "inferences"}, {r.OpenCalls, "of them in flight"}, {r.Entries, "ledger entries"},
		{r.Events, "audit events"}, {r.Receipts, "receipts"}, {r.DispatchWithoutCapture, "dispatches without capture"},
		{r.CaptureWithoutRoute, "captures without route"}} {
		fmt.Fprintf(t, "%d\t %s\n", row.n, row.what)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "VIOLATION %s: %d, such as %v\n", v.Rule, v.Count, v.IDs)
	}
	if r.OK() {
		fmt.Fprintln(w, "every rule holds")
	}
	return nil
}
