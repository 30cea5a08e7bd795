package messages

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
	"github.com/tidwall/gjson"
)

// delta takes an event that fills a block, and opens that if it must.
func (w *Writer) delta(dst []byte, rec abi.Record) ([]byte, error) {
	if w.stopped {
		return dst, broken(rec, "content after the stop reason")
	}
	kind := kindOf(rec.Kind)
	b := w.find(rec.Block, kind)
	if b == nil {
		return w.reopen(dst, kind, rec)
	}
	if b.kind != kind {
		return dst, broken(rec, "the block is of type %s", b.kind)
	}
	if b != w.open {
		return dst, w.hold(b, rec)
	}
	dst, err := w.fill(dst, b, rec)
	if err != nil || len(w.waiting) == 0 {
		return dst, err
	}
	return w.advance(dst)
}

// find returns the block that has the adapter's number and isn't closed. Of those that wait, text and thinking go on only
// at the end of the queue: what comes behind another block is a new one, or it would change places with that.
func (w *Writer) find(num uint16, kind blockKind) *block {
	if w.open != nil && w.open.num == num {
		return w.open
	}
	for i := len(w.waiting) - 1; i >= 0; i-- {
		b := w.waiting[i]
		if b.num == num && !b.stopped {
			return b
		}
		if kind == textBlock || kind == thinkingBlock {
			return nil
		}
	}
	return nil
}

// reopen takes a delta whose block isn't open. Text and thinking begin one, also where an adapter uses a number again.
func (w *Writer) reopen(dst []byte, kind blockKind, rec abi.Record) ([]byte, error) {
	was, known := w.gone[rec.Block]
	switch {
	case known && was != kind:
		return dst, broken(rec, "the block was of type %s and is closed", was)
	case kind == toolBlock && known && len(bytes.TrimSpace(rec.Payload)) == 0:
		return dst, nil
	case kind == textBlock || kind == thinkingBlock:
		b, err := w.newBlock(rec, kind)
		if err != nil {
			return dst, err
		}
		dst, err = w.enter(dst, b, rec)
		if err != nil {
			return dst, err
		}
		if b != w.open {
			return dst, w.hold(b, rec)
		}
		return w.fill(dst, b, rec)
	}
	return dst, broken(rec, "the block is not open")
}

// start takes an event that begins a block of its own.
func (w *Writer) start(dst []byte, rec abi.Record) ([]byte, error) {
	if w.stopped {
		return dst, broken(rec, "content after the stop reason")
	}
	kind := kindOf(rec.Kind)
	if _, known := w.gone[rec.Block]; known || w.find(rec.Block, kind) != nil {
		return dst, broken(rec, "the block has been there already")
	}
	b, err := w.newBlock(rec, kind)
	if err != nil {
		return dst, err
	}
	if err := b.describe(rec); err != nil {
		return dst, err
	}
	return w.enter(dst, b, rec)
}

// describe takes what the event says of the block.
func (b *block) describe(rec abi.Record) error {
	if b.kind == redactedBlock {
		b.head, b.stopped = bytes.Clone(rec.Payload), true
		return nil
	}
	head, kind, err := payload(rec)
	if err != nil {
		return err
	}
	if b.kind == rawBlock {
		switch blockKind(kind) {
		case "":
			return broken(rec, "the block has no type")
		case textBlock, thinkingBlock, redactedBlock, toolBlock:
			return broken(rec, "blocks of type %s have events of their own", kind)
		}
		b.head = bytes.Clone(head)
		return nil
	}
	b.id, b.name = gjson.GetBytes(head, "id").String(), gjson.GetBytes(head, "name").String()
	if b.name == "" {
		return broken(rec, "the tool has no name")
	}
	return nil
}

// payload returns a payload that is a JSON object, on one line, since a frame's data must be, and its type.
func payload(rec abi.Record) (raw []byte, kind string, err error) {
	raw = rec.Payload
	if !gjson.ValidBytes(raw) || !gjson.ParseBytes(raw).IsObject() {
		return nil, "", broken(rec, "the payload is not a JSON object")
	}
	if bytes.ContainsAny(raw, "\r\n") {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, "", broken(rec, "the payload is not JSON")
		}
		raw = b.Bytes()
	}
	raw = bytes.ToValidUTF8(raw, []byte("\ufffd"))
	return raw, gjson.GetBytes(raw, "type").String(), nil
}

func (w *Writer) newBlock(rec abi.Record, kind blockKind) (*block, error) {
	if w.blocks++; w.blocks > maxBlocks {
		return nil, broken(rec, "the answer has more than %d blocks", maxBlocks)
	}
	b := &block{num: rec.Block, kind: kind}
	if w.cfg.Accumulate {
		b.content = &bytes.Buffer{}
	}
	return b, nil
}

// enter opens a block, or puts it in the queue.
func (w *Writer) enter(dst []byte, b *block, rec abi.Record) ([]byte, error) {
	if w.open != nil && !w.open.complete() || len(w.waiting) > 0 {
		w.waiting = append(w.waiting, b)
		return dst, w.count(rec, len(b.head)+len(b.id)+len(b.name)+heldBytes)
	}
	dst, err := w.close(dst)
	if err != nil {
		return dst, err
	}
	return w.openBlock(dst, b)
}

