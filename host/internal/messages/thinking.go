package messages

import "github.com/tidwall/gjson"

// Types of the thinking field.
const (
	ThinkingEnabled  = "enabled"  // with a budget
	ThinkingAdaptive = "adaptive" // the model decides
	ThinkingDisabled = "disabled"
)

// Thinking is a body's thinking field.
type Thinking struct {
	Present      bool
	Type         string // one of the Thinking constants, or what a newer API calls it; empty where the field has none
	BudgetTokens int64  // of ThinkingEnabled
}

// Wanted says whether the caller asks for thinking. A field without a type asks for none: it says how the thinking of the
// history is to be taken, to models that think whether one asks or not.
func (t Thinking) Wanted() bool { return t.Type != "" && t.Type != ThinkingDisabled }

func (p *parser) thinking() error {
	v, err := p.value()
	if err != nil || p.kind(v) == 'n' {
		return err
	}
	raw := p.b[v.from:v.to]
	kind, budget := gjson.GetBytes(raw, "type"), gjson.GetBytes(raw, "budget_tokens")
	if raw[0] != '{' || kind.Exists() && kind.Type != gjson.String {
		return p.bad("expected an object with a type")
	}
	t := Thinking{Present: true, Type: kind.Str}
	if budget.Exists() && budget.Type != gjson.Null {
		n, ok := integer([]byte(budget.Raw))
		if !ok || n < 0 {
			return p.within("budget_tokens", func() error { return p.bad("expected a whole number of tokens, not negative") })
		}
		t.BudgetTokens = n
	}
	p.r.Thinking = t
	return nil
}
