package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ainfera-ai/router/host/internal/author"
	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/provider"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
)

func authorRun(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run [DIR]",
		Short: "Serve with the plugin in a directory: what is saved there is compiled and serves, as a version of its own",
		Long: "Serves as `ainfera serve` does. The configuration must have a plugin of the name that the sources give it. After every\n" +
			"save the plugin is compiled; a build that passes its checks serves, and where it doesn't, what ran goes on. The input of\n" +
			"a panic is kept as testdata/panic-HASH.txtar: unlike serve, this writes callers' content to disk.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(o.config, os.LookupEnv)
			if err != nil {
				return err
			}
			compiled := filepath.Join(cfg.Store.Dir, "modules") // the server's, so that it finds what the check compiled
			return withPluginIn(cmd.Context(), args, compiled, func(p *author.Plugin) error { return serveWith(cmd, o, cfg, p) })
		},
	}
}

// serveWith is serve with a plugin that is compiled beside it.
func serveWith(cmd *cobra.Command, o *options, cfg *config.Config, p *author.Plugin) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	b, err := p.Build(ctx, "")
	if err != nil {
		return err
	}
	name := b.Manifest.Name
	if cfg.Plugin(name) == nil {
		return fmt.Errorf("%s has no plugin %q; add:\n\n  plugin %q {\n    module = %q\n  }\n\nand a %s that names it", o.config, name, name, b.Path,
			map[wasm.Kind]string{wasm.KindAdapter: "provider", wasm.KindPolicy: "preference"}[b.Manifest.Kind])
	}
	h := &host{path: o.config, cfg: cfg, out: out, log: newLogger(cfg, cmd.ErrOrStderr())}
	if h.watched, err = watchedFiles(cfg, []string{name + "=" + b.Path}); err != nil {
		return err
	}
	h.keep = &faultKeeper{plugin: name, dir: filepath.Join(p.Dir, "testdata"), log: h.log.Named("author").With("plugin", name)}
	watching, stop := context.WithCancel(ctx)
	var task sync.WaitGroup
	var werr error
	task.Go(func() {
		werr = p.Watch(watching, b.Path, func(r author.Rebuilt) { printBuild(cmd.ErrOrStderr(), r) })
		if werr != nil {
			h.log.Error("saves are not compiled any more", "error", werr)
		}
	})
	err = h.serve(ctx)
	stop()
	task.Wait()
	return errors.Join(err, werr)
}

// printBuild tells the author what became of a save: the compiler's own lines, or how long it took.
func printBuild(w io.Writer, r author.Rebuilt) {
	if r.Err != nil {
		fmt.Fprintf(w, "%s\nnot compiled; what runs goes on\n", r.Err)
		return
	}
	fmt.Fprintf(w, "compiled in %s\n", r.Took.Round(time.Millisecond))
}

// A faultKeeper writes the inputs of one plugin's faults down as cases. Only `plugin run` has one: what a guest is given is
// callers' content. A nil one keeps nothing.
type faultKeeper struct {
	plugin, dir string
	log         hclog.Logger
}

// of is the keeper for a plugin, nil for every other.
func (k *faultKeeper) of(plugin string) *faultKeeper {
	if k == nil || k.plugin != plugin {
		return nil
	}
	return k
}

// stream has a stream's inputs recorded.
func (k *faultKeeper) stream(g provider.Guest, err error) (provider.Guest, error) {
	if k == nil || err != nil {
		return g, err
	}
	return &keptStream{Guest: g, k: k}, nil
}

// decision keeps the input of a decision that failed.
func (k *faultKeeper) decision(input []byte, err error) {
	if k != nil {
		k.fault(err, func() *author.Case { return author.Decision(input) })
	}
}

func (k *faultKeeper) fault(err error, input func() *author.Case) {
	var f *wasm.Fault
	if !errors.As(err, &f) {
		return
	}
	path, kerr := author.Keep(k.dir, input(), f)
	if kerr != nil {
		k.log.Error("input of a fault is not kept", "error", kerr)
		return
	}
	k.log.Error("input kept as a case: ainfera plugin test plays it", "fault", f.Message, "case", path)
}

// A keptStream is a stream whose inputs are recorded.
type keptStream struct {
	provider.Guest
	k    *faultKeeper
	rec  author.Recorder
	over bool // a stream that failed answers with the same fault for ever
}

func (s *keptStream) Open(recs ...abi.Record) ([]byte, error) {
	s.rec.Open(recs)
	out, err := s.Guest.Open(recs...)
	if err == nil {
		s.rec.Opened(out)
	}
	s.failed(err)
	return out, err
}

func (s *keptStream) Push(recs ...abi.Record) ([]byte, error) {
	s.rec.Push(recs)
	out, err := s.Guest.Push(recs...)
	s.failed(err)
	return out, err
}

func (s *keptStream) failed(err error) {
	if err != nil && !s.over {
		s.over = true
		s.k.fault(err, s.rec.File)
	}
}
