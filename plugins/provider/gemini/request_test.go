package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// callWith is an Open record for a model with these settings.
func callWith(model, settings string) string {
	return `{"op":"chat","model":"` + model + `","max_tokens":100,"thinking":true,"settings":{` + settings + `}}`
}

func conversation(messages string) string {
	return `{"model":"x","max_tokens":100,"messages":[` + messages + `]}`
}

func TestRequestWhole(t *testing.T) {
	got := tests.Build(t, `{"op":"chat","stream":true,"model":"gemini-2.5-flash","max_tokens":1024,"thinking":true}`, `{
		"messages":[{"role":"user","content":"Hi \u00e9"}],
		"model":"ainfera-inference","stream":true,"max_tokens":4096,
		"tool_choice":{"type":"any","disable_parallel_tool_use":true},
		"tools":[{"name":"b","description":"does b","input_schema":{"$schema":"x","type":"object","properties":{"x":{"type":"integer"}},"required":["x"],"additionalProperties":false}},
			{"name":"a","type":"custom","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}}],
		"system":[{"type":"text","text":"x-anthropic-billing-header: cc"},{"type":"text","text":"Be brief."}],
		"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END","\n\n"],
		"metadata":{"user_id":"u-1"},"thinking":{"type":"enabled","budget_tokens":2048},"routing_hint":{"min_quality":0.5}}`)
	want := `{"generationConfig":{"maxOutputTokens":1024,"temperature":0.5,"topP":0.9,"topK":5,"stopSequences":["END","\n\n"],` +
		`"thinkingConfig":{"includeThoughts":true,"thinkingBudget":2048}},` +
		`"systemInstruction":{"parts":[{"text":"Be brief."}]},` +
		`"tools":[{"functionDeclarations":[{"name":"b","description":"does b","parameters":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},` +
		`{"name":"a"}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},` +
		`"contents":[{"role":"user","parts":[{"text":"Hi \u00e9"}]}]}`
	if got.Request.Body != want {
		t.Errorf("body:\ngot  %s\nwant %s", got.Request.Body, want)
	}
	if r := got.Request; r.Method != "POST" || r.Path != "/models/gemini-2.5-flash:streamGenerateContent" || r.Query != "alt=sse" || r.Framing != abi.FramingSSE || r.Headers["content-type"] != "application/json" {
		t.Errorf("request: got %+v", r)
	}
	if want := []string{"metadata.user_id", "tools.input_schema.additionalProperties", "tools.strict", "cache_control", "tool_choice.disable_parallel_tool_use"}; !reflect.DeepEqual(got.Dropped, want) {
		t.Errorf("dropped: got %v, want %v", got.Dropped, want)
	}
}

