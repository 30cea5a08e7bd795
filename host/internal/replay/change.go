package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/ainfera-ai/router/host/internal/wasm"
)

// A Change is what is asked to be otherwise; all else stays as each row recorded it. The zero Change asks nothing.
type Change struct {
	// Module decides in the place of each row's own; nil leaves it.
	Module *wasm.Module
	// Preference gives the settings and the policy's name that a preference binds, in the place of the recorded ones; nil
	// leaves them. Its module is in Module.
	Preference *Preference
	// Settings are "name=value" and stand above all others of that name. A list's values are separated by commas.
	Settings []string
}

// A Preference is a binding of the configuration's.
type Preference struct {
	Name, Policy string
	Settings     []byte // a JSON object, or nil
}

// String says what is otherwise, for a report.
func (c *Change) String() string {
	var parts []string
	if c.Preference != nil {
		parts = append(parts, "preference "+c.Preference.Name)
	}
	if c.Module != nil {
		m := c.Module.Manifest()
		parts = append(parts, fmt.Sprintf("module %s %s (%.19s)", m.Name, m.Version, c.Module.Digest()))
	}
	if len(c.Settings) > 0 {
		parts = append(parts, "settings "+strings.Join(c.Settings, " "))
	}
	return strings.Join(parts, ", ")
}

// Empty reports whether nothing is asked to be otherwise.
func (c *Change) Empty() bool { return c.Module == nil && c.Preference == nil && len(c.Settings) == 0 }

// A settingError is a setting that a module does not take: the asker's mistake, not the row's.
type settingError struct{ msg string }

func (e *settingError) Error() string { return e.msg }

// apply returns the input as it would have been. Every byte that the change does not name stays.
func (c *Change) apply(input []byte, m *wasm.Manifest) ([]byte, error) {
	var err error
	if c.Preference != nil {
		if gjson.GetBytes(input, "policy.policy_name").String() != c.Preference.Policy {
			if input, err = sjson.SetBytes(input, "policy.policy_name", c.Preference.Policy); err != nil {
				return nil, fmt.Errorf("set the policy's name: %w", err)
			}
		}
		if input, err = setSettings(input, c.Preference.Settings); err != nil {
			return nil, err
		}
	}
	if len(c.Settings) == 0 {
		return input, nil
	}
	settings := map[string]json.RawMessage{}
	if raw := gjson.GetBytes(input, "settings"); raw.Exists() {
		if err := json.Unmarshal([]byte(raw.Raw), &settings); err != nil {
			return nil, fmt.Errorf("read the recorded settings: %w", err)
		}
	}
	for _, pair := range c.Settings {
		name, value, err := parseSetting(m, pair)
		if err != nil {
			return nil, err
		}
		settings[name] = value
	}
	object, err := marshal(settings)
	if err != nil {
		return nil, err
	}
	return setSettings(input, object)
}

// setSettings replaces the input's settings, or takes them out.
func setSettings(input, object []byte) (out []byte, err error) {
	if len(object) == 0 {
		out, err = sjson.DeleteBytes(input, "settings")
	} else {
		out, err = sjson.SetRawBytes(input, "settings", object)
	}
	if err != nil {
		return nil, fmt.Errorf("set the settings: %w", err)
	}
	return out, nil
}

// parseSetting reads "name=value" as the manifest has the setting.
func parseSetting(m *wasm.Manifest, pair string) (name string, value json.RawMessage, err error) {
	name, text, ok := strings.Cut(pair, "=")
	if !ok || name == "" {
		return "", nil, &settingError{fmt.Sprintf("setting %q: expected name=value", pair)}
	}
	i := slices.IndexFunc(m.Settings, func(s wasm.Setting) bool { return s.Name == name })
	if i < 0 {
		return "", nil, &settingError{fmt.Sprintf("setting %s: policy %s %s has no such setting; it has %s", name, m.Name, m.Version, known(m))}
	}
	kind := m.Settings[i].Type
	switch kind {
	case "bool":
		if text == "true" || text == "false" {
			return name, json.RawMessage(text), nil
		}
	case "number":
		if gjson.Valid(text) && gjson.Parse(text).Type == gjson.Number {
			return name, json.RawMessage(text), nil
		}
	case "list":
		list := []string{}
		if text != "" {
			list = strings.Split(text, ",")
		}
		value, err = marshal(list)
		return name, value, err
	case "string":
		value, err = marshal(text)
		return name, value, err
	}
	return "", nil, &settingError{fmt.Sprintf("setting %s: policy %s %s wants a %s, got %q", name, m.Name, m.Version, kind, text)}
}

// Check refuses settings that the module does not have, or not of that kind: the asked ones and the preference's.
func (c *Change) Check(m *wasm.Manifest) error {
	var wrong []error
	for _, pair := range c.Settings {
		if _, _, err := parseSetting(m, pair); err != nil {
			wrong = append(wrong, err)
		}
	}
	if c.Preference != nil && len(c.Preference.Settings) > 0 {
		gjson.ParseBytes(c.Preference.Settings).ForEach(func(name, value gjson.Result) bool {
			i := slices.IndexFunc(m.Settings, func(s wasm.Setting) bool { return s.Name == name.String() })
			if i < 0 || !fits(m.Settings[i].Type, value) {
				wrong = append(wrong, &settingError{fmt.Sprintf("preference %s: setting %s is none of policy %s %s, or not of its kind; it has %s",
					c.Preference.Name, name.String(), m.Name, m.Version, known(m))})
			}
			return true
		})
	}
	return errors.Join(wrong...)
}

func fits(kind string, v gjson.Result) bool {
	switch kind {
	case "string":
		return v.Type == gjson.String
	case "number":
		return v.Type == gjson.Number
	case "bool":
		return v.IsBool()
	case "list":
		return v.IsArray()
	}
	return false
}

func known(m *wasm.Manifest) string {
	if len(m.Settings) == 0 {
		return "none"
	}
	names := make([]string, len(m.Settings))
	for i, s := range m.Settings {
		names[i] = s.Name + " (" + s.Type + ")"
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

// marshal is v as JSON with nothing escaped for HTML, keys sorted.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write settings: %w", err)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
