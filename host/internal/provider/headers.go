package provider

import (
	"net/http"
	"strings"
)

// forbidden are the headers that nobody but the host may set: those that carry credentials, those that frame the
// message, and those that would have the vendor believe somebody else is asking.
var forbidden = map[string]bool{
	"authorization": true, "proxy-authorization": true, "x-api-key": true, "api-key": true, "x-goog-api-key": true,
	"x-auth-token": true, "cookie": true, "cookie2": true,
	"host": true, "content-length": true, "transfer-encoding": true, "connection": true, "keep-alive": true,
	"proxy-connection": true, "te": true, "trailer": true, "upgrade": true, "expect": true, "accept-encoding": true,
	"content-encoding": true, "http2-settings": true,
	"forwarded": true, "via": true, "x-real-ip": true, "idempotency-key": true, "x-idempotency-key": true,
	"x-http-method-override": true, "x-http-method": true, "x-method-override": true,
}

// forbiddenPrefixes are families of such headers: AWS's are what a request is signed by, and our own are for our callers.
var forbiddenPrefixes = []string{"proxy-", "x-forwarded-", "x-amz-security-", "x-amz-date", "x-amz-content-sha256", "x-ainfera-"}

// allowed says whether a guest may set this header. own is the name that the
// provider's authentication uses, in any case.
func allowed(name, value, own string) bool {
	low := strings.ToLower(name)
	if forbidden[low] || own != "" && low == strings.ToLower(own) || !isToken(name) || !isFieldValue(value) {
		return false
	}
	for _, p := range forbiddenPrefixes {
		if strings.HasPrefix(low, p) {
			return false
		}
	}
	return true
}

// isToken is RFC 9110's token, which a field's name is.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue refuses what could end a field.
func isFieldValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// requestHeaders are the call's headers: the guest's, of which it counts those that it leaves out.
func requestHeaders(guest map[string]string, own string) (h http.Header, refused int) {
	h = make(http.Header, len(guest)+2)
	for name, v := range guest {
		if !allowed(name, v, own) {
			refused++
			continue
		}
		h.Set(name, v)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "ainfera")
	}
	return h, refused
}

// withheld are response headers that no adapter needs: cookies, because they are a secret, and noise, because each byte
// costs the guest a little on every call.
var withheld = map[string]bool{
	"set-cookie": true, "set-cookie2": true, "www-authenticate": true,
	"date": true, "server": true, "connection": true, "transfer-encoding": true, "content-length": true, "vary": true,
	"via": true, "alt-svc": true, "nel": true, "report-to": true, "strict-transport-security": true,
	"content-security-policy": true, "x-content-type-options": true, "x-frame-options": true, "x-robots-tag": true,
	"referrer-policy": true, "cache-control": true, "pragma": true, "expires": true, "server-timing": true,
	"x-envoy-upstream-service-time": true,
}

var withheldPrefixes = []string{"cf-", "access-control-", "cross-origin-"}

// shown says whether a guest sees a response header; low is in lower case.
func shown(low string) bool {
	if withheld[low] {
		return false
	}
	for _, p := range withheldPrefixes {
		if strings.HasPrefix(low, p) {
			return false
		}
	}
	return true
}
