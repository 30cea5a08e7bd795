// Package messages reads a Messages request for an adapter that translates it.
//
// An adapter knows its vendor's words; what is here is the same whatever those are: what callers, Claude Code above all, put
// into a request that only Anthropic has a use for, what becomes of it elsewhere, and text inside of blocks. What is left out is
// listed with [sdk.Request.Dropped], and what can't be is an error for Open to return.
//
//	for _, block := range blocks {
//		switch kind := block.Get("type").String(); kind {
//		case "search_result":
//			b = append(messages.AppendDocument(append(b, '"'), block, out), '"')
//		…
//		default:
//			err = messages.LeaveOut(kind, out)
//		}
//	}
package messages

import (
	"bytes"
	"slices"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// billingHeader begins the system block that Claude Code puts first for Anthropic's eyes alone.
const billingHeader = "x-anthropic-billing-header"

// System is the texts of a system prompt, each a JSON string as it stands: the prompt itself or its blocks, without those
// that are empty and the one that Claude Code writes for Anthropic alone.
func System(prompt jscan.Value, out *sdk.Request) (texts []jscan.Value, err error) {
	if prompt.Kind() == jscan.String && len(prompt) > 2 {
		return []jscan.Value{prompt}, nil
	}
	var f [3]jscan.Value
	for range prompt.PickItems(f[:], "type", "text", "cache_control") {
		DropMarks(f[2], nil, out)
		if !f[0].Equal("text") {
			return nil, sdk.Unsupported("a block of type " + f[0].String() + " in system")
		}
		if text := f[1].Escaped(); len(text) > 0 && !bytes.HasPrefix(text, []byte(billingHeader)) {
			texts = append(texts, f[1])
		}
	}
	return texts, nil
}

// AppendReminder appends to an open JSON string the text of a system message amid the conversation, for a vendor that takes
// none there: marked in the user's turn as Claude Code marks it for such models.
func AppendReminder(b []byte, text jscan.Value) []byte {
	b = append(append(b, `<system-reminder>\n`...), text.Escaped()...)
	return append(b, `\n</system-reminder>`...)
}

// DropMarks lists what a block's cache_control and citations ask for: to be cached, and to be cited or what it cites.
func DropMarks(cacheControl, citations jscan.Value, out *sdk.Request) {
	if !cacheControl.IsNull() {
		out.Dropped("cache_control")
	}
	cites := citations.Kind() == jscan.Array && citations.Len() > 0
	if cites || citations.Kind() == jscan.Object && citations.Get("enabled").Bool() {
		out.Dropped("messages.content.citations")
	}
}

// serverBlocks are what Anthropic's own tools left in a conversation that Anthropic served before.
var serverBlocks = []string{
	"server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
	"bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
	"mcp_tool_use", "mcp_tool_result", "compaction", "advisor_tool_result",
}

// LeaveOut is for a block of a type that the adapter has no place for. One that Anthropic's own tools left is listed, since
// the text that the model wrote with their help stays; any other is an error.
func LeaveOut(kind string, out *sdk.Request) error {
	if slices.Contains(serverBlocks, kind) {
		out.Dropped("messages.content." + kind)
		return nil
	}
	return sdk.Unsupported("blocks of type " + kind + " can't be carried to this vendor")
}

// OwnTool reports whether a tool of a type is the caller's own. Anthropic runs some itself and has trained its models on the
// schema of others, so a model of another vendor can serve neither; only the search among tools may go, since all of them
// are given anyway.
func OwnTool(kind string, out *sdk.Request) (bool, error) {
	switch {
	case kind == "" || kind == "custom":
		return true, nil
	case strings.HasPrefix(kind, "tool_search_"):
		out.Dropped("tools." + kind)
		return false, nil
	}
	return false, sdk.Unsupported("tools of type " + kind + " exist at Anthropic only")
}

// Format is the form that the caller wants the answer to have, null where there is none, and its name in the request:
// output_config.format, or output_format as it was called first. Other fields of output_config are listed, but for effort.
func Format(outputConfig, outputFormat jscan.Value, out *sdk.Request) (form jscan.Value, name string) {
	form, name = outputConfig.Get("format"), "output_config.format"
	if form.IsNull() {
		form, name = outputFormat, "output_format"
	}
	for key, v := range outputConfig.Fields() {
		if k := string(key); k != "effort" && k != "format" && !v.IsNull() {
			out.Dropped("output_config." + k)
		}
	}
	return form, name
}
