package wasm

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// A Manifest is what a module says about itself, as the host read it at load.
type Manifest struct {
	Name     string    `json:"name"`
	Version  string    `json:"version"`
	Kind     Kind      `json:"kind"`
	Framing  []string  `json:"framing"`
	Features []string  `json:"features"`
	Settings []Setting `json:"settings"`
}

// A Setting is a name that an operator may set for the module. Default is a string, bool, float64 or []any of strings as Type
// has it, or nil.
type Setting struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default any    `json:"default,omitempty"`
	Doc     string `json:"doc"`
}

// Feature says whether the module lists a feature.
func (m *Manifest) Feature(name string) bool { return slices.Contains(m.Features, name) }

// A word names a plugin, its version, a feature or a setting. Such names become files, rows, labels of metrics and lines of a terminal.
var word = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$`)

func checkWord(what, s string) error {
	if word.MatchString(s) {
		return nil
	}
	return fmt.Errorf("manifest's %s %.80q is not a word: want at most 64 letters, digits and _ . + -, not one of the last three first", what, s)
}

func parseManifest(b []byte, kind Kind) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("manifest is not the JSON it should be: %w", err)
	}
	switch {
	case m.Name == "":
		return m, errors.New(`manifest has no "name"`)
	case m.Version == "":
		return m, errors.New(`manifest has no "version"`)
	case m.Kind != kind:
		return m, fmt.Errorf("manifest says that it is of kind %q, its marker export says %q", m.Kind, kind)
	}
	if err := errors.Join(checkWord("name", m.Name), checkWord("version", m.Version)); err != nil {
		return m, err
	}
	for _, f := range slices.Concat(m.Framing, m.Features) {
		if err := checkWord("feature", f); err != nil {
			return m, err
		}
	}
	for _, s := range m.Settings {
		if err := s.check(); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (s *Setting) check() error {
	if s.Name == "" {
		return errors.New("manifest has a setting without a name")
	}
	if err := checkWord("setting", s.Name); err != nil {
		return err
	}
	if s.Doc != printable([]byte(s.Doc)) {
		return fmt.Errorf("manifest's setting %q has a doc that can't be printed on a line", s.Name)
	}
	ok := s.Default == nil
	switch d := s.Default.(type) {
	case string:
		ok = s.Type == "string"
	case float64:
		ok = s.Type == "number"
	case bool:
		ok = s.Type == "bool"
	case []any:
		ok = s.Type == "list" && !slices.ContainsFunc(d, func(v any) bool { _, is := v.(string); return !is })
	}
	if !slices.Contains([]string{"string", "number", "bool", "list"}, s.Type) {
		return fmt.Errorf("manifest's setting %q has the type %.80q, want string, number, bool or list", s.Name, s.Type)
	}
	if !ok {
		return fmt.Errorf("manifest's setting %q is a %s, its default %.80s is not", s.Name, s.Type, printable(fmt.Append(nil, s.Default)))
	}
	return nil
}
