package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
)

var settings = []sdk.Setting{
	{Name: "platform", Type: sdk.TypeString, Default: "gemini",
		Doc: "who serves: gemini (base_url https://generativelanguage.googleapis.com/v1beta) or vertex (base_url ending in /publishers/google/models)"},
	{Name: "stream", Type: sdk.TypeString, Default: "sse",
		Doc: "how a streamed answer comes: sse, or array, for a proxy that takes the parameter alt=sse away"},
	{Name: "thinking", Type: sdk.TypeString, Default: "auto",
		Doc: "how thinking is measured: budget, level, none, or auto, which is budget for models up to 2.5 and level from 3 on"},
	{Name: "unasked_thinking", Type: sdk.TypeString, Default: "vendor",
		Doc: "how much a model thinks that was not told to, nor not to: vendor (its own default) or least"},
	{Name: "max_stop", Type: sdk.TypeNumber, Default: 5, Doc: "how many stop sequences the vendor takes"},
	{Name: "urls", Type: sdk.TypeBool, Default: true, Doc: "pass addresses of images and PDF files on for the vendor to fetch; off refuses them"},
	{Name: "safety", Type: sdk.TypeString, Default: "",
		Doc: "a threshold for all of the vendor's adjustable safety filters, such as BLOCK_ONLY_HIGH or OFF; empty leaves its own"},
}

// options are the settings as one call has them.
type options struct {
	vertex, array, unaskedLeast, urls bool
	thinking, safety                  string
	maxStop                           int
}

// readOptions reads the settings. What isn't one of a setting's words is the operator's mistake.
func readOptions(c *sdk.Call) (o options, err error) {
	o = options{maxStop: c.Int("max_stop"), safety: c.String("safety"), thinking: c.String("thinking"), urls: c.Bool("urls")}
	platform, stream, unasked := c.String("platform"), c.String("stream"), c.String("unasked_thinking")
	o.vertex, o.array, o.unaskedLeast = platform == "vertex", stream == "array", unasked == "least"
	switch {
	case !o.vertex && platform != "gemini":
		err = noWord("platform", platform, "gemini or vertex")
	case !o.array && stream != "sse":
		err = noWord("stream", stream, "sse or array")
	case !o.unaskedLeast && unasked != "vendor":
		err = noWord("unasked_thinking", unasked, "vendor or least")
	case o.thinking != "auto" && o.thinking != "budget" && o.thinking != "level" && o.thinking != "none":
		err = noWord("thinking", o.thinking, "auto, budget, level or none")
	}
	return o, err
}

func noWord(setting, got, want string) error {
	return &sdk.Refusal{Kind: abi.ErrAPI, Message: "setting " + setting + ": got " + got + ", want " + want}
}

// measure is how this model's thinking is measured: budget, level or none.
func (o *options) measure(model string) string {
	switch {
	case o.thinking != "auto":
		return o.thinking
	case isOld(model):
		return "budget"
	}
	return "level"
}

// isOld knows the models before Gemini 3, which have a budget of thinking instead of levels, ask for no signatures, and
// can't be given tools together with a form for the answer. A name that says nothing is a new model's.
func isOld(model string) bool {
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		model = model[i+1:]
	}
	return strings.HasPrefix(model, "gemini-1") || strings.HasPrefix(model, "gemini-2")
}

// isPro knows the models that can't do without thinking.
func isPro(model string) bool { return strings.Contains(model, "-pro") }
