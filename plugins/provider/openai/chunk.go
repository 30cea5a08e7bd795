package main

import "github.com/ainfera-ai/router/sdk/jscan"

// A chunk is what matters of one element of the answer, read in one walk: all that streams is read here.
type chunk struct {
	whole     bool                        // it is all of the answer
	field     [len(chunkKeys)]jscan.Value // but choices
	choices   jscan.Kind
	hasChoice bool
	choice    choice
	more      []jscan.Value // the choices behind the first
}

// Keys are listed in OpenAI's order, with those that don't matter, so that each is found where it is expected. Any other
// order is read as well.

var chunkKeys = [...]string{"id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage",
	"x_groq", "error"}

const (
	chunkID = iota
	chunkObject
	chunkCreated
	chunkModel
	chunkTier
	chunkFingerprint
	chunkChoices
	chunkUsage
	chunkGroq
	chunkError
)

// A choice is the fields of one, with those of its delta or message.
type choice struct {
	outer [len(choiceKeys)]jscan.Value // but delta and message
	inner [len(deltaKeys)]jscan.Value
	from  int // choiceDelta or choiceMessage, whose inner is; 0 while neither was read
}

var choiceKeys = [...]string{"index", "delta", "message", "logprobs", "finish_reason", "stop_reason", "matched_stop", "error", "usage"}

const (
	choiceIndex = iota
	choiceDelta
	choiceMessage
	choiceLogprobs
	choiceFinish
	choiceStop    // vLLM's
	choiceMatched // SGLang's
	choiceError   // OpenRouter's
	choiceUsage   // Moonshot's
)

var deltaKeys = [...]string{"content", "refusal", "tool_calls", "function_call", "annotations", "images", "audio",
	"reasoning_content", "reasoning", "thinking", "reasoning_details", "reasoning_text"} // the last is Copilot's

const (
	deltaContent = iota
	deltaRefusal
	deltaToolCalls
	deltaFunctionCall
	deltaAnnotations // this and the next two: what has no place in the answer
	_
	_
	deltaReasoning // this and all that follow: names for reasoning
	_
	_
	deltaDetails
)

// read takes an element apart. After an error the chunk holds nothing of use.
func (c *chunk) read(data []byte) error {
	r := jscan.NewReader(data)
	if !r.Object() {
		r.Value()
		return r.End()
	}
	likely := 0
	for {
		n, more := r.Field(chunkKeys[:], likely)
		switch {
		case !more:
			return r.End()
		case n == chunkChoices:
			c.readChoices(&r)
		case n < 0:
			r.Value()
			continue
		default:
			c.field[n] = r.Value()
		}
		likely = n + 1
	}
}

// readChoices reads the first choice, and keeps what stands behind it, which is there at Copilot only: n is never asked for.
func (c *chunk) readChoices(r *jscan.Reader) {
	c.choices, c.hasChoice, c.choice, c.more = r.Kind(), false, choice{}, nil
	if !r.Array() {
		r.Value()
		return
	}
	for r.Item() {
		if c.hasChoice {
			c.more = append(c.more, r.Value())
			continue
		}
		c.hasChoice = true
		c.choice.read(r, c.whole)
	}
}

// read takes a choice apart. Perplexity has both a delta and the message: in a stream that is what was said so far, and in
// an answer that isn't streamed the delta is empty.
func (c *choice) read(r *jscan.Reader, whole bool) {
	better, other := choiceDelta, choiceMessage
	if whole {
		better, other = other, better
	}
	if !r.Object() {
		r.Value()
		return
	}
	likely := 0
	for {
		n, more := r.Field(choiceKeys[:], likely)
		switch {
		case !more:
			return
		case n == better && r.Kind() == jscan.Object, n == other && c.from == 0:
			c.from = n
			r.Pick(c.inner[:], deltaKeys[:]...)
		case n < 0:
			r.Value()
			continue
		default:
			c.outer[n] = r.Value()
		}
		likely = n + 1
	}
}

// isEmpty reports whether a choice says nothing.
func (c *choice) isEmpty() bool {
	for _, v := range c.inner {
		if !v.IsNull() && len(v) > 2 {
			return false
		}
	}
	return c.outer[choiceFinish].IsNull() && c.outer[choiceError].IsNull()
}

// usage is the chunk's usage, wherever the vendor puts it, nil when there is none.
func (c *chunk) usage() jscan.Value {
	if u := c.field[chunkUsage]; !u.IsNull() {
		return u
	}
	if u := c.field[chunkGroq].Get("usage"); !u.IsNull() {
		return u
	}
	if u := c.choice.outer[choiceUsage]; !u.IsNull() {
		return u
	}
	return nil
}
