package chat

import (
	"fmt"

	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// tools writes the tools in the caller's order, with the choice among them. They may come in the protocol's first form,
// as functions.
func (t *translation) tools() {
	list, legacy := t.in["tools"], false
	switch functions := t.in["functions"]; {
	case functions.Len() == 0:
	case list.Len() == 0:
		list, legacy = functions, true
		t.out.Functions = true
	default: // of those who offer both forms, the newer one is taken
		t.drop("functions")
	}
	n, i := 0, -1
	for tool := range list.Items() {
		i++
		fn, param := tool, fmt.Sprintf("functions[%d]", i)
		if !legacy {
			param = fmt.Sprintf("tools[%d]", i)
			if kind := tool.Get("type"); !kind.Equal("function") {
				t.unsupported(param + ".type: tools of type " + clip(kind.String()) + " exist at OpenAI only; offer a function")
				continue
			}
			fn, param = tool.Get("function"), param+".function"
		}
		if fn.Get("name").Kind() != jscan.String {
			t.fail(param+".name", "expected the function's name")
			return
		}
		if n++; n == 1 {
			t.b = append(jwrite.AppendKey(t.b, "tools"), '[')
		}
		t.tool(fn, tool)
	}
	if n == 0 {
		return
	}
	t.b = append(t.b, ']')
	if legacy {
		t.choice(t.in["function_call"], true)
		return
	}
	t.choice(t.in["tool_choice"], t.in["parallel_tool_calls"].Kind() == jscan.Bool && !t.in["parallel_tool_calls"].Bool())
}

func (t *translation) tool(fn, entry jscan.Value) {
	t.b = append(jwrite.AppendKey(append(jwrite.AppendComma(t.b), '{'), "name"), fn.Get("name")...)
	if d := fn.Get("description"); d.Kind() == jscan.String {
		t.b = append(jwrite.AppendKey(t.b, "description"), d...)
	}
	schema := fn.Get("parameters")
	if schema.Kind() != jscan.Object || schema.Get("type") == nil { // Anthropic wants to be told that it is an object
		schema = objectSchema(schema)
	}
	t.b = append(jwrite.AppendKey(t.b, "input_schema"), schema...)
	if strict := fn.Get("strict"); strict.Bool() {
		t.b = append(jwrite.AppendKey(t.b, "strict"), strict...)
	}
	t.cache(fn, entry)
	t.b = append(t.b, '}')
}

// cache marks a block or a tool for the prompt's cache, as the first of these asks that does: callers who know that Claude
// may serve them say so with Anthropic's own field.
func (t *translation) cache(asking ...jscan.Value) {
	for _, v := range asking {
		if mark := v.Get("cache_control"); mark.Kind() == jscan.Object {
			t.b = append(jwrite.AppendKey(t.b, "cache_control"), mark...)
			return
		}
	}
}

// objectSchema is a schema that says its type.
func objectSchema(schema jscan.Value) jscan.Value {
	if schema.Kind() != jscan.Object || schema.Len() == 0 {
		return jscan.Value(`{"type":"object","properties":{}}`)
	}
	return append(jscan.Value(`{"type":"object",`), schema[1:]...)
}

// choice writes tool_choice. one says that the model may call one tool at most.
func (t *translation) choice(v jscan.Value, one bool) {
	kind, name := v.String(), jscan.Value(nil)
	if v.Kind() == jscan.Object {
		if kind = v.Get("type").String(); kind == "function" {
			name = v.Get("function").Get("name")
		} else if t.out.Functions {
			name = v.Get("name")
		}
	}
	switch {
	case name.Kind() == jscan.String:
		t.b = append(append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"tool","name":`...), name...)
	case kind == "none":
		t.b = append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"none"}`...)
		return
	case kind == "required":
		t.b = append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"any"`...)
	case kind == "auto", v.IsNull() && one:
		t.b = append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"auto"`...)
	case v.IsNull():
		return
	case kind == "allowed_tools":
		t.unsupported("tool_choice: allowed_tools exists at OpenAI only; offer just those tools")
		return
	case kind == "custom":
		t.unsupported("tool_choice: tools of type \"custom\" exist at OpenAI only; offer a function")
		return
	default:
		t.fail("tool_choice", "expected auto, none, required, or the name of a function")
		return
	}
	if one {
		t.b = append(t.b, `,"disable_parallel_tool_use":true`...)
	}
	t.b = append(t.b, '}')
}

// clip bounds what of a caller's is put into a message.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return fmt.Sprintf("%q", s)
}
