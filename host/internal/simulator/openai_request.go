package simulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// openaiBody is a Chat Completions body, taken apart.
type openaiBody struct {
	model, messages, tools, toolChoice, stop, stream         gjson.Result
	maxTokens, maxCompletion, format, effort, streamOptions  gjson.Result
	thinking, reasoning, parallelCalls, temperature, choices gjson.Result
}

// take reads the top-level fields and refuses the first that is not known. Known are OpenAI's own, and those that the
// vendors who speak its dialect have added in public.
func (f *openaiBody) take(body gjson.Result) (e *failure) {
	body.ForEach(func(key, value gjson.Result) bool {
		if place := f.place(key.Str); place != nil {
			*place = value
		} else if !openaiFields[key.Str] {
			e = invalidParam(key.Str, "unknown_parameter", "Unknown parameter: '"+key.Str+"'.")
		}
		return e == nil
	})
	return e
}

// place is where the value of a field goes; nil for one that changes nothing here.
func (f *openaiBody) place(key string) *gjson.Result {
	switch key {
	case "model":
		return &f.model
	case "messages":
		return &f.messages
	case "tools":
		return &f.tools
	case "tool_choice":
		return &f.toolChoice
	case "stop":
		return &f.stop
	case "stream":
		return &f.stream
	case "stream_options":
		return &f.streamOptions
	case "max_tokens":
		return &f.maxTokens
	case "max_completion_tokens":
		return &f.maxCompletion
	case "response_format":
		return &f.format
	case "reasoning_effort":
		return &f.effort
	case "thinking":
		return &f.thinking
	case "reasoning":
		return &f.reasoning
	case "parallel_tool_calls":
		return &f.parallelCalls
	case "temperature":
		return &f.temperature
	case "n":
		return &f.choices
	}
	return nil
}

// openaiFields are accepted and change nothing.
var openaiFields = map[string]bool{
	"audio": true, "frequency_penalty": true, "function_call": true, "functions": true, "logit_bias": true,
	"logprobs": true, "metadata": true, "modalities": true, "prediction": true, "presence_penalty": true,
	"prompt_cache_key": true, "prompt_cache_retention": true, "safety_identifier": true, "seed": true,
	"service_tier": true, "store": true, "top_logprobs": true, "top_p": true, "user": true, "verbosity": true,
	"web_search_options": true,
	// Mistral, vLLM, OpenRouter, xAI and their like.
	"chat_template_kwargs": true, "min_p": true, "provider": true, "random_seed": true, "repetition_penalty": true,
	"safe_prompt": true, "search_parameters": true, "top_k": true, "usage": true,
}

func (openai) parse(_ *http.Request, body gjson.Result, _ operation) (*ask, *failure) {
	var f openaiBody
	if e := f.take(body); e != nil {
		return nil, e
	}
	a := &ask{
		model: f.model.Str, stream: f.stream.Bool(), parallel: !f.parallelCalls.Exists() || f.parallelCalls.Bool(),
		wantUsage: f.streamOptions.Get("include_usage").Bool(), fault: &Fault{},
	}
	a.maxTokens = int(f.maxTokens.Int())
	if f.maxCompletion.Exists() {
		a.maxTokens = int(f.maxCompletion.Int())
	}
	a.key = sum(1, f.model.Raw, f.tools.Raw, f.messages.Raw)
	for _, check := range []func(*ask) *failure{f.checkScalars, f.takeTools, f.takeMessages} {
		if e := check(a); e != nil {
			return nil, e
		}
	}
	f.takeReasoning(a)
	f.takeFormat(a)
	for _, s := range f.stop.Array() {
		a.stops = append(a.stops, s.Str)
	}
	return a, nil
}

func (f *openaiBody) checkScalars(a *ask) *failure {
	switch {
	case f.model.Str == "":
		return invalid("you must provide a model parameter")
	case !f.messages.Exists():
		return invalidParam("messages", "missing_required_parameter", "Missing required parameter: 'messages'.")
	case !f.messages.IsArray():
		return invalidParam("messages", "invalid_type", "Invalid type for 'messages': expected an array of objects.")
	case len(f.messages.Array()) == 0:
		return invalidParam("messages", "empty_array", "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.")
	case f.temperature.Exists() && (f.temperature.Num < 0 || f.temperature.Num > 2):
		return invalidParam("temperature", "decimal_above_max_value", "Invalid 'temperature': expected a decimal from 0 to 2.")
	case f.choices.Int() > 1:
		return invalidParam("n", "integer_above_max_value", "Invalid 'n': the simulated model gives one choice.")
	case f.streamOptions.IsObject() && !a.stream:
		return invalidParam("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	case f.maxTokens.Exists() && strings.Contains(a.model, "no-max-tokens"):
		return invalidParam("max_tokens", "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.")
	case f.maxTokens.Exists() && f.maxTokens.Int() < 1, f.maxCompletion.Exists() && f.maxCompletion.Int() < 1:
		return invalidParam("max_tokens", "integer_below_min_value", "Invalid 'max_tokens': integer below minimum value. Expected a value >= 1.")
	}
	return nil
}

// takeReasoning knows the three ways in which the vendors of this dialect are asked to think.
func (f *openaiBody) takeReasoning(a *ask) {
	effort := f.effort.Str
	if effort == "" {
		effort = f.reasoning.Get("effort").Str
	}
	a.thinking = effort != "" && effort != "none" || f.thinking.Get("type").Str == "enabled" || f.reasoning.Get("enabled").Bool() ||
		f.reasoning.Get("max_tokens").Exists()
}

func (f *openaiBody) takeFormat(a *ask) {
	switch f.format.Get("type").Str {
	case "json_schema":
		a.schema = f.format.Get("json_schema.schema")
	case "json_object":
		a.asJSON = true
	}
}

func (f *openaiBody) takeTools(a *ask) *failure {
	for i, t := range f.tools.Array() {
		if t.Get("type").Str != "function" {
			return invalidParam(fmt.Sprintf("tools[%d].type", i), "invalid_value", fmt.Sprintf("Invalid value: '%s'. Supported values are: 'function' and 'custom'.", t.Get("type").Str))
		}
		name := t.Get("function.name").Str
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c > 127 || !nameByte(byte(c)) }) || len(name) > 64 {
			return invalidParam(fmt.Sprintf("tools[%d].function.name", i), "invalid_value", fmt.Sprintf("Invalid 'tools[%d].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.", i))
		}
		a.tools = append(a.tools, tool{name: name, schema: t.Get("function.parameters")})
	}
	switch c := f.toolChoice; {
	case c.Exists() && len(a.tools) == 0 && c.Str != "none":
		return invalidParam("tool_choice", "", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
	case c.Str == "none":
		a.choice = chooseNone
	case c.Str == "required":
		a.choice = chooseAny
	case c.IsObject():
		a.choice, a.named = chooseNamed, c.Get("function.name").Str
		if len(a.byName([]string{a.named})) == 0 {
			return invalidParam("tool_choice", "", "Tool choice '"+a.named+"' not found in 'tools' parameter.")
		}
	}
	return nil
}

