package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/plugins"
)

// A watchedFile is a module's file that is activated as a version of a plugin whenever it changes.
type watchedFile struct{ plugin, path string }

// watchedFiles are those of the command line, NAME=FILE, and those of plugin blocks with watch = true.
func watchedFiles(cfg *config.Config, flags []string) ([]watchedFile, error) {
	var list []watchedFile
	for i := range cfg.Plugins {
		if p := &cfg.Plugins[i]; p.Watch {
			list = append(list, watchedFile{p.Name, p.Module})
		}
	}
	for _, text := range flags {
		name, path, ok := strings.Cut(text, "=")
		if !ok || path == "" {
			return nil, fmt.Errorf("--watch %s: expected NAME=FILE", text)
		}
		if cfg.Plugin(name) == nil {
			return nil, fmt.Errorf("--watch %s: the configuration has no plugin %q", text, name)
		}
		list = append(list, watchedFile{name, path})
	}
	return list, nil
}

// settle is how long a file must have been left alone: compilers and editors write in several steps.
const settle = 200 * time.Millisecond

// watch activates the file's module whenever it changes, until ctx ends. It watches the directory, since many tools put a
// new file in the old one's place. A build that is refused is named in the log, and what runs goes on.
func (h *host) watch(ctx context.Context, w watchedFile) {
	log := h.log.Named("watch").With("plugin", w.plugin, "file", w.path)
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		defer watcher.Close()
		err = watcher.Add(filepath.Dir(w.path))
	}
	if err != nil {
		log.Error("file is not watched", "error", err)
		return
	}
	log.Info("watching: every build that passes its checks serves")
	changed := time.NewTimer(0) // what is there now may differ from what serves
	defer changed.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-watcher.Events:
			if !ok {
				return
			}
			if filepath.Clean(e.Name) == filepath.Clean(w.path) && !e.Has(fsnotify.Remove) && e.Op != fsnotify.Chmod {
				changed.Reset(settle)
			}
		case err, ok := <-watcher.Errors:
			if !ok {
				return
			}
			log.Warn("watching", "error", err)
		case <-changed.C:
			if err := h.activateFile(ctx, w); err != nil && ctx.Err() == nil {
				log.Error("build refused, what runs goes on", "error", err)
			}
		}
	}
}

// watchWait is how long a build waits for older ones to drain.
const watchWait = time.Minute

func (h *host) activateFile(ctx context.Context, w watchedFile) error {
	module, err := os.ReadFile(w.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // between two builds
	}
	if err != nil {
		return err
	}
	signature, err := signatureBeside(w.path)
	if err != nil {
		return err
	}
	if h.plugins.Serves(w.plugin, module) {
		return nil
	}
	digest, err := h.plugins.Stage(ctx, w.plugin, plugins.Staging{Bytes: module, Signature: signature})
	if err != nil {
		return err
	}
	return h.plugins.Activate(ctx, w.plugin, digest, plugins.Order{Actor: "watch", Reason: w.path + " changed", Wait: watchWait})
}
