package chat

import (
	"bytes"
	"fmt"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// A turn is what one side says, in Anthropic's blocks. Messages of one side that follow each other are one turn, so that
// the results of parallel calls stand together, as they must.
type turn struct {
	role     string
	open     bool
	lastCall string // the id of the last function call of the protocol's first form, which gave it none
	calls    int    // of that form, so far
}

// conversation writes system and messages. Whoever says something as system or developer, wherever in the conversation,
// says it in Anthropic's one system prompt.
func (t *translation) conversation() {
	list := t.in["messages"]
	if list.Kind() != jscan.Array {
		t.fail("messages", "expected an array of messages")
		return
	}
	spoken := t.system(list)
	t.b = append(jwrite.AppendKey(t.b, "messages"), '[')
	i := -1
	for m := range list.Items() {
		i++
		if m.Kind() != jscan.Object {
			t.fail(fmt.Sprintf("messages[%d]", i), "expected an object")
			return
		}
		t.message(fmt.Sprintf("messages[%d]", i), m, spoken)
	}
	t.begin("") // ends the last turn
	t.b = append(t.b, ']')
}

func isSystem(m jscan.Value) bool {
	role := m.Get("role")
	return role.Equal("system") || role.Equal("developer")
}

// system writes the system prompt, and says whether there is anything beside it: a caller that has nothing but a prompt
// is taken to say it itself.
func (t *translation) system(list jscan.Value) (spoken bool) {
	prompts := 0
	for m := range list.Items() {
		if isSystem(m) {
			prompts++
		} else {
			spoken = true
		}
	}
	if prompts == 0 || !spoken {
		return spoken
	}
	start := len(t.b)
	t.b = append(jwrite.AppendKey(t.b, "system"), '[')
	empty := len(t.b)
	i := -1
	for m := range list.Items() {
		if i++; isSystem(m) {
			t.named(m)
			t.content(fmt.Sprintf("messages[%d].content", i), m)
		}
	}
	if len(t.b) == empty {
		t.b = t.b[:start]
		return spoken
	}
	t.b = append(t.b, ']')
	return spoken
}

// message writes what a message says into the turn that it belongs to.
func (t *translation) message(param string, m jscan.Value, spoken bool) {
	switch role := m.Get("role").String(); role {
	case "system", "developer":
		if !spoken {
			t.begin("user")
			t.named(m)
			t.content(param+".content", m)
		}
	case "user":
		t.begin("user")
		t.named(m)
		t.content(param+".content", m)
	case "assistant":
		t.begin("assistant")
		t.assistant(param, m)
	case "tool":
		id := m.Get("tool_call_id")
		if id.Kind() != jscan.String {
			t.fail(param+".tool_call_id", "expected the id of the call that this is the result of")
			return
		}
		t.result(param, id.String(), m)
	case "function":
		if t.turn.lastCall == "" {
			t.fail(param+".role", "there is no function call that this could be the result of")
			return
		}
		t.result(param, t.turn.lastCall, m)
	default:
		t.fail(param+".role", "%s is none of system, developer, user, assistant, tool and function", clip(role))
	}
}

// named lists the name of one who speaks. A tool's has its place in the call.
func (t *translation) named(m jscan.Value) {
	if v := m.Get("name"); !v.IsNull() {
		t.drop("messages.name")
	}
}

// begin opens a turn, unless it is open, and closes the one before it. A turn in which nothing is said is left out, since
// vendors refuse an empty one.
func (t *translation) begin(role string) {
	if t.turn.role == role {
		return
	}
	if t.turn.open {
		t.b = append(t.b, "]}"...)
		t.turn.open = false
	}
	t.turn.role = role
}

// block makes room for the turn's next block.
func (t *translation) block() {
	if t.turn.role != "" && !t.turn.open {
		t.turn.open = true
		t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"role":`...), t.turn.role)
		t.b = append(t.b, `,"content":[`...)
	}
	t.b = jwrite.AppendComma(t.b)
}

// text writes a text block, with the mark for the cache of whoever asks for one. Anthropic refuses an empty block.
func (t *translation) text(v jscan.Value, asking ...jscan.Value) {
	if v.Kind() != jscan.String || len(v) == 2 {
		return
	}
	t.block()
	t.b = append(append(t.b, `{"type":"text","text":`...), v...)
	t.cache(asking...)
	t.b = append(t.b, '}')
}

// blank says that a text is nothing but space. Models put some before their calls, and Anthropic refuses a turn whose only
// text it is.
func blank(v jscan.Value) bool {
	return v.Kind() == jscan.String && len(bytes.TrimSpace(v.Bytes(nil))) == 0
}

// assistant writes what a model said: its thinking first, which must come before anything that it led to.
func (t *translation) assistant(param string, m jscan.Value) {
	if blocks := m.Get("thinking_blocks"); blocks.Len() > 0 {
		for b := range blocks.Items() {
			t.thought(b)
		}
	} else if v := m.Get("reasoning_content"); v.Kind() == jscan.String && len(v) > 2 {
		t.block()
		t.b = append(append(append(t.b, `{"type":"thinking","thinking":`...), v...), `,"signature":""}`...)
	}
	t.named(m)
	if calls := m.Get("tool_calls"); calls.Len() == 0 || !blank(m.Get("content")) {
		t.content(param+".content", m)
	}
	t.text(m.Get("refusal"))
	if !m.Get("audio").IsNull() {
		t.drop("messages.audio")
	}
	i := -1
	for c := range m.Get("tool_calls").Items() {
		i++
		at := fmt.Sprintf("%s.tool_calls[%d]", param, i)
		if kind := c.Get("type"); !kind.IsNull() && !kind.Equal("function") {
			t.unsupported(at + ".type: calls of type " + clip(kind.String()) + " exist at OpenAI only")
			continue
		}
		if c.Get("id").Kind() != jscan.String {
			t.fail(at+".id", "expected the call's id")
			return
		}
		t.call(at+".function", c.Get("id").String(), c.Get("function"))
	}
	if fn := m.Get("function_call"); fn.Kind() == jscan.Object {
		t.turn.lastCall = fmt.Sprintf("call_%d", t.turn.calls)
		t.turn.calls++
		t.call(param+".function_call", t.turn.lastCall, fn)
	}
}

// thought writes a block of thinking_blocks without what the chunks had beside it.
func (t *translation) thought(b jscan.Value) {
	var fields []string
	switch kind := b.Get("type"); {
	case kind.Equal("thinking"):
		fields = []string{"type", "thinking", "signature"}
	case kind.Equal("redacted_thinking"):
		fields = []string{"type", "data"}
	default:
		t.drop("messages.thinking_blocks")
		return
	}
	t.block()
	t.b = append(t.b, '{')
	for _, name := range fields {
		if v := b.Get(name); v.Kind() == jscan.String {
			t.b = append(jwrite.AppendKey(t.b, name), v...)
		}
	}
	t.b = append(t.b, '}')
}

// call writes a call of a tool. Arguments that are not an object, such as those of a call that a limit cut short, are
// carried in one: nothing is lost, and no vendor refuses the conversation for ever after.
func (t *translation) call(param, id string, fn jscan.Value) {
	name, args := fn.Get("name"), fn.Get("arguments")
	if name.Kind() != jscan.String {
		t.fail(param+".name", "expected the function's name")
		return
	}
	t.block()
	t.b = jwrite.AppendString(append(t.b, `{"type":"tool_use","id":`...), toolID(id))
	t.b = append(append(append(t.b, `,"name":`...), name...), `,"input":`...)
	text := args.Bytes(nil)
	if args.Kind() == jscan.Object { // of clients that know better
		text = args
	}
	switch v, err := jscan.Parse(text); {
	case err == nil && v.Kind() == jscan.Object:
		t.b = append(t.b, v...)
	case len(text) == 0:
		t.b = append(t.b, "{}"...)
	default:
		t.b = append(jwrite.AppendString(append(t.b, `{"arguments":`...), text), '}')
	}
	t.b = append(t.b, '}')
}

// toolID spells an id as Anthropic wants it, the same way for a call and its result. Ids that were given here come back
// as they are.
func toolID(id string) string {
	for i := range len(id) {
		if c := id[i]; (c|0x20)-'a' >= 26 && c-'0' >= 10 && c != '_' && c != '-' {
			return sdk.ClientToolID(id)
		}
	}
	return id
}

// result writes a tool's result.
func (t *translation) result(param, id string, m jscan.Value) {
	t.begin("user")
	t.block()
	t.b = jwrite.AppendString(append(t.b, `{"type":"tool_result","tool_use_id":`...), toolID(id))
	switch content := m.Get("content"); content.Kind() {
	case jscan.String:
		t.b = append(append(t.b, `,"content":`...), content...)
	case jscan.Array:
		t.b = append(t.b, `,"content":[`...)
		t.parts(param+".content", content)
		t.b = append(t.b, ']')
	default: // of those who send the JSON itself instead of its text
		if !content.IsNull() {
			t.b = jwrite.AppendString(append(t.b, `,"content":`...), []byte(content))
		}
	}
	t.cache(m)
	t.b = append(t.b, '}')
}
