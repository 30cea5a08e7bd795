package messages_test

import (
	"fmt"

	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/abi"
)

func ExampleRequest_Edit() {
	r, err := messages.ParseRequest([]byte(`{"model": "ainfera-code", "task_type": "code", "max_tokens": 32000,
 "messages": [{"role": "user", "content": "hi"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	body, edits := r.Edit(messages.EditSpec{Model: "claude-x", MaxTokens: 8192})
	fmt.Printf("%s\n%v\n", body, edits)
	// Output:
	// {"model": "claude-x", "max_tokens": 8192,
	//  "messages": [{"role": "user", "content": "hi"}]}
	// [{task_type removed} {model set} {max_tokens lowered}]
}

func ExampleWriter() {
	w := messages.NewWriter(messages.WriterConfig{ID: "msg_1", Model: "m", Accumulate: true})
	frames, err := w.Apply(nil, abi.Record{Kind: abi.KindText, Payload: []byte("Hello")})
	if err == nil {
		frames, err = w.Finish(frames, abi.EndOfBody)
	}
	fmt.Println(len(frames) > 0, err, w.Result().StopReason)
	fmt.Printf("%s\n", w.Message())
	// Output:
	// true <nil> end_turn
	// {"model":"m","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}}
}

func ExampleTap() {
	t := messages.NewTap()
	err := t.Frame([]byte("message_start"), []byte(`{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3,"output_tokens":1}}}`))
	fmt.Println(err, t.Started(), t.Result().Usage.Input, t.End())
	// Output: <nil> true 3 the answer broke off before its end
}
