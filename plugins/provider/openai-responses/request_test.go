package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/names"
	"github.com/ainfera-ai/router/sdk/sdktest"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// callWith is an Open record with these settings.
func callWith(settings string) string {
	return `{"op":"chat","model":"m","max_tokens":100,"thinking":true,"settings":{` + settings + `}}`
}

// conversation is a body with these messages; the rest of the translated body is fixed.
func conversation(messages string) string {
	return `{"model":"x","max_tokens":100,"messages":[` + messages + `]}`
}

// inputOf is the items of a request's input, as written.
func inputOf(t *testing.T, r *sdktest.Result) string {
	t.Helper()
	s := suite.Field(t, r, "input")
	return s[1 : len(s)-1]
}

func TestRequestWhole(t *testing.T) {
	got := tests.Build(t, `{"op":"chat","stream":true,"model":"gpt-4.1","max_tokens":1024,"thinking":false}`, `{
		"messages":[{"role":"user","content":"Hi \u00e9"}],
		"model":"ainfera-inference","stream":true,"max_tokens":4096,
		"tool_choice":{"type":"any","disable_parallel_tool_use":true},
		"tools":[{"name":"b","description":"does b","input_schema":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},
			{"name":"a","type":"custom","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}}],
		"system":"Be brief.","temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END","\n\n"],
		"metadata":{"user_id":"u-1"},"thinking":{"type":"enabled","budget_tokens":2048},"routing_hint":{"min_quality":0.5}}`)
	want := `{"model":"gpt-4.1","stream":true,"store":false,"max_output_tokens":1024,"temperature":0.5,"top_p":0.9,"safety_identifier":"u-1",` +
		`"instructions":"Be brief.",` +
		`"tools":[{"type":"function","name":"b","description":"does b","parameters":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]},"strict":false},` +
		`{"type":"function","name":"a","parameters":{"type":"object","properties":{}},"strict":true}],` +
		`"tool_choice":"required","parallel_tool_calls":false,` +
		`"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"Hi \u00e9"}]}]}`
	if got.Request.Body != want {
		t.Errorf("body:\ngot  %s\nwant %s", got.Request.Body, want)
	}
	if r := got.Request; r.Method != "POST" || r.Path != "/responses" || r.Query != "" || r.Framing != abi.FramingSSE || r.Headers["content-type"] != "application/json" {
		t.Errorf("request: got %+v", r)
	}
	if want := []string{"top_k", "stop_sequences", "thinking", "tools.cache_control"}; !reflect.DeepEqual(got.Dropped, want) {
		t.Errorf("dropped: got %v, want %v", got.Dropped, want)
	}
}

