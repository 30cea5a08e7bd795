package main

import (
	"slices"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
)

// settings are where the vendors that share this protocol differ.
var settings = []sdk.Setting{
	{Name: "path", Type: sdk.TypeString, Default: "/chat/completions",
		Doc: "below base_url; {model} stands for the deployment's upstream name, as Azure's paths want it"},
	{Name: "query", Type: sdk.TypeString, Default: "", Doc: "query string, such as Azure's api-version=2024-10-21"},
	{Name: "max_tokens_field", Type: sdk.TypeString, Default: "max_completion_tokens",
		Doc: "what the vendor calls the limit of the answer; many know max_tokens only"},
	{Name: "stream_options", Type: sdk.TypeBool, Default: true,
		Doc: "ask for usage in streams; turn off only for a vendor that refuses the field"},
	{Name: "system_role", Type: sdk.TypeString, Default: "system", Doc: "the role of the system prompt: system or developer"},
	{Name: "documents", Type: sdk.TypeBool, Default: false, Doc: "the vendor takes PDF files as parts of type file"},
	{Name: "reasoning", Type: sdk.TypeString, Default: "effort",
		Doc: "how thinking is asked for: effort (reasoning_effort), object (reasoning, as OpenRouter), thinking (as Z.AI), none"},
	{Name: "thinking_history", Type: sdk.TypeString, Default: "",
		Doc: "the field of an assistant message that takes earlier thinking, such as reasoning_content, or reasoning_details, which " +
			"takes it as the vendor wrote it; empty leaves it out"},
	{Name: "tool_ids", Type: sdk.TypeString, Default: "any", Doc: "ids of tool calls: any, or nine letters and digits, as Mistral insists"},
	{Name: "strict_order", Type: sdk.TypeBool, Default: false,
		Doc: "the vendor takes no user's message behind a tool's and no assistant's as the last, as Mistral"},
	{Name: "max_stop", Type: sdk.TypeNumber, Default: 4, Doc: "how many stop sequences the vendor takes"},
	{Name: "user_field", Type: sdk.TypeString, Default: "user", Doc: "the field that takes metadata.user_id; empty leaves it out"},
	{Name: "leave_out", Type: sdk.TypeList, Default: []string{},
		Doc: "fields of the request that the vendor refuses, such as parallel_tool_calls; a caller who set one is told"},
}

// options are the settings as one call has them.
type options struct {
	path, query                                                       string
	maxTokensField, systemRole, reasoning, thinkingHistory, userField string
	streamOptions, documents, nineIDs, strictOrder                    bool
	maxStop                                                           int
	leaveOut                                                          []string
}

func readOptions(c *sdk.Call) (options, error) {
	return options{
		documents:       c.Bool("documents"),
		leaveOut:        c.Strings("leave_out"),
		maxStop:         c.Int("max_stop"),
		maxTokensField:  c.String("max_tokens_field"),
		path:            c.String("path"),
		query:           c.String("query"),
		reasoning:       c.String("reasoning"),
		streamOptions:   c.Bool("stream_options"),
		strictOrder:     c.Bool("strict_order"),
		systemRole:      c.String("system_role"),
		thinkingHistory: c.String("thinking_history"),
		nineIDs:         c.String("tool_ids") == "nine",
		userField:       c.String("user_field"),
	}, nil
}

// leavesOut reports whether the vendor refuses a field. OpenAI's own reasoning models refuse those that steer sampling, the
// older of them to be told of parallel calls, and most of Grok's the measure of their thinking: an operator can't say that for
// a whole provider.
func (o *options) leavesOut(field, model string) bool {
	if slices.Contains(o.leaveOut, field) {
		return true
	}
	switch field {
	case "temperature", "top_p", "stop":
		return oai.Reasons(model)
	case "parallel_tool_calls":
		return oai.IsO(model)
	case "reasoning_effort":
		return oai.IsFixedGrok(model)
	}
	return false
}
