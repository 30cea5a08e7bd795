package oai

import (
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/names"
)

func TestModels(t *testing.T) {
	for model, want := range map[string]struct{ reasons, o, fixed bool }{
		"o1": {true, true, false}, "openai/o4-mini": {true, true, false}, "us.openai.o3": {true, true, false}, "o": {}, "omni-1": {}, "o12": {},
		"gpt-5": {reasons: true}, "openai.gpt-5.6-luna": {reasons: true}, "gpt-6-sol": {reasons: true}, "codex-mini-latest": {reasons: true},
		"gpt-5-chat-latest": {}, "gpt-35-turbo": {}, "gpt-": {}, "gpt-4o": {}, "openai.gpt-oss-120b-1:0": {}, "": {},
		"grok-4-fast": {fixed: true}, "x-ai/grok-3": {fixed: true}, "xai/grok-code-fast-1": {fixed: true}, "grok-4.20-0309-reasoning": {fixed: true},
		"grok-4.20-reasoning": {fixed: true}, "xai/grok-4.20-non-reasoning": {fixed: true},
		"grok-4": {}, "grok-4.3": {}, "grok-3-mini": {}, "grok-4.20-multi-agent-0309": {},
	} {
		if Reasons(model) != want.reasons || IsO(model) != want.o || IsFixedGrok(model) != want.fixed {
			t.Errorf("%q: got reasons %v, o %v, fixed %v, want %+v", model, Reasons(model), IsO(model), IsFixedGrok(model), want)
		}
	}
}

func TestIDs(t *testing.T) {
	long, own := strings.Repeat("x", 41), sdk.ClientToolID("functions."+strings.Repeat("y", 50)+":0")
	for client, want := range map[string]string{
		"toolu_1": "toolu_1", strings.Repeat("x", 40): strings.Repeat("x", 40), long: "call_" + names.Long(long), own: sdk.VendorToolID(own),
	} {
		if got := CallID(client, 40); got != want {
			t.Errorf("%s: got %s, want %s", client, got, want)
		}
	}
	made := map[string]bool{}
	for _, id := range []string{MadeCallID("a", "f", 0), MadeCallID("a", "f", 1), MadeCallID("a", "g", 0), MadeCallID("b", "f", 0)} {
		if made[id] || id != sdk.ClientToolID(id) || len(id) > 40 {
			t.Errorf("%s: made twice, or no client takes it", id)
		}
		made[id] = true
	}
}

func TestAppendFilename(t *testing.T) {
	for title, want := range map[string]string{
		"": `"document.pdf"`, `null`: `"document.pdf"`, `""`: `"document.pdf"`, `"a.pdf"`: `"a.pdf"`, `"A.PDF"`: `"A.PDF"`,
		`"The \"year\""`: `"The \"year\".pdf"`,
	} {
		if got := string(AppendFilename(nil, jscan.Value(title))); got != want {
			t.Errorf("%s: got %s, want %s", title, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for name, tc := range map[string]struct {
		u                    sdk.Usage
		input, output, total int64
		want                 [2]int64
	}{
		"plain":                  {sdk.Usage{}, 10, 5, 15, [2]int64{10, 5}},
		"no total":               {sdk.Usage{Reasoning: 3}, 10, 5, 0, [2]int64{10, 5}},
		"cached":                 {sdk.Usage{CacheRead: 6, CacheWrite: 1}, 10, 5, 15, [2]int64{3, 5}},
		"more cached than there": {sdk.Usage{CacheRead: 12}, 10, 5, 15, [2]int64{0, 5}},
		"reasoning beside":       {sdk.Usage{Reasoning: 40}, 10, 5, 55, [2]int64{10, 45}},
		"reasoning not counted":  {sdk.Usage{Reasoning: 40}, 10, 5, 15, [2]int64{10, 45}},
	} {
		if Split(&tc.u, tc.input, tc.output, tc.total); [2]int64{tc.u.Input, tc.u.Output} != tc.want {
			t.Errorf("%s: got %+v, want %v", name, tc.u, tc.want)
		}
	}
}

func TestAppendSchema(t *testing.T) {
	const empty = `{"type":"object","properties":{}}`
	for in, want := range map[string]string{
		``: empty, `{}`: empty, `true`: empty, `{"type":"object"}`: empty, `{"$ref":"#/x"}`: `{"$ref":"#/x"}`,
		`{"properties":{"a":{}},"type":"object"}`: `{"properties":{"a":{}},"type":"object"}`,
	} {
		if got := string(AppendSchema(nil, jscan.Value(in))); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
