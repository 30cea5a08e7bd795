package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// gemini posts a body to a model's method.
func (v *vendor) gemini(t testing.TB, address, body string, headers ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.urls[Gemini]+"/v1beta/models/"+address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Api-Key", "simulated")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// contentsOf is a body in which the user says text; more is further fields, each with its comma.
func contentsOf(text, more string) string {
	return string(appendString([]byte(`{"contents":[{"role":"user","parts":[{"text":`), text)) + "}]}]" + more + "}"
}

// geminiSaid is what an answer amounts to, however it came.
type geminiSaid struct {
	text, thought, finish string
	calls, signatures     []string
	usage                 map[string]int64
}

func (s *geminiSaid) take(t *testing.T, chunk string) {
	t.Helper()
	if !json.Valid([]byte(chunk)) {
		t.Fatalf("not JSON: %s", chunk)
	}
	doc := gjson.Parse(chunk)
	for _, p := range doc.Get("candidates.0.content.parts").Array() {
		if p.Get("thought").Bool() {
			s.thought += p.Get("text").Str
		} else {
			s.text += p.Get("text").Str
		}
		if c := p.Get("functionCall"); c.Exists() {
			s.calls = append(s.calls, c.Get("name").Str+c.Get("args").Raw)
		}
		if sig := p.Get("thoughtSignature"); sig.Exists() {
			s.signatures = append(s.signatures, sig.Str)
		}
	}
	s.finish = doc.Get("candidates.0.finishReason").Str
	s.usage = map[string]int64{}
	doc.Get("usageMetadata").ForEach(func(k, n gjson.Result) bool { s.usage[k.Str] = n.Int(); return true })
}

// geminiBothWays makes a call streamed and not, and checks that the answers say the same.
func (v *vendor) geminiBothWays(t *testing.T, model, body string) geminiSaid {
	t.Helper()
	var whole, streamed geminiSaid
	res, doc, err := v.gemini(t, model+":generateContent", body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s %v", res.StatusCode, doc, err)
	}
	whole.take(t, doc)
	res, doc, err = v.gemini(t, model+":streamGenerateContent?alt=sse", body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %s %v", res.StatusCode, doc, err)
	}
	for _, event := range strings.Split(strings.TrimSuffix(doc, "\r\n\r\n"), "\r\n\r\n") {
		data, ok := strings.CutPrefix(event, "data: ")
		if !ok {
			t.Fatalf("not an event: %q", event)
		}
		streamed.take(t, data)
	}
	if !reflect.DeepEqual(streamed, whole) {
		t.Errorf("streamed %+v\nwhole    %+v", streamed, whole)
	}
	return whole
}

const functions = `,"tools":[{"functionDeclarations":[{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"get_time"}]}]`

func TestGeminiAnswers(t *testing.T) {
	tests := []struct {
		name, model, text, more string
		check                   func(geminiSaid) bool
	}{
		{"Text", "m", "What's “up”?\n", "", func(s geminiSaid) bool {
			return s.finish == "STOP" && strings.Contains(s.text, "What's “up”?\n") && len(s.signatures) == 0 && s.usage["totalTokenCount"] == s.usage["promptTokenCount"]+s.usage["candidatesTokenCount"]
		}},
		{"Length", "m", "Hello.", `,"generationConfig":{"maxOutputTokens":3}`, func(s geminiSaid) bool {
			return s.finish == "MAX_TOKENS" && s.text == "This is a si" && s.usage["candidatesTokenCount"] == 3
		}},
		{"Stop", "m", "Hello.", `,"generationConfig":{"stopSequences":["simulated"]}`, func(s geminiSaid) bool { return s.finish == "STOP" && s.text == "This is a " }},
		{"Thoughts", "m", "Hello.", `,"generationConfig":{"thinkingConfig":{"includeThoughts":true}}`, func(s geminiSaid) bool {
			return strings.Contains(s.thought, "simulated") && s.usage["thoughtsTokenCount"] == int64(tokens(s.thought)) && len(s.signatures) == 1
		}},
		{"NamedTool", "m", "Try get_weather.", functions, func(s geminiSaid) bool { return s.finish == "STOP" && len(s.calls) == 1 && len(s.signatures) == 0 }},
		{"SignedTool", "m-signed", "Try get_weather.", functions, func(s geminiSaid) bool { return len(s.calls) == 1 && len(s.signatures) == 1 }},
		{"Parallel", "m-signed", "Use the tools in parallel.", functions, func(s geminiSaid) bool {
			return len(s.calls) == 2 && s.calls[1] == "get_time{}" && len(s.signatures) == 1
		}},
		{"Any", "m", "Hello.", functions + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`, func(s geminiSaid) bool { return len(s.calls) == 1 && s.text == "" }},
		{"Named", "m", "Hello.", functions + `,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["get_time"]}}`, func(s geminiSaid) bool { return s.calls[0] == "get_time{}" }},
		{"None", "m", "Use both.", functions + `,"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}`, func(s geminiSaid) bool { return len(s.calls) == 0 && s.text != "" }},
		{"Schema", "m", "Hello.", `,"generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"a":{"enum":["b"]}}}}`,
			func(s geminiSaid) bool { return s.text == `{"a":"b"}` }},
		{"Usage", "m", "Hello. [[sim in=90 cache-read=40 out=9]]", "", func(s geminiSaid) bool {
			return s.usage["promptTokenCount"] == 90 && s.usage["cachedContentTokenCount"] == 40 && s.usage["candidatesTokenCount"] == 9
		}},
		{"NoUsage", "m", "Hello. [[sim usage=none]]", "", func(s geminiSaid) bool { return len(s.usage) == 0 }},
		{"Finish", "m", "Hello. [[sim finish=SAFETY]]", "", func(s geminiSaid) bool { return s.finish == "SAFETY" }},
	}
	v := newVendor(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s := v.geminiBothWays(t, tt.model, contentsOf(tt.text, tt.more)); !tt.check(s) {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestGeminiHistory: results are quoted, and a signature holds on its own part only.
func TestGeminiHistory(t *testing.T) {
	call, words := geminiSign("m-signed", "call get_time"), geminiSign("m-signed", "text")
	history := func(model string) string {
		return `{"contents":[{"role":"user","parts":[{"text":"Use get_time."}]},{"role":"model","parts":[` + model + `]},{"role":"user","parts":[{"functionResponse":{"name":"get_time","response":{"output":"noon"}}}]}]` + functions + `}`
	}
	signed := func(sig string) string {
		return history(`{"functionCall":{"name":"get_time","args":{}},"thoughtSignature":"` + sig + `"}`)
	}
	v := newVendor(t, Options{})
	for name, body := range map[string]string{
		"its own":    signed(call),
		"the filler": signed(geminiFiller),
		"and text":   history(`{"text":"","thoughtSignature":"` + words + `"},{"functionCall":{"name":"get_time"},"thoughtSignature":"` + call + `"}`),
	} {
		if s := v.geminiBothWays(t, "m-signed", body); s.finish != "STOP" || !strings.Contains(s.text, "“noon”") {
			t.Errorf("%s: got %+v", name, s)
		}
	}
	for want, body := range map[string]string{
		"missing a thought_signature":  history(`{"functionCall":{"name":"get_time","args":{}}}`),
		"Corrupted thought signature.": signed(words),
	} {
		res, got, _ := v.gemini(t, "m-signed:generateContent", body)
		if res.StatusCode != 400 || !strings.Contains(gjson.Get(got, "error.message").Str, want) {
			t.Errorf("got %d %s, want %s", res.StatusCode, got, want)
		}
	}
	old := `{"contents":[{"role":"user","parts":[{"text":"Use get_time."}]},{"role":"model","parts":[{"functionCall":{"name":"get_time"}}]},{"role":"user","parts":[{"functionResponse":{"name":"get_time","response":{"output":"noon"}}}]},{"role":"model","parts":[{"text":"a"}]},{"role":"user","parts":[{"text":"And?"}]}]}`
	if res, got, _ := v.gemini(t, "m-signed:generateContent", old); res.StatusCode != 200 {
		t.Errorf("a call of an earlier turn: got %d %s", res.StatusCode, got)
	}
}

func TestGeminiRefusals(t *testing.T) {
	tool := func(f string) string {
		return contentsOf("x", `,"tools":[{"functionDeclarations":[`+f+`]}]`)
	}
	schema := func(s string) string {
		return tool(`{"name":"f","parameters":{"type":"object","properties":{"p":` + s + `}}}`)
	}
	turns := func(contents string) string { return `{"contents":[` + contents + `]}` }
	const asked = `{"role":"user","parts":[{"text":"x"}]},`
	tests := []struct{ name, body, want string }{
		{"NotJSON", `{"contents":`, "not valid JSON"},
		{"NoContents", `{}`, "contents is not specified"},
		{"OurField", contentsOf("x", `,"routing_hint":{}`), `Unknown name "routing_hint": Cannot find field.`},
		{"AnthropicsField", contentsOf("x", `,"max_tokens":5`), `Unknown name "max_tokens"`},
		{"ConfigField", contentsOf("x", `,"generationConfig":{"max_tokens":5}`), `Unknown name "max_tokens" at 'generation_config'`},
		{"Role", turns(`{"role":"assistant","parts":[{"text":"x"}]}`), "Please use a valid role: user, model."},
		{"NoParts", turns(`{"role":"user","parts":[]}`), "contents.parts must not be empty"},
		{"PartField", turns(`{"role":"user","parts":[{"type":"text","text":"x"}]}`), `Unknown name "type" at 'contents[0].parts[0]'`},
		{"ImageReference", turns(`{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"placeholder:1"}}]}`), "Base64 decoding failed"},
		{"ResultWithoutCall", turns(`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}`), "immediately after a function call turn"},
		{"ResultsMissing", turns(asked + `{"role":"model","parts":[{"functionCall":{"name":"f"}},{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}`), "number of function response parts"},
		{"ArgsString", turns(asked + `{"role":"model","parts":[{"functionCall":{"name":"f","args":"{}"}}]}`), "Struct"},
		{"ToolName", tool(`{"name":"3d"}`), "Invalid function name"},
		{"NoProperties", tool(`{"name":"f","parameters":{"type":"object","properties":{}}}`), "should be non-empty for OBJECT type"},
		{"AdditionalProperties", schema(`{"type":"object","additionalProperties":false}`), `Unknown name "additionalProperties"`},
		{"Ref", schema(`{"$ref":"#/$defs/x"}`), `Unknown name "$ref"`},
		{"Const", schema(`{"type":"string","const":"a"}`), `Unknown name "const"`},
		{"NoType", schema(`{"description":"d"}`), "didn't specify the schema type field"},
		{"TypeList", schema(`{"type":["string","null"]}`), "didn't specify the schema type field"},
		{"EnumOfNumbers", schema(`{"type":"integer","enum":[1]}`), "(TYPE_STRING), 1"},
		{"EmptyEnum", schema(`{"type":"string","enum":[""]}`), "cannot be empty"},
		{"Format", schema(`{"type":"string","format":"uri"}`), "only 'enum' and 'date-time' are supported"},
		{"NoItems", schema(`{"type":"array"}`), "items: missing field"},
		{"Required", schema(`{"type":"object","properties":{"a":{"type":"string"}},"required":["b"]}`), "property is not defined"},
		{"AnyOfBeside", schema(`{"type":"string","anyOf":[{"type":"string"}]}`), "it must be the only field set"},
		{"ChoiceWithoutTools", contentsOf("x", `,"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}`), "without function_declarations"},
		{"TwoMeasures", contentsOf("x", `,"generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"low"}}`), "only one of thinking budget and thinking level"},
		{"UnknownDirective", contentsOf("[[sim statos=5]]", ""), `unknown word "statos"`},
	}
	v := newVendor(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body, _ := v.gemini(t, "m:generateContent", tt.body)
			if e := gjson.Get(body, "error"); res.StatusCode != 400 || e.Get("status").Str != "INVALID_ARGUMENT" || !strings.Contains(e.Get("message").Str, tt.want) {
				t.Errorf("got %d %s, want a 400 with %q", res.StatusCode, body, tt.want)
			}
		})
	}
	if res, body, _ := v.gemini(t, "m-no-thinking:generateContent", contentsOf("x", `,"generationConfig":{"thinkingConfig":{}}`)); res.StatusCode != 400 {
		t.Errorf("a model that can't think: got %d %s", res.StatusCode, body)
	}
	if res, _, _ := v.gemini(t, "m:embedContent", "{}"); res.StatusCode != 404 {
		t.Errorf("another method: got %d", res.StatusCode)
	}
	if res, _, _ := v.gemini(t, "m:generateContent", contentsOf("x", ""), "X-Goog-Api-Key", ""); res.StatusCode != 401 {
		t.Errorf("no key: got %d", res.StatusCode)
	}
}

// TestGeminiFaults: errors in Google's shape, whose wait is in the body, and streams that break.
func TestGeminiFaults(t *testing.T) {
	v := newVendor(t, Options{Record: true})
	res, body, _ := v.gemini(t, "m:generateContent", contentsOf("x [[sim rate-limit]]", ""), "X-Ainfera-Inference-Id", "inf-1")
	if e := gjson.Get(body, "error"); res.StatusCode != 429 || e.Get("status").Str != "RESOURCE_EXHAUSTED" || e.Get("details.0.retryDelay").Str != "7s" || res.Header.Get("Retry-After") != "" {
		t.Errorf("got %d %v %s", res.StatusCode, res.Header, body)
	}
	if c := v.Calls()[0]; c.Model != "m" || c.InferenceID != "inf-1" || c.Status != 429 || c.Dialect != Gemini {
		t.Errorf("recorded %+v", c)
	}
	if res, body, _ = v.gemini(t, "m%3Fstatus=400&error=authentication:generateContent", contentsOf("x", "")); res.StatusCode != 400 || gjson.Get(body, "error.details.0.reason").Str != "API_KEY_INVALID" {
		t.Errorf("a bad key: got %d %s", res.StatusCode, body)
	}
	for words, want := range map[string]struct {
		chunks        int
		broken, error bool
	}{
		"error-after=3": {3, false, true}, "cut-after=3": {3, true, false}, "torn-after=3": {3, true, false}, "end-early": {11, false, false},
	} {
		res, body, err := v.gemini(t, "m:streamGenerateContent?alt=sse", contentsOf("Say hi. [[sim "+words+"]]", ""))
		if got := strings.Count(body, "}\r\n\r\n"); res.StatusCode != 200 || got != want.chunks || (err != nil) != want.broken || strings.Contains(body, "\n{\n  \"error\"") != want.error {
			t.Errorf("%s: got %d, %d chunks, %v:\n%s", words, res.StatusCode, got, err, body)
		}
	}
	if res, body, _ = v.gemini(t, "m:countTokens", `{"generateContentRequest":{"model":"models/m",`+contentsOf("four", "")[1:]+"}"); res.StatusCode != 200 || gjson.Get(body, "totalTokens").Int() != 4 {
		t.Errorf("count: got %d %s", res.StatusCode, body)
	}
}
