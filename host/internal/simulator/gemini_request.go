package simulator

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
)

// parse checks a body as generateContent does: it is read as a protocol buffer, so that one unknown name, however deep,
// refuses all of it.
func (gemini) parse(r *http.Request, body gjson.Result, op operation) (*ask, *failure) {
	model, verb := geminiAddress(r.URL.Path)
	a := &ask{model: model, stream: verb == "streamGenerateContent", parallel: true, fault: &Fault{}}
	if a.stream && r.URL.Query().Get("alt") != "sse" {
		return nil, invalid("the simulated vendor streams with alt=sse only")
	}
	if inner := body.Get("generateContentRequest"); op == opCount && inner.IsObject() {
		body = inner
	}
	p := geminiParser{a: a}
	if e := p.known(body, "", geminiFields); e != nil {
		return nil, e
	}
	a.key = sum(2, model, body.Get("tools").Raw, body.Get("contents").Raw)
	for _, take := range []func(gjson.Result) *failure{p.tools, p.choice, p.config, p.contents} {
		if e := take(body); e != nil {
			return nil, e
		}
	}
	return a, nil
}

// The names that are known, by where they stand.
var (
	geminiFields = names("contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent model labels")
	geminiConfig = names("candidateCount maxOutputTokens temperature topP topK stopSequences seed presencePenalty frequencyPenalty " +
		"responseMimeType responseSchema responseJsonSchema responseModalities responseLogprobs logprobs thinkingConfig mediaResolution speechConfig")
	geminiThinking = names("includeThoughts thinkingBudget thinkingLevel")
	geminiContent  = names("role parts")
	geminiPart     = names("text inlineData fileData functionCall functionResponse thought thoughtSignature executableCode codeExecutionResult videoMetadata")
	geminiCall     = names("id name args")
	geminiResponse = names("id name response parts")
	geminiBlob     = names("mimeType data displayName")
	geminiFile     = names("mimeType fileUri displayName")
	geminiFunction = names("name description parameters parametersJsonSchema response responseJsonSchema behavior")
	geminiSchema   = names("type format title description nullable enum maxItems minItems properties required minProperties maxProperties " +
		"minLength maxLength pattern example anyOf propertyOrdering default items minimum maximum")
)

func names(list string) map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(list) {
		m[name] = true
	}
	return m
}

// geminiParser takes one body apart.
type geminiParser struct {
	a     *ask
	size  int // of the prompt, in tokens
	calls int // of the content before
}

// known refuses the first name of an object that there isn't.
func (p *geminiParser) known(v gjson.Result, where string, names map[string]bool) (e *failure) {
	v.ForEach(func(key, _ gjson.Result) bool {
		if !names[key.Str] {
			at := ""
			if where != "" {
				at = " at '" + where + "'"
			}
			e = invalid("Invalid JSON payload received. Unknown name \"" + key.Str + "\"" + at + ": Cannot find field.")
		}
		return e == nil
	})
	return e
}

func (p *geminiParser) tools(body gjson.Result) *failure {
	p.size += tokens(body.Get("tools").Raw)
	for i, group := range body.Get("tools").Array() {
		for j, f := range group.Get("functionDeclarations").Array() {
			where := fmt.Sprintf("tools[%d].function_declarations[%d]", i, j)
			if e := p.known(f, where, geminiFunction); e != nil {
				return e
			}
			name := f.Get("name").Str
			if name == "" || len(name) > 64 || name[0] == '-' || name[0] >= '0' && name[0] <= '9' || strings.ContainsFunc(name, func(c rune) bool { return c > 127 || !nameByte(byte(c)) && c != '.' && c != ':' }) {
				return invalid("* GenerateContentRequest." + where + ".name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64.")
			}
			schema := f.Get("parameters")
			if schema.Exists() {
				if e := p.schema(schema, where+".parameters"); e != nil {
					return e
				}
				if schema.Get("properties|@keys|#").Int() == 0 {
					return invalid("* GenerateContentRequest." + where + ".parameters.properties: should be non-empty for OBJECT type")
				}
			}
			p.a.tools = append(p.a.tools, tool{name: name, schema: schema})
		}
	}
	return nil
}

