package messages

import "github.com/tidwall/gjson"

// mend changes what Anthropic's API refuses in a body that was not written for it. stripped says that thinking blocks
// were taken out of the last assistant turn, form is what the serving model takes.
func (e *editor) mend(stripped bool, form ThinkingForm) {
	e.format()
	if e.thinks() && (e.forced() || e.r.EndsInToolResult && (stripped || !e.lastTurnThought())) {
		e.noThinking()
	}
	if form == AdaptiveOnly && e.thinks() {
		e.effort()
	}
	hot := e.r.Raw("temperature")
	// A model that thinks wants all of these as they are by default, and one that only thinks as it likes always does.
	if e.thinks() || form == AdaptiveOnly {
		for _, name := range []string{"temperature", "top_p", "top_k"} {
			e.remove(name)
		}
		return
	}
	if hot != nil && e.r.Raw("top_p") != nil { // newer models take the one or the other
		e.remove("top_p")
	}
	if gjson.ParseBytes(hot).Num > 1 { // OpenAI's go to 2
		e.set("temperature", []byte("1"), Lowered)
	}
}

// format leaves of the output's format what the API has: no JSON of any form, and no schema that is only meant loosely.
func (e *editor) format() {
	format := gjson.GetBytes(e.r.Raw("output_config"), "format")
	switch {
	case format.Get("type").Str == "json_object":
		e.remove("output_config")
	case format.Get("strict").Exists():
		e.set("output_config", []byte(`{"format":{"type":"json_schema","schema":`+format.Get("schema").Raw+`}}`), Set)
	}
}

// effort says how hard a model shall think that takes no budget, where the budget that was asked for is less than it would
// take by itself.
func (e *editor) effort() {
	word := ""
	switch budget := e.r.Thinking.BudgetTokens; {
	case e.r.Thinking.Type != ThinkingEnabled:
		return
	case budget <= lowBudget:
		word = "low"
	case budget <= defaultBudget:
		word = "medium"
	default:
		return
	}
	config := e.r.Raw("output_config")
	if c, changed := e.find("output_config"); changed {
		config = c.value
	}
	c := gjson.ParseBytes(config)
	if c.Exists() && !c.IsObject() || c.Get("effort").Exists() {
		return // whoever wrote it hears the vendor's word on it
	}
	value := append([]byte(`{"effort":`), quote(word)...)
	c.ForEach(func(k, v gjson.Result) bool {
		value = append(append(append(append(value, ','), k.Raw...), ':'), v.Raw...)
		return true
	})
	e.set("output_config", append(value, '}'), Set)
}

// lowBudget is the most that a caller asks for who wants little thinking.
const lowBudget = 2048

// thinks says whether the body asks for thinking, as it is after the changes so far.
func (e *editor) thinks() bool {
	if c, changed := e.find("thinking"); changed {
		return c.value != nil
	}
	return e.r.Thinking.Wanted()
}

// forced says that a tool must be called, at which a model may not think.
func (e *editor) forced() bool {
	kind := gjson.GetBytes(e.r.Raw("tool_choice"), "type").Str
	return kind == "any" || kind == "tool"
}

// lastTurnThought says whether the assistant's turn that the tool results answer holds thinking. The caller of another
// dialect need not have sent it back.
func (e *editor) lastTurnThought() bool {
	for _, t := range e.r.thoughts {
		if t.message >= e.r.Messages-2 {
			return true
		}
	}
	return false
}
