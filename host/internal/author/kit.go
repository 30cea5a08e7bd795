// Package author is the plugin author's workbench: it writes a new plugin, builds it, tests it and measures it.
//
// Everything works without a network: the binary carries the SDK's sources and the templates (see [Pack]), and what it runs
// is the go command on the author's machine.
package author

import (
	"archive/zip"
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed kit
var embedded embed.FS

const kitFile = "kit/kit.zip"

// ErrNoKit means that the binary was compiled before the kit was packed.
var ErrNoKit = errors.New("this binary carries no SDK to write: run make plugins, then compile it again")

// Kit is what the binary carries: the SDK below sdk, the templates below provider and policy. The error is ErrNoKit where it
// carries nothing.
func Kit() (fs.FS, error) {
	packed, err := embedded.ReadFile(kitFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoKit
	}
	if err != nil {
		return nil, fmt.Errorf("read the kit: %w", err)
	}
	return open(packed)
}

func open(packed []byte) (fs.FS, error) {
	kit, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return nil, fmt.Errorf("read the kit: %w", err)
	}
	return kit, nil
}

// parts are the directories of the repository that make the kit, and where they are in it.
var parts = []struct{ from, to string }{{"sdk", "sdk"}, {"examples/plugins/provider", "provider"}, {"examples/plugins/policy", "policy"}}

// Pack makes a kit of the repository at root. The same tree gives the same bytes: they are part of the binary. The SDK goes
// without its own tests, since they need more than it has.
func Pack(root string) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range parts {
		from := filepath.Join(root, filepath.FromSlash(p.from))
		err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !packs(p.to, path, d) {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f, err := w.CreateHeader(&zip.FileHeader{Name: p.to + "/" + filepath.ToSlash(rel), Method: zip.Deflate})
			if err == nil {
				_, err = f.Write(text)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", p.from, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return out.Bytes(), nil
}

// packs says whether a file belongs into the kit.
func packs(part, path string, d fs.DirEntry) bool {
	if d.IsDir() {
		return false
	}
	name := d.Name()
	if part == "sdk" && (strings.HasSuffix(name, "_test.go") || strings.Contains(filepath.ToSlash(path), "/testdata/")) {
		return false
	}
	return slices.Contains([]string{".go", ".mod", ".md", ".txtar"}, filepath.Ext(name))
}