// schema checks a Schema and those within it.
func (p *geminiParser) schema(s gjson.Result, where string) *failure {
	if e := p.known(s, where, geminiSchema); e != nil {
		return e
	}
	choices := s.Get("anyOf").Array()
	kind := strings.ToLower(s.Get("type").Str)
	switch {
	case len(choices) > 0 && len(s.Map()) > 1:
		return invalid("Unable to submit request because " + where + " schema specified other fields alongside any_of. When using any_of, it must be the only field set.")
	case len(choices) == 0 && !strings.Contains("string number integer boolean array object", kind), len(choices) == 0 && kind == "":
		return invalid("Unable to submit request because " + where + " schema didn't specify the schema type field.")
	case kind == "array" && !s.Get("items").IsObject():
		return invalid("* GenerateContentRequest." + where + ".items: missing field.")
	case kind == "string" && s.Get("format").Exists() && s.Get("format").Str != "enum" && s.Get("format").Str != "date-time":
		return invalid("* GenerateContentRequest." + where + ".format: only 'enum' and 'date-time' are supported for STRING type")
	}
	for i, v := range s.Get("enum").Array() {
		if v.Type != gjson.String || kind != "string" {
			return invalid(fmt.Sprintf("Invalid value at '%s.enum[%d]' (TYPE_STRING), %s", where, i, v.Raw))
		}
		if v.Str == "" {
			return invalid(fmt.Sprintf("* GenerateContentRequest.%s.enum[%d]: cannot be empty", where, i))
		}
	}
	properties := s.Get("properties")
	for i, r := range s.Get("required").Array() {
		if !properties.Map()[r.Str].Exists() {
			return invalid(fmt.Sprintf("* GenerateContentRequest.%s.required[%d]: property is not defined", where, i))
		}
	}
	if items := s.Get("items"); items.Exists() {
		if e := p.schema(items, where+".items"); e != nil {
			return e
		}
	}
	for i, c := range choices {
		if e := p.schema(c, fmt.Sprintf("%s.any_of[%d]", where, i)); e != nil {
			return e
		}
	}
	var e *failure
	properties.ForEach(func(key, v gjson.Result) bool {
		e = p.schema(v, where+".properties["+key.Str+"]")
		return e == nil
	})
	return e
}

func (p *geminiParser) choice(body gjson.Result) *failure {
	c := body.Get("toolConfig.functionCallingConfig")
	allowed := c.Get("allowedFunctionNames").Array()
	switch mode := c.Get("mode").Str; {
	case mode == "" || mode == "AUTO":
	case len(p.a.tools) == 0:
		return invalid("Function calling config is set without function_declarations.")
	case mode == "NONE":
		p.a.choice = chooseNone
	case mode == "ANY" && len(allowed) > 0:
		p.a.choice, p.a.named = chooseNamed, allowed[0].Str
		if len(p.a.byName([]string{p.a.named})) == 0 {
			return invalid("* GenerateContentRequest.tool_config.function_calling_config.allowed_function_names: " + p.a.named + " is not a declared function.")
		}
	case mode == "ANY":
		p.a.choice = chooseAny
	default:
		return invalid("Invalid value at 'tool_config.function_calling_config.mode' (TYPE_ENUM), \"" + mode + "\"")
	}
	return nil
}

func (p *geminiParser) config(body gjson.Result) *failure {
	c := body.Get("generationConfig")
	if e := p.known(c, "generation_config", geminiConfig); e != nil {
		return e
	}
	thinking := c.Get("thinkingConfig")
	if e := p.known(thinking, "generation_config.thinking_config", geminiThinking); e != nil {
		return e
	}
	switch t := c.Get("temperature"); {
	case t.Exists() && (t.Num < 0 || t.Num > 2):
		return invalid("* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].")
	case c.Get("maxOutputTokens").Exists() && c.Get("maxOutputTokens").Int() < 1:
		return invalid("* GenerateContentRequest.generation_config.max_output_tokens: max_output_tokens must be positive.")
	case len(c.Get("stopSequences").Array()) > 5:
		return invalid("* GenerateContentRequest.generation_config.stop_sequences: at most 5 stop sequences are supported.")
	case thinking.Exists() && strings.Contains(p.a.model, "no-thinking"):
		return invalid("Thinking is not supported for this model.")
	case thinking.Get("thinkingBudget").Exists() && thinking.Get("thinkingLevel").Exists():
		return invalid("You can only set only one of thinking budget and thinking level.")
	case c.Get("responseMimeType").Str == "application/json":
		p.a.schema, p.a.asJSON = c.Get("responseJsonSchema"), true
	}
	p.a.thinking = thinking.Get("includeThoughts").Bool()
	p.a.maxTokens = int(c.Get("maxOutputTokens").Int())
	for _, s := range c.Get("stopSequences").Array() {
		p.a.stops = append(p.a.stops, s.Str)
	}
	return nil
}

// contents checks the conversation, counts it, and keeps what the answer needs of its end.
func (p *geminiParser) contents(body gjson.Result) *failure {
	for _, part := range body.Get("systemInstruction.parts").Array() {
		p.size += tokens(part.Get("text").Str)
	}
	contents := body.Get("contents").Array()
	if len(contents) == 0 {
		return invalid("* GenerateContentRequest.contents: contents is not specified")
	}
	before, replied := 0, false
	turn := lastAsked(contents)
	for i, c := range contents {
		if e := p.known(c, fmt.Sprintf("contents[%d]", i), geminiContent); e != nil {
			return e
		}
		before = p.size
		p.size += 3
		var e *failure
		switch c.Get("role").Str {
		case "user":
			e = p.user(i, c)
		case "model":
			replied, p.a.results = true, nil
			e = p.said(i, c, i > turn)
		default:
			e = invalid("Please use a valid role: user, model.")
		}
		if e == nil && len(c.Get("parts").Array()) == 0 {
			e = invalid(fmt.Sprintf("* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.", i))
		}
		if e != nil {
			return e
		}
	}
	p.a.prompt.total = p.size
	if replied && before >= cacheLeast {
		p.a.prompt.cacheRead = before / cacheStep * cacheStep
	}
	return nil
}

