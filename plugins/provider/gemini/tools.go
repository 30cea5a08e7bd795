package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
	"github.com/ainfera-ai/router/sdk/names"
)

// tools writes the tools, in the caller's order, with the choice among them.
func (t *translation) tools() {
	n := 0
	for v := range t.in[inTools].Items() {
		var tool tool
		if !t.readTool(v, &tool) {
			continue
		}
		if n++; n == 1 {
			t.b = append(jwrite.AppendKey(t.b, "tools"), `[{"functionDeclarations":[`...)
		}
		t.tool(&tool)
	}
	if n == 0 {
		return
	}
	t.b = append(t.b, "]}]"...)
	t.toolChoice()
}

// A tool is what goes to the vendor of one.
type tool struct{ name, description, schema jscan.Value }

// readTool takes a tool apart and reports whether it is the caller's own.
func (t *translation) readTool(v jscan.Value, tool *tool) bool {
	kind := ""
	for key, f := range v.Fields() {
		switch string(key) {
		case "name":
			tool.name = f
		case "description":
			tool.description = f
		case "input_schema":
			tool.schema = f
		case "type":
			kind = f.String()
		case "strict":
			if f.Bool() {
				t.out.Dropped("tools.strict")
			}
		case "cache_control":
			t.drop("cache_control", f)
		case "defer_loading", "eager_input_streaming":
		default:
			t.drop("tools."+string(key), f)
		}
	}
	own, err := messages.OwnTool(kind, t.out)
	t.refuse(err)
	return own
}

func (t *translation) tool(tool *tool) {
	t.b = jwrite.AppendString(append(jwrite.AppendComma(t.b), `{"name":`...), t.names.vendors(tool.name.String()))
	if tool.description.Kind() == jscan.String {
		t.b = append(jwrite.AppendKey(t.b, "description"), tool.description...)
	}
	t.parameters(tool.schema)
	t.b = append(t.b, '}')
}

// toolChoice writes how free the model is. countTokens has no field for it, and no use.
func (t *translation) toolChoice() {
	if t.counting() {
		return
	}
	c := t.in[inToolChoice]
	mode := ""
	switch kind := c.Get("type").String(); kind {
	case "":
	case "auto", "any", "none":
		mode = strings.ToUpper(kind)
	case "tool":
		mode = "ANY"
	default:
		t.refuse(sdk.Unsupported("tool_choice of type " + kind + " is not known to this vendor"))
	}
	if mode != "" {
		t.b = append(jwrite.AppendKey(t.b, "toolConfig"), `{"functionCallingConfig":{"mode":"`...)
		t.b = append(append(t.b, mode...), '"')
		if c.Get("type").Equal("tool") {
			t.b = append(jwrite.AppendKey(t.b, "allowedFunctionNames"), '[')
			t.b = append(jwrite.AppendString(t.b, t.names.vendors(c.Get("name").String())), ']')
		}
		t.b = append(t.b, "}}"...)
	}
	if c.Get("disable_parallel_tool_use").Bool() {
		t.out.Dropped("tool_choice.disable_parallel_tool_use")
	}
}

// forced says whether the model has to call a tool.
func (t *translation) forced() bool {
	kind := t.in[inToolChoice].Get("type")
	return kind.Equal("any") || kind.Equal("tool")
}

// maxToolName is how long Gemini lets a function's name be; Anthropic lets it be twice that, and MCP servers need it.
const maxToolName = 64

// toolNames makes names that Gemini takes and remembers what they were, so that the caller gets its own back.
type toolNames struct{ names.Tools }

// vendors is a tool's name as the vendor gets it: at most 64 letters, digits, underscores, dots and dashes, of which the
// first is a letter or an underscore.
func (n *toolNames) vendors(name string) string {
	begins := name != "" && (isLetter(name[0]) || name[0] == '_')
	if begins && len(name) <= maxToolName && strings.IndexFunc(name, isOdd) < 0 {
		return name
	}
	sum := names.Of(name).String()
	short := strings.Map(func(c rune) rune {
		if isOdd(c) {
			return '_'
		}
		return c
	}, name[:min(len(name), maxToolName-len(sum)-2)]) + "_" + sum
	if !begins {
		short = "_" + short
	}
	n.Put(short, name)
	return short
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isOdd says whether no name may hold a character.
func isOdd(c rune) bool {
	return c > 127 || !isLetter(byte(c)) && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-'
}
