// Package messages is the Anthropic Messages dialect: what callers send and what they are answered.
//
// Inbound, [ParseRequest] reads a body in one pass into the facts that routing needs, and the [Request] it returns makes
// the body that goes upstream: [Request.Edit] changes what must change and no other byte, [Request.EditSegments] takes
// large base64 strings out for a guest, too.
//
//	req, err := messages.ParseRequest(body)     // *RequestError: a 400
//	body, edits := req.Edit(messages.EditSpec{Model: upstream, MaxTokens: limit})
//
// Outbound, the grammar of an answer is held by one of two. On the translated lane a [Writer] turns a guest's events into
// frames; on the verbatim lane a [Tap] reads along while the vendor's frames pass. Both end in the same [Result].
//
//	w := messages.NewWriter(messages.WriterConfig{ID: id, Model: slug, EstimatedInputTokens: req.EstimatedInputTokens})
//	for each record { out, err = w.Apply(out[:0], rec) }   // *GrammarError, *VendorError
//	out, err = w.Finish(out[:0], abi.EndOfBody)            // ErrEmpty, ErrCut
//
// While [Writer.Started] (or [Tap.Started]) is false nothing has been said to the caller, and the try may fall over to
// another; afterwards an error is told by [ErrorFrame], and nothing else may follow.
package messages
