package simulator

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// The parts of Responses that these tests look at, as encoding/json reads them.
type (
	response struct {
		ID, Object, Model, Status string
		Error                     *struct{ Code, Type, Message string }
		Incomplete                *struct{ Reason string } `json:"incomplete_details"`
		Output                    []responseItem
		Usage                     *responseUsage
	}
	responseItem struct {
		ID, Type, Status, Name, Arguments string
		CallID                            string `json:"call_id"`
		Sealed                            string `json:"encrypted_content"`
		Content, Summary                  []struct{ Type, Text string }
	}
	responseUsage struct {
		Input        int `json:"input_tokens"`
		Output       int `json:"output_tokens"`
		Total        int `json:"total_tokens"`
		InputDetails struct {
			Cached int `json:"cached_tokens"`
		} `json:"input_tokens_details"`
		OutputDetails struct {
			Reasoning int `json:"reasoning_tokens"`
		} `json:"output_tokens_details"`
	}
	responseEvent struct {
		Type      string
		Sequence  int    `json:"sequence_number"`
		Index     int    `json:"output_index"`
		ItemID    string `json:"item_id"`
		Delta     string
		Item      *responseItem
		Response  *response
		Text      string
		Arguments string
	}
)

func (r response) text() (s string) {
	for _, it := range r.Output {
		for _, c := range it.Content {
			s += c.Text
		}
	}
	return s
}

func (r response) reasoning() (s string) {
	for _, it := range r.Output {
		for _, c := range it.Summary {
			s += c.Text
		}
	}
	return s
}

func (r response) calls() (calls []responseItem) {
	for _, it := range r.Output {
		if it.Type == "function_call" {
			calls = append(calls, it)
		}
	}
	return calls
}

func decodeResponse(t *testing.T, data string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(data), into); err != nil {
		t.Fatalf("decode %q: %v", data, err)
	}
}

// streamedResponse puts the events together and holds their order to the vendor's: numbered, the deltas of an item
// between its beginning and its end, which says what they add up to, and the whole response last.
func streamedResponse(t *testing.T, body string) response {
	t.Helper()
	deltas := map[string]string{}
	var items []responseItem
	var last responseEvent
	for i, frame := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n") {
		name, data, _ := strings.Cut(frame, "\ndata: ")
		var e responseEvent
		decodeResponse(t, data, &e)
		if name != "event: "+e.Type || e.Sequence != i {
			t.Errorf("event %d: %q numbered %d holds a %s", i, name, e.Sequence, e.Type)
		}
		switch {
		case e.Type == "response.output_item.added":
			items = append(items, *e.Item)
		case strings.HasSuffix(e.Type, ".delta"):
			if len(items) == 0 || e.Index != len(items)-1 || e.ItemID != items[e.Index].ID {
				t.Errorf("event %d: a delta of item %d, %s", i, e.Index, e.ItemID)
			}
			deltas[e.ItemID] += e.Delta
		case e.Type == "response.output_item.done":
			whole := response{Output: []responseItem{*e.Item}}
			if said := whole.text() + whole.reasoning() + e.Item.Arguments; said != deltas[e.Item.ID] {
				t.Errorf("event %d: the item says %q, its deltas %q", i, said, deltas[e.Item.ID])
			}
			items[e.Index] = *e.Item
		}
		last = e
	}
	if last.Response == nil {
		t.Fatalf("the stream ends with %s", last.Type)
	}
	if last.Type != "response."+last.Response.Status || !reflect.DeepEqual(append([]responseItem{}, items...), append([]responseItem{}, last.Response.Output...)) {
		t.Errorf("%s of %+v, streamed were %+v", last.Type, last.Response, items)
	}
	return *last.Response
}

