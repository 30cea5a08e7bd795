package route

import "fmt"

// Counter is the entry whose vendor may count a request's tokens: the one that was named, or for a target the cheapest
// that is enrolled and can take what the request holds. It is nil where there is nobody. No policy is asked: nothing is
// spent and nothing chosen. The error is a *Refusal.
func (r *Router) Counter(c *Call) (*Entry, error) {
	target, alias := r.cfg.Catalogue.target(c.Model)
	if target == nil {
		e := r.cfg.Catalogue.byName[c.Model]
		if e == nil {
			return nil, r.unknown(c.Model)
		}
		return e, nil
	}
	if alias != "" {
		if r.expired(target) {
			return nil, expiredAlias(alias, target)
		}
		r.cfg.AliasHit(alias, target.Name)
	}
	var cheapest *Entry
	for _, e := range r.cfg.Catalogue.live {
		if r.cfg.Catalogue.Routable(e) != "routable" || !e.meetsAll(c) {
			continue
		}
		if cheapest == nil || e.total().Cmp(cheapest.total()) < 0 || e.total().Cmp(cheapest.total()) == 0 && e.Slug < cheapest.Slug {
			cheapest = e
		}
	}
	return cheapest, nil
}

func (e *Entry) meetsAll(c *Call) bool {
	for _, need := range needsOf(c) {
		if !e.meets(need) {
			return false
		}
	}
	return true
}

func expiredAlias(alias string, t *Target) *Refusal {
	return &Refusal{Code: CodeAliasExpired, Message: fmt.Sprintf("model %q was an old name of %q and is no longer served: ask for %q", clip(alias), t.Name, t.Name)}
}
