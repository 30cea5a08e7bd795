package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/sdk/sdktest"
)

// A taped vendor answers with the bytes it was given, in pieces of any size, and keeps the bytes it was sent.
type taped struct {
	url string

	mu     sync.Mutex
	status int
	header http.Header
	answer []byte
	piece  int
	beats  bool // comments follow the answer until the caller has gone
	body   []byte
	asked  http.Header
}

func newTaped(t *testing.T) *taped {
	v := &taped{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.body, v.asked = body, r.Header.Clone()
		for name, values := range v.header {
			w.Header()[name] = values
		}
		w.WriteHeader(v.status)
		for rest := v.answer; len(rest) > 0; {
			n := min(len(rest), v.piece)
			if _, err := w.Write(rest[:n]); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			rest = rest[n:]
		}
		for v.beats && r.Context().Err() == nil {
			_, _ = io.WriteString(w, ": still here\n\n") // that nobody reads them any more is what is waited for
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}))
	t.Cleanup(srv.Close)
	v.url = srv.URL
	return v
}

// will says what comes next.
func (v *taped) will(status int, kind, answer string, piece int, header ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status, v.answer, v.piece, v.beats = status, []byte(answer), piece, false
	v.header = http.Header{"Content-Type": {kind}}
	for i := 0; i+1 < len(header); i += 2 {
		v.header.Set(header[i], header[i+1])
	}
}

// beat has comments follow the answer until the caller has gone.
func (v *taped) beat(on bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.beats = on
}

// was is what was asked last.
func (v *taped) was() (body string, header http.Header) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return string(v.body), v.asked
}

// tapedModel is one model of a taped vendor on the verbatim lane.
const tapedModel = `
provider "taped" {
  adapter  = "anthropic"
  base_url = %q
  auth "header" {
    name  = "x-api-key"
    value = "vendor-secret-t"
  }
}
model "claude" {
  provider = "taped"
  upstream = "claude-of-the-vendor"
  brand = "sim"
  q_prior = "0.80"
  m_allowed = true
  context = 1000000
  max_output = 4000
  can = ["tools", "images", "documents", "thinking"]
  price {
    input = "0.50"
    output = "1.00"
  }
}
`

// A scribe writes JSON as nobody would: any spacing, any escapes, numbers in every form, keys in any order.
type scribe struct{ *rand.Rand }

func (s scribe) pick(of ...string) string { return of[s.IntN(len(of))] }

func (s scribe) space() string { return s.pick("", "", "", " ", "\n", "\t ", "\r\n  ") }

func (s scribe) text() string {
	var b strings.Builder
	for range s.IntN(6) {
		b.WriteString(s.pick("a", "Grüße", `\u00e9`, `\ud83d\ude00`, "😀", `\/`, `\"`, `\\`, `\n`, "{", "]", ",", `\u0000`, "model", " ", `\u2028`))
	}
	return `"` + b.String() + `"`
}

func (s scribe) value(depth int) string {
	if depth == 0 || s.IntN(3) == 0 {
		return s.pick(s.text(), "0.10", "1E5", "-0", "1.0e+2", "12345678901234567890", "null", "true", "false", "{}", "[ ]")
	}
	if s.IntN(2) == 0 {
		return s.list(depth)
	}
	var members [][2]string
	for range s.IntN(4) {
		members = append(members, [2]string{s.pick(`"x"`, `"x"`, `"model"`, `"stream"`, `"cache_control"`, `"\u0061"`, s.text()), s.value(depth - 1)})
	}
	return s.object(members)
}