func TestPaths(t *testing.T) {
	for name, tc := range map[string]struct{ call, path, query, framing string }{
		"whole":            {`"op":"chat","model":"gemini-2.5-pro"`, "/models/gemini-2.5-pro:generateContent", "", abi.FramingJSON},
		"array":            {`"op":"chat","stream":true,"model":"g","settings":{"stream":"array"}`, "/models/g:streamGenerateContent", "", abi.FramingJSONArray},
		"a model's prefix": {`"op":"chat","model":"models/g"`, "/models/g:generateContent", "", abi.FramingJSON},
		"vertex":           {`"op":"chat","stream":true,"model":"gemini@1","settings":{"platform":"vertex"}`, "/gemini%401:streamGenerateContent", "alt=sse", abi.FramingSSE},
		"vertex, whole":    {`"op":"chat","model":"g","settings":{"platform":"vertex"}`, "/g:generateContent", "", abi.FramingJSON},
		"count":            {`"op":"count","model":"g","stream":true`, "/models/g:countTokens", "", abi.FramingJSON},
		"count on vertex":  {`"op":"count","model":"g","settings":{"platform":"vertex"}`, "/g:countTokens", "", abi.FramingJSON},
	} {
		got := tests.Build(t, "{"+tc.call+"}", plainBody)
		if r := got.Request; r.Path != tc.path || r.Query != tc.query || r.Framing != tc.framing {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestCountBody(t *testing.T) {
	const body = `{"max_tokens":5,"temperature":1,"system":"s","tools":[{"name":"f"}],"tool_choice":{"type":"any"},"messages":[{"role":"user","content":"hi"}]}`
	const prompt = `"systemInstruction":{"parts":[{"text":"s"}]},"tools":[{"functionDeclarations":[{"name":"f"}]}],"contents":[{"role":"user","parts":[{"text":"hi"}]}]`
	for settings, want := range map[string]string{
		`"safety":"OFF"`:      `{"generateContentRequest":{"model":"models/g",` + prompt + `}}`,
		`"platform":"vertex"`: `{` + prompt + `}`,
	} {
		if got := tests.Build(t, `{"op":"count","model":"g","settings":{`+settings+`}}`, body); got.Request.Body != want {
			t.Errorf("got  %s\nwant %s", got.Request.Body, want)
		}
	}
}

func TestContents(t *testing.T) {
	const go1 = `{"role":"user","content":"go"},`
	for name, tc := range map[string]struct{ in, want string }{
		"blocks are parts": {`{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":""},{"type":"text","text":"b"}]}`,
			`{"role":"user","parts":[{"text":"a\n"},{"text":"b"}]}`},
		"roles are merged": {`{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"assistant","content":"d"}`,
			`{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"text":"c"},{"text":"d"}]}`},
		"and across what had to go": {`{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"}]},{"role":"user","content":"b"}`,
			`{"role":"user","parts":[{"text":"a"},{"text":"b"}]}`},
		"image": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"text","text":"what?"}]}`,
			`{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}},{"text":"what?"}]}`},
		"image by reference": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"ainfera-ref:3"}},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"ainfera-ref:12"}}]}`,
			`{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"<ref 3>"}},{"inlineData":{"mimeType":"image/gif","data":"<ref 12>"}}]}`},
		"image of no type": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/jpg","data":"AAAA"}}]}`,
			`{"role":"user","parts":[{"inlineData":{"mimeType":"image/jpeg","data":"AAAA"}}]}`},
		"image by address": {`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.PNG?a=\u0026b.c"}},{"type":"image","source":{"type":"url","url":"https://x/y"}}]}`,
			`{"role":"user","parts":[{"fileData":{"mimeType":"image/png","fileUri":"https://x/y.PNG?a=\u0026b.c"}},{"fileData":{"mimeType":"image/jpeg","fileUri":"https://x/y"}}]}`},
		"pdf": {`{"role":"user","content":[{"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":"ainfera-ref:0"}},{"type":"document","source":{"type":"url","url":"https://x/y"}}]}`,
			`{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"<ref 0>"}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://x/y"}}]}`},
		"a text document": {`{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"body"}},{"type":"text","text":"sum up"}]}`,
			`{"role":"user","parts":[{"text":"T\nbody"},{"text":"sum up"}]}`},
		"a document of blocks": {`{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}`,
			`{"role":"user","parts":[{"text":"a\nb"}]}`},
		"a search result": {`{"role":"user","content":[{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"}]}]}`,
			`{"role":"user","parts":[{"text":"T\nhttps://x\na"}]}`},
		"a call and its result": {go1 + `{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"t1","name":"f","input":{"x": "a\"b"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"42"}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"text":"ok"},{"functionCall":{"name":"f","args":{"x": "a\"b"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"42"}}}]}`},
		"no input, no content": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":null}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":""}}}]}`},
		"results in the order of their calls, before text": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"g","input":{}}]},` +
			`{"role":"user","content":[{"type":"text","text":"and now"},{"type":"tool_result","tool_use_id":"b"},{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"g","args":{}}}]},` +
				`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1\n\n2"}}},{"functionResponse":{"name":"g","response":{"output":""}}},{"text":"and now"}]}`},
		"a system message amid": {`{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"}`,
			`{"role":"user","parts":[{"text":"a"},{"text":"<system-reminder>\nb\n</system-reminder>"}]},{"role":"model","parts":[{"text":"c"}]}`},
		"a system message behind a result": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]},{"role":"system","content":"b"}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}},{"text":"<system-reminder>\nb\n</system-reminder>"}]}`},
		"a result that is an error": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":"no such file"}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"error":"no such file"}}}]}`},
		"a result with an image and a file": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BB"}}]},{"type":"text","text":"see?"}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"The result is in the parts behind this one."}}},` +
				`{"text":"From the result of f:"},{"inlineData":{"mimeType":"image/png","data":"AA"}},{"text":"From the result of f:"},{"inlineData":{"mimeType":"application/pdf","data":"BB"}},{"text":"see?"}]}`},
		"ids that the vendor made": {go1 + `{"role":"assistant","content":[{"type":"tool_use","id":"gm_8xju7mua","name":"f","input":{}},{"type":"tool_use","id":"gc_0123_0","name":"f","input":{}},{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"gm_8xju7mua","content":"1"}]}`,
			`{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"id":"8xju7mua","name":"f","args":{}}},{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"8xju7mua","name":"f","response":{"output":"1"}}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := suite.Field(t, tests.Build(t, callWith("gemini-2.5-pro", ""), conversation(tc.in)), "contents"); got != "["+tc.want+"]" {
				t.Errorf("got  %s\nwant [%s]", got, tc.want)
			}
		})
	}
}

// TestVertexHasNoIDs: a conversation that the Gemini API served before goes on at Vertex, which knows no ids of calls.
func TestVertexHasNoIDs(t *testing.T) {
	got := tests.Build(t, callWith("gemini-2.5-pro", `"platform":"vertex"`), conversation(`{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"tool_use","id":"gm_a","name":"f","input":{}},{"type":"tool_use","id":"gm_b","name":"f","input":{}}]},`+
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"gm_b","content":"2"},{"type":"tool_result","tool_use_id":"gm_a","content":"1"}]}`))
	want := `[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"functionCall":{"name":"f","args":{}}}]},` +
		`{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"}}},{"functionResponse":{"name":"f","response":{"output":"2"}}}]}]`
	if c := suite.Field(t, got, "contents"); c != want {
		t.Errorf("got  %s\nwant %s", c, want)
	}
}

