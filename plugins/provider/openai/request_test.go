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

// messagesOf is the messages array of a request, as written.
func messagesOf(t *testing.T, r *sdktest.Result) string {
	t.Helper()
	if r.Refusal != nil {
		t.Fatalf("refused: %+v", r.Refusal)
	}
	const prefix = `{"model":"m","max_completion_tokens":100,"messages":[`
	body, ok := strings.CutPrefix(r.Request.Body, prefix)
	if !ok {
		t.Fatalf("body: got %s", r.Request.Body)
	}
	return strings.TrimSuffix(body, "]}")
}

func TestRequestWhole(t *testing.T) {
	got := tests.Build(t, `{"op":"chat","stream":true,"model":"gpt-4o","max_tokens":1024,"thinking":false}`, `{
		"messages":[{"role":"user","content":"Hi \u00e9"}],
		"model":"ainfera-inference","stream":true,"max_tokens":4096,
		"tool_choice":{"type":"any","disable_parallel_tool_use":true},
		"tools":[{"name":"b","description":"does b","input_schema":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}},
			{"name":"a","type":"custom","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}}],
		"system":"Be brief.","temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END","\n\n"],
		"metadata":{"user_id":"u-1"},"thinking":{"type":"enabled","budget_tokens":2048},"routing_hint":{"min_quality":0.5}}`)
	want := `{"model":"gpt-4o","max_completion_tokens":1024,"stop":["END","\n\n"],"temperature":0.5,"top_p":0.9,"user":"u-1",` +
		`"stream":true,"stream_options":{"include_usage":true},` +
		`"tools":[{"type":"function","function":{"name":"b","description":"does b","parameters":{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"]}}},` +
		`{"type":"function","function":{"name":"a","parameters":{"type":"object","properties":{}},"strict":true}}],` +
		`"tool_choice":"required","parallel_tool_calls":false,` +
		`"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi \u00e9"}]}`
	if got.Request.Body != want {
		t.Errorf("body:\ngot  %s\nwant %s", got.Request.Body, want)
	}
	if r := got.Request; r.Method != "POST" || r.Path != "/chat/completions" || r.Query != "" || r.Framing != abi.FramingSSE || r.Headers["content-type"] != "application/json" {
		t.Errorf("request: got %+v", r)
	}
	if want := []string{"top_k", "thinking", "tools.cache_control"}; !reflect.DeepEqual(got.Dropped, want) {
		t.Errorf("dropped: got %v, want %v", got.Dropped, want)
	}
}

