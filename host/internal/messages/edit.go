package messages

import (
	"strconv"

	"github.com/ainfera-ai/router/sdk/jwrite"
)

// An EditSpec says what must change in a body on its way upstream. The zero value takes out our own fields and nothing
// else.
type EditSpec struct {
	// Model replaces the model. Empty keeps it.
	Model string
	// MaxTokens is the most the serving model gives; a higher max_tokens is lowered to it. Zero keeps what is there. A
	// body without max_tokens stays without, unless DefaultMaxTokens is set.
	MaxTokens int64
	// DefaultMaxTokens is put where the body has no max_tokens, for vendors that insist on one. Zero puts nothing.
	DefaultMaxTokens int64
	// Thinking puts the field into the form that the serving model takes, if the caller asks for thinking at all.
	Thinking ThinkingForm
	// StripThinking is asked about each thinking block of the history whether it must go, because another model made it.
	// The argument is the block's entry in Request.Signatures. A nil func keeps all.
	StripThinking func(signature []byte) bool
	// Foreign says that the body was not written for Anthropic's API and is about to be sent there: what that would
	// refuse, and other vendors take, is mended.
	Foreign bool
}

// A ThinkingForm is what a model takes in the thinking field.
type ThinkingForm string

// Forms of thinking.
const (
	KeepThinking ThinkingForm = ""         // any
	BudgetOnly   ThinkingForm = "enabled"  // enabled with a budget; adaptive is turned into it
	AdaptiveOnly ThinkingForm = "adaptive" // adaptive; a budget is turned into it
	NoThinking   ThinkingForm = "none"     // the model can't think: the field goes
)

// An Edit is one change that was made.
type Edit struct {
	Field  string // the path, as in "messages.3.content.0"
	Action Action
}

// An Action is what was done to a field.
type Action string

// Actions.
const (
	Set     Action = "set"
	Lowered Action = "lowered"
	Removed Action = "removed"
)

// ownFields are fields of ours, which no vendor may see.
var ownFields = [...]string{"routing_hint", "task_type", "agent_id"}

// Edit returns the body with the spec's changes, and lists them. Bytes that no change touches are the caller's own, in
// their order. Without a change the result is the body itself, not a copy.
func (r *Request) Edit(s EditSpec) ([]byte, []Edit) {
	e := editor{r: r}
	e.run(s)
	return e.cuts.apply(r.body), e.edits
}

// An editor collects the changes to one body. A later change of a top-level field replaces an earlier.
type editor struct {
	r     *Request
	top   []change
	cuts  splices
	edits []Edit
}

// A change is what becomes of a top-level field.
type change struct {
	name   string
	value  []byte // nil removes it
	action Action
}

func (e *editor) run(s EditSpec) {
	for _, name := range ownFields {
		e.remove(name)
	}
	if s.Model != "" && s.Model != e.r.Model {
		e.set("model", quote(s.Model), Set)
	}
	limit := e.maxTokens(s)
	stripped := e.strip(s.StripThinking)
	e.thinking(s, limit, stripped)
	if s.Foreign {
		e.mend(stripped, s.Thinking)
	}
	e.cutTop()
}

func (e *editor) set(name string, value []byte, how Action) {
	e.put(change{name, value, how})
}

func (e *editor) remove(name string) {
	if e.r.Raw(name) != nil {
		e.put(change{name, nil, Removed})
		return
	}
	e.forget(name)
}

func (e *editor) put(c change) {
	e.forget(c.name)
	e.top = append(e.top, c)
}

func (e *editor) forget(name string) {
	for i, c := range e.top {
		if c.name == name {
			e.top = append(e.top[:i], e.top[i+1:]...)
			return
		}
	}
}

// find returns the change of a field, if there is one.
func (e *editor) find(name string) (change, bool) {
	for _, c := range e.top {
		if c.name == name {
			return c, true
		}
	}
	return change{}, false
}

// maxTokens lowers max_tokens, and returns what it then is; 0 when there is none.
func (e *editor) maxTokens(s EditSpec) int64 {
	switch have := e.r.MaxTokens; {
	case e.r.HasMaxTokens && s.MaxTokens > 0 && have > s.MaxTokens:
		e.set("max_tokens", strconv.AppendInt(nil, s.MaxTokens, 10), Lowered)
		return s.MaxTokens
	case e.r.HasMaxTokens:
		return have
	case s.DefaultMaxTokens > 0:
		e.set("max_tokens", strconv.AppendInt(nil, s.DefaultMaxTokens, 10), Set)
		return s.DefaultMaxTokens
	}
	return 0
}

// cutTop turns the changes of top-level fields into splices.
func (e *editor) cutTop() {
	fields := e.r.Fields
	last := make(map[string]int, len(fields)) // of fields that are there twice, the last is the one to set
	for i, f := range fields {
		last[f.Name] = i
	}
	gone := make([]bool, len(fields))
	kept := 0
	for i, f := range fields {
		c, changed := e.find(f.Name)
		gone[i] = changed && (c.value == nil || last[f.Name] != i)
		if !gone[i] {
			kept++
		}
		if changed && !gone[i] {
			e.cuts.replace(element{f.from, f.to}, c.value)
		}
	}
	e.cuts.removeFrom(len(fields), func(i int) element { return element{fields[i].key, fields[i].to} },
		func(i int) bool { return gone[i] })

	end := e.r.open
	if len(fields) > 0 {
		end = fields[len(fields)-1].to
	}
	for _, c := range e.top {
		if _, there := last[c.name]; !there && c.value != nil {
			var add []byte
			if kept > 0 {
				add = append(add, ',')
			}
			kept++
			add = append(append(jwrite.AppendString(add, c.name), ':'), c.value...)
			e.cuts.replace(element{end, end}, add)
		}
		e.edits = append(e.edits, Edit{c.name, c.action})
	}
}
