package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/money"
)

// A choice is what a decision came to: the model's slug, empty for a refusal.
type choice struct {
	slug      string
	projected int64 // micro-USD
	survivors []string
	// price of the chosen model in the input's snapshot.
	in, out money.Price
}

// readChoice reads a decision against the input it was made on: a model that was not offered is no choice.
func readChoice(input, output []byte) (choice, error) {
	if !gjson.ValidBytes(output) {
		return choice{}, errors.New("the decision is not JSON")
	}
	d := gjson.ParseBytes(output)
	if reject := d.Get("is_reject"); !reject.IsBool() || reject.Bool() {
		if !reject.IsBool() {
			return choice{}, errors.New("the decision's is_reject is not true or false")
		}
		return choice{}, nil
	}
	c := choice{slug: d.Get("chosen_model_slug").String()}
	for _, s := range d.Get("fallback_order").Array() {
		c.survivors = append(c.survivors, s.String())
	}
	offered := false
	var err error
	gjson.GetBytes(input, "candidates").ForEach(func(_, m gjson.Result) bool {
		if offered = m.Get("model_slug").String() == c.slug; offered {
			c.in, err = money.ParsePrice(m.Get("price_in_per_mtok_usd").String())
			if err == nil {
				c.out, err = money.ParsePrice(m.Get("price_out_per_mtok_usd").String())
			}
		}
		return !offered
	})
	if !offered {
		return choice{}, fmt.Errorf("the decision chooses %q, which was not offered", c.slug)
	}
	if err != nil {
		return choice{}, fmt.Errorf("%s: %w", c.slug, err)
	}
	if c.projected, err = money.ParseMicro(d.Get("chosen_projected_cost_usd").String()); err != nil {
		return choice{}, fmt.Errorf("the decision's projected cost: %w", err)
	}
	return c, nil
}

// usage is a row's, as it is kept.
type usage struct {
	Input        int64 `json:"input_tokens"`
	Output       int64 `json:"output_tokens"`
	CacheRead    int64 `json:"cache_read_tokens"`
	CacheWrite   int64 `json:"cache_write_tokens"`
	CacheWrite1h int64 `json:"cache_write_1h_tokens"`
}

func (u *usage) cached() int64 { return u.CacheRead + u.CacheWrite + u.CacheWrite1h }

// price says what the row cost and would have cost. Where the same model would have served, that is the recorded cost to
// the last digit, prices of a cache, failovers and all.
func (v *verdict) price(d *capture.PastDecision) {
	cost, err := money.ParseMicro(d.CostActualUSD)
	if v.settled = settled(d) && err == nil; !v.settled {
		return
	}
	v.cost = cost
	if v.replayed.slug == "" {
		return
	}
	stays := v.recorded.slug == v.replayed.slug || d.Affinity && slices.Contains(v.replayed.survivors, d.ServedModelSlug)
	if stays {
		v.otherCost, v.priced = cost, true
		return
	}
	var u usage
	if json.Unmarshal([]byte(d.Usage), &u) != nil || v.replayed.in.IsZero() && v.replayed.out.IsZero() {
		return
	}
	var bill money.Bill
	bill.Add(u.Input+u.cached(), v.replayed.in)
	bill.Add(u.Output, v.replayed.out)
	v.otherCost, v.priced, v.cached = bill.Micro(), true, u.cached() > 0
}