// TestSignaturesGoBack plays answers and sends them back as a client would: each signature is on the part that it came
// with.
func TestSignaturesGoBack(t *testing.T) {
	for name, tc := range map[string]struct{ parts, want string }{
		"a call":                  {signedCall + "," + call, signedCall + "," + call},
		"a call behind a thought": {thought("hm") + "," + signedCall, thought("hm") + "," + signedCall},
		"a call behind text":      {text("a") + "," + signedCall, text("a") + "," + signedCall},
		"text":                    {text("a") + `,{"text":"b","thoughtSignature":"AB=="}`, `{"text":"ab"}`}, // the last text's is not kept
		"an empty text":           {text("a") + `,{"text":"","thoughtSignature":"AB=="}`, text("a")},
		"text before a call":      {text("a") + `,{"text":"","thoughtSignature":"AB=="},` + signedCall, text("a") + `,{"text":"","thoughtSignature":"AB=="},` + signedCall},
		"a thought":               {`{"text":"hm","thought":true,"thoughtSignature":"AB=="},` + text("a"), `{"text":"hm","thought":true,"thoughtSignature":"AB=="},` + text("a")},
		"all of them": {`{"text":"hm","thought":true,"thoughtSignature":"A1=="},` + text("a") + `,{"text":"b","thoughtSignature":"A2-_"},` + signedCall + `,{"text":"","thoughtSignature":"A3=="}`,
			`{"text":"hm","thought":true,"thoughtSignature":"A1=="},{"text":"ab","thoughtSignature":"A2-_"},` + signedCall},
	} {
		t.Run(name, func(t *testing.T) {
			m := tests.Play(t, sse(tc.parts, finished("STOP")))
			var blocks []map[string]any
			for _, b := range m.Blocks {
				switch b.Type {
				case "text":
					blocks = append(blocks, map[string]any{"type": "text", "text": b.Text})
				case "thinking":
					blocks = append(blocks, map[string]any{"type": "thinking", "thinking": b.Text, "signature": b.Signature})
				case "tool_use":
					blocks = append(blocks, map[string]any{"type": "tool_use", "id": b.ID, "name": b.Name, "input": json.RawMessage(b.Text)})
				}
			}
			history, err := json.Marshal(blocks)
			if err != nil {
				t.Fatal(err)
			}
			got := tests.Build(t, callWith("gemini-3-flash", ""), conversation(`{"role":"user","content":"go"},{"role":"assistant","content":`+string(history)+`}`))
			if c, want := suite.Field(t, got, "contents"), `[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[`+tc.want+`]}]`; c != want || len(got.Dropped) > 0 {
				t.Errorf("got  %s, dropped %v\nwant %s", c, got.Dropped, want)
			}
		})
	}
}

