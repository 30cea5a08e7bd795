package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/admin"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/plugins"
)

// pluginFlags are those of the commands that talk to a server.
type pluginFlags struct {
	*options
	admin string
}

// operator is the server that the command talks to. A configuration with a mistake in it must not be what keeps anybody from
// rolling a plugin back: with the address and the token it isn't needed.
func (f *pluginFlags) operator() (*operator, error) {
	cfg, err := config.Load(f.config, os.LookupEnv)
	if token := os.Getenv("AINFERA_ADMIN_TOKEN"); err != nil && f.admin != "" && token != "" {
		return &operator{url: strings.TrimRight(f.admin, "/"), token: token, client: &http.Client{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w\nwithout a configuration, --admin URL says where the server is, and AINFERA_ADMIN_TOKEN its token", err)
	}
	return newOperator(cfg, f.admin)
}

func pluginCommand(o *options) *cobra.Command {
	f := &pluginFlags{options: o}
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Write, build and test a plugin; list, stage, activate and roll back versions in the server that runs",
	}
	cmd.PersistentFlags().StringVar(&f.admin, "admin", "", "URL of the server's listener for operators; the configuration's by default")
	cmd.AddCommand(pluginList(f), pluginInspect(f), pluginStage(f), pluginActivate(f), pluginRollback(f))
	for _, sub := range cmd.Commands() {
		jsonFlag(sub, o)
	}
	cmd.AddCommand(authorCommands(o)...)
	return cmd
}

func pluginList(f *pluginFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the plugins and the version of each that serves",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := f.operator()
			if err != nil {
				return err
			}
			body, err := op.do(cmd.Context(), "GET", "/plugins", nil)
			if err != nil {
				return err
			}
			var got struct{ Plugins []plugins.Status }
			return f.print(cmd.OutOrStdout(), body, &got, func(w io.Writer) { printPlugins(w, got.Plugins) })
		},
	}
}

func pluginInspect(f *pluginFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect NAME | FILE.wasm | builtin:NAME",
		Short: "Show a plugin's versions and their history; or check a module, without a server",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if isModule(args[0]) {
				return inspectModule(cmd.Context(), args[0], cmd.OutOrStdout(), f.json)
			}
			op, err := f.operator()
			if err != nil {
				return err
			}
			body, err := op.do(cmd.Context(), "GET", "/plugins/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			return f.printDetail(cmd.OutOrStdout(), body)
		},
	}
}

func pluginStage(f *pluginFlags) *cobra.Command {
	var signature, digest string
	cmd := &cobra.Command{
		Use:   "stage NAME FILE.wasm",
		Short: "Check a module as a version of a plugin, compile it, and keep it ready; nothing serves it yet",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			op, err := f.operator()
			if err != nil {
				return err
			}
			staged, err := op.stage(cmd.Context(), args[0], args[1], signature, digest)
			if err != nil {
				return err
			}
			var d plugins.Detail
			return f.print(cmd.OutOrStdout(), staged, &d, func(w io.Writer) {
				for _, v := range d.Staged[max(0, len(d.Staged)-1):] {
					fmt.Fprintf(w, "staged %s %s %s: %d cases passed, loaded in %d ms\n", args[0], v.Version, v.Digest, v.Cases, v.LoadMS)
				}
			})
		},
	}
	cmd.Flags().StringVar(&signature, "signature", "", "file with the module's Ed25519 signature in base64; FILE.wasm.sig where it is there")
	cmd.Flags().StringVar(&digest, "digest", "", "the digest that the module must have")
	return cmd
}

