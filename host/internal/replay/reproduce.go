package replay

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ainfera-ai/router/host/internal/capture"
)

// A Reproduction is what deciding again came to. Every decided row reproduces, or something is wrong.
type Reproduction struct {
	Rows       int64       `json:"rows"` // in the time asked for
	Decided    int64       `json:"decided"`
	Reproduced int64       `json:"reproduced"`
	Differing  int64       `json:"differing"`
	Modules    int         `json:"modules"` // that decided
	Undecided  []Undecided `json:"undecided"`
}

// A Difference is a row that did not reproduce.
type Difference struct {
	OutcomeID     string `json:"outcome_id"`
	CreatedAt     string `json:"created_at"`
	PolicyVersion string `json:"policy_version"`
	PolicyModule  string `json:"policy_module"`
	Why           string `json:"why"`
}

// Reproduce decides every row again by the module that decided it, on the input it was decided on, and compares the
// bytes. Each row that does not give the same is told to differs, oldest first; an error of its ends the walk. A row whose
// module or bytes can't be had differs, too.
func Reproduce(ctx context.Context, cfg Config, differs func(Difference) error) (Reproduction, error) {
	var out Reproduction
	modules := newModules(&cfg)
	counted := tally{}
	r := run[string]{cfg: cfg,
		decide: func(ctx context.Context, d *capture.PastDecision) (string, error) { return again(ctx, modules, d) },
		fold: func(d *capture.PastDecision, why string) error {
			out.Rows++
			if undecided(d) {
				counted.add(d)
				return nil
			}
			out.Decided++
			if why == "" {
				out.Reproduced++
				return nil
			}
			out.Differing++
			return differs(Difference{d.ID, stamp(d.CreatedAt), d.PolicyVersion, d.PolicyModule, why})
		}}
	err := r.walk(ctx)
	out.Modules, out.Undecided = modules.count(), append([]Undecided{}, counted...)
	return out, err
}

// again decides a row as it was decided and says how what comes out differs; nothing, where it does not.
func again(ctx context.Context, modules *modules, d *capture.PastDecision) (why string, err error) {
	if d.Unreadable != nil {
		return d.Unreadable.Error(), nil
	}
	got, fault, err := modules.decide(ctx, d, d.Input)
	if err != nil {
		return "", err
	}
	if fault != nil {
		return fault.Error(), nil
	}
	return compare(got, d.Output), nil
}

func compare(got, recorded []byte) string {
	if bytes.Equal(got, recorded) {
		return ""
	}
	at := 0
	for at < len(got) && at < len(recorded) && got[at] == recorded[at] {
		at++
	}
	return fmt.Sprintf("decides otherwise from byte %d on: %q, recorded is %q", at, around(got, at), around(recorded, at))
}

// around shows a few bytes from a little before at.
func around(b []byte, at int) []byte {
	const before, after = 24, 40
	return b[max(0, min(at, len(b))-before):min(len(b), at+after)]
}
