package main

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/ainfera-ai/router/sdk/decimal"
)

// semver is the version of the rules: policy_semver in every decision, and part of what ruleset_hash hashes.
const semver = "1.0.0"

// An engine decides. It keeps its buffers between calls and is not safe for concurrent use.
type engine struct {
	input
	order []place // candidates as the output lists them
	alive int     // how many of order are survivors, all at its front
}

// A place is a candidate by its index, with the first thing that it is sorted by; see rank.
type place struct {
	key uint64
	of  int32
}

// likelyCandidates is how many there is room for before any is seen. A decision runs on an instance rewound to its start:
// what is allocated then is there for every call and, until it is written, costs no memory; what is not would be allocated
// by each.
const likelyCandidates = 256

func newEngine() *engine {
	return &engine{
		input: input{candidates: make([]candidate, 0, likelyCandidates)},
		order: make([]place, 0, likelyCandidates),
	}
}

// Decide appends the decision on an input, canonical JSON, to out. An error says which part of the input is malformed
// and how; out is then as it was.
func (e *engine) Decide(in, out []byte) ([]byte, error) {
	if err := e.read(in); err != nil {
		return out, err
	}
	for i := range e.candidates {
		c := &e.candidates[i]
		if err := e.derive(c); err != nil {
			return out, errors.New("candidates[" + strconv.Itoa(i) + "]: " + err.Error())
		}
		c.drop = e.gate(c)
	}
	e.rank()
	return e.append(out), nil
}

// A drop is the reason for which a candidate is not a survivor. They are in the order of their names, which is how the
// output lists the dropped.
type drop uint8

const (
	survives drop = iota
	belowAgenticFloor
	belowQualityFloor
	exceedsBudgetCap
	exceedsLatencyCap
	allowedVeto
	noPrice
	noQPrior
)

var dropNames = [...]string{
	belowAgenticFloor: "below_agentic_floor",
	belowQualityFloor: "below_quality_floor",
	exceedsBudgetCap:  "exceeds_budget_cap",
	exceedsLatencyCap: "exceeds_latency_cap",
	allowedVeto:       "m_allowed_veto",
	noPrice:           "not_enrolled_no_price",
	noQPrior:          "not_enrolled_no_q_prior",
}

// enrolled reports whether a candidate dropped for d was one in the first place: a gate of the caller's policy, rather
// than one of the catalogue, dropped it.
func (d drop) enrolled() bool { return d >= belowAgenticFloor && d <= exceedsLatencyCap }

var errCostTooLarge = errors.New("the projected cost has more than 28 digits")

// derive fills in what gates and rank go by.
func (e *engine) derive(c *candidate) error {
	if c.priced = c.priceIn.positive() && c.priceOut.positive(); !c.priced {
		return nil
	}
	var ok bool
	if c.cost, ok = projectedCost(e.inTokens, e.maxTokens, c.priceIn.Decimal, c.priceOut.Decimal); !ok {
		return errCostTooLarge
	}
	c.total = c.priceIn.Add(c.priceOut.Decimal)
	c.orderPrice = c.total
	if p, ok := e.makerPenalty.get(c.brand); ok && p.Sign() > 0 {
		c.orderPrice = c.total.Mul(one.Add(p))
	}
	c.q = c.qPrior.Decimal
	if q, ok := e.qEmpirical.get(c.slug); ok {
		c.q = q
	}
	if e.expectedCost && c.q.Sign() > 0 {
		c.orderPrice, c.finite = c.orderPrice.Quo(c.q)
	}
	return nil
}

var one = decimal.New(1, 0)

// projectedCost is what the call costs if the model answers at full length, in USD to six places: each product is
// rounded to 28 digits, then the sum to the places. ok is false when it doesn't fit.
func projectedCost(inTokens, maxTokens, priceIn, priceOut decimal.Decimal) (cost decimal.Decimal, ok bool) {
	in := inTokens.Mul(priceIn).Scale(-6) // prices are per million tokens
	out := maxTokens.Mul(priceOut).Scale(-6)
	return in.Add(out).Quantize(-6)
}