// stage sends a module's bytes, and its signature where there is one.
func (o *operator) stage(ctx context.Context, name, path, signature, digest string) ([]byte, error) {
	module, err := moduleBytes(path)
	if err != nil {
		return nil, err
	}
	var signed string
	if signature == "" {
		signed, err = signatureBeside(path)
	} else {
		var text []byte
		text, err = os.ReadFile(signature)
		signed = strings.TrimSpace(string(text))
	}
	if err != nil {
		return nil, fmt.Errorf("read the signature: %w", err)
	}
	return o.do(ctx, "POST", "/plugins/"+url.PathEscape(name)+"/stage?digest="+url.QueryEscape(digest), module,
		"Content-Type", "application/wasm", admin.SignatureHeader, signed)
}

func pluginActivate(f *pluginFlags) *cobra.Command {
	order := admin.Order{Actor: whoami()}
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "activate NAME DIGEST",
		Short: "Let a version serve: one that is staged, or one that served before. The digest may be cut short",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			op, err := f.operator()
			if err != nil {
				return err
			}
			order.Digest = args[1]
			path := "/plugins/" + url.PathEscape(args[0]) + "/activate"
			body, err := op.order(cmd.Context(), path, order)
			if e := asOperatorError(err); e != nil && e.said.Code == "draining" && wait > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s; waiting for it, at most %s\n", e.said.Message, wait)
				order.Wait = wait.String()
				body, err = op.order(cmd.Context(), path, order)
			}
			if err != nil {
				return err
			}
			return f.printChange(cmd.OutOrStdout(), body)
		},
	}
	cmd.Flags().StringVar(&order.Reason, "reason", "", "why, for the record")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait for the oldest version to drain, when as many are live as may be")
	return cmd
}

func pluginRollback(f *pluginFlags) *cobra.Command {
	order := admin.Order{Actor: whoami()}
	cmd := &cobra.Command{
		Use:   "rollback NAME",
		Short: "Let the version serve again that served before this one",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			op, err := f.operator()
			if err != nil {
				return err
			}
			body, err := op.order(cmd.Context(), "/plugins/"+url.PathEscape(args[0])+"/rollback", order)
			if err != nil {
				return err
			}
			return f.printChange(cmd.OutOrStdout(), body)
		},
	}
	cmd.Flags().StringVar(&order.Reason, "reason", "", "why, for the record")
	return cmd
}

// reloadCommand is `config reload`.
func reloadCommand(o *options) *cobra.Command {
	f := &pluginFlags{options: o}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running server read its configuration again: all of it or nothing",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := f.operator()
			if err != nil {
				return err
			}
			body, err := op.do(cmd.Context(), "POST", "/reload", nil)
			var out reloaded
			if e := asOperatorError(err); e != nil {
				var failed struct{ Made reloaded }
				// An agent that was made before the error has its key from here or from nowhere.
				if json.Unmarshal(e.body, &failed) == nil {
					printAgents(cmd.OutOrStdout(), failed.Made.Agents)
				}
			}
			if err != nil {
				return err
			}
			return f.print(cmd.OutOrStdout(), body, &out, func(w io.Writer) {
				fmt.Fprintf(w, "reloaded; plugins loaded anew: %s\n", orNone(strings.Join(out.Loaded, ", ")))
				printAgents(w, out.Agents)
			})
		},
	}
	cmd.Flags().StringVar(&f.admin, "admin", "", "URL of the server's listener for operators; the configuration's by default")
	jsonFlag(cmd, o)
	return cmd
}

func printAgents(w io.Writer, agents []madeAgent) {
	for _, a := range agents {
		fmt.Fprintf(w, "agent %q was made; its key is shown this once: %s\n", a.Name, a.Key)
	}
}

// print writes the server's JSON as it is, or reads it and writes it for people.
func (f *pluginFlags) print(w io.Writer, body []byte, into any, people func(io.Writer)) error {
	if f.json {
		_, err := w.Write(body)
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	people(w)
	return nil
}

func (f *pluginFlags) printChange(w io.Writer, body []byte) error {
	var d plugins.Detail
	return f.print(w, body, &d, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s %s serves", d.Name, d.Active.Version, d.Active.Digest)
		if n := len(d.Draining); n > 0 {
			fmt.Fprintf(w, "; %s still draining", versions(n))
		}
		fmt.Fprintln(w)
	})
}

