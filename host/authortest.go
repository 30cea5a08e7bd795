package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/author"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

func authorTest() *cobra.Command {
	var update bool
	var cases string
	cmd := &cobra.Command{
		Use:   "test [DIR | FILE.wasm]",
		Short: "Play a plugin's recorded cases, as Go and in the sandbox: whole, cut at every byte, cancelled, repeated",
		Long: "Compiles the plugin and plays every case of its testdata. As Go: its own tests. In the sandbox: whole; with the answer cut\n" +
			"in two at every byte; ended after every frame, by the caller and by the network; again, for the same bytes and the same\n" +
			"fuel; and over and over on one instance, whose memory must not grow. A module alone is tested on the cases of --cases.\n" +
			"The input of a panic is kept as testdata/panic-HASH.txtar.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPlugin(cmd.Context(), args, func(p *author.Plugin) error {
				r, err := testPlugin(cmd.Context(), p, cases, update)
				if err != nil {
					return err
				}
				printTests(cmd.OutOrStdout(), r, p.Dir)
				if n := r.Failed(); n > 0 {
					return &violation{fmt.Sprintf("%d checks failed", n)}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&update, "update", false, "make the cases want what comes out now, and write them")
	cmd.Flags().StringVar(&cases, "cases", "testdata", "for FILE.wasm: the directory of its cases")
	return cmd
}

func testPlugin(ctx context.Context, p *author.Plugin, cases string, update bool) (*author.Report, error) {
	if !strings.HasSuffix(p.Dir, ".wasm") {
		return p.Test(ctx, update)
	}
	module, err := moduleBytes(p.Dir)
	if err != nil {
		return nil, err
	}
	files, err := sdktest.Files(cases)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: name their directory with --cases", err)
	}
	if err != nil {
		return nil, err
	}
	return author.TestModule(ctx, p.Sandbox, module, files, author.TestOptions{Update: update, Repros: cases})
}

// printTests is a line a case, then what failed, in full.
func printTests(w io.Writer, r *author.Report, dir string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := []string{"case", "cuts", "cancel", "twice", "memory"}
	if r.Manifest.Kind == wasm.KindPolicy {
		columns = []string{"case", "twice"}
	}
	fmt.Fprintf(t, "%s\t%s\tFUEL\n", "CASE", strings.ToUpper(strings.Join(columns, "\t")))
	for _, c := range r.Cases {
		fmt.Fprint(t, c.File.Name)
		for _, name := range columns {
			fmt.Fprintf(t, "\t%s", cell(c, name))
		}
		fmt.Fprintf(t, "\t%d\n", c.Fuel)
	}
	t.Flush()
	switch {
	case r.GoRun && r.GoErr == nil:
		fmt.Fprintln(w, "go test: ok")
	case r.Faulted():
		fmt.Fprintln(w, "go test: not run, since nothing would stop there what ended a case here")
	case r.GoRun:
		fmt.Fprintf(w, "\ngo test: FAIL\n%s", indented(r.GoErr.Error()))
	}
	for _, path := range r.Rewritten {
		fmt.Fprintln(w, "rewritten:", path)
	}
	for _, c := range r.Cases {
		for _, check := range c.Checks {
			if check.Err != nil {
				fmt.Fprintf(w, "\n%s (%s): %s\n%s", c.File.Name, filepath.Base(c.File.Path), check.Name, indented(readable(check.Err)))
				if check.Repro != "" {
					fmt.Fprintf(w, "  the input: %s\n", check.Repro)
				}
			}
		}
	}
	if len(r.Cases) == 0 {
		fmt.Fprintf(w, "no cases in %s: ainfera plugin record makes one\n", filepath.Join(dir, "testdata"))
	}
}

// cell is what the table says of a check.
func cell(c *author.CaseReport, name string) string {
	for _, check := range c.Checks {
		switch {
		case check.Name != name:
		case check.Err != nil:
			return "FAIL"
		case check.Note != "":
			return "ok " + check.Note
		default:
			return "ok"
		}
	}
	return "-"
}

// readable is a fault as an author reads it: what happened and where, without the names that an operator needs.
func readable(err error) string {
	var f *wasm.Fault
	if errors.As(err, &f) {
		return strings.Replace(err.Error(), f.Error(), f.Call+": "+f.Message, 1)
	}
	return err.Error()
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
