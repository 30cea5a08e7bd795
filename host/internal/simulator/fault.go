package simulator

import (
	"net/http"
	"time"
)

// Fault is how one call departs from the ordinary. The zero value departs in nothing: the server's own pace, an answer,
// no break. In text, model names and headers it is written as a directive; the package doc lists the words.
type Fault struct {
	// Status answers with an error of this HTTP status, in the dialect's shape; with Body "html" or "empty" any status
	// will do, 200 included.
	Status int
	// Error answers with a named kind of error, and names the one that BreakError sends: overloaded, rate_limit, api,
	// authentication, permission, billing, not_found, invalid, too_large, timeout or context (the prompt is too long).
	// Defaults to overloaded in a stream, and to what Status means elsewhere.
	Error string
	// Message takes the place of the error's usual message.
	Message string
	// RetryAfter is how long an error asks to wait, in seconds: in the retry-after header, or in Gemini's details. 0 doesn't
	// say.
	RetryAfter int
	// ShouldRetry is the x-should-retry header of an error: "true" or "false"; empty sends none.
	ShouldRetry string
	// Body replaces what is sent: "html" is a proxy's error page, a 502 unless Status says otherwise, "empty" is nothing
	// at all, a 200 unless Status or Error do.
	Body string
	// Silent takes the call and never answers, until the client goes away or the server is closed.
	Silent bool

	// First is the wait before the first byte, and Between the one between pieces. 0 means the server's own; a negative
	// one means none.
	First, Between time.Duration
	// Chunks makes the answer's text exactly so many pieces of Size bytes (24 when 0); max_tokens does not cut it.
	Chunks, Size int
	// Batch puts so many events into one write. Defaults to 1, each event flushed on its own.
	Batch int

	// Break ends a stream the wrong way, before the piece that would follow After others, or where the answer ends if
	// it is shorter. After 0 comes before the first event. An answer in one document breaks in the nearest way it can.
	Break Break
	After int

	// Stall pauses for so long after StallAfter pieces; Heartbeat sends a ping (Anthropic) or a comment (OpenAI) as
	// often during any wait that comes after the first byte.
	Stall      time.Duration
	StallAfter int
	Heartbeat  time.Duration

	// Usage replaces what is reported.
	Usage Usage
	// Finish replaces the stop reason by one of the vendor's own, in its spelling.
	Finish string
	// Calls makes the answer call these of the offered tools, in this order.
	Calls []string
}

// Break is a wrong way for a stream to end.
type Break uint8

// The breaks.
const (
	BreakNone   Break = iota
	BreakError        // an error in the vendor's shape, then the end
	BreakCut          // the connection goes away between two events
	BreakTorn         // the connection goes away in the middle of an event
	BreakEnd          // a proper end of the body, without the closing frames
	BreakSilent       // nothing more, until the client goes away or the server is closed
)

// Usage is what a vendor reports in place of the count of the simulated tokens. A field of 0 keeps the count.
type Usage struct {
	None          bool // no usage at all
	Input, Output int  // Input includes what was cached
	CacheRead     int
	CacheWrite    int // Anthropic, at the five-minute price
}

func (f *Fault) pieceSize() int {
	if f.Size > 0 {
		return f.Size
	}
	return 24
}

func (f *Fault) overrideUsage(ans *answer) {
	u := f.Usage
	ans.noUsage = u.None
	if u.Input > 0 {
		ans.prompt = prompt{total: u.Input}
	}
	if u.CacheRead > 0 {
		ans.prompt.cacheRead = u.CacheRead
	}
	if u.CacheWrite > 0 {
		ans.prompt.cacheWrite5m = u.CacheWrite
	}
	ans.prompt.total = max(ans.prompt.total, ans.prompt.cacheRead+ans.prompt.cacheWrite5m+ans.prompt.cacheWrite1h)
	if u.Output > 0 {
		ans.outputTokens = u.Output
	}
}

// refuses says whether the call gets an error, or a foreign body, in place of an answer.
func (f *Fault) refuses() bool {
	return f.Status != 0 || f.Body != "" || (f.Error != "" && f.Break != BreakError)
}

// failure is the error that the fault stands for.
func (f *Fault) failure() *failure {
	e := failures["overloaded"]
	switch {
	case f.Error != "":
		e = failures[f.Error]
	case f.Status != 0:
		e = failureOf(f.Status)
	case f.Body == "html":
		e.status = http.StatusBadGateway
	case f.Body != "":
		e.status = http.StatusOK
	}
	if f.Status != 0 {
		e.status = f.Status
	}
	if f.Message != "" {
		e.message, e.openaiMessage, e.geminiMessage = f.Message, f.Message, f.Message
	}
	e.retryAfter = f.RetryAfter
	return &e
}
