package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// OpenRouter's reasoning_details are what the vendor behind it needs to see again in the next turn: Gemini refuses a tool's
// result without. One that can't be read becomes a redacted_thinking block, and the signature of one that can that of its
// thinking block, each with a mark that tells it from other vendors' and the rest of the detail as JSON:
//
//	reasoning_details:{"type":"reasoning.encrypted","data":"…","format":"google-gemini-v1","index":0}
//
// Their readable text is the block's own and goes back into the detail from there.
const (
	detailField = "reasoning_details"
	detailMark  = detailField + ":"
)

// keepDetails passes on the details that the vendor will want back.
func (s *stream) keepDetails(details jscan.Value, out *sdk.Events) {
	for d := range details.Items() {
		switch {
		case d.Get("type").Equal("reasoning.encrypted"):
			s.leave(out)
			out.RedactedThinking(s.take(), appendDetail(append(s.scratch[:0], detailMark...), d, nil))
		case len(d.Get("signature").Escaped()) > 0: // most are null
			s.enter(runThinking, out)
			out.Signature(s.block, appendDetail(append(s.scratch[:0], detailMark...), d, nil))
			s.leave(out)
		}
	}
}

// appendDetail appends a detail with text as its text, or without any.
func appendDetail(b []byte, d, text jscan.Value) []byte {
	b = append(b, '{')
	for key, v := range d.Fields() {
		if string(key) != "text" {
			b = append(jwrite.AppendKey(b, string(key)), v...)
		}
	}
	if len(text) > 2 {
		b = append(jwrite.AppendKey(b, "text"), text...)
	}
	return append(b, '}')
}

// A detail is one on its way back, with the text of its block.
type detail struct{ v, text jscan.Value }

// readDetail reads what keepDetails wrote; ours is false for everything else.
func readDetail(proof, text jscan.Value) (d detail, ours bool) {
	rest, ok := strings.CutPrefix(proof.String(), detailMark)
	if !ok {
		return d, false
	}
	v, err := jscan.Parse([]byte(rest))
	return detail{v, text}, err == nil && v.Kind() == jscan.Object
}
