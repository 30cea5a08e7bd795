package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk/jscan"
)

// A signature is what Gemini calls a thoughtSignature: its own state, as base64, on whichever part it put it. Only the
// same part may bring it back, and newer models refuse a call without it. Anthropic's clients keep signatures on thinking
// blocks alone, so it becomes the signature of one, with a mark that says where it was:
//
//	[thought][call, signed]     thinking (signed onCall), tool_use
//	[call, signed]              thinking, empty (signed onCall), tool_use
//	[text, signed]              text, thinking, empty (signed onText)
//	[text][empty text, signed]  text, thinking, empty (signed onEmptyText)
//	[thought, signed]           thinking (signed onThought)
//
// A text's signature is passed on only where something follows the text: see stream.hold.
//
// The mark also tells these signatures from those of other vendors, which Gemini would refuse.
type signature struct {
	kind byte // one of the kinds below; 0 is none
	data string
}

const (
	onCall      = 'c'
	onText      = 't'
	onEmptyText = 'e'
	onThought   = 'p'
)

// signatureMark comes before the kind and a colon.
const signatureMark = "gemini-"

// unsigned is the signature that Google has for calls that another model made, and for those whose signature was lost.
var unsigned = signature{onCall, "skip_thought_signature_validator"}

// appendMarked appends a signature as clients get it.
func appendMarked(b []byte, kind byte, data []byte) []byte {
	return append(append(append(b, signatureMark...), kind, ':'), data...)
}

// readSignature reads a signature that appendMarked wrote; ours is false for every other.
func readSignature(v jscan.Value) (s signature, ours bool) {
	text, ok := strings.CutPrefix(v.String(), signatureMark)
	if !ok || len(text) < 3 || text[1] != ':' {
		return s, false
	}
	s = signature{text[0], text[2:]}
	switch s.kind {
	case onCall, onText, onEmptyText, onThought:
		return s, isBase64(s.data)
	}
	return s, false
}

// isBase64 knows both alphabets. Anything else would have to be escaped, and be refused.
func isBase64(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '=') {
			return false
		}
	}
	return s != ""
}
