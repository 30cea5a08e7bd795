// Command frugal is a policy: of the models that may be used, clear the quality floor and fit the budget, the cheapest.
//
// A policy is a function: the same input gives the same bytes, whoever asks and whenever, so that anyone can decide again and
// compare. There is no clock, no luck and no memory of the call before. Change decide, put inputs into testdata, and run
// `ainfera plugin test`; `ainfera policy decide --module` takes inputs of its own.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/decimal"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/policy"
)

const version = "0.1.0"

var manifest = sdk.Manifest{Name: "frugal", Version: version}

// rules is what decide does, in words. Its hash goes with every decision, so that decisions by other rules can be told apart:
// change it when you change them.
const rules = "m_allowed is true; both prices are above zero; q_prior is min_quality or more; within budget_cap_usd; cheapest for the request's tokens; then the better; then by name"

var rulesetHash = func() string {
	sum := sha256.Sum256([]byte(rules))
	return hex.EncodeToString(sum[:4])
}()

func init() { policy.Serve(manifest, cheapest{}) }

func main() {} // never runs: the host calls the exports

type cheapest struct{}

var _ sdk.Policy = cheapest{}

// A candidate is a model that may serve the request.
type candidate struct {
	slug    string
	quality decimal.Decimal
	cost    decimal.Decimal // of the whole request, in USD
}

// Decide appends the decision on input to out. An error is a decision that failed: the host says so to its operator.
func (cheapest) Decide(input, out []byte) ([]byte, error) {
	doc, err := jscan.Parse(input)
	if err != nil {
		return nil, err
	}
	survivors, err := survivorsOf(doc)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(survivors, func(a, b candidate) int {
		if order := a.cost.Cmp(b.cost); order != 0 {
			return order
		}
		if order := b.quality.Cmp(a.quality); order != 0 {
			return order
		}
		return strings.Compare(a.slug, b.slug)
	})
	return appendDecision(out, survivors, doc.Get("policy").Get("policy_name")), nil
}

// survivorsOf are the candidates that pass every gate.
func survivorsOf(doc jscan.Value) ([]candidate, error) {
	floor, ok := number(doc.Get("policy").Get("min_quality"))
	if !ok {
		return nil, errors.New("policy.min_quality is no number")
	}
	request := doc.Get("request")
	tokensIn := decimal.New(request.Get("estimated_input_tokens").IntOr(0), -6) // prices are for a million
	tokensOut := decimal.New(request.Get("reserved_max_tokens").IntOr(0), -6)
	budget, capped := number(doc.Get("policy").Get("budget_cap_usd"))
	var list []candidate
	for c := range doc.Get("candidates").Items() {
		quality, known := number(c.Get("q_prior"))
		in, okIn := number(c.Get("price_in_per_mtok_usd"))
		out, okOut := number(c.Get("price_out_per_mtok_usd"))
		priced := okIn && okOut && in.Sign() > 0 && out.Sign() > 0
		if !c.Get("m_allowed").Bool() || !priced || !known || quality.Less(floor) {
			continue
		}
		cost := in.Mul(tokensIn).Add(out.Mul(tokensOut))
		if capped && budget.Less(cost) {
			continue
		}
		list = append(list, candidate{c.Get("model_slug").String(), quality, cost})
	}
	return list, nil
}

// appendDecision writes canonical JSON: the keys in the order of code points, no white space.
func appendDecision(b []byte, survivors []candidate, name jscan.Value) []byte {
	rule := "cheapest_clearing_floor"
	b = append(b, `{"chosen_model_slug":`...)
	if len(survivors) == 0 {
		rule = "no_candidate_clears_floor"
		b = append(b, `null,"chosen_projected_cost_usd":null`...)
	} else {
		b = jwrite.AppendString(b, survivors[0].slug)
		b = survivors[0].cost.Append(append(b, `,"chosen_projected_cost_usd":"`...))
		b = append(b, '"')
	}
	b = append(b, `,"fallback_order":[`...)
	for _, c := range survivors {
		b = jwrite.AppendString(jwrite.AppendComma(b), c.slug)
	}
	b = jwrite.AppendBool(append(b, `],"is_reject":`...), len(survivors) == 0)
	b = jwrite.AppendRaw(append(b, `,"policy_name":`...), name)
	b = append(b, `,"policy_semver":"`+version+`","rule_fired":"`...)
	return append(append(append(b, rule...), `","ruleset_hash":"`...), rulesetHash+`"}`...)
}

// number is a decimal that is written as a string, or as a JSON number.
func number(v jscan.Value) (decimal.Decimal, bool) {
	text := []byte(v)
	if v.Kind() == jscan.String {
		text = v.Bytes(nil)
	}
	d, err := decimal.Parse(text)
	return d, err == nil
}
