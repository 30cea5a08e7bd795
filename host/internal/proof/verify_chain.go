package proof

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
)

// A chainVerifier judges one agent's part of an export.
type chainVerifier struct {
	v     *Verifier
	head  ChainHead
	links *Chain // nil before the first event
	last  *Event
	// first is the hash that the first event names before it, of an export that begins later.
	first string
	// waiting are receipt.created events without their receipt so far, by receipt id: a call that was booked twice has
	// two, and its receipt stands at the later.
	waiting map[string]int64
	told    [sha256.Size]byte
}

func newChainVerifier(v *Verifier, head *ChainHead) *chainVerifier {
	return &chainVerifier{v: v, head: *head, waiting: map[string]int64{}}
}

func (c *chainVerifier) found(f Finding, rule, expected, found string) {
	f.AgentID, f.Rule, f.Expected, f.Found = c.head.AgentID, rule, expected, found
	c.v.found(f)
}

func (c *chainVerifier) since() int64 { return c.v.header.SinceSeq }

func (c *chainVerifier) lastSeq() int64 {
	if c.last == nil {
		return c.since()
	}
	return c.last.Seq
}

func (c *chainVerifier) event(e *Event) {
	at := Finding{Seq: e.Seq}
	if e.AgentID != c.head.AgentID {
		c.found(at, RuleMisplaced, "an event of agent "+orNull(c.head.AgentID), "one of agent "+orNull(e.AgentID))
	}
	if c.links == nil {
		if c.since() > 0 && e.PreviousHash != nil {
			c.first = *e.PreviousHash
		}
		c.links = NewChain(c.since()+1, c.first)
	}
	if b := c.links.Add(e); b != nil {
		c.found(at, b.Rule, b.Expected, b.Found)
	}
	c.last = e
	if e.EventType == eventReceipt {
		var p receiptPayload
		if json.Unmarshal(e.Payload, &p) == nil && p.ReceiptID != "" {
			c.waiting[p.ReceiptID] = e.Seq
		}
	}
}

// eventReceipt is the event that a receipt is signed over.
const eventReceipt = "receipt.created"

type receiptPayload struct {
	ReceiptID   string `json:"receipt_id"`
	InferenceID string `json:"inference_id"`
	CostUSD     string `json:"cost_usd"`
}

// receipt judges a receipt, which stands behind its event.
func (c *chainVerifier) receipt(document json.RawMessage) {
	r := new(receiptDoc)
	at := Finding{AgentID: c.head.AgentID, ReceiptID: receiptIDOf(document)}
	if c.last != nil {
		at.Seq = c.last.Seq
	}
	if !c.v.signed(document, r, at) {
		delete(c.waiting, at.ReceiptID)
		return
	}
	delete(c.waiting, r.ReceiptID)
	at.Seq, at.InferenceID = r.AuditSeq, r.InferenceID
	if c.head.AgentID == "" {
		c.head.AgentID = r.AgentID // a stray is in no chain
	}
	if lack := r.lacks(); lack != "" {
		c.found(at, RuleReceiptLacks, "all that a receipt says", "none of "+lack)
	}
	switch e := c.last; {
	case e == nil || e.AgentID != r.AgentID || e.Seq != r.AuditSeq:
		c.found(at, RuleReceiptEvent, fmt.Sprintf("event %d of agent %s with hash %s", r.AuditSeq, r.AgentID, r.AuditHash), "no such event here")
	case e.EventHash != r.AuditHash:
		c.found(at, RuleReceiptEvent, "event_hash "+r.AuditHash, e.EventHash)
	default:
		var p receiptPayload
		if err := json.Unmarshal(e.Payload, &p); err != nil || p.ReceiptID != r.ReceiptID || p.InferenceID != r.InferenceID || p.CostUSD != r.CostUSD {
			c.found(at, RuleReceiptEvent, fmt.Sprintf("receipt %s of inference %s for %s USD", r.ReceiptID, r.InferenceID, r.CostUSD),
				fmt.Sprintf("%s of %s for %s USD in the event", orNull(p.ReceiptID), orNull(p.InferenceID), orNull(p.CostUSD)))
		}
	}
}

