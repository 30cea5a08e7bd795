package provider

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestValidateSettings(t *testing.T) {
	declared := []Setting{
		{Name: "field", Type: "string", Default: json.RawMessage(`"max_tokens"`)},
		{Name: "top", Type: "number"},
		{Name: "strict", Type: "bool", Default: json.RawMessage(`false`)},
		{Name: "also", Type: "list"},
	}
	tests := []struct{ name, given, want, err string }{
		{"Defaults", ``, `{"field":"max_tokens","strict":false}`, ""},
		{"EmptyObject", `{}`, `{"field":"max_tokens","strict":false}`, ""},
		{"Given", `{"top":1.5,"field":"x","also":["a","b"],"strict":true}`, `{"also":["a","b"],"field":"x","strict":true,"top":1.5}`, ""},
		{"NullIsUnset", `{"top":null,"field":null}`, `{"field":"max_tokens","strict":false}`, ""},
		{"ErrNotObject", `[1]`, "", "expected an object"},
		{"ErrUnknown", `{"feild":"x"}`, "", "feild: the module has no such setting; it has also, field, strict, top"},
		{"ErrString", `{"field":1}`, "", "field: expected a string, got 1"},
		{"ErrNumber", `{"top":"1"}`, "", `top: expected a number, got "1"`},
		{"ErrBool", `{"strict":"yes"}`, "", `strict: expected a bool, got "yes"`},
		{"ErrList", `{"also":["a",1]}`, "", "also: expected a list"},
		{"ErrListNull", `{"also":[null]}`, "", "also: expected a list"},
		{"ErrBoth", `{"top":"1","field":2}`, "", "field: expected a string, got 2; top: expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ValidateSettings(declared, []byte(tt.given))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %s, %v, want an error with %q", got, err, tt.err)
				}
				return
			}
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	if _, err := ValidateSettings([]Setting{{Name: "x", Type: "color", Default: json.RawMessage(`"red"`)}}, nil); err == nil {
		t.Error("a type that the host doesn't know: got no error")
	}
	if _, err := ValidateSettings(nil, []byte(`{"a":1}`)); err == nil || !strings.Contains(err.Error(), "it has none") {
		t.Errorf("no settings: got %v", err)
	}
}
