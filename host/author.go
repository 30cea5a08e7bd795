package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/author"
)

// authorCommands are those of `ainfera plugin` that a plugin's author uses. But for run they need no configuration.
func authorCommands(o *options) []*cobra.Command {
	return []*cobra.Command{authorNew(), authorBuild(), authorTest(), authorRun(o), authorBench(), authorRecord(o)}
}

func authorNew() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "new adapter|policy NAME",
		Short: "Write a new plugin: a Go module that builds and passes its tests as it stands, without a network",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kit, err := author.Kit()
			if err != nil {
				return err
			}
			if dir == "" {
				dir = args[1]
			}
			if err := author.New(kit, args[0], args[1], dir); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is written. Next:\n\n  ainfera plugin test %s\n  ainfera plugin build %s\n", dir, dir, dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "where to write it; a directory of the plugin's name by default")
	return cmd
}

func authorBuild() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Compile a plugin with stock Go, put its cases into the module, and check it as a server would",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPlugin(cmd.Context(), args, func(p *author.Plugin) error {
				b, err := p.Build(cmd.Context(), out)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %s %s, %s, %d KiB, carries %d cases\n%s\n", b.Path, b.Manifest.Name, b.Manifest.Version,
					b.Manifest.Kind, len(b.Module)>>10, b.Cases, b.Digest)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the module's file; DIR/NAME.wasm by default")
	return cmd
}

// withPlugin opens the sandbox for a command on the plugin in a directory, which is this one where none is named.
func withPlugin(ctx context.Context, args []string, do func(*author.Plugin) error) error {
	return withPluginIn(ctx, args, userCacheDir(), do)
}

// withPluginIn is withPlugin with the compiled modules in another place than the user's.
func withPluginIn(ctx context.Context, args []string, cacheDir string, do func(*author.Plugin) error) (err error) {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	sandbox, err := openSandbox(ctx, cacheDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
	return do(&author.Plugin{Dir: dir, Sandbox: sandbox})
}
