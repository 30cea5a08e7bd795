package provider

import (
	"net/http"
	"testing"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
)

// FuzzRetryAfter: no header keeps a deployment out for longer than a day, or for less than no time.
func FuzzRetryAfter(f *testing.F) {
	for _, v := range [][2]string{{"3", ""}, {"", "250"}, {"Wed, 21 Oct 2026 07:28:00 GMT", "x"}, {"NaN", "-Inf"}, {"1e400", "1e-400"}} {
		f.Add(v[0], v[1])
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, seconds, ms string) {
		got := retryAfter(http.Header{"Retry-After": {seconds}, "Retry-After-Ms": {ms}}, now)
		if got < 0 || got > maxRetryAfter {
			t.Fatalf("%q, %q: got %s", seconds, ms, got)
		}
	})
}

// FuzzGuest: whatever a guest returns, it is a request or events, a refusal, or its fault, and what is passed on is a batch.
func FuzzGuest(f *testing.F) {
	ask := &Ask{Whole: []byte(`{"model":"m"}`), Refs: [][]byte{[]byte("x")}}
	record := func(k abi.Kind, payload string) []byte {
		return abi.AppendRecord(abi.AppendBatch(nil, 1), k, 0, 0, []byte(payload))
	}
	f.Add(record(abi.KindRequest, `{"method":"POST","path":"/","framing":"sse","headers":{"a":"b"}}`))
	f.Add(abi.AppendRecord(record(abi.KindRequest, `{}`), abi.KindRequestWhole, 0, 0, []byte(`{"set":{"a":1},"delete":["model"]}`)))
	f.Add(record(abi.KindRefuse, `{"kind":"x"}`))
	f.Add(abi.AppendRecord(record(abi.KindText, "a"), abi.KindError, 0, 0, []byte(`{"retry_after_ms":1e300}`)))
	f.Fuzz(func(t *testing.T, batch []byte) {
		out, refusal, err := readOutline(batch, ask)
		if err == nil && (out == nil) == (refusal == nil) {
			t.Fatalf("neither a request nor a refusal, or both: %v %v", out, refusal)
		}
		ev, err := readEvents(append([]byte(nil), batch...))
		if err != nil || ev.batch == nil {
			return
		}
		r, err := abi.NewReader(ev.batch)
		if err != nil {
			t.Fatal(err)
		}
		for {
			rec, ok, err := r.Next()
			if err != nil {
				t.Fatalf("what is passed on is no batch: %v", err)
			}
			if !ok {
				return
			}
			if rec.Kind == abi.KindError {
				t.Fatal("an error is passed on among the events")
			}
		}
	})
}
