package main

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/shared"
	"github.com/tidwall/gjson"
)

func openaiClient(r *running, more ...option.RequestOption) sdk.Client {
	return sdk.NewClient(append([]option.RequestOption{option.WithBaseURL(r.url + "/v1"), option.WithAPIKey(r.key), option.WithMaxRetries(0)}, more...)...)
}

// A chatted is what a caller of the OpenAI dialect was answered, in the parts that must not depend on how it was asked.
type chatted struct {
	Model, Content, Finish, Reasoning string
	Calls                             []string // id, name, arguments
	Thoughts                          any
	Prompt, Completion, Cached, Spent int64
}

func called(calls []sdk.ChatCompletionMessageToolCallUnion, t *testing.T) (out []string) {
	for _, c := range calls {
		var args map[string]any
		if err := json.Unmarshal([]byte(c.Function.Arguments), &args); err != nil {
			t.Errorf("arguments %q: %v", c.Function.Arguments, err)
		}
		b, _ := json.Marshal(args)
		out = append(out, c.ID+" "+c.Function.Name+" "+string(b))
	}
	return out
}

func (c *chatted) counts(u sdk.CompletionUsage) {
	c.Prompt, c.Completion, c.Cached, c.Spent = u.PromptTokens, u.CompletionTokens, u.PromptTokensDetails.CachedTokens, u.CompletionTokensDetails.ReasoningTokens
}

// chatCall makes a call with the official Go SDK, streamed and not, and checks that the caller can't tell them apart. It
// returns the message as it would be sent back, and what was seen of it.
func chatCall(t *testing.T, r *running, floor string, params sdk.ChatCompletionNewParams) (json.RawMessage, chatted) {
	t.Helper()
	c := openaiClient(r, option.WithHeader("x-ainfera-min-quality", floor))
	whole, err := c.Chat.Completions.New(t.Context(), params)
	if err != nil {
		t.Fatalf("not streamed: %v\n%s", err, r.logs)
	}
	said := whole.Choices[0]
	want := chatted{Model: whole.Model, Content: said.Message.Content, Finish: said.FinishReason, Calls: called(said.Message.ToolCalls, t),
		Reasoning: gjson.Get(said.Message.RawJSON(), "reasoning_content").String(), Thoughts: gjson.Get(said.Message.RawJSON(), "thinking_blocks").Value()}
	want.counts(whole.Usage)
	for _, field := range []string{"agent_id", "inference_id", "receipt_id", "audit_url"} {
		if gjson.Get(whole.RawJSON(), "ainfera."+field).String() == "" {
			t.Errorf("no ainfera.%s in %s", field, whole.RawJSON())
		}
	}
	params.StreamOptions.IncludeUsage = sdk.Bool(true)
	stream := c.Chat.Completions.NewStreaming(t.Context(), params)
	var acc sdk.ChatCompletionAccumulator
	var got chatted
	first := true
	for stream.Next() {
		chunk := stream.Current()
		if !acc.AddChunk(chunk) {
			t.Fatalf("the accumulator refuses %s", chunk.RawJSON())
		}
		if id := gjson.Get(chunk.RawJSON(), "ainfera.inference_id").String(); (id != "") != first {
			t.Errorf("ainfera in chunk %s", chunk.RawJSON())
		}
		first = false
		for _, choice := range chunk.Choices {
			got.Reasoning += gjson.Get(choice.Delta.RawJSON(), "reasoning_content").String()
			if b := gjson.Get(choice.Delta.RawJSON(), "thinking_blocks"); b.Exists() {
				got.Thoughts = b.Value()
			}
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("streamed: %v", err)
	}
	got.Model, got.Content, got.Finish, got.Calls = acc.Model, acc.Choices[0].Message.Content, acc.Choices[0].FinishReason, called(acc.Choices[0].Message.ToolCalls, t)
	got.counts(acc.Usage)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("streamed %+v\nwhole    %+v", got, want)
	}
	return json.RawMessage(said.Message.RawJSON()), want
}

