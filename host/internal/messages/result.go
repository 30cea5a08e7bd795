package messages

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ainfera-ai/router/sdk/abi"
)

// Usage is what an answer cost, in tokens, cumulative. The kinds don't overlap, but for Reasoning, which is part of
// Output.
type Usage struct {
	Input        int64 // without what was read from or written to the cache
	Output       int64
	CacheRead    int64
	CacheWrite   int64 // for five minutes
	CacheWrite1h int64 // for an hour
	Reasoning    int64
}

// A Result is what is known of an answer so far. It can be asked for at any time, also of an answer that broke.
type Result struct {
	// ID and Model are the vendor's own names, empty where it gave none.
	ID, Model string

	Usage Usage
	// InputSeen and OutputSeen say that the vendor reported the field. UsageSeen says that it reported both, and the
	// output as it finally was: without it Usage is what came so far, see Settled.
	InputSeen, OutputSeen, UsageSeen bool

	// FinishReason is one of the abi.Finish constants, empty while there is none. StopReason is what the caller is told,
	// in Anthropic's words; NativeReason is the vendor's own.
	FinishReason, StopReason, NativeReason string
	StopSequence                           string
	// Complete is set when the answer reached its proper end.
	Complete bool

	Blocks    int   // content blocks
	ToolCalls int   // of them, tool_use
	TextBytes int64 // of text, thinking and arguments; on the verbatim lane with their JSON escapes
	Skipped   int   // pieces of input that the adapter did not recognise

	// SignatureHash is HashSignature of the last thinking signature, empty for none.
	SignatureHash string
	// ContentHash is hex SHA-256 of the content as it was sent: on the translated lane of each block's type and content,
	// streamed or not; on the verbatim lane of the data of the vendor's frames, or of its document.
	ContentHash string
}

// EstimatedOutput is an estimate of the output's tokens from its length.
func (r Result) EstimatedOutput() int64 { return EstimateText(r.TextBytes) }

// Settled is the usage to book: what the vendor reported, and estimates of what it did not. The output of an answer that
// broke off is what it held, where that is more than the vendor had counted when it last said so; and its input is
// estimated where the vendor had said no more than zero, as those do that count at the end.
func (r Result) Settled(estimatedInput int64) (u Usage, estimated bool) {
	u = r.Usage
	if !r.InputSeen || !r.Complete && !r.inputCounted() {
		u.Input, estimated = max(u.Input, estimatedInput), true
	}
	if !r.UsageSeen {
		if guess := r.EstimatedOutput(); guess > u.Output || !r.OutputSeen {
			u.Output, estimated = max(u.Output, guess), true
		}
	}
	return u, estimated
}

// inputCounted says that the vendor has counted input, wherever it came from.
func (r *Result) inputCounted() bool {
	return r.Usage.Input+r.Usage.CacheRead+r.Usage.CacheWrite+r.Usage.CacheWrite1h > 0
}

// HashSignature names a thinking signature without keeping it: hex of 16 bytes, empty for an empty one. The hash of a
// signature that was sent is the hash of the signature that comes back.
func HashSignature(signature []byte) string {
	if len(signature) == 0 {
		return ""
	}
	sum := sha256.Sum256(signature)
	return hex.EncodeToString(sum[:16])
}

// stopReasons maps the abi.Finish constants to Anthropic's stop reasons.
var stopReasons = map[string]string{
	abi.FinishStop:          "end_turn",
	abi.FinishLength:        "max_tokens",
	abi.FinishToolCalls:     "tool_use",
	abi.FinishContentFilter: "refusal",
	abi.FinishPause:         "pause_turn",
}

// finishReason is the inverse, for what vendors of the Anthropic dialect say. What it doesn't know is a stop.
func finishReason(stop string) string {
	switch stop {
	case "":
		return ""
	case "max_tokens", "model_context_window_exceeded":
		return abi.FinishLength
	case "tool_use":
		return abi.FinishToolCalls
	case "refusal":
		return abi.FinishContentFilter
	case "pause_turn":
		return abi.FinishPause
	}
	return abi.FinishStop
}
