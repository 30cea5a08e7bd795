package failure

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/jscan"
)

// A saying is what an error says, out of whatever shape it was in.
type saying struct {
	status  int      // the HTTP status, or the one that the body quotes
	words   []string // code, type and status, as they are
	message string
	reset   string // a rate limit's end, quoted from an upstream's headers
	delay   string // how long to wait, as Google writes it: "34.07s"
}

// said reads the shapes there are:
//
//	{"error":{"message","type","code","param","status","metadata":{"raw"}}}   OpenAI, Anthropic, Google, OpenRouter
//	{"error":{…,"details":[{"@type","reason","retryDelay"}]}}                 Google
//	{"error":"…","code":"…"}                                                  xAI, Venice, Ollama
//	{"object":"error","message","type","code"}                                Mistral, vLLM
//	{"code","message","type"}                                                 Doubleword
//	{"detail":"…"} and {"detail":[{"msg","loc","type"}]}                      FastAPI
//	{"detail":{…}}, the object being any of these                             LiteLLM
//	{"errors":[{"message"}]} and {"message":"…"}                              gateways, AWS
//	{"code","msg","success":false}                                            Z.AI, SiliconFlow
//	{"base_resp":{"status_code","status_msg"}}                                MiniMax, where 0 is no error
//	[{…}]                                                                     Google, outside of streams
//
// ok is false for a document that is none of these, such as an ordinary chunk, also one that has the field error with
// nothing in it.
func said(doc jscan.Value) (s saying, ok bool) {
	if doc.Kind() == jscan.Array {
		doc = doc.At(0)
	}
	switch e := doc.Get("error"); {
	case says(e):
		s.take(e)
		s.take(e.Get("metadata").Get("error"))
		s.upstream(e.Get("metadata"))
		s.word(doc.Get("code"))
		s.word(doc.Get("type"))
		return s, true
	case e.Kind() == jscan.String && len(e) > 2:
		s.message = e.String()
		s.word(doc.Get("code"))
		s.word(doc.Get("type"))
		return s, true
	}
	if doc.Get("choices").Kind() == jscan.Array || !doc.Get("candidates").IsNull() || !doc.Get("output").IsNull() {
		return s, false
	}
	if list := doc.Get("errors"); list.Kind() == jscan.Array {
		s.take(list.At(0))
		return s, true
	}
	if detail := doc.Get("detail"); !detail.IsNull() {
		if inner, ok := said(detail); ok && detail.Kind() == jscan.Object { // LiteLLM's has an error of its own in it
			return inner, true
		}
		s.detail(detail)
		return s, true
	}
	if base := doc.Get("base_resp"); base.Get("status_code").IntOr(0) != 0 {
		s.message = base.Get("status_msg").String()
		return s, true
	}
	if doc.Get("message").Kind() == jscan.String || doc.Get("msg").Kind() == jscan.String {
		s.take(doc)
		return s, true
	}
	return s, false
}

// says reports whether any field of an error object holds something.
func says(e jscan.Value) bool {
	for _, v := range e.Fields() {
		if !v.IsNull() && len(v) > 2 {
			return true
		}
	}
	return false
}

// take reads an error object.
func (s *saying) take(e jscan.Value) {
	if m := e.Get("message").String(); m != "" {
		s.message = m
	} else if m := e.Get("msg").String(); m != "" {
		s.message = m
	}
	for _, key := range [...]string{"code", "type", "status", "status_code", "raw_status_code"} {
		s.word(e.Get(key))
	}
	for d := range e.Get("details").Items() {
		s.rpc(d)
	}
}

// rpc reads one of Google's error details: ErrorInfo says the reason that a status is too coarse for, RetryInfo how long to
// wait.
func (s *saying) rpc(detail jscan.Value) {
	kind := detail.Get("@type").String()
	switch {
	case strings.HasSuffix(kind, "google.rpc.ErrorInfo"):
		s.word(detail.Get("reason"))
	case strings.HasSuffix(kind, "google.rpc.RetryInfo"):
		s.delay = detail.Get("retryDelay").String()
	}
}

// word keeps a code: as a word, or as the status that it is.
func (s *saying) word(v jscan.Value) {
	if v.Kind() == jscan.String && len(v) > 2 {
		s.words = append(s.words, v.String())
		if n, err := strconv.Atoi(v.String()); err == nil {
			s.number(int64(n))
		}
		return
	}
	if n, ok := v.Int(); ok {
		s.number(n)
	}
}

func (s *saying) number(n int64) {
	if s.status == 0 && n >= 400 && n < 600 {
		s.status = int(n)
	}
}

// upstream adds what a gateway quotes of the vendor behind it, whose own message is often only "Provider returned
// error".
func (s *saying) upstream(metadata jscan.Value) {
	for name, v := range metadata.Get("headers").Fields() {
		if len(name) == len("x-ratelimit-reset") && string(lower(name)) == "x-ratelimit-reset" {
			s.reset = v.String()
		}
	}
	raw := metadata.Get("raw").String()
	if raw == "" {
		return
	}
	quoted := raw
	if doc, err := jscan.Parse([]byte(raw)); err == nil {
		if inner, ok := said(doc); ok && inner.message != "" {
			quoted = inner.message
			s.words = append(s.words, inner.words...)
		}
	}
	s.message = joinWords(s.message, quoted)
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + ": " + b
}

// detail reads FastAPI's "detail", whose entries say what is wrong with which field.
func (s *saying) detail(v jscan.Value) {
	if v.Kind() != jscan.Array {
		s.message = v.String()
		return
	}
	for entry := range v.Items() {
		msg := entry.Get("msg").String()
		where := ""
		for part := range entry.Get("loc").Items() {
			if p := part.String(); p != "" && p != "body" {
				where = joinPath(where, p)
			}
		}
		if where != "" {
			msg = where + ": " + msg
		}
		if s.message != "" {
			s.message += "; "
		}
		s.message += msg
		s.word(entry.Get("type"))
	}
}

func joinPath(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

func lower(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		out[i] = c
	}
	return out
}
