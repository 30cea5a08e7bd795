package messages

import "testing"

// FuzzTap: whatever a vendor of the dialect sends, the tap says the same however it was cut, counts nothing below zero, and
// a stream that it calls complete has begun.
func FuzzTap(f *testing.F) {
	f.Add(frames(tapStart, tapText, tapDelta, tapClose, tapEnd, tapStop))
	f.Add([]byte("data: " + tapStart + "\r\n\r\n: c\n\n" + "data:" + tapText + "\n\nevent: error\ndata: {\"error\":{}}\n\n"))
	f.Add([]byte(`{"type":"message","content":[{"type":"tool_use"}],"stop_reason":"end_turn","usage":{"input_tokens":-1,"output_tokens":1e99}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		streamed, whole := NewTap(), NewTap()
		err := feed(streamed, body)
		if again := NewTap(); (feed(again, body) == nil) != (err == nil) || again.Result() != streamed.Result() {
			t.Fatalf("it reads differently the second time: %+v, %+v", again.Result(), streamed.Result())
		}
		docErr := whole.Document(body)
		for _, tap := range []*Tap{streamed, whole} {
			r := tap.Result()
			u, _ := r.Settled(7)
			if u.Input < 0 || u.Output < 0 || u.CacheRead < 0 || u.CacheWrite < 0 || u.CacheWrite1h < 0 || r.TextBytes < 0 {
				t.Fatalf("below zero: %+v", r)
			}
			if r.Complete && (!tap.Started() || tap.End() != nil) {
				t.Fatalf("complete, and not begun or ended: %+v", r)
			}
		}
		if docErr == nil && !whole.Done() {
			t.Fatal("a document without an error is not done")
		}
		if _, ok := streamed.Closing(nil); ok && !streamed.Done() {
			t.Fatal("closed, and not done")
		}
	})
}
