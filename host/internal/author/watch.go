package author

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long the sources must have been left alone: editors save in several steps, and several files at once.
const quiet = 100 * time.Millisecond

// A Rebuilt is what became of a save.
type Rebuilt struct {
	Took time.Duration
	// Err is a *CompileError where the sources don't compile; nothing was written then.
	Err error
}

// Watch compiles the plugin to out after every save, until ctx ends. The module is not checked here: whoever watches out loads
// it, and refuses what it must. said gets each outcome, one at a time.
func (p *Plugin) Watch(ctx context.Context, out string, said func(Rebuilt)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the sources: %w", err)
	}
	defer watcher.Close()
	err = filepath.WalkDir(p.Dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case path != p.Dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		}
		return watcher.Add(path)
	})
	if err != nil {
		return fmt.Errorf("watch the sources: %w", err)
	}
	saved := time.NewTimer(0)
	saved.Stop()
	defer saved.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-watcher.Events:
			if ok && isSource(e.Name) && e.Op != fsnotify.Chmod {
				saved.Reset(quiet)
			}
		case err, ok := <-watcher.Errors:
			if ok {
				return fmt.Errorf("watch the sources: %w", err)
			}
		case <-saved.C:
			began := time.Now()
			err := p.rebuild(ctx, out)
			if ctx.Err() == nil {
				said(Rebuilt{time.Since(began), err})
			}
		}
	}
}

func (p *Plugin) rebuild(ctx context.Context, out string) error {
	module, err := p.compile(ctx)
	if err == nil {
		module, err = p.withCases(module)
	}
	if err != nil {
		return err
	}
	return replace(out, module)
}

// isSource says whether a module depends on the file. What a panic left is not one: it has nothing to compare yet.
func isSource(path string) bool {
	return slices.Contains([]string{".go", ".mod", ".sum", ".txtar"}, filepath.Ext(path)) && !strings.HasPrefix(filepath.Base(path), "panic-")
}
