package chat

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/messages"
)

const hi = `"messages":[{"role":"user","content":"hi"}]`

const saysHi = `"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]`

func TestTranslate(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		dropped        string
		unsupported    string
	}{
		{name: "Plain", in: `{"model":"m",` + hi + `}`, want: `{"model":"m",` + saysHi + `}`},
		{name: "Ours", in: `{` + hi + `,"model":"m","stream":true,"routing_hint":{"min_quality":0.5},"task_type":"code","agent_id":"a"}`,
			want: `{"model":"m","stream":true,"routing_hint":{"min_quality":0.5},"task_type":"code","agent_id":"a",` + saysHi + `}`},
		{name: "Limits", in: `{"model":"m","max_tokens":5,"max_completion_tokens":7,"stop":["a","b"],` + hi + `}`,
			want: `{"model":"m","max_tokens":7,"stop_sequences":["a","b"],` + saysHi + `}`},
		{name: "OneStop", in: `{"model":"m","max_tokens":5,"stop":"\n","temperature":0.2,"top_p":1,` + hi + `}`,
			want: `{"model":"m","temperature":0.2,"top_p":1,"max_tokens":5,"stop_sequences":["\n"],` + saysHi + `}`},
		{name: "Nulls", in: `{"model":"m","max_tokens":null,"stop":null,"temperature":null,"tools":null,"tool_choice":null,"response_format":null,"user":null,` + hi + `}`,
			want: `{"model":"m",` + saysHi + `}`},
		{name: "NoPlace", in: `{"model":"m","logprobs":true,"top_logprobs":3,"seed":7,"store":false,"presence_penalty":0,"logit_bias":null,"made_up":{},` + hi + `}`,
			want: `{"model":"m",` + saysHi + `}`, dropped: "logprobs top_logprobs seed made_up"},
		{name: "Effort", in: `{"model":"m","reasoning_effort":"high",` + hi + `}`,
			want: `{"model":"m","thinking":{"type":"enabled","budget_tokens":16384},` + saysHi + `}`},
		{name: "NoEffort", in: `{"model":"m","reasoning_effort":"none",` + hi + `}`, want: `{"model":"m","thinking":{"type":"disabled"},` + saysHi + `}`},
		{name: "UnknownEffort", in: `{"model":"m","reasoning_effort":"herculean",` + hi + `}`, want: `{"model":"m",` + saysHi + `}`, dropped: "reasoning_effort"},
		{name: "ThinkingItself", in: `{"model":"m","thinking":{"type":"adaptive"},"reasoning_effort":"low",` + hi + `}`,
			want: `{"model":"m","thinking":{"type":"adaptive"},` + saysHi + `}`},
		{name: "Schema", in: `{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object"}}},` + hi + `}`,
			want: `{"model":"m","output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},` + saysHi + `}`},
		{name: "LooseSchema", in: `{"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object"}}},` + hi + `}`,
			want: `{"model":"m","output_config":{"format":{"type":"json_schema","schema":{"type":"object"},"strict":false}},` + saysHi + `}`},
		{name: "AnyJSON", in: `{"model":"m","response_format":{"type":"json_object"},` + hi + `}`,
			want: `{"model":"m","output_config":{"format":{"type":"json_object"}},` + saysHi + `}`},
		{name: "User", in: `{"model":"m","user":"u\"1","metadata":{"a":"b"},` + hi + `}`,
			want: `{"model":"m","metadata":{"user_id":"u\"1"},` + saysHi + `}`, dropped: "metadata.a"},
		{name: "Tools", in: `{"model":"m","tools":[{"type":"function","function":{"name":"f","description":"d","strict":true,"parameters":{"type":"object","properties":{"a":{}}}}},{"type":"function","function":{"name":"g"}}],"tool_choice":"required","parallel_tool_calls":false,` + hi + `}`,
			want: `{"model":"m","tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"a":{}}},"strict":true},{"name":"g","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true},` + saysHi + `}`},
		{name: "ToolByName", in: `{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{}}}}],"tool_choice":{"type":"function","function":{"name":"f"}},` + hi + `}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"tool","name":"f"},` + saysHi + `}`},
		{name: "OneAtATime", in: `{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"parallel_tool_calls":false,` + hi + `}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true},` + saysHi + `}`},
		{name: "ChoiceWithoutTools", in: `{"model":"m","tool_choice":"auto",` + hi + `}`, want: `{"model":"m",` + saysHi + `}`},
		{name: "CustomTool", in: `{"model":"m","tools":[{"type":"custom","custom":{"name":"c"}}],` + hi + `}`,
			want: `{"model":"m",` + saysHi + `}`, unsupported: "tools[0].type"},
		{name: "Functions", in: `{"model":"m","functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},{"role":"function","name":"f","content":"r"}]}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"call_0","name":"f","input":{"a":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_0","content":"r"}]}]}`},
		{name: "SystemAnywhere", in: `{"model":"m","messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},{"role":"developer","content":[{"type":"text","text":"b"}]}]}`,
			want: `{"model":"m","system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],` + saysHi + `}`},
		{name: "SystemAlone", in: `{"model":"m","messages":[{"role":"system","content":"hi"}]}`, want: `{"model":"m",` + saysHi + `}`},
		{name: "EmptySystem", in: `{"model":"m","messages":[{"role":"system","content":""},{"role":"user","content":"hi"},{"role":"assistant","content":""}]}`, want: `{"model":"m",` + saysHi + `}`},
		{name: "ParallelResults", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"so","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}},{"id":"functions.g:1","type":"function","function":{"name":"g","arguments":"{\"x\": 1"}}]},{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"functions.g:1","content":[{"type":"text","text":"2"}]},{"role":"user","content":"and?"}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"so"},{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"x-functions-2eg-3a1","name":"g","input":{"arguments":"{\"x\": 1"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},{"type":"tool_result","tool_use_id":"x-functions-2eg-3a1","content":[{"type":"text","text":"2"}]},{"type":"text","text":"and?"}]}]}`},
		{name: "ThinkingComesBack", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a","reasoning_content":"t","thinking_blocks":[{"index":0,"type":"thinking","thinking":"t\n","signature":"s"},{"index":1,"type":"redacted_thinking","data":"d"}]},{"role":"user","content":"b"}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t\n","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}]},{"role":"user","content":[{"type":"text","text":"b"}]}]}`},
		{name: "ReasoningComesBack", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a","reasoning_content":"t"},{"role":"user","content":"b"}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"text","text":"a"}]},{"role":"user","content":[{"type":"text","text":"b"}]}]}`},
		{name: "Parts", in: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image\/png;base64,AA\/A","detail":"high"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"file","file":{"filename":"f.pdf","file_data":"data:application/pdf;base64,QQ=="}}]}]}`,
			want:    `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image","source":{"type":"base64","media_type":"image\/png","data":"AA\/A"}},{"type":"image","source":{"type":"url","url":"https://x/y.png"}},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"QQ=="},"title":"f.pdf"}]}]}`,
			dropped: "messages.content.image_url.detail"},
		{name: "Names", in: `{"model":"m","messages":[{"role":"system","name":"s","content":"a"},{"role":"user","name":"u","content":"hi"},{"role":"assistant","name":"x","content":"b"},{"role":"user","content":"c"}]}`,
			want: `{"model":"m","system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"}]}]}`, dropped: "messages.name"},
		{name: "NameOfATool", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","name":"f","tool_call_id":"a","content":null}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]}]}`},
		{name: "ResultsThatAreJSON", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":{"x": "\n"}},{"role":"tool","tool_call_id":"b","content":7}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"{\"x\": \"\\n\"}"},{"type":"tool_result","tool_use_id":"b","content":"7"}]}]}`},
		{name: "CacheMarks", in: `{"model":"m","tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}},{"type":"function","function":{"name":"g","cache_control":{"type":"ephemeral","ttl":"1h"}}}],"messages":[{"role":"system","content":"a","cache_control":{"type":"ephemeral"}},{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":"https://x/y.png","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]},{"role":"tool","tool_call_id":"a","content":"1","cache_control":{"type":"ephemeral"}}]}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral"}},{"name":"g","input_schema":{"type":"object","properties":{}},"cache_control":{"type":"ephemeral","ttl":"1h"}}],"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}},{"type":"image","source":{"type":"url","url":"https://x/y.png"},"cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1","cache_control":{"type":"ephemeral"}}]}]}`},
		{name: "CacheMarkOfAMessageOfParts", in: `{"model":"m","messages":[{"role":"user","cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"hi"}]}]}`,
			want: `{"model":"m",` + saysHi + `}`, dropped: "messages.cache_control"},
		{name: "SpaceBeforeCalls", in: `{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"\n \u0009","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":" "}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":" "}]}]}`},
		{name: "SeedOfZero", in: `{"model":"m","seed":0,"top_logprobs":0,` + hi + `}`, want: `{"model":"m",` + saysHi + `}`, dropped: "seed"},
		{name: "BothForms", in: `{"model":"m","functions":[{"name":"g"}],"tools":[{"type":"function","function":{"name":"f"}}],` + hi + `}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],` + saysHi + `}`, dropped: "functions"},
		{name: "CustomChoice", in: `{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"custom","custom":{"name":"c"}},` + hi + `}`,
			want: `{"model":"m","tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}],` + saysHi + `}`, unsupported: "tool_choice: tools of type"},
		{name: "FilesByTheirType", in: `{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.png","file_data":"data:image\/png;base64,AA=="}},{"type":"file","file":{"filename":"a.md","file_data":"data:text/markdown;charset=utf-8;base64,IyDD\nqQo=\n"}},{"type":"file","file":{"file_data":"data:application\/json;base64,e30="}}]}]}`,
			want: `{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image\/png","data":"AA=="}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"# é\n"},"title":"a.md"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"{}"}}]}]}`},
		{name: "Audio", in: `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}]}]}`,
			want: `{"model":"m",` + saysHi + `}`, unsupported: "messages[0].content[1]: no model here takes audio"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := Translate([]byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(r.Body); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
			if got := strings.Join(r.Dropped, " "); got != tc.dropped {
				t.Errorf("dropped %q, want %q", got, tc.dropped)
			}
			if !strings.HasPrefix(r.Unsupported, tc.unsupported) || (r.Unsupported == "") != (tc.unsupported == "") {
				t.Errorf("unsupported %q, want %q", r.Unsupported, tc.unsupported)
			}
			if _, err := messages.ParseRequest(r.Body); err != nil {
				t.Errorf("as a Messages request: %v", err)
			}
		})
	}
}

func TestTranslateRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ in, param, says string }{
		"Array":       {`[]`, "", "expected a JSON object"},
		"Broken":      {"{\n\"model\": x}", "", "line 2, column 10"},
		"NotUTF8":     {"{\"model\":\"\xff\"}", "", "column 11: the text is not UTF-8"},
		"Messages":    {`{"model":"m"}`, "messages", "expected an array"},
		"Message":     {`{"model":"m","messages":[1]}`, "messages[0]", "expected an object"},
		"Role":        {`{"model":"m","messages":[{"role":"oracle","content":"x"}]}`, "messages[0].role", `"oracle" is none of`},
		"Content":     {`{"model":"m","messages":[{"role":"user","content":7}]}`, "messages[0].content", "expected a string"},
		"Choices":     {`{"model":"m","n":2,` + hi + `}`, "n", "one choice"},
		"Twice":       {`{"model":"m","model":"n",` + hi + `}`, "model", "twice"},
		"ToolName":    {`{"model":"m","tools":[{"type":"function","function":{}}],` + hi + `}`, "tools[0].function.name", "name"},
		"ToolChoice":  {`{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"maybe",` + hi + `}`, "tool_choice", "expected auto"},
		"CallID":      {`{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]}`, "messages[0].tool_calls[0].id", "id"},
		"ResultID":    {`{"model":"m","messages":[{"role":"tool","content":"x"}]}`, "messages[0].tool_call_id", "id"},
		"Result":      {`{"model":"m","messages":[{"role":"function","content":"x"}]}`, "messages[0].role", "no function call"},
		"ImageURL":    {`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}`, "messages[0].content[0].image_url.url", "address"},
		"ImageData":   {`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}]}`, "messages[0].content[0].image_url.url", "base64"},
		"Stop":        {`{"model":"m","stop":7,` + hi + `}`, "stop", "expected a string"},
		"Part":        {`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}`, "messages[0].content[0].text", "expected a string"},
		"FileText":    {`{"model":"m","messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:text/plain;base64,/w=="}}]}]}`, "messages[0].content[0].file.file_data", "UTF-8"},
		"SchemaShape": {`{"model":"m","response_format":{"type":"json_schema"},` + hi + `}`, "response_format.json_schema.schema", "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Translate([]byte(tc.in))
			var bad *messages.RequestError
			if !errors.As(err, &bad) || bad.Param != tc.param || !strings.Contains(bad.Error(), tc.says) {
				t.Errorf("got %v, want %s: %s", err, tc.param, tc.says)
			}
		})
	}
}