// lastAsked is the place of the last content in which the user says something, which begins the current turn.
func lastAsked(contents []gjson.Result) int {
	last := -1
	for i, c := range contents {
		if c.Get("role").Str == "user" && c.Get("parts.#(text).text").Exists() {
			last = i
		}
	}
	return last
}

// user takes a content of the user's. Results must answer the calls before it, all of them and first.
func (p *geminiParser) user(i int, c gjson.Result) *failure {
	p.a.images, p.a.documents, p.a.text = 0, 0, ""
	results, texts := 0, []string(nil)
	for j, part := range c.Get("parts").Array() {
		where := fmt.Sprintf("contents[%d].parts[%d]", i, j)
		if e := p.known(part, where, geminiPart); e != nil {
			return e
		}
		p.size += tokens(part.Get("text").Str)
		switch {
		case part.Get("text").Exists():
			texts = append(texts, part.Get("text").Str)
		case part.Get("functionResponse").Exists():
			results++
			if e := p.result(part.Get("functionResponse"), where); e != nil {
				return e
			}
		case part.Get("functionCall").Exists():
			return invalid("Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
		default:
			if e := p.media(part, where); e != nil {
				return e
			}
		}
	}
	p.a.text = strings.Join(texts, "\n")
	calls := p.calls
	p.calls = 0
	switch {
	case results > 0 && calls == 0:
		return invalid("Please ensure that function response turn comes immediately after a function call turn.")
	case results != calls:
		return invalid("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
	}
	return nil
}

func (p *geminiParser) result(r gjson.Result, where string) *failure {
	if e := p.known(r, where+".function_response", geminiResponse); e != nil {
		return e
	}
	response := r.Get("response")
	if r.Get("name").Str == "" || !response.IsObject() {
		return invalid("* GenerateContentRequest." + where + ".function_response.name: Name cannot be empty.")
	}
	text := response.Get("output")
	if !text.Exists() {
		text = response.Get("error")
	}
	p.size += tokens(response.Raw)
	p.a.results = append(p.a.results, text.String())
	return nil
}

func (p *geminiParser) media(part gjson.Result, where string) *failure {
	kind := part.Get("inlineData.mimeType").Str + part.Get("fileData.mimeType").Str
	inline, file := part.Get("inlineData"), part.Get("fileData")
	if e := p.known(inline, where+".inline_data", geminiBlob); e != nil {
		return e
	}
	if e := p.known(file, where+".file_data", geminiFile); e != nil {
		return e
	}
	switch {
	case inline.Exists() && !base64Begins(inline.Get("data").Str):
		return invalid("Invalid value at '" + where + ".inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"" + excerpt(inline.Get("data").Str) + "\"")
	case kind == "":
		return invalid("* GenerateContentRequest." + where + ".data: required oneof field 'data' must have one initialized field")
	case strings.HasPrefix(kind, "image/"):
		p.a.images++
	default:
		p.a.documents++
	}
	p.size += imageTokens
	return nil
}

// said takes a content of the model's, whose signatures are checked: each holds on the kind of part that it was given to.
// current says that it belongs to the turn that is going on.
func (p *geminiParser) said(i int, c gjson.Result, current bool) *failure {
	p.calls = 0
	for j, part := range c.Get("parts").Array() {
		where := fmt.Sprintf("contents[%d].parts[%d]", i, j)
		if e := p.known(part, where, geminiPart); e != nil {
			return e
		}
		p.size += tokens(part.Get("text").Str)
		call := part.Get("functionCall")
		if e := p.known(call, where+".function_call", geminiCall); e != nil {
			return e
		}
		kind := "text"
		switch {
		case part.Get("functionResponse").Exists():
			return invalid("Please ensure that function response turn comes immediately after a function call turn.")
		case call.Exists():
			p.calls++
			kind = "call " + call.Get("name").Str
			p.size += tokens(call.Get("name").Str) + tokens(call.Get("args").Raw)
			if args := call.Get("args"); args.Exists() && !args.IsObject() {
				return invalid("Invalid value at '" + where + ".function_call.args' (type.googleapis.com/google.protobuf.Struct), " + args.Raw)
			}
		}
		sig := part.Get("thoughtSignature").Str
		switch {
		case sig == "" && p.calls == 1 && call.Exists() && current && geminiInsists(p.a.model):
			return invalid("Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:" + call.Get("name").Str + "` , position " + fmt.Sprint(j+1) + ".")
		case sig == "" || sig == geminiFiller:
		case sig != geminiSign(modelName(p.a.model), kind):
			return invalid("Corrupted thought signature.")
		}
	}
	return nil
}

// geminiFiller is the signature that Google documents for calls that another model made.
const geminiFiller = "skip_thought_signature_validator"

// modelName is a model without its directives.
func modelName(model string) string {
	name, _, _ := strings.Cut(model, "?")
	return name
}