// TestUnsignedCalls: models from 3 on refuse a call without a signature, and calls of other models have none. Only the
// first of a turn needs one.
func TestUnsignedCalls(t *testing.T) {
	history := conversation(`{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqAB"},{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{}}]}`)
	const filler = `,"thoughtSignature":"skip_thought_signature_validator"`
	for model, want := range map[string]string{"gemini-2.5-flash": "", "gemini-3-pro-preview": filler, "gemini-flash-latest": filler} {
		got := tests.Build(t, callWith(model, ""), history)
		if c, w := suite.Field(t, got, "contents"), `[{"role":"user","parts":[{"text":"go"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}`+want+`},{"functionCall":{"name":"f","args":{}}}]}]`; c != w {
			t.Errorf("%s:\ngot  %s\nwant %s", model, c, w)
		}
		if !reflect.DeepEqual(got.Dropped, []string{"messages.content.thinking"}) {
			t.Errorf("%s: dropped %v", model, got.Dropped)
		}
	}
}

func TestForeignSignatures(t *testing.T) {
	for _, sig := range []string{"", "EqAB", "gemini-", "gemini-c", "gemini-c:", "gemini-x:AA", `gemini-c:A\"A`, "gemini-c:A A"} {
		got := tests.Build(t, callWith("gemini-3-pro", ""), conversation(`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"`+sig+`"},{"type":"text","text":"a"}]}`))
		if c := suite.Field(t, got, "contents"); c != `[{"role":"model","parts":[{"text":"a"}]}]` || len(got.Dropped) != 1 {
			t.Errorf("%q: got %s, dropped %v", sig, c, got.Dropped)
		}
	}
}

