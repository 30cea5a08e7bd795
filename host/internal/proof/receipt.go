package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ainfera-ai/router/host/internal/merkle"
)

// What may be wrong with a receipt.
const (
	RuleReceiptLacks   = "a receipt lacks what it must say"
	RuleReceiptForm    = "a field of the receipt is not what it must be"
	RuleReceiptPending = "the receipt is pending: its call has not ended"
)

// A receiptDoc is what is read of a receipt.
type receiptDoc struct {
	AgentID     string          `json:"agent_id"`
	AuditHash   string          `json:"audit_hash"`
	AuditSeq    int64           `json:"audit_seq"`
	CostUSD     string          `json:"cost_usd"`
	InferenceID string          `json:"inference_id"`
	KeyID       string          `json:"key_id"`
	Model       string          `json:"model"`
	ReceiptID   string          `json:"receipt_id"`
	Status      string          `json:"status"`
	Usage       json.RawMessage `json:"usage"`
}

// lacks names the fields that every receipt has and this one has not.
func (r *receiptDoc) lacks() string {
	var names []string
	for _, f := range []struct {
		name  string
		there bool
	}{{"agent_id", r.AgentID != ""}, {"audit_hash", r.AuditHash != ""}, {"audit_seq", r.AuditSeq > 0}, {"cost_usd", r.CostUSD != ""},
		{"inference_id", r.InferenceID != ""}, {"key_id", r.KeyID != ""}, {"model", r.Model != "" || r.Status != "succeeded"}, {"receipt_id", r.ReceiptID != ""},
		{"status", r.Status != ""}, {"usage", len(r.Usage) > 0}} {
		if !f.there {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

// A ReceiptResult is what verifying a receipt came to: whose it is, and what is wrong with it.
type ReceiptResult struct {
	ReceiptID   string    `json:"receipt_id"`
	InferenceID string    `json:"inference_id"`
	AgentID     string    `json:"agent_id"`
	Model       string    `json:"model"`
	CostUSD     string    `json:"cost_usd"`
	AuditSeq    int64     `json:"audit_seq"`
	AuditHash   string    `json:"audit_hash"`
	KeyID       string    `json:"key_id"`
	Valid       bool      `json:"valid"`
	Findings    []Finding `json:"findings"`
}

// VerifyReceipt judges a receipt as GET /v1/receipts/{id} serves it, by itself: that it says all that a receipt must,
// and that a key of the ring signed exactly this. Whether its chain still has the event it names is an export's to show.
func VerifyReceipt(document []byte, keys Keyring) ReceiptResult {
	document = bytes.TrimSpace(document)
	out := ReceiptResult{Findings: []Finding{}}
	var r receiptDoc
	found := func(rule, expected, found string) {
		out.Findings = append(out.Findings, Finding{Rule: rule, ReceiptID: r.ReceiptID, Expected: expected, Found: found})
	}
	if err := json.Unmarshal(document, &r); err != nil {
		found(RuleUnsigned, "a receipt's JSON object", err.Error())
		return out
	}
	out.ReceiptID, out.InferenceID, out.AgentID, out.Model, out.CostUSD = r.ReceiptID, r.InferenceID, r.AgentID, r.Model, r.CostUSD
	out.AuditSeq, out.AuditHash, out.KeyID = r.AuditSeq, r.AuditHash, r.KeyID
	if r.Status == "pending" {
		found(RuleReceiptPending, "a signed receipt", "one that is pending: ask for it again")
		return out
	}
	if lack := r.lacks(); lack != "" {
		found(RuleReceiptLacks, "all that a receipt says", "none of "+lack)
	}
	if _, err := merkle.Parse(r.AuditHash); r.AuditHash != "" && err != nil {
		found(RuleReceiptForm, "audit_hash of 64 hex digits", fmt.Sprintf("%.80q", r.AuditHash))
	}
	if b := keys.Verify(document); b != nil {
		found(b.Rule, b.Expected, b.Found)
	}
	out.Valid = len(out.Findings) == 0
	return out
}
