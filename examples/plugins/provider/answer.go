package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/failure"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// An answer is read piece by piece: the host calls Head, then Frame for every event, then End.
type answer struct {
	failure.Watch // has Head, which comes first: an error status is followed by one document, which says more

	started bool
	failed  bool
	stopped bool

	blocks uint16 // given out so far
	text   uint16 // the open block of text, while inText
	inText bool
	calls  []call
}

// A call is a tool call whose arguments may still be coming.
type call struct {
	index int64 // the vendor's
	block uint16
}

var _ sdk.Stream = (*answer)(nil)

// reasons are the vendor's words for why it stopped.
var reasons = map[string]string{
	"stop": abi.FinishStop, "length": abi.FinishLength, "tool_calls": abi.FinishToolCalls, "content_filter": abi.FinishContentFilter,
}

// Frame is one event of the stream, or the whole document where none was asked for.
func (a *answer) Frame(f sdk.Frame, out *sdk.Events) {
	switch {
	case a.Refused():
		a.fail(a.Failure(f.Data), out)
		return
	case a.failed, string(f.Data) == "[DONE]":
		return
	}
	doc, err := jscan.Parse(f.Data)
	if err != nil {
		out.Skipped(1) // vendors send odd lines; the host counts them
		return
	}
	if fail, ok := failure.Find(doc); ok {
		a.fail(fail, out)
		return
	}
	if !a.started {
		a.started = true
		out.MessageStart(doc.Get("id").String(), doc.Get("model").String())
	}
	choice := doc.Get("choices").At(0)
	piece := choice.Get("delta")
	if f.Document {
		piece = choice.Get("message")
	}
	a.read(piece, out)
	if u := doc.Get("usage"); u.Kind() == jscan.Object {
		usage := sdk.UnknownUsage()
		usage.Input, usage.Output = u.Get("prompt_tokens").IntOr(sdk.Unknown), u.Get("completion_tokens").IntOr(sdk.Unknown)
		out.Usage(usage)
	}
	if why := choice.Get("finish_reason"); why.Kind() == jscan.String && !a.stopped {
		a.stopped = true
		out.Stop(reasonOf(why.String()), why.String(), "")
	}
}

// read takes the text and the tool calls of a piece.
func (a *answer) read(piece jscan.Value, out *sdk.Events) {
	if text := piece.Get("content"); text.Kind() == jscan.String && len(text) > len(`""`) {
		if !a.inText {
			a.inText, a.text = true, a.next()
		}
		out.Text(a.text, text.Bytes(nil))
	}
	for c := range piece.Get("tool_calls").Items() {
		a.inText = false // text after a call is a block of its own
		function := c.Get("function")
		index := c.Get("index").IntOr(int64(len(a.calls)))
		block, known := a.find(index)
		if !known {
			block = a.next()
			a.calls = append(a.calls, call{index, block})
			out.ToolStart(block, sdk.ClientToolID(c.Get("id").String()), function.Get("name").String())
		}
		out.ToolDelta(block, function.Get("arguments").Bytes(nil))
	}
}

// End is where what was held back would go out. An answer that ended before the vendor said why was cut.
func (a *answer) End(why abi.EndReason, out *sdk.Events) {
	switch {
	case why != abi.EndOfBody, a.stopped, a.failed:
	case a.Refused():
		a.fail(a.Failure(nil), out)
	default:
		a.fail(failure.Failure{Kind: abi.ErrAPI, Message: "the vendor's answer ended in its middle"}, out)
	}
}

func (a *answer) fail(f failure.Failure, out *sdk.Events) {
	if !a.failed {
		a.failed = true
		f.Emit(out)
	}
}

// next is the number of a new block.
func (a *answer) next() uint16 {
	a.blocks++
	return a.blocks - 1
}

func (a *answer) find(index int64) (uint16, bool) {
	for _, c := range a.calls {
		if c.index == index {
			return c.block, true
		}
	}
	return 0, false
}

func reasonOf(native string) string {
	if r := reasons[native]; r != "" {
		return r
	}
	return abi.FinishStop
}
