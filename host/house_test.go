package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

const module = "github.com/ainfera-ai/router/"

// An arrow says what a room may not see, and why. Room and forbidden are prefixes of import paths below the module.
type arrow struct {
	room, forbidden string
	except          []string
	why             string
}

var arrows = []arrow{
	{"sdk/abi", "", nil, "the wire is shared by both sides, so it may bring nothing along"},
	{"sdk/", "host/", nil, "a plugin author has the SDK and not the server"},
	{"sdk/", "schema", nil, "a plugin author has the SDK and not the server"},
	{"plugins/", "host/", nil, "a plugin is a guest: what it could import, it would come to rely on"},
	{"plugins/", "schema", nil, "a plugin is a guest: what it could import, it would come to rely on"},
	{"schema", "", []string{"schema/"}, "tables are read by people who have never seen the server"},
	{"host/internal/", "host/internal/config", []string{}, "only main turns configuration into the rooms' own values"},
	{"host/internal/", "host/internal/gateway", []string{}, "the gateway sees the rooms; none of them has heard of HTTP's front"},
	{"host/internal/route", "host/internal/provider", nil, "a decision is made before anybody is asked"},
	{"host/internal/messages", "host/internal/", []string{"host/internal/framing"}, "the grammar is the same whoever uses it"},
	{"host/internal/chat", "host/internal/", []string{"host/internal/framing", "host/internal/messages"}, "a dialect is a way of saying what messages holds, and knows of nothing else"},
	{"host/internal/capture", "host/internal/", []string{"host/internal/money", "host/internal/proof", "host/internal/merkle"}, "the books are written by a call, they do not know how it went"},
	{"host/internal/plugins", "host/internal/", []string{"host/internal/wasm", "host/internal/capture"}, "versions of modules, whatever they are asked for"},
	{"host/internal/author", "host/internal/", []string{"host/internal/framing", "host/internal/plugins", "host/internal/wasm"}, "a plugin is written, built and tested where there is no server"},
	{"examples/plugins/", "host/", nil, "an author has the SDK and not the server"},
	{"host/internal/replay", "host/internal/", []string{"host/internal/capture", "host/internal/money", "host/internal/wasm"}, "deciding again needs the rows and the sandbox, and nobody to serve"},
	{"host/internal/money", "", nil, "arithmetic"},
	{"host/internal/merkle", "", nil, "arithmetic"},
	{"host/internal/proof", "host/internal/", []string{"host/internal/merkle"}, "an outsider has no store"},
}

// external are rules on what comes from outside of the module.
var external = []arrow{
	{"host/internal/", "github.com/hashicorp/hcl", []string{"host/internal/config"}, "the rooms have never heard of HCL"},
	{"schema", "github.com/", []string{"github.com/uptrace/bun"}, "schema imports bun alone"},
	{"sdk/", "github.com/", []string{module + "sdk"}, "the SDK has no dependencies"},
	{"plugins/", "github.com/", []string{module + "sdk", module + "plugins/provider/internal/"}, "guests stay small; what two of them say of one vendor they may say in one place"},
}

type pkg struct {
	path    string
	doc     bool
	imports map[string]bool // of the package, its tests left out
}

// packages reads every package of the repository, the SDK's module too.
func packages(t *testing.T) []pkg {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*pkg{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "node_modules", "testdata", "bin", "data":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		note(found, filepath.ToSlash(rel), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]pkg, 0, len(found))
	for _, p := range found {
		out = append(out, *p)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].path < out[j].path })
	return out
}

func note(found map[string]*pkg, path string, f *ast.File) {
	p := found[path]
	if p == nil {
		p = &pkg{path: path, imports: map[string]bool{}}
		found[path] = p
	}
	p.doc = p.doc || f.Doc != nil && strings.TrimSpace(f.Doc.Text()) != ""
	for _, im := range f.Imports {
		p.imports[strings.Trim(im.Path.Value, `"`)] = true
	}
}

func TestArrowsRunOneWay(t *testing.T) {
	for _, p := range packages(t) {
		for im := range p.imports {
			below, ours := strings.CutPrefix(im, module)
			for _, a := range arrows {
				if ours && under(p.path, a.room) && strings.HasPrefix(below, a.forbidden) && !excused(below, a) && !(a.forbidden == "host/internal/" && under(below, a.room)) {
					t.Errorf("%s imports %s: %s", p.path, below, a.why)
				}
			}
			for _, a := range external {
				if under(p.path, a.room) && !allowedRoom(p.path, a) && strings.HasPrefix(im, a.forbidden) && !excused(im, a) {
					t.Errorf("%s imports %s: %s", p.path, im, a.why)
				}
			}
		}
	}
}

// under reports whether a package is the room or inside of it.
func under(path, room string) bool {
	return path == room || strings.HasPrefix(path, strings.TrimSuffix(room, "/")+"/")
}

func excused(im string, a arrow) bool {
	for _, e := range a.except {
		if strings.HasPrefix(im, e) {
			return true
		}
	}
	return false
}

func allowedRoom(path string, a arrow) bool {
	for _, e := range a.except {
		if strings.HasPrefix(path, e) {
			return true
		}
	}
	return false
}

func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if !p.doc {
			t.Errorf("%s has no package doc", p.path)
		}
	}
}

func TestTheTopIsWhatWasAgreed(t *testing.T) {
	agreed := map[string]bool{"host": true, "plugins": true, "sdk": true, "schema": true, "examples": true, "config.hcl": true, "go.mod": true,
		"go.sum": true, "README.md": true, "Makefile": true, ".ci": true, ".gitignore": true}
	out, err := exec.Command("git", "-C", "..", "ls-files").Output() // what is tracked: a file of the developer's own is nobody's business
	if err != nil {
		t.Skipf("git can't list the tracked files: %v", err)
	}
	for path := range strings.Lines(string(out)) {
		top, _, _ := strings.Cut(strings.TrimSpace(path), "/")
		if !agreed[top] {
			t.Errorf("%s stands at the top, where only the agreed names do", top)
		}
	}
}
