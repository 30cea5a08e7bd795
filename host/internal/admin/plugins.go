package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/plugins"
)

// Plugins is what operators may do with the versions of plugins.
type Plugins interface {
	List() []plugins.Status
	Inspect(ctx context.Context, name string) (plugins.Detail, error)
	Stage(ctx context.Context, name string, s plugins.Staging) (digest string, err error)
	Activate(ctx context.Context, name, digest string, o plugins.Order) error
	Rollback(ctx context.Context, name string, o plugins.Order) error
}

var _ Plugins = (*plugins.Registry)(nil)

const (
	// maxModuleBytes is the largest module that is read; the sandbox has a limit of its own.
	maxModuleBytes = 64 << 20
	maxOrderBytes  = 64 << 10
	// maxWait is how long an activation may wait for a version to drain, whatever the operator asks for.
	maxWait = time.Hour
	// SignatureHeader carries a module's Ed25519 signature beside its bytes, standard base64.
	SignatureHeader = "X-Ainfera-Signature"
)

// An Order is the body of activate and rollback.
type Order struct {
	// Digest is the version's, which may be cut short; activate only.
	Digest string `json:"digest,omitempty"`
	// Actor and Reason are written down. Actor defaults to "operator".
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Wait is how long an activation may wait for the oldest version to drain: "30s". Defaults to not at all.
	Wait string `json:"wait,omitempty"`
}

// An Error is the body of every answer that is none.
type Error struct {
	Message string `json:"error"`
	Code    string `json:"code"`
	// Step is the check that a module failed.
	Step string `json:"step,omitempty"`
}

// pluginRoutes adds the plugins to a router that asks for the token.
func pluginRoutes(m *mux.Router, p Plugins) {
	m.HandleFunc("/plugins", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"plugins": p.List()})
	}).Methods(http.MethodGet)
	m.HandleFunc("/plugins/{name}", named(func(w http.ResponseWriter, r *http.Request, name string) error {
		return inspected(w, r, p, name)
	})).Methods(http.MethodGet)
	m.HandleFunc("/plugins/{name}/stage", named(func(w http.ResponseWriter, r *http.Request, name string) error {
		module, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxModuleBytes))
		if err != nil {
			return &badRequest{fmt.Errorf("read the module: %w", err)}
		}
		_, err = p.Stage(r.Context(), name, plugins.Staging{Bytes: module, Signature: r.Header.Get(SignatureHeader), Digest: r.URL.Query().Get("digest")})
		if err != nil {
			return err
		}
		return inspected(w, r, p, name)
	})).Methods(http.MethodPost)
	m.HandleFunc("/plugins/{name}/activate", named(func(w http.ResponseWriter, r *http.Request, name string) error {
		digest, o, err := order(w, r)
		if err == nil && digest == "" {
			err = &badRequest{errors.New("no digest")}
		}
		if err == nil {
			err = p.Activate(r.Context(), name, digest, o)
		}
		if err != nil {
			return err
		}
		return inspected(w, r, p, name)
	})).Methods(http.MethodPost)
	m.HandleFunc("/plugins/{name}/rollback", named(func(w http.ResponseWriter, r *http.Request, name string) error {
		_, o, err := order(w, r)
		if err == nil {
			err = p.Rollback(r.Context(), name, o)
		}
		if err != nil {
			return err
		}
		return inspected(w, r, p, name)
	})).Methods(http.MethodPost)
}

// inspected answers with the plugin as it is now.
func inspected(w http.ResponseWriter, r *http.Request, p Plugins, name string) error {
	d, err := p.Inspect(r.Context(), name)
	if err == nil {
		answer(w, d)
	}
	return err
}

// order reads who wants what.
func order(w http.ResponseWriter, r *http.Request) (digest string, o plugins.Order, err error) {
	var in Order
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrderBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return "", o, &badRequest{fmt.Errorf("read the order: %w", err)}
	}
	o = plugins.Order{Actor: in.Actor, Reason: in.Reason}
	if o.Actor == "" {
		o.Actor = "operator"
	}
	if in.Wait != "" {
		if o.Wait, err = time.ParseDuration(in.Wait); err != nil || o.Wait < 0 || o.Wait > maxWait {
			return "", o, &badRequest{fmt.Errorf("wait: expected a duration of at most %s such as \"30s\", got %q", maxWait, in.Wait)}
		}
	}
	return in.Digest, o, nil
}

// named unescapes the plugin's name, which may hold a slash, and answers errors.
func named(h func(w http.ResponseWriter, r *http.Request, name string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, err := url.PathUnescape(mux.Vars(r)["name"])
		if err != nil {
			err = &badRequest{err}
		} else {
			err = h(w, r, name)
		}
		if err != nil {
			refuse(w, err)
		}
	}
}

// reloadRoute adds POST /reload.
func reloadRoute(m *mux.Router, reload func(context.Context) (json.RawMessage, error)) {
	m.HandleFunc("/reload", func(w http.ResponseWriter, r *http.Request) {
		out, err := reload(r.Context())
		if err == nil {
			answer(w, out)
			return
		}
		// What was made before the error, an agent's key among it, can't be had again.
		writeJSON(w, http.StatusUnprocessableEntity, struct {
			Error
			Made json.RawMessage `json:"made,omitempty"`
		}{Error{Message: err.Error(), Code: "not_reloaded"}, out})
	}).Methods(http.MethodPost)
}

// A badRequest is an operator's mistake in the request itself.
type badRequest struct{ err error }

func (e *badRequest) Error() string { return e.err.Error() }

// refuse answers an error with the status that it means.
func refuse(w http.ResponseWriter, err error) {
	out := Error{Message: err.Error()}
	var status int
	var refusal *plugins.Refusal
	var drain *plugins.DrainError
	var bad *badRequest
	switch {
	case errors.As(err, &bad):
		status, out.Code = http.StatusBadRequest, "bad_request"
	case errors.As(err, &refusal):
		status, out.Code, out.Step = http.StatusUnprocessableEntity, "refused", refusal.Step
	case errors.As(err, &drain):
		status, out.Code = http.StatusConflict, "draining"
	case errors.Is(err, plugins.ErrUnknown):
		status, out.Code = http.StatusNotFound, "unknown_plugin"
	case errors.Is(err, plugins.ErrNoVersion):
		status, out.Code = http.StatusNotFound, "unknown_version"
	case errors.Is(err, plugins.ErrAmbiguous):
		status, out.Code = http.StatusConflict, "ambiguous"
	case errors.Is(err, plugins.ErrNothingBefore):
		status, out.Code = http.StatusConflict, "nothing_before"
	case errors.Is(err, capture.ErrUnavailable):
		status, out.Code = http.StatusServiceUnavailable, "store_unavailable"
	default:
		status, out.Code = http.StatusInternalServerError, "failed"
	}
	writeJSON(w, status, out)
}

func answer(w http.ResponseWriter, v any) { writeJSON(w, http.StatusOK, v) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written as JSON","code":"failed"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an operator who is gone needs no answer
}
