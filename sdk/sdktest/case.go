package sdktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Case is one recorded case of an adapter or a policy, in the form in which a module carries it. What it does not say is
// not compared.
type Case struct {
	// Name says what it is about; a failure is reported under it.
	Name string `json:"name"`

	// Input and Decision are a policy's: the same bytes in must give the same bytes out.
	Input    json.RawMessage `json:"input,omitempty"`
	Decision json.RawMessage `json:"decision,omitempty"`

	// Call and Body are what an adapter is given: the Open record's JSON, and the caller's request where the lane is not
	// verbatim.
	Call json.RawMessage `json:"call,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
	// Answer is the vendor's; without it the case ends with the request.
	Answer *CaseAnswer `json:"answer,omitempty"`
	// Want is what must come of it.
	Want *Want `json:"want,omitempty"`
}

// A CaseAnswer is a vendor's answer: a stream of server-sent events, or one document.
type CaseAnswer struct {
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers,omitempty"` // names in lower case
	SSE      string            `json:"sse,omitempty"`
	Document string            `json:"document,omitempty"`
}

// Want is what an adapter's case must come to.
type Want struct {
	// Method, Path and Body are the request's. Body is compared as JSON; a reference stands in it as "<ref N>".
	Method string          `json:"method,omitempty"`
	Path   string          `json:"path,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	// Refusal and Error are kinds of the ABI: what the adapter refuses with, and what the vendor's answer is taken for.
	Refusal string `json:"refusal,omitempty"`
	Error   string `json:"error,omitempty"`
	// Text and Thinking are those of all blocks.
	Text     string `json:"text,omitempty"`
	Thinking string `json:"thinking,omitempty"`
	// Tools are the calls in their order.
	Tools []WantTool `json:"tools,omitempty"`
	// Stop is the finish reason.
	Stop  string           `json:"stop,omitempty"`
	Usage map[string]int64 `json:"usage,omitempty"`
}

// A WantTool is one tool call.
type WantTool struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // compared as JSON
}

// ReadCases reads cases, one a line; empty lines are passed over. Fields that it does not know are a mistake.
func ReadCases(lines []byte) ([]Case, error) {
	if len(lines) > MaxCasesBytes {
		return nil, fmt.Errorf("cases are %d bytes, the limit is %d", len(lines), MaxCasesBytes)
	}
	var cases []Case
	for i, line := range bytes.Split(lines, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var c Case
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		err := dec.Decode(&c)
		if err == nil && dec.More() {
			err = errors.New("more than one case in the line")
		}
		if err == nil {
			err = c.check()
		}
		if err != nil {
			return nil, fmt.Errorf("case in line %d: %w", i+1, err)
		}
		cases = append(cases, c)
	}
	return cases, nil
}

func (c *Case) check() error {
	policy, adapter := c.Input != nil, c.Call != nil
	switch {
	case c.Name == "":
		return errors.New(`no "name"`)
	case policy == adapter:
		return errors.New(`either "input", of a policy, or "call", of an adapter`)
	case policy && c.Decision == nil:
		return errors.New(`no "decision" to compare with`)
	case adapter && c.Want == nil:
		return errors.New(`no "want" to compare with`)
	case c.Answer != nil && c.Answer.Status == 0:
		return errors.New(`"answer" has no "status"`)
	}
	return nil
}

// Run plays an adapter's case on g. The error says what is not as it should be.
func (c *Case) Run(g Guest) error {
	if c.Call == nil {
		return errors.New("is no adapter's case")
	}
	x := Exchange{Call: string(c.Call), Body: string(c.Body)}
	if a := c.Answer; a != nil {
		if x.Answer = Document(a.Status, a.Document); a.SSE != "" {
			x.Answer = SSE([]byte(a.SSE))
		}
		x.Answer.Status, x.Answer.Headers = a.Status, a.Headers
	}
	res, err := x.Run(g)
	if err != nil {
		return err
	}
	return c.Want.compare(res)
}

// Decided compares a policy's answer with the case's. Both are canonical, so that the bytes must be the same.
func (c *Case) Decided(got []byte) error {
	if !bytes.Equal(got, c.Decision) {
		return fmt.Errorf("got the decision %.400s, want %.400s", got, c.Decision)
	}
	return nil
}

func (w *Want) compare(res *Result) error {
	refusal, failed, stop := "", "", ""
	if res.Refusal != nil {
		refusal = res.Refusal.Kind
	}
	if res.Message.Error != nil {
		failed = res.Message.Error.Kind
	}
	if res.Message.Stop != nil {
		stop = res.Message.Stop.Reason
	}
	if refusal != w.Refusal {
		return differs("refusal", refusal, w.Refusal)
	}
	if failed != w.Error {
		return differs("error", failed, w.Error)
	}
	for _, f := range []struct{ name, got, want string }{
		{"method", res.Request.Method, w.Method}, {"path", res.Request.Path, w.Path}, {"text", res.Message.Text("text"), w.Text},
		{"thinking", res.Message.Text("thinking"), w.Thinking}, {"stop", stop, w.Stop},
	} {
		if f.want != "" && f.got != f.want {
			return differs(f.name, f.got, f.want)
		}
	}
	if w.Body != nil && !sameJSON([]byte(res.Request.Body), w.Body) {
		return differs("body", res.Request.Body, string(w.Body))
	}
	for kind, n := range w.Usage {
		if got := res.Message.Usage[kind]; got != n {
			return fmt.Errorf("usage of %s: got %d, want %d", kind, got, n)
		}
	}
	return w.compareTools(res)
}

func (w *Want) compareTools(res *Result) error {
	if w.Tools == nil {
		return nil
	}
	var got []Block
	for _, b := range res.Message.Blocks {
		if b.Type == "tool_use" {
			got = append(got, b)
		}
	}
	if len(got) != len(w.Tools) {
		return fmt.Errorf("got %d tool calls, want %d", len(got), len(w.Tools))
	}
	for i, t := range w.Tools {
		if got[i].Name != t.Name {
			return differs("tool", got[i].Name, t.Name)
		}
		if t.Arguments != nil && !sameJSON([]byte(got[i].Text), t.Arguments) {
			return differs("arguments of "+t.Name, got[i].Text, string(t.Arguments))
		}
	}
	return nil
}

func differs(what, got, want string) error {
	return fmt.Errorf("%s: got %.400q, want %.400q", what, got, want)
}

// sameJSON compares two documents but for the order of keys and white space. Numbers are compared as they are written.
func sameJSON(a, b []byte) bool {
	x, errA := plain(a)
	y, errB := plain(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func plain(b []byte) ([]byte, error) {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
