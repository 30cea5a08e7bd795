package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
)

// sdkCall makes a call with the official Go SDK, streamed and not, and checks that the caller can't tell them apart.
func sdkCall(t *testing.T, r *running, floor string, params sdk.MessageNewParams) *sdk.Message {
	t.Helper()
	c := sdk.NewClient(option.WithBaseURL(r.url), option.WithAPIKey(r.key), option.WithMaxRetries(0), option.WithHeader("x-ainfera-min-quality", floor))
	whole, err := c.Messages.New(t.Context(), params)
	if err != nil {
		t.Fatalf("not streamed: %v\n%s", err, r.logs)
	}
	stream := c.Messages.NewStreaming(t.Context(), params)
	var acc sdk.Message
	for stream.Next() {
		if err := acc.Accumulate(stream.Current()); err != nil {
			t.Fatalf("accumulate: %v", err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("streamed: %v", err)
	}
	if got, want := sent(t, acc), sent(t, *whole); !reflect.DeepEqual(got, want) {
		t.Errorf("streamed %v\nwhole    %v", got, want)
	}
	gu, wu := acc.Usage, whole.Usage
	if acc.StopReason != whole.StopReason || acc.Model != whole.Model || gu.InputTokens != wu.InputTokens || gu.OutputTokens != wu.OutputTokens || gu.CacheReadInputTokens != wu.CacheReadInputTokens {
		t.Errorf("streamed %s %s %d %d %d, whole %s %s %d %d %d", acc.StopReason, acc.Model, gu.InputTokens, gu.OutputTokens, gu.CacheReadInputTokens,
			whole.StopReason, whole.Model, wu.InputTokens, wu.OutputTokens, wu.CacheReadInputTokens)
	}
	return whole
}

// sent is a message's content as it would be sent back.
func sent(t *testing.T, m sdk.Message) any {
	t.Helper()
	raw, err := json.Marshal(m.ToParam().Content)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestGoSDK(t *testing.T) {
	r := start(t)
	weather := sdk.ToolUnionParam{OfTool: &sdk.ToolParam{Name: "get_weather", InputSchema: sdk.ToolInputSchemaParam{
		Properties: map[string]any{"city": map[string]any{"type": "string"}, "days": map[string]any{"type": "integer"}}, Required: []string{"city"}}}}
	clock := sdk.ToolUnionParam{OfTool: &sdk.ToolParam{Name: "get_time", InputSchema: sdk.ToolInputSchemaParam{Properties: map[string]any{}}}}
	for _, lane := range []struct{ name, floor, model string }{
		{"translated", "0.60", "o-tools"}, {"verbatim", "0.75", "a-tools"},
	} {
		says := func(text string) sdk.MessageNewParams {
			return sdk.MessageNewParams{Model: "ainfera-inference", MaxTokens: 2048, Messages: []sdk.MessageParam{sdk.NewUserMessage(sdk.NewTextBlock(text))}}
		}
		t.Run(lane.name+"/Text", func(t *testing.T) {
			m := sdkCall(t, r, lane.floor, says("What is the \"capital\" of\nFrance? 🧪"))
			if !strings.Contains(m.Content[0].Text, "\"capital\" of\nFrance? 🧪") || m.StopReason != sdk.StopReasonEndTurn {
				t.Errorf("got %s", m.RawJSON())
			}
		})
		t.Run(lane.name+"/ToolsRoundTrip", func(t *testing.T) {
			params := says("Please use get_weather for Paris.")
			params.Tools = []sdk.ToolUnionParam{weather, clock}
			m := sdkCall(t, r, lane.floor, params)
			if m.StopReason != sdk.StopReasonToolUse {
				t.Fatalf("got %s", m.RawJSON())
			}
			use := m.Content[len(m.Content)-1].AsToolUse()
			var input map[string]any
			if err := json.Unmarshal(use.Input, &input); err != nil || use.Name != "get_weather" || input["city"] == "" {
				t.Fatalf("input %s: %v", use.Input, err)
			}
			params.Messages = append(params.Messages, m.ToParam(), sdk.NewUserMessage(sdk.NewToolResultBlock(use.ID, "18 degrees and rain", false)))
			m = sdkCall(t, r, lane.floor, params)
			if m.StopReason != sdk.StopReasonEndTurn || !strings.Contains(m.Content[len(m.Content)-1].Text, "18 degrees and rain") {
				t.Errorf("got %s", m.RawJSON())
			}
		})
		t.Run(lane.name+"/ParallelTools", func(t *testing.T) {
			params := says("Call both get_weather and get_time in parallel.")
			params.Tools = []sdk.ToolUnionParam{weather, clock}
			m := sdkCall(t, r, lane.floor, params)
			uses := 0
			for _, b := range m.Content {
				if b.Type == "tool_use" {
					uses++
				}
			}
			if uses != 2 {
				t.Errorf("got %s", m.RawJSON())
			}
		})
	}
	for _, lane := range []struct{ name, floor, model string }{{"translated", "0.82", "o-think"}, {"verbatim", "0.90", "a-think"}} {
		t.Run(lane.name+"/Thinking", func(t *testing.T) {
			m := sdkCall(t, r, lane.floor, sdk.MessageNewParams{Model: "ainfera-inference", MaxTokens: 4096, Thinking: sdk.ThinkingConfigParamOfEnabled(2048),
				Messages: []sdk.MessageParam{sdk.NewUserMessage(sdk.NewTextBlock("Why is the sky blue?"))}})
			if m.Content[0].Type != "thinking" || m.Content[0].Thinking == "" || m.Content[len(m.Content)-1].Type != "text" {
				t.Errorf("got %s", m.RawJSON())
			}
		})
	}
	r.clean()
}

// TestTypeScriptSDK runs examples/clients/typescript against the server, once a lane; what goes wrong on a server of its own.
func TestTypeScriptSDK(t *testing.T) {
	dir, node := installed(t, "typescript")
	r := start(t, laneTargets)
	for _, model := range []string{"lane-translated", "lane-verbatim"} {
		t.Run(model, func(t *testing.T) { r.nodeTests(t, dir, node, model, "messages.test.mjs", "chat.test.mjs") })
		t.Run(model+"/Faults", func(t *testing.T) {
			r := start(t, laneTargets)
			r.nodeTests(t, dir, node, model, "faults.test.mjs")
			r.stop() // waits for the calls in flight, and for what they write
			if got := r.left(t); got != 2 {
				t.Errorf("%d callers left in mid-stream, want one of each SDK", got)
			}
			r.clean()
		})
	}
	r.clean()
}

// laneTargets are two routed names, one a lane, each with one model that can do everything.
var laneTargets = `
routing {
  target "lane-translated" { min_quality = "0.50" }
  target "lane-verbatim"   { min_quality = "0.90" }
}
model "everything-openai" {
  provider = "o"
  upstream = "sim-reasoner"
  q_prior = "0.80"
  m_allowed = true
  max_output = 32000
  context = 200000
  can = ["tools", "images", "thinking"]
  price {
    input = "0.1"
    output = "0.2"
  }
}
model "everything-anthropic" {
  provider = "a"
  upstream = "sim-think"
  q_prior = "0.95"
  m_allowed = true
  max_output = 32000
  context = 200000
  can = ["tools", "images", "documents", "thinking"]
  price {
    input = "1"
    output = "2"
  }
}
`
