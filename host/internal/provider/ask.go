package provider

import (
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// An Ask is one call for one upstream. The upstream keeps its slices until the answer is closed and writes to none.
type Ask struct {
	// Op is abi.OpChat, the default, or abi.OpCount.
	Op string
	// Stream says that the caller wants the answer as it comes.
	Stream bool
	// Verbatim puts the call on the verbatim lane: Whole is sent, and the vendor's own bytes come back. The adapter must
	// list the feature.
	Verbatim bool
	// Thinking says that the catalogue's entry can.
	Thinking bool
	// Model is the vendor's name for the model, Slug the catalogue's.
	Model, Slug string
	// MaxTokens is what may be answered, MaxOutput what the entry has, both in tokens; 0 is unknown.
	MaxTokens, MaxOutput int
	// Version and Beta are the caller's anthropic-version and anthropic-beta. A header that lists several betas may be
	// one element.
	Version string
	Beta    []string
	// Body is the caller's body in the Anthropic shape, for the translated lane: JSON, with its large base64 strings
	// replaced by references into Refs. Refs hold the text between the quotes.
	Body []byte
	Refs [][]byte
	// Whole is the body for the verbatim lane: JSON, the host's edits made.
	Whole []byte
	// InferenceID is ours, for the log. Attempt is the try's place in what the row lists, from 0. A simulated vendor is
	// told both.
	InferenceID string
	Attempt     int
}

// records are what the guest's stream is opened with.
func (a *Ask) records(settings []byte) []abi.Record {
	recs := []abi.Record{{Kind: abi.KindOpen, Payload: a.appendOpen(make([]byte, 0, 256+len(settings)), settings)}}
	if !a.Verbatim {
		recs = append(recs, abi.Record{Kind: abi.KindBody, Payload: a.Body})
	}
	return recs
}

// appendOpen writes KindOpen. The order of the fields is the wire's: a guest's fuel and its repro depend on the bytes.
// What is zero is left out.
func (a *Ask) appendOpen(b, settings []byte) []byte {
	op := a.Op
	if op == "" {
		op = abi.OpChat
	}
	b = jwrite.AppendString(append(b, `{"op":`...), op)
	if a.Stream {
		b = append(b, `,"stream":true`...)
	}
	b = jwrite.AppendString(append(b, `,"model":`...), a.Model)
	if a.Slug != "" {
		b = jwrite.AppendString(append(b, `,"slug":`...), a.Slug)
	}
	if a.MaxTokens != 0 {
		b = jwrite.AppendInt(append(b, `,"max_tokens":`...), a.MaxTokens)
	}
	if a.MaxOutput != 0 {
		b = jwrite.AppendInt(append(b, `,"max_output":`...), a.MaxOutput)
	}
	if a.Thinking {
		b = append(b, `,"thinking":true`...)
	}
	if a.Version != "" {
		b = jwrite.AppendString(append(b, `,"anthropic_version":`...), a.Version)
	}
	if beta := split(a.Beta); len(beta) > 0 {
		b = append(b, `,"beta":[`...)
		for _, name := range beta {
			b = jwrite.AppendString(jwrite.AppendComma(b), name)
		}
		b = append(b, ']')
	}
	b = append(append(b, `,"settings":`...), settings...)
	if a.Verbatim {
		b = append(b, `,"verbatim":true`...)
	}
	return append(b, '}')
}

// split is the elements of a list header, however they were spread over lines.
func split(values []string) []string {
	var out []string
	for _, v := range values {
		for _, e := range strings.Split(v, ",") {
			if e = strings.TrimSpace(e); e != "" {
				out = append(out, e)
			}
		}
	}
	return out
}
