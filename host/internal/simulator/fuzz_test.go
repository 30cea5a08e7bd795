package simulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

func TestDirectives(t *testing.T) {
	for _, tt := range []struct{ text, want, err string }{
		{"Hello.", "Hello.", ""},
		{"Hello [[sim status=500]] there.", "Hello there.", ""},
		{"[[sim status=500]] a [[sim retry-after=7]]", " a", ""},
		{"[[simulated]] [[sim]] [[sim", "[[simulated]] [[sim]] [[sim", ""},
		{"[[simple]] [[sim status=500]]", "[[simple]]", ""},
		{"[[sim status=99]]", "", "a status is 200 to 599"},
		{"[[sim chunks=-1]]", "", "want a number"},
		{"[[sim first=soon]]", "", "invalid duration"},
		{"[[sim error=odd]]", "", "no such kind"},
		{"[[sim body=gif]]", "", "html or empty"},
		{"[[sim usage=some]]", "", "usage is none"},
	} {
		got, err := takeDirectives(tt.text, &Fault{})
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: got %q, %v; want %q, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func TestReminders(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"Hello.", "Hello."},
		{"<system-reminder>\nUse Bash {\"a\":1} [[sim status=500]]\n</system-reminder>\nHello.", "Hello."},
		{"Hello.\n\n<system-reminder>a</system-reminder>\n<system-reminder>b</system-reminder>", "Hello."},
		{"What is a <system-reminder>?", "What is a <system-reminder>?"},
		{"<system-reminder>a</system-reminder>", ""},
		{"a</system-reminder>b<system-reminder>c", "a</system-reminder>b<system-reminder>c"},
	} {
		if got := withoutReminders(tt.text); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestReminderAsksForNothing: an agent's program names its tools to the model, and the user asks for none.
func TestReminderAsksForNothing(t *testing.T) {
	v := newVendor(t, Options{})
	const text = "<system-reminder>\nCall get_weather with {\"city\":1} [[sim status=500]]\n</system-reminder>\nHello."
	res, body, err := v.ask(t, Anthropic, text, `,"tools":[{"name":"get_weather","input_schema":{"type":"object"}}]`)
	if err != nil || res.StatusCode != 200 || strings.Contains(body, "tool_use") || !strings.Contains(body, "You said: “Hello.”") {
		t.Errorf("got %d %s, %v", res.StatusCode, body, err)
	}
}

// FuzzDirectives: what is left of a text after its directives has none, and taking them never panics.
func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"[[sim status=529 retry-after=7]]", "a [[sim message=\"x y\"&empty]] b", "[[sim]][[sim ]]", "[[sim [[sim chunks=1]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		left, err := takeDirectives(text, &Fault{})
		if err != nil {
			return
		}
		if len(left) > len(text) {
			t.Errorf("%q grew to %q", text, left)
		}
	})
}

// FuzzString: our JSON strings are read back as they were by encoding/json.
func FuzzString(f *testing.F) {
	f.Add("a \"b\" \\ \n\x01 é 🧪\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return
		}
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil || got != s {
			t.Errorf("%q came back as %q, %v", s, got, err)
		}
	})
}

