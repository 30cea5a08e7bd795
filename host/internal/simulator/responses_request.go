package simulator

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// responsesBody is a Responses body, taken apart.
type responsesBody struct {
	model, input, instructions, tools, toolChoice, stream  gjson.Result
	maxOutput, reasoning, include, store, text             gjson.Result
	temperature, parallelCalls, previous, background, data gjson.Result
}

// place is where the value of a field goes; nil for one that is not known, and data for one that changes nothing here.
func (f *responsesBody) place(key string) *gjson.Result {
	switch key {
	case "model":
		return &f.model
	case "input":
		return &f.input
	case "instructions":
		return &f.instructions
	case "tools":
		return &f.tools
	case "tool_choice":
		return &f.toolChoice
	case "stream":
		return &f.stream
	case "max_output_tokens":
		return &f.maxOutput
	case "reasoning":
		return &f.reasoning
	case "include":
		return &f.include
	case "store":
		return &f.store
	case "text":
		return &f.text
	case "temperature":
		return &f.temperature
	case "parallel_tool_calls":
		return &f.parallelCalls
	case "previous_response_id":
		return &f.previous
	case "background":
		return &f.background
	case "conversation", "max_tool_calls", "metadata", "prompt", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
		"service_tier", "stream_options", "top_logprobs", "top_p", "truncation", "user":
		return &f.data
	}
	return nil
}

func (responses) parse(_ *http.Request, body gjson.Result, _ operation) (a *ask, e *failure) {
	var f responsesBody
	body.ForEach(func(key, value gjson.Result) bool {
		place := f.place(key.Str)
		if place == nil {
			e = invalidParam(key.Str, "unknown_parameter", "Unknown parameter: '"+key.Str+"'.")
			return false
		}
		*place = value
		return true
	})
	if e != nil {
		return nil, e
	}
	a = &ask{
		model: f.model.Str, stream: f.stream.Bool(), parallel: !f.parallelCalls.Exists() || f.parallelCalls.Bool(),
		maxTokens: int(f.maxOutput.Int()), fault: &Fault{},
	}
	a.key = sum(2, f.model.Raw, f.tools.Raw, f.instructions.Raw, f.input.Raw)
	for _, check := range []func(*ask) *failure{f.checkScalars, f.takeReasoning, f.takeTools, f.takeInput} {
		if e := check(a); e != nil {
			return nil, e
		}
	}
	switch format := f.text.Get("format"); format.Get("type").Str {
	case "json_schema":
		a.schema = format.Get("schema")
	case "json_object":
		a.asJSON = true
	}
	return a, nil
}

// leastOutput is the least that the vendor lets an answer be limited to.
const leastOutput = 16

func (f *responsesBody) checkScalars(*ask) *failure {
	switch {
	case f.model.Str == "":
		return invalidParam("model", "missing_required_parameter", "Missing required parameter: 'model'.")
	case f.previous.Str != "":
		return invalidParam("previous_response_id", "previous_response_not_found", "Previous response with id '"+f.previous.Str+"' not found.")
	case f.background.Bool():
		return invalidParam("background", "unsupported_parameter", "Unsupported parameter: the simulated model does not work in the background.")
	case f.temperature.Exists() && (f.temperature.Num < 0 || f.temperature.Num > 2):
		return invalidParam("temperature", "decimal_above_max_value", "Invalid 'temperature': expected a decimal from 0 to 2.")
	case f.maxOutput.Exists() && f.maxOutput.Int() < leastOutput:
		return invalidParam("max_output_tokens", "integer_below_min_value",
			fmt.Sprintf("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= %d, but got %d instead.", leastOutput, f.maxOutput.Int()))
	}
	return nil
}

// takeReasoning reads how the model is to think, and what of it is to be shown.
func (f *responsesBody) takeReasoning(a *ask) *failure {
	effort, summary := f.reasoning.Get("effort").Str, f.reasoning.Get("summary").Str
	for _, v := range f.include.Array() {
		switch v.Str {
		case "reasoning.encrypted_content":
			a.sealed = true
		case "message.output_text.logprobs":
		default:
			return invalidParam("include[0]", "invalid_value", "Invalid value: '"+v.Str+"'.")
		}
	}
	if strings.Contains(a.model, "no-thinking") && (effort != "" || summary != "" || a.sealed) {
		return invalidParam("reasoning.effort", "unsupported_parameter", "Unsupported parameter: 'reasoning.effort' is not supported with this model.")
	}
	a.thinking = effort != "none" && (effort != "" || summary != "" || a.sealed)
	a.hideThinking = summary == ""
	return nil
}

func (f *responsesBody) takeTools(a *ask) *failure {
	for i, t := range f.tools.Array() {
		at, name := fmt.Sprintf("tools[%d]", i), t.Get("name").Str
		switch {
		case t.Get("type").Str != "function":
			return invalidParam(at+".type", "invalid_value", "Invalid value: '"+t.Get("type").Str+"'. The simulated model has the tools of type 'function' only.")
		case name == "":
			return invalidParam(at+".name", "missing_required_parameter", "Missing required parameter: '"+at+".name'.")
		case strings.ContainsFunc(name, func(c rune) bool { return c > 127 || !nameByte(byte(c)) }) || len(name) > 64:
			return invalidParam(at+".name", "invalid_value", "Invalid '"+at+".name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.")
		}
		a.tools = append(a.tools, tool{name: name, schema: t.Get("parameters")})
	}
	switch c := f.toolChoice; {
	case c.Str == "none":
		a.choice = chooseNone
	case c.Str == "required":
		a.choice = chooseAny
	case c.IsObject():
		a.choice, a.named = chooseNamed, c.Get("name").Str
		if len(a.byName([]string{a.named})) == 0 {
			return invalidParam("tool_choice", "", "Tool choice 'function' not found in 'tools' parameter.")
		}
	}
	if a.choice != chooseNone && f.toolChoice.Exists() && f.toolChoice.Str != "auto" && len(a.tools) == 0 {
		return invalidParam("tool_choice", "", "Tool choices other than 'auto' require that 'tools' be specified.")
	}
	return nil
}