// responseBothWays asks streamed and not, checks that they agree, and returns the answer.
func (v *vendor) responseBothWays(t *testing.T, body string) response {
	t.Helper()
	_, whole, err := v.post(t, Responses, body)
	if err != nil {
		t.Fatal(err)
	}
	_, stream, err := v.post(t, Responses, body[:len(body)-1]+`,"stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	var want response
	decodeResponse(t, whole, &want)
	if got := streamedResponse(t, stream); !reflect.DeepEqual(got, want) {
		t.Errorf("streamed %+v\nwhole    %+v", got, want)
	}
	if want.Object != "response" {
		t.Fatalf("got %s", whole)
	}
	return want
}

// asked is a minimal body; more is further fields, each with its comma.
func asked(text, more string) string {
	body := []byte(`{"model":"sim-small","store":false,"input":[{"role":"user","content":`)
	body = appendString(body, text)
	return string(body) + "}]" + more + "}"
}

const flatTools = `,"tools":[{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":false},{"type":"function","name":"get_time"}]`

func TestResponsesAnswers(t *testing.T) {
	tests := []struct {
		name, text, more string
		check            func(response) bool
	}{
		{"Text", "What's “up”?\n", "", func(r response) bool {
			return r.Status == "completed" && strings.Contains(r.text(), "simulated") && strings.Contains(r.text(), "What's “up”?\n") && r.Usage.Total == r.Usage.Input+r.Usage.Output
		}},
		{"Incomplete", "Hello.", `,"max_output_tokens":16`, func(r response) bool {
			return r.Status == "incomplete" && r.Incomplete.Reason == "max_output_tokens" && r.Usage.Output == 16 && r.Output[0].Status == "incomplete"
		}},
		{"Reasoning", "Hello.", `,"reasoning":{"effort":"high","summary":"auto"}`, func(r response) bool {
			return strings.Contains(r.reasoning(), "simulated") && r.Usage.OutputDetails.Reasoning == tokens(r.reasoning()) && r.Output[0].Sealed == ""
		}},
		{"ReasoningUnseen", "Hello.", `,"reasoning":{"effort":"low"},"include":["reasoning.encrypted_content"]`, func(r response) bool {
			return r.reasoning() == "" && r.Output[0].Type == "reasoning" && r.Output[0].Sealed != "" && r.Usage.OutputDetails.Reasoning > 0
		}},
		{"NoReasoning", "Hello.", `,"reasoning":{"effort":"none"}`, func(r response) bool { return r.Output[0].Type == "message" }},
		{"NamedTool", "Try get_weather.", flatTools, func(r response) bool {
			return r.Status == "completed" && len(r.calls()) == 1 && json.Valid([]byte(r.calls()[0].Arguments)) && r.calls()[0].CallID != r.calls()[0].ID
		}},
		{"GivenArguments", `Call get_time with {"zone":"Café"}`, flatTools, func(r response) bool {
			return len(r.calls()) == 1 && r.calls()[0].Arguments == `{"zone":"Café"}`
		}},
		{"Parallel", "Use the tools in parallel.", flatTools, func(r response) bool { return len(r.calls()) == 2 && r.calls()[1].Name == "get_time" }},
		{"NotParallel", "Use both.", flatTools + `,"parallel_tool_calls":false`, func(r response) bool { return len(r.calls()) == 1 }},
		{"Required", "Hello.", flatTools + `,"tool_choice":"required"`, func(r response) bool { return len(r.calls()) == 1 && r.text() == "" }},
		{"Named", "Hello.", flatTools + `,"tool_choice":{"type":"function","name":"get_time"}`, func(r response) bool { return len(r.calls()) == 1 && r.calls()[0].Name == "get_time" }},
		{"None", "Use both.", flatTools + `,"tool_choice":"none"`, func(r response) bool { return len(r.calls()) == 0 && r.text() != "" }},
		{"Schema", "Hello.", `,"text":{"format":{"type":"json_schema","name":"x","schema":{"type":"object","properties":{"a":{"enum":["b"]}}}}}`,
			func(r response) bool { return r.text() == `{"a":"b"}` }},
		{"Object", "Hello.", `,"text":{"format":{"type":"json_object"}}`, func(r response) bool { return json.Valid([]byte(r.text())) }},
		{"Finish", "Hello. [[sim finish=content_filter]]", "", func(r response) bool {
			return r.Status == "incomplete" && r.Incomplete.Reason == "content_filter"
		}},
		{"Failed", "Hello. [[sim finish=failed]]", "", func(r response) bool { return r.Status == "failed" && r.Error.Code == "server_error" }},
		{"NoUsage", "Hello. [[sim usage=none]]", "", func(r response) bool { return r.Usage == nil }},
	}
	v := newVendor(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := v.responseBothWays(t, asked(tt.text, tt.more)); !tt.check(r) {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// TestResponsesToolRound sends a call with its reasoning back, and the result.
func TestResponsesToolRound(t *testing.T) {
	v := newVendor(t, Options{})
	const thinking = `,"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"]`
	first := v.responseBothWays(t, asked("Use get_time.", flatTools+thinking))
	raw := []string{`{"role":"user","content":"Use get_time."}`}
	for _, it := range first.Output {
		switch it.Type {
		case "reasoning":
			raw = append(raw, `{"type":"reasoning","id":"`+it.ID+`","summary":[],"encrypted_content":"`+it.Sealed+`"}`)
		case "function_call":
			raw = append(raw, `{"type":"function_call","call_id":"`+it.CallID+`","name":"get_time","arguments":"{}"}`,
				`{"type":"function_call_output","call_id":"`+it.CallID+`","output":[{"type":"input_text","text":"noon"}]}`)
		}
	}
	if len(raw) != 4 {
		t.Fatalf("got %+v", first)
	}
	r := v.responseBothWays(t, `{"model":"sim-small","store":false,"input":[`+strings.Join(raw, ",")+`]`+flatTools+thinking+`}`)
	if !strings.Contains(r.text(), "“noon”") || len(r.calls()) != 0 {
		t.Errorf("got %+v, want it to quote the result", r)
	}
}

func TestResponsesImages(t *testing.T) {
	r := newVendor(t, Options{}).responseBothWays(t, `{"model":"m","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"See?"},`+
		`{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}]}]}`)
	if !strings.Contains(r.text(), "one image") || !strings.Contains(r.text(), "one document") || r.Usage.Input != 2*imageTokens+4 {
		t.Errorf("got %+v", r)
	}
}

func TestResponsesCount(t *testing.T) {
	v := newVendor(t, Options{})
	body := asked("Hello.", `,"instructions":"Be brief."`)
	r := v.responseBothWays(t, body)
	req := v.request(t, Responses, body)
	req.URL.Path = "/v1/responses/input_tokens"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var count struct {
		Object string
		Input  int `json:"input_tokens"`
	}
	if err := json.NewDecoder(res.Body).Decode(&count); err != nil || count.Object != "response.input_tokens" || count.Input != r.Usage.Input {
		t.Errorf("got %+v, %v; the answer counts %d", count, err, r.Usage.Input)
	}
}

// TestResponsesError: an error inside of a stream is an event of its own.
func TestResponsesError(t *testing.T) {
	_, body, err := newVendor(t, Options{}).post(t, Responses, asked("x [[sim chunks=9 error-after=3 error=rate_limit]]", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	frames := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if last := frames[len(frames)-1]; !strings.HasPrefix(last, "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",") || strings.Count(body, "output_text.delta\n") != 3 {
		t.Errorf("got %s", body)
	}
}

func TestResponsesRefusals(t *testing.T) {
	items := func(s string) string { return `{"model":"m","store":false,"input":[` + s + `]}` }
	const user = `{"role":"user","content":"x"}`
	tests := []struct{ name, body, want string }{
		{"NotJSON", `{"model":`, "not valid JSON"},
		{"NoModel", `{"input":"x"}`, "Missing required parameter: 'model'."},
		{"NoInput", `{"model":"m"}`, "Missing required parameter: 'input'."},
		{"OurField", asked("x", `,"routing_hint":{}`), "Unknown parameter: 'routing_hint'."},
		{"ChatField", asked("x", `,"messages":[]`), "Unknown parameter: 'messages'."},
		{"LowLimit", asked("x", `,"max_output_tokens":1`), "Expected a value >= 16"},
		{"PreviousResponse", asked("x", `,"previous_response_id":"resp_1"`), "not found"},
		{"Include", asked("x", `,"include":["moon"]`), "'moon'"},
		{"CantThink", `{"model":"sim-no-thinking","input":"x","reasoning":{"effort":"low"}}`, "not supported with this model"},
		{"ChoiceWithoutTools", asked("x", `,"tool_choice":"required"`), "require that 'tools' be specified"},
		{"ChoiceOfNone", asked("x", flatTools+`,"tool_choice":{"type":"function","name":"f"}`), "not found in 'tools'"},
		{"NestedTool", asked("x", `,"tools":[{"type":"function","function":{"name":"f"}}]`), "Missing required parameter: 'tools[0].name'."},
		{"ToolName", asked("x", `,"tools":[{"type":"function","name":"a b"}]`), "does not match pattern"},
		{"ServerTool", asked("x", `,"tools":[{"type":"web_search"}]`), "'web_search'"},
		{"Role", items(`{"role":"human","content":"x"}`), "'human'"},
		{"Item", items(`{"type":"hologram"}`), "'hologram'"},
		{"TheirText", items(`{"role":"user","content":[{"type":"output_text","text":"x"}]}`), "'output_text'"},
		{"OurText", items(`{"role":"assistant","content":[{"type":"input_text","text":"x"}]}`), "'input_text'"},
		{"OutputWithoutCall", items(`{"type":"function_call_output","call_id":"c","output":"x"}`), "No tool call found for function call output with call_id c."},
		{"CallWithoutOutput", items(`{"type":"function_call","call_id":"c9","name":"f","arguments":"{}"},` + user), "No tool output found for function call c9."},
		{"ArgumentsObject", items(`{"type":"function_call","call_id":"c9","name":"f","arguments":{}}`), "expected a string"},
		{"NoOutput", items(`{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c"}`), "input[1].output"},
		{"ImageReference", items(`{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,placeholder:1"}]}`), "Expected a valid URL"},
		{"EmptyFile", items(`{"role":"user","content":[{"type":"input_file","file_id":"f"}]}`), "neither 'file_data'"},
		{"ForeignReasoning", items(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},` + user), "could not be verified"},
		{"LastReasoning", items(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + seal("m", "hm") + `"}`), "without its required following item"},
		{"LooseReasoning", items(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + seal("m", "hm") + `"},` + user), "without its required following item"},
		{"OthersReasoning", items(`{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"` + seal("n", "hm") + `"},` + user), "could not be verified"},
	}
	v := newVendor(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res, body, _ := v.post(t, Responses, tt.body)
			var r response
			decodeResponse(t, body, &r)
			if res.StatusCode != http.StatusBadRequest || r.Error == nil || r.Error.Type != "invalid_request_error" || !strings.Contains(r.Error.Message, tt.want) {
				t.Errorf("got %d %s, want a 400 with %q", res.StatusCode, body, tt.want)
			}
		})
	}
	t.Run("UnstoredReasoning", func(t *testing.T) {
		res, body, _ := v.post(t, Responses, items(`{"type":"reasoning","id":"rs_1","summary":[]},`+user))
		if res.StatusCode != http.StatusNotFound || !strings.Contains(body, "not persisted") {
			t.Errorf("got %d %s", res.StatusCode, body)
		}
	})
}

// TestSystemMessageBehindTheUser: an agent's program may speak last, and the user's words are answered.
func TestSystemMessageBehindTheUser(t *testing.T) {
	v := newVendor(t, Options{})
	for dialect, body := range map[string]string{
		Responses: `{"model":"sim-small","input":[{"role":"user","content":"Hello."},{"role":"system","content":"Be brief."}]}`,
		OpenAI:    `{"model":"sim-small","messages":[{"role":"user","content":"Hello."},{"role":"developer","content":"Be brief."}]}`,
	} {
		res, out, err := v.post(t, dialect, body)
		if err != nil || res.StatusCode != 200 || !strings.Contains(out, "You said: “Hello.”") {
			t.Errorf("%s: got %d %s, %v", dialect, res.StatusCode, out, err)
		}
	}
}