func TestFields(t *testing.T) {
	const g2, g3 = "gemini-2.5-flash", "gemini-3-flash-preview"
	const schema = `{"type":"object","properties":{"a":{"const":1}},"additionalProperties":false}`
	for name, tc := range map[string]struct {
		model, settings, body string
		path                  string
		want                  string
	}{
		"budget":                     {g2, ``, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingBudget":1024}`},
		"budget, more than there is": {g2, ``, `{"thinking":{"type":"enabled","budget_tokens":31999}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingBudget":24576}`},
		"budget, adaptive":           {g2, ``, `{"thinking":{"type":"adaptive"}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingBudget":-1}`},
		"budget, by effort":          {g2, ``, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingBudget":1024}`},
		"budget, effort alone":       {g2, ``, `{"output_config":{"effort":"max"}}`, "generationConfig.thinkingConfig", `{"thinkingBudget":24576}`},
		"budget, disabled":           {g2, ``, `{"thinking":{"type":"disabled"}}`, "generationConfig.thinkingConfig", `{"thinkingBudget":0}`},
		"budget, disabled on pro":    {"gemini-2.5-pro", ``, `{"thinking":{"type":"disabled"}}`, "generationConfig.thinkingConfig", `{"thinkingBudget":128}`},
		"level, low":                 {g3, ``, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingLevel":"low"}`},
		"level, medium":              {g3, ``, `{"thinking":{"type":"enabled","budget_tokens":4096}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingLevel":"medium"}`},
		"level, high":                {g3, ``, `{"thinking":{"type":"enabled","budget_tokens":31999}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true,"thinkingLevel":"high"}`},
		"level, adaptive":            {g3, ``, `{"thinking":{"type":"adaptive"}}`, "generationConfig.thinkingConfig", `{"includeThoughts":true}`},
		"level, omitted":             {g3, ``, `{"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"medium"}}`, "generationConfig.thinkingConfig", `{"thinkingLevel":"medium"}`},
		"level, disabled":            {g3, ``, `{"thinking":{"type":"disabled"}}`, "generationConfig.thinkingConfig", `{"thinkingLevel":"low"}`},
		"level, by setting":          {g2, `"thinking":"level"`, `{"output_config":{"effort":"xhigh"}}`, "generationConfig.thinkingConfig", `{"thinkingLevel":"high"}`},
		"thinking, none":             {g2, `"thinking":"none"`, `{"thinking":{"type":"adaptive"}}`, "generationConfig.thinkingConfig", ``},
		"thinking, unasked":          {g2, ``, `{}`, "generationConfig.thinkingConfig", ``},
		"thinking, unasked, least":   {g2, `"unasked_thinking":"least"`, `{}`, "generationConfig.thinkingConfig", `{"thinkingBudget":0}`},
		"max_tokens":                 {g2, ``, `{}`, "generationConfig.maxOutputTokens", `100`},
		"format":                     {g2, ``, `{"output_config":{"format":{"type":"json_schema","schema":` + schema + `}}}`, "generationConfig.responseJsonSchema", schema},
		"format, as it was":          {g2, ``, `{"output_format":{"type":"json_schema","schema":` + schema + `}}`, "generationConfig.responseMimeType", `"application/json"`},
		"format beside tools":        {g3, ``, `{"tools":[{"name":"f"}],"output_format":{"type":"json_schema","schema":` + schema + `}}`, "generationConfig.responseJsonSchema", schema},
		"choice, auto":               {g2, ``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"auto"}}`, "toolConfig.functionCallingConfig", `{"mode":"AUTO"}`},
		"choice, none":               {g2, ``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"none"}}`, "toolConfig.functionCallingConfig", `{"mode":"NONE"}`},
		"choice, one":                {g2, ``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"tool","name":"f"}}`, "toolConfig.functionCallingConfig", `{"mode":"ANY","allowedFunctionNames":["f"]}`},
		"choice without tools":       {g2, ``, `{"tool_choice":{"type":"auto"}}`, "toolConfig", ``},
		"stop, at most":              {g2, `"max_stop":2`, `{"stop_sequences":["1","2","3"]}`, "generationConfig.stopSequences", `["1","2"]`},
		"system, a string":           {g2, ``, `{"system":"be \"brief\""}`, "systemInstruction", `{"parts":[{"text":"be \"brief\""}]}`},
		"system, blocks":             {g2, ``, `{"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`, "systemInstruction", `{"parts":[{"text":"a"},{"text":"b"}]}`},
		"system, empty blocks":       {g2, ``, `{"system":[{"type":"text","text":null},{"type":"text","text":"a"}]}`, "systemInstruction", `{"parts":[{"text":"a"}]}`},
		"system, only the header":    {g2, ``, `{"system":[{"type":"text","text":"x-anthropic-billing-header: x"}]}`, "systemInstruction", ``},
		"safety":                     {g2, `"safety":"OFF"`, `{}`, "safetySettings", `[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"OFF"},{"category":"HARM_CATEGORY_HATE_SPEECH","threshold":"OFF"},{"category":"HARM_CATEGORY_SEXUALLY_EXPLICIT","threshold":"OFF"},{"category":"HARM_CATEGORY_DANGEROUS_CONTENT","threshold":"OFF"}]`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := suite.Field(t, tests.Build(t, callWith(tc.model, tc.settings), tc.body), strings.Split(tc.path, ".")...); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	user := func(block string) string { return conversation(`{"role":"user","content":[` + block + `]}`) }
	for name, tc := range map[string]struct{ settings, body, kind, says string }{
		"file id":             {``, user(`{"type":"image","source":{"type":"file","file_id":"f"}}`), abi.ErrFeatureUnsupported, "image by file"},
		"document by file id": {``, user(`{"type":"document","source":{"type":"file","file_id":"f"}}`), abi.ErrFeatureUnsupported, "document by file"},
		"image without url":   {``, user(`{"type":"image","source":{"type":"url"}}`), abi.ErrInvalidRequest, "no url"},
		"urls turned off":     {`"urls":false`, user(`{"type":"image","source":{"type":"url","url":"https://x"}}`), abi.ErrFeatureUnsupported, "image by url"},
		"unknown block":       {``, user(`{"type":"hologram"}`), abi.ErrFeatureUnsupported, "hologram"},
		"unknown in a result": {``, conversation(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"hologram"}]}]}`), abi.ErrFeatureUnsupported, "hologram"},
		"a call by the user":  {``, user(`{"type":"tool_use","id":"a","name":"f","input":{}}`), abi.ErrInvalidRequest, "role user"},
		"a thought":           {``, user(`{"type":"thinking","thinking":"a","signature":"gemini-c:AA"}`), abi.ErrInvalidRequest, "role user"},
		"a result by itself":  {``, conversation(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_result","tool_use_id":"a","content":"1"}]}`), abi.ErrInvalidRequest, "role assistant"},
		"a result of nothing": {``, user(`{"type":"tool_result","tool_use_id":"zz","content":"1"}`), abi.ErrInvalidRequest, "zz"},
		"server tool":         {``, `{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, abi.ErrFeatureUnsupported, "web_search_20250305"},
		"trained tool":        {``, `{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"}]}`, abi.ErrFeatureUnsupported, "bash_20250124"},
		"choice of tomorrow":  {``, `{"messages":[],"tools":[{"name":"f"}],"tool_choice":{"type":"perhaps"}}`, abi.ErrFeatureUnsupported, "perhaps"},
		"image in system":     {``, `{"messages":[],"system":[{"type":"image"}]}`, abi.ErrFeatureUnsupported, "image in system"},
		"role of tomorrow":    {``, conversation(`{"role":"user","content":"a"},{"role":"judge","content":"b"}`), abi.ErrFeatureUnsupported, "role judge"},
		"format beside tools": {``, `{"messages":[],"tools":[{"name":"f"}],"output_format":{"type":"json_schema","schema":{}}}`, abi.ErrFeatureUnsupported, "no tools"},
		"no JSON":             {``, `{"messages":`, abi.ErrInvalidRequest, "JSON"},
		"platform":            {`"platform":"moon"`, plainBody, abi.ErrAPI, "moon"},
		"stream":              {`"stream":"moon"`, plainBody, abi.ErrAPI, "moon"},
		"thinking":            {`"thinking":"moon"`, plainBody, abi.ErrAPI, "moon"},
		"unasked thinking":    {`"unasked_thinking":"moon"`, plainBody, abi.ErrAPI, "moon"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith("gemini-2.5-pro", tc.settings), tc.body)
			if got.Refusal == nil || got.Refusal.Kind != tc.kind || !strings.Contains(got.Refusal.Message, tc.says) {
				t.Errorf("got %+v, want %s that says %q", got.Refusal, tc.kind, tc.says)
			}
		})
	}
	for choice, refused := range map[string]bool{"any": true, "tool": true, "auto": false, "none": false} {
		got := tests.Build(t, callWith("gemini-3-flash", ""), `{"messages":[],"tools":[{"name":"f"}],"tool_choice":{"type":"`+choice+`","name":"f"},"output_format":{"type":"json_schema","schema":{}}}`)
		if (got.Refusal != nil) != refused {
			t.Errorf("a format, and the choice %s: got %+v", choice, got.Refusal)
		}
	}
	if got := tests.Build(t, `{"op":"embed"}`, plainBody); got.Refusal == nil || got.Refusal.Kind != abi.ErrFeatureUnsupported {
		t.Errorf("embed: got %+v", got.Refusal)
	}
}

