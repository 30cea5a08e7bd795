package author

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

// templates are the kinds of plugin that New writes: the part of the kit, and the name that stands in it for the plugin's.
var templates = map[string]struct{ part, name string }{"adapter": {"provider", "parley"}, "policy": {"policy", "frugal"}}

// A plugin's name becomes a module path, a file name and a label in the configuration.
var pluginName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

const sdkModule = "github.com/ainfera-ai/router/sdk"

// New writes a plugin of a kind, "adapter" or "policy", to dir: a Go module that builds as it stands, with the SDK beside it.
// dir may exist if it is empty; nothing is ever overwritten.
func New(kit fs.FS, kind, name, dir string) error {
	t, ok := templates[kind]
	switch {
	case !ok:
		return fmt.Errorf("kind %q: want adapter or policy", kind)
	case !pluginName.MatchString(name) || len(name) > 60:
		return fmt.Errorf("name %q: want lower-case letters, digits and single dashes, a letter first, and no more than 60 of them", name)
	}
	if err := vacant(dir); err != nil {
		return err
	}
	if err := spread(kit, t.part, dir, func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), t.name, name)) }); err != nil {
		return err
	}
	if err := spread(kit, "sdk", filepath.Join(dir, "sdk"), func(b []byte) []byte { return b }); err != nil {
		return err
	}
	mod := "module example.com/" + name + "\n\ngo 1.26.0\n\nrequire " + sdkModule + " v0.0.0\n\nreplace " + sdkModule + " => ./sdk\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*.wasm\n"), 0o644)
}

// vacant refuses a directory that has something in it.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name another with --dir", dir)
	}
	return err
}

// spread writes a part of the kit below dir.
func spread(kit fs.FS, part, dir string, edit func([]byte) []byte) error {
	return fs.WalkDir(kit, part, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(kit, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(path, part+"/")))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, edit(text), 0o644)
	})
}

// TemplateCases are the cases that a new plugin of a kind begins with.
func TemplateCases(kit fs.FS, kind string) ([]*sdktest.File, error) {
	paths, err := fs.Glob(kit, templates[kind].part+"/testdata/*.txtar")
	if err != nil {
		return nil, err
	}
	var files []*sdktest.File
	for _, path := range paths {
		text, err := fs.ReadFile(kit, path)
		if err != nil {
			return nil, err
		}
		f, err := sdktest.ParseFile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		f.Path = path
		files = append(files, f)
	}
	return files, nil
}
