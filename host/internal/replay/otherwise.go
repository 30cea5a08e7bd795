package replay

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
	"github.com/ainfera-ai/router/schema"
)

// A Replay is what would have changed. Its figures are exact, in micro-USD.
type Replay struct {
	Rows      int64       `json:"rows"` // in the time asked for
	Decided   int64       `json:"decided"`
	Identical int64       `json:"identical"` // decisions that came out byte for byte the same
	Undecided []Undecided `json:"undecided"`
	// Unreadable counts rows whose recorded module or bytes can't be had, Failed those that would not be decided at all.
	Unreadable int64 `json:"unreadable"`
	Failed     int64 `json:"failed"`
	// Why names the first few of both.
	Why []Difference `json:"why"`

	Total  Group   `json:"total"`
	Groups []Group `json:"groups"` // by cell and preference, as recorded
	Picks  []Pick  `json:"picks"`  // the most frequent first
}

// A Group adds up the rows of a cell and the preference that was asked for. Rows = Same + Other + Refused + Accepted +
// StillRefused.
type Group struct {
	Cell       string `json:"cell"`
	Preference string `json:"preference"`
	Rows       int64  `json:"rows"`
	Same       int64  `json:"same_pick"`
	Other      int64  `json:"other_pick"`
	// Refused would have been refused and were not, Accepted the other way round.
	Refused      int64 `json:"newly_refused"`
	Accepted     int64 `json:"no_longer_refused"`
	StillRefused int64 `json:"still_refused"`
	// Projected is of the rows that have a pick on both sides; Actual of those among them that were paid for.
	Projected Figure `json:"projected"`
	Actual    Figure `json:"actual"`
	// Spared is what the rows that would have been refused did cost.
	Spared Figure `json:"spared"`
	// Unpriced are paid rows with another pick whose cost there can't be had: no usage, or no price in the snapshot.
	Unpriced int64 `json:"unpriced"`
	// CachedInput are rows in Actual with another pick and tokens from or to a cache: the snapshot has no price of those,
	// so that they count at the price of input.
	CachedInput int64 `json:"cached_input"`
}

// A Figure is a sum of money as it was recorded and as it would have been, and over how many rows.
type Figure struct {
	Rows     int64 `json:"rows"`
	Recorded micro `json:"recorded_usd"`
	Replayed micro `json:"replayed_usd"`
}

// micro is micro-USD, in JSON a decimal string.
type micro int64

// MarshalText is USD with six places.
func (m micro) MarshalText() ([]byte, error) { return []byte(money.USD(int64(m))), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *micro) UnmarshalText(text []byte) error {
	n, err := money.ParseMicro(string(text))
	*m = micro(n)
	return err
}

func (m micro) String() string { return money.USD(int64(m)) }

func (f *Figure) add(recorded, replayed int64) {
	f.Rows++
	f.Recorded += micro(recorded)
	f.Replayed += micro(replayed)
}

// A Pick is a choice that would have been another. Nobody is the empty slug.
type Pick struct {
	From string `json:"from"`
	To   string `json:"to"`
	Rows int64  `json:"rows"`
}

// whyShown is how many rows Why names.
const whyShown = 10

// Otherwise decides every row again with the change and says what would have come of it. Of what the change does not name
// each row keeps its own: module, settings, candidates, caps.
//
// What it can't know: the length of the answer that another model would have given, so that the recorded usage is priced
// at that model's recorded prices; and whether it would have failed. A row that a session's affinity kept on a model is
// kept there as long as that model still survives.
func Otherwise(ctx context.Context, cfg Config, change *Change) (*Replay, error) {
	if change.Empty() {
		return nil, errors.New("nothing is asked to be otherwise")
	}
	modules := newModules(&cfg)
	f := &folding{groups: map[[2]string]*Group{}, picks: map[[2]string]int64{}}
	r := run[verdict]{cfg: cfg, fold: f.add,
		decide: func(ctx context.Context, d *capture.PastDecision) (verdict, error) {
			return otherwise(ctx, modules, change, d)
		}}
	if err := r.walk(ctx); err != nil {
		return nil, err
	}
	return f.result(), nil
}

