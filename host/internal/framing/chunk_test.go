package framing

import (
	"bytes"
	"testing"
)

func TestAppendChunk(t *testing.T) {
	tests := []struct{ name, payload, want string }{
		{"OK", `{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}`, `data: {"type":"ping"}`},
		{"no bytes", `{"p":"abc"}`, ""},
		{"not base64", `{"bytes":"*"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := AppendChunk([]byte("data: "), []byte(tt.payload))
			if (err != nil) != (tt.want == "") {
				t.Fatalf("error: got %v, want one only without a result", err)
			}
			if err == nil && string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzAppendChunk: what was there stays, whatever the chunk holds.
func FuzzAppendChunk(f *testing.F) {
	f.Add([]byte(`{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}`))
	f.Add([]byte(`{"bytes":"*"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := AppendChunk([]byte("data: "), payload)
		if err == nil && !bytes.HasPrefix(out, []byte("data: ")) {
			t.Fatalf("got %q", out)
		}
	})
}
