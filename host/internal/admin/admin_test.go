package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDoors(t *testing.T) {
	ready := false
	h := New(Config{Token: "s3cret", Ready: func() bool { return ready }, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})})
	for _, tc := range []struct {
		name, path, token string
		ready             bool
		want              int
	}{
		{"NotReady", "/ready", "", false, 503},
		{"Ready", "/ready", "", true, 200},
		{"Metrics", "/metrics", "", false, 200},
		{"ErrNoToken", "/debug/pprof/cmdline", "", false, 401},
		{"ErrWrongToken", "/debug/pprof/cmdline", "Bearer nope", false, 401},
		{"ErrBareToken", "/debug/pprof/cmdline", "s3cret", false, 401},
		{"Token", "/debug/pprof/cmdline", "Bearer s3cret", false, 200},
		{"TokenOfABearerInLowerCase", "/debug/pprof/cmdline", "bearer s3cret", false, 200},
		{"ErrElsewhere", "/v1/messages", "Bearer s3cret", false, 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ready = tc.ready
			r := httptest.NewRequest("GET", tc.path, nil)
			if tc.token != "" {
				r.Header.Set("Authorization", tc.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("got %d, want %d", w.Code, tc.want)
			}
		})
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/debug/pprof/cmdline", nil)
	r.Header.Set("Authorization", "Bearer ")
	New(Config{Ready: func() bool { return true }, Metrics: http.NotFoundHandler()}).ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("an empty token lets in: %d", w.Code)
	}
}
