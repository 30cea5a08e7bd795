package sdktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk/abi"
)

// A File is a recorded case as its author keeps it, in testdata: a txtar archive that reads well in a review. An adapter's
// has
//
//	what the case is about, in its first line
//	-- call.json --          the Open record
//	-- body.json --          the caller's request; none on the verbatim lane
//	-- answer.http --        the vendor's answer: status line, headers, an empty line, the body; none stops behind the request
//	-- end --                "cancelled" or "broken", where the answer did not end by itself
//	-- want-request.json --  the request that must come of it, as Result.RequestJSON writes it
//	-- want-message.json --  the message, as Result.MessageJSON does
//
// and a policy's has input.json and decision.json. A wanted part that is missing is not compared.
type File struct {
	// Path is where it was read from, Name the first line of its text, or else the file's name.
	Path, Name string

	Input, Decision    []byte
	Call, Body, Answer []byte
	End                abi.EndReason
	// WantRequest and WantMessage are nil where the file does not have them.
	WantRequest, WantMessage []byte

	comment []byte
}

// Files reads every case in a directory, sorted by name. None is an error: a test over no cases can't fail.
func Files(dir string) ([]*File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no cases in %s: %w", dir, fs.ErrNotExist)
	}
	var files []*File
	for _, path := range paths {
		f, err := ReadFile(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// ReadFile reads one case.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := ParseFile(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.Path = path
	if f.Name == "" {
		f.Name = strings.TrimSuffix(filepath.Base(path), ".txtar")
	}
	return f, nil
}

// ParseFile reads a case from its text. Parts that it does not know are a mistake.
func ParseFile(text []byte) (*File, error) {
	comment, sections := cutArchive(text)
	f := &File{comment: comment}
	first, _, _ := strings.Cut(string(comment), "\n")
	f.Name = strings.TrimSpace(first)
	seen := map[string]bool{}
	for _, s := range sections {
		if seen[s.name] {
			return nil, fmt.Errorf("part %s is there twice", s.name)
		}
		seen[s.name] = true
		if err := f.take(s); err != nil {
			return nil, fmt.Errorf("part %s: %w", s.name, err)
		}
	}
	if (f.Input != nil) == (f.Call != nil) {
		return nil, errors.New("want either input.json, of a policy, or call.json, of an adapter, as \"-- call.json --\" on a line of its own")
	}
	return f, nil
}

func (f *File) take(s section) error {
	parts := map[string]*[]byte{"input.json": &f.Input, "decision.json": &f.Decision, "call.json": &f.Call, "body.json": &f.Body,
		"want-request.json": &f.WantRequest, "want-message.json": &f.WantMessage}
	switch part, ok := parts[s.name]; {
	case ok:
		if !json.Valid(s.data) {
			return errors.New("is not JSON")
		}
		*part = s.data
	case s.name == "answer.http":
		f.Answer = s.data
		_, err := f.answer()
		return err
	case s.name == "end":
		switch word := string(bytes.TrimSpace(s.data)); word {
		case "cancelled":
			f.End = abi.EndCancelled
		case "broken":
			f.End = abi.EndBroken
		default:
			return fmt.Errorf("%q is neither cancelled nor broken", word)
		}
	default:
		return errors.New("is not known")
	}
	return nil
}

// Bytes is the case as ReadFile reads it.
func (f *File) Bytes() []byte {
	var out []section
	add := func(name string, data []byte) {
		if data != nil {
			out = append(out, section{name, data})
		}
	}
	add("input.json", f.Input)
	add("decision.json", f.Decision)
	add("call.json", f.Call)
	add("body.json", f.Body)
	add("answer.http", f.Answer)
	switch f.End {
	case abi.EndCancelled:
		add("end", []byte("cancelled"))
	case abi.EndBroken:
		add("end", []byte("broken"))
	}
	add("want-request.json", f.WantRequest)
	add("want-message.json", f.WantMessage)
	comment := f.comment
	if comment == nil {
		comment = []byte(f.Name + "\n")
	}
	return joinArchive(comment, out)
}

// Renamed is Bytes under another text; its first line is the name.
func (f *File) Renamed(comment string) []byte {
	c := *f
	c.comment = []byte(comment + "\n")
	return c.Bytes()
}

// A Response is the recorded answer, its body whole.
type Response struct {
	Status  int
	Headers map[string]string // names in lower case
	Body    []byte
}

// Response reads answer.http; nil where there is none.
func (f *File) Response() *Response {
	r, err := f.answer()
	if err != nil {
		panic("sdktest: an answer that ParseFile did not read: " + err.Error())
	}
	return r
}

func (f *File) answer() (*Response, error) {
	if f.Answer == nil {
		return nil, nil
	}
	head, body := f.Answer, []byte(nil)
	for _, empty := range []string{"\n\n", "\n\r\n"} {
		if i := bytes.Index(f.Answer, []byte(empty)); i >= 0 && i < len(head) {
			head, body = f.Answer[:i], f.Answer[i+len(empty):]
		}
	}
	r := &Response{Headers: map[string]string{}, Body: body}
	for i, line := range strings.Split(strings.TrimSpace(string(head)), "\n") {
		if i == 0 {
			words := strings.Fields(line)
			if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/") {
				return nil, fmt.Errorf("%q is no status line, such as HTTP/1.1 200 OK", line)
			}
			status, err := strconv.Atoi(words[1])
			if err != nil || status < 100 || status > 599 {
				return nil, fmt.Errorf("%q is no status", words[1])
			}
			r.Status = status
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no header", line)
		}
		r.Headers[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return r, nil
}

// Exchange is the case as a call and its answer: the call and the body without the white space that the file has for its
// readers, which is how a module carries them too, and the answer cut by what its content-type says it is. A host cuts it by the
// framing that the request asks for, which should come to the same.
func (f *File) Exchange() Exchange {
	x := Exchange{Call: string(compacted(f.Call)), Body: string(compacted(f.Body))}
	r := f.Response()
	if r == nil {
		return x
	}
	body := string(r.Body)
	switch typ := r.Headers["content-type"]; {
	case body == "":
		x.Answer = Answer{}
	case r.Status < 400 && strings.HasPrefix(typ, "text/event-stream"):
		x.Answer = SSE(r.Body)
	case r.Status < 400 && (strings.Contains(typ, "ndjson") || strings.Contains(typ, "jsonl")):
		for line := range strings.Lines(body) {
			if line = strings.TrimRight(line, "\r\n"); line != "" {
				x.Answer.Frames = append(x.Answer.Frames, Frame{Data: line})
			}
		}
	default:
		x.Answer = Document(r.Status, body)
	}
	x.Answer.Status, x.Answer.Headers, x.Answer.End = r.Status, r.Headers, f.End
	return x
}

// Run plays an adapter's case on g. The error shows what differs, line by line.
func (f *File) Run(g Guest) error {
	if f.Call == nil {
		return errors.New("is no adapter's case")
	}
	x := f.Exchange()
	res, err := x.Run(g)
	if err != nil {
		return err
	}
	return f.Compare(res)
}

// Compare holds what came out against what the case wants.
func (f *File) Compare(res *Result) error {
	var errs []error
	if f.WantRequest != nil {
		errs = append(errs, compareText("the request", res.RequestJSON(), f.WantRequest))
	}
	if f.WantMessage != nil {
		errs = append(errs, compareText("the message", res.MessageJSON(), f.WantMessage))
	}
	return errors.Join(errs...)
}

// Update makes the case want what came out.
func (f *File) Update(res *Result) {
	f.WantRequest, f.WantMessage = res.RequestJSON(), nil
	if f.Answer != nil && res.Refusal == nil {
		f.WantMessage = res.MessageJSON()
	}
}

// A Decider is a policy behind its batches: *sdk.PolicyGuest, or a module in a runtime.
type Decider interface {
	Decide(call uint32, batch []byte) []byte
}

// Decide plays a policy's case on g.
func (f *File) Decide(g Decider) error {
	if f.Input == nil {
		return errors.New("is no policy's case")
	}
	b := abi.AppendBatch(nil, stream)
	recs, err := read(g.Decide(stream, abi.AppendRecord(b, abi.KindInput, 0, 0, f.Input)))
	if err != nil {
		return fmt.Errorf("decide: %w", err)
	}
	if len(recs) != 1 || recs[0].Kind != abi.KindDecision {
		return fmt.Errorf("decide: got %d records, want one decision", len(recs))
	}
	return f.CompareDecision([]byte(recs[0].Payload))
}

// CompareDecision holds a decision against the one that the case wants: the same bytes, but for the line breaks that the
// file has for its readers.
func (f *File) CompareDecision(got []byte) error {
	var want bytes.Buffer
	if f.Decision == nil {
		return nil
	}
	if err := json.Compact(&want, f.Decision); err != nil {
		return err
	}
	if bytes.Equal(got, want.Bytes()) {
		return nil
	}
	return compareText("the decision", Indent(got), Indent(want.Bytes()))
}

// Case is the case as a module carries it; nil where that form can't say it: an answer that did not end by itself, or one in
// another framing than SSE and JSON documents.
func (f *File) Case() *Case {
	if f.Input != nil {
		if f.Decision == nil {
			return nil
		}
		return &Case{Name: f.Name, Input: compacted(f.Input), Decision: compacted(f.Decision)}
	}
	want := f.want()
	if want == nil || f.End != abi.EndOfBody {
		return nil
	}
	c := &Case{Name: f.Name, Call: compacted(f.Call), Want: want}
	if f.Body != nil {
		c.Body = compacted(f.Body)
	}
	if r := f.Response(); r != nil {
		a := &CaseAnswer{Status: r.Status, Headers: r.Headers}
		switch typ := r.Headers["content-type"]; {
		case r.Status < 400 && strings.HasPrefix(typ, "text/event-stream"):
			a.SSE = string(r.Body)
		case r.Status >= 400 || strings.HasPrefix(typ, "application/json"):
			a.Document = string(r.Body)
		default:
			return nil
		}
		c.Answer = a
	}
	return c
}

// want turns the wanted request and message into what a module's case compares; nil where nothing is wanted.
func (f *File) want() *Want {
	if f.WantRequest == nil && f.WantMessage == nil {
		return nil
	}
	var req requestForm
	var msg messageForm
	for text, into := range map[*[]byte]any{&f.WantRequest: &req, &f.WantMessage: &msg} {
		if *text != nil && json.Unmarshal(*text, into) != nil {
			return nil
		}
	}
	w := &Want{Method: req.Method, Path: req.Path, Usage: msg.Usage}
	if len(req.Body) > 0 && req.Body[0] == '{' {
		w.Body = compacted(req.Body)
	}
	if req.Refusal != nil {
		w.Refusal = req.Refusal.Kind
	}
	if msg.Error != nil {
		w.Error = msg.Error.Kind
	}
	if msg.Stop != nil {
		w.Stop = msg.Stop.Reason
	}
	for _, b := range msg.Blocks {
		switch b.Type {
		case "text":
			w.Text += b.Text
		case "thinking":
			w.Thinking += b.Text
		case "tool_use":
			t := WantTool{Name: b.Name}
			if json.Valid([]byte(b.Text)) {
				t.Arguments = json.RawMessage(b.Text)
			}
			w.Tools = append(w.Tools, t)
		}
	}
	return w
}

// Lines are the cases that a module can carry, one a line, sorted as they are given.
func Lines(files []*File) ([]byte, error) {
	var out []byte
	for _, f := range files {
		c := f.Case()
		if c == nil {
			continue
		}
		line, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		out = append(append(out, line...), '\n')
	}
	return out, nil
}

// compacted is a document without white space; nil where there is none.
func compacted(b []byte) json.RawMessage {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return b
	}
	return out.Bytes()
}
