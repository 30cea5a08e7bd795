package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
	"github.com/ainfera-ai/router/sdk/names"
)

// tools writes the tools, in the caller's order, with the choice among them.
func (t *translation) tools() {
	n := 0
	for tool := range t.in.tools.Items() {
		own, err := messages.OwnTool(tool.Get("type").String(), t.out)
		t.refuse(err)
		if !own {
			continue
		}
		if n++; n == 1 {
			t.b = append(jwrite.AppendKey(t.b, "tools"), '[')
		}
		t.tool(tool)
	}
	if n == 0 {
		if kind := t.in.toolChoice.Get("type").String(); kind == "any" || kind == "tool" {
			t.out.Dropped("tool_choice")
		}
		return
	}
	t.b = append(t.b, ']')
	t.toolChoice()
}

func (t *translation) tool(v jscan.Value) {
	var name, description, schema, strict jscan.Value
	for key, f := range v.Fields() {
		switch string(key) {
		case "name":
			name = f
		case "description":
			description = f
		case "input_schema":
			schema = f
		case "strict":
			strict = f
		case "type", "defer_loading", "eager_input_streaming":
		default:
			if !f.IsNull() {
				t.out.Dropped("tools." + string(key))
			}
		}
	}
	t.b = append(jwrite.AppendComma(t.b), `{"type":"function","function":{"name":`...)
	t.b = jwrite.AppendString(t.b, t.names.Shorten(name.String(), oai.MaxToolName))
	if description.Kind() == jscan.String {
		t.b = append(jwrite.AppendKey(t.b, "description"), description...)
	}
	t.b = oai.AppendSchema(jwrite.AppendKey(t.b, "parameters"), schema)
	switch {
	case strict.Bool() && oai.Loose(schema):
		t.out.Dropped("tools.strict")
	case strict.Kind() == jscan.Bool:
		t.raw("strict", "tools.strict", strict)
	}
	t.b = append(t.b, "}}"...)
}

func (t *translation) toolChoice() {
	c := t.in.toolChoice
	switch kind := c.Get("type").String(); kind {
	case "":
	case "auto", "none":
		if t.allowed("tool_choice", "tool_choice") {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "tool_choice"), kind)
		}
	case "any":
		if t.allowed("tool_choice", "tool_choice") {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "tool_choice"), "required")
		}
	case "tool":
		if t.allowed("tool_choice", "tool_choice") {
			t.b = append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"function","function":{"name":`...)
			t.b = jwrite.AppendString(t.b, t.names.Shorten(c.Get("name").String(), oai.MaxToolName))
			t.b = append(t.b, "}}"...)
		}
	default:
		t.refuse(sdk.Unsupported("tool_choice of type " + kind + " is not known to this vendor"))
	}
	if c.Get("disable_parallel_tool_use").Bool() && t.allowed("parallel_tool_calls", "tool_choice.disable_parallel_tool_use") {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "parallel_tool_calls"), false)
	}
}

// Lengths of a tool call's id: what OpenAI takes at most, and what Mistral takes at all.
const (
	maxToolID  = 40
	nineToolID = 9
)

// toolID is a tool call's id as the vendor gets it: its own again when it made it, and a hash of it, the same for call
// and result, when it wouldn't take it.
func (t *translation) toolID(client string) string {
	if !t.opts.nineIDs {
		return oai.CallID(client, maxToolID)
	}
	if id := sdk.VendorToolID(client); !isNine(id) {
		return names.Of(id).String()[:nineToolID]
	}
	return sdk.VendorToolID(client)
}

func isNine(id string) bool {
	for i := range len(id) {
		if c := id[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return len(id) == nineToolID
}