// A verdict is a row decided again: the two choices, or why there are not two.
type verdict struct {
	recorded, replayed choice
	identical          bool
	unreadable, failed error
	// settled: the caller paid, cost. priced: otherCost is what it would have cost; cached: at the price of input, in part.
	settled, priced, cached bool
	cost, otherCost         int64
}

func otherwise(ctx context.Context, modules *modules, change *Change, d *capture.PastDecision) (v verdict, err error) {
	if v.unreadable = d.Unreadable; v.unreadable != nil {
		return v, nil
	}
	if v.recorded, v.unreadable = readChoice(d.Input, d.Output); v.unreadable != nil {
		return v, nil
	}
	module := change.Module
	if module == nil {
		if module, v.unreadable, err = modules.of(ctx, d, false); err != nil || v.unreadable != nil {
			return v, err
		}
	}
	manifest := module.Manifest()
	input, err := change.apply(d.Input, &manifest)
	if bad := (*settingError)(nil); errors.As(err, &bad) {
		return v, err
	}
	if v.unreadable = err; err != nil {
		return v, nil
	}
	var output []byte
	if change.Module == nil {
		output, v.failed, err = modules.decide(ctx, d, input)
	} else {
		output, _, v.failed = module.Decide(ctx, input)
		err = ended(ctx, "decide")
	}
	if err != nil || v.failed != nil {
		return v, err
	}
	if v.replayed, v.failed = readChoice(input, output); v.failed == nil {
		v.identical = string(output) == string(d.Output)
		v.price(d)
	}
	return v, nil
}

// folding adds verdicts up, in order, so that the report of the same rows is always the same.
type folding struct {
	out       Replay
	undecided tally
	groups    map[[2]string]*Group
	picks     map[[2]string]int64
}

func (f *folding) add(d *capture.PastDecision, v verdict) error {
	f.out.Rows++
	if undecided(d) {
		f.undecided.add(d)
		return nil
	}
	f.out.Decided++
	switch {
	case v.unreadable != nil:
		f.out.Unreadable++
		f.why(d, v.unreadable)
		return nil
	case v.failed != nil:
		f.out.Failed++
		f.why(d, v.failed)
		return nil
	case v.identical:
		f.out.Identical++
	}
	key := [2]string{d.Cell, d.RoutingPreference}
	g := f.groups[key]
	if g == nil {
		g = &Group{Cell: d.Cell, Preference: d.RoutingPreference}
		f.groups[key] = g
	}
	g.add(&v)
	f.out.Total.add(&v)
	if v.recorded.slug != v.replayed.slug {
		f.picks[[2]string{v.recorded.slug, v.replayed.slug}]++
	}
	return nil
}

func (f *folding) why(d *capture.PastDecision, err error) {
	if len(f.out.Why) < whyShown {
		f.out.Why = append(f.out.Why, Difference{d.ID, stamp(d.CreatedAt), d.PolicyVersion, d.PolicyModule, err.Error()})
	}
}

func (g *Group) add(v *verdict) {
	g.Rows++
	switch was, is := v.recorded.slug, v.replayed.slug; {
	case was == "" && is == "":
		g.StillRefused++
		return
	case was == "":
		g.Accepted++
		return
	case is == "":
		g.Refused++
		if v.settled {
			g.Spared.add(v.cost, 0)
		}
		return
	case was == is:
		g.Same++
	default:
		g.Other++
	}
	g.Projected.add(v.recorded.projected, v.replayed.projected)
	if !v.settled {
		return
	}
	if !v.priced {
		g.Unpriced++
		return
	}
	g.Actual.add(v.cost, v.otherCost)
	if v.cached {
		g.CachedInput++
	}
}

func (f *folding) result() *Replay {
	out := &f.out
	out.Undecided = append([]Undecided{}, f.undecided...)
	out.Why = append([]Difference{}, out.Why...)
	out.Groups, out.Picks = []Group{}, []Pick{}
	for _, g := range f.groups {
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Preference, b.Preference))
	})
	for p, n := range f.picks {
		out.Picks = append(out.Picks, Pick{p[0], p[1], n})
	}
	slices.SortFunc(out.Picks, func(a, b Pick) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}

// settled reports whether the caller paid for the call.
func settled(d *capture.PastDecision) bool {
	return d.OutcomeStatus == schema.StatusSucceeded || d.OutcomeStatus == schema.StatusCancelledClient
}
