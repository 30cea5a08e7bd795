package proof

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// An Event is one link of an audit chain as an export or the API gives it.
type Event struct {
	AgentID   string          `json:"agent_id"`
	Seq       int64           `json:"seq"`
	EventType string          `json:"event_type"`
	Payload   json.RawMessage `json:"payload"`
	// PayloadText is a payload that is not JSON, which is then the only thing wrong that can be said of it. Payload is
	// null with it.
	PayloadText  string  `json:"payload_text,omitempty"`
	PreviousHash *string `json:"previous_hash"`
	EventHash    string  `json:"event_hash"`
	CreatedAt    string  `json:"created_at"`
}

// A ChainResult is what verifying a chain came to.
type ChainResult struct {
	Valid bool
	// BrokenAtSeq is the first event that does not fit, and Reason says why; both only when the chain is not valid.
	BrokenAtSeq int64
	Reason      string
}

// VerifyChain checks one agent's events, oldest first: the first has no previous hash, the numbers have no gap, each
// link names the one before it, and each hash is that of its payload. An empty list proves nothing and is not valid.
func VerifyChain(events []Event) ChainResult {
	if len(events) == 0 {
		return ChainResult{Reason: "empty event list: nothing to verify"}
	}
	c := NewChain(events[0].Seq, "")
	for i := range events {
		if broken := c.Add(&events[i]); broken != nil {
			return ChainResult{BrokenAtSeq: events[i].Seq, Reason: broken.Reason(events[i].Seq)}
		}
	}
	return ChainResult{Valid: true}
}

// What may be wrong with a link.
const (
	RuleGap      = "events are missing from the chain"
	RuleOrder    = "an event stands where another belongs"
	RulePrevious = "previous_hash is not the hash of the event before"
	RulePayload  = "the payload is not JSON"
	RuleHash     = "event_hash is not that of the payload"
)

// A Break is what is wrong with one link.
type Break struct{ Rule, Expected, Found string }

// Reason says it in one line.
func (b *Break) Reason(seq int64) string {
	return fmt.Sprintf("%s at seq %d: expected %s, found %s", b.Rule, seq, b.Expected, b.Found)
}

// A Chain checks a chain link by link, so that a long one need not be in memory.
type Chain struct {
	next     int64
	previous string
}

// NewChain begins at the link that has the number next and the hash previous before it; the first of a chain has none.
func NewChain(next int64, previous string) *Chain { return &Chain{next: next, previous: previous} }

// Next is the number of the link that comes next.
func (c *Chain) Next() int64 { return c.next }

// Add returns what is wrong with the event as the next link, or nil. It goes on from the event as it stands, so that one
// broken link is reported once and not by all that follow.
func (c *Chain) Add(e *Event) *Break {
	broken := c.judge(e)
	c.next, c.previous = e.Seq+1, e.EventHash
	return broken
}

func (c *Chain) judge(e *Event) *Break {
	if e.Seq != c.next {
		rule := RuleGap
		if e.Seq < c.next {
			rule = RuleOrder
		}
		return &Break{rule, fmt.Sprintf("seq %d", c.next), fmt.Sprintf("seq %d", e.Seq)}
	}
	previous := ""
	if e.PreviousHash != nil {
		previous = *e.PreviousHash
	}
	if previous != c.previous {
		return &Break{RulePrevious, orNull(c.previous), orNull(previous)}
	}
	payload, err := Canonical(e.Payload)
	if e.PayloadText != "" {
		return &Break{RulePayload, "JSON", fmt.Sprintf("%.80q", e.PayloadText)}
	}
	if err != nil {
		return &Break{RulePayload, "JSON", err.Error()}
	}
	if hash := EventHash(previous, payload); hash != e.EventHash {
		return &Break{RuleHash, hash, orNull(e.EventHash)}
	}
	return nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// EventHash is the hash of an event: hex SHA-256 of the previous event's hash, as its hex text or nothing, followed by
// the payload's canonical JSON.
func EventHash(previous string, payload []byte) string {
	buf := make([]byte, 0, 512)
	sum := sha256.Sum256(append(append(buf, previous...), payload...))
	return hex.EncodeToString(sum[:])
}