func versions(n int) string {
	if n == 1 {
		return "1 version is"
	}
	return fmt.Sprintf("%d versions are", n)
}

func printPlugins(w io.Writer, list []plugins.Status) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PLUGIN\tKIND\tVERSION\tDIGEST\tSINCE\tIN FLIGHT\tSTAGED\tDRAINING\tFROM")
	for _, p := range list {
		from := p.Source
		if p.Active.Digest != p.Base {
			from = "activated"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", p.Name, p.Kind, p.Active.Version, shortDigest(p.Active.Digest),
			p.Active.Since.UTC().Format(time.DateTime), p.Active.InFlight, len(p.Staged), len(p.Draining), from)
	}
	t.Flush()
	for _, p := range list {
		for _, note := range []string{p.Waiting, p.Astray} {
			if note != "" {
				fmt.Fprintf(w, "%s: %s\n", p.Name, note)
			}
		}
	}
}

func (f *pluginFlags) printDetail(w io.Writer, body []byte) error {
	var d plugins.Detail
	return f.print(w, body, &d, func(w io.Writer) {
		printPlugins(w, []plugins.Status{d.Status})
		printManifest(w, d.Manifest.Features, len(d.Manifest.Settings), d.Active)
		printLoaded(w, "staged", d.Staged)
		printLoaded(w, "draining", d.Draining)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "\nWHEN\tWHAT\tVERSION\tDIGEST\tWHO\tWHY")
		for _, a := range d.History {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", a.At.UTC().Format(time.DateTime), a.Action, a.Version, shortDigest(a.Digest), a.Actor, a.Reason)
		}
		t.Flush()
	})
}

func printLoaded(w io.Writer, state string, list []plugins.Version) {
	for _, v := range list {
		fmt.Fprintf(w, "%s: %s %s, %d in flight, since %s\n", state, v.Version, shortDigest(v.Digest), v.InFlight, v.Since.UTC().Format(time.DateTime))
	}
}

func printManifest(w io.Writer, features []string, settings int, v plugins.Version) {
	fmt.Fprintf(w, "features: %s; %d settings; passed %d cases of its own; signed by: %s\n", orNone(strings.Join(features, ", ")), settings, v.Cases, orNone(v.KeyID))
	fmt.Fprintf(w, "since it was loaded: %d calls, %d fuel, %d instances with %d KiB", v.Calls, v.Fuel, v.Instances, v.MemoryBytes>>10)
	for kind, n := range v.Faults {
		fmt.Fprintf(w, ", %d times %s", n, kind)
	}
	fmt.Fprintln(w)
}

func orNone(s string) string { return or(s, "none") }

// whoami is who is written down for a command: the user of the system it was typed on.
func whoami() string {
	name := "operator"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		name += "@" + host
	}
	return name
}

// isModule says that what was named is a module rather than a plugin.
func isModule(name string) bool {
	if _, ok := cutBuiltin(name); ok || strings.HasSuffix(name, ".wasm") {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// inspectModule loads a module as a server would, and says what it is.
func inspectModule(ctx context.Context, name string, w io.Writer, asJSON bool) (err error) {
	module, err := moduleBytes(name)
	if err != nil {
		return err
	}
	sandbox, err := openSandbox(ctx, userCacheDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Close(context.WithoutCancel(ctx))) }()
	v, manifest, err := plugins.Examine(ctx, sandbox, name, module)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"version": v, "manifest": manifest})
	}
	fmt.Fprintf(w, "%s %s, %s, %d bytes\n%s\n", manifest.Name, manifest.Version, manifest.Kind, len(module), v.Digest)
	printManifest(w, manifest.Features, len(manifest.Settings), v)
	for _, s := range manifest.Settings {
		fmt.Fprintf(w, "  %-20s %-6s %s\n", s.Name, s.Type, s.Doc)
	}
	return nil
}
