package plugins

import (
	"context"
	"slices"

	"github.com/ainfera-ai/router/schema"
)

// historyLength is how many of a plugin's activations are looked back at.
const historyLength = 200

// read brings what is known of the plugin's rows up to date. Its turn is held.
func (r *Registry) read(ctx context.Context, p *plugin) error {
	rows, err := r.history(ctx, p.name)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.rows = rows
	return nil
}

// history is the newest rows of a plugin, oldest first.
func (r *Registry) history(ctx context.Context, name string) ([]schema.Activation, error) {
	rows, err := r.conf.Store.Activations(ctx, name, historyLength)
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	return rows, nil
}

// A past is what rows of activations, oldest first, add up to.
type past struct {
	// stack is the digests that served, the one that serves now last. Going back takes from it.
	stack []string
	// evicted are the digests that failed, until somebody activates them again.
	evicted map[string]bool
}

func pastOf(rows []schema.Activation) past {
	p := past{evicted: map[string]bool{}}
	for i := range rows {
		a := &rows[i]
		switch a.Action {
		case schema.ActionEvicted:
			p.evicted[a.Previous] = true
			p.back(a.Digest)
		case schema.ActionRolledBack:
			p.back(a.Digest)
		default:
			delete(p.evicted, a.Digest)
			if n := len(p.stack); n == 0 || p.stack[n-1] != a.Digest {
				p.stack = append(p.stack, a.Digest)
			}
		}
	}
	return p
}

// back takes from the stack until the digest is its last. One that is not in it was beyond what the rows reach.
func (p *past) back(digest string) {
	if i := lastIndex(p.stack, digest); i >= 0 {
		p.stack = p.stack[:i+1]
		return
	}
	p.stack = []string{digest}
}

// before is the newest version below the active one that was not evicted; empty where there is none.
func (p *past) before(active string) string {
	for i := len(p.stack) - 1; i >= 0; i-- {
		if d := p.stack[i]; d != active && !p.evicted[d] {
			return d
		}
	}
	return ""
}

func lastIndex(list []string, s string) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == s {
			return i
		}
	}
	return -1
}