func receiptIDOf(document json.RawMessage) string {
	var r struct {
		ReceiptID string `json:"receipt_id"`
	}
	_ = json.Unmarshal(document, &r) // as above: it is found by whoever reads it all
	return r.ReceiptID
}

// signedHead judges a head, which stands behind its event.
func (c *chainVerifier) signedHead(document json.RawMessage) {
	h := new(Head)
	at := Finding{AgentID: c.head.AgentID, RootSeq: seqOf(document)}
	if !c.v.signed(document, h, at) {
		return
	}
	c.told = fold(c.told, h.RootSeq, h.Leaf().Hash())
	at.Seq = h.Seq
	if h.Type != TypeHead {
		c.found(at, RuleRootType, TypeHead, fmt.Sprintf("%.40q", h.Type))
	}
	if h.AgentID != c.head.AgentID {
		c.found(at, RuleMisplaced, "a head of agent "+c.head.AgentID, "one of agent "+h.AgentID)
		return
	}
	c.covers(h.Leaf(), at)
}

// covers judges a leaf that was signed or proven against the chain as it is.
func (c *chainVerifier) covers(l Leaf, at Finding) {
	hash := ""
	switch {
	case l.Seq < c.since():
		return // the export has nothing to compare
	case l.Seq == c.since():
		hash = c.first
		if c.last == nil {
			hash = c.head.HeadHash
		}
	case l.Seq > c.lastSeq():
		c.found(at, RuleSignedTail, fmt.Sprintf("event %d with hash %s", l.Seq, l.EventHash), fmt.Sprintf("a chain that ends at %d", c.lastSeq()))
		return
	case l.Seq == c.last.Seq:
		hash = c.last.EventHash
	}
	if hash != l.EventHash {
		c.found(at, RuleSignedHead, l.EventHash, orNull(hash))
	}
}

func (c *chainVerifier) proof(i *Inclusion) {
	at := Finding{Seq: i.Seq, RootSeq: i.RootSeq}
	if err := c.v.roots.proves(i, i.Seq >= c.since()); err != nil {
		c.found(at, RuleInclusion, "a path to the root", err.Error())
	}
	if i.AgentID != c.head.AgentID {
		c.found(at, RuleMisplaced, "a proof of agent "+c.head.AgentID, "one of agent "+i.AgentID)
		return
	}
	c.covers(i.Leaf, at)
}

// end judges what only the whole chain can show.
func (c *chainVerifier) end() {
	at := Finding{Seq: c.head.HeadSeq}
	switch last := c.lastSeq(); {
	case last < c.head.HeadSeq:
		c.found(at, RuleTail, fmt.Sprintf("event %d", c.head.HeadSeq), fmt.Sprintf("a chain that ends at %d", last))
	case c.last != nil && (last != c.head.HeadSeq || c.last.EventHash != c.head.HeadHash):
		c.found(at, RuleHead, fmt.Sprintf("seq %d, %s", c.head.HeadSeq, orNull(c.head.HeadHash)), fmt.Sprintf("seq %d, %s", last, c.last.EventHash))
	}
	missing := make([]string, 0, len(c.waiting))
	for id := range c.waiting {
		missing = append(missing, id)
	}
	slices.SortFunc(missing, func(a, b string) int { return int(c.waiting[a] - c.waiting[b]) })
	for _, id := range missing {
		c.found(Finding{Seq: c.waiting[id], ReceiptID: id}, RuleNoReceipt, "receipt "+id, "none")
	}
	if c.v.header.AgentID != "" {
		return // the export has no leaves
	}
	if told, ok := c.v.roots.told[c.head.AgentID]; ok && told != c.told || !ok && c.told != [sha256.Size]byte{} {
		c.found(Finding{}, RuleHeads, "the leaves of the roots", "other heads")
	}
	delete(c.v.roots.told, c.head.AgentID)
}
