package main

import "github.com/ainfera-ai/router/sdk"

// An item is one element of the answer's output.
type item struct {
	index int64 // its output_index, or noIndex
	id    string
	kind  itemKind
	done  bool
	seen  uint64 // the parts whose text has come, a bit each; parts from 63 on share one

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
)

var itemKinds = map[string]itemKind{"message": itemMessage, "reasoning": itemReasoning, "function_call": itemCall}

// noIndex is the output_index of an event that has none.
const noIndex = -1

// mark notes that text of a part has come.
func (it *item) mark(part int64) { it.seen |= 1 << min(uint64(part), 63) }

// has reports whether a part is among those that were seen.
func has(seen uint64, part int) bool { return seen>>min(uint64(part), 63)&1 != 0 }

// known is the item that an event belongs to, nil when it has not been heard of. The index decides, since some vendors
// name an item anew with each event; without one the id does, and without either it is the last.
func (s *stream) known(e *event) *item {
	index := e[eventIndex].IntOr(noIndex)
	id := e[eventItemID]
	for i := len(s.items) - 1; i >= 0; i-- {
		switch it := s.items[i]; {
		case index != noIndex && it.index != noIndex:
			if it.index == index {
				return it
			}
		case len(id) <= 2, id.Equal(it.id):
			return it
		}
	}
	return nil
}

// at is the item at an index, nil when there is none.
func (s *stream) at(index int64) *item {
	for i := len(s.items) - 1; i >= 0; i-- {
		if s.items[i].index == index {
			return s.items[i]
		}
	}
	return nil
}

// item is the item that an event belongs to. One whose beginning was not announced begins here.
func (s *stream) item(e *event, kind itemKind, out *sdk.Events) *item {
	if it := s.known(e); it != nil && it.kind == kind {
		return it
	}
	return s.add(&item{index: e[eventIndex].IntOr(noIndex), id: e[eventItemID].String(), kind: kind}, out)
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

// added reads response.output_item.added.
func (s *stream) added(e *event, out *sdk.Events) {
	var f itemFields
	e[eventItem].Pick(f[:], itemKeys[:]...)
	it := s.add(&item{index: e[eventIndex].IntOr(noIndex), id: f[itemID].String(), kind: itemKinds[f[itemType].String()]}, out)
	if it.kind == itemCall {
		s.describe(it, &f, out)
	}
}

// completed reads response.output_item.done, which says all of the item again.
func (s *stream) completed(e *event, out *sdk.Events) {
	var f itemFields
	e[eventItem].Pick(f[:], itemKeys[:]...)
	if e[eventItemID] == nil {
		e[eventItemID] = f[itemID]
	}
	kind := itemKinds[f[itemType].String()]
	it := s.known(e)
	switch {
	case it == nil, it.kind != kind, it.done && it.index == noIndex && it.id == "":
		it = s.add(&item{index: e[eventIndex].IntOr(noIndex), id: f[itemID].String(), kind: kind}, out)
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
