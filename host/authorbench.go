package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/author"
	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// shippedFor is the module that an author's is put beside.
var shippedFor = map[wasm.Kind]string{wasm.KindAdapter: "openai", wasm.KindPolicy: "floor"}

func authorBench() *cobra.Command {
	return &cobra.Command{
		Use:   "bench [DIR]",
		Short: "Measure a plugin on its cases: fuel and time a piece, memory a stream, beside a shipped module",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPlugin(cmd.Context(), args, func(p *author.Plugin) error { return benchPlugin(cmd.Context(), p, cmd.OutOrStdout()) })
		},
	}
}

func benchPlugin(ctx context.Context, p *author.Plugin, w io.Writer) error {
	b, err := p.Build(ctx, "")
	if err != nil {
		return err
	}
	files, err := p.Cases()
	if err != nil {
		return err
	}
	costs, perStream, err := author.Bench(ctx, p.Sandbox, b.Module, files)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODULE\tCASE\tPIECES\tFUEL\tFUEL A PIECE\tTIME\tTIME A PIECE")
	printCosts(t, b.Manifest.Name, costs)
	shipped, shippedStream, err := benchShipped(ctx, p.Sandbox, b.Manifest.Kind)
	if err != nil {
		return err
	}
	printCosts(t, builtin.Scheme+shippedFor[b.Manifest.Kind], shipped)
	t.Flush()
	if perStream > 0 {
		fmt.Fprintf(w, "memory a stream, with an instance of its own: %d KiB; of %s%s: %d KiB\n", perStream>>10, builtin.Scheme, shippedFor[b.Manifest.Kind], shippedStream>>10)
	}
	return nil
}

// benchShipped measures the shipped module on the cases of the templates, which speak its dialect.
func benchShipped(ctx context.Context, sandbox *wasm.Host, kind wasm.Kind) ([]author.Cost, int64, error) {
	module, err := builtin.Module(shippedFor[kind])
	if err != nil {
		return nil, 0, err
	}
	kit, err := author.Kit()
	if err != nil {
		return nil, 0, err
	}
	files, err := author.TemplateCases(kit, string(kind))
	if err != nil {
		return nil, 0, err
	}
	return author.Bench(ctx, sandbox, module, files)
}

func printCosts(w io.Writer, module string, costs []author.Cost) {
	for _, c := range costs {
		n := int64(c.Pieces)
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", module, c.Case, n, c.Fuel, c.Fuel/n, short(c.Time), short(c.Time/time.Duration(n)))
	}
}

func short(d time.Duration) string { return d.Round(100 * time.Nanosecond).String() }