func TestInput(t *testing.T) {
	userText := func(parts string) string { return `{"type":"message","role":"user","content":[` + parts + `]}` }
	result := func(block string) string { return `{"role":"user","content":[` + block + `]}` }
	for name, tc := range map[string]struct{ in, want string }{
		"text blocks are parts": {`{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":"b"}]}`,
			userText(`{"type":"input_text","text":"a\n"},{"type":"input_text","text":"b"}`)},
		"empty ones go": {`{"role":"user","content":""},{"role":"assistant","content":[{"type":"text","text":""}]},{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b"}]}`,
			userText(`{"type":"input_text","text":"b"}`)},
		"both sides": {`{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]}`,
			userText(`{"type":"input_text","text":"a"}`) + `,{"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"c"},{"type":"output_text","text":"d"}]}`},
		"image": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"text","text":"what?"}]}`,
			userText(`{"type":"input_image","image_url":"data:image/png;base64,AAAA"},{"type":"input_text","text":"what?"}`)},
		"image by reference": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"ainfera-ref:3"}},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"ainfera-ref:12"}}]}`,
			userText(`{"type":"input_image","image_url":"data:image/png;base64,<ref 3>"},{"type":"input_image","image_url":"data:image/gif;base64,<ref 12>"}`)},
		"image by address": {`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png?a=\u0026b"}}]}`,
			userText(`{"type":"input_image","image_url":"https://x/y.png?a=\u0026b"}`)},
		"document": {`{"role":"user","content":[{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"ainfera-ref:0"}}]}`,
			userText(`{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,<ref 0>"}`)},
		"document without a name": {`{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}`,
			userText(`{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,AA"}`)},
		"document whose name is a title": {`{"role":"user","content":[{"type":"document","title":"The \"year\"","context":"of 2025","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}`,
			userText(`{"type":"input_text","text":"of 2025"},{"type":"input_file","filename":"The \"year\".pdf","file_data":"data:application/pdf;base64,AA"}`)},
		"document by address, with a title": {`{"role":"user","content":[{"type":"document","title":"The year","context":"of 2025","source":{"type":"url","url":"https://x/a"}}]}`,
			userText(`{"type":"input_text","text":"The year\nof 2025"},{"type":"input_file","file_url":"https://x/a"}`)},
		"document by address": {`{"role":"user","content":[{"type":"document","source":{"type":"url","url":"https://x/a.pdf"}}]}`,
			userText(`{"type":"input_file","file_url":"https://x/a.pdf"}`)},
		"a text document without a title": {`{"role":"user","content":[{"type":"document","title":null,"context":null,"source":{"type":"text","data":"body"}}]}`,
			userText(`{"type":"input_text","text":"body"}`)},
		"a text document": {`{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"body"}},{"type":"text","text":"sum up"}]}`,
			userText(`{"type":"input_text","text":"T\nbody"},{"type":"input_text","text":"sum up"}`)},
		"a document of blocks": {`{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}`,
			userText(`{"type":"input_text","text":"a\nb"}`)},
		"a search result": {`{"role":"user","content":[{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"}]}]}`,
			userText(`{"type":"input_text","text":"T\nhttps://x\na"}`)},
		"a call and its result": {`{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"t1","name":"f","input":{"x": "a\"b"}},{"type":"text","text":"so"}]},` + result(`{"type":"tool_result","tool_use_id":"t1","content":"42"}`),
			`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"ok"}]},{"type":"function_call","call_id":"t1","name":"f","arguments":"{\"x\": \"a\\\"b\"}"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"so"}]},{"type":"function_call_output","call_id":"t1","output":"42"}`},
		"a call without input": {`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":null}]}`, `{"type":"function_call","call_id":"t1","name":"f","arguments":"{}"}`},
		"results come before text": {result(`{"type":"text","text":"and now"},{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]},{"type":"tool_result","tool_use_id":"b"}`),
			`{"type":"function_call_output","call_id":"a","output":"1\n\n2"},{"type":"function_call_output","call_id":"b","output":""},` + userText(`{"type":"input_text","text":"and now"}`)},
		"a result that is an error": {result(`{"type":"tool_result","tool_use_id":"a","is_error":true,"content":"no such file"}`), `{"type":"function_call_output","call_id":"a","output":"Error: no such file"}`},
		"a result with an image": {result(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"ainfera-ref:1"}}]},{"type":"text","text":"?"}`),
			`{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,<ref 1>"}]},` + userText(`{"type":"input_text","text":"?"}`)},
		"a failed result with a document": {result(`{"type":"tool_result","tool_use_id":"a","is_error":true,"content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}`),
			`{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"Error:"},{"type":"input_file","filename":"document.pdf","file_data":"data:application/pdf;base64,AA"}]}`},
		"an id that was mapped": {`{"role":"assistant","content":[{"type":"tool_use","id":"x-functions-2ef-3a0","name":"f","input":{}}]},` + result(`{"type":"tool_result","tool_use_id":"x-functions-2ef-3a0","content":"1"}`),
			`{"type":"function_call","call_id":"functions.f:0","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"functions.f:0","output":"1"}`},
		"reasoning": {`{"role":"assistant","content":[{"type":"thinking","thinking":"hm \"","signature":"oar1:s:4:rs_1gAAA"},{"type":"tool_use","id":"t1","name":"f","input":{}}]}`,
			`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm \""}],"encrypted_content":"gAAA"},{"type":"function_call","call_id":"t1","name":"f","arguments":"{}"}`},
		"reasoning that is the text itself": {`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"oar1:c:4:rs_1"},{"type":"text","text":"a"}]}`,
			`{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}`},
		"reasoning without a text": {`{"role":"assistant","content":[{"type":"redacted_thinking","data":"oar1:s:0:gAAA"},{"type":"text","text":"a"}]}`,
			`{"type":"reasoning","summary":[],"encrypted_content":"gAAA"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}`},
		"reasoning between texts": {`{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"thinking","thinking":"","signature":"oar1:s:1:rE"},{"type":"text","text":"b"}]}`,
			`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]},{"type":"reasoning","id":"r","summary":[],"encrypted_content":"E"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]}`},
		"content before its role": {`{"content":[{"text":"a","type":"text"}],"role":"assistant"}`, `{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}`},
		"a system message amid": {`{"role":"user","content":"a"},{"role":"system","content":"b"}`,
			userText(`{"type":"input_text","text":"a"}`) + `,{"type":"message","role":"system","content":[{"type":"input_text","text":"b"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(""), conversation(tc.in))
			if in := inputOf(t, got); in != tc.want {
				t.Errorf("got  %s\nwant %s", in, tc.want)
			}
			if len(got.Dropped) > 0 {
				t.Errorf("dropped %v", got.Dropped)
			}
		})
	}
}

func TestInstructions(t *testing.T) {
	for name, tc := range map[string]struct{ system, want string }{
		"string":         {`"be \"brief\""`, `"be \"brief\""`},
		"blocks":         {`[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]`, `"a\n\nb"`},
		"billing header": {`[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"},{"type":"text","text":"b"}]`, `"b"`},
		"nothing but it": {`[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"}]`, ``},
		"empty":          {`""`, ``},
		"null":           {`null`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(""), `{"system":`+tc.system+`,"messages":[{"role":"user","content":"u"}]}`)
			if s := suite.Field(t, got, "instructions"); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	user := func(block string) string { return conversation(`{"role":"user","content":[` + block + `]}`) }
	const pdf = `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}`
	const picture = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}`
	for name, tc := range map[string]struct{ settings, body, kind, says string }{
		"pdf":                   {`"documents":false`, user(pdf), abi.ErrFeatureUnsupported, "documents"},
		"pdf in a result":       {`"documents":false`, user(`{"type":"tool_result","tool_use_id":"a","content":[` + pdf + `]}`), abi.ErrFeatureUnsupported, "documents"},
		"image in a result":     {`"result_parts":false`, user(`{"type":"tool_result","tool_use_id":"a","content":[` + picture + `]}`), abi.ErrFeatureUnsupported, "tool's result"},
		"file id":               {``, user(`{"type":"image","source":{"type":"file","file_id":"f"}}`), abi.ErrFeatureUnsupported, "image by file"},
		"image without url":     {``, user(`{"type":"image","source":{"type":"url"}}`), abi.ErrInvalidRequest, "no url"},
		"document by file":      {``, user(`{"type":"document","source":{"type":"file","file_id":"f"}}`), abi.ErrFeatureUnsupported, "document by file"},
		"unknown block":         {``, user(`{"type":"hologram"}`), abi.ErrFeatureUnsupported, "hologram"},
		"unknown in a result":   {``, user(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"hologram"}]}`), abi.ErrFeatureUnsupported, "hologram"},
		"an assistant's image":  {``, conversation(`{"role":"assistant","content":[` + picture + `]}`), abi.ErrFeatureUnsupported, "image"},
		"an assistant's result": {``, conversation(`{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"a"}]}`), abi.ErrFeatureUnsupported, "tool_result"},
		"server tool":           {``, `{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, abi.ErrFeatureUnsupported, "web_search_20250305"},
		"trained tool":          {``, `{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"}]}`, abi.ErrFeatureUnsupported, "bash_20250124"},
		"strange choice":        {``, `{"messages":[],"tools":[{"name":"f"}],"tool_choice":{"type":"dice"}}`, abi.ErrFeatureUnsupported, "dice"},
		"image in system":       {``, `{"messages":[],"system":[{"type":"image"}]}`, abi.ErrFeatureUnsupported, "image in system"},
		"content twice":         {``, conversation(`{"role":"user","content":"a","content":"b"}`), abi.ErrInvalidRequest, "twice"},
		"role behind content":   {``, conversation(`{"role":"user","content":"a","role":"assistant"}`), abi.ErrInvalidRequest, "twice"},
		"no JSON":               {``, `{"messages":`, abi.ErrInvalidRequest, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(tc.settings), tc.body)
			if got.Refusal == nil || got.Refusal.Kind != tc.kind || !strings.Contains(got.Refusal.Message, tc.says) {
				t.Errorf("got %+v, want %s that says %q", got.Refusal, tc.kind, tc.says)
			}
		})
	}
	for name, call := range map[string]string{"no such operation": `{"op":"embed"}`, "no counting": `{"op":"count","settings":{"count_path":""}}`} {
		if got := tests.Build(t, call, plainBody); got.Refusal == nil || got.Refusal.Kind != abi.ErrFeatureUnsupported {
			t.Errorf("%s: got %+v", name, got.Refusal)
		}
	}
}

