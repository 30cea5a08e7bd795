package messages

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"time"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/tidwall/gjson"
)

// maxHeldBytes bounds what waits for a block before it to be finished.
const maxHeldBytes = 8 << 20

// Bounds on one answer, far above any that a model gives. An adapter may make millions of events of a byte, and each is a frame
// of a hundred, or a block that is kept.
const (
	maxBlocks      = 4096
	maxAnswerBytes = 128 << 20
	eventBytes     = 32 // what an event counts beside its payload
)

// A WriterConfig is what a Writer must be told of the call.
type WriterConfig struct {
	ID    string // of the message, ours
	Model string // the slug that serves
	// EstimatedInputTokens stands in message_start where the vendor has not reported its own count by then.
	EstimatedInputTokens int64
	// Accumulate keeps the message, for Message: for callers who don't stream.
	Accumulate bool
}

// A Writer turns the events of one answer into Anthropic's frames. Whatever an adapter emits, what comes out obeys the
// grammar, or is an error:
//
//	message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop
//
// An adapter numbers its blocks as it likes. An event for another block than the open one closes that and opens its own,
// except while a tool's arguments are incomplete: then the newcomer waits, so that two calls that a vendor interleaves
// come out one after the other. Usage that comes before anything else is in message_start.
//
// It is not safe for concurrent use.
type Writer struct {
	cfg     WriterConfig
	started bool
	named   bool // message_start came from the adapter
	over    bool // no further event is allowed

	open    *block
	waiting []*block // behind an open tool
	held    int      // bytes that wait
	blocks  int      // that were begun, or wait to be
	weight  int      // of all events; see maxAnswerBytes
	gone    map[uint16]blockKind
	kept    []*block // of the message, where it is kept
	cut     bool     // a tool was closed with its arguments incomplete

	stopped bool // the adapter gave a stop reason
	hash    hash.Hash
	res     Result
	buf     [1]byte
}

// NewWriter returns a Writer for one answer.
func NewWriter(cfg WriterConfig) *Writer {
	return &Writer{cfg: cfg, gone: map[uint16]blockKind{}, hash: sha256.New()}
}

// Started says that message_start has been written: the try can no longer fall over to another.
func (w *Writer) Started() bool { return w.started }

// Stopped says that the adapter gave a stop reason: only usage may follow, and if the vendor then goes silent nothing is
// lost by ending.
func (w *Writer) Stopped() bool { return w.stopped }

// Done says that nothing may follow: the message is complete or has failed.
func (w *Writer) Done() bool { return w.over }

// Apply appends the frames that an event of the adapter makes. An error is a *GrammarError or a *VendorError, dst comes
// back as it was, and nothing may follow. The record isn't kept.
func (w *Writer) Apply(dst []byte, rec abi.Record) ([]byte, error) {
	if w.over {
		return dst, broken(rec, "the answer is over")
	}
	if w.weight += len(rec.Payload) + eventBytes; w.weight > maxAnswerBytes {
		w.over = true
		return dst, broken(rec, "the answer is larger than %d bytes", maxAnswerBytes)
	}
	out, err := w.apply(dst, rec)
	if err != nil {
		w.over = true
		return dst, err
	}
	return out, nil
}

func (w *Writer) apply(dst []byte, rec abi.Record) ([]byte, error) {
	switch rec.Kind {
	case abi.KindText, abi.KindThinking, abi.KindSignature, abi.KindToolDelta:
		if len(rec.Payload) == 0 { // vendors send them, and they must not open a block
			return dst, nil
		}
		return w.delta(dst, rec)
	case abi.KindCitation, abi.KindRawDelta:
		return w.delta(dst, rec)
	case abi.KindToolStart, abi.KindRawBlock, abi.KindRedactedThinking:
		return w.start(dst, rec)
	case abi.KindBlockStop:
		return w.stopBlock(dst, rec)
	case abi.KindMessageStart:
		return w.messageStart(dst, rec)
	case abi.KindUsage:
		return dst, w.usage(rec)
	case abi.KindStop:
		return w.stop(dst, rec)
	case abi.KindError:
		return dst, vendorError(rec)
	case abi.KindSkipped:
		w.res.Skipped += int(rec.Block)
		return dst, nil
	}
	return dst, broken(rec, "not an event of an answer")
}

// messageStart takes the vendor's names. When content came first the message has begun without them.
func (w *Writer) messageStart(dst []byte, rec abi.Record) ([]byte, error) {
	if w.named {
		return dst, broken(rec, "the message has started already")
	}
	if !gjson.ValidBytes(rec.Payload) {
		return dst, broken(rec, "the payload is not JSON")
	}
	w.named = true
	w.res.ID = gjson.GetBytes(rec.Payload, "id").String()
	w.res.Model = gjson.GetBytes(rec.Payload, "model").String()
	return w.begin(dst), nil
}