// FuzzTranslate holds that whatever is taken becomes JSON, the same bytes each time, with no empty turn in it and every
// tool call's input an object.
func FuzzTranslate(f *testing.F) {
	for _, s := range []string{
		`{"model":"m",` + hi + `}`,
		`{"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":[1]}}],"tool_choice":{"type":"function","function":{"name":"f"}},"messages":[{"role":"assistant","tool_calls":[{"id":"\u0000","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a.b","content":[]}]}`,
		`{"functions":[{"name":"f"}],"function_call":"none","messages":[{"role":"assistant","function_call":{"name":"f","arguments":"\"x\""}},{"role":"function","content":null},{"role":"system","content":"s"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:a;base64,\"},"},{"type":"file","file":{"file_data":"data:;base64,"}}]}],"stop":"\ud800","user":"\u00e9"}`,
		`{"reasoning_effort":"low","metadata":{"user_id":"u","x":1},"response_format":{"type":"json_schema","json_schema":{"schema":{}}},"n":1e0,"messages":[{"role":"assistant","thinking_blocks":[{"type":"thinking"},{"type":"x"}],"refusal":"no"}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Translate(body)
		if err != nil {
			return
		}
		if !json.Valid(r.Body) {
			t.Fatalf("not JSON: %s\nof %s", r.Body, body)
		}
		again, err := Translate(body)
		if err != nil || string(again.Body) != string(r.Body) {
			t.Fatalf("differs the second time: %s, %v", again.Body, err)
		}
		for _, m := range gjson.GetBytes(r.Body, "messages").Array() {
			content := m.Get("content")
			if len(content.Array()) == 0 {
				t.Fatalf("an empty turn: %s", r.Body)
			}
			for _, b := range content.Array() {
				if b.Get("type").Str == "tool_use" && !b.Get("input").IsObject() {
					t.Fatalf("input %s", b.Raw)
				}
			}
		}
	})
}
