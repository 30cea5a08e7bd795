package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A tally counts what happened, by name.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[name] += n
}

// report prints a tally as one paragraph, or nothing where nothing was counted.
func report(w io.Writer, title string, t *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.counts) == 0 {
		return
	}
	parts := make([]string, 0, len(t.counts))
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.counts[name], name))
	}
	fmt.Fprintf(w, "  %-12s %s\n", title, strings.Join(parts, ", "))
}
