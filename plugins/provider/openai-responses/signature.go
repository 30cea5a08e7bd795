package main

import (
	"strconv"
	"strings"
)

// A vendor that stores nothing must be sent its reasoning items back, or the model starts its thoughts over with every
// tool call. The caller keeps them for us: a thinking block comes back with its signature unread, so an item's id and
// encrypted content travel in that, as
//
//	oar1:s:4:rs_1gAAAAAB…
//	│    │ │ │   └ encrypted_content, as the vendor wrote it
//	│    │ │ └ the id
//	│    │ └ its length in bytes
//	│    └ s: the block's text is the item's summary, c: it is its content
//	└ this form
//
// An item without a readable text is a redacted_thinking block with the same in its data. The form depends on the item
// alone, and both directions of it are here.
const signatureForm = "oar1:"

// A proof is what a signature holds.
type proof struct {
	text      proofText
	id        string
	encrypted string
}

// A proofText says what the text of a thinking block is to its reasoning item.
type proofText byte

const (
	textSummary proofText = 's'
	textContent proofText = 'c'
)

// append appends the signature.
func (p *proof) append(b []byte) []byte {
	b = append(append(b, signatureForm...), byte(p.text), ':')
	b = strconv.AppendInt(b, int64(len(p.id)), 10)
	b = append(append(b, ':'), p.id...)
	return append(b, p.encrypted...)
}

// readProof takes a signature apart. ok is false for one that this adapter did not make.
func readProof(signature string) (p proof, ok bool) {
	rest, ours := strings.CutPrefix(signature, signatureForm)
	if !ours || len(rest) < 2 || rest[1] != ':' {
		return p, false
	}
	p.text = proofText(rest[0])
	length, rest, found := strings.Cut(rest[2:], ":")
	n, err := strconv.Atoi(length)
	if !found || err != nil || n < 0 || n > len(rest) || length != strconv.Itoa(n) || p.text != textSummary && p.text != textContent {
		return proof{}, false
	}
	p.id, p.encrypted = rest[:n], rest[n:]
	return p, true
}