func TestChatGoSDK(t *testing.T) {
	r := start(t)
	tool := func(name string, props map[string]any) sdk.ChatCompletionToolUnionParam {
		return sdk.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Parameters: shared.FunctionParameters{"type": "object", "properties": props}})
	}
	weather := tool("get_weather", map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}})
	clock := tool("get_time", map[string]any{})
	says := func(text string) sdk.ChatCompletionNewParams {
		return sdk.ChatCompletionNewParams{Model: "ainfera-inference", MaxCompletionTokens: sdk.Int(2048),
			Messages: []sdk.ChatCompletionMessageParamUnion{sdk.SystemMessage("Be brief."), sdk.UserMessage(text)}}
	}
	back := func(raw json.RawMessage) sdk.ChatCompletionMessageParamUnion {
		var m sdk.ChatCompletionAssistantMessageParam
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		if more := gjson.GetBytes(raw, "thinking_blocks"); more.Exists() {
			m.SetExtraFields(map[string]any{"thinking_blocks": more.Value()})
		}
		return sdk.ChatCompletionMessageParamUnion{OfAssistant: &m}
	}
	for _, lane := range []struct{ name, floor, model string }{{"translated", "0.60", "o-tools"}, {"anthropic", "0.75", "a-tools"}} {
		t.Run(lane.name+"/Text", func(t *testing.T) {
			_, m := chatCall(t, r, "0.75", says("What is the \"capital\" of\nFrance? 🧪"))
			if !strings.Contains(m.Content, "\"capital\" of\nFrance? 🧪") || m.Finish != "stop" || m.Prompt == 0 || m.Completion == 0 {
				t.Errorf("got %+v", m)
			}
		})
		t.Run(lane.name+"/NoLimit", func(t *testing.T) {
			params := says("Hello")
			params.MaxCompletionTokens = sdk.ChatCompletionNewParams{}.MaxCompletionTokens
			if _, m := chatCall(t, r, lane.floor, params); m.Finish != "stop" {
				t.Errorf("got %+v", m)
			}
		})
		t.Run(lane.name+"/CutAtTheLimit", func(t *testing.T) {
			params := says("Hello there, and hello again")
			params.MaxCompletionTokens = sdk.Int(5)
			if _, m := chatCall(t, r, lane.floor, params); m.Finish != "length" || m.Completion != 5 {
				t.Errorf("got %+v", m)
			}
		})
		t.Run(lane.name+"/ToolsRoundTrip", func(t *testing.T) {
			params := says("Please use get_weather for Paris.")
			params.Tools = []sdk.ChatCompletionToolUnionParam{weather, clock}
			raw, m := chatCall(t, r, lane.floor, params)
			if m.Finish != "tool_calls" || len(m.Calls) != 1 || m.Model != lane.model || !strings.Contains(m.Calls[0], " get_weather ") {
				t.Fatalf("got %+v", m)
			}
			params.Messages = append(params.Messages, back(raw), sdk.ToolMessage("18 degrees and rain", strings.Fields(m.Calls[0])[0]))
			if _, m = chatCall(t, r, lane.floor, params); m.Finish != "stop" || !strings.Contains(m.Content, "18 degrees and rain") {
				t.Errorf("got %+v", m)
			}
		})
		t.Run(lane.name+"/ParallelTools", func(t *testing.T) {
			params := says("Call both get_weather and get_time in parallel.")
			params.Tools = []sdk.ChatCompletionToolUnionParam{weather, clock}
			raw, m := chatCall(t, r, lane.floor, params)
			if len(m.Calls) != 2 {
				t.Fatalf("got %+v", m)
			}
			params.Messages = append(params.Messages, back(raw), sdk.ToolMessage("rain", strings.Fields(m.Calls[0])[0]), sdk.ToolMessage("noon", strings.Fields(m.Calls[1])[0]))
			if _, m = chatCall(t, r, lane.floor, params); !strings.Contains(m.Content, "rain") || !strings.Contains(m.Content, "noon") {
				t.Errorf("got %+v", m)
			}
		})
	}
	for _, lane := range []struct{ name, floor, model string }{{"translated", "0.82", "o-think"}, {"anthropic", "0.90", "a-think"}} {
		t.Run(lane.name+"/Thinking", func(t *testing.T) {
			params := says("Why is the sky blue? Use get_weather.")
			params.MaxCompletionTokens = sdk.Int(8192)
			params.ReasoningEffort = shared.ReasoningEffortLow
			params.Temperature = sdk.Float(0.2)
			params.Tools = []sdk.ChatCompletionToolUnionParam{weather}
			raw, m := chatCall(t, r, lane.floor, params)
			if m.Reasoning == "" || m.Model != lane.model || len(m.Calls) != 1 || (m.Thoughts != nil) != (lane.name == "anthropic") {
				t.Fatalf("got %+v", m)
			}
			// The simulated vendor refuses a signature that isn't its own, and a tool loop without the thinking before it.
			params.Messages = append(params.Messages, back(raw), sdk.ToolMessage("blue today", strings.Fields(m.Calls[0])[0]))
			if _, m = chatCall(t, r, lane.floor, params); !strings.Contains(m.Content, "blue today") || m.Model != lane.model {
				t.Errorf("got %+v", m)
			}
			calls := r.sim.Calls()
			if sent := calls[len(calls)-1].Body; lane.name == "anthropic" && (gjson.GetBytes(sent, "messages.1.content.0.signature").Str == "" || gjson.GetBytes(sent, "thinking.type").Str == "") {
				t.Errorf("the thinking did not go back: %s", sent)
			}
		})
	}
	r.clean()
}

