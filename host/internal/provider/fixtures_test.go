package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// A recording of the conformance data that the verbatim lane must pass on.
type recording struct {
	API      string `json:"api"`
	Stream   bool   `json:"stream"`
	Status   int    `json:"status"`
	Model    string `json:"model"`
	Response string `json:"response_file"`
}

// TestRecordings holds that what a vendor sent, however it was cut, is what the caller gets: on Anthropic's own protocol
// the same bytes, from Bedrock the same JSON in server-sent events.
func TestRecordings(t *testing.T) {
	root := os.Getenv("AINFERA_CONFORMANCE")
	if root == "" {
		t.Skip("AINFERA_CONFORMANCE is not set: no recorded traffic to replay")
	}
	metas, err := filepath.Glob(filepath.Join(root, "fixtures", "*", "*", "meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, path := range metas {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var rec recording
		if err := json.Unmarshal(b, &rec); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		claude := bytes.Contains([]byte(rec.Model), []byte("anthropic"))
		switch {
		case rec.Status != http.StatusOK:
			continue
		case rec.API == "anthropic.messages":
		case rec.API == "bedrock.invoke" && claude && rec.Stream:
		default:
			continue
		}
		ran++
		t.Run(filepath.Base(filepath.Dir(dir))+"/"+filepath.Base(dir), func(t *testing.T) { replay(t, dir, rec) })
	}
	if ran < 20 {
		t.Errorf("recordings: got %d, want at least 20", ran)
	}
}

func replay(t *testing.T, dir string, rec recording) {
	body, err := os.ReadFile(filepath.Join(dir, rec.Response))
	if err != nil {
		t.Fatal(err)
	}
	framing, kind, want, fails := "json", "application/json", body, false
	switch filepath.Ext(rec.Response) {
	case ".sse":
		framing, kind = "sse", "text/event-stream"
	case ".bin":
		framing, kind = "aws-eventstream", "application/vnd.amazon.eventstream"
		want, fails = decoded(t, dir)
	}
	for _, cut := range []int{1 << 20, 7, 1000} {
		f := &fakeAdapter{features: []string{"verbatim"}, open: whole(`{"method":"POST","path":"/x","framing":"`+framing+`"}`, "")}
		u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			for rest := body; len(rest) > 0; {
				n := min(cut, len(rest))
				if _, err := w.Write(rest[:n]); err != nil {
					return
				}
				w.(http.Flusher).Flush()
				rest = rest[n:]
			}
		})
		a, err := send(t, u, &Ask{Stream: rec.Stream, Verbatim: true, Whole: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		_, raw, err := drainAll(t, a)
		a.Close()
		if (err != nil) != fails {
			t.Fatalf("in pieces of %d: got error %v, want one: %t", cut, err, fails)
		}
		if !bytes.Equal(raw, want) {
			t.Fatalf("in pieces of %d: got %d bytes, want %d, the same", cut, len(raw), len(want))
		}
	}
}

// decoded is what a recording from Bedrock amounts to, after the decoded view that the conformance data has of it, and whether
// it ends in an exception.
func decoded(t *testing.T, dir string) (out []byte, fails bool) {
	view, err := os.ReadFile(filepath.Join(dir, "response.events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(view), []byte("\n")) {
		var v struct {
			Headers map[string]string
			Payload struct{ Bytes string }
			Decoded struct{ Type string } `json:"decoded_bytes"`
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if v.Headers[":message-type"] != "event" {
			return out, true
		}
		data, err := base64.StdEncoding.DecodeString(v.Payload.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, "event: "+v.Decoded.Type+"\ndata: "+string(data)+"\n\n"...)
	}
	return out, false
}
