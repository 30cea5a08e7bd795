package messages

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func parse(t *testing.T, body string) *Request {
	t.Helper()
	r, err := ParseRequest([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// all strips every thinking block.
func all([]byte) bool { return true }

func TestEdit(t *testing.T) {
	const hello = `"messages" : [ {"role":"user","content":"hi"} ]`
	tests := []struct {
		name, body string
		spec       EditSpec
		want       string
		edits      []Edit
	}{
		{"nothing", `{ "model":"m", ` + hello + `}`, EditSpec{}, `{ "model":"m", ` + hello + `}`, nil},
		{"the model", "{ \"model\" :\t\"m\" ,\n " + hello + "}\n", EditSpec{Model: `a"b`}, "{ \"model\" :\t\"a\\\"b\" ,\n " + hello + "}\n",
			[]Edit{{"model", Set}}},
		{"the same model", `{"model":"m",` + hello + `}`, EditSpec{Model: "m"}, `{"model":"m",` + hello + `}`, nil},
		{"own fields in the middle", `{"model":"m", "task_type":"code" , "agent_id":null, ` + hello + `}`, EditSpec{},
			`{"model":"m", ` + hello + `}`, []Edit{{"task_type", Removed}, {"agent_id", Removed}}},
		{"own fields first", "{ \"routing_hint\":{\"min_quality\":1},\n \"agent_id\":\"a\",\n \"model\":\"m\"," + hello + " }", EditSpec{},
			"{ \"model\":\"m\"," + hello + " }", []Edit{{"routing_hint", Removed}, {"agent_id", Removed}}},
		{"own fields last", `{"model":"m",` + hello + ` , "routing_hint":{} , "task_type":"x" }`, EditSpec{},
			`{"model":"m",` + hello + ` }`, []Edit{{"routing_hint", Removed}, {"task_type", Removed}}},
		{"max_tokens lowered", `{"model":"m","max_tokens": 32000,` + hello + `}`, EditSpec{MaxTokens: 8192},
			`{"model":"m","max_tokens": 8192,` + hello + `}`, []Edit{{"max_tokens", Lowered}}},
		{"max_tokens low enough", `{"model":"m","max_tokens":8192,` + hello + `}`, EditSpec{MaxTokens: 8192},
			`{"model":"m","max_tokens":8192,` + hello + `}`, nil},
		{"max_tokens by default", `{"model":"m",` + hello + ` }`, EditSpec{DefaultMaxTokens: 4096},
			`{"model":"m",` + hello + `,"max_tokens":4096 }`, []Edit{{"max_tokens", Set}}},
		{"adaptive to a budget", `{"model":"m","max_tokens":32000,"thinking":{"type":"adaptive","display":"omitted"},` + hello + `}`,
			EditSpec{Thinking: BudgetOnly},
			`{"model":"m","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":8192,"display":"omitted"},` + hello + `}`,
			[]Edit{{"thinking", Set}}},
		{"adaptive to a budget that fits", `{"model":"m","max_tokens":4000,"thinking":{"type":"adaptive"},` + hello + `}`,
			EditSpec{Thinking: BudgetOnly},
			`{"model":"m","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000},` + hello + `}`, []Edit{{"thinking", Lowered}}},
		{"a budget to adaptive", `{"model":"m","thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`,
			EditSpec{Thinking: AdaptiveOnly}, `{"model":"m","thinking":{"type":"adaptive"},` + hello + `}`, []Edit{{"thinking", Set}}},
		{"what else thinking holds", `{"model":"m","thinking":{"block_binding": {"x":1},"budget_tokens":2048,"type":"enabled","display":null},` + hello + `}`,
			EditSpec{Thinking: AdaptiveOnly}, `{"model":"m","thinking":{"type":"adaptive","block_binding":{"x":1},"display":null},` + hello + `}`, []Edit{{"thinking", Set}}},
		{"thinking without a type", `{"model":"m","thinking":{"block_binding":{"x":1}},` + hello + `}`,
			EditSpec{Thinking: AdaptiveOnly}, `{"model":"m","thinking":{"block_binding":{"x":1}},` + hello + `}`, nil},
		{"thinking without a type, where there is none", `{"model":"m","thinking":{"block_binding":{"x":1}},` + hello + `}`,
			EditSpec{Thinking: NoThinking}, `{"model":"m",` + hello + `}`, []Edit{{"thinking", Removed}}},
		{"the form fits", `{"model":"m","thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`,
			EditSpec{Thinking: BudgetOnly}, `{"model":"m","thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`, nil},
		{"disabled stays", `{"model":"m","thinking":{"type":"disabled"},` + hello + `}`,
			EditSpec{Thinking: BudgetOnly}, `{"model":"m","thinking":{"type":"disabled"},` + hello + `}`, nil},
		{"no thinking", `{"model":"m","thinking":{"type":"adaptive"},` + hello + `,"context_management":{"edits":[{"type":"clear_thinking_20251015"}, {"type":"clear_tool_uses_20250919"}],"x":1}}`,
			EditSpec{Thinking: NoThinking}, `{"model":"m",` + hello + `,"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}],"x":1}}`,
			[]Edit{{"thinking", Removed}, {"context_management", Set}}},
		{"no thinking, nothing else to manage", `{"model":"m","thinking":{"type":"adaptive"},` + hello + `,"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}}`,
			EditSpec{Thinking: NoThinking}, `{"model":"m",` + hello + `}`, []Edit{{"thinking", Removed}, {"context_management", Removed}}},
		{"the budget follows max_tokens", `{"model":"m","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":16000},` + hello + `}`,
			EditSpec{MaxTokens: 8000}, `{"model":"m","max_tokens":8000,"thinking":{"type":"enabled","budget_tokens":4000},` + hello + `}`,
			[]Edit{{"max_tokens", Lowered}, {"thinking", Lowered}}},
		{"no room for a budget", `{"model":"m","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":16000},` + hello + `}`,
			EditSpec{MaxTokens: 1024}, `{"model":"m","max_tokens":1024,` + hello + `}`, []Edit{{"max_tokens", Lowered}, {"thinking", Removed}}},
		{"a wrong budget is the vendor's to judge", `{"model":"m","max_tokens":1000,"thinking":{"type":"enabled","budget_tokens":16000},` + hello + `}`,
			EditSpec{MaxTokens: 8000}, `{"model":"m","max_tokens":1000,"thinking":{"type":"enabled","budget_tokens":16000},` + hello + `}`, nil},
		{"thinking blocks", `{"model":"m","messages":[{"role":"user","content":"a"}, {"role":"assistant","content":[ {"type":"thinking","thinking":"t","signature":"s"} , {"type":"text","text":"b"}, {"type":"redacted_thinking","data":"d"} ]}, {"role":"user","content":"c"}]}`,
			EditSpec{StripThinking: all},
			`{"model":"m","messages":[{"role":"user","content":"a"}, {"role":"assistant","content":[ {"type":"text","text":"b"} ]}, {"role":"user","content":"c"}]}`,
			[]Edit{{"messages.1.content.0", Removed}, {"messages.1.content.2", Removed}}},
		{"only the foreign ones", `{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"thinking","thinking":"u","signature":"mine"}]}]}`,
			EditSpec{StripThinking: func(s []byte) bool { return string(s) != "mine" }},
			`{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"u","signature":"mine"}]}]}`,
			[]Edit{{"messages.0.content.0", Removed}}},
		{"a message of thinking alone", `{"model":"m","messages":[{"role":"user","content":"a"}, {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"}]}, {"role":"user","content":"c"}]}`,
			EditSpec{StripThinking: all}, `{"model":"m","messages":[{"role":"user","content":"a"}, {"role":"user","content":"c"}]}`,
			[]Edit{{"messages.1", Removed}}},
		{"a tool loop that loses its thinking", `{"model":"m","thinking":{"type":"enabled","budget_tokens":2048},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`,
			EditSpec{StripThinking: all},
			`{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`,
			[]Edit{{"messages.0.content.0", Removed}, {"thinking", Removed}}},
		{"written for another API: nothing to mend", `{"model":"m","temperature":1,` + hello + `}`, EditSpec{Foreign: true}, `{"model":"m","temperature":1,` + hello + `}`, nil},
		{"written for another API: temperature", `{"model":"m","temperature":1.7,"top_p":0.5,` + hello + `}`, EditSpec{Foreign: true},
			`{"model":"m","temperature":1,` + hello + `}`, []Edit{{"top_p", Removed}, {"temperature", Lowered}}},
		{"written for another API: any JSON", `{"model":"m","output_config":{"format":{"type":"json_object"}},` + hello + `}`, EditSpec{Foreign: true},
			`{"model":"m",` + hello + `}`, []Edit{{"output_config", Removed}}},
		{"written for another API: a loose schema", `{"model":"m","output_config":{"format":{"type":"json_schema","schema":{"a": 1},"strict":false}},` + hello + `}`, EditSpec{Foreign: true},
			`{"model":"m","output_config":{"format":{"type":"json_schema","schema":{"a": 1}}},` + hello + `}`, []Edit{{"output_config", Set}}},
		{"written for another API: thinking", `{"model":"m","max_tokens":4000,"temperature":0.2,"thinking":{"type":"enabled","budget_tokens":8192},` + hello + `}`, EditSpec{Foreign: true},
			`{"model":"m","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000},` + hello + `}`, []Edit{{"thinking", Lowered}, {"temperature", Removed}}},
		{"written for another API: sampling, where the model takes none", `{"model":"m","temperature":0.2,"top_p":0.9,` + hello + `}`, EditSpec{Foreign: true, Thinking: AdaptiveOnly},
			`{"model":"m",` + hello + `}`, []Edit{{"temperature", Removed}, {"top_p", Removed}}},
		{"written for another API: a little thinking, where there is no budget", `{"model":"m","thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`, EditSpec{Foreign: true, Thinking: AdaptiveOnly},
			`{"model":"m","thinking":{"type":"adaptive"},` + hello + `,"output_config":{"effort":"low"}}`, []Edit{{"thinking", Set}, {"output_config", Set}}},
		{"written for another API: some thinking and a format", `{"model":"m","output_config":{"format":{"type":"json_schema","schema":{},"strict":false}},"thinking":{"type":"enabled","budget_tokens":8192},` + hello + `}`,
			EditSpec{Foreign: true, Thinking: AdaptiveOnly}, `{"model":"m","output_config":{"effort":"medium","format":{"type":"json_schema","schema":{}}},"thinking":{"type":"adaptive"},` + hello + `}`,
			[]Edit{{"thinking", Set}, {"output_config", Set}}},
		{"written for another API: a little thinking and an effort", `{"model":"m","output_config": {"effort":"high"},"thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`,
			EditSpec{Foreign: true, Thinking: AdaptiveOnly}, `{"model":"m","output_config": {"effort":"high"},"thinking":{"type":"adaptive"},` + hello + `}`, []Edit{{"thinking", Set}}},
		{"written for another API: a little thinking and no object", `{"model":"m","output_config":"x","thinking":{"type":"enabled","budget_tokens":2048},` + hello + `}`,
			EditSpec{Foreign: true, Thinking: AdaptiveOnly}, `{"model":"m","output_config":"x","thinking":{"type":"adaptive"},` + hello + `}`, []Edit{{"thinking", Set}}},
		{"written for another API: much thinking", `{"model":"m","thinking":{"type":"enabled","budget_tokens":16384},` + hello + `}`, EditSpec{Foreign: true, Thinking: AdaptiveOnly},
			`{"model":"m","thinking":{"type":"adaptive"},` + hello + `}`, []Edit{{"thinking", Set}}},
		{"written for another API: thinking and a forced tool", `{"model":"m","tool_choice":{"type":"any"},"temperature":0.2,"thinking":{"type":"adaptive"},` + hello + `}`, EditSpec{Foreign: true},
			`{"model":"m","tool_choice":{"type":"any"},"temperature":0.2,` + hello + `}`, []Edit{{"thinking", Removed}}},
		{"written for another API: thinking that was not sent back", `{"model":"m","thinking":{"type":"adaptive"},"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`, EditSpec{Foreign: true},
			`{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`, []Edit{{"thinking", Removed}}},
		{"written for another API: thinking that was", `{"model":"m","thinking":{"type":"adaptive"},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`, EditSpec{Foreign: true},
			`{"model":"m","thinking":{"type":"adaptive"},"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"tool_use","id":"1","name":"n","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1"}]}]}`, nil},
		{"a field that is there twice", `{"temperature":2,"model":"m","temperature":0.5,` + hello + `,"top_p":1,"top_p":2}`,
			EditSpec{Foreign: true}, `{"temperature":2,"model":"m","temperature":0.5,` + hello + `}`, []Edit{{"top_p", Removed}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, edits := parse(t, tt.body).Edit(tt.spec)
			if string(got) != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
			if !reflect.DeepEqual(edits, tt.edits) {
				t.Errorf("edits:\n got %v\nwant %v", edits, tt.edits)
			}
		})
	}
}

func TestSegments(t *testing.T) {
	big := strings.Repeat(`AB\/+`, 300)
	text := strings.Repeat("word ", 300)
	body := `{"agent_id":"a","model":"m","messages":[{"role":"user","content":[
		{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + big + `"}},
		{"type":"image","source":{"data":"ainfera-ref:9","type":"base64"}},
		{"type":"image","source":{"type":"base64","data":"small"}},
		{"type":"document","source":{"type":"text","data":"` + text + `"}},
		{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"` + big + `2"}}]}]}]}`
	got, refs, _ := parse(t, body).EditSegments(EditSpec{})
	if want := [][]byte{[]byte(big), []byte("ainfera-ref:9"), []byte(big + "2")}; !reflect.DeepEqual(refs, want) {
		t.Errorf("refs: got %d of %q", len(refs), refs)
	}
	want := strings.NewReplacer(big+"2", "ainfera-ref:2", big, "ainfera-ref:0", "ainfera-ref:9", "ainfera-ref:1", `"agent_id":"a",`, "").Replace(body)
	if string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// specs are what the fuzz test chooses from.
var specs = []EditSpec{
	{},
	{Model: "other", MaxTokens: 1},
	{Model: "other", DefaultMaxTokens: 7, Thinking: NoThinking},
	{MaxTokens: 1500, Thinking: BudgetOnly, StripThinking: all},
	{Thinking: AdaptiveOnly, StripThinking: func(s []byte) bool { return len(s)%2 == 1 }},
	{Foreign: true, MaxTokens: 1500, StripThinking: all},
}

// FuzzEdit holds that an edited body is valid, that fields without an edit keep their bytes and their order, and that
// messages lose whole blocks and nothing else.
func FuzzEdit(f *testing.F) {
	for i, s := range []string{
		`{"model":"m","messages":[{"role":"user","content":"hi"}]}`,
		`{ "task_type" : "t" , "model" : "m" , "max_tokens" : 9 , "messages" : [ {"role":"user","content":[ {"type":"thinking","signature":"s"} , {"type":"text"} ]} ] , "agent_id":"a" }`,
		`{"x":1,"x":2,"thinking":{"type":"adaptive"},"routing_hint":{},"messages":[{"role":"a","content":[{"type":"thinking"}]}],"model":"m"}`,
		`{"model":"m","thinking":{"type":"enabled","budget_tokens":9000},"context_management":{"edits":[{"type":"clear_thinking_1"},1]},"messages":[{"role":"a","content":[{"type":"redacted_thinking","source":{"type":"base64","data":"ainfera-ref:"}}]}]}`,
	} {
		f.Add([]byte(s), byte(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, n byte) {
		r, err := ParseRequest(body)
		if err != nil {
			return
		}
		before := bytes.Clone(body)
		spec := specs[int(n)%len(specs)]
		got, edits := r.Edit(spec)
		if !bytes.Equal(body, before) {
			t.Fatal("the caller's body was written to")
		}
		checkEdited(t, body, got, edits)
		if spec.StripThinking != nil && spec.StripThinking(nil) {
			checkStripped(t, body, got)
		}
		if _, more := r.Edit(spec); !reflect.DeepEqual(more, edits) {
			t.Fatalf("edits differ the second time: %v, %v", edits, more)
		}
		if seg, _, _ := r.EditSegments(spec); !json.Valid(seg) {
			t.Fatalf("segments of %q: %q", body, seg)
		}
	})
}

// checkStripped does what stripping does on decoded messages, and compares.
func checkStripped(t *testing.T, body, got []byte) {
	t.Helper()
	decode := func(b []byte) []any {
		var top object
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&top); err != nil {
			t.Fatal(err)
		}
		return top["messages"].([]any)
	}
	want := []any{}
	for _, m := range decode(body) {
		blocks, _ := m.(object)["content"].([]any)
		kept := []any{}
		for _, b := range blocks {
			if kind := b.(object)["type"]; kind != "thinking" && kind != "redacted_thinking" {
				kept = append(kept, b)
			}
		}
		if len(kept) < len(blocks) {
			m.(object)["content"] = kept
		}
		if len(kept) > 0 || len(blocks) == 0 {
			want = append(want, m)
		}
	}
	if g := decode(got); !reflect.DeepEqual(g, want) {
		t.Fatalf("messages of %s:\n got %v\nwant %v", body, g, want)
	}
}

func checkEdited(t *testing.T, body, got []byte, edits []Edit) {
	t.Helper()
	if !json.Valid(got) {
		t.Fatalf("not JSON:\nbefore %s\nafter  %s", body, got)
	}
	touched := map[string]bool{}
	for _, e := range edits {
		name, _, inside := strings.Cut(e.Field, ".")
		if inside {
			name = "messages"
		}
		touched[e.Field], touched[name] = true, true
	}
	fields := func(b []byte) (out []string) {
		gjson.ParseBytes(b).ForEach(func(k, v gjson.Result) bool {
			if !touched[k.String()] {
				out = append(out, k.Raw+":"+v.Raw)
			}
			return true
		})
		return out
	}
	if a, b := fields(body), fields(got); !reflect.DeepEqual(a, b) {
		t.Fatalf("fields without an edit differ:\nbefore %s\nafter  %s", body, got)
	}
	for _, name := range ownFields {
		gjson.ParseBytes(got).ForEach(func(k, _ gjson.Result) bool {
			if k.String() == name {
				t.Fatalf("%s is still there: %s", name, got)
			}
			return true
		})
	}
	if len(edits) == 0 && !bytes.Equal(body, got) {
		t.Fatalf("no edits, other bytes:\nbefore %s\nafter  %s", body, got)
	}
}
