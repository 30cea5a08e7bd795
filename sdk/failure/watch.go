package failure

import "github.com/ainfera-ai/router/sdk"

// A Watch looks out for an answer with an error status, whose body comes behind its head. Embed it in a sdk.Stream, which
// then has its Head from it:
//
//	func (s *stream) Frame(f sdk.Frame, out *sdk.Events) {
//		if s.Refused() {
//			s.Failure(f.Data).Emit(out)
//			…
//
// and in End, where an error that came without a body is told, with nil for it.
type Watch struct{ head *sdk.Head }

// Head keeps the head of an answer that is an error.
func (w *Watch) Head(h *sdk.Head, _ *sdk.Events) {
	if h.Failed() {
		kept := h.Clone()
		w.head = &kept
	}
}

// Refused says that the answer is an error.
func (w *Watch) Refused() bool { return w.head != nil }

// Failure judges the error by its body, as Answer does. Only for an answer that is one.
func (w *Watch) Failure(body []byte) Failure { return Answer(w.head, body) }