func TestDropped(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"unknown fields":   {`{"messages":[],"container":"c","context_management":{},"service_tier":"auto","mcp_servers":[],"speed":null,"tomorrow":{},"never":null}`, "container context_management mcp_servers service_tier tomorrow"},
		"metadata":         {`{"messages":[],"metadata":{"user_id":"u","team":"x","none":null}}`, "metadata.user_id metadata.team"},
		"cache_control":    {conversation(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}`), "cache_control"},
		"thinking blocks":  {conversation(`{"role":"assistant","content":[{"type":"thinking","thinking":"a"},{"type":"redacted_thinking","data":"a"},{"type":"text","text":"x"}]}`), "messages.content.thinking messages.content.redacted_thinking"},
		"server blocks":    {conversation(`{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"x","citations":[{"type":"web_search_result_location"}]}]}`), "messages.content.server_tool_use messages.content.web_search_tool_result messages.content.citations"},
		"tool search":      {`{"messages":[],"tools":[{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}]}`, "tools.tool_search_tool_regex_20251119"},
		"tool reference":   {conversation(`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_reference","tool_name":"g"}]}]}`), "messages.content.tool_reference"},
		"output config":    {`{"messages":[],"output_config":{"effort":"max","verbosity":"low"}}`, "output_config.verbosity"},
		"a larger budget":  {`{"messages":[],"thinking":{"type":"enabled","budget_tokens":31999}}`, "thinking.budget_tokens"},
		"many stop words":  {`{"messages":[],"stop_sequences":["1","2","3","4","5","6"]}`, "stop_sequences"},
		"format of a kind": {`{"messages":[],"output_config":{"format":{"type":"grammar"}}}`, "output_config.format"},
		"ours":             {`{"messages":[],"routing_hint":{},"task_type":"code","agent_id":"a","stream":false,"model":"x"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith("gemini-2.5-pro", ""), tc.body)
			if got.Refusal != nil {
				t.Fatalf("refused: %+v", got.Refusal)
			}
			if d := strings.Join(got.Dropped, " "); d != tc.want {
				t.Errorf("got %q, want %q", d, tc.want)
			}
		})
	}
	got := tests.Build(t, `{"op":"chat","model":"gemini-2.0-flash"}`, `{"messages":[],"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`)
	if want := []string{"thinking", "output_config.effort"}; !reflect.DeepEqual(got.Dropped, want) || strings.Contains(got.Request.Body, "thinking") {
		t.Errorf("a model that can't think: got %v, %s", got.Dropped, got.Request.Body)
	}
}

var taken = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.-]{0,63}$`)

// TestCitations: whoever asks for citations is told that there are none, wherever the document stands, and who doesn't is not.
func TestCitations(t *testing.T) {
	const call = `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},`
	const document = `{"type":"document","source":{"type":"text","data":"a"},"citations":{"enabled":%t}}`
	for _, enabled := range []bool{true, false} {
		block := fmt.Sprintf(document, enabled)
		for _, in := range []string{block, `{"type":"tool_result","tool_use_id":"a","content":[` + block + `]}`} {
			got := tests.Build(t, callWith("gemini-3-pro", ""), conversation(call+`{"role":"user","content":[`+in+`]}`))
			if told := reflect.DeepEqual(got.Dropped, []string{"messages.content.citations"}); told != enabled || !told && got.Dropped != nil {
				t.Errorf("%s: dropped %v", in, got.Dropped)
			}
		}
	}
}

// TestThinkingOfTomorrow: what nobody has heard of is told.
func TestThinkingOfTomorrow(t *testing.T) {
	got := tests.Build(t, callWith("gemini-3-pro", ""), `{"messages":[],"thinking":{"type":"adaptive","display":"summarized","depth":3}}`)
	if !reflect.DeepEqual(got.Dropped, []string{"thinking.depth"}) {
		t.Errorf("dropped %v", got.Dropped)
	}
}

// TestNames: a name that Gemini would refuse is another on the way out and itself on the way back.
func TestNames(t *testing.T) {
	long := "mcp__" + strings.Repeat("server", 12) + "__tool"
	x := sdktest.Exchange{Call: callWith("gemini-2.5-pro", ""), Body: `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"` + long + `","input":{}}]}],"tools":[{"name":"` + long + `"},{"name":"` + long + `2"},{"name":"3d-view"},{"name":"a b/ü"},{"name":"a b_ü"},{"name":"a-b_c.D9"}]}`}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Tools []struct{ FunctionDeclarations []struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(got.Request.Body), &sent); err != nil {
		t.Fatal(err)
	}
	names := sent.Tools[0].FunctionDeclarations
	if names[0] == names[1] || strings.Contains(got.Request.Body, long) || names[5].Name != "a-b_c.D9" {
		t.Fatalf("names: got %v", names)
	}
	for i, want := range []string{long, long + "2", "3d-view", "a b/ü", "a b_ü"} {
		if n := names[i].Name; !taken.MatchString(n) {
			t.Errorf("Gemini refuses %q", n)
		}
		x.Answer = sse(`{"functionCall":{"name":"`+names[i].Name+`"}}`, finished("STOP"))
		if got, err = x.Run(newGuest()); err != nil || got.Message.Blocks[0].Name != want {
			t.Errorf("got %v %+v, want %s", err, got.Message.Blocks, want)
		}
	}
}

// FuzzRequest: whatever the caller sends, the vendor gets valid JSON or nothing, and always the same.
func FuzzRequest(f *testing.F) {
	f.Add(plainBody)
	f.Add(`{"system":[{"type":"text","text":"a"}],"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"gemini-c:AA"},{"type":"tool_use","id":"x","name":"f","input":{}}]},{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"a","data":"ainfera-ref:1"}},{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"b"}]}]}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"}}`)
	f.Add(`{"messages":[],"tools":[{"name":"f","input_schema":{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"type":["string","null"],"enum":["x",null]}]}},"properties":{"p":{"$ref":"#/$defs/a"},"q":{"items":{"const":1}}},"required":["p","z"]}}]}`)
	f.Fuzz(func(t *testing.T, body string) { tests.Valid(t, callWith("gemini-3-pro", ""), body) })
}

// TestManifestFits: what the manifest says of a setting is what a call without it reads.
func TestManifestFits(t *testing.T) {
	g := sdk.NewAdapterGuest(manifest, &gemini{})
	if !json.Valid(g.Manifest()) {
		t.Errorf("manifest: %s", g.Manifest())
	}
}