func (s scribe) list(depth int) string {
	var items []string
	for range s.IntN(4) {
		items = append(items, s.space()+s.value(depth-1)+s.space())
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (s scribe) object(members [][2]string) string {
	var b strings.Builder
	b.WriteString("{")
	for i, m := range members {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(s.space() + m[0] + s.space() + ":" + s.space() + m[1] + s.space())
	}
	return b.String() + "}"
}

// shuffled is an object whose members come in any order.
func (s scribe) shuffled(members ...[2]string) string {
	s.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return s.object(members)
}

// block is a content block of a kind that exists, or one that doesn't yet.
func (s scribe) block() string {
	mark := [2]string{`"cache_control"`, s.pick(`{"type":"ephemeral"}`, `{ "ttl" : "1h", "type":"ephemeral" }`, "null")}
	switch s.IntN(5) {
	case 0:
		return s.shuffled([2]string{`"type"`, `"hologram_2031"`}, [2]string{`"source"`, s.value(3)}, mark)
	case 1:
		return s.shuffled([2]string{`"type"`, `"thinking"`}, [2]string{`"thinking"`, s.text()}, [2]string{`"signature"`, `"c2\u006cn"`})
	case 2:
		return s.shuffled([2]string{`"type"`, `"tool_use"`}, [2]string{`"id"`, `"toolu_1"`}, [2]string{`"name"`, `"f"`}, [2]string{`"input"`, `{ "a" :1.0 }`})
	}
	return s.shuffled([2]string{`"type"`, `"text"`}, [2]string{`"text"`, s.text()}, mark)
}

func (s scribe) messages() string {
	var list []string
	for i := range 1 + s.IntN(4) {
		content := s.text()
		if s.IntN(3) > 0 {
			var blocks []string
			for range 1 + s.IntN(3) {
				blocks = append(blocks, s.space()+s.block()+s.space())
			}
			content = "[" + strings.Join(blocks, ",") + "]"
		}
		list = append(list, s.space()+s.shuffled([2]string{`"role"`, []string{`"user"`, `"assistant"`}[i%2]}, [2]string{`"content"`, content})+s.space())
	}
	return "[" + strings.Join(list, ",") + "]"
}

// request is a body, and its members in order as the vendor must get them. own says that fields of ours are in it.
func (s scribe) request(stream, own bool) (body string, want [][2]string) {
	limit := 1 + s.IntN(8000)
	members := [][2]string{{`"model"`, `"claude"`}, {`"messages"`, s.messages()}, {`"max_tokens"`, fmt.Sprint(limit)}, {`"stream"`, fmt.Sprint(stream)}}
	for i := range s.IntN(5) {
		members = append(members, [2]string{fmt.Sprintf(`"new_field_%d\u0021"`, i), s.value(3)})
	}
	if s.IntN(2) == 0 {
		members = append(members, [2]string{`"context_management"`, s.value(2)}, [2]string{`"service_tier"`, s.text()})
	}
	if own {
		members = append(members, [2]string{`"task_type"`, `"code"`}, [2]string{`"routing_hint"`, `{"min_quality" : "0.7" }`}, [2]string{`"agent_id"`, `"local"`})
	}
	s.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	for _, m := range members {
		switch m[0] {
		case `"task_type"`, `"routing_hint"`, `"agent_id"`:
			continue
		case `"model"`:
			m[1] = `"claude-of-the-vendor"`
		case `"max_tokens"`:
			m[1] = fmt.Sprint(min(limit, 4000))
		}
		want = append(want, m)
	}
	return s.space() + s.object(members) + s.space(), want
}

// answer is a stream with all that a newer API may have in it, or a message.
func (s scribe) answer(stream bool) string {
	usage := [2]string{`"usage"`, s.shuffled([2]string{`"input_tokens"`, "5"}, [2]string{`"output_tokens"`, "1"}, [2]string{`"new_tokens"`, s.value(1)})}
	message := [][2]string{{`"id"`, `"msg_9"`}, {`"type"`, `"message"`}, {`"role"`, `"assistant"`}, {`"model"`, `"claude\u002dx"`}, usage, {`"container"`, s.value(2)}}
	if !stream {
		return s.space() + s.shuffled(append(message, [2]string{`"content"`, "[" + s.block() + "]"}, [2]string{`"stop_reason"`, `"end_turn"`})...) + s.space()
	}
	end := s.pick("\n", "\r\n")
	var b strings.Builder
	event := func(name string, members ...[2]string) {
		data := strings.NewReplacer("\n", " ", "\r", " ").Replace(s.shuffled(append(members, [2]string{`"type"`, `"` + name + `"`})...))
		b.WriteString(s.pick("event: ", "event:") + name + end + s.pick("data: ", "data:") + data + end + s.pick("", "id: 7"+end) + end)
	}
	b.WriteString("event: message_start" + end + `data: ` + strings.NewReplacer("\n", " ", "\r", " ").Replace(s.object([][2]string{{`"type"`, `"message_start"`},
		{`"message"`, s.shuffled(append(message, [2]string{`"content"`, "[]"}, [2]string{`"stop_reason"`, "null"})...)}})) + end + end)
	for i := range 1 + s.IntN(3) {
		index := [2]string{`"index"`, fmt.Sprint(i)}
		kind, delta := `"text"`, `{"type":"text_delta","text":`+s.text()+`}`
		if s.IntN(3) == 0 {
			kind, delta = `"hologram_2031"`, `{"type":"hologram_delta","x":`+s.text()+`}`
		}
		event("content_block_start", index, [2]string{`"content_block"`, s.shuffled([2]string{`"type"`, kind}, [2]string{`"text"`, `""`})})
		for range s.IntN(4) {
			event("content_block_delta", index, [2]string{`"delta"`, delta})
			switch s.IntN(5) {
			case 0:
				event("ping")
			case 1:
				event("weather_report", [2]string{`"clouds"`, s.value(2)})
			case 2:
				b.WriteString(": a comment" + end + end)
			}
		}
		event("content_block_stop", index)
	}
	event("message_delta", [2]string{`"delta"`, `{"stop_reason":"end_turn","stop_sequence":null,"why":1}`}, [2]string{`"usage"`, `{"output_tokens":9}`})
	event("message_stop", [2]string{`"extra"`, s.value(1)})
	return b.String()
}

// TestPropertyVerbatim sends bodies that nobody would write to a vendor that keeps the bytes, and has it answer in kind.
// Every byte passes in both directions but for the listed edits, and the row's hashes are over what the caller sent and got.
func TestPropertyVerbatim(t *testing.T) {
	v := newTaped(t)
	r := start(t, fmt.Sprintf(tapedModel, v.url))
	rows := hashes{}
	for seed := range uint64(300) {
		s := scribe{rand.New(rand.NewPCG(seed, 7))}
		stream, own := s.IntN(2) == 0, s.IntN(2) == 0
		body, want := s.request(stream, own)
		answer := s.answer(stream)
		v.will(200, map[bool]string{true: "text/event-stream", false: "application/json"}[stream], answer, 1+s.IntN(200))
		beta := s.pick("", "a-2031", "b-1,c-2", "context-1m-2025-08-07,fine-grained-tool-streaming-2025-05-14")
		resp, got := r.message(body, "anthropic-beta", beta, "anthropic-version", "2031-01-01")
		if resp.StatusCode != 200 {
			t.Fatalf("seed %d: %d %s\nfor %s", seed, resp.StatusCode, got, body)
		}
		if got != answer {
			t.Fatalf("seed %d: the caller got\n%q\nwant\n%q", seed, got, answer)
		}
		sent, header := v.was()
		if header.Get("anthropic-beta") != beta || header.Get("anthropic-version") != "2031-01-01" || header.Get("x-api-key") != "vendor-secret-t" {
			t.Fatalf("seed %d: headers %v", seed, header)
		}
		var members [][2]string
		gjson.Parse(sent).ForEach(func(k, v gjson.Result) bool {
			members = append(members, [2]string{k.Raw, v.Raw})
			return true
		})
		if !gjson.Valid(sent) || !reflect.DeepEqual(members, want) {
			t.Fatalf("seed %d: the vendor got\n%s\nwant\n%q\nof %s", seed, sent, want, body)
		}
		if !own { // then not even the space between the fields is another
			whole := strings.Replace(body, field(body, "model"), field(sent, "model"), 1)
			if limit := gjson.Get(body, "max_tokens"); limit.Int() > 4000 {
				whole = whole[:gjson.Get(whole, "max_tokens").Index] + "4000" + whole[gjson.Get(whole, "max_tokens").Index+len(limit.Raw):]
			}
			if sent != whole {
				t.Fatalf("seed %d: the vendor got\n%q\nwant\n%q", seed, sent, whole)
			}
		}
		rows.add(resp, body, got)
	}
	rows.check(r)
}

// field is a top-level field's value as it is written. Fields within others may have the same name, so it is found by place.
func field(doc, name string) string { return gjson.Get(doc, name).Raw }

// hashes are what the rows must say of the bytes that callers sent and got, by inference.
type hashes map[string][]string

func (h hashes) add(resp *http.Response, body, answer string) {
	h[resp.Header.Get("x-ainfera-inference-id")] = []string{sum(body), sum(answer), "succeeded"}
}

// check ends the server, whose rows may be written a moment after the caller has its answer, and reads them.
func (h hashes) check(r *running) {
	r.t.Helper()
	r.stop()
	for id, want := range h {
		if row := r.one(`select request_hash, response_hash, status from inferences where id = ?`, id); !reflect.DeepEqual(row, want) {
			r.t.Errorf("hashes: got %v, want %v", row, want)
		}
	}
	r.clean()
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// startedOnce is a stream as it is passed on where its vendor says the start twice, or leaves the end out.
func startedOnce(stream string) string {
	const start, end = "event: message_start\n", "event: message_stop\n"
	if at := strings.Index(stream, start); at >= 0 {
		first := at + strings.Index(stream[at:], "\n\n") + 2
		for strings.HasPrefix(stream[first:], start) {
			stream = stream[:first] + stream[first+strings.Index(stream[first:], "\n\n")+2:]
		}
	}
	if strings.HasPrefix(stream, "event:") && !strings.Contains(stream, end) && !strings.Contains(stream, `"message_stop"`) {
		stream += end + `data: {"type":"message_stop"}` + "\n\n"
	}
	return stream
}

// TestVerbatimRecordings has the taped vendor answer with what Anthropic, Azure and Google really sent.
func TestVerbatimRecordings(t *testing.T) {
	recs, err := sdktest.Recordings("anthropic.messages")
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	v := newTaped(t)
	r := start(t, fmt.Sprintf(tapedModel, v.url))
	n, rows := 0, hashes{}
	for i := range recs {
		rec := &recs[i]
		if read := readingOf(t, rec); !rec.Passes() || read.err != "" || read.nothing || rec.Stream != strings.HasSuffix(rec.File, ".sse") {
			continue // errors are in TestRecordedErrors, and what broke off or was not asked for is one
		}
		n++
		for _, piece := range []int{1 << 20, 61} {
			kind := map[bool]string{true: "text/event-stream; charset=utf-8", false: "application/json"}[rec.Stream]
			v.will(200, kind, string(rec.Body), piece)
			body := fmt.Sprintf(`{"model":"claude","max_tokens":64,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`, rec.Stream)
			resp, got := r.message(body)
			want := string(rec.Body)
			if rec.Stream && !strings.HasSuffix(strings.ReplaceAll(want, "\r", ""), "\n\n") {
				want = strings.TrimRight(want, "\n") + "\n\n" // cut off by the one who wrote it down: the last frame is closed
			}
			want = startedOnce(want)
			if got != want {
				t.Errorf("%s in pieces of %d: got %d bytes, want %d, the same: %d", rec.Path, piece, len(got), len(want), resp.StatusCode)
				continue
			}
			rows.add(resp, body, got)
		}
	}
	t.Logf("%d recordings, the same bytes through the whole server", n)
	rows.check(r)
}