// TestChatErrors holds what the official SDK makes of a refusal, and of a failure in mid-stream.
func TestChatErrors(t *testing.T) {
	r := start(t)
	ask := func(model, text string) sdk.ChatCompletionNewParams {
		return sdk.ChatCompletionNewParams{Model: model, Messages: []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage(text)}}
	}
	c := openaiClient(r)
	list, err := c.Models.List(t.Context())
	if err != nil || len(list.Data) == 0 || list.Data[0].ID != "ainfera-inference" || list.Data[0].OwnedBy == "" {
		t.Errorf("models: %+v, %v", list, err)
	}
	many := ask("ainfera-inference", "x")
	many.N = sdk.Int(2)
	for _, tc := range []struct {
		name   string
		params sdk.ChatCompletionNewParams
		status int
		code   string
		kind   string
		param  string
	}{
		{"UnknownModel", ask("nobody", "x"), 404, "not_found", "invalid_request_error", ""},
		{"NoMessages", sdk.ChatCompletionNewParams{Model: "ainfera-inference", Messages: []sdk.ChatCompletionMessageParamUnion{}}, 400, "invalid_request", "invalid_request_error", "messages"},
		{"TwoChoices", many, 400, "invalid_request", "invalid_request_error", "n"},
		{"VendorRefuses", ask("a-tools", "x [[sim error=invalid]]"), 400, "invalid_request", "invalid_request_error", ""},
		{"VendorFindsItTooLarge", ask("a-tools", "x [[sim error=too_large]]"), 413, "invalid_request", "invalid_request_error", ""},
		{"VendorFails", ask("a-tools", "x [[sim status=500]]"), 502, "provider_failed", "server_error", ""},
		{"EveryoneFails", ask("ainfera-inference", "x [[sim status=500]]"), 503, "all_routed_models_failed", "server_error", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				c := openaiClient(r)
				_, err := c.Chat.Completions.New(t.Context(), tc.params)
				if stream {
					s := c.Chat.Completions.NewStreaming(t.Context(), tc.params)
					s.Next()
					err = s.Err()
				}
				var api *sdk.Error
				if !errors.As(err, &api) || api.StatusCode != tc.status || api.Code != tc.code || api.Type != tc.kind || api.Param != tc.param || api.Message == "" {
					t.Errorf("streamed %v: got %+v, want %d %s", stream, err, tc.status, tc.code)
				}
			}
		})
	}
	for _, model := range []string{"o-tools", "a-tools"} {
		t.Run("InMidStream/"+model, func(t *testing.T) {
			c := openaiClient(r)
			s := c.Chat.Completions.NewStreaming(t.Context(), ask(model, "x [[sim chunks=9 size=20 error-after=3]]"))
			n := 0
			for s.Next() {
				n++
			}
			var failed *ssestream.StreamError
			if err := s.Err(); n < 3 || !errors.As(err, &failed) || gjson.GetBytes(failed.Event.Data, "error.code").Str != "provider_failed" {
				t.Errorf("%d chunks, then %v", n, s.Err())
			}
		})
	}
	r.clean()
}

// TestChatCallerLeaves has a caller leave in mid-stream, who pays for what it had.
func TestChatCallerLeaves(t *testing.T) {
	r := start(t)
	for i, model := range []string{"o-tools", "a-tools"} {
		ctx, cancel := context.WithCancel(t.Context())
		c := openaiClient(r)
		s := c.Chat.Completions.NewStreaming(ctx, sdk.ChatCompletionNewParams{Model: model,
			Messages: []sdk.ChatCompletionMessageParamUnion{sdk.UserMessage("x [[sim chunks=9 size=200 silent-after=3]]")}})
		for n := 0; n < 3 && s.Next(); {
			if s.Current().Choices[0].Delta.Content != "" {
				n++
			}
		}
		cancel()
		if _, err := r.sim.WaitFinished(t.Context(), i+1); err != nil {
			t.Fatal(err)
		}
		if s.Next() || !errors.Is(s.Err(), context.Canceled) {
			t.Errorf("the SDK ends with %v", s.Err())
		}
	}
	r.stop()
	for _, row := range r.all(`select status, usage_estimated, cost_micro_usd, endpoint from inferences`) {
		if row[0] != "cancelled_client" || row[2] == "0" || row[3] != "/v1/chat/completions" {
			t.Errorf("row %v", row)
		}
	}
	r.clean()
}