func TestMessages(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"text blocks are one text": {`{"role":"user","content":[{"type":"text","text":"a\n"},{"type":"text","text":"b"}]}`,
			`{"role":"user","content":"a\n\n\nb"}`},
		"empty blocks go": {`{"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"b"}]}`, `{"role":"user","content":"b"}`},
		"roles are merged": {`{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"},{"role":"assistant","content":"d"}`,
			`{"role":"user","content":"a\n\nb"},{"role":"assistant","content":"c\n\nd"}`},
		"image": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"text","text":"what?"}]}`,
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"what?"}]}`},
		"image by reference": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"ainfera-ref:3"}},{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"ainfera-ref:12"}}]}`,
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,<ref 3>"}},{"type":"image_url","image_url":{"url":"data:image/gif;base64,<ref 12>"}}]}`},
		"image by address": {`{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png?a=\u0026b"}}]}`,
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png?a=\u0026b"}}]}`},
		"a call and its result": {`{"role":"user","content":"go"},{"role":"assistant","content":[{"type":"text","text":"ok"},{"type":"tool_use","id":"t1","name":"f","input":{"x": "a\"b"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"42"}]}`,
			`{"role":"user","content":"go"},{"role":"assistant","content":"ok","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\": \"a\\\"b\"}"}}]},{"role":"tool","tool_call_id":"t1","content":"42"}`},
		"a call without text or input": {`{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":null}]}`,
			`{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}`},
		"results come before text": {`{"role":"user","content":[{"type":"text","text":"and now"},{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]},{"type":"tool_result","tool_use_id":"b"}]}`,
			`{"role":"tool","tool_call_id":"a","content":"1\n\n2"},{"role":"tool","tool_call_id":"b","content":""},{"role":"user","content":"and now"}`},
		"a result that is an error": {`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":"no such file"}]}`,
			`{"role":"tool","tool_call_id":"a","content":"Error: no such file"}`},
		"a result with an image": {`{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]},{"type":"text","text":"see?"}]}`,
			`{"role":"tool","tool_call_id":"a","content":"The result is in the next message."},{"role":"user","content":[{"type":"text","text":"see?"},{"type":"text","text":"From the result of tool call a:"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}`},
		"an id that was mapped": {`{"role":"assistant","content":[{"type":"tool_use","id":"x-functions-2ef-3a0","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"x-functions-2ef-3a0","content":"1"}]}`,
			`{"role":"assistant","content":null,"tool_calls":[{"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"functions.f:0","content":"1"}`},
		"a text document without a title": {`{"role":"user","content":[{"type":"document","title":null,"context":null,"source":{"type":"text","data":"body"}}]}`,
			`{"role":"user","content":"body"}`},
		"a text document": {`{"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"body"}},{"type":"text","text":"sum up"}]}`,
			`{"role":"user","content":"T\nbody\n\nsum up"}`},
		"a document of blocks": {`{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}`,
			`{"role":"user","content":"a\nb"}`},
		"a search result": {`{"role":"user","content":[{"type":"search_result","title":"T","source":"https://x","content":[{"type":"text","text":"a"}]}]}`,
			`{"role":"user","content":"T\nhttps://x\na"}`},
		"only thinking": {`{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"}]}`, `{"role":"user","content":"a"}`},
		"a system message amid": {`{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"assistant","content":"c"}`,
			`{"role":"user","content":"a\n\n<system-reminder>\nb\n</system-reminder>"},{"role":"assistant","content":"c"}`},
		"a system message behind results": {`{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]},{"role":"system","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}`,
			`{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"<system-reminder>\nb\n</system-reminder>"}`},
		"a system message behind an image": {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]},{"role":"system","content":"b"}`,
			`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}},{"type":"text","text":"<system-reminder>\nb\n</system-reminder>"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := messagesOf(t, tests.Build(t, callWith(""), conversation(tc.in))); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestStrictOrder: Mistral takes no user's message behind a tool's, which Claude Code has all the time, and none of the
// assistant's at the end.
func TestStrictOrder(t *testing.T) {
	const called = `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}`
	const sent = `{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"1"}`
	for name, tc := range map[string]struct{ in, want string }{
		"text behind a result": {called + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"text","text":"go on"}]}`,
			sent + `,{"role":"assistant","content":"Done."},{"role":"user","content":"go on"}`},
		"a result alone": {called + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}`, sent},
		"an assistant's turn that is left out": {called + `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm"}]},{"role":"user","content":"b"}`,
			sent + `,{"role":"assistant","content":"Done."},{"role":"user","content":"b"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := messagesOf(t, tests.Build(t, callWith(`"strict_order":true`), conversation(tc.in))); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
	got := tests.Build(t, callWith(`"strict_order":true`), conversation(`{"role":"user","content":"a"},{"role":"assistant","content":"b"}`))
	if got.Refusal == nil || got.Refusal.Kind != abi.ErrFeatureUnsupported {
		t.Errorf("the assistant last: got %+v", got.Refusal)
	}
}

func TestSystem(t *testing.T) {
	for name, tc := range map[string]struct{ system, settings, want string }{
		"string": {`"be \"brief\""`, "", `{"role":"system","content":"be \"brief\""}`},
		"blocks": {`[{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]`, "", `{"role":"system","content":"a\n\nb"}`},
		"billing header": {`[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"},{"type":"text","text":"b"}]`, "",
			`{"role":"system","content":"b"}`},
		"nothing but it": {`[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"}]`, "", ``},
		"empty":          {`""`, "", ``},
		"null":           {`null`, "", ``},
		"empty blocks":   {`[{"type":"text","text":""},{"type":"text","text":"a"},{"type":"text","text":""}]`, "", `{"role":"system","content":"a"}`},
		"developer":      {`"a"`, `"system_role":"developer"`, `{"role":"developer","content":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"system":` + tc.system + `,"messages":[{"role":"user","content":"u"}]}`
			want := tc.want
			if want != "" {
				want += ","
			}
			if got := messagesOf(t, tests.Build(t, callWith(tc.settings), body)); got != want+`{"role":"user","content":"u"}` {
				t.Errorf("got %s, want %s first", got, tc.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	user := func(block string) string { return conversation(`{"role":"user","content":[` + block + `]}`) }
	for name, tc := range map[string]struct{ body, kind, says string }{
		"pdf":                       {user(`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}`), abi.ErrFeatureUnsupported, "documents"},
		"pdf in a result":           {user(`{"type":"tool_result","tool_use_id":"a","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}`), abi.ErrFeatureUnsupported, "documents"},
		"file id":                   {user(`{"type":"image","source":{"type":"file","file_id":"f"}}`), abi.ErrFeatureUnsupported, "image by file"},
		"image without url":         {user(`{"type":"image","source":{"type":"url"}}`), abi.ErrInvalidRequest, "no url"},
		"document url":              {user(`{"type":"document","source":{"type":"url","url":"https://x"}}`), abi.ErrFeatureUnsupported, "document by url"},
		"a call by the user":        {user(`{"type":"tool_use","id":"a","name":"f","input":{}}`), abi.ErrInvalidRequest, "role user"},
		"a result by the assistant": {conversation(`{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}`), abi.ErrInvalidRequest, "role assistant"},
		"unknown block":             {user(`{"type":"hologram"}`), abi.ErrFeatureUnsupported, "hologram"},
		"server tool":               {`{"messages":[],"tools":[{"type":"web_search_20250305","name":"web_search"}]}`, abi.ErrFeatureUnsupported, "web_search_20250305"},
		"trained tool":              {`{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"}]}`, abi.ErrFeatureUnsupported, "bash_20250124"},
		"image in system":           {`{"messages":[],"system":[{"type":"image"}]}`, abi.ErrFeatureUnsupported, "image in system"},
		"no JSON":                   {`{"messages":`, abi.ErrInvalidRequest, "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(""), tc.body)
			if got.Refusal == nil || got.Refusal.Kind != tc.kind || !strings.Contains(got.Refusal.Message, tc.says) {
				t.Errorf("got %+v, want %s that says %q", got.Refusal, tc.kind, tc.says)
			}
		})
	}
	if got := tests.Build(t, `{"op":"count"}`, plainBody); got.Refusal == nil || got.Refusal.Kind != abi.ErrFeatureUnsupported {
		t.Errorf("count: got %+v", got.Refusal)
	}
}

func TestDropped(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want string
	}{
		"unknown field":    {`{"messages":[],"container":"c","context_management":{},"service_tier":"auto","mcp_servers":[],"top_k":null}`, "container context_management service_tier mcp_servers"},
		"cache_control":    {conversation(`{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}`), "cache_control"},
		"thinking blocks":  {conversation(`{"role":"assistant","content":[{"type":"thinking","thinking":"a"},{"type":"redacted_thinking","data":"a"},{"type":"text","text":"x"}]}`), "messages.content.thinking messages.content.redacted_thinking"},
		"server blocks":    {conversation(`{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},{"type":"text","text":"x","citations":[{"type":"web_search_result_location"}]}]}`), "messages.content.server_tool_use messages.content.web_search_tool_result messages.content.citations"},
		"tool search":      {`{"messages":[],"tools":[{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}]}`, "tools.tool_search_tool_regex_20251119"},
		"effort and more":  {`{"messages":[],"output_config":{"effort":"max","verbosity":"low"},"metadata":{"user_id":null,"team":"x"}}`, "metadata.team output_config.verbosity"},
		"many stop words":  {`{"messages":[],"stop_sequences":["1","2","3","4","5"]}`, "stop_sequences"},
		"format of a kind": {`{"messages":[],"output_config":{"format":{"type":"grammar"}}}`, "output_config.format"},
		"ours":             {`{"messages":[],"routing_hint":{},"task_type":"code","agent_id":"a","stream":false,"model":"x"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(""), tc.body)
			if got.Refusal != nil {
				t.Fatalf("refused: %+v", got.Refusal)
			}
			if d := strings.Join(got.Dropped, " "); d != tc.want {
				t.Errorf("got %q, want %q", d, tc.want)
			}
		})
	}
}

// TestDroppedReasoning: what a vendor's way of asking for thinking has no word for is listed.
func TestDroppedReasoning(t *testing.T) {
	for name, tc := range map[string]struct{ settings, body, want string }{
		"an effort, by a switch":          {`"reasoning":"thinking"`, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, "output_config.effort"},
		"a budget, by a switch":           {`"reasoning":"thinking"`, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "thinking.budget_tokens"},
		"a switch, by a switch":           {`"reasoning":"thinking"`, `{"thinking":{"type":"adaptive"}}`, ""},
		"an effort beside a budget":       {`"reasoning":"object"`, `{"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"effort":"low"}}`, "output_config.effort"},
		"an effort without thinking":      {`"reasoning":"object"`, `{"thinking":{"type":"disabled"},"output_config":{"effort":"low"}}`, "output_config.effort"},
		"an effort, as one":               {`"reasoning":"object"`, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"}}`, ""},
		"an effort that is left out":      {`"leave_out":["reasoning_effort"]`, `{"output_config":{"effort":"low"}}`, "output_config.effort"},
		"thinking that is left out":       {`"leave_out":["reasoning_effort"]`, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "thinking"},
		"how thinking is to be shown":     {``, `{"thinking":{"type":"adaptive","display":"summarized"}}`, "thinking.display"},
		"a choice among no tools":         {``, `{"tool_choice":{"type":"any"}}`, "tool_choice"},
		"the usual choice among no tools": {``, `{"tool_choice":{"type":"auto"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := tests.Build(t, callWith(tc.settings), tc.body)
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
	long := strings.Repeat("u", 100)
	for name, tc := range map[string]struct {
		settings, body, field, want string
	}{
		"max_tokens by another name": {`"max_tokens_field":"max_tokens"`, `{}`, "max_tokens", "100"},
		"effort, low":                {``, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "reasoning_effort", `"low"`},
		"effort, medium":             {``, `{"thinking":{"type":"enabled","budget_tokens":8000}}`, "reasoning_effort", `"medium"`},
		"effort, high":               {``, `{"thinking":{"type":"enabled","budget_tokens":31999}}`, "reasoning_effort", `"high"`},
		"effort, said":               {``, `{"thinking":{"type":"adaptive"},"output_config":{"effort":"max"}}`, "reasoning_effort", `"high"`},
		"effort, left to the vendor": {``, `{"thinking":{"type":"adaptive"}}`, "reasoning_effort", ""},
		"effort, off":                {`"reasoning":"none"`, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "reasoning_effort", ""},
		"effort, not asked":          {``, `{}`, "reasoning_effort", ""},
		"reasoning, a budget":        {`"reasoning":"object"`, `{"thinking":{"type":"enabled","budget_tokens":1024}}`, "reasoning", `{"max_tokens":1024}`},
		"reasoning, an effort":       {`"reasoning":"object"`, `{"output_config":{"effort":"low"}}`, "reasoning", `{"effort":"low"}`},
		"reasoning, adaptive":        {`"reasoning":"object"`, `{"thinking":{"type":"adaptive"}}`, "reasoning", `{"enabled":true}`},
		"reasoning, disabled":        {`"reasoning":"object"`, `{"thinking":{"type":"disabled"}}`, "reasoning", `{"enabled":false}`},
		"thinking":                   {`"reasoning":"thinking"`, `{"thinking":{"type":"adaptive"}}`, "thinking", `{"type":"enabled"}`},
		"thinking, disabled":         {`"reasoning":"thinking"`, `{"thinking":{"type":"disabled"}}`, "thinking", `{"type":"disabled"}`},
		"format":                     {``, `{"output_config":{"format":{"type":"json_schema","schema":` + schema + `}}}`, "response_format", `{"type":"json_schema","json_schema":{"name":"output","strict":true,"schema":` + schema + `}}`},
		"format, as it was":          {``, `{"output_format":{"type":"json_schema","schema":` + schema + `}}`, "response_format", `{"type":"json_schema","json_schema":{"name":"output","strict":true,"schema":` + schema + `}}`},
		"format, not strict":         {``, `{"output_config":{"format":{"type":"json_schema","strict":false,"schema":` + schema + `}}}`, "response_format", `{"type":"json_schema","json_schema":{"name":"output","strict":false,"schema":` + schema + `}}`},
		"format, any JSON":           {``, `{"output_config":{"format":{"type":"json_object"}}}`, "response_format", `{"type":"json_object"}`},
		"choice, auto":               {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"auto"}}`, "tool_choice", `"auto"`},
		"choice, none":               {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"none"}}`, "tool_choice", `"none"`},
		"choice, one":                {``, `{"tools":[{"name":"f"}],"tool_choice":{"type":"tool","name":"f"}}`, "tool_choice", `{"type":"function","function":{"name":"f"}}`},
		"choice without tools":       {``, `{"tool_choice":{"type":"auto"}}`, "tool_choice", ``},
		"no schema":                  {``, `{"tools":[{"name":"f"}]}`, "tools", `[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]`},
		"stop, at most":              {`"max_stop":2`, `{"stop_sequences":["1","2","3"]}`, "stop", `["1","2"]`},
		"user, too long":             {``, `{"metadata":{"user_id":"` + long + `"}}`, "user", `"user-` + names.Long(long) + `"`},
		"user, elsewhere":            {`"user_field":"safety_identifier"`, `{"metadata":{"user_id":"u"}}`, "safety_identifier", `"u"`},
		"user, nowhere":              {`"user_field":""`, `{"metadata":{"user_id":"u"}}`, "user", ``},
		"left out":                   {`"leave_out":["temperature"]`, `{"temperature":1}`, "temperature", ``},
	} {
		t.Run(name, func(t *testing.T) {
			if got := suite.Field(t, tests.Build(t, callWith(tc.settings), tc.body), tc.field); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestStreamOptions(t *testing.T) {
	if got := suite.Field(t, tests.Build(t, `{"op":"chat","model":"m"}`, plainBody), "stream_options"); got != "" {
		t.Errorf("not streamed: got %s", got)
	}
	if got := suite.Field(t, tests.Build(t, `{"op":"chat","model":"m","stream":true,"settings":{"stream_options":false}}`, plainBody), "stream_options"); got != "" {
		t.Errorf("turned off: got %s", got)
	}
}

func TestReasoningModels(t *testing.T) {
	for model, want := range map[string]bool{
		"o1": true, "o3-mini": true, "openai/o4-mini": true, "gpt-5": true, "gpt-5-nano-2025-08-07": true, "gpt-5.1": true,
		"codex-mini-latest": true, "gpt-6-sol": true, "us.openai.o3": true, "openai.gpt-oss-120b-1:0": false,
		"gpt-5-chat-latest": false, "gpt-4o": false, "o": false, "omni-1": false, "llama-3.3": false,
	} {
		got := tests.Build(t, `{"op":"chat","model":"`+model+`"}`, `{"messages":[],"temperature":0.2}`)
		if left := suite.Field(t, got, "temperature") == ""; left != want || (len(got.Dropped) == 1) != want {
			t.Errorf("%s: left out %v, dropped %v, want %v", model, left, got.Dropped, want)
		}
	}
}

// TestLooseSchemas: what Anthropic takes as strict and OpenAI would refuse is not said to be, and the caller is told.
func TestLooseSchemas(t *testing.T) {
	const all = `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`
	const some = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`
	for schema, want := range map[string]struct {
		tool, format string
		dropped      []string
	}{
		all:  {`"strict":true`, `"strict":true`, nil},
		some: {``, `"strict":false`, []string{"output_config.format.strict", "tools.strict"}},
	} {
		got := tests.Build(t, callWith(""), `{"messages":[],"tools":[{"name":"f","strict":true,"input_schema":`+schema+`}],"output_config":{"format":{"type":"json_schema","schema":`+schema+`}}}`)
		tools, form := suite.Field(t, got, "tools"), suite.Field(t, got, "response_format")
		if !strings.Contains(form, want.format) || strings.Contains(tools, `"strict"`) != (want.tool != "") || !strings.Contains(tools, want.tool) || !reflect.DeepEqual(got.Dropped, want.dropped) {
			t.Errorf("%s: tools %s, format %s, dropped %v", schema, tools, form, got.Dropped)
		}
		got = tests.Build(t, callWith(""), `{"messages":[],"tools":[{"name":"f","strict":false,"input_schema":`+schema+`}],"output_config":{"format":{"type":"json_schema","strict":false,"schema":`+schema+`}}}`)
		if strings.Count(got.Request.Body, `"strict":false`) != 2 || got.Dropped != nil {
			t.Errorf("not strict: got %s, dropped %v", got.Request.Body, got.Dropped)
		}
	}
}

// TestFieldsOfModels: fields that some of a vendor's models refuse and others take.
func TestFieldsOfModels(t *testing.T) {
	const body = `{"tools":[{"name":"f"}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1024}}`
	for model, want := range map[string]string{
		"gpt-4.1": "", "gpt-5-mini": "", "o4-mini": "tool_choice.disable_parallel_tool_use", "openai/o3": "tool_choice.disable_parallel_tool_use",
		"grok-4.3": "", "grok-4": "", "grok-3-mini": "", "grok-4.20-multi-agent-0309": "",
		"grok-4-fast-reasoning": "thinking", "grok-code-fast-1": "thinking", "grok-4.20-0309-reasoning": "thinking", "x-ai/grok-3": "thinking",
	} {
		got := tests.Build(t, `{"op":"chat","model":"`+model+`","thinking":true}`, body)
		if d := strings.Join(got.Dropped, " "); d != want {
			t.Errorf("%s: dropped %q, want %q", model, d, want)
		}
		parallel, effort := suite.Field(t, got, "parallel_tool_calls"), suite.Field(t, got, "reasoning_effort")
		if (parallel == "") != strings.Contains(want, "parallel") || (effort == "") != (want == "thinking") {
			t.Errorf("%s: parallel_tool_calls %s, reasoning_effort %s", model, parallel, effort)
		}
	}
}

func TestPaths(t *testing.T) {
	got := tests.Build(t, `{"op":"chat","model":"a/b:c","settings":{"path":"/openai/deployments/{model}/chat/completions","query":"api-version=2024-10-21"}}`, plainBody)
	if r := got.Request; r.Path != "/openai/deployments/a%2Fb%3Ac/chat/completions" || r.Query != "api-version=2024-10-21" || r.Framing != abi.FramingJSON {
		t.Errorf("got %+v", r)
	}
}

func TestDocuments(t *testing.T) {
	got := messagesOf(t, tests.Build(t, callWith(`"documents":true`), conversation(`{"role":"user","content":[{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"ainfera-ref:0"}},{"type":"text","text":"?"}]}`)))
	want := `{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,<ref 0>"}},{"type":"text","text":"?"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDocumentNames: OpenAI goes by a file's name to see what it is, which a title need not be.
func TestDocumentNames(t *testing.T) {
	for title, want := range map[string]string{`The \"year\"`: `The \"year\".pdf`, "a.PDF": "a.PDF"} {
		got := messagesOf(t, tests.Build(t, callWith(`"documents":true`), conversation(`{"role":"user","content":[{"type":"document","title":"`+title+`","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}`)))
		if !strings.Contains(got, `"filename":"`+want+`"`) {
			t.Errorf("%s: got %s", title, got)
		}
	}
}

// TestCitations: whoever asks for citations is told that there are none, wherever the document stands, and who doesn't is not.
func TestCitations(t *testing.T) {
	const document = `{"type":"document","source":{"type":"text","data":"a"},"citations":{"enabled":%t}}`
	for _, enabled := range []bool{true, false} {
		block := fmt.Sprintf(document, enabled)
		for _, in := range []string{block, `{"type":"tool_result","tool_use_id":"a","content":[` + block + `]}`} {
			got := tests.Build(t, callWith(""), conversation(`{"role":"user","content":[`+in+`]}`))
			if told := reflect.DeepEqual(got.Dropped, []string{"messages.content.citations"}); told != enabled || !told && got.Dropped != nil {
				t.Errorf("%s: dropped %v", in, got.Dropped)
			}
		}
	}
}

// TestDocumentContext: what the caller says of a file is said before it.
func TestDocumentContext(t *testing.T) {
	const file = `{"type":"document","context":"of \"May\"","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}`
	const sent = `{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,AA"}}]}`
	for in, want := range map[string]string{
		file: `{"role":"user","content":[{"type":"text","text":"of \"May\""},` + sent,
		`{"type":"tool_result","tool_use_id":"a","content":[` + file + `]}`: `{"role":"tool","tool_call_id":"a","content":"The result is in the next message."},` +
			`{"role":"user","content":[{"type":"text","text":"From the result of tool call a:\nof \"May\""},` + sent,
	} {
		if got := messagesOf(t, tests.Build(t, callWith(`"documents":true`), conversation(`{"role":"user","content":[`+in+`]}`))); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestThinkingHistory(t *testing.T) {
	got := tests.Build(t, callWith(`"thinking_history":"reasoning_content"`), conversation(`{"role":"assistant","content":[{"type":"thinking","thinking":"a \"","signature":"s"},{"type":"thinking","thinking":"b","signature":"s"},{"type":"tool_use","id":"i","name":"f","input":{}}]}`))
	want := `{"role":"assistant","content":null,"reasoning_content":"a \"b","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	if m := messagesOf(t, got); m != want || len(got.Dropped) != 0 {
		t.Errorf("got  %s, dropped %v\nwant %s", m, got.Dropped, want)
	}
}

// TestLongNames: a name that OpenAI would refuse is shortened on the way out and whole again on the way back.
func TestLongNames(t *testing.T) {
	long := "mcp__" + strings.Repeat("server", 12) + "__tool"
	x := sdktest.Exchange{Call: callWith(""), Body: `{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"i","name":"` + long + `","input":{}}]}],"tools":[{"name":"` + long + `"},{"name":"` + long + `2"}]}`}
	got, err := x.Run(newGuest())
	if err != nil {
		t.Fatal(err)
	}
	var sent struct {
		Tools []struct{ Function struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(got.Request.Body), &sent); err != nil {
		t.Fatal(err)
	}
	a, b := sent.Tools[0].Function.Name, sent.Tools[1].Function.Name
	if len(a) > 64 || len(b) > 64 || a == b || strings.Contains(got.Request.Body, long) {
		t.Fatalf("names: got %q and %q in %s", a, b, got.Request.Body)
	}
	x.Answer = sse(tool("0", `"i"`, `"`+b+`"`, `"{}"`), finished("tool_calls"))
	if got, err = x.Run(newGuest()); err != nil || got.Message.Blocks[0].Name != long+"2" {
		t.Errorf("got %v %+v", err, got.Message.Blocks)
	}
}

// TestNineIDs: Mistral takes ids of nine letters and digits only; its own stay, others become the same for call and
// result.
func TestNineIDs(t *testing.T) {
	body := conversation(`{"role":"assistant","content":[{"type":"tool_use","id":"toolu_01ABC","name":"f","input":{}},{"type":"tool_use","id":"aB3456789","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01ABC","content":"1"},{"type":"tool_result","tool_use_id":"aB3456789","content":"1"}]}`)
	got := messagesOf(t, tests.Build(t, callWith(`"tool_ids":"nine"`), body))
	mapped := names.Of("toolu_01ABC").String()[:9]
	if strings.Count(got, `"`+mapped+`"`) != 2 || strings.Count(got, `"aB3456789"`) != 2 {
		t.Errorf("got %s, want %s twice", got, mapped)
	}
	long := strings.Repeat("x", 41)
	got = messagesOf(t, tests.Build(t, callWith(""), strings.ReplaceAll(body, "toolu_01ABC", long)))
	if strings.Contains(got, long) || strings.Count(got, `"call_`+names.Of(long).String()) != 2 {
		t.Errorf("too long an id: got %s", got)
	}
}

// FuzzRequest: whatever the caller sends, the vendor gets valid JSON or nothing, and always the same.
func FuzzRequest(f *testing.F) {
	f.Add(plainBody)
	f.Add(`{"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"a","data":"ainfera-ref:1"}},{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"b"}]}]}],"tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"any"}}`)
	f.Add(`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"a\"","signature":"reasoning_details:{\"type\":\"reasoning.text\",\"text\":7}"},{"type":"redacted_thinking","data":"reasoning_details:{}"},{"type":"text","text":"b"}]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, history := range []string{"reasoning", "reasoning_details"} {
			tests.Valid(t, callWith(`"documents":true,"thinking_history":"`+history+`"`), body)
		}
	})
}

// TestManifestFits: what the manifest says of a setting is what a call without it reads.
func TestManifestFits(t *testing.T) {
	g := sdk.NewAdapterGuest(manifest, &openai{})
	if !json.Valid(g.Manifest()) {
		t.Errorf("manifest: %s", g.Manifest())
	}
}
