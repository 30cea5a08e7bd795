package author

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
	"github.com/ainfera-ai/router/host/internal/plugins"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// repository is a kit of the sources that the tests were compiled from.
var repository = sync.OnceValues(func() (fs.FS, error) {
	root, err := buildtest.Root()
	if err != nil {
		return nil, err
	}
	packed, err := Pack(root)
	if err != nil {
		return nil, err
	}
	return open(packed)
})

// written is a new plugin in an empty place, whose go command has no network and no module but the SDK beside it.
func written(t *testing.T, kind, name string) *Plugin {
	t.Helper()
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "")
	kit, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := New(kit, kind, name, dir); err != nil {
		t.Fatal(err)
	}
	return &Plugin{Dir: dir, Sandbox: sandbox(t)}
}

// compiled is where all tests find what one of them compiled; TestMain removes it.
var compiled = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "ainfera-author-") })

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, err := compiled(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func sandbox(t *testing.T) *wasm.Host {
	t.Helper()
	dir, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	s, err := wasm.Open(t.Context(), wasm.Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func rewrite(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s does not hold %q", path, from)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestNewPluginWorksAsItStands: from nothing to a tested module, without a network.
func TestNewPluginWorksAsItStands(t *testing.T) {
	for kind, name := range map[string]string{"adapter": "acme-chat", "policy": "acme-thrift"} {
		t.Run(kind, func(t *testing.T) {
			p := written(t, kind, name)
			r, err := p.Test(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if r.Failed() > 0 || r.GoErr != nil || len(r.Cases) < 2 {
				t.Errorf("%d checks of %d cases failed: %v", r.Failed(), len(r.Cases), r.GoErr)
			}
			b, err := p.Build(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if b.Manifest.Name != name || string(b.Manifest.Kind) != kind || b.Path != filepath.Join(p.Dir, name+".wasm") {
				t.Errorf("got %s, a %s, in %s", b.Manifest.Name, b.Manifest.Kind, b.Path)
			}
			if want := len(r.Cases); b.Cases != want {
				t.Errorf("the module carries %d cases, want %d", b.Cases, want)
			}
			if _, _, err := plugins.Examine(t.Context(), p.Sandbox, name, b.Module); err != nil {
				t.Errorf("a server refuses it: %v", err)
			}
		})
	}
}

// TestTheExamplesAreTheTemplates: what New writes is examples/plugins, but for the name, with a go.mod and the SDK.
func TestTheExamplesAreTheTemplates(t *testing.T) {
	root, err := buildtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	kit, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	for kind, tmpl := range templates {
		dir := filepath.Join(t.TempDir(), "x")
		if err := New(kit, kind, tmpl.name, dir); err != nil {
			t.Fatal(err)
		}
		example := filepath.Join(root, "examples", "plugins", tmpl.part)
		seen := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dir, path)
			if err != nil || d.IsDir() || rel == "go.mod" || rel == ".gitignore" || strings.HasPrefix(rel, "sdk") {
				return err
			}
			seen++
			got, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			want, err := os.ReadFile(filepath.Join(example, rel))
			if err != nil {
				return err
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from the example", rel)
			}
			return nil
		})
		if err != nil || seen < 5 {
			t.Errorf("%s: %d files: %v", kind, seen, err)
		}
	}
}

// TestEmbeddedKitIsTheRepositorys: a binary must not write an SDK of yesterday.
func TestEmbeddedKitIsTheRepositorys(t *testing.T) {
	have, err := embedded.ReadFile(kitFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := Kit(); !errors.Is(err, ErrNoKit) {
			t.Errorf("got %v, want ErrNoKit", err)
		}
		t.Skip("SKIPPED: the kit is not packed: run make plugins")
	}
	root, err := buildtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	want, err := Pack(root)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("the embedded kit is not that of these sources: run make plugins")
	}
}

func TestNewRefuses(t *testing.T) {
	kit, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "notes"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ kind, name, dir, says string }{
		"a kind that is none":       {"filter", "x", t.TempDir(), "want adapter or policy"},
		"a name with a slash":       {"adapter", "a/b", t.TempDir(), "lower-case"},
		"a name that climbs":        {"adapter", "..", t.TempDir(), "lower-case"},
		"a directory that is taken": {"adapter", "x", full, "not empty"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := New(kit, tc.kind, tc.name, tc.dir); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q in it", err, tc.says)
			}
		})
	}
}

