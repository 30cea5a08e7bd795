package route

import (
	"errors"
	"fmt"
	"strings"
)

// Codes of refusals; they are stable, since callers branch on them.
const (
	CodeUnknownModel     = "not_found"
	CodeAliasExpired     = "alias_expired"
	CodeModelUnavailable = "model_unavailable"
	CodeInvalidHint      = "invalid_routing_hint"
	CodeTools            = "tools_not_supported_by_backend"
	CodeImages           = "images_not_supported_by_backend"
	CodeDocuments        = "documents_not_supported_by_backend"
	CodeTooLarge         = "request_too_large_for_any_model"
	CodeFloor            = "no_candidate_clears_floor"
	CodePerCallCap       = "per_call_cap_exceeded"
	CodeDailyCap         = "daily_cap_exceeded"
	CodePolicyFailed     = "policy_failed"
)

// A Refusal says why no model may serve. Plan is what had been found out by then, for the record; it is nil when the call
// isn't one that a row is written for.
type Refusal struct {
	Code    string
	Message string
	Backend string // the models that were asked, where a need refused
	Hint    string // what the caller can do
	Param   string // the caller's field or header that is wrong, where one is
	// Model and Provider are the entry that is unavailable, and where it would run.
	Model, Provider string
	Plan            *Plan
	Err             error // the policy's failure, for the operator's log; never shown to a caller
}

// Error is the caller's message.
func (r *Refusal) Error() string { return r.Message }

// Unwrap gives the policy's failure.
func (r *Refusal) Unwrap() error { return r.Err }

// refusalForNeed names the backend that was asked and what to do about it.
func refusalForNeed(need Need, asked []*Entry, pinned bool) *Refusal {
	codes := map[Need]string{NeedTools: CodeTools, NeedImages: CodeImages, NeedDocuments: CodeDocuments}
	slugs := make([]string, 0, len(asked))
	for _, e := range asked {
		slugs = append(slugs, e.Slug)
	}
	backend := strings.Join(slugs[:min(len(slugs), 8)], ", ")
	hint := "remove the " + string(need) + " from the request, or ask the operator to enrol a model that can take them"
	if pinned {
		hint = "remove the " + string(need) + " from the request, or pin a model that can take them, or ask for a routed one"
	}
	return &Refusal{Code: codes[need], Backend: backend, Hint: hint,
		Message: "the request has " + string(need) + ", which " + backend + " can't take: " + hint}
}

func unavailable(e *Entry, why string) *Refusal {
	return &Refusal{Code: CodeModelUnavailable, Model: e.Slug, Provider: e.Deployments[0].Provider, Message: fmt.Sprintf("model %q %s", e.Slug, why)}
}

// AsRefusal finds a Refusal in err.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}