// begin writes message_start, once.
func (w *Writer) begin(dst []byte) []byte {
	if w.started {
		return dst
	}
	w.started = true
	dst = append(dst, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	dst = w.appendHead(dst)
	dst = append(dst, `[],"stop_reason":null,"stop_sequence":null,"usage":`...)
	dst = appendUsage(dst, w.shown())
	return append(dst, "}}\n\n"...)
}

// appendHead appends the message up to its content.
func (w *Writer) appendHead(dst []byte) []byte {
	dst = append(dst, `{"model":`...)
	dst = jwrite.AppendString(dst, w.cfg.Model)
	dst = append(dst, `,"id":`...)
	dst = jwrite.AppendString(dst, w.cfg.ID)
	return append(dst, `,"type":"message","role":"assistant","content":`...)
}

// shown is the usage that the caller is told: estimates where the vendor has reported nothing, since clients need numbers.
func (w *Writer) shown() Usage {
	u := w.res.Usage
	if !w.res.InputSeen {
		u.Input = w.cfg.EstimatedInputTokens
	}
	if !w.res.OutputSeen {
		u.Output = w.res.EstimatedOutput()
	}
	return u
}

// stop takes the stop reason, and closes what is open. message_delta waits for Finish: usage may still come.
func (w *Writer) stop(dst []byte, rec abi.Record) ([]byte, error) {
	if !gjson.ValidBytes(rec.Payload) {
		return dst, broken(rec, "the payload is not JSON")
	}
	reason := gjson.GetBytes(rec.Payload, "reason").String()
	if reason == "function_call" {
		reason = abi.FinishToolCalls
	}
	if stopReasons[reason] == "" {
		return dst, broken(rec, "unknown finish reason %q", reason)
	}
	if w.stopped { // some vendors repeat it; the first is the one that ended the content
		return dst, nil
	}
	w.stopped = true
	w.res.FinishReason = reason
	w.res.NativeReason = gjson.GetBytes(rec.Payload, "native").String()
	w.res.StopSequence = gjson.GetBytes(rec.Payload, "sequence").String()
	return w.closeAll(w.begin(dst))
}

func vendorError(rec abi.Record) error {
	if !gjson.ValidBytes(rec.Payload) {
		return broken(rec, "the payload is not JSON")
	}
	e := &VendorError{
		Kind:       gjson.GetBytes(rec.Payload, "kind").String(),
		Message:    gjson.GetBytes(rec.Payload, "message").String(),
		RetryAfter: time.Duration(gjson.GetBytes(rec.Payload, "retry_after_ms").Int()) * time.Millisecond,
	}
	if kindTypes[e.Kind] == "" {
		return broken(rec, "unknown error kind %q", e.Kind)
	}
	return e
}

// Finish appends the frames that end the message. why is how the vendor's body ended:
//
//   - EndOfBody completes the message; a vendor that gave no stop reason ended its turn, or called a tool.
//   - EndBroken does so only when the stop reason had come. Otherwise it is ErrCut.
//   - EndCancelled writes nothing, since nobody reads it.
//
// An answer that has not started, or has neither content nor stop reason nor usage, is ErrEmpty; one whose tool arguments
// are not JSON is a *GrammarError, unless it was cut by a limit. After an error the caller is to be told with ErrorFrame.
func (w *Writer) Finish(dst []byte, why abi.EndReason) ([]byte, error) {
	if w.over {
		return dst, nil
	}
	w.over = true
	switch {
	case why == abi.EndCancelled:
		return dst, nil
	case !w.started || w.res.Blocks == 0 && !w.stopped && w.res.Usage.Output == 0:
		return dst, ErrEmpty
	case why == abi.EndBroken && !w.stopped:
		return dst, ErrCut
	}
	out, err := w.closeAll(dst)
	if err != nil {
		return dst, err
	}
	w.conclude()
	if w.cut && w.res.FinishReason != abi.FinishLength && w.res.FinishReason != abi.FinishContentFilter {
		return dst, &GrammarError{Event: "end", Reason: "a tool's arguments are incomplete"}
	}
	w.res.Complete = true
	out = append(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"...)
	out = append(w.appendStop(append(out, '{')), `},"usage":`...)
	out = appendUsage(out, w.shown())
	return append(out, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"...), nil
}

// conclude settles why the message ended. A call of a tool is one, also where the vendor says stop; clients that see
// tool_use without a tool would wait for one.
func (w *Writer) conclude() {
	r := &w.res
	switch {
	case r.ToolCalls > 0 && (r.FinishReason == "" || r.FinishReason == abi.FinishStop):
		r.FinishReason = abi.FinishToolCalls
	case r.FinishReason == "", r.ToolCalls == 0 && r.FinishReason == abi.FinishToolCalls:
		r.FinishReason = abi.FinishStop
	}
	r.StopReason = stopReasons[r.FinishReason]
	if r.FinishReason != abi.FinishStop {
		r.StopSequence = ""
	} else if r.StopSequence != "" {
		r.StopReason = "stop_sequence"
	}
}

func (w *Writer) appendStop(dst []byte) []byte {
	dst = append(dst, `"stop_reason":`...)
	dst = jwrite.AppendString(dst, w.res.StopReason)
	dst = append(dst, `,"stop_sequence":`...)
	if w.res.StopSequence == "" {
		return append(dst, "null"...)
	}
	return jwrite.AppendString(dst, w.res.StopSequence)
}

// Result is what is known of the answer so far.
func (w *Writer) Result() Result {
	r := w.res
	r.UsageSeen = r.InputSeen && r.OutputSeen && (w.stopped || r.Complete)
	r.ContentHash = hex.EncodeToString(w.hash.Sum(nil))
	return r
}