func TestDropped(t *testing.T) {
	assistant := func(blocks string) string { return conversation(`{"role":"assistant","content":[` + blocks + `]}`) }
	for name, tc := range map[string]struct{ call, body, want string }{
		"unknown field":    {"", `{"messages":[],"container":"c","context_management":{},"service_tier":"auto","mcp_servers":[],"top_k":null}`, "container context_management service_tier mcp_servers"},
		"stop sequences":   {"", `{"messages":[],"stop_sequences":["END"]}`, "stop_sequences"},
		"none of them":     {"", `{"messages":[],"stop_sequences":[]}`, ""},
		"cache_control":    {"", conversation(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}`), "cache_control"},
		"citations":        {"", conversation(`{"role":"user","content":[{"type":"document","citations":{"enabled":true},"source":{"type":"text","data":"x"}}]}`), "messages.content.citations"},
		"a result's":       {"", conversation(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"search_result","title":"T","source":"s","content":[],"citations":{"enabled":true}}]}]}`), "messages.content.citations"},
		"no citations":     {"", conversation(`{"role":"user","content":[{"type":"document","citations":{"enabled":false},"source":{"type":"text","data":"x"}}]}`), ""},
		"others' thought":  {"", assistant(`{"type":"thinking","thinking":"a","signature":"EqoB"},{"type":"redacted_thinking","data":"EmwK"},{"type":"text","text":"x"}`), "messages.content.thinking messages.content.redacted_thinking"},
		"unsigned":         {"", assistant(`{"type":"thinking","thinking":"a"},{"type":"text","text":"x"}`), "messages.content.thinking"},
		"nothing follows":  {"", assistant(`{"type":"text","text":"x"},{"type":"thinking","thinking":"a","signature":"oar1:s:1:rE"}`), "messages.content.thinking"},
		"can't think":      {`{"op":"chat","model":"m"}`, assistant(`{"type":"thinking","thinking":"a","signature":"oar1:s:1:rE"},{"type":"text","text":"x"}`), "messages.content.thinking"},
		"server blocks":    {"", assistant(`{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"x","citations":[{"type":"web_search_result_location"}]}`), "messages.content.server_tool_use messages.content.web_search_tool_result messages.content.citations"},
		"tool references":  {"", conversation(`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"tool_reference","tool_name":"f"}]}]}`), "messages.content.tool_reference"},
		"tool search":      {"", `{"messages":[],"tools":[{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}]}`, "tools.tool_search_tool_regex_20251119"},
		"tools' fields":    {"", `{"messages":[],"tools":[{"name":"f","input_examples":[],"colour":"red","cache_control":null,"shape":null},{"type":"tool_search_x","own":1}]}`, "tools.input_examples tools.tool_search_x tools.colour"},
		"effort and more":  {"", `{"messages":[],"output_config":{"effort":"max","verbosity":"low"},"metadata":{"user_id":null,"team":"x"}}`, "metadata.team output_config.verbosity"},
		"a format":         {"", `{"messages":[],"output_config":{"format":{"type":"grammar"}}}`, "output_config.format"},
		"more of thinking": {"", `{"messages":[],"thinking":{"type":"enabled","budget_tokens":2048,"display":"omitted","depth":3,"shape":null}}`, "thinking.depth"},
		"a budget beside":  {"", `{"messages":[],"thinking":{"type":"enabled","budget_tokens":2048},"output_config":{"effort":"low"}}`, "thinking.budget_tokens"},
		"a fixed effort":   {`{"op":"chat","model":"x-ai/grok-4-fast","thinking":true}`, `{"messages":[],"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, "output_config.effort"},
		"a fixed budget":   {`{"op":"chat","model":"grok-code-fast-1","thinking":true}`, `{"messages":[],"thinking":{"type":"enabled","budget_tokens":2048}}`, "thinking.budget_tokens"},
		"a choice of none": {"", `{"messages":[],"tools":[],"tool_choice":{"type":"any"}}`, "tool_choice"},
		"no choice needed": {"", `{"messages":[],"tool_choice":{"type":"auto"}}`, ""},
		"a low limit":      {`{"op":"chat","model":"m","max_tokens":1}`, `{"messages":[]}`, "max_tokens"},
		"ours":             {"", `{"messages":[],"routing_hint":{},"task_type":"code","agent_id":"a","stream":false,"model":"x"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.call == "" {
				tc.call = callWith("")
			}
			got := tests.Build(t, tc.call, tc.body)
			if got.Refusal != nil {
				t.Fatalf("refused: %+v", got.Refusal)
			}
			if d := strings.Join(got.Dropped, " "); d != tc.want {
				t.Errorf("got %q, want %q", d, tc.want)
			}
		})
	}
}

