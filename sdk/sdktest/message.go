package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A Message is what the events add up to.
type Message struct {
	ID, Model string
	Blocks    []Block
	Usage     map[string]int64
	// Stop is nil when the answer ended without one.
	Stop    *Stop
	Error   *Error
	Skipped int
}

// A Block is one content block, in the order in which they began.
type Block struct {
	Number uint16
	// Type is text, thinking, redacted_thinking, tool_use or raw.
	Type string
	// Text is the text, the thinking, the data, the arguments or the raw block's JSON.
	Text string
	// ID and Name are a tool call's.
	ID, Name  string
	Signature string
	Citations []string
	Closed    bool
}

// A Stop is why the answer ended.
type Stop struct{ Reason, Native, Sequence string }

// An Error is the vendor's.
type Error struct {
	Kind, Message string
	RetryAfterMS  int64 `json:"retry_after_ms"`
}

// Text joins the text of all blocks of a type.
func (m *Message) Text(typ string) string {
	s := ""
	for _, b := range m.Blocks {
		if b.Type == typ {
			s += b.Text
		}
	}
	return s
}

// Summary writes the blocks in a line: "text hello | call f({})", a signature in brackets behind its block.
func (m *Message) Summary() string {
	out := make([]string, 0, len(m.Blocks))
	for _, b := range m.Blocks {
		s := strings.TrimSuffix(b.Type+" "+b.Text, " ")
		if b.Type == "tool_use" {
			s = "call " + b.Name + "(" + b.Text + ")"
		}
		if b.Signature != "" {
			s += " [" + b.Signature + "]"
		}
		out = append(out, s)
	}
	return strings.Join(out, " | ")
}

// A checker puts events together and finds those that have no place.
type checker struct {
	res   *Result
	open  map[uint16]int // block number to index in Blocks
	begun bool
}

func newChecker(res *Result) *checker {
	return &checker{res: res, open: map[uint16]int{}}
}

func (c *checker) take(batch []byte) error {
	events, err := read(batch)
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := c.event(e); err != nil {
			return fmt.Errorf("event %d, kind %#x: %w", len(c.res.Events), e.Kind, err)
		}
		c.res.Events = append(c.res.Events, e)
	}
	return nil
}

func (c *checker) event(e Event) error {
	m := &c.res.Message
	if m.Error != nil {
		return errors.New("comes after an error")
	}
	switch e.Kind {
	case abi.KindError:
		m.Error = &Error{}
		return decode(e, m.Error)
	case abi.KindSkipped:
		m.Skipped += int(e.Block)
		return nil
	case abi.KindMessageStart:
		if c.begun {
			return errors.New("is a second one")
		}
		c.begun = true
		return decode(e, m)
	case abi.KindUsage:
		return c.usage(e)
	}
	switch {
	case !c.begun:
		return errors.New("comes before the message starts")
	case m.Stop != nil:
		return errors.New("comes after the stop")
	case e.Kind == abi.KindStop:
		return c.stop(e)
	}
	return c.block(e)
}

func (c *checker) usage(e Event) error {
	var u map[string]int64
	if err := decode(e, &u); err != nil {
		return err
	}
	m := &c.res.Message
	if m.Usage == nil {
		m.Usage = map[string]int64{}
	}
	for k, n := range u {
		switch k {
		case "input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning":
		default:
			return fmt.Errorf("usage of %q is not known", k)
		}
		if n < 0 {
			return fmt.Errorf("usage of %s is %d", k, n)
		}
		m.Usage[k] = n
	}
	return nil
}

func (c *checker) stop(e Event) error {
	s := &Stop{}
	c.res.Message.Stop = s
	if err := decode(e, s); err != nil {
		return err
	}
	switch s.Reason {
	case abi.FinishStop, abi.FinishLength, abi.FinishToolCalls, abi.FinishContentFilter, abi.FinishPause:
		return nil
	}
	return fmt.Errorf("reason %q is not one of the ABI's", s.Reason)
}

// blockTypes are the types of block that a kind opens or goes on with.
var blockTypes = map[abi.Kind]string{
	abi.KindText: "text", abi.KindCitation: "text", abi.KindThinking: "thinking", abi.KindSignature: "thinking",
	abi.KindRedactedThinking: "redacted_thinking", abi.KindToolStart: "tool_use", abi.KindToolDelta: "tool_use",
	abi.KindRawBlock: "raw", abi.KindRawDelta: "raw",
}

// block adds an event to its block, which it may open.
func (c *checker) block(e Event) error {
	i, exists := c.open[e.Block]
	if e.Kind == abi.KindBlockStop {
		if !exists {
			return fmt.Errorf("block %d is not open", e.Block)
		}
		return c.close(i)
	}
	typ := blockTypes[e.Kind]
	if typ == "" {
		return errors.New("has no place in an answer")
	}
	blocks := &c.res.Message.Blocks
	switch e.Kind {
	case abi.KindToolStart, abi.KindRawBlock, abi.KindRedactedThinking:
		if exists {
			return fmt.Errorf("block %d was used before", e.Block)
		}
	case abi.KindToolDelta, abi.KindRawDelta:
		if !exists {
			return fmt.Errorf("block %d was not opened", e.Block)
		}
	}
	if !exists {
		i = len(*blocks)
		c.open[e.Block] = i
		*blocks = append(*blocks, Block{Number: e.Block, Type: typ})
	}
	b := &(*blocks)[i]
	switch {
	case b.Type != typ:
		return fmt.Errorf("block %d is of type %s", e.Block, b.Type)
	case b.Closed:
		return fmt.Errorf("block %d is closed", e.Block)
	}
	return b.add(e)
}

func (b *Block) add(e Event) error {
	switch e.Kind {
	case abi.KindToolStart:
		return decode(e, b)
	case abi.KindSignature:
		b.Signature += e.Payload
	case abi.KindCitation:
		b.Citations = append(b.Citations, e.Payload)
	case abi.KindRawDelta:
		b.Text += e.Payload
	default:
		if !utf8.ValidString(e.Payload) {
			return fmt.Errorf("block %d: %q is not UTF-8", e.Block, e.Payload)
		}
		b.Text += e.Payload
	}
	return nil
}

// close closes a block; a tool call's arguments must then be an object, or nothing for an empty one.
func (c *checker) close(i int) error {
	b := &c.res.Message.Blocks[i]
	if b.Closed {
		return fmt.Errorf("block %d is closed already", b.Number)
	}
	b.Closed = true
	return nil
}

// end checks what must hold once all was fed.
func (c *checker) end(why abi.EndReason) error {
	m := &c.res.Message
	if m.Error != nil || why != abi.EndOfBody {
		return nil
	}
	if m.Stop == nil {
		return errors.New("the answer ended with neither a stop nor an error")
	}
	cut := m.Stop.Reason == abi.FinishLength || m.Stop.Reason == abi.FinishContentFilter // as the host sees it
	for _, b := range m.Blocks {
		if b.Type != "tool_use" {
			continue
		}
		if b.ID == "" || b.Name == "" {
			return fmt.Errorf("tool call without id or name: %+v", b)
		}
		var args map[string]any
		if err := json.Unmarshal([]byte(b.Text), &args); b.Text != "" && err != nil && !cut {
			return fmt.Errorf("arguments of %s are no object: %q", b.Name, b.Text)
		}
	}
	return nil
}

func decode(e Event, into any) error {
	if err := json.Unmarshal([]byte(e.Payload), into); err != nil {
		return fmt.Errorf("%q: %w", e.Payload, err)
	}
	return nil
}
