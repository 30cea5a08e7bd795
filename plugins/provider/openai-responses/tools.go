package main

import (
	"slices"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/ainfera-ai/router/sdk/messages"
)

// tools writes the tools, in the caller's order, with the choice among them.
func (t *translation) tools() {
	n := t.list()
	if n > 0 {
		t.b = append(t.b, ']')
		t.toolChoice()
	} else if kind := t.in[inToolChoice].Get("type"); kind.Equal("any") || kind.Equal("tool") {
		t.out.Dropped("tool_choice")
	}
}

// list writes the tools, without the end of their list, and returns how many there are.
func (t *translation) list() (n int) {
	r := jscan.NewReader(t.in[inTools])
	if !r.Array() {
		return 0
	}
	strange := false
	var f toolFields
	for r.Item() {
		strange = t.readTool(&r, &f) || strange
		own, err := messages.OwnTool(f[toolType].String(), t.out)
		t.refuse(err)
		if !own {
			continue
		}
		t.dropFields(&f)
		if n++; n == 1 {
			t.b = append(jwrite.AppendKey(t.b, "tools"), '[')
		}
		t.tool(&f)
	}
	if strange {
		t.strangeFields()
	}
	return n
}

// toolFields are the fields of a tool that matter.
type toolFields [len(toolKeys)]jscan.Value

var toolKeys = [...]string{"type", "name", "description", "input_schema", "strict", "defer_loading", "eager_input_streaming",
	"cache_control", "input_examples", "allowed_callers"}

const (
	toolType = iota
	toolName
	toolDescription
	toolSchema
	toolStrict
	toolDefer
	toolEager
	toolDropped // this and all that follow
)

// readTool reads the tool that comes next, and reports whether it has fields that nobody has heard of.
func (t *translation) readTool(r *jscan.Reader, f *toolFields) (strange bool) {
	*f = toolFields{}
	if !r.Object() {
		r.Value()
		return false
	}
	for likely := 0; ; {
		n, more := r.Field(toolKeys[:], likely)
		if !more {
			return strange
		}
		v := r.Value()
		if n < 0 {
			strange = true
			continue
		}
		f[n], likely = v, n+1
	}
}

// dropFields lists what of a tool has no place here.
func (t *translation) dropFields(f *toolFields) {
	for n := toolDropped; n < len(f); n++ {
		if !f[n].IsNull() {
			t.out.Dropped("tools." + toolKeys[n])
		}
	}
}

// strangeFields lists the fields of tools that nobody has heard of. They take a second walk, since a Reader knows no other
// names.
func (t *translation) strangeFields() {
	for tool := range t.in[inTools].Items() {
		if kind := tool.Get("type").String(); kind != "" && kind != "custom" {
			continue
		}
		for key, v := range tool.Fields() {
			if !slices.Contains(toolKeys[:], string(key)) && !v.IsNull() {
				t.out.Dropped("tools." + string(key))
			}
		}
	}
}

// tool writes a tool. strict is always written, since the vendor takes its absence for true, and would refuse or rewrite
// most schemas.
func (t *translation) tool(f *toolFields) {
	t.b = append(jwrite.AppendComma(t.b), `{"type":"function","name":`...)
	t.b = jwrite.AppendString(t.b, t.names.Shorten(f[toolName].String(), oai.MaxToolName))
	if f[toolDescription].Kind() == jscan.String {
		t.b = append(jwrite.AppendKey(t.b, "description"), f[toolDescription]...)
	}
	t.b = oai.AppendSchema(jwrite.AppendKey(t.b, "parameters"), f[toolSchema])
	asked, left := f[toolStrict].Bool(), t.opts.leavesOut("strict", t.call.Model)
	strict := asked && !left && !oai.Loose(f[toolSchema])
	if !left {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "strict"), strict)
	}
	if asked && !strict {
		t.out.Dropped("tools.strict")
	}
	t.b = append(t.b, '}')
}

func (t *translation) toolChoice() {
	c := t.in[inToolChoice]
	switch kind := c.Get("type").String(); kind {
	case "":
	case "auto", "none", "any":
		if kind == "any" {
			kind = "required"
		}
		if t.allowed("tool_choice", "tool_choice") {
			t.b = jwrite.AppendString(jwrite.AppendKey(t.b, "tool_choice"), kind)
		}
	case "tool":
		if t.allowed("tool_choice", "tool_choice") {
			t.b = append(jwrite.AppendKey(t.b, "tool_choice"), `{"type":"function","name":`...)
			t.b = jwrite.AppendString(t.b, t.names.Shorten(c.Get("name").String(), oai.MaxToolName))
			t.b = append(t.b, '}')
		}
	default:
		t.refuse(sdk.Unsupported("tool_choice of type " + kind + " is not known to this vendor"))
	}
	if c.Get("disable_parallel_tool_use").Bool() && t.allowed("parallel_tool_calls", "tool_choice.disable_parallel_tool_use") {
		t.b = jwrite.AppendBool(jwrite.AppendKey(t.b, "parallel_tool_calls"), false)
	}
}

// maxCallID is how long OpenAI lets the id of a call be.
const maxCallID = 64
