package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/schema"
)

// maxIdempotencyKey is the longest Idempotency-Key, in bytes: what the published APIs take.
const maxIdempotencyKey = 255

// Keys is what the gateway needs of the capture room for calls that carry an Idempotency-Key.
type Keys interface {
	ClaimKey(ctx context.Context, u *capture.KeyUse) (*capture.Claim, *capture.Answer, error)
	EndKey(ctx context.Context, e *capture.KeyEnd) error
}

// A heldKey is a call's hold on its Idempotency-Key. It stands between the call and its caller and keeps what goes out,
// so that a repeat of the call can be told the same. What it keeps is bounded: of a longer answer nothing is.
type heldKey struct {
	http.ResponseWriter
	claim  *capture.Claim
	ended  bool // by the call's completion or refusal, or by itself
	limit  int
	status int
	header http.Header
	body   []byte
	over   bool // past the limit
}

// Unwrap lets net/http's controller find the connection.
func (k *heldKey) Unwrap() http.ResponseWriter { return k.ResponseWriter }

func (k *heldKey) WriteHeader(status int) {
	k.status, k.header = status, k.Header().Clone()
	k.ResponseWriter.WriteHeader(status)
}

func (k *heldKey) Write(p []byte) (int, error) {
	if k.over = k.over || len(k.body)+len(p) > k.limit; k.over {
		k.body = nil
	} else {
		k.body = append(k.body, p...)
	}
	return k.ResponseWriter.Write(p)
}

// answer is what went out.
func (k *heldKey) answer() *capture.Answer {
	for _, name := range [...]string{"Content-Length", "Connection"} { // of that connection, and not of the answer
		delete(k.header, name)
	}
	return &capture.Answer{Status: k.status, Header: k.header, Body: k.body, NotKept: k.over}
}

// claimKey holds the call's Idempotency-Key, if it carries one. Where another call holds it, it waits for that one; where
// the key is answered, it answers the same, and says that the call was repeated.
func (c *call) claimKey() (repeated bool, err error) {
	key := c.r.Header.Get("Idempotency-Key")
	switch {
	case key == "":
		return false, nil
	case len(key) > maxIdempotencyKey:
		return false, fail(codeInvalidRequest, fmt.Sprintf("the Idempotency-Key is longer than %d bytes", maxIdempotencyKey))
	}
	use := &capture.KeyUse{AgentID: c.agent.ID, Endpoint: c.r.URL.Path, Key: key, Fingerprint: c.requestHash}
	claim, kept, err := c.s.cfg.Books.ClaimKey(c.r.Context(), use)
	switch {
	case errors.Is(err, capture.ErrKeyConflict):
		return false, fail(codeKeyConflict, "this Idempotency-Key was used with another body: send the same one, or use a new key")
	case err != nil:
		return false, c.unavailable("claim the idempotency key", err)
	case kept != nil:
		return c.repeat(kept)
	}
	c.key = &heldKey{ResponseWriter: c.w, claim: claim, limit: c.s.cfg.KeptAnswerBytes}
	c.w = c.key
	return false, nil
}

// repeat answers what the first call with this key was answered: its status, its headers, ids among them, and its bytes.
func (c *call) repeat(a *capture.Answer) (repeated bool, err error) {
	if a.NotKept {
		return false, fail(codeKeyNotKept, "this call was answered before, and its answer was too large to be kept: read what it was at /v1/inferences/"+a.InferenceID)
	}
	for name, values := range a.Header {
		c.w.Header()[name] = values
	}
	c.head("X-Ainfera-Replayed", "true")
	c.sent, c.repeated = true, a
	c.s.allowWrite(c.w, time.Now())
	if strings.HasPrefix(c.w.Header().Get("Content-Type"), "text/event-stream") {
		c.w.WriteHeader(a.Status)
		_ = http.NewResponseController(c.w).Flush() // a stream has no length
	} else {
		c.head("Content-Length", strconv.Itoa(len(a.Body)))
		c.w.WriteHeader(a.Status)
	}
	_, _ = c.w.Write(a.Body) // a caller that is gone can ask again
	return true, nil
}

// keyEnd is what becomes of the call's key when its caller is told err, or, without one, has been answered: a 200 and a
// refusal of the request are kept, anything else leaves the key free. It is nil where there is no key to end.
func (c *call) keyEnd(err error) *capture.KeyEnd {
	if c.key == nil || c.key.ended {
		return nil
	}
	var a *capture.Answer
	switch {
	case err != nil:
		a = c.keptRefusal(err)
	case c.done.Status == schema.StatusSucceeded, c.done.Status == schema.StatusCancelledClient && c.sent && !c.req.Stream:
		a = c.key.answer() // whole, also where the caller was gone before it had all of it
	}
	if a == nil {
		return c.key.claim.Free()
	}
	if c.booked != nil {
		a.InferenceID = c.inferenceID
	}
	end, perr := c.key.claim.Answer(a)
	if perr != nil {
		c.s.cfg.Logger.Error("answer not kept for its idempotency key", "request-id", c.id, "error", perr)
		return c.key.claim.Free()
	}
	return end
}

// keptRefusal is the answer that err is going to be, or nil where it is none to keep. A refusal for now, 429, holds only
// as long as it says itself.
func (c *call) keptRefusal(err error) *capture.Answer {
	var e *apiError
	if !errors.As(err, &e) || e.status < 400 || e.status > 499 {
		return nil
	}
	told := &heldKey{ResponseWriter: nobody(c.w.Header().Clone()), limit: c.s.cfg.KeptAnswerBytes}
	e.write(told, c.dialect, c.id)
	a := told.answer()
	if e.status == http.StatusTooManyRequests {
		a.For = max(e.retryAfter, time.Second)
	}
	return a
}

// endKey ends the key of a call that ended without a row to do it with. It is deferred from where the key is claimed, so
// that every way out passes, a panic too.
func (c *call) endKey(err error) {
	end := c.keyEnd(err)
	if end == nil {
		return
	}
	c.key.ended = true
	ctx, cancel := c.lasting()
	defer cancel()
	if err := c.s.cfg.Books.EndKey(ctx, end); err != nil {
		c.s.cfg.Logger.Warn("idempotency key not ended: it will be free when the store is back", "request-id", c.id, "error", err)
	}
}

// keyEnded notes that a row took the key's end with it.
func (c *call) keyEnded() {
	if c.key != nil {
		c.key.ended = true
	}
}

// reportRepeat is report for a call that was answered from what was kept.
func (c *call) reportRepeat() {
	d := c.s.cfg.Now().Sub(c.start)
	c.s.cfg.Metrics.Replayed(c.repeated.Status)
	c.s.cfg.Logger.Info("call repeated", "request-id", c.id, "first-request-id", requestID(c.w), "inference-id", c.repeated.InferenceID,
		"agent", c.agent.Name, "status", c.repeated.Status, "ms", d.Milliseconds())
}

// nobody is a caller of whom there are only the headers.
type nobody http.Header

func (n nobody) Header() http.Header       { return http.Header(n) }
func (nobody) WriteHeader(int)             {}
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
