package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
)

// A Setting is one of an adapter's settings as its manifest declares it.
type Setting struct {
	Name    string          `json:"name"`
	Type    string          `json:"type"` // "string", "number", "bool" or "list", a list being of strings
	Default json.RawMessage `json:"default,omitempty"`
	Doc     string          `json:"doc,omitempty"`
}

// ValidateSettings checks the settings that an operator gave against those that the manifest declares, fills in the
// defaults and returns them as a JSON object, keys sorted. given is a JSON object, or empty for none. All that is wrong
// is in the one error, each with the name and what was expected.
func ValidateSettings(declared []Setting, given []byte) ([]byte, error) {
	have := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(given)) > 0 {
		if err := json.Unmarshal(given, &have); err != nil {
			return nil, fmt.Errorf("settings: expected an object: %w", err)
		}
	}
	known := make(map[string]bool, len(declared))
	out := make(map[string]json.RawMessage, len(declared))
	var wrong []string
	for _, s := range declared {
		known[s.Name] = true
		value, ok := have[s.Name]
		if !ok || isNull(value) {
			if value = s.Default; isNull(value) {
				continue
			}
		}
		if !fits(s.Type, value) {
			wrong = append(wrong, fmt.Sprintf("%s: expected a %s, got %.40s", s.Name, s.Type, value))
			continue
		}
		out[s.Name] = value
	}
	for name := range have {
		if !known[name] {
			wrong = append(wrong, fmt.Sprintf("%s: the module has no such setting; it has %s", name, names(declared)))
		}
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return nil, fmt.Errorf("settings: %s", strings.Join(wrong, "; "))
	}
	return json.Marshal(out)
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// fits says whether a JSON value is of a manifest's type. A type that this host doesn't know fits nothing.
func fits(kind string, v json.RawMessage) bool {
	switch kind {
	case "string":
		var s string
		return json.Unmarshal(v, &s) == nil
	case "number":
		var f float64
		return json.Unmarshal(v, &f) == nil && !math.IsInf(f, 0)
	case "bool":
		var b bool
		return json.Unmarshal(v, &b) == nil
	case "list":
		var l []*string
		if json.Unmarshal(v, &l) != nil {
			return false
		}
		for _, s := range l {
			if s == nil {
				return false
			}
		}
		return true
	}
	return false
}

func names(declared []Setting) string {
	if len(declared) == 0 {
		return "none"
	}
	list := make([]string, len(declared))
	for i, s := range declared {
		list[i] = s.Name
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}
