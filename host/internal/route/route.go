package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/ainfera-ai/router/host/internal/money"
)

// Config is what a Router is made of. All of it is needed.
type Config struct {
	Catalogue   *Catalogue
	Preferences []*Preference // balanced among them
	MinQuality  string        // where neither hints nor task type give one
	// PreferenceLive is asked at every call whether the preference dial is on.
	PreferenceLive  func() bool
	SessionAffinity bool
	Health          *Health
	Affinity        *Affinity
	Now             func() time.Time
	// AliasHit is told of every use of an old name, for the log and the counter.
	AliasHit func(legacy, canonical string)
}

// Balanced is the preference that everything else falls back to.
const Balanced = "balanced"

// gated are the names that need the operator's word before they do anything of their own.
var gated = map[string]bool{"quality": true, "cost": true}

// A Router decides. It holds no call's state and is safe for concurrent use; a reload makes another.
type Router struct {
	cfg    Config
	prefs  map[string]*Preference
	health *Health
}

// New checks that every preference has a policy and that there is a balanced one.
func New(cfg Config) (*Router, error) {
	r := &Router{cfg: cfg, prefs: map[string]*Preference{}, health: cfg.Health}
	for _, p := range cfg.Preferences {
		if p.Decider == nil {
			return nil, fmt.Errorf("preference %q has no policy", p.Name)
		}
		r.prefs[p.Name] = p
	}
	if r.prefs[Balanced] == nil {
		return nil, errors.New(`there is no preference "balanced"`)
	}
	return r, nil
}

// Catalogue is what the router chooses from.
func (r *Router) Catalogue() *Catalogue { return r.cfg.Catalogue }

// IsRouted reports whether the model's name is a target or an alias of one.
func (r *Router) IsRouted(model string) bool {
	t, _ := r.cfg.Catalogue.target(model)
	return t != nil
}

// Canonical is the target that a routed name stands for; empty for every other.
func (r *Router) Canonical(model string) string {
	if t, _ := r.cfg.Catalogue.target(model); t != nil {
		return t.Name
	}
	return ""
}

// Route says who may serve the call. The error is a *Refusal.
func (r *Router) Route(ctx context.Context, c *Call) (*Plan, error) {
	target, alias := r.cfg.Catalogue.target(c.Model)
	if target == nil {
		return r.pinned(c)
	}
	if alias != "" {
		if r.expired(target) {
			return nil, expiredAlias(alias, target)
		}
		r.cfg.AliasHit(alias, target.Name)
	}
	p := &Plan{Routed: true, Target: target.Name, Alias: alias}
	if err := p.gather(c, target, r.cfg.MinQuality); err != nil {
		return nil, err
	}
	pref := r.preference(p)
	p.Cell = cellOf(p.TaskType, "", pref.Name)
	if r.cfg.SessionAffinity {
		p.sessionModel = r.cfg.Affinity.Last(SessionKey(c.AgentID, c.Session))
	}
	able, refusal := r.able(c, p)
	if refusal != nil {
		refusal.Plan = p
		return nil, refusal
	}
	survivors, err := r.ask(ctx, c, p, pref, able)
	if err != nil {
		return nil, err
	}
	p.Cell = cellOf(p.TaskType, p.Decision.Chosen, pref.Name)
	r.arrange(c, p, survivors)
	return p, nil
}

// pinned is the plan of a call that named its model: no policy, the same needs.
func (r *Router) pinned(c *Call) (*Plan, error) {
	e := r.cfg.Catalogue.byName[c.Model]
	if e == nil {
		return nil, r.unknown(c.Model)
	}
	switch {
	case !r.cfg.Catalogue.hasLive(e):
		return nil, unavailable(e, "is in the catalogue, but no provider of it has credentials here")
	case e.Prices == nil:
		return nil, unavailable(e, "has no price, so a call to it can't be accounted for")
	}
	one := []*Entry{e}
	for _, need := range needsOf(c) {
		if !e.meets(need) {
			return nil, refusalForNeed(need, one, true)
		}
	}
	if !fits(c, e) {
		return nil, tooLarge(c, one)
	}
	p := &Plan{}
	// A preference or a floor says nothing to a call that chose for itself; hints out of range are still refused.
	if err := p.gather(c, &Target{}, r.cfg.MinQuality); err != nil {
		return nil, err
	}
	p.Candidates = []Candidate{candidate(c, e)}
	return p, nil
}

