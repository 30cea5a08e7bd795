// Command ainfera is the routing server for language models: callers ask for ainfera-inference, a policy picks the model
// that serves, an adapter speaks to its vendor, and the answer streams back as it is made.
//
// The commands are one file each. serve reads downward: config, open, load, route, serve, drain.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses: scripts tell a violation that was found from a mistake of their own.
const (
	exitOK        = 0
	exitViolation = 1
	exitUsage     = 2
)

// A violation is a check that found something. What it found has been printed already.
type violation struct{ msg string }

func (v *violation) Error() string { return v.msg }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run is main without the process; ctx ends what serves.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var found *violation
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &found):
		fmt.Fprintln(stderr, "ainfera:", found.msg)
		return exitViolation
	}
	fmt.Fprintln(stderr, "ainfera:", err)
	return exitUsage
}

// sayUsage has a command that was given the wrong arguments say which it takes, and so those below it. One that only groups
// others prints its help alone, and refuses a name that none of them has: a script must not take a mistyped command for done.
func sayUsage(cmd *cobra.Command) {
	said := func(cmd *cobra.Command, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())
	}
	cmd.SetFlagErrorFunc(said)
	if cmd.HasParent() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q; --help lists those it has", args[0], cmd.CommandPath())
			}
			return nil
		}
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error { return said(cmd, check(cmd, args)) }
	}
	for _, sub := range cmd.Commands() {
		sayUsage(sub)
	}
}

// options are the flags that every command takes.
type options struct {
	config string
	json   bool
}

func newRoot() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use:           "ainfera",
		Short:         "A routing server for language models",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.PersistentFlags().StringVar(&o.config, "config", "config.hcl", "the configuration file, HCL or its JSON form")
	root.AddCommand(serveCommand(&o), versionCommand(&o), configCommand(&o), migrateCommand(&o), agentCommand(&o),
		walletCommand(&o), policyCommand(&o), captureCommand(&o))
	root.AddCommand(storeCommand(&o))
	root.AddCommand(ledgerCommand(&o), auditCommand(&o), keyCommand(&o), receiptCommand(&o))
	root.AddCommand(pluginCommand(&o))
	sayUsage(root)
	return root
}

func versionCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of the binary and of the modules it carries",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return printVersion(cmd.OutOrStdout(), o.json) },
	}
	jsonFlag(cmd, o)
	return cmd
}

func jsonFlag(cmd *cobra.Command, o *options) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON, for scripts")
}

// version is the module's version as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
