package messages

import (
	"strconv"

	"github.com/tidwall/gjson"
)

const (
	defaultBudget = 8192 // tokens, of an adaptive call that is turned into one with a budget
	minBudget     = 1024 // the API's own minimum
)

// strip takes out the thinking blocks that foreign says must go, and says whether any of the last assistant turn went.
// A message that is left without a block goes as a whole, since an empty one is refused.
func (e *editor) strip(foreign func([]byte) bool) (lastTurn bool) {
	if foreign == nil {
		return false
	}
	emptied := map[int]bool{}
	for _, t := range e.r.thoughts {
		gone := make(map[int]bool, len(t.marked))
		for i, n := range t.marked {
			if foreign(e.r.Signatures[t.first+i]) {
				gone[n] = true
			}
		}
		if len(gone) == 0 {
			continue
		}
		lastTurn = t.message >= e.r.Messages-2
		if len(gone) == len(t.blocks) {
			emptied[t.message] = true
			e.note("messages."+strconv.Itoa(t.message), Removed)
			continue
		}
		e.cuts.removeFrom(len(t.blocks), func(i int) element { return t.blocks[i] }, func(i int) bool { return gone[i] })
		for _, n := range t.marked {
			if gone[n] {
				e.note("messages."+strconv.Itoa(t.message)+".content."+strconv.Itoa(n), Removed)
			}
		}
	}
	e.cuts.removeFrom(len(e.r.messages), func(i int) element { return e.r.messages[i] }, func(i int) bool { return emptied[i] })
	return lastTurn
}

func (e *editor) note(field string, how Action) { e.edits = append(e.edits, Edit{field, how}) }

// thinking puts the field into the form that the model takes. limit is max_tokens, 0 where there is none; stripped says
// that the last assistant turn has lost thinking blocks.
func (e *editor) thinking(s EditSpec, limit int64, stripped bool) {
	t, form := e.r.Thinking, s.Thinking
	if !t.Wanted() {
		if t.Present && form == NoThinking {
			e.remove("thinking")
		}
		return
	}
	budget := t.BudgetTokens
	switch {
	case form == NoThinking:
		e.noThinking()
		return
	case form == AdaptiveOnly && t.Type != ThinkingAdaptive:
		e.set("thinking", thinkingField(ThinkingAdaptive, 0, e.r.Raw("thinking")), Set)
		return
	case form == BudgetOnly && t.Type != ThinkingEnabled:
		budget = defaultBudget
	case t.Type != ThinkingEnabled:
		return
	}
	// With a budget the API insists that a tool loop's last assistant turn begins with thinking. When that has been taken
	// out, the call would be refused; without thinking it is answered.
	if stripped && e.r.EndsInToolResult {
		e.noThinking()
		return
	}
	// The budget must leave room below max_tokens. Where neither is ours, the vendor is the one to say so.
	how := Set
	if _, ours := e.find("max_tokens"); limit > 0 && budget >= limit && (ours || s.Foreign || t.Type != ThinkingEnabled) {
		budget, how = max(minBudget, limit/2), Lowered
		if budget >= limit {
			e.noThinking()
			return
		}
	}
	if t.Type != ThinkingEnabled || budget != t.BudgetTokens {
		e.set("thinking", thinkingField(ThinkingEnabled, budget, e.r.Raw("thinking")), how)
	}
}

// noThinking takes the field out, and the edit of the context that is refused without it.
func (e *editor) noThinking() {
	e.remove("thinking")
	raw := e.r.Raw("context_management")
	edits := gjson.GetBytes(raw, "edits")
	if !edits.IsArray() {
		return
	}
	var kept []byte
	all, clears := 0, 0
	for _, edit := range edits.Array() {
		all++
		if kind := edit.Get("type").Str; len(kind) >= len(clearThinking) && kind[:len(clearThinking)] == clearThinking {
			clears++
			continue
		}
		if kept != nil {
			kept = append(kept, ',')
		}
		kept = append(kept, edit.Raw...)
	}
	switch {
	case clears == 0:
	case clears == all:
		e.remove("context_management")
	case edits.Index > 0:
		value := append([]byte{}, raw[:edits.Index]...)
		value = append(append(append(value, '['), kept...), ']')
		value = append(value, raw[edits.Index+len(edits.Raw):]...)
		e.set("context_management", value, Set)
	}
}

// clearThinking begins the type of the context edit that clears old thinking, whatever its date.
const clearThinking = "clear_thinking_"

// thinkingField writes the field. What else is in it, such as how thinking is displayed, means the same in both forms and
// is kept.
func thinkingField(kind string, budget int64, was []byte) []byte {
	b := append([]byte(`{"type":`), quote(kind)...)
	if kind == ThinkingEnabled {
		b = append(b, `,"budget_tokens":`...)
		b = strconv.AppendInt(b, budget, 10)
	}
	gjson.ParseBytes(was).ForEach(func(k, v gjson.Result) bool {
		if k.Str != "type" && k.Str != "budget_tokens" {
			b = append(append(append(append(b, ','), k.Raw...), ':'), v.Raw...)
		}
		return true
	})
	return append(b, '}')
}
