package main

import (
	"math/bits"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// An item is one element of the answer's output.
type item struct {
	index int64 // its output_index, or noIndex
	id    string
	kind  itemKind
	done  bool
	told  uint64 // the parts that were announced, a bit each; parts from 63 on share one
	seen  uint64 // the parts under whose index text has come

	form proofText // reasoning: which of its two texts is passed on, 0 as long as none
	last int64     // reasoning: the part that came last

	call // function calls
}

type itemKind uint8

const (
	itemOther itemKind = iota
	itemMessage
	itemReasoning
	itemCall
	itemKindsEnd
	itemAny = itemKindsEnd
)

var itemKinds = map[string]itemKind{"message": itemMessage, "reasoning": itemReasoning, "function_call": itemCall}

// noIndex is the output_index of an event that has none.
const noIndex = -1

// bit is a part's.
func bit(part int64) uint64 { return 1 << min(uint64(part), 63) }

// part is the part that a delta belongs to, by the index it has. vLLM counts one up with each delta: where parts are
// announced, an index that was not is that of the last one that was.
func (it *item) part(index int64) int64 {
	it.seen |= bit(index)
	if it.told == 0 || it.told&bit(index) != 0 {
		return index
	}
	return int64(bits.Len64(it.told) - 1)
}

// missed reports whether a part of a list of so many has not come, seen being what has. Where as much has come as is
// listed all of it has, whatever it was numbered.
func missed(seen uint64, part, of int) bool {
	return seen&bit(int64(part)) == 0 && bits.OnesCount64(seen) < of
}

// How well an item fits an event.
const (
	fitsNot   = iota
	fitsAlone // the event says nothing of which item it is
	fitsIndex // by its index; the names differ, or one has none
	fitsName  // by its name; the indexes differ
	fitsInAll
)

// fits compares an item with what an event says of its own. Copilot names an item anew with each event, so an index is
// enough; LiteLLM gives several items one index and vLLM ends an item under the next one's, so a name counts for more.
// xAI's messages of one answer all have one name, which is why one that is done is not found by it.
func (it *item) fits(index int64, name jscan.Value) int {
	named := len(name.Escaped()) > 0
	same := named && (name.Equal(it.id) || name.Equal(it.callID))
	counted := index != noIndex && it.index != noIndex
	switch {
	case same && (!counted || index == it.index):
		return fitsInAll
	case same && !it.done:
		return fitsName
	case counted && index == it.index && !(named && it.id != "" && it.done):
		return fitsIndex
	case !counted && !named && !it.done:
		return fitsAlone
	}
	return fitsNot
}

// known is the item of a kind that an event belongs to, nil when it has not been heard of.
func (s *stream) known(kind itemKind, index int64, name jscan.Value) (found *item) {
	best := fitsNot
	for i := len(s.items) - 1; i >= 0 && best < fitsInAll; i-- {
		it := s.items[i]
		if it.kind != kind && kind != itemAny {
			continue
		}
		if fit := it.fits(index, name); fit > best {
			found, best = it, fit
		}
	}
	return found
}

// item is the item that an event belongs to. One whose beginning was not announced begins here.
func (s *stream) item(e *event, kind itemKind, out *sdk.Events) *item {
	index := e[eventIndex].IntOr(noIndex)
	if it := s.known(kind, index, e[eventItemID]); it != nil {
		return it
	}
	return s.add(&item{index: index, id: e[eventItemID].String(), kind: kind}, out)
}

// add begins an item. One that is no message, reasoning or call is nothing that a caller asked for: it is skipped, and
// counted once.
func (s *stream) add(it *item, out *sdk.Events) *item {
	s.start(out)
	s.items = append(s.items, it)
	if it.kind == itemOther {
		out.Skipped(1)
	}
	return it
}

// added reads response.output_item.added. One that is announced again, or late, is the same.
func (s *stream) added(e *event, out *sdk.Events) {
	var f itemFields
	e[eventItem].Pick(f[:], itemKeys[:]...)
	kind, index := f.kind(), e[eventIndex].IntOr(noIndex)
	it := s.known(kind, index, f.name())
	if it == nil || it.done || it.index != index || it.fits(index, f.name()) != fitsInAll {
		it = s.add(&item{index: index, id: f[itemID].String(), kind: kind}, out)
	}
	if it.kind == itemCall {
		s.describe(it, &f, out)
	}
}

// partAdded reads the announcement of a part.
func (s *stream) partAdded(e *event, out *sdk.Events) {
	it := s.known(itemAny, e[eventIndex].IntOr(noIndex), e[eventItemID])
	if it == nil {
		kind, text := partKinds[e[eventNewPart].Get("type").String()]
		if !text {
			return
		}
		it = s.item(e, kind, out)
	}
	it.told |= bit(e.part())
}

// partKinds are the items that have parts of a type.
var partKinds = map[string]itemKind{
	"output_text": itemMessage, "refusal": itemMessage, "reasoning_text": itemReasoning, "summary_text": itemReasoning,
}

// completed reads response.output_item.done, which says all of the item again.
func (s *stream) completed(e *event, out *sdk.Events) {
	var f itemFields
	e[eventItem].Pick(f[:], itemKeys[:]...)
	name := e[eventItemID]
	if name == nil {
		name = f.name()
	}
	kind, index := f.kind(), e[eventIndex].IntOr(noIndex)
	it := s.known(kind, index, name)
	if it == nil && kind == itemCall {
		it = s.again(&f)
	}
	switch {
	case it == nil:
		it = s.add(&item{index: index, id: f[itemID].String(), kind: kind}, out)
	case it.done:
		return // said twice
	}
	s.complete(it, &f, out)
}

// complete passes on what an item's end says and its deltas didn't.
func (s *stream) complete(it *item, f *itemFields, out *sdk.Events) {
	it.done = true
	switch it.kind {
	case itemMessage:
		s.messageDone(it, f, out)
	case itemReasoning:
		s.reasoningDone(it, f, out)
	case itemCall:
		s.describe(it, f, out)
		s.callDone(it, f[itemArguments], out)
	}
}
