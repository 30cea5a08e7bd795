package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// anthropicBody is a Messages body, taken apart.
type anthropicBody struct {
	model, messages, system, tools, toolChoice, thinking gjson.Result
	maxTokens, stops, temperature, outputConfig, format  gjson.Result
	stream, cacheControl                                 gjson.Result
}

// betaFields are the top-level fields that need a beta header, and how that header's name begins.
var betaFields = map[string]string{
	"context_management":    "context-management-",
	"mcp_servers":           "mcp-client-",
	"output_format":         "structured-outputs-",
	"compaction":            "compact",
	"fallbacks":             "",
	"fallback_credit_token": "",
}

// take reads the top-level fields, and refuses the first that the API does not know: it answers 400 to what it has not
// heard of, and to what a beta header would have announced.
func (f *anthropicBody) take(body gjson.Result, h http.Header, op operation) (e *failure) {
	body.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "model":
			f.model = value
		case "messages":
			f.messages = value
		case "system":
			f.system = value
		case "tools":
			f.tools = value
		case "tool_choice":
			f.toolChoice = value
		case "thinking":
			f.thinking = value
		case "output_config":
			f.outputConfig = value
		case "cache_control":
			f.cacheControl = value
		case "speed":
		default:
			if !f.takeMore(key.Str, value, h, op) {
				e = invalid(key.Str + ": Extra inputs are not permitted")
			}
		}
		return e == nil
	})
	return e
}

func (f *anthropicBody) takeMore(key string, value gjson.Result, h http.Header, op operation) bool {
	if prefix, ok := betaFields[key]; ok {
		if key == "output_format" {
			f.format = value
		}
		return slices.ContainsFunc(h.Values("Anthropic-Beta"), func(v string) bool {
			return v != "" && strings.Contains(v, prefix)
		})
	}
	if op == opCount {
		return false
	}
	switch key {
	case "max_tokens":
		f.maxTokens = value
	case "stop_sequences":
		f.stops = value
	case "temperature":
		f.temperature = value
	case "stream":
		f.stream = value
	case "metadata", "top_k", "top_p", "service_tier", "container", "inference_geo", "diagnostics":
	default:
		return false
	}
	return true
}

func (anthropic) parse(r *http.Request, body gjson.Result, op operation) (*ask, *failure) {
	h := r.Header
	if h.Get("Anthropic-Version") == "" {
		return nil, invalid("anthropic-version: header is required")
	}
	var f anthropicBody
	if e := f.take(body, h, op); e != nil {
		return nil, e
	}
	a := &ask{
		model: f.model.Str, stream: f.stream.Bool(), maxTokens: int(f.maxTokens.Int()),
		parallel: !f.toolChoice.Get("disable_parallel_tool_use").Bool(), fault: &Fault{},
	}
	a.key = sum(0, f.model.Raw, f.system.Raw, f.tools.Raw, f.messages.Raw)
	for _, check := range []func(*ask) *failure{f.checkScalars(op), f.takeThinking, f.takeTools, f.takeMessages} {
		if e := check(a); e != nil {
			return nil, e
		}
	}
	f.takeFormat(a)
	for _, s := range f.stops.Array() {
		a.stops = append(a.stops, s.Str)
	}
	return a, nil
}

func (f *anthropicBody) checkScalars(op operation) func(*ask) *failure {
	return func(*ask) *failure {
		switch {
		case f.model.Str == "":
			return invalid("model: Field required")
		case !f.messages.Exists():
			return invalid("messages: Field required")
		case !f.messages.IsArray():
			return invalid("messages: Input should be a valid list")
		case op == opCount:
		case !f.maxTokens.Exists():
			return invalid("max_tokens: Field required")
		case f.maxTokens.Type != gjson.Number || f.maxTokens.Int() < 1:
			return invalid("max_tokens: Input should be greater than or equal to 1")
		case f.temperature.Exists() && (f.temperature.Num < 0 || f.temperature.Num > 1):
			return invalid("temperature: range: 0..1")
		}
		return nil
	}
}

// takeThinking knows three kinds of model by their names: those without thinking ("no-thinking"), those that only take
// a budget ("no-adaptive") and those that only take adaptive thinking ("adaptive-only").
func (f *anthropicBody) takeThinking(a *ask) *failure {
	kind := f.thinking.Get("type").Str
	lacks := func(what string) bool { return strings.Contains(a.model, what) }
	switch {
	case !f.thinking.Exists(), kind == "disabled":
		return nil
	case kind != "enabled" && kind != "adaptive":
		return invalid("thinking: Input tag '" + kind + "' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'")
	case lacks("no-thinking"):
		return invalid("'" + a.model + "' does not support thinking.")
	case kind == "adaptive" && lacks("no-adaptive"):
		return invalid("adaptive thinking is not supported on this model")
	case kind == "enabled" && lacks("adaptive-only"):
		return invalid(`"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`)
	case kind == "enabled" && !f.thinking.Get("budget_tokens").Exists():
		return invalid("thinking.enabled.budget_tokens: Field required")
	case kind == "enabled" && f.thinking.Get("budget_tokens").Int() < 1024:
		return invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case kind == "enabled" && f.maxTokens.Exists() && f.maxTokens.Int() <= f.thinking.Get("budget_tokens").Int():
		return invalid("`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking#max-tokens-and-context-window-size")
	case kind == "adaptive" && f.thinking.Get("budget_tokens").Exists():
		return invalid("thinking.adaptive.budget_tokens: Extra inputs are not permitted")
	}
	a.thinking = true
	a.hideThinking = f.thinking.Get("display").Str == "omitted"
	return nil
}

func (f *anthropicBody) takeTools(a *ask) *failure {
	for i, t := range f.tools.Array() {
		name, schema := t.Get("name").Str, t.Get("input_schema")
		custom := t.Get("type").Str == "" || t.Get("type").Str == "custom"
		switch {
		case name == "":
			return invalid(fmt.Sprintf("tools.%d.custom.name: Field required", i))
		case !custom:
			continue // a server's own tool, which the simulated model never uses
		case !schema.IsObject():
			return invalid(fmt.Sprintf("tools.%d.custom.input_schema: Field required", i))
		case schema.Get("type").Str != "object":
			return invalid(fmt.Sprintf("tools.%d.custom.input_schema.type: Field required", i))
		}
		a.tools = append(a.tools, tool{name: name, schema: schema})
	}
	kind := f.toolChoice.Get("type").Str
	forced := kind == "any" || kind == "tool"
	switch {
	case f.toolChoice.Exists() && len(a.tools) == 0 && forced:
		return invalid("tool_choice: Tools must be provided when tool_choice is specified")
	case forced && a.thinking:
		return invalid("Thinking may not be enabled when tool_choice forces tool use.")
	}
	switch kind {
	case "any":
		a.choice = chooseAny
	case "none":
		a.choice = chooseNone
	case "tool":
		a.choice, a.named = chooseNamed, f.toolChoice.Get("name").Str
		if len(a.byName([]string{a.named})) == 0 {
			return invalid("tool_choice: Tool '" + a.named + "' not found in provided tools")
		}
	}
	return nil
}

func (f *anthropicBody) takeFormat(a *ask) {
	format := f.outputConfig.Get("format")
	if !format.Exists() {
		format = f.format
	}
	if format.Get("type").Str == "json_schema" {
		a.schema = format.Get("schema")
	}
}
