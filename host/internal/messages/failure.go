package messages

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/tidwall/gjson"
)

// ErrEmpty says that an answer ended before its first event, or without anything in it: it must not pass for a success.
var ErrEmpty = errors.New("the answer ended before its first event")

// ErrCut says that an answer ended in its middle.
var ErrCut = errors.New("the answer broke off before its end")

// A GrammarError says that an answer breaks the rules of the stream: on the translated lane the adapter's fault, on the
// verbatim lane the vendor's.
type GrammarError struct {
	Event  string // what came, as in "tool_delta of block 3"
	Reason string
}

// Error names the event and the rule.
func (e *GrammarError) Error() string { return e.Event + ": " + e.Reason }

// kindNames are for messages; they are the names that sdk/README.md uses.
var kindNames = map[abi.Kind]string{
	abi.KindMessageStart: "message_start", abi.KindText: "text", abi.KindThinking: "thinking", abi.KindSignature: "signature",
	abi.KindRedactedThinking: "redacted_thinking", abi.KindToolStart: "tool_start", abi.KindToolDelta: "tool_delta",
	abi.KindRawBlock: "raw_block", abi.KindRawDelta: "raw_delta", abi.KindCitation: "citation", abi.KindBlockStop: "block_stop",
	abi.KindUsage: "usage", abi.KindStop: "stop", abi.KindError: "error", abi.KindSkipped: "skipped",
}

func broken(rec abi.Record, format string, args ...any) error {
	name := kindNames[rec.Kind]
	if name == "" {
		name = fmt.Sprintf("event of kind %#x", uint8(rec.Kind))
	}
	return &GrammarError{Event: fmt.Sprintf("%s of block %d", name, rec.Block), Reason: fmt.Sprintf(format, args...)}
}

// A VendorError is a failure that the vendor reported inside of its answer.
type VendorError struct {
	Kind       string // one of the abi.Err constants
	Message    string // the vendor's words
	RetryAfter time.Duration
}

// Error is the vendor's message behind the kind.
func (e *VendorError) Error() string { return e.Kind + ": " + e.Message }

// Type is Anthropic's error type for it.
func (e *VendorError) Type() string {
	if t := kindTypes[e.Kind]; t != "" {
		return t
	}
	return "api_error"
}

// vendorErrorOf reads the dialect's error object, or that of another dialect: the API's kin write what their front knows.
func vendorErrorOf(data []byte) error {
	kind, wait := typeKinds[gjson.GetBytes(data, "error.type").Str], time.Duration(0)
	message := gjson.GetBytes(data, "error.message").Str
	if doc, err := jscan.Parse(data); err == nil && (kind == "" || message == "") {
		if f, ok := failure.Find(doc); ok {
			message = cmp.Or(message, f.Message)
			kind, wait = cmp.Or(kind, f.Kind), time.Duration(f.RetryAfterMS)*time.Millisecond
		}
	}
	return &VendorError{Kind: cmp.Or(kind, abi.ErrAPI), Message: cmp.Or(message, "the vendor gave no message"), RetryAfter: wait}
}

// untyped is the error that is in data of no type, nil for none: a gateway's own, or another dialect's. A caller would
// take it for an event that it doesn't know.
func untyped(data []byte) error {
	if !bytes.Contains(data, errorKey) || !gjson.ValidBytes(data) || gjson.GetBytes(data, "type").Exists() {
		return nil
	}
	switch e := gjson.GetBytes(data, "error"); {
	case e.IsObject(), e.Type == gjson.String && e.Str != "":
		return vendorErrorOf(data)
	}
	return nil
}

var errorKey = []byte(`"error"`)