// gate puts a candidate through the gates in their order. Equality passes, and so does a latency or an agentic index
// that nobody knows.
func (e *engine) gate(c *candidate) drop {
	switch {
	case !c.priced:
		return noPrice
	case !c.qPrior.known:
		return noQPrior
	case !c.allowed:
		return allowedVeto
	case e.floorValue(c).Less(e.minQuality):
		return belowQualityFloor
	case e.budgetCap.known && e.budgetCap.Less(c.cost):
		return exceedsBudgetCap
	case e.latencyCap.known && c.latency.known && e.latencyCap.Less(c.latency.Decimal):
		return exceedsLatencyCap
	case e.agenticFloor.known && c.agentic.known && c.agentic.value < e.agenticFloor.value:
		return belowAgenticFloor
	}
	return survives
}

// floorValue is the quality that the floor is compared with. Serving compares what the catalogue says, or a learned
// floor, so that what was learned of a model reorders but does not drop.
func (e *engine) floorValue(c *candidate) decimal.Decimal {
	if !e.floorOnQPrior {
		return c.q
	}
	if q, ok := e.qualityFloor.get(c.slug); ok {
		return q
	}
	return c.qPrior.Decimal
}

// rank puts the candidates in the order of the output: survivors by rank, then the dropped by reason and slug; and
// where nobody survives, as they came.
func (e *engine) rank() {
	e.order, e.alive = e.order[:0], 0
	for i := range e.candidates {
		c := &e.candidates[i]
		e.order = append(e.order, place{key: e.key(c), of: int32(i)})
		if c.drop == survives {
			e.alive++
		}
	}
	if e.alive > 0 {
		slices.SortFunc(e.order, func(p, q place) int {
			if p.key != q.key {
				return cmp.Compare(p.key, q.key)
			}
			return e.compare(p.of, q.of)
		})
	}
}

// Of a key: the reason is in the highest byte, which leaves seven.
const (
	reasonShift = 56
	highestKey  = 1<<reasonShift - 1
	priceUnit   = -9 // the exponent: a billionth of a dollar
)

// key is never higher for a candidate than for one that comes after it: the reason, then a survivor's price in whole
// units, or the first bytes of a slug. Two numbers are compared for a tenth of what two candidates take, and few pairs
// need more; where keys are equal, compare decides.
func (e *engine) key(c *candidate) uint64 {
	if c.drop == survives {
		units, ok := c.orderPrice.Units(priceUnit)
		if !ok || units > highestKey || e.expectedCost && !c.finite {
			return highestKey
		}
		return units
	}
	key := uint64(c.drop) << reasonShift
	for i := range min(len(c.slug), reasonShift/8) {
		key |= uint64(c.slug[i]) << (reasonShift - 8 - 8*i)
	}
	return key
}

// compare orders two candidates for the output, the place in the input last, so that no two are equal.
func (e *engine) compare(i, j int32) int {
	a, b := &e.candidates[i], &e.candidates[j]
	if a.drop != b.drop {
		return int(a.drop) - int(b.drop)
	}
	if a.drop == survives {
		if n := e.compareSurvivors(a, b); n != 0 {
			return n
		}
	}
	if n := bytes.Compare(a.slug, b.slug); n != 0 {
		return n
	}
	return int(i - j)
}

func (e *engine) compareSurvivors(a, b *candidate) int {
	if !e.expectedCost {
		if n := a.orderPrice.Cmp(b.orderPrice); n != 0 {
			return n
		}
		return b.q.Cmp(a.q)
	}
	switch {
	case a.finite && b.finite:
		return a.orderPrice.Cmp(b.orderPrice)
	case a.finite:
		return -1
	case b.finite:
		return 1
	}
	return 0
}

// ruleFired names the rule that made the decision.
func (e *engine) ruleFired() string {
	if e.alive == 0 {
		for i := range e.candidates {
			if e.candidates[i].drop.enrolled() {
				return "no_candidate_clears_floor"
			}
		}
		return "no_candidate_enrolled"
	}
	winner := &e.candidates[e.order[0].of]
	for i := range e.candidates {
		c := &e.candidates[i]
		if c.drop == allowedVeto && c.total.Less(winner.total) && !c.qPrior.Less(e.minQuality) {
			return "m_allowed_veto_applied"
		}
	}
	return "cheapest_clearing_floor"
}