// TestBuildNamesTheCulprit: what is wrong with the sources is named by file and line, and a forbidden import by the package
// that brought it.
func TestBuildNamesTheCulprit(t *testing.T) {
	p := written(t, "adapter", "acme")
	main := filepath.Join(p.Dir, "main.go")

	rewrite(t, main, "func main() {}", "func main() { undefined() }")
	_, err := p.Build(t.Context(), "")
	var compile *CompileError
	if !errors.As(err, &compile) || !strings.Contains(err.Error(), "./main.go:30:15: undefined: undefined") {
		t.Errorf("got %v", err)
	}
	rewrite(t, main, "func main() { undefined() }", "func main() {}")

	dep := filepath.Join(p.Dir, "deep", "down")
	if err := os.MkdirAll(dep, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(dep, "down.go"):               "package down\n\n//go:wasmimport env now\nfunc now() int64\n\nfunc Now() int64 { return now() }\n",
		filepath.Join(filepath.Dir(dep), "deep.go"): "package deep\n\nimport \"example.com/acme/deep/down\"\n\nvar Started = down.Now()\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rewrite(t, main, "import (", "import (\n\t_ \"example.com/acme/deep\"\n")
	_, err = p.Build(t.Context(), "")
	want := "imports now from env, which guests may not have\n  brought by example.com/acme/deep/down\n" +
		"  which comes by example.com/acme → example.com/acme/deep → example.com/acme/deep/down"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	rewrite(t, main, "\t_ \"example.com/acme/deep\"\n", "\t\"net\"\n")
	rewrite(t, main, "func main() {}", "func main() {\n\tl, _ := net.Listen(\"tcp\", \":0\")\n\t_, _ = l.Accept()\n}\n\nfunc init() { main() }\n")
	_, err = p.Build(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "brought by net\n  which comes by example.com/acme → net") {
		t.Errorf("got  %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "acme.wasm")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused build left a module: %v", err)
	}
}

// bad is an adapter's mistakes, each at a model of its own: one build finds them all.
const bad = `package main

import "github.com/ainfera-ai/router/sdk"
import "github.com/ainfera-ai/router/sdk/abi"

type bad struct{ answer; model string; batch int }

var kept [][]byte

func (b *bad) Head(h *sdk.Head, out *sdk.Events) {
	b.batch++
	b.answer.Head(h, out)
}

func (b *bad) Frame(f sdk.Frame, out *sdk.Events) {
	switch b.model {
	case "leaks":
		kept = append(kept, make([]byte, 500))
	case "panics":
		var none []string
		_ = none[len(f.Data)]
	}
	b.answer.Frame(f, out)
}

func (b *bad) End(why abi.EndReason, out *sdk.Events) {
	if b.model == "panics-when-left" && why == abi.EndCancelled && b.started {
		panic("nobody is there")
	}
	b.answer.End(why, out)
}
`

// TestEachMistakeIsFound, by the check that is there for it.
func TestEachMistakeIsFound(t *testing.T) {
	p := written(t, "adapter", "acme")
	if err := os.WriteFile(filepath.Join(p.Dir, "bad.go"), []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	rewrite(t, filepath.Join(p.Dir, "main.go"), "return &answer{}, nil", "return &bad{model: c.Model}, nil")
	module, err := p.compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ model, check, says, place, kept string }{
		{"small-1", "", "", "", ""},
		{"leaks", "memory", "memory grew by", "", ""},
		{"panics", "case", "index out of range", "bad.go:21", "text.txtar"},
		{"panics-when-left", "cancel", "nobody is there", "bad.go:28", "panic-"},
	} {
		t.Run(tc.model, func(t *testing.T) {
			f, err := sdktest.ReadFile(filepath.Join(p.Dir, "testdata", "text.txtar"))
			if err != nil {
				t.Fatal(err)
			}
			f.Call = bytes.Replace(f.Call, []byte("small-1"), []byte(tc.model), 1)
			f.WantRequest = nil
			repros := t.TempDir()
			r, err := TestModule(t.Context(), p.Sandbox, module, []*sdktest.File{f}, TestOptions{Repros: repros})
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range r.Cases[0].Checks {
				if check.Name != tc.check {
					if check.Err != nil {
						t.Errorf("%s: %v", check.Name, check.Err)
					}
					continue
				}
				if check.Err == nil || !strings.Contains(check.Err.Error(), tc.says) || !strings.Contains(check.Err.Error(), tc.place) {
					t.Errorf("%s: got %v, want %q at %q", check.Name, check.Err, tc.says, tc.place)
				}
				if !strings.HasPrefix(filepath.Base(check.Repro), tc.kept) {
					t.Errorf("kept in %q, want %s…", check.Repro, tc.kept)
				}
				if tc.kept == "panic-" {
					again, err := sdktest.ReadFile(check.Repro)
					if err != nil {
						t.Fatal(err)
					}
					r, err := TestModule(t.Context(), p.Sandbox, module, []*sdktest.File{again}, TestOptions{})
					if err != nil || !isFault(r.Cases[0].Checks[0].Err) {
						t.Errorf("the kept case does not fail again: %+v %v", r.Cases[0].Checks, err)
					}
				}
			}
			if tc.check == "" && r.Failed() > 0 {
				t.Errorf("%d checks failed", r.Failed())
			}
		})
	}
}

// TestGoIsNotRunAfterAFault: what the sandbox stopped would not be stopped as Go.
func TestGoIsNotRunAfterAFault(t *testing.T) {
	p := written(t, "adapter", "acme")
	rewrite(t, filepath.Join(p.Dir, "main.go"), "\tdoc, err := jscan", "\tfor c.Model != \"\" {\n\t}\n\tdoc, err := jscan")
	r, err := p.Test(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if r.GoRun || !r.Faulted() || r.Failed() != len(r.Cases) {
		t.Errorf("as Go %v, %d failed of %d cases", r.GoRun, r.Failed(), len(r.Cases))
	}
}

// TestNoPlugin: a directory without a plugin is called that, and a package that is no program.
func TestNoPlugin(t *testing.T) {
	p := &Plugin{Dir: t.TempDir(), Sandbox: sandbox(t)}
	for _, tc := range []struct{ file, text, says string }{
		{"notes.txt", "", "holds no plugin: `ainfera plugin new` writes one"},
		{"go.mod", "module example.com/x\n", "holds no plugin: `ainfera plugin new` writes one"},
		{"x.go", "package x\n", "is no program: its files must be of package main"},
	} {
		if err := os.WriteFile(filepath.Join(p.Dir, tc.file), []byte(tc.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Build(t.Context(), ""); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("with %s: got %v, want %q in it", tc.file, err, tc.says)
		}
	}
}

// TestManifestsNameStaysInItsDirectory: the module's file is called what its manifest says, which is no path.
func TestManifestsNameStaysInItsDirectory(t *testing.T) {
	p := written(t, "policy", "acme")
	rewrite(t, filepath.Join(p.Dir, "main.go"), `"acme"`, `"../acme"`)
	if _, err := p.Build(t.Context(), ""); err == nil || !strings.Contains(err.Error(), `"../acme"`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(p.Dir), "acme.wasm")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was written beside its directory: %v", err)
	}
}
