package sdktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// requestForm and messageForm are what a case's wanted parts hold.
type requestForm struct {
	Refusal *refusalForm      `json:"refusal,omitempty"`
	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"`
	Query   string            `json:"query,omitempty"`
	Framing string            `json:"framing,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Whole   bool              `json:"whole,omitempty"`
	Edits   string            `json:"edits,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Dropped []string          `json:"dropped,omitempty"`
}

type refusalForm struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

type messageForm struct {
	ID      string           `json:"id,omitempty"`
	Model   string           `json:"model,omitempty"`
	Blocks  []blockForm      `json:"blocks,omitempty"`
	Usage   map[string]int64 `json:"usage,omitempty"`
	Stop    *stopForm        `json:"stop,omitempty"`
	Error   *errorForm       `json:"error,omitempty"`
	Skipped int              `json:"skipped,omitempty"`
}

type blockForm struct {
	Type      string   `json:"type"`
	ID        string   `json:"id,omitempty"`
	Name      string   `json:"name,omitempty"`
	Text      string   `json:"text"`
	Signature string   `json:"signature,omitempty"`
	Citations []string `json:"citations,omitempty"`
}

type stopForm struct {
	Reason   string `json:"reason"`
	Native   string `json:"native,omitempty"`
	Sequence string `json:"sequence,omitempty"`
}

type errorForm struct {
	Kind         string `json:"kind"`
	Message      string `json:"message"`
	RetryAfterMS int64  `json:"retry_after_ms,omitempty"`
}

// RequestJSON is the request, or the refusal, as a case's want-request.json holds it. A body that is JSON is shown as such,
// any other as a string.
func (r *Result) RequestJSON() []byte {
	q := &r.Request
	form := requestForm{Method: q.Method, Path: q.Path, Query: q.Query, Framing: q.Framing, Headers: q.Headers, Whole: q.Whole,
		Edits: q.Edits, Dropped: r.Dropped}
	if r.Refusal != nil {
		form.Refusal = &refusalForm{r.Refusal.Kind, r.Refusal.Message}
	}
	switch {
	case q.Body == "":
	case json.Valid([]byte(q.Body)):
		form.Body = json.RawMessage(q.Body)
	default:
		form.Body = quoted(q.Body)
	}
	return written(form)
}

// MessageJSON is the message as a case's want-message.json holds it. How the text was cut into events makes no difference.
func (r *Result) MessageJSON() []byte {
	m := &r.Message
	form := messageForm{ID: m.ID, Model: m.Model, Usage: m.Usage, Skipped: m.Skipped}
	for _, b := range m.Blocks {
		form.Blocks = append(form.Blocks, blockForm{b.Type, b.ID, b.Name, b.Text, b.Signature, b.Citations})
	}
	if m.Stop != nil {
		form.Stop = &stopForm{m.Stop.Reason, m.Stop.Native, m.Stop.Sequence}
	}
	if m.Error != nil {
		form.Error = &errorForm{m.Error.Kind, m.Error.Message, m.Error.RetryAfterMS}
	}
	return written(form)
}

func written(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic("sdktest: " + err.Error()) // strings, numbers, and JSON that was looked at
	}
	return b.Bytes()
}

func quoted(s string) json.RawMessage {
	b, err := json.Marshal(s)
	if err != nil {
		panic("sdktest: " + err.Error())
	}
	return b
}

// Indent is JSON as a case's file shows it: keys stay in their order.
func Indent(doc []byte) []byte {
	var b bytes.Buffer
	if json.Indent(&b, doc, "", "  ") != nil {
		return doc
	}
	return append(b.Bytes(), '\n')
}

// compareText is an error with the lines that differ, nil when none does.
func compareText(what string, got, want []byte) error {
	if bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want)) {
		return nil
	}
	return fmt.Errorf("%s is not the one that the case wants (- want, + got):\n%s", what, Diff(string(want), string(got)))
}

// contextLines are shown around a difference.
const contextLines = 2

// Diff shows how two texts differ: lines only in the first begin with "-", those only in the second with "+". Lines far from a
// difference are left out.
func Diff(from, to string) string {
	a, b := strings.Split(strings.TrimSpace(from), "\n"), strings.Split(strings.TrimSpace(to), "\n")
	rows := align(a, b)
	near := make([]bool, len(rows))
	for i, r := range rows {
		if r[0] != ' ' {
			for j := max(0, i-contextLines); j < min(len(rows), i+contextLines+1); j++ {
				near[j] = true
			}
		}
	}
	var out strings.Builder
	for i, r := range rows {
		switch {
		case near[i]:
			out.WriteString(r + "\n")
		case i > 0 && near[i-1]:
			out.WriteString("  …\n")
		}
	}
	return out.String()
}

// maxAligned bounds the work of align, which is the product of both lengths.
const maxAligned = 4 << 20

// align puts the longest common run of lines side by side.
func align(a, b []string) []string {
	var rows []string
	if len(a)*len(b) > maxAligned {
		for _, l := range a {
			rows = append(rows, "- "+l)
		}
		for _, l := range b {
			rows = append(rows, "+ "+l)
		}
		return rows
	}
	common := make([][]int, len(a)+1) // of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			rows = append(rows, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			rows = append(rows, "- "+a[i])
			i++
		default:
			rows = append(rows, "+ "+b[j])
			j++
		}
	}
	return rows
}
