package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// tools writes the tools, in the caller's order, with the choice among them.
func (t *translation) tools() {
	n := 0
	for tool := range t.in.tools.Items() {
		if !t.wanted(tool) {
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

// wanted sorts out the tools that are not the caller's own. Anthropic runs some itself and has trained its models on
// the schema of others, so a model of another vendor can serve neither; only the search among tools may go, since all
// of them are given anyway.
func (t *translation) wanted(tool jscan.Value) bool {
	kind := tool.Get("type").String()
	switch {
	case kind == "" || kind == "custom":
		return true
	case strings.HasPrefix(kind, "tool_search_"):
		t.out.Dropped("tools." + kind)
	default:
		t.refuse(sdk.Unsupported("tools of type " + kind + " exist at Anthropic only"))
	}
	return false
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
	t.b = jwrite.AppendString(t.b, t.names.short(name.String()))
	if description.Kind() == jscan.String {
		t.b = append(jwrite.AppendKey(t.b, "description"), description...)
	}
	t.b = appendSchema(jwrite.AppendKey(t.b, "parameters"), schema)
	if strict.Kind() == jscan.Bool {
		t.raw("strict", "tools.strict", strict)
	}
	t.b = append(t.b, "}}"...)
}

// appendSchema copies a schema. OpenAI refuses an object without properties, which Anthropic takes.
func appendSchema(b []byte, schema jscan.Value) []byte {
	if schema.Kind() != jscan.Object || schema.Len() == 0 {
		return append(b, `{"type":"object","properties":{}}`...)
	}
	if schema.Get("properties") != nil || schema.Get("$ref") != nil {
		return append(b, schema...)
	}
	b = append(b, schema[:len(schema)-1]...)
	return append(b, `,"properties":{}}`...)
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
			t.b = jwrite.AppendString(t.b, t.names.short(c.Get("name").String()))
			t.b = append(t.b, "}}"...)
		}
	default:
		t.refuse(sdk.Unsupported("tool_choice of type " + kind + " is not known to this vendor"))
	}
	if c.Get("disable_parallel_tool_use").Bool() && t.allowed("parallel_tool_calls", "tool_choice.disable_parallel_tool_use") {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "parallel_tool_calls"), false)
	}
}

// maxToolName is how long OpenAI lets a tool's name be; Anthropic lets it be twice that, and MCP servers need it.
const maxToolName = 64

// toolNames shortens names that are too long and remembers what they were, so that the caller gets its own back.
type toolNames struct{ full map[string]string }

func (n *toolNames) short(name string) string {
	if len(name) <= maxToolName {
		return name
	}
	sum := hex16(hash(name))
	short := name[:maxToolName-len(sum)-1] + "_" + sum
	if n.full == nil {
		n.full = map[string]string{}
	}
	n.full[short] = name
	return short
}

// Lengths of a tool call's id: what OpenAI takes at most, and what Mistral takes at all.
const (
	maxToolID  = 40
	nineToolID = 9
)

// toolID is a tool call's id as the vendor gets it: its own again when it made it, and a hash of it, the same for call
// and result, when it wouldn't take it.
func (t *translation) toolID(client string) string {
	id := sdk.VendorToolID(client)
	switch {
	case t.opts.nineIDs && !isNine(id):
		return hex16(hash(id))[:nineToolID]
	case len(id) > maxToolID && id == client:
		return "call_" + hex16(hash(id)) + hex16(hash("2"+id))
	}
	return id
}

func isNine(id string) bool {
	for i := range len(id) {
		if c := id[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return len(id) == nineToolID
}
