package author

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A dependency is a package of the build, as `go list` knows it.
type dependency struct {
	ImportPath, Dir  string
	Imports, GoFiles []string
}

// blame finds the package that declares a function of the host's, and the shortest way by which the plugin came to it: the
// plugin's own package first, the culprit last.
//
// The standard library declares its functions in syscall, which every program has and which gets linked only as far as it is
// used; what uses its sockets is net.
func (p *Plugin) blame(ctx context.Context, im *wasm.ImportError) ([]string, error) {
	listed, err := p.goCommand(ctx, true, "list", "-deps", "-json=ImportPath,Dir,Imports,GoFiles", ".")
	if err != nil {
		return nil, err
	}
	deps := map[string]*dependency{}
	root := ""
	for dec := json.NewDecoder(bytes.NewReader(listed)); ; {
		var d dependency
		if err := dec.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		deps[d.ImportPath], root = &d, d.ImportPath // the package itself comes last
	}
	if strings.HasPrefix(im.Name, "sock_") && deps["net"] != nil {
		return way(deps, root, "net"), nil
	}
	directive := []string{"//go:wasmimport", im.Module, im.Name}
	var found []string
	for path, d := range deps {
		if d.declares(directive) {
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	slices.Sort(found)
	return way(deps, root, found[0]), nil
}

// declares looks for a directive in the package's files. One that can't be read has none.
func (d *dependency) declares(directive []string) bool {
	for _, name := range d.GoFiles {
		text, err := os.ReadFile(filepath.Join(d.Dir, name))
		if err != nil || !bytes.Contains(text, []byte(directive[0])) {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if slices.Equal(strings.Fields(line), directive) {
				return true
			}
		}
	}
	return false
}

// way is a shortest way of imports, both ends included; nil where there is none.
func way(deps map[string]*dependency, from, to string) []string {
	before := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == to {
			var chain []string
			for ; at != ""; at = before[at] {
				chain = append(chain, at)
			}
			slices.Reverse(chain)
			return chain
		}
		d := deps[at]
		if d == nil {
			continue
		}
		for _, next := range d.Imports {
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
