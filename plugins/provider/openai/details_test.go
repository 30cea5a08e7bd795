package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

const detailed = `"thinking_history":"reasoning_details"`

// turnOf is an answer's blocks as the caller sends them back.
func turnOf(t *testing.T, m sdktest.Message) string {
	t.Helper()
	var blocks []string
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, b := range m.Blocks {
		switch b.Type {
		case "thinking":
			blocks = append(blocks, fmt.Sprintf(`{"type":"thinking","thinking":%s,"signature":%s}`, quote(b.Text), quote(b.Signature)))
		case "redacted_thinking":
			blocks = append(blocks, fmt.Sprintf(`{"type":"redacted_thinking","data":%s}`, quote(b.Text)))
		case "text":
			blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":%s}`, quote(b.Text)))
		case "tool_use":
			blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":{}}`, quote(b.ID), quote(b.Name)))
		}
	}
	return conversation(`{"role":"assistant","content":[` + strings.Join(blocks, ",") + `]}`)
}

// TestDetails: the details that a vendor wants to see again come back as it wrote them, wherever they stood.
func TestDetails(t *testing.T) {
	for name, tc := range map[string]struct {
		answer       sdktest.Answer
		blocks, want string
	}{
		"encrypted, before a call": {sse(`"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]`,
			`"reasoning_details":[{"type":"reasoning.encrypted","data":"A/\"b","id":"i","index":0}],`+tool("0", `"i"`, `"f"`, `"{}"`), finished("tool_calls")),
			`thinking hm | redacted_thinking reasoning_details:{"type":"reasoning.encrypted","data":"A/\"b","id":"i","index":0} | call f()`,
			`"reasoning_details":[{"type":"reasoning.encrypted","data":"A/\"b","id":"i","index":0}],"tool_calls":`},
		"encrypted, behind a call": {sse(tool("0", `"i"`, `"f"`, `"{}"`), `"reasoning_details":[{"type":"reasoning.encrypted","data":"A"}]`, finished("stop")),
			`call f() | redacted_thinking reasoning_details:{"type":"reasoning.encrypted","data":"A"}`,
			`"reasoning_details":[{"type":"reasoning.encrypted","data":"A"}],"tool_calls":`},
		"signed": {sse(`"reasoning":"h \"","reasoning_details":[{"type":"reasoning.text","text":"h \""}]`, `"reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m"}]`,
			`"reasoning_details":[{"type":"reasoning.text","text":"","signature":"S","format":"x","index":0}]`, tool("0", `"i"`, `"f"`, `"{}"`), finished("tool_calls")),
			`thinking h "m [reasoning_details:{"type":"reasoning.text","signature":"S","format":"x","index":0}] | call f()`,
			`"reasoning_details":[{"type":"reasoning.text","signature":"S","format":"x","index":0,"text":"h \"m"}],"tool_calls":`},
		"signed at last": {sse(`"reasoning":"h","reasoning_details":[{"type":"reasoning.text","text":"h","signature":null}]`, `"reasoning":"m","reasoning_details":[{"type":"reasoning.text","text":"m","signature":""}]`,
			`"reasoning_details":[{"type":"reasoning.text","signature":"S"}]`, `"content":"a"`, finished("stop")),
			`thinking hm [reasoning_details:{"type":"reasoning.text","signature":"S"}] | text a`,
			`"reasoning_details":[{"type":"reasoning.text","signature":"S","text":"hm"}]`},
		"neither": {sse(`"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]`, tool("0", `"i"`, `"f"`, `"{}"`), finished("tool_calls")),
			`thinking hm | call f()`, `{"role":"assistant","content":null,"tool_calls":`},
	} {
		t.Run(name, func(t *testing.T) {
			x := sdktest.Exchange{Call: callWith(detailed), Body: plainBody, Answer: tc.answer}
			got, err := x.Run(newGuest())
			if err != nil {
				t.Fatal(err)
			}
			if s := got.Message.Summary(); s != tc.blocks {
				t.Errorf("blocks: got %q, want %q", s, tc.blocks)
			}
			if sent := messagesOf(t, tests.Build(t, callWith(detailed), turnOf(t, got.Message))); !strings.Contains(sent, tc.want) {
				t.Errorf("got %s, want %s in it", sent, tc.want)
			}
		})
	}
}

// TestForeignDetails: what another vendor signed, or nobody did, doesn't go to this one, and the caller is told.
func TestForeignDetails(t *testing.T) {
	got := tests.Build(t, callWith(detailed), conversation(`{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":"EqQ"},
		{"type":"thinking","thinking":"b","signature":"reasoning_details:{"},{"type":"redacted_thinking","data":"reasoning_details:7"},{"type":"text","text":"x"}]}`))
	if m := messagesOf(t, got); m != `{"role":"assistant","content":"x"}` {
		t.Errorf("got %s", m)
	}
	if d := strings.Join(got.Dropped, " "); d != "messages.content.thinking messages.content.redacted_thinking" {
		t.Errorf("dropped %q", d)
	}
	if m := tests.Play(t, sse(`"content":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"A"}]`, finished("stop"))); m.Summary() != "text a" {
		t.Errorf("not asked for: got %s", m.Summary())
	}
}
