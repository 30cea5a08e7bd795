package author

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A Plugin is a plugin's sources on this machine.
type Plugin struct {
	// Dir holds the main package and its go.mod.
	Dir string
	// Sandbox is what a build is checked in.
	Sandbox *wasm.Host
}

// A Built is a module that was compiled from a plugin.
type Built struct {
	Path     string
	Module   []byte
	Manifest wasm.Manifest
	Digest   string
	Cases    int // that it carries
}

// A CompileError is what the go command said about the author's code.
type CompileError struct{ Output string }

// Error is the compiler's words, a file and a line in each.
func (e *CompileError) Error() string { return "go build:\n" + strings.TrimRight(e.Output, "\n") }

// Build compiles the plugin, puts its cases into the module and checks it as a server would, self-test included. The module is
// written to out, or to DIR/NAME.wasm when out is empty, and appears there whole or not at all: servers may be watching.
func (p *Plugin) Build(ctx context.Context, out string) (*Built, error) {
	module, err := p.compile(ctx)
	if err != nil {
		return nil, err
	}
	if module, err = p.withCases(module); err != nil {
		return nil, err
	}
	v, manifest, err := plugins.Examine(ctx, p.Sandbox, filepath.Base(p.abs()), module)
	if err != nil {
		return nil, p.explain(ctx, err)
	}
	if out == "" {
		out = filepath.Join(p.Dir, manifest.Name+".wasm")
	}
	if err := replace(out, module); err != nil {
		return nil, fmt.Errorf("write the module: %w", err)
	}
	return &Built{Path: out, Module: module, Manifest: manifest, Digest: v.Digest, Cases: v.Cases}, nil
}

// abs is the directory's whole path, since "." names nothing.
func (p *Plugin) abs() string {
	if abs, err := filepath.Abs(p.Dir); err == nil {
		return abs
	}
	return p.Dir
}

// compile runs stock Go. Names are kept in the module, so that a panic reads as file and line.
func (p *Plugin) compile(ctx context.Context) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "ainfera-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "plugin.wasm")
	_, err = p.goCommand(ctx, true, "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", out, ".")
	if failed := (*CompileError)(nil); errors.As(err, &failed) {
		return nil, p.noPlugin(failed)
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// noPlugin says of a directory that holds no plugin that it doesn't, where the go command speaks of what it lacks.
func (p *Plugin) noPlugin(failed *CompileError) error {
	switch {
	case strings.Contains(failed.Output, "go.mod file not found"), strings.Contains(failed.Output, "no Go files in"):
		return fmt.Errorf("%s holds no plugin: `ainfera plugin new` writes one, and the commands after it take its directory", p.abs())
	case strings.Contains(failed.Output, "requires exactly one main package"):
		return fmt.Errorf("%s is no program: its files must be of package main", p.abs())
	}
	return failed
}

// goCommand runs the go command in the plugin's directory. What it says on a failure is a *CompileError.
func (p *Plugin) goCommand(ctx context.Context, guest bool, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if guest {
		cmd.Env = append(cmd.Env, "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit):
		return stdout.Bytes(), &CompileError{stderr.String() + stdout.String()}
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("there is no go command here: a plugin is compiled by stock Go, https://go.dev/dl, 1.26 or later")
	}
	return stdout.Bytes(), err
}

// withCases packs what testdata holds into the module; a plugin without cases is one that nobody checks before it serves.
func (p *Plugin) withCases(module []byte) ([]byte, error) {
	files, err := p.Cases()
	if err != nil || len(files) == 0 {
		return module, err
	}
	lines, err := sdktest.Lines(files)
	if err != nil || len(lines) == 0 {
		return module, err
	}
	packed, err := sdktest.PackCases(module, lines)
	if err != nil {
		return nil, fmt.Errorf("put the cases into the module: %w", err)
	}
	return packed, nil
}

// Cases are those in testdata; none where there is no such directory.
func (p *Plugin) Cases() ([]*sdktest.File, error) {
	files, err := sdktest.Files(filepath.Join(p.Dir, "testdata"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

// replace writes a file beside its place and moves it there.
func replace(path string, b []byte) error {
	if err := os.WriteFile(path+".new", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// explain adds to an import that no guest has which package brought it.
func (p *Plugin) explain(ctx context.Context, err error) error {
	var im *wasm.ImportError
	if !errors.As(err, &im) {
		return err
	}
	chain, berr := p.blame(ctx, im)
	if berr != nil || len(chain) == 0 {
		return fmt.Errorf("%w; which package brought it is not known", err)
	}
	return fmt.Errorf("%w\n  brought by %s\n  which comes by %s", err, chain[len(chain)-1], strings.Join(chain, " → "))
}