// unknown names the nearest models that are known.
func (r *Router) unknown(model string) *Refusal {
	near := r.cfg.Catalogue.nearest(model)
	msg := fmt.Sprintf("model: %q is not known here", clip(model))
	if len(near) > 0 {
		msg += "; the nearest known are " + strings.Join(near, ", ")
	}
	return &Refusal{Code: CodeUnknownModel, Message: msg}
}

// gather reads the hints, strongest first, and settles the floor.
func (p *Plan) gather(c *Call, t *Target, minQuality string) error {
	body, err := bodyHints(c.RoutingHint, c.TaskType)
	if err != nil {
		return err
	}
	header, err := headerHints(c.Header)
	if err != nil {
		return err
	}
	asked := body.under(header)
	p.hints = asked.under(t.Defaults).under(c.AgentDefaults)
	p.explicit = asked.MinQuality != ""
	p.Hint = asked.record()
	p.Tags = p.hints.Tags
	p.TaskType = p.hints.TaskType
	p.Preference = asked.Preference
	switch {
	case p.hints.MinQuality != "":
		p.minQuality = p.hints.MinQuality
	case taskFloors[p.TaskType] != "":
		p.minQuality = taskFloors[p.TaskType]
	default:
		p.minQuality = minQuality
	}
	return nil
}

// preference is the binding that serves: the one asked for when it exists and, if it is gated, the gate is open.
func (r *Router) preference(p *Plan) *Preference {
	name := p.hints.Preference
	if pref := r.prefs[name]; pref != nil && (!gated[name] || r.cfg.PreferenceLive()) {
		return pref
	}
	return r.prefs[Balanced]
}

// able are the live entries that can take what the request needs, in catalogue order.
func (r *Router) able(c *Call, p *Plan) ([]*Entry, *Refusal) {
	left := r.cfg.Catalogue.live
	if len(left) == 0 {
		return nil, nil // the policy says that nobody is enrolled
	}
	for _, need := range needsOf(c) {
		asked := left
		left = p.keep(asked, "no_"+string(need), func(e *Entry) bool { return e.meets(need) })
		if len(left) == 0 {
			return nil, refusalForNeed(need, asked, false)
		}
	}
	asked := left
	left = p.keep(asked, "does_not_fit", func(e *Entry) bool { return fits(c, e) })
	if len(left) == 0 {
		return nil, tooLarge(c, asked)
	}
	return left, nil
}

// ask puts the question to the policy: to those who can think first, where the caller wishes for it. It returns the
// survivors in the policy's order, the chosen one first.
func (r *Router) ask(ctx context.Context, c *Call, p *Plan, pref *Preference, able []*Entry) ([]*Entry, error) {
	budget, capped := p.budget(c)
	rounds := [][]*Entry{able}
	if c.WantsThinking {
		before := len(p.excluded)
		if thinkers := p.keep(able, "no_thinking", func(e *Entry) bool { return e.CanThink }); len(thinkers) > 0 && len(thinkers) < len(able) {
			rounds = [][]*Entry{thinkers, able}
		} else {
			p.excluded = p.excluded[:before]
		}
	}
	for i, entries := range rounds {
		if i > 0 {
			p.excluded = p.excluded[:len(p.excluded)-(len(able)-len(rounds[0]))] // they are back in
		}
		d, err := r.decide(ctx, pref, r.inputFor(c, p, pref, entries, budget), entries)
		p.Decision = d
		if err != nil {
			return nil, &Refusal{Code: CodePolicyFailed, Message: "the routing policy failed; the operator has been told", Err: err, Plan: p}
		}
		if !d.Reject {
			return pick(entries, d.Fallback), nil
		}
	}
	if capped != "" && r.wouldServe(ctx, c, p, pref, able) {
		return nil, capRefusal(capped, p)
	}
	return nil, &Refusal{Code: CodeFloor, Plan: p, Message: floorMessage(p, len(able))}
}

// budget is the lower of the caller's own and the agent's caps, as the decision takes it; capped names the cap that was
// the lower, or is empty where the caller's own budget decides.
func (p *Plan) budget(c *Call) (budget, capped string) {
	budget = p.hints.BudgetUSD
	limit, has := int64(0), false
	if c.PerCallMicroUSD != nil {
		limit, has, capped = *c.PerCallMicroUSD, true, CodePerCallCap
	}
	if c.DayLeftMicroUSD != nil && (!has || *c.DayLeftMicroUSD < limit) {
		limit, has, capped = *c.DayLeftMicroUSD, true, CodeDailyCap
	}
	if !has {
		return budget, ""
	}
	limitUSD := money.USD(max(limit, 0))
	if budget != "" && lessOrEqual(budget, limitUSD) {
		return budget, ""
	}
	return limitUSD, capped
}