// hold keeps an event of a block that waits.
func (w *Writer) hold(b *block, rec abi.Record) error { return w.count(rec, b.hold(rec)) }

func (w *Writer) count(rec abi.Record, n int) error {
	w.held += n
	if w.held > maxHeldBytes {
		return broken(rec, "more than %d bytes wait for a tool's arguments to end", maxHeldBytes)
	}
	return nil
}

// stopBlock takes the adapter's word that a block is complete. Of a block that isn't there, empty ones say so too.
func (w *Writer) stopBlock(dst []byte, rec abi.Record) ([]byte, error) {
	for _, b := range w.waiting {
		if b.num == rec.Block {
			b.stopped = true
		}
	}
	if w.open == nil || w.open.num != rec.Block {
		return dst, nil
	}
	w.open.stopped = true
	dst, err := w.close(dst)
	if err != nil {
		return dst, err
	}
	return w.advance(dst)
}

// advance opens what waits, for as long as what is open can be closed.
func (w *Writer) advance(dst []byte) ([]byte, error) {
	var err error
	for len(w.waiting) > 0 && (w.open == nil || w.open.complete()) {
		if dst, err = w.next(dst); err != nil {
			return dst, err
		}
	}
	if len(w.waiting) == 0 {
		w.held = 0
	}
	return dst, nil
}

// next closes what is open and opens what waits first.
func (w *Writer) next(dst []byte) ([]byte, error) {
	dst, err := w.close(dst)
	if err != nil {
		return dst, err
	}
	b := w.waiting[0]
	w.waiting = w.waiting[1:]
	if dst, err = w.openBlock(dst, b); err != nil {
		return dst, err
	}
	for _, h := range b.waiting {
		if dst, err = w.fill(dst, b, abi.Record{Kind: h.kind, Block: b.num, Payload: h.payload}); err != nil {
			return dst, err
		}
	}
	b.waiting = nil
	if b.stopped {
		return w.close(dst)
	}
	return dst, nil
}

// closeAll ends the content: whatever is open and whatever waits comes out.
func (w *Writer) closeAll(dst []byte) ([]byte, error) {
	var err error
	for len(w.waiting) > 0 && err == nil {
		dst, err = w.next(dst)
	}
	if err != nil {
		return dst, err
	}
	w.held = 0
	return w.close(dst)
}

// openBlock writes a block's beginning.
func (w *Writer) openBlock(dst []byte, b *block) ([]byte, error) {
	dst = w.begin(dst)
	b.index = w.res.Blocks
	w.res.Blocks++
	w.open = b
	w.note(string(b.kind), b.head)
	dst = appendIndexed(dst, "content_block_start", b.index)
	dst = append(dst, `,"content_block":`...)
	dst = w.appendBlock(dst, b)
	dst = append(dst, "}\n\n"...)
	if w.cfg.Accumulate {
		w.kept = append(w.kept, b)
	}
	if b.kind == redactedBlock {
		w.res.SignatureHash = HashSignature(b.head)
		return w.close(dst)
	}
	return dst, nil
}

// appendBlock appends the block as it is when it begins.
func (w *Writer) appendBlock(dst []byte, b *block) []byte {
	switch b.kind {
	case textBlock:
		return append(dst, `{"type":"text","text":""}`...)
	case thinkingBlock:
		return append(dst, `{"type":"thinking","thinking":"","signature":""}`...)
	case redactedBlock:
		dst = append(dst, `{"type":"redacted_thinking","data":`...)
		return append(jwrite.AppendString(dst, b.head), '}')
	case toolBlock:
		w.res.ToolCalls++
		if b.id == "" { // the caller's answer must name one
			b.id = "toolu_" + w.cfg.ID + "_" + strconv.Itoa(b.index)
		}
		return append(b.appendTool(dst), "{}}"...)
	}
	return append(dst, b.head...)
}

// appendTool appends a tool_use block up to its input.
func (b *block) appendTool(dst []byte) []byte {
	dst = append(dst, `{"type":"tool_use","id":`...)
	dst = jwrite.AppendString(dst, b.id)
	dst = append(dst, `,"name":`...)
	dst = jwrite.AppendString(dst, b.name)
	return append(dst, `,"input":`...)
}

// close writes the open block's end.
func (w *Writer) close(dst []byte) ([]byte, error) {
	b := w.open
	if b == nil {
		return dst, nil
	}
	dst, err := w.complete(dst, b)
	if err != nil {
		return dst, err
	}
	w.open = nil
	w.gone[b.num] = b.kind
	dst = appendIndexed(dst, "content_block_stop", b.index)
	return append(dst, "}\n\n"...), nil
}

// note puts content under the hash.
func (w *Writer) note(kind string, content []byte) {
	w.buf[0] = 0
	w.hash.Write(w.buf[:])
	w.hash.Write([]byte(kind))
	w.hash.Write(w.buf[:])
	w.hash.Write(content)
}
