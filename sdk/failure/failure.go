// Package failure reads what vendors say when they fail.
//
// No two say it alike, and the ones that copy each other's protocol don't copy each other's errors, so this is one
// reader for all: Answer for an HTTP error, Find for an error object inside a stream that began well. It looks at the
// status first, then at codes that leave no doubt, then at the message, since whether a context is too long or a
// feature is missing is often said nowhere else and decides whether another model is tried.
package failure

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A Failure is what Events.Error takes.
type Failure struct {
	// Kind is one of abi's error kinds.
	Kind string
	// Message is the vendor's own text.
	Message string
	// RetryAfterMS is 0 when the vendor doesn't say.
	RetryAfterMS int64
}

// Emit writes the failure as an event.
func (f Failure) Emit(out *sdk.Events) { out.Error(f.Kind, f.Message, f.RetryAfterMS) }

// maxText is how much of a body that is no JSON may become a message.
const maxText = 500

// Answer judges an answer with an error status. body may be empty, no JSON, or cut short.
func Answer(h *sdk.Head, body []byte) Failure {
	doc, err := jscan.Parse(body)
	if err != nil {
		f := Failure{Kind: kindOfStatus(h.Status), Message: plainText(body), RetryAfterMS: h.RetryAfterMS()}
		return f.complete(h.Status)
	}
	s, ok := said(doc)
	if !ok {
		s.message = doc.String() // SiliconFlow's are a text and nothing else
	}
	s.status = h.Status
	f := s.failure()
	if wait := h.RetryAfterMS(); wait > 0 {
		f.RetryAfterMS = wait
	} else if s.reset != "" {
		f.RetryAfterMS = h.ResetMS(s.reset)
	}
	return f.complete(h.Status)
}

// Find reports whether doc, an element of a stream or a document with a good status, is an error.
func Find(doc jscan.Value) (Failure, bool) {
	s, ok := said(doc)
	if !ok {
		return Failure{}, false
	}
	return s.failure().complete(s.status), true
}

// complete gives a failure without words some.
func (f Failure) complete(status int) Failure {
	if f.Message == "" {
		f.Message = "the vendor failed and did not say why"
		if status > 0 {
			f.Message = "the vendor answered with status " + digits(status) + " and did not say why"
		}
	}
	return f
}

// digits writes an HTTP status.
func digits(status int) string {
	return string([]byte{'0' + byte(status/100%10), '0' + byte(status/10%10), '0' + byte(status%10)})
}

// plainText makes a message of a body that is no JSON. A page of HTML says nothing to anyone.
func plainText(body []byte) string {
	s := strings.TrimSpace(string(body[:min(len(body), maxText)]))
	if strings.HasPrefix(s, "<") || strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		return ""
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// failure judges what was said.
func (s *saying) failure() Failure {
	f := Failure{Message: s.message}
	switch {
	case s.status >= 400:
		f.Kind = kindOfStatus(s.status)
	case s.kindOfWords(general) != "":
		f.Kind = s.kindOfWords(general)
	default:
		f.Kind = abi.ErrAPI
	}
	lower := strings.ToLower(s.message)
	if k := s.kindOfWords(certain); k != "" {
		f.Kind = k
	} else if k := kindOfMessage(f.Kind, lower); k != "" {
		f.Kind = k
	}
	if f.Kind == abi.ErrRateLimit || f.Kind == abi.ErrOverloaded {
		if f.RetryAfterMS, _ = sdk.ParseWait(s.delay); f.RetryAfterMS == 0 {
			f.RetryAfterMS = tryAgainIn(lower)
		}
	}
	return f
}

// tryAgainIn finds the wait that a message asks for: "Please try again in 4.77s."
func tryAgainIn(lower string) int64 {
	_, after, ok := strings.Cut(lower, "try again in ")
	if !ok {
		return 0
	}
	ms, _ := sdk.ParseWait(after)
	return ms
}
