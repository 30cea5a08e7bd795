package messages

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// Thinking is how much the caller wants the model to think. It is a wish: a model that can't is not asked, and the caller is
// told.
type Thinking struct {
	// Mode is enabled, adaptive, disabled, or "" where nothing is said.
	Mode string
	// Budget is the tokens that may go into it, null where nothing is said.
	Budget jscan.Value
	// Display is how the thoughts are to be shown; "omitted" is not at all.
	Display jscan.Value
	// Effort is the newer word for how much: low to max.
	Effort string
}

// ReadThinking reads the wish. What else the field thinking holds is listed.
func ReadThinking(thinking, outputConfig jscan.Value, out *sdk.Request) Thinking {
	w := Thinking{Effort: outputConfig.Get("effort").String()}
	for key, v := range thinking.Fields() {
		switch k := string(key); k {
		case "type":
			w.Mode = v.String()
		case "budget_tokens":
			w.Budget = v
		case "display":
			w.Display = v
		default:
			if !v.IsNull() {
				out.Dropped("thinking." + k)
			}
		}
	}
	return w
}

// Asked says that the caller wants thoughts at all.
func (w *Thinking) Asked() bool { return w.Mode == "enabled" || w.Mode == "adaptive" }

// Drop lists the wish, for a model that can't.
func (w *Thinking) Drop(out *sdk.Request) {
	if w.Asked() {
		out.Dropped("thinking")
	}
	w.DropEffort(out)
}

// DropEffort lists the effort alone.
func (w *Thinking) DropEffort(out *sdk.Request) {
	if w.Effort != "" {
		out.Dropped("output_config.effort")
	}
}

// Budgets from which on an effort is called medium and high.
const (
	mediumBudget = 4096
	highBudget   = 16384
)

// Level is the effort in the words that all vendors have, low, medium and high: what the caller calls more is high, and where a
// budget alone is given it goes by that. Other words are passed on; "" is no word at all.
func (w *Thinking) Level() string {
	switch {
	case w.Effort == "max", w.Effort == "xhigh":
		return "high"
	case w.Effort != "" || w.Mode != "enabled":
		return w.Effort
	}
	switch n := w.Budget.IntOr(mediumBudget); {
	case n < mediumBudget:
		return "low"
	case n < highBudget:
		return "medium"
	}
	return "high"
}
