package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/builtin"
	"github.com/ainfera-ai/router/host/internal/wasm"
)

// maxDecisionLine is the longest line that `policy decide` reads: a decision over some ten thousand candidates.
const maxDecisionLine = 16 << 20

func policyCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "Ask a policy, outside of any call"}
	var module string
	decide := &cobra.Command{
		Use:   "decide",
		Short: "Decide each line of standard input, JSON, and print each decision as canonical JSON",
		Long: "Reads one decision input a line (request, candidates, policy, options) and prints one decision a line, through\n" +
			"the same sandbox that serves calls. Needs no configuration. A line that can't be decided ends it with an error\n" +
			"that names its number; what was decided before it has been printed.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return decideLines(cmd.Context(), module, cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
	decide.Flags().StringVar(&module, "module", "builtin:floor", "the policy: a .wasm file, or builtin:NAME")
	cmd.AddCommand(decide, reproduceCommand(o), replayCommand(o))
	return cmd
}

func decideLines(ctx context.Context, module string, in io.Reader, out io.Writer) (err error) {
	bytes, err := moduleBytes(module)
	if err != nil {
		return err
	}
	sandbox, err := openSandbox(ctx, userCacheDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
	policy, err := sandbox.Load(ctx, wasm.Spec{Name: filepath.Base(module), Bytes: bytes, Kind: wasm.KindPolicy})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxDecisionLine)
	w := bufio.NewWriter(out)
	n := 0
	for lines.Scan() {
		n++
		line := lines.Bytes()
		if len(line) == 0 {
			continue
		}
		decision, _, err := policy.Decide(ctx, line)
		if err != nil {
			return errors.Join(w.Flush(), fmt.Errorf("line %d: %w", n, err))
		}
		w.Write(decision)
		if err := w.WriteByte('\n'); err != nil {
			return fmt.Errorf("write the decision of line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(w.Flush(), fmt.Errorf("line %d: %w", n+1, err))
	}
	return w.Flush()
}

// openSandbox opens one for a command, which says nothing of what guests print.
func openSandbox(ctx context.Context, cacheDir string) (*wasm.Host, error) {
	sandbox, err := wasm.Open(ctx, wasm.Config{CacheDir: cacheDir, Logger: hclog.NewNullLogger()})
	if err != nil {
		return nil, fmt.Errorf("open the sandbox: %w", err)
	}
	return sandbox, nil
}

// moduleBytes reads a module that is named as the configuration names one.
func moduleBytes(module string) ([]byte, error) {
	if name, ok := cutBuiltin(module); ok {
		return builtin.Module(name)
	}
	b, err := os.ReadFile(module)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	return b, nil
}

func cutBuiltin(module string) (string, bool) {
	if len(module) > len(builtin.Scheme) && module[:len(builtin.Scheme)] == builtin.Scheme {
		return module[len(builtin.Scheme):], true
	}
	return "", false
}

// userCacheDir keeps compiled modules between runs of commands that have no store; none where there is no home.
func userCacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "ainfera", "modules")
}
