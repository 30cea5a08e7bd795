package main

import "github.com/ainfera-ai/router/sdk/jscan"

// A chunk is what matters of one element of the answer, read in one walk: all that streams is read here.
type chunk struct {
	field        [len(chunkKeys)]jscan.Value // but candidates
	hasCandidate bool
	candidate    [len(candidateKeys)]jscan.Value // but content
	parts        []part                          // of the candidate's content; its memory is used again
	usage        [len(usageKeys)]jscan.Value
}

// Keys are listed in the vendor's order, so that each is found where it is expected. Any other order is read as well.

var chunkKeys = [...]string{"candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error", "totalTokens"}

const (
	chunkCandidates = iota
	chunkUsage
	chunkModel
	chunkID
	chunkFeedback
	chunkError
	chunkTotal // of countTokens
)

var candidateKeys = [...]string{"content", "finishReason", "index", "finishMessage"}

const (
	candidateContent = iota
	candidateFinish
	candidateIndex
	candidateMessage
)

var contentKeys = [...]string{"parts", "role"}

// A part is a piece of the content.
type part struct {
	all   jscan.Value
	field [len(partKeys)]jscan.Value
}

var partKeys = [...]string{"text", "functionCall", "thought", "thoughtSignature"}

const (
	partText = iota
	partCall
	partThought
	partSignature
)

// read takes an element apart. After an error the chunk holds nothing of use.
func (c *chunk) read(data []byte) error {
	*c = chunk{parts: c.parts[:0]}
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
		case n == chunkCandidates:
			c.readCandidates(&r)
		case n == chunkUsage:
			c.field[n] = r.Pick(c.usage[:], usageKeys[:]...)
		case n < 0:
			r.Value()
			continue
		default:
			c.field[n] = r.Value()
		}
		likely = n + 1
	}
}

// readCandidates reads the first candidate. More are never asked for, and where a proxy does, each comes with its index.
func (c *chunk) readCandidates(r *jscan.Reader) {
	if !r.Array() {
		r.Value()
		return
	}
	for r.Item() {
		if c.hasCandidate || !r.Object() {
			r.Value()
			continue
		}
		c.readCandidate(r)
		if c.hasCandidate = c.candidate[candidateIndex].IntOr(0) == 0; !c.hasCandidate {
			c.parts, c.candidate = c.parts[:0], [len(candidateKeys)]jscan.Value{}
		}
	}
}

func (c *chunk) readCandidate(r *jscan.Reader) {
	likely := 0
	for {
		n, more := r.Field(candidateKeys[:], likely)
		switch {
		case !more:
			return
		case n == candidateContent:
			c.readContent(r)
		case n < 0:
			r.Value()
			continue
		default:
			c.candidate[n] = r.Value()
		}
		likely = n + 1
	}
}

func (c *chunk) readContent(r *jscan.Reader) {
	if !r.Object() {
		r.Value()
		return
	}
	for {
		n, more := r.Field(contentKeys[:], 0)
		switch {
		case !more:
			return
		case n == 0 && r.Array():
			for r.Item() {
				c.parts = append(c.parts, part{})
				p := &c.parts[len(c.parts)-1]
				p.all = r.Pick(p.field[:], partKeys[:]...)
			}
		default:
			r.Value()
		}
	}
}
