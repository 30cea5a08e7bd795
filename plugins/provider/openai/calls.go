package main

import (
	"github.com/ainfera-ai/router/plugins/provider/internal/oai"
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/jscan"
)

// A call is one tool call of the answer.
type call struct {
	index   int64 // the vendor's, or noIndex
	id      string
	name    string
	block   uint16
	made    bool // the id is ours
	begun   bool // its ToolStart went out
	args    object
	pending []byte // arguments that came before the name
}

const (
	noIndex       = -1
	functionIndex = -2 // the one call of the protocol's first version
)

// toolCall reads an element of tool_calls. One of a whole message that has a name is a whole call, whatever else it has.
func (s *stream) toolCall(v jscan.Value, whole bool, out *sdk.Events) {
	index := v.Get("index").IntOr(noIndex)
	fn := v.Get("function")
	id, name, args := v.Get("id").String(), fn.Get("name").String(), fn.Get("arguments")
	c := s.find(index, id, name, args)
	if c == nil || whole && name != "" {
		if id == "" && name == "" && args.IsNull() {
			return
		}
		c = s.add(index, out)
	}
	s.extend(c, id, name, args, out)
}

// functionCall reads the form that came before tool_calls: one call, with no id.
func (s *stream) functionCall(v jscan.Value, out *sdk.Events) {
	name, args := v.Get("name").String(), v.Get("arguments")
	if name == "" && (args.IsNull() || len(args) <= 2) {
		return // Snowflake fills in every field there is
	}
	c := s.find(functionIndex, "", name, args)
	if c == nil {
		c = s.add(functionIndex, out)
	}
	s.extend(c, "", name, args, out)
}

// find is the call that an element goes on with, nil for one that begins. The index decides, and the id among calls to
// which a vendor gives one index, or none. An element that fits neither goes on with the last call, unless it looks like
// the start of another.
func (s *stream) find(index int64, id, name string, args jscan.Value) *call {
	var last *call
	for i := len(s.calls) - 1; i >= 0 && (last == nil || id != ""); i-- {
		c := s.calls[i]
		switch {
		case index != noIndex && c.index != index:
		case id != "" && id == c.id:
			return c
		case last == nil:
			last = c
		}
	}
	if last != nil && last.isOver(index, id, name, args) {
		return nil
	}
	return last
}

// isOver reports whether an element, whose id is no call's, begins another call instead of going on with c. One with a
// name does when c has an id or a name other than its own, or is complete and it has arguments: some repeat the name with
// every delta, also with the last, which has none.
func (c *call) isOver(index int64, id, name string, args jscan.Value) bool {
	switch {
	case name == "" || index == functionIndex:
		return false
	case id != "" && c.id != "" && !c.made:
		return true
	}
	return c.args.state == complete && !isBlank(args) || c.name != "" && c.name != name
}

func (s *stream) add(index int64, out *sdk.Events) *call {
	s.leave(out)
	c := &call{index: index, block: s.take()}
	s.calls = append(s.calls, c)
	return c
}

// extend takes what an element says of its call. The start goes out once the name is known, arguments only after it.
func (s *stream) extend(c *call, id, name string, args jscan.Value, out *sdk.Events) {
	if c.id == "" {
		c.id = id
	}
	if c.name == "" && name != "" {
		c.name = name
		s.begin(c, out)
	}
	if isBlank(args) {
		return
	}
	p := []byte(args) // Ollama and others: the object itself
	if args.Kind() == jscan.String {
		p = s.bytes(args)
	}
	if !c.begun {
		c.pending = append(c.pending, p...)
		return
	}
	s.arguments(c, p, out)
}

// isBlank reports whether an element has no arguments.
func isBlank(args jscan.Value) bool {
	return args.IsNull() || args.Kind() == jscan.String && len(args) == 2
}

func (s *stream) begin(c *call, out *sdk.Events) {
	s.leave(out)
	if c.id == "" {
		c.id, c.made = oai.MadeCallID(s.id, c.name, c.block), true
	}
	c.begun = true
	out.ToolStart(c.block, sdk.ClientToolID(c.id), s.names.Full(c.name))
	if len(c.pending) > 0 {
		s.arguments(c, c.pending, out)
		c.pending = nil
	}
}

// arguments passes on a piece of the arguments' text. A call whose object is complete is closed there and then, so that
// the next one reaches the client as it comes, and anything further is not part of it: some vendors repeat the whole
// at the end.
func (s *stream) arguments(c *call, p []byte, out *sdk.Events) {
	was := c.args.state
	p = c.args.take(p)
	if len(p) > 0 {
		out.ToolDelta(c.block, p)
	}
	if was != complete && c.args.state == complete {
		out.BlockStop(c.block)
	}
}

// closeCalls ends the calls that are still open and reports whether one of them was cut off.
func (s *stream) closeCalls(out *sdk.Events) (cut bool) {
	for _, c := range s.calls {
		if !c.begun {
			out.Skipped(1) // a call of nobody knows what
			continue
		}
		if c.args.state == complete {
			continue
		}
		p, ok := c.args.rest()
		if !ok {
			out.Skipped(1)
		}
		if len(p) > 0 {
			out.ToolDelta(c.block, p)
		}
		cut = cut || c.args.state == inside
		out.BlockStop(c.block)
	}
	return cut
}