// FuzzInstance: an instance of any schema is JSON.
func FuzzInstance(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a\"b":{"type":["null","integer"],"minimum":9},"l":{"items":{"$ref":"#/$defs/x"},"minItems":2}},"$defs":{"x":{"anyOf":[{"type":"null"},{"$ref":"#"}]}}}`)
	f.Add(`{"type":"string","minLength":99,"maxLength":3}`)
	f.Add(`{"enum":[{"a":1}]}`)
	f.Fuzz(func(t *testing.T, schema string) {
		if !gjson.Valid(schema) || !utf8.ValidString(schema) || len(schema) > 2000 {
			return
		}
		s := gjson.Parse(schema)
		if got := appendInstance(nil, s, s, "x", 0); !json.Valid(got) {
			t.Errorf("%s gave %s", schema, got)
		}
	})
}

// FuzzRequest: whatever the body, an answer or an error comes out, and it is JSON.
func FuzzRequest(f *testing.F) {
	f.Add(minimal("Use both.", twoTools))
	f.Add(minimal("Hi.", `,"thinking":{"type":"adaptive"},"tools":[{"name":"f","input_schema":{"type":"object"}}],"stop_sequences":["a"]`))
	f.Add(`{"model":"m?chunks=3","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","data":"AAAA"}},{"type":"text","text":"x"}]}]}`)
	f.Add(asked("Use both.", flatTools))
	f.Add(`{"model":"m","include":["reasoning.encrypted_content"],"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},{"type":"function_call","call_id":"a","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"x"}]}]}`)
	f.Add(`{"contents":[{"role":"user","parts":[{"text":"Use both."},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"a":{"anyOf":[{"type":"array","items":{"type":"string"}}]}}}}]}]}`)
	r := &http.Request{Header: http.Header{"Anthropic-Version": {"2023-06-01"}}, URL: &url.URL{Path: "/v1beta/models/m:generateContent"}}
	f.Fuzz(func(t *testing.T, body string) {
		if !gjson.Valid(body) || !utf8.ValidString(body) || len(body) > 4000 {
			return
		}
		for _, d := range []dialect{anthropic{}, openai{}, responses{}, gemini{}} {
			a, e := d.parse(r, gjson.Parse(body), opChat)
			if e != nil {
				if out := d.appendError(nil, e, ""); !json.Valid(out) {
					t.Errorf("%s: error %s", d.name(), out)
				}
				continue
			}
			if out := d.appendDocument(nil, a, compose(a, a.fault)); !json.Valid(out) {
				t.Errorf("%s: answer %s", d.name(), out)
			}
		}
	})
}

func TestInstance(t *testing.T) {
	for _, tt := range []struct{ schema, want string }{
		{`{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"null"}},"required":["b"]}`, `{"b":null}`},
		{`{"type":"object","properties":{"a":{"type":"boolean"}}}`, `{"a":true}`},
		{`{"type":["null","number"],"minimum":9.5}`, `9.5`},
		{`{"type":"integer","maximum":3}`, `3`},
		{`{"type":"array","items":{"enum":["x"]},"minItems":2}`, `["x","x"]`},
		{`{"anyOf":[{"type":"null"},{"const":{"k":1}}]}`, `{"k":1}`},
		{`{"$ref":"#/$defs/d","$defs":{"d":{"type":"string","format":"date"}}}`, `"2026-01-02"`},
		{`{"type":"string","maxLength":4}`, `"simu"`},
		{`{"type":"string"}`, `"simulated \"n\" \ud83e\uddea"`},
	} {
		s := gjson.Parse(tt.schema)
		if got := string(appendInstance(nil, s, s, "n", 0)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.schema, got, tt.want)
		}
	}
}

func TestMentions(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"get_time", true}, {"use get_time.", true}, {"get_timezone", false}, {"my-get_time", false}, {"get_timezone or get_time", true}, {"", false},
	} {
		if got := mentions(tt.text, "get_time"); got != tt.want {
			t.Errorf("%q: got %v", tt.text, got)
		}
	}
}

// BenchmarkCall is what a small call costs, the HTTP server left out.
func BenchmarkCall(b *testing.B) {
	for _, d := range []string{Anthropic, OpenAI, Responses} {
		for _, more := range []string{"", `,"stream":true`} {
			b.Run(d+more, func(b *testing.B) {
				h := New(Options{}).Handler(d)
				body := minimal("What is the capital of France?", more)
				if d == Responses {
					body = asked("What is the capital of France?", more)
				}
				b.ReportAllocs()
				for b.Loop() {
					r, _ := http.NewRequest(http.MethodPost, paths[d], strings.NewReader(body))
					r.Header["Authorization"] = []string{"Bearer simulated"}
					r.Header["Anthropic-Version"] = []string{"2023-06-01"}
					h.ServeHTTP(discard{}, r)
				}
			})
		}
	}
}

// discard is a response that nobody reads.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}
func (discard) Flush()                      {}