// wouldServe asks again under the caller's own budget alone: the answer tells a cap from a floor.
func (r *Router) wouldServe(ctx context.Context, c *Call, p *Plan, pref *Preference, able []*Entry) bool {
	d, err := r.decide(ctx, pref, r.inputFor(c, p, pref, able, p.hints.BudgetUSD), able)
	return err == nil && !d.Reject
}

func capRefusal(code string, p *Plan) *Refusal {
	msg := "every model that would serve costs more than this agent may spend on one call"
	if code == CodeDailyCap {
		msg = "every model that would serve costs more than what is left of this agent's daily cap; it starts anew at 00:00 UTC"
	}
	return &Refusal{Code: code, Message: msg, Plan: p}
}

func floorMessage(p *Plan, n int) string {
	if n == 0 {
		return "no model is enrolled: no provider has credentials here"
	}
	if p.Decision.Rule == "no_candidate_enrolled" {
		return "none of the models here is enrolled for routing: they lack a price, a quality, or the operator's leave"
	}
	return fmt.Sprintf("none of %d models clears the floor (min_quality %s, budget %s, latency cap %s)", n, p.minQuality, orNone(p.hints.BudgetUSD), capMS(p.hints.LatencyMS))
}

// arrange lets affinity choose among the survivors and makes each of them a candidate.
func (r *Router) arrange(c *Call, p *Plan, survivors []*Entry) {
	prefer := r.cfg.Affinity.Last(SignatureKey(c.AgentID, c.Signature))
	if prefer == "" {
		prefer = p.sessionModel
	}
	for i, e := range survivors {
		if e.Slug == prefer && i > 0 {
			copy(survivors[1:i+1], survivors[:i])
			survivors[0] = e
			p.Affinity = true
			break
		}
	}
	dearest := money.Price{}
	for _, e := range survivors {
		if total := e.total(); p.Baseline == nil || total.Cmp(dearest) > 0 {
			dearest, p.Baseline, p.BaselineMicroUSD = total, e, project(c, e)
		}
		p.Candidates = append(p.Candidates, candidate(c, e))
	}
}

// total is what the entry's tokens cost together, in and out weighted equally. It must have prices.
func (e *Entry) total() money.Price { return e.Prices.Input.Add(e.Prices.Output) }

func candidate(c *Call, e *Entry) Candidate {
	out := c.MaxTokens
	if e.MaxOutput > 0 && (out == 0 || out > e.MaxOutput) {
		out = e.MaxOutput
	}
	return Candidate{Entry: e, MaxTokens: out, DropThinking: c.WantsThinking && !e.CanThink, HoldMicroUSD: project(c, e)}
}

// Served tells the router what a call taught: the session's model, the signature's issuer, the time to first token.
func (r *Router) Served(c *Call, slug, signature string, ttft time.Duration) {
	r.cfg.Affinity.Keep(SessionKey(c.AgentID, c.Session), slug)
	r.cfg.Affinity.Keep(SignatureKey(c.AgentID, signature), slug)
	if ttft > 0 {
		r.health.ObserveTTFT(slug, ttft)
	}
}

// Issuer is the model known to have made a thinking signature, given its hash; empty where it isn't known.
func (r *Router) Issuer(agentID, signature string) string {
	return r.cfg.Affinity.Last(SignatureKey(agentID, signature))
}

func (r *Router) expired(t *Target) bool {
	return t.AliasesUntil != "" && r.cfg.Now().UTC().Format("2006-01-02") > t.AliasesUntil
}

func cellOf(task, model, band string) string {
	if task == "" {
		task = "general"
	}
	if model == "" {
		model = "none"
	}
	return task + ":" + model + ":" + band
}

func lessOrEqual(a, b string) bool {
	x, _, err1 := apd.NewFromString(a)
	y, _, err2 := apd.NewFromString(b)
	return err1 == nil && err2 == nil && x.Cmp(y) <= 0
}

func pick(entries []*Entry, slugs []string) []*Entry {
	by := make(map[string]*Entry, len(entries))
	for _, e := range entries {
		by[e.Slug] = e
	}
	out := make([]*Entry, len(slugs))
	for i, s := range slugs {
		out[i] = by[s]
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s + " USD"
}

func capMS(n int) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("%d ms", n)
}
