package main

import "github.com/ainfera-ai/router/sdk/jscan"

// An event is what matters of one event of the answer, read in one walk: all that streams is read here.
type event [len(eventKeys)]jscan.Value

// eventKeys are listed in OpenAI's order of a delta's, with those that don't matter, so that each is found where it is
// expected. Any other order is read as well.
var eventKeys = [...]string{"type", "content_index", "delta", "item_id", "logprobs", "obfuscation", "output_index", "sequence_number",
	"summary_index", "item", "response", "arguments", "name", "error", "object", "text", "part"}

const (
	eventType = iota
	eventPart
	eventDelta
	eventItemID
	eventLogprobs
	eventObfuscation
	eventIndex
	eventSequence
	eventSummary
	eventItem
	eventResponse
	eventArguments
	eventName
	eventError
	eventObject
	eventText
	eventNewPart
)

// read takes an event apart. After an error it holds nothing of use.
func (e *event) read(data []byte) error {
	_, err := jscan.ParsePick(data, e[:], eventKeys[:]...)
	return err
}

// part is the index of the part that the event belongs to, of whichever list the item has.
func (e *event) part() int64 {
	if n, ok := e[eventSummary].Int(); ok {
		return n
	}
	return e[eventPart].IntOr(0)
}

// responseKeys are the fields of a response that matter. What it repeats of the request is passed over.
var responseKeys = [...]string{"id", "status", "incomplete_details", "model", "output", "usage"}

const (
	responseID = iota
	responseStatus
	responseIncomplete
	responseModel
	responseOutput
	responseUsage
)

// A response is those fields.
type response [len(responseKeys)]jscan.Value

// itemKeys are the fields of an output item that matter, whatever its type.
var itemKeys = [...]string{"id", "type", "content", "summary", "encrypted_content", "arguments", "call_id", "name", "role"}

const (
	itemID = iota
	itemType
	itemContent
	itemSummary
	itemEncrypted
	itemArguments
	itemCallID
	itemName
	itemRole
)

// An item's fields, as they are at its beginning or its end.
type itemFields [len(itemKeys)]jscan.Value

// kind is what an item is. Fireworks gives the caller's own messages back in front of the answer; they are none of it.
func (f *itemFields) kind() itemKind {
	kind := itemKinds[f[itemType].String()]
	if kind == itemMessage && !f[itemRole].IsNull() && !f[itemRole].Equal("assistant") {
		return itemOther
	}
	return kind
}

// name is what events call an item: llama.cpp gives a call no other id than the one its result goes under.
func (f *itemFields) name() jscan.Value {
	if len(f[itemID].Escaped()) > 0 {
		return f[itemID]
	}
	return f[itemCallID]
}
