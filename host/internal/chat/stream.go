package chat

import (
	"fmt"

	"github.com/ainfera-ai/router/host/internal/framing"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Ping is what keeps a silent stream alive. It is a comment without a blank line behind it: there are clients that take
// the blank line for the end of an event, and fail at the empty one.
var Ping = []byte(": ping\n")

// maxThoughtBytes bounds the thinking that is kept to be shown at the end with its signatures. A longer one is not shown
// there.
const maxThoughtBytes = 4 << 20

// A Stream makes chunks of an answer's frames: of each what it says, as it comes. What Anthropic's frames hold that
// Chat Completions has no word for is left out.
//
//	first chunk    role, ainfera
//	then           content, reasoning_content, tool_calls (or function_call), a piece a chunk
//	last chunk     finish_reason, and thinking_blocks where the thinking was signed
//	usage          with choices empty, where the caller asked for it
//	data: [DONE]
//
// It is not safe for concurrent use.
type Stream struct {
	a      Answer
	frames framing.Framer
	each   func(framing.Frame) error // frame, bound once
	head   []byte                    // of every chunk, up to its delta
	tail   []byte                    // of every chunk but the last, behind its delta

	out    []byte // what Feed is appending to
	blocks []block
	places []int // where in blocks an index is: of those that had the same one, the last
	tools  int   // calls so far
	kept   int   // bytes of thinking
	stop   string
}

// A block is what is known of one content block of the answer.
type block struct {
	kind   blockKind
	tool   int         // its place among the calls
	begun  bool        // arguments have been sent
	input  jscan.Value // of a call: what its start held
	text   []byte      // of thinking
	sealed []byte      // its signature, or the data of redacted thinking
}

type blockKind uint8

const (
	otherBlock blockKind = iota // nothing of it is sent
	textBlock
	thinkingBlock
	redactedBlock
	toolBlock
)

// NewStream returns the Stream of one answer.
func NewStream(a Answer) *Stream {
	frames, err := framing.New(abi.FramingSSE, 0)
	if err != nil {
		panic(fmt.Sprintf("chat: %v", err)) // there has always been this framing
	}
	s := &Stream{a: a, frames: frames}
	s.each = s.frame
	s.head = append(s.a.appendHead([]byte("data: "), "chat.completion.chunk"), `,"choices":[{"index":0,"delta":`...)
	s.tail = append(s.tail, `,"logprobs":null,"finish_reason":null}]`...)
	if a.IncludeUsage {
		s.tail = append(s.tail, `,"usage":null`...)
	}
	s.tail = append(s.tail, "}\n\n"...)
	return s
}

// Feed appends the chunks that frames make. Frames are whole, and follow each other as the grammar says. An error is a
// *messages.GrammarError, or the framer's of a frame that is too large: what came before it is appended.
func (s *Stream) Feed(dst, frames []byte) ([]byte, error) {
	s.out = dst
	err := s.frames.Feed(frames, s.each)
	return s.out, err
}

func (s *Stream) frame(f framing.Frame) error {
	if f.Empty {
		return nil
	}
	event := f.Event
	if len(event) == 0 {
		var kind [1]jscan.Value
		if _, err := jscan.ParsePick(f.Data, kind[:], "type"); err != nil {
			return broken("frame", err)
		}
		event = kind[0].Bytes(nil)
	}
	var err error
	switch string(event) {
	case "content_block_delta":
		err = s.delta(f.Data)
	case "content_block_start":
		err = s.start(f.Data)
	case "content_block_stop":
		err = s.end(f.Data)
	case "message_start":
		err = s.open(f.Data)
	case "message_delta":
		err = s.message(f.Data)
	case "message_stop":
		s.close()
	}
	if err != nil {
		return broken(string(event), err)
	}
	return nil
}

func broken(event string, err error) error {
	return &messages.GrammarError{Event: event, Reason: err.Error()}
}

// open writes the first chunk, and what the message holds from its start: where it goes on with what a tool of the API's
// own has returned, that may be all of it.
func (s *Stream) open(data []byte) error {
	var f [1]jscan.Value
	if _, err := jscan.ParsePick(data, f[:], "message"); err != nil {
		return err
	}
	s.out = append(append(s.out, s.head...), `{"role":"assistant","content":""}`...)
	s.out = append(s.out, s.tail[:len(s.tail)-len("}\n\n")]...)
	s.out = append(append(append(s.out, `,"ainfera":`...), s.a.Ainfera...), "}\n\n"...)
	for head := range f[0].Get("content").Items() {
		s.begin(len(s.places), head)
		s.finish(&s.blocks[len(s.blocks)-1])
	}
	s.stop = f[0].Get("stop_reason").String()
	return nil
}

// piece writes a chunk whose delta is before, a string's inside, and behind.
func (s *Stream) piece(before string, text []byte, behind string) {
	s.out = append(append(s.out, s.head...), before...)
	s.out = append(append(s.out, text...), behind...)
	s.out = append(s.out, s.tail...)
}

var startKeys = [...]string{"index", "content_block"}

// start takes a block's beginning, which may hold some of it already.
func (s *Stream) start(data []byte) error {
	var f [len(startKeys)]jscan.Value
	if _, err := jscan.ParsePick(data, f[:], startKeys[:]...); err != nil {
		return err
	}
	index, ok := f[0].Int()
	if !ok || index < 0 || index > int64(len(s.places)) {
		return fmt.Errorf("the index is not the next")
	}
	s.begin(int(index), f[1])
	return nil
}

// begin takes a block's head.
func (s *Stream) begin(index int, head jscan.Value) {
	b := block{}
	switch kind := head.Get("type"); {
	case kind.Equal("text"):
		b.kind = textBlock
	case kind.Equal("thinking"):
		b.kind = thinkingBlock
		b.sealed = append(b.sealed, head.Get("signature").Escaped()...)
	case kind.Equal("redacted_thinking"):
		b.kind = redactedBlock
		b.sealed = append(b.sealed, head.Get("data").Escaped()...)
		s.kept += len(b.sealed)
	case kind.Equal("tool_use") && !(s.a.Functions && s.tools > 0):
		b.kind, b.tool = toolBlock, s.tools
		s.tools++
		if in := head.Get("input"); in.Len() > 0 {
			b.input = append(b.input, in...)
		}
	}
	if index == len(s.places) {
		s.places = append(s.places, 0)
	}
	s.places[index] = len(s.blocks)
	s.blocks = append(s.blocks, b)
	at := &s.blocks[len(s.blocks)-1]
	switch b.kind {
	case textBlock:
		s.say(head.Get("text").Escaped())
	case thinkingBlock:
		s.think(at, head.Get("thinking").Escaped())
	case toolBlock:
		s.call(at, head)
	}
}

func (s *Stream) say(text []byte) {
	if len(text) > 0 {
		s.piece(`{"content":"`, text, `"}`)
	}
}

func (s *Stream) think(b *block, text []byte) {
	if len(text) == 0 {
		return
	}
	s.piece(`{"reasoning_content":"`, text, `"}`)
	if s.kept += len(text); s.kept <= maxThoughtBytes {
		b.text = append(b.text, text...)
	}
}

// call opens a call.
func (s *Stream) call(b *block, head jscan.Value) {
	s.out = append(s.out, s.head...)
	if s.a.Functions {
		s.out = append(s.out, `{"function_call":{"name":`...)
	} else {
		s.out = jwrite.AppendInt(append(s.out, `{"tool_calls":[{"index":`...), b.tool)
		s.out = append(append(s.out, `,"id":`...), raw(head.Get("id"))...)
		s.out = append(s.out, `,"type":"function","function":{"name":`...)
	}
	s.out = append(append(s.out, raw(head.Get("name"))...), `,"arguments":""}`...)
	if !s.a.Functions {
		s.out = append(s.out, "}]"...)
	}
	s.out = append(append(s.out, '}'), s.tail...)
}

// arguments writes a piece of a call's arguments, still escaped.
func (s *Stream) arguments(b *block, text []byte) {
	if len(text) == 0 {
		return
	}
	b.begun = true
	if s.a.Functions {
		s.piece(`{"function_call":{"arguments":"`, text, `"}}`)
		return
	}
	s.out = append(s.out, s.head...)
	s.out = jwrite.AppendInt(append(s.out, `{"tool_calls":[{"index":`...), b.tool)
	s.out = append(append(s.out, `,"function":{"arguments":"`...), text...)
	s.out = append(append(s.out, `"}}]}`...), s.tail...)
}

var (
	frameKeys = [...]string{"type", "index", "delta"}
	deltaKeys = [...]string{"type", "text", "thinking", "partial_json", "signature"}
)

// delta takes a piece of a block: what most frames are, so it is read in one walk.
func (s *Stream) delta(data []byte) error {
	r := jscan.NewReader(data)
	var index jscan.Value
	var f [len(deltaKeys)]jscan.Value
	if !r.Object() {
		return fmt.Errorf("not an object")
	}
	for n, ok := r.Field(frameKeys[:], 0); ok; n, ok = r.Field(frameKeys[:], n+1) {
		switch n {
		case 1:
			index = r.Value()
		case 2:
			r.Pick(f[:], deltaKeys[:]...)
		default:
			r.Value()
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	b := s.at(index)
	if b == nil {
		return fmt.Errorf("the block is not open")
	}
	switch b.kind {
	case textBlock:
		s.say(f[1].Escaped())
	case thinkingBlock:
		s.think(b, f[2].Escaped())
		b.sealed = append(b.sealed, f[4].Escaped()...)
	case toolBlock:
		s.arguments(b, f[3].Escaped())
	}
	return nil
}

// at is the block at an index, nil if there is none.
func (s *Stream) at(index jscan.Value) *block {
	if n, ok := index.Int(); ok && n >= 0 && n < int64(len(s.places)) {
		return &s.blocks[s.places[n]]
	}
	return nil
}

// end closes a block.
func (s *Stream) end(data []byte) error {
	var f [1]jscan.Value
	if _, err := jscan.ParsePick(data, f[:], "index"); err != nil {
		return err
	}
	if b := s.at(f[0]); b != nil {
		s.finish(b)
	}
	return nil
}

// finish gives a call that got no arguments those that its head held, or says that it has none: clients parse what they
// have joined.
func (s *Stream) finish(b *block) {
	if b.kind != toolBlock || b.begun {
		return
	}
	if b.input == nil {
		b.input = jscan.Value("{}")
	}
	s.arguments(b, jwrite.AppendEscaped(nil, []byte(b.input)))
}

// message takes why the answer stopped. A later word replaces an earlier.
func (s *Stream) message(data []byte) error {
	var f [1]jscan.Value
	if _, err := jscan.ParsePick(data, f[:], "delta"); err != nil {
		return err
	}
	if why := f[0].Get("stop_reason"); !why.IsNull() {
		s.stop = why.String()
	}
	return nil
}

// close writes what ends the stream. Blocks may be open still.
func (s *Stream) close() {
	for i := range s.blocks {
		s.finish(&s.blocks[i])
	}
	s.out = append(append(s.out, s.head...), '{')
	if list := s.thoughts(); list != nil {
		s.out = append(append(append(s.out, `"thinking_blocks":[`...), list...), ']')
	}
	s.out = jwrite.AppendString(append(s.out, `},"logprobs":null,"finish_reason":`...), s.a.finish(s.stop, s.tools))
	s.out = append(s.out, "}]"...)
	if s.a.IncludeUsage {
		s.out = append(s.out, `,"usage":null}`+"\n\ndata: "...)
		s.out = append(s.a.appendHead(s.out, "chat.completion.chunk"), `,"choices":[],"usage":`...)
		s.out = appendUsage(s.out, s.a.Usage())
	}
	s.out = append(s.out, "}\n\ndata: [DONE]\n\n"...)
}

// thoughts are the elements of thinking_blocks, nil where none of them is signed.
func (s *Stream) thoughts() []byte {
	var list []byte
	n, signed := 0, false
	for i := range s.blocks {
		switch b := &s.blocks[i]; b.kind {
		case thinkingBlock:
			list = appendThinking(list, n, b.text, b.sealed)
			signed = signed || len(b.sealed) > 0
			n++
		case redactedBlock:
			list = appendRedacted(list, n, b.sealed)
			signed = true
			n++
		}
	}
	if !signed || s.kept > maxThoughtBytes {
		return nil
	}
	return list
}