// cacheStep and cacheLeast are OpenAI's prompt cache: prefixes of at least 1024 tokens, in steps of 128.
const (
	cacheLeast = 1024
	cacheStep  = 128
)

// operators reports whether a role is that of the caller's program. What it says behind the user does not unsay what the
// user said last.
func operators(role string) bool { return role == "system" || role == "developer" }

// takeMessages checks the conversation's order, counts it, and keeps what the answer needs of its end.
func (f *openaiBody) takeMessages(a *ask) *failure {
	var pending []string // tool calls that want a message of role tool
	size, before, replied := tokens(f.tools.Raw), 0, false
	messages := f.messages.Array()
	for i, m := range messages {
		role, content := m.Get("role").Str, m.Get("content")
		if role != "tool" && len(pending) > 0 {
			return unansweredCalls(i-1, pending)
		}
		before = size
		size += 3 + tokens(plainText(content))
		if !operators(role) {
			a.images, a.documents, a.text = 0, 0, ""
		}
		switch role {
		case "system", "developer", "function":
		case "user":
			if e := a.takeUserParts(i, content, &size); e != nil {
				return e
			}
		case "assistant":
			replied, a.results = true, nil
			for _, c := range m.Get("tool_calls").Array() {
				if args := c.Get("function.arguments"); args.Type != gjson.String {
					return invalidParam(fmt.Sprintf("messages[%d].tool_calls[0].function.arguments", i), "invalid_type", "Invalid type for 'function.arguments': expected a string.")
				}
				pending = append(pending, c.Get("id").Str)
				size += tokens(c.Get("function.name").Str) + tokens(c.Get("function.arguments").Str)
			}
		case "tool":
			at := slices.Index(pending, m.Get("tool_call_id").Str)
			if at < 0 {
				return invalidParam(fmt.Sprintf("messages.[%d].role", i), "", "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
			}
			pending = slices.Delete(pending, at, at+1)
			a.results = append(a.results, plainText(content))
		default:
			return invalidParam(fmt.Sprintf("messages[%d].role", i), "invalid_value", "Invalid value: '"+role+"'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.")
		}
	}
	if len(pending) > 0 {
		return unansweredCalls(len(messages)-1, pending)
	}
	a.prompt.total = size
	if replied && before >= cacheLeast {
		a.prompt.cacheRead = before / cacheStep * cacheStep
	}
	return nil
}

// takeUserParts keeps a user message as the last, until a later one replaces it.
func (a *ask) takeUserParts(i int, content gjson.Result, size *int) (e *failure) {
	a.text = plainText(content)
	if !content.IsArray() {
		return nil
	}
	content.ForEach(func(_, part gjson.Result) bool {
		switch part.Get("type").Str {
		case "text":
		case "image_url":
			url := part.Get("image_url.url").Str
			data, inline := strings.CutPrefix(url, "data:image/")
			_, data, _ = strings.Cut(data, ";base64,")
			if inline && !base64Begins(data) || !inline && !strings.HasPrefix(url, "http") {
				e = invalidParam(fmt.Sprintf("messages[%d].content", i), "invalid_image_url", "Invalid image: the URL is neither a base64 data URL nor a web address.")
			}
			a.images++
			*size += imageTokens
		case "file", "input_audio":
			a.documents++
			*size += imageTokens
		default:
			e = invalidParam(fmt.Sprintf("messages[%d].content", i), "invalid_value", "Invalid value: '"+part.Get("type").Str+"'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'.")
		}
		return e == nil
	})
	return e
}

func unansweredCalls(i int, ids []string) *failure {
	return invalidParam(fmt.Sprintf("messages.[%d].role", i+1), "", "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: "+strings.Join(ids, ", "))
}
