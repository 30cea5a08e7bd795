package messages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"github.com/tidwall/gjson"
)

// A Tap reads along while a vendor's answer passes unchanged to a caller who speaks the same dialect: it takes usage, names
// and the stop reason from it, and checks the grammar. Events, blocks and deltas that it doesn't know pass.
//
// It holds a vendor to less than a Writer gives. Blocks may be open side by side and may stay open at the end, an index
// may be given again to another block once its first is closed, a message_delta may come again, and message_start may
// hold content: the API and its kin do so, and the clients read it.
//
// It is not safe for concurrent use.
type Tap struct {
	started bool
	ended   bool     // message_stop has come, or a whole document
	blocks  []tapped // by index: of those that had the same one, the last
	early   string   // the stop reason of a message that message_start held whole
	sig     []byte   // the signature of the thinking block that came last
	writes  int64    // all writes to the cache; Usage tells them apart
	hash    hash.Hash
	res     Result
}

// A tapped is what is known of one block of the answer.
type tapped struct {
	kind   blockKind // rawBlock for the types without deltas that are known
	closed bool
}

// NewTap returns a Tap for one answer.
func NewTap() *Tap { return &Tap{hash: sha256.New()} }

// Started says that the message has opened: the caller may be sent the head, and the try can no longer fall over.
func (t *Tap) Started() bool { return t.started }

// Done says that the message is complete.
func (t *Tap) Done() bool { return t.ended }

// Stopped says that the stop reason has come.
func (t *Tap) Stopped() bool { return t.res.StopReason != "" }

// Frame reads one SSE frame: the event's name, which may be empty, and its data, which isn't kept. An error is a
// *GrammarError, or a *VendorError for the vendor's own error event; the frame must then not be passed on.
func (t *Tap) Frame(event, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	t.hash.Write(data)
	t.hash.Write(newline)
	if len(event) == 0 {
		event = eventOf(data)
	}
	switch string(event) {
	case "content_block_delta":
		return t.delta(data)
	case "message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop", "error":
		if !gjson.ValidBytes(data) {
			return broke(event, "the data is not JSON")
		}
	}
	switch string(event) {
	case "message_start":
		return t.start(event, data)
	case "content_block_start":
		return t.blockStart(event, data)
	case "content_block_stop":
		return t.blockStop(event, data)
	case "message_delta":
		return t.messageDelta(event, data)
	case "message_stop":
		return t.stop(event, data)
	case "error":
		return vendorErrorOf(data)
	}
	return untyped(data) // else it is a ping, or what is newer than this
}

var newline = []byte{'\n'}

// typeFirst is how the API itself begins its data.
var typeFirst = []byte(`{"type":"`)

// eventOf is the event's name where only the data says it, as on Bedrock.
func eventOf(data []byte) []byte {
	if rest, ok := bytes.CutPrefix(data, typeFirst); ok {
		if i := bytes.IndexByte(rest, '"'); i >= 0 {
			return rest[:i]
		}
	}
	return []byte(gjson.GetBytes(data, "type").Str)
}

func broke(event []byte, reason string) error {
	return &GrammarError{Event: string(event), Reason: reason}
}

func (t *Tap) start(event, data []byte) error {
	if t.started {
		return broke(event, "the message has started already")
	}
	message := gjson.GetBytes(data, "message")
	if !message.IsObject() {
		return broke(event, "no message in it")
	}
	t.started = true
	t.res.ID, t.res.Model = message.Get("id").Str, message.Get("model").Str
	t.usage(message.Get("usage"))
	for _, b := range message.Get("content").Array() {
		t.blocks = append(t.blocks, tapped{kind: t.block(b), closed: true})
		t.early = message.Get("stop_reason").Str
	}
	return nil
}

// Repeats says that a frame is the message_start that has come already, before anything was in the message. Some of the
// API's kin begin so; the frame must then be neither read nor passed on, since the message starts once.
func (t *Tap) Repeats(data []byte) bool {
	if !t.started || len(t.blocks) > 0 || t.Stopped() || t.ended {
		return false
	}
	id := gjson.GetBytes(data, "message.id").Str
	return id != "" && id == t.res.ID && string(eventOf(data)) == "message_start"
}

// inside checks that an event of the content comes at its time.
func (t *Tap) inside(event []byte) error {
	switch {
	case !t.started:
		return broke(event, "before message_start")
	case t.ended:
		return broke(event, "after message_stop")
	}
	return nil
}

func (t *Tap) blockStart(event, data []byte) error {
	if err := t.inside(event); err != nil {
		return err
	}
	if t.Stopped() {
		return broke(event, "after the stop reason")
	}
	index, head := gjson.GetBytes(data, "index"), gjson.GetBytes(data, "content_block")
	t.early = ""
	at := index.Int()
	switch again := at >= 0 && at < int64(len(t.blocks)) && t.blocks[at].closed; {
	case index.Type != gjson.Number || at != int64(len(t.blocks)) && !again:
		return broke(event, "the index is not the next")
	case !head.IsObject():
		return broke(event, "no content_block in it")
	case again:
		t.blocks[at] = tapped{kind: t.block(head)}
	default:
		t.blocks = append(t.blocks, tapped{kind: t.block(head)})
	}
	return nil
}

