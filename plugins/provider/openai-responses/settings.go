package main

import (
	"slices"

	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
)

// settings are where those who share this protocol differ.
var settings = []sdk.Setting{
	{Name: "path", Type: sdk.TypeString, Default: "/responses",
		Doc: "below base_url; {model} stands for the deployment's upstream name"},
	{Name: "count_path", Type: sdk.TypeString, Default: "/responses/input_tokens",
		Doc: "where tokens are counted; empty where the vendor can't"},
	{Name: "query", Type: sdk.TypeString, Default: "", Doc: "query string, such as Azure's api-version=preview"},
	{Name: "documents", Type: sdk.TypeBool, Default: true, Doc: "the vendor takes PDF files, as parts of type input_file"},
	{Name: "result_parts", Type: sdk.TypeBool, Default: true,
		Doc: "the vendor takes images and files inside of a tool's result; where it doesn't, a call that has some is refused"},
	{Name: "least_tokens", Type: sdk.TypeNumber, Default: 16,
		Doc: "the least max_output_tokens that the vendor takes; a caller who asked for less gets this, and is told"},
	{Name: "reasoning", Type: sdk.TypeBool, Default: true, Doc: "the vendor takes the reasoning field"},
	{Name: "summary", Type: sdk.TypeString, Default: "auto",
		Doc: "the summary of its thinking that a model is asked for: auto, concise or detailed; empty for none"},
	{Name: "user_field", Type: sdk.TypeString, Default: "safety_identifier",
		Doc: "the field that takes metadata.user_id; empty leaves it out"},
	{Name: "leave_out", Type: sdk.TypeList, Default: []string{},
		Doc: "fields of the request that the vendor refuses, such as include; a caller who set one is told"},
}

// options are the settings as one call has them.
type options struct {
	path, countPath, query, summary, userField string
	documents, resultParts, reasoning          bool
	leastTokens                                int
	leaveOut                                   []string
}

func readOptions(c *sdk.Call) (options, error) {
	return options{
		countPath:   c.String("count_path"),
		documents:   c.Bool("documents"),
		leastTokens: c.Int("least_tokens"),
		leaveOut:    c.Strings("leave_out"),
		path:        c.String("path"),
		query:       c.String("query"),
		reasoning:   c.Bool("reasoning"),
		resultParts: c.Bool("result_parts"),
		summary:     c.String("summary"),
		userField:   c.String("user_field"),
	}, nil
}

// leavesOut reports whether the vendor refuses a field. OpenAI's own reasoning models refuse those that steer sampling,
// and an operator can't say that for a whole provider.
func (o *options) leavesOut(field, model string) bool {
	if slices.Contains(o.leaveOut, field) {
		return true
	}
	return (field == "temperature" || field == "top_p") && oai.Reasons(model)
}