func TestFields(t *testing.T) {
	const schema = `{"type":"object","properties":{}}`
	const include = `["reasoning.encrypted_content"]`
	long := strings.Repeat("u", 100)
	for name, tc := range map[string]struct {
		settings, body, field, want string
	}{
		"limit":                        {``, `{}`, "max_output_tokens", "100"},
		"limit, at least":              {`"least_tokens":200`, `{}`, "max_output_tokens", "200"},
		"nothing is stored":            {``, `{}`, "store", "false"},
		"store, left out":              {`"leave_out":["store"]`, `{}`, "store", ""},
		"effort, low":                  {``, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "reasoning", `{"effort":"low","summary":"auto"}`},
		"effort, medium":               {``, `{"thinking":{"type":"enabled","budget_tokens":8000}}`, "reasoning", `{"effort":"medium","summary":"auto"}`},
		"effort, high":                 {``, `{"thinking":{"type":"enabled","budget_tokens":31999}}`, "reasoning", `{"effort":"high","summary":"auto"}`},
		"effort, said":                 {``, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`, "reasoning", `{"effort":"high","summary":"auto"}`},
		"effort, without thinking":     {``, `{"output_config":{"effort":"low"}}`, "reasoning", `{"effort":"low"}`},
		"effort, left to the vendor":   {``, `{"thinking":{"type":"adaptive"}}`, "reasoning", `{"summary":"auto"}`},
		"effort, and a budget":         {``, `{"thinking":{"type":"enabled","budget_tokens":31999},"output_config":{"effort":"low"}}`, "reasoning", `{"effort":"low","summary":"auto"}`},
		"thinking, not shown":          {``, `{"thinking":{"type":"adaptive","display":"omitted"}}`, "reasoning", ``},
		"thinking, off":                {`"reasoning":false`, `{"thinking":{"type":"adaptive"}}`, "reasoning", ``},
		"thinking, disabled":           {``, `{"thinking":{"type":"disabled"}}`, "reasoning", ``},
		"summary, another":             {`"summary":"detailed"`, `{"thinking":{"type":"adaptive"}}`, "reasoning", `{"summary":"detailed"}`},
		"summary, none":                {`"summary":""`, `{"thinking":{"type":"adaptive"}}`, "reasoning", ``},
		"reasoning is sent back":       {``, `{"thinking":{"type":"adaptive"}}`, "include", include},
		"reasoning, not shown":         {``, `{"thinking":{"type":"adaptive","display":"omitted"}}`, "include", include},
		"reasoning, not asked":         {``, `{}`, "include", ``},
		"reasoning can't be sent back": {`"leave_out":["include"]`, `{"thinking":{"type":"adaptive"}}`, "include", ``},
		"format":                       {``, `{"output_config":{"format":{"type":"json_schema","schema":` + schema + `}}}`, "text", `{"format":{"type":"json_schema","name":"output","strict":true,"schema":` + schema + `}}`},
		"format, not strict":           {``, `{"output_config":{"format":{"type":"json_schema","strict":false,"schema":` + schema + `}}}`, "text", `{"format":{"type":"json_schema","name":"output","strict":false,"schema":` + schema + `}}`},
		"format, any JSON":             {``, `{"output_config":{"format":{"type":"json_object"}}}`, "text", `{"format":{"type":"json_object"}}`},
		"format, as it was":            {``, `{"output_format":{"type":"json_schema","schema":` + schema + `}}`, "text", `{"format":{"type":"json_schema","name":"output","strict":true,"schema":` + schema + `}}`},
		"choice, auto":                 {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"auto"}}`, "tool_choice", `"auto"`},
		"choice, none":                 {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"none"}}`, "tool_choice", `"none"`},
		"choice, one":                  {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"tool","name":"f"}}`, "tool_choice", `{"type":"function","name":"f"}`},
		"choice without tools":         {``, `{"tool_choice":{"type":"auto"}}`, "tool_choice", ``},
		"no schema":                    {``, `{"tools":[{"name":"f"}]}`, "tools", `[{"type":"function","name":"f","parameters":` + `{"type":"object","properties":{}}` + `,"strict":false}]`},
		"user, too long":               {``, `{"metadata":{"user_id":"` + long + `"}}`, "safety_identifier", `"user-` + names.Long(long) + `"`},
		"user, elsewhere":              {`"user_field":"user"`, `{"metadata":{"user_id":"u"}}`, "user", `"u"`},
		"user, nowhere":                {`"user_field":""`, `{"metadata":{"user_id":"u"}}`, "safety_identifier", ``},
		"left out":                     {`"leave_out":["temperature"]`, `{"temperature":1}`, "temperature", ``},
		"not streamed":                 {``, `{}`, "stream", ``},
	} {
		t.Run(name, func(t *testing.T) {
			if got := suite.Field(t, tests.Build(t, callWith(tc.settings), tc.body), tc.field); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestReasoningModels(t *testing.T) {
	for model, want := range map[string]bool{
		"o1": true, "o3-mini": true, "openai/o4-mini": true, "gpt-5": true, "gpt-5-nano-2025-08-07": true, "gpt-5.1-codex": true,
		"codex-mini-latest": true, "gpt-6-sol": true, "openai.gpt-5.6-luna": true, "us.openai.o3": true, "openai.gpt-oss-120b-1:0": false, "gpt-5-chat-latest": false, "gpt-35-turbo": false, "gpt-oss-120b": false, "gpt-": false, "gpt-4o": false, "o": false, "omni-1": false, "llama-3.3": false,
	} {
		got := tests.Build(t, `{"op":"chat","model":"`+model+`"}`, `{"messages":[],"temperature":0.2}`)
		if left := suite.Field(t, got, "temperature") == ""; left != want || (len(got.Dropped) == 1) != want {
			t.Errorf("%s: left out %v, dropped %v, want %v", model, left, got.Dropped, want)
		}
	}
}

// TestLooseSchemas: what Anthropic takes as strict and OpenAI would refuse is not said to be, and the caller is told.
func TestLooseSchemas(t *testing.T) {
	closed := func(properties, required string) string {
		return `{"type":"object","properties":{` + properties + `},"required":[` + required + `],"additionalProperties":false}`
	}
	all, some := closed(`"a":{"type":"string"}`, `"a"`), closed(`"a":{"type":"string"},"b\u0063":{"type":"string"}`, `"a"`)
	for name, tc := range map[string]struct {
		schema string
		strict bool
	}{
		"all required":              {all, true},
		"nothing to require":        {closed("", ""), true},
		"by an escaped name":        {closed(`"a\u0062":{}`, `"ab"`), true},
		"a property of a word":      {closed(`"properties":{"type":"string"}`, `"properties"`), true},
		"one is not":                {some, false},
		"none said to be":           {`{"type":"object","properties":{"a":{}}}`, false},
		"within a property":         {closed(`"a":`+some, `"a"`), false},
		"within a list":             {closed(`"a":{"type":"array","items":`+some+`}`, `"a"`), false},
		"within a choice":           {closed(`"a":{"anyOf":[{"type":"null"},`+some+`]}`, `"a"`), false},
		"within a definition":       {`{"$ref":"#/$defs/x","$defs":{"x":` + some + `}}`, false},
		"within an older one":       {`{"$ref":"#/definitions/x","definitions":{"x":` + some + `}}`, false},
		"all, within a definition":  {`{"$ref":"#/$defs/x","$defs":{"x":` + all + `}}`, true},
		"all, in choices and lists": {closed(`"a":{"anyOf":[`+all+`,{"type":"array","items":`+all+`}]}`, `"a"`), true},
	} {
		t.Run(name, func(t *testing.T) {
			want := []string(nil)
			if !tc.strict {
				want = []string{"output_config.format.strict", "tools.strict"}
			}
			got := tests.Build(t, callWith(""), `{"messages":[],"tools":[{"name":"f","strict":true,"input_schema":`+tc.schema+`}],"output_config":{"format":{"type":"json_schema","schema":`+tc.schema+`}}}`)
			if n := strings.Count(got.Request.Body, fmt.Sprintf(`"strict":%t`, tc.strict)); n != 2 || !reflect.DeepEqual(got.Dropped, want) || strings.Count(got.Request.Body, tc.schema) != 2 && !strings.Contains(tc.schema, `"$ref"`) {
				t.Errorf("dropped %v, want %v; sent %s", got.Dropped, want, got.Request.Body)
			}
			got = tests.Build(t, callWith(""), `{"messages":[],"tools":[{"name":"f","input_schema":`+tc.schema+`}]}`)
			if !strings.Contains(got.Request.Body, `"strict":false`) || got.Dropped != nil {
				t.Errorf("not asked to be strict: dropped %v, sent %s", got.Dropped, got.Request.Body)
			}
		})
	}
}

// TestFixedThinking: most of xAI's models are told of no effort, whoever says it, and are asked for their thoughts all the
// same.
func TestFixedThinking(t *testing.T) {
	const body = `{"messages":[],"thinking":{"type":"enabled","budget_tokens":31999}}`
	for model, want := range map[string]string{
		"grok-4-0709": `{"summary":"auto"}`, "xai/grok-code-fast-1": `{"summary":"auto"}`,
		"grok-4.3": `{"effort":"high","summary":"auto"}`, "grok-3-mini": `{"effort":"high","summary":"auto"}`,
	} {
		if got := suite.Field(t, tests.Build(t, `{"op":"chat","model":"`+model+`","thinking":true}`, body), "reasoning"); got != want {
			t.Errorf("%s: got %s, want %s", model, got, want)
		}
	}
}

// TestPaths: Azure, in both of its forms.
func TestPaths(t *testing.T) {
	for settings, want := range map[string]string{
		`"path":"/openai/v1/responses","query":"api-version=preview"`:                                      "/openai/v1/responses?api-version=preview",
		`"path":"/openai/deployments/{model}/responses","query":"api-version=2025-04-01-preview"`:          "/openai/deployments/a%2Fb%3Ac/responses?api-version=2025-04-01-preview",
		`"path":"/openai/responses","query":"api-version=2025-04-01-preview","user_field":"","summary":""`: "/openai/responses?api-version=2025-04-01-preview",
	} {
		got := tests.Build(t, `{"op":"chat","model":"a/b:c","settings":{`+settings+`}}`, plainBody)
		if r := got.Request; r.Path+"?"+r.Query != want || r.Framing != abi.FramingJSON {
			t.Errorf("got %+v, want %s", r, want)
		}
	}
}

// TestCountRequest: a count is asked for with what makes up the prompt, and nothing else.
func TestCountRequest(t *testing.T) {
	got := tests.Build(t, `{"op":"count","stream":true,"model":"gpt-5","max_tokens":9,"thinking":true}`, `{"max_tokens":9,"temperature":1,"system":"s","thinking":{"type":"adaptive"},
		"metadata":{"user_id":"u"},"tools":[{"name":"f"}],"tool_choice":{"type":"auto"},"messages":[{"role":"user","content":"a"}]}`)
	want := `{"model":"gpt-5","reasoning":{"summary":"auto"},"instructions":"s","tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],"tool_choice":"auto",` +
		`"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]}]}`
	if r := got.Request; r.Body != want || r.Path != "/responses/input_tokens" || r.Framing != abi.FramingJSON {
		t.Errorf("got  %+v\nwant %s", r, want)
	}
}

// TestLongNames: a name that OpenAI would refuse is shortened on the way out and whole again on the way back.
func TestLongNames(t *testing.T) {
	long := "mcp__" + strings.Repeat("server", 12) + "__tool"
	x := sdktest.Exchange{Call: callWith(""), Body: `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"` + long + `","input":{}}]}],"tools":[{"name":"` + long + `"},{"name":"` + long + `2"}],"tool_choice":{"type":"tool","name":"` + long + `"}}`}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Tools []struct{ Name string } }
	if err := json.Unmarshal([]byte(got.Request.Body), &sent); err != nil {
		t.Fatal(err)
	}
	a, b := sent.Tools[0].Name, sent.Tools[1].Name
	if len(a) > 64 || len(b) > 64 || a == b || strings.Contains(got.Request.Body, long) || strings.Count(got.Request.Body, a) != 3 {
		t.Fatalf("names: got %q and %q in %s", a, b, got.Request.Body)
	}
	x.Answer = sse(done(0, fnCall("i", b, "{}")), completed)
	if got, err = x.Run(newGuest()); err != nil || got.Message.Blocks[0].Name != long+"2" {
		t.Errorf("got %v %+v", err, got.Message.Blocks)
	}
}

// TestLongIDs: an id that the vendor would refuse becomes the same for call and result; its own stay as they are.
func TestLongIDs(t *testing.T) {
	long, own := strings.Repeat("x", 65), "resp_"+strings.Repeat("y", 59)+":call_0"
	body := conversation(`{"role":"assistant","content":[{"type":"tool_use","id":"` + long + `","name":"f","input":{}},{"type":"tool_use","id":"` + sdk.ClientToolID(own) + `","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"` + long + `","content":"1"},{"type":"tool_result","tool_use_id":"` + sdk.ClientToolID(own) + `","content":"1"}]}`)
	got := inputOf(t, tests.Build(t, callWith(""), body))
	if strings.Contains(got, long) || strings.Count(got, `"call_`+names.Of(long).String()) != 2 || strings.Count(got, `"`+own+`"`) != 2 {
		t.Errorf("got %s", got)
	}
}

func TestProofs(t *testing.T) {
	for _, p := range []proof{{textSummary, "rs_1", "gAAA=="}, {textContent, "", ""}, {textSummary, "a:b:", ":4:x"}, {textContent, "é", "\n"}} {
		s := string(p.append(nil))
		if got, ok := readProof(s); !ok || got != p {
			t.Errorf("%+v became %q, read as %+v, %v", p, s, got, ok)
		}
	}
	for _, s := range []string{"", "oar1:", "oar1:s", "oar1:s:", "oar1:s:1", "oar1:s:1:", "oar1:s:-1:a", "oar1:s:+1:a", "oar1:s:01:a", "oar1:x:1:a", "oar1:s1:a", "oar2:s:1:a", "EqoBCkgIARAB", "oar1:s:99999999999999999999:a"} {
		if p, ok := readProof(s); ok {
			t.Errorf("%q was read as %+v", s, p)
		}
	}
}

// FuzzProof: what is read as a proof is one, to the byte.
func FuzzProof(f *testing.F) {
	f.Add("oar1:s:4:rs_1gAAA")
	f.Add("oar1:c:0:")
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := readProof(s); ok && string(p.append(nil)) != s {
			t.Errorf("%q was read as %+v, which is %q", s, p, p.append(nil))
		}
	})
}

// FuzzRequest: whatever the caller sends, the vendor gets valid JSON or nothing, and always the same.
func FuzzRequest(f *testing.F) {
	f.Add(plainBody)
	f.Add(`{"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"a","data":"ainfera-ref:1"}},{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"b"}]}]}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"}}`)
	f.Add(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"oar1:s:1:rE"},{"type":"text","text":"b"},{"type":"tool_use","id":"i","name":"f","input":{}}]}],"thinking":{"type":"enabled","budget_tokens":1}}`)
	f.Fuzz(func(t *testing.T, body string) { tests.Valid(t, callWith(""), body) })
}

// TestManifestIsJSON: what the host reads at load.
func TestManifestIsJSON(t *testing.T) {
	if g := sdk.NewAdapterGuest(manifest, &responses{}); !json.Valid(g.Manifest()) {
		t.Errorf("manifest: %s", g.Manifest())
	}
}