// block accounts for a block as it begins, or is, and returns its kind.
func (t *Tap) block(head gjson.Result) blockKind {
	kind := rawBlock
	switch head.Get("type").Str {
	case "text":
		kind = textBlock
	case "thinking":
		kind = thinkingBlock
		t.sig = append(t.sig[:0], head.Get("signature").Str...)
		t.signed()
	case "redacted_thinking":
		kind = redactedBlock
		t.res.SignatureHash = HashSignature([]byte(head.Get("data").Str))
	case "tool_use":
		t.res.ToolCalls++
		kind = toolBlock
	case "server_tool_use", "mcp_tool_use":
		kind = toolBlock
	}
	t.res.Blocks++
	return kind
}

func (t *Tap) signed() {
	if len(t.sig) > 0 {
		t.res.SignatureHash = HashSignature(t.sig)
	}
}

func (t *Tap) blockStop(event, data []byte) error {
	if err := t.inside(event); err != nil {
		return err
	}
	index := gjson.GetBytes(data, "index")
	b := t.at(index.Int())
	if index.Type != gjson.Number || b == nil {
		return broke(event, "the block is not open")
	}
	b.closed = true
	return nil
}

// at is the open block at an index, nil if there is none.
func (t *Tap) at(index int64) *tapped {
	if index < 0 || index >= int64(len(t.blocks)) || t.blocks[index].closed {
		return nil
	}
	return &t.blocks[index]
}

func (t *Tap) messageDelta(event, data []byte) error {
	if err := t.inside(event); err != nil {
		return err
	}
	if reason := gjson.GetBytes(data, "delta.stop_reason").Str; reason != "" {
		t.reason(reason, gjson.GetBytes(data, "delta.stop_sequence").Str)
	}
	t.total(gjson.GetBytes(data, "usage"))
	return nil
}

func (t *Tap) reason(reason, sequence string) {
	t.res.StopReason, t.res.NativeReason, t.res.StopSequence = reason, reason, sequence
	t.res.FinishReason = finishReason(reason)
}

func (t *Tap) stop(event, data []byte) error {
	if err := t.inside(event); err != nil {
		return err
	}
	if len(t.blocks) == 0 && !t.Stopped() {
		return broke(event, "the message has neither content nor a stop reason")
	}
	if !t.Stopped() && t.early != "" { // the counts were whole, too
		t.reason(t.early, "")
		t.res.UsageSeen = t.res.InputSeen && t.res.OutputSeen
	}
	t.total(gjson.GetBytes(data, "usage")) // where gateways have put it
	if !t.res.UsageSeen {
		t.bedrock(data)
	}
	t.ended, t.res.Complete = true, true
	return nil
}

// Document reads an answer that isn't streamed, and completes it. Errors are those of Frame, and ErrEmpty.
func (t *Tap) Document(body []byte) error {
	t.hash.Write(body)
	if !gjson.ValidBytes(body) {
		return &GrammarError{Event: "document", Reason: "not JSON"}
	}
	if err := untyped(body); err != nil {
		return err
	}
	message := gjson.ParseBytes(body)
	switch content := message.Get("content"); {
	case message.Get("type").Str == "error":
		return vendorErrorOf(body)
	case message.Get("type").Str != "message" || !content.IsArray():
		return &GrammarError{Event: "document", Reason: "not a message"}
	default:
		content.ForEach(func(_, b gjson.Result) bool {
			t.block(b)
			return true
		})
		t.res.TextBytes = int64(len(content.Raw))
	}
	t.res.ID, t.res.Model = message.Get("id").Str, message.Get("model").Str
	t.reason(message.Get("stop_reason").Str, message.Get("stop_sequence").Str)
	t.usage(message.Get("usage"))
	if t.res.Blocks == 0 && !t.Stopped() {
		return ErrEmpty
	}
	t.started, t.ended = true, true
	t.res.Complete, t.res.UsageSeen = true, t.res.InputSeen && t.res.OutputSeen
	return nil
}

// End says whether the answer may end here: nil after message_stop or a document, ErrEmpty before the message has
// started, ErrCut in its middle.
func (t *Tap) End() error {
	switch {
	case t.ended:
		return nil
	case !t.started:
		return ErrEmpty
	}
	return ErrCut
}

// Closing appends the frames that properly end a stream which lacks no more than them: the stop reason has come, and
// message_stop has not. ok is false where that is not so; the caller must then be told with ErrorFrame.
func (t *Tap) Closing(dst []byte) (out []byte, ok bool) {
	if t.ended || !t.Stopped() {
		return dst, false
	}
	for i := range t.blocks {
		if b := &t.blocks[i]; !b.closed {
			b.closed = true
			dst = append(appendIndexed(dst, "content_block_stop", i), "}\n\n"...)
		}
	}
	t.ended, t.res.Complete = true, true
	return AppendEvent(dst, "message_stop", []byte(`{"type":"message_stop"}`)), true
}

// Result is what is known of the answer so far.
func (t *Tap) Result() Result {
	r := t.res
	r.ContentHash = hex.EncodeToString(t.hash.Sum(nil))
	return r
}
