package proof

import (
	"fmt"
	"strings"
)

// A Finding is one thing that is not as it must be: where it is, what was expected there and what was found.
type Finding struct {
	Rule        string `json:"rule"`
	AgentID     string `json:"agent_id,omitempty"`
	Seq         int64  `json:"seq,omitempty"`
	RootSeq     int64  `json:"root_seq,omitempty"`
	ReceiptID   string `json:"receipt_id,omitempty"`
	InferenceID string `json:"inference_id,omitempty"`
	EntryID     string `json:"entry_id,omitempty"`
	KeyID       string `json:"key_id,omitempty"`
	Day         string `json:"day,omitempty"`
	Line        int    `json:"line,omitempty"` // of an export
	Expected    string `json:"expected,omitempty"`
	Found       string `json:"found,omitempty"`
}

// Where names the place alone.
func (f *Finding) Where() string {
	var b strings.Builder
	add := func(what, which string) {
		if which == "" || which == "0" {
			return
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(what + " " + which)
	}
	add("agent", f.AgentID)
	add("seq", fmt.Sprint(f.Seq))
	add("root", fmt.Sprint(f.RootSeq))
	add("inference", f.InferenceID)
	add("entry", f.EntryID)
	add("receipt", f.ReceiptID)
	add("key", f.KeyID)
	add("day", f.Day)
	add("line", fmt.Sprint(f.Line))
	return b.String()
}

// String is the finding in one line.
func (f *Finding) String() string {
	s := f.Rule
	if where := f.Where(); where != "" {
		s = where + ": " + s
	}
	if f.Expected != "" || f.Found != "" {
		s += ": expected " + f.Expected + ", found " + f.Found
	}
	return s
}
