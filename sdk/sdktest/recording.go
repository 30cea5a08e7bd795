package sdktest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ConformanceEnv names the directory with recorded traffic. It is not part of this module: recordings keep the licences
// of their sources.
const ConformanceEnv = "AINFERA_CONFORMANCE"

// A Recording is one exchange with a real vendor.
type Recording struct {
	Path     string   `json:"path"`
	Vendor   string   `json:"vendor"`
	API      string   `json:"api"`
	Stream   bool     `json:"stream"`
	Status   int      `json:"status"`
	Model    string   `json:"model"`
	Features []string `json:"features"`
	File     string   `json:"response_file"`

	// Body is the response's, Headers its headers with names in lower case.
	Body    []byte            `json:"-"`
	Headers map[string]string `json:"-"`
}

// Recordings reads the recordings of some APIs, of all without any. It returns nil without an error when ConformanceEnv is
// not set: a test then skips, saying so.
func Recordings(apis ...string) ([]Recording, error) {
	dir := os.Getenv(ConformanceEnv)
	if dir == "" {
		return nil, nil
	}
	dir = filepath.Join(dir, "fixtures")
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	var all []Recording
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("recordings: index: %w", err)
	}
	var out []Recording
	for _, r := range all {
		if len(apis) > 0 && !slices.Contains(apis, r.API) {
			continue
		}
		if err := r.read(filepath.Join(dir, filepath.FromSlash(r.Path))); err != nil {
			return nil, fmt.Errorf("recording %s: %w", r.Path, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (r *Recording) read(dir string) (err error) {
	if r.File != "" { // or the answer had no body
		if r.Body, err = os.ReadFile(filepath.Join(dir, r.File)); err != nil {
			return err
		}
	}
	r.Status = cmp.Or(r.Status, 200) // where it wasn't noted
	r.Headers = map[string]string{}
	raw, err := os.ReadFile(filepath.Join(dir, "headers.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the source kept none
	}
	if err != nil {
		return err
	}
	var h struct {
		Headers map[string][]string `json:"headers"`
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	for name, values := range h.Headers {
		r.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return nil
}

// Passes says that the host shows the answer to an adapter, or reads it as its own protocol: it follows no redirects, and
// reads nothing that comes with one.
func (r *Recording) Passes() bool { return r.Status/100 == 2 || r.Status >= 400 }

// Answer is the recorded answer, cut as its content wants it. Without a body there is no frame.
func (r *Recording) Answer() Answer {
	a := Document(r.Status, string(r.Body))
	if len(r.Body) == 0 {
		a.Frames = nil
	}
	if strings.HasSuffix(r.File, ".sse") {
		a = SSE(r.Body)
		a.Status = r.Status
	}
	a.Headers = r.Headers
	return a
}

// Elements are the documents that the answer holds: the data of each frame, or its lines where every one of them is a
// document, of a server that leaves the blank lines between its events out. Chat Completions' [DONE] is none.
func (r *Recording) Elements() (out []string) {
	for _, f := range r.Answer().Frames {
		lines := strings.Split(f.Data, "\n")
		if slices.ContainsFunc(lines, func(l string) bool { return l != done && !json.Valid([]byte(l)) }) {
			lines = []string{f.Data}
		}
		for _, l := range lines {
			if l = strings.TrimSpace(l); l != "" && l != done {
				out = append(out, l)
			}
		}
	}
	return out
}

const done = "[DONE]"
