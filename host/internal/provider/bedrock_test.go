package provider

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

// message is one frame of an AWS event stream; headers are name, value pairs.
func message(payload string, headers ...string) string {
	var h []byte
	for i := 0; i < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

func chunk(event string) string {
	return message(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(event))+`","p":"abc"}`, ":message-type", "event", ":event-type", "chunk")
}

func bedrock(t *testing.T, body string) *Answer {
	t.Helper()
	f := &fakeAdapter{features: []string{"verbatim"},
		open: whole(`{"method":"POST","path":"/model/m/invoke-with-response-stream","framing":"aws-eventstream"}`, `{"delete":["model"]}`)}
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		half := len(body) / 2 // in the midst of a frame
		io.WriteString(w, body[:half])
		w.(http.Flusher).Flush()
		io.WriteString(w, body[half:])
	})
	a, err := send(t, u, &Ask{Stream: true, Verbatim: true, Whole: []byte(`{"model":"m"}`)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestBedrock(t *testing.T) {
	start, stop := `{"type":"message_start","message":{ "id":"é" }}`, `{"type":"message_stop","amazon-bedrock-invocationMetrics":{}}`
	a := bedrock(t, chunk(start)+message(`{}`, ":message-type", "event", ":event-type", "initial-response")+chunk(stop))
	var raw, tapped strings.Builder
	for {
		piece, err := a.Next(t.Context())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		raw.Write(piece.Raw)
		for _, f := range piece.Frames {
			tapped.WriteString(string(f.Event) + "|" + string(f.Data) + "\n")
		}
	}
	if got, want := raw.String(), "event: message_start\ndata: "+start+"\n\nevent: message_stop\ndata: "+stop+"\n\n"; got != want {
		t.Errorf("raw: got %q, want %q", got, want)
	}
	if got, want := tapped.String(), "message_start|"+start+"\nmessage_stop|"+stop+"\n"; got != want {
		t.Errorf("frames: got %q, want %q", got, want)
	}
}

func TestBedrockFails(t *testing.T) {
	first := chunk(`{"type":"ping"}`)
	exception := func(name string) string {
		return first + message(`{"message":"too fast"}`, ":message-type", "exception", ":exception-type", name) + first
	}
	for name, tt := range map[string]struct{ body, kind, message string }{
		"Throttled":  {exception("throttlingException"), abi.ErrRateLimit, "too fast"},
		"Invalid":    {exception("validationException"), abi.ErrInvalidRequest, "too fast"},
		"Denied":     {exception("accessDeniedException"), abi.ErrPermission, "too fast"},
		"Timeout":    {exception("modelTimeoutException"), abi.ErrTimeout, "too fast"},
		"Overloaded": {exception("serviceUnavailableException"), abi.ErrOverloaded, "too fast"},
		"TheModels": {first + message(`{"message":"too fast","originalStatusCode":529,"originalMessage":"Overloaded"}`, ":message-type", "exception", ":exception-type", "modelStreamErrorException"),
			abi.ErrOverloaded, "too fast"},
		"AnError": {first + message("", ":message-type", "error", ":error-code", "ThrottlingException", ":error-message", "too fast"), abi.ErrRateLimit, "too fast"},
		"Other":   {exception("internalServerException"), abi.ErrAPI, "too fast"},
		"NoMessage": {first + message("", ":message-type", "exception", ":exception-type", "modelStreamErrorException"),
			abi.ErrAPI, "modelStreamErrorException"},
		"NotBase64": {first + message(`{"bytes":"*"}`, ":message-type", "event", ":event-type", "chunk"), abi.ErrAPI, "could not be read"},
		"TwoLines":  {first + chunk("{\"type\":\"ping\",\n\"a\":1}"), abi.ErrAPI, "could not be read"},
		"NoType":    {first + chunk(`{"a":1}`), abi.ErrAPI, "could not be read"},
		"Cut":       {first + first[:20], abi.ErrAPI, "could not be read"},
		"Damaged":   {first + strings.Replace(first, "bytes", "bites", 1), abi.ErrAPI, "could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, raw, err := drainAll(t, bedrock(t, tt.body))
			got := failureOf(t, err)
			if got.Phase != PhaseBody || got.Kind != tt.kind || !strings.Contains(got.Message, tt.message) || !got.Retryable() {
				t.Errorf("got %v, want %s: %s", err, tt.kind, tt.message)
			}
			if want := "event: ping\ndata: {\"type\":\"ping\"}\n\n"; string(raw) != want {
				t.Errorf("before it: got %q, want %q", raw, want)
			}
		})
	}
}
