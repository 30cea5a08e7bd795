package gateway

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/ainfera-ai/router/host/internal/messages"
)

// FuzzDialects: whatever a caller sends, each dialect makes a Messages request of it that can be sent on, or an error that is
// the caller's to hear.
func FuzzDialects(f *testing.F) {
	f.Add([]byte(`{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"}]}],"tools":[{"type":"function","function":{"name":"f"}}]}`))
	f.Add([]byte(`{"agent_id":"a","model":"m","routing_hint":{},"messages":[{"role":"tool","content":"x","tool_call_id":"t"}],"stream":true}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range []dialect{anthropic{}, openai{}, inference{}} {
			asked, err := d.parse(body)
			var bad *messages.RequestError
			var known *apiError
			switch {
			case errors.As(err, &bad), errors.As(err, &known):
			case err != nil:
				t.Fatalf("%T: %v is not for a caller", d, err)
			default:
				if sent, _ := asked.req.Edit(messages.EditSpec{Model: "other"}); !json.Valid(sent) {
					t.Fatalf("%T: %q", d, sent)
				}
			}
		}
	})
}
