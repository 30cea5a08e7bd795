package main

import (
	"slices"

	"github.com/ainfera-ai/router/sdk/decimal"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// append writes the decision, its keys in the order of code points and nothing between the tokens.
func (e *engine) append(b []byte) []byte {
	const likelyBytes = 320 // of one candidate
	b = slices.Grow(b, (1+len(e.order))*likelyBytes)
	b = append(b, `{"candidates":[`...)
	for rank, p := range e.order {
		b = e.appendCandidate(jwrite.AppendComma(b), &e.candidates[p.of], rank)
	}
	b = append(b, `],"chosen_model_slug":`...)
	if e.alive > 0 {
		winner := &e.candidates[e.order[0].of]
		b = appendGiven(b, winner.given[givenSlug])
		b = append(b, `,"chosen_projected_cost_usd":`...)
		b = appendDecimal(b, winner.cost)
	} else {
		b = append(b, `null,"chosen_projected_cost_usd":null`...)
	}
	b = append(b, `,"fallback_order":[`...)
	for _, p := range e.order[:e.alive] {
		b = appendGiven(jwrite.AppendComma(b), e.candidates[p.of].given[givenSlug])
	}
	b = append(b, `],"is_reject":`...)
	b = jwrite.AppendBool(b, e.alive == 0)
	b = append(b, `,"policy_name":`...)
	b = appendGiven(b, e.policyName)
	b = append(b, `,"policy_semver":"`+semver+`","rule_fired":"`...)
	b = append(b, e.ruleFired()...)
	b = append(b, `","ruleset_hash":"`...)
	b = append(b, e.rules().hash()...)
	return append(b, `"}`...)
}

func (e *engine) appendCandidate(b []byte, c *candidate, rank int) []byte {
	b = appendGiven(append(b, `{"brand_slug":`...), c.given[givenBrand])
	b = append(b, `,"drop_reason":`...)
	if c.drop == survives {
		b = jwrite.AppendNull(b)
	} else {
		b = append(append(append(b, '"'), dropNames[c.drop]...), '"')
	}
	b = jwrite.AppendRaw(append(b, `,"m_allowed":`...), c.given[givenAllowed])
	b = appendGiven(append(b, `,"model_id":`...), c.given[givenID])
	b = appendGiven(append(b, `,"model_slug":`...), c.given[givenSlug])
	b = jwrite.AppendRaw(append(b, `,"price_in_per_mtok_usd":`...), c.given[givenPriceIn])
	b = jwrite.AppendRaw(append(b, `,"price_out_per_mtok_usd":`...), c.given[givenPriceOut])
	b = append(b, `,"projected_cost_usd":`...)
	if c.priced {
		b = appendDecimal(b, c.cost)
	} else {
		b = jwrite.AppendNull(b)
	}
	b = jwrite.AppendRaw(append(b, `,"q_prior":`...), c.given[givenQPrior])
	b = append(b, `,"rank":`...)
	if c.drop == survives {
		b = jwrite.AppendInt(b, rank)
	} else {
		b = jwrite.AppendNull(b)
	}
	return append(b, '}')
}

// appendGiven writes text as it was given, with the escapes of the canonical form, and as null what was absent. Decimals
// and booleans have no escapes, or they would not have been read: AppendRaw does.
func appendGiven(b []byte, v jscan.Value) []byte {
	if v.Kind() == jscan.String && !v.IsPlain() {
		return jwrite.AppendString(b, v.Bytes(nil))
	}
	return jwrite.AppendRaw(b, v)
}

func appendDecimal(b []byte, d decimal.Decimal) []byte {
	return append(d.Append(append(b, '"')), '"')
}
