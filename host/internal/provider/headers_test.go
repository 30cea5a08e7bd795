package provider

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
)

func TestAllowed(t *testing.T) {
	for _, name := range []string{"anthropic-version", "anthropic-beta", "Content-Type", "User-Agent", "X-Title", "HTTP-Referer", "OpenAI-Organization"} {
		if !allowed(name, "v", "x-own") {
			t.Errorf("%s: got refused, want allowed", name)
		}
	}
	for _, name := range []string{"Authorization", "authorization", "Proxy-Authorization", "x-api-key", "Api-Key", "x-goog-api-key",
		"Cookie", "Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Upgrade", "Expect",
		"Accept-Encoding", "X-Forwarded-For", "Forwarded", "X-Amz-Security-Token", "x-amz-date", "Proxy-Anything", "X-Own",
		"X-Ainfera-Agent-Id", "Idempotency-Key", "", "a b", "a:b", "a\r\nb", "é"} {
		if allowed(name, "v", "x-own") {
			t.Errorf("%q: got allowed, want refused", name)
		}
	}
	for _, value := range []string{"a\r\nAuthorization: x", "a\nb", "a\x00b", "\x7f"} {
		if allowed("x", value, "") {
			t.Errorf("value %q: got allowed, want refused", value)
		}
	}
}

// What arrives at the vendor is the host's word on who asks, whatever guest and caller wrote.
func TestHeadersAtTheVendor(t *testing.T) {
	f := &fakeAdapter{features: []string{"verbatim"}}
	f.open = whole(`{"method":"POST","path":"/x","query":"key=stolen&a=1","framing":"json","headers":{
		"Authorization":"Bearer stolen","x-api-key":"stolen","Host":"evil","Content-Length":"1","Transfer-Encoding":"chunked",
		"Connection":"close","Cookie":"a=b","anthropic-version":"2023-06-01","x-custom":"1","x-bad":"a\r\nb: c"}}`, "")
	var got *http.Request
	var body []byte
	u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	}, func(c *Config) { c.Auth = Query{Name: "key", Value: "the+operator's"} })
	ask := &Ask{Verbatim: true, Whole: []byte(`{"a":1}`)}
	p, err := u.Prepare(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.RefusedHeaders(), 8+1; got != want {
		t.Errorf("refused: got %d, want %d", got, want)
	}
	a, err := p.Send(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, _, err := drainAll(t, a); err != nil {
		t.Fatal(err)
	}
	if got.URL.RawQuery != "a=1&key=the%2Boperator%27s" || got.URL.Path != "/v1/x" {
		t.Errorf("target: got %s", got.URL)
	}
	for name, want := range map[string]string{"Authorization": "", "X-Api-Key": "", "Cookie": "", "X-Bad": "", "Connection": "",
		"Anthropic-Version": "2023-06-01", "X-Custom": "1", "Content-Type": "application/json", "User-Agent": "ainfera",
		"Content-Length": "7", "Accept-Encoding": "", "Idempotency-Key": "", "Transfer-Encoding": ""} {
		if have := strings.Join(got.Header.Values(name), ","); have != want {
			t.Errorf("%s: got %q, want %q", name, have, want)
		}
	}
	if got.Host == "evil" || got.ContentLength != 7 || string(body) != `{"a":1}` {
		t.Errorf("got host %s, length %d, body %s", got.Host, got.ContentLength, body)
	}
}

func TestAuthAtTheVendor(t *testing.T) {
	for _, tt := range []struct {
		auth       Auth
		name, want string
	}{
		{Bearer{Token: "operators-own"}, "Authorization", "Bearer operators-own"},
		{Header{Name: "x-api-key", Value: "operators-own"}, "X-Api-Key", "operators-own"},
		{nil, "Authorization", ""},
	} {
		f := &fakeAdapter{}
		f.open = func(string, []byte) []abi.Record {
			return []abi.Record{request(`{"method":"POST","path":"/x","framing":"json","headers":{"authorization":"stolen","X-API-KEY":"stolen"}}`),
				{Kind: abi.KindRequestBody, Payload: []byte("{}")}}
		}
		var got http.Header
		u := newUpstream(t, f, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			io.WriteString(w, "{}")
		}, func(c *Config) { c.Auth = tt.auth })
		a, err := send(t, u, chat())
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if have := strings.Join(got.Values(tt.name), "|"); have != tt.want {
			t.Errorf("%T: %s: got %q, want %q", tt.auth, tt.name, have, tt.want)
		}
		for _, v := range got {
			if strings.Contains(strings.Join(v, ""), "stolen") {
				t.Errorf("%T: the guest's credential arrived: %v", tt.auth, got)
			}
		}
	}
}

// The head that a guest sees is sorted JSON, without what is secret or noise.
func TestHeadRecord(t *testing.T) {
	a := &Answer{resp: &http.Response{StatusCode: 429, Header: http.Header{
		"Retry-After": {"3"}, "Content-Type": {"application/json"}, "Set-Cookie": {"secret"}, "Cf-Ray": {"1"}, "Date": {"x"}, "X-A": {"1", "2"}}}}
	got, want := string(a.head().Payload), `{"status":429,"headers":{"content-type":"application/json","retry-after":"3","x-a":"1, 2"}}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
