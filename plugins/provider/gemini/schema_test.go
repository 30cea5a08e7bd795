package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest/suite"
)

// TestSchemas cleans the schema of a property p.
func TestSchemas(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, dropped string }{
		"kept": {`{"type":"string","title":"T","description":"d","default":"x","minLength":1,"maxLength":3,"pattern":"^a"}`,
			`{"type":"string","title":"T","description":"d","default":"x","pattern":"^a","minLength":1,"maxLength":3}`, ""},
		"annotations go":       {`{"type":"string","$comment":"c","examples":["a"],"readOnly":true,"deprecated":true}`, `{"type":"string"}`, ""},
		"constraints are told": {`{"type":"array","items":{"type":"integer","multipleOf":2},"uniqueItems":true}`, `{"type":"array","items":{"type":"integer"}}`, "uniqueItems multipleOf"},
		"const":                {`{"const":"a"}`, `{"type":"string","enum":["a"]}`, ""},
		"enum of strings":      {`{"enum":["a","","b"]}`, `{"type":"string","enum":["a","b"]}`, ""},
		"enum with null":       {`{"type":["string","null"],"enum":["a",null]}`, `{"type":"string","nullable":true,"enum":["a"]}`, ""},
		"enum of numbers":      {`{"type":"integer","description":"how many","enum":[1,2]}`, `{"type":"integer","description":"how many\nOne of: 1, 2"}`, ""},
		"enum of all sorts":    {`{"enum":[1,"a\"b"]}`, `{"type":"number","description":"One of: 1, \"a\\\"b\""}`, ""},
		"const of a boolean":   {`{"const":true}`, `{"type":"boolean","description":"One of: true"}`, ""},
		"format, known":        {`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date-time"}`, ""},
		"format, not":          {`{"type":"string","format":"uri"}`, `{"type":"string"}`, ""},
		"format of a number":   {`{"type":"integer","format":"int64"}`, `{"type":"integer","format":"int64"}`, ""},
		"exclusive bounds":     {`{"exclusiveMinimum":0,"exclusiveMaximum":10,"type":"integer"}`, `{"type":"integer","minimum":1,"maximum":9}`, ""},
		"exclusive, no step":   {`{"type":"number","exclusiveMinimum":0}`, `{"type":"number"}`, "exclusiveMinimum"},
		"a bound in words":     {`{"type":"integer","minimum":"0"}`, `{"type":"integer"}`, "minimum"},
		"nullable":             {`{"type":["integer","null"]}`, `{"type":"integer","nullable":true}`, ""},
		"several types":        {`{"type":["string","array"],"description":"d"}`, `{"anyOf":[{"type":"string","description":"d"},{"type":"array","description":"d","items":{"type":"string"}}]}`, ""},
		"anyOf with null":      {`{"description":"d","anyOf":[{"type":"integer"},{"type":"null"}]}`, `{"type":"integer","nullable":true,"description":"d"}`, ""},
		"anyOf": {`{"description":"d","anyOf":[{"type":"string"},{"type":"object","properties":{"a":{"type":"string","description":"e"}},"required":["a"]},{"type":"null"}]}`,
			`{"anyOf":[{"type":"string","nullable":true,"description":"d"},{"type":"object","nullable":true,"description":"d","properties":{"a":{"type":"string","description":"e"}},"required":["a"]}]}`, ""},
		"anyOf of formats":          {`{"type":"string","title":"t","minLength":1,"anyOf":[{"format":"date-time"},{"pattern":"^a"}]}`, `{"anyOf":[{"type":"string","format":"date-time"},{"type":"string","pattern":"^a"}]}`, "minLength"},
		"anyOf beside enum, items":  {`{"enum":["a"],"items":{},"anyOf":[{"type":"string"},{"type":"integer"}]}`, `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, "enum items"},
		"oneOf of consts":           {`{"oneOf":[{"const":"a"},{"const":"b"}]}`, `{"anyOf":[{"type":"string","enum":["a"]},{"type":"string","enum":["b"]}]}`, ""},
		"anyOf beside properties":   {`{"type":"object","properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]},{"properties":{"b":{"type":"integer"}}}]}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}}}`, "anyOf"},
		"allOf":                     {`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{},"a":{"type":"integer"}},"required":["b","a"]}]}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}`, ""},
		"$ref":                      {`{"$ref":"#/$defs/point","description":"where"}`, `{"type":"object","description":"where","properties":{"x":{"type":"number"}}}`, ""},
		"$ref in allOf":             {`{"allOf":[{"$ref":"#/$defs/point"}]}`, `{"type":"object","description":"a point","properties":{"x":{"type":"number"}}}`, ""},
		"$ref, again in allOf":      {`{"$ref":"#/$defs/a~1b","allOf":[{"$ref":"#/$defs/a~1b"}]}`, `{"type":"integer"}`, ""},
		"$ref twice":                {`{"type":"array","items":{"anyOf":[{"$ref":"#/$defs/point"},{"$ref":"#/$defs/point"}]}}`, `{"type":"array","items":{"anyOf":[{"type":"object","description":"a point","properties":{"x":{"type":"number"}}},{"type":"object","description":"a point","properties":{"x":{"type":"number"}}}]}}`, ""},
		"$ref to itself":            {`{"$ref":"#/$defs/tree"}`, `{"type":"object","properties":{"kids":{"type":"array","items":{"type":"object"}}}}`, "$ref"},
		"$ref with escapes":         {`{"$ref":"#/$defs/a~1b"}`, `{"type":"integer"}`, ""},
		"$ref in percents":          {`{"$ref":"#/$defs/%3Cb%C3%A9%3E%25"}`, `{"type":"boolean"}`, ""},
		"$ref with a percent sign":  {`{"$ref":"#/$defs/5%"}`, `{"type":"number"}`, ""},
		"$ref elsewhere":            {`{"$ref":"https://x/y"}`, `{"type":"object"}`, "$ref"},
		"$ref to nothing":           {`{"$ref":"#/$defs/none"}`, `{"type":"object"}`, "$ref"},
		"$ref to an anchor":         {`{"$ref":"#point"}`, `{"type":"object"}`, "$ref"},
		"anything":                  {`{}`, `{"type":"string"}`, ""},
		"true":                      {`true`, `{"type":"string"}`, ""},
		"a type that there is not":  {`{"type":"any","properties":{"a":{"type":"float"}}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`, ""},
		"an array without items":    {`{"type":"array"}`, `{"type":"array","items":{"type":"string"}}`, ""},
		"a tuple":                   {`{"type":"array","items":[{"type":"string"}]}`, `{"type":"array","items":{"type":"string"}}`, "items"},
		"an object without any":     {`{"type":"object","properties":{},"required":["x"]}`, `{"type":"object"}`, ""},
		"required without property": {`{"type":"object","properties":{"a\"é":{"type":"string"}},"required":["b","a\"é","a\"é"]}`, `{"type":"object","properties":{"a\"é":{"type":"string"}},"required":["a\"é"]}`, ""},
		"patternProperties":         {`{"type":"object","patternProperties":{"^a":{}},"additionalProperties":true}`, `{"type":"object"}`, "patternProperties additionalProperties"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"messages":[],"tools":[{"name":"f","input_schema":{"type":"object","properties":{"p":` + tc.in + `},"$defs":{"point":{"type":"object","description":"a point","properties":{"x":{"type":"number"}}},"tree":{"properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}}},"a/b":{"type":"integer"},"<bé>%":{"type":"boolean"},"5%":{"type":"number"}}}}]}`
			got := tests.Build(t, callWith("gemini-2.5-pro", ""), body)
			want := `[{"functionDeclarations":[{"name":"f","parameters":{"type":"object","properties":{"p":` + tc.want + `}}}]}]`
			if tools := suite.Field(t, got, "tools"); tools != want {
				t.Errorf("got  %s\nwant %s", tools, want)
			}
			if d := strings.ReplaceAll(strings.Join(got.Dropped, " "), "tools.input_schema.", ""); d != tc.dropped {
				t.Errorf("dropped: got %q, want %q", d, tc.dropped)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"none":                {``, ``},
		"no properties":       {`{"type":"object","properties":{}}`, ``},
		"a choice of objects": {`{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"string"}}}]}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`},
		"a reference":         {`{"$ref":"#/$defs/x","$defs":{"x":{"properties":{"a":{"type":"string"}}}}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`},
		"may be null":         {`{"type":["object","null"],"properties":{"a":{"type":"string"}}}`, `{"type":"object","properties":{"a":{"type":"string"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			tool := `{"name":"f"`
			if tc.in != "" {
				tool += `,"input_schema":` + tc.in
			}
			want := `[{"functionDeclarations":[{"name":"f"`
			if tc.want != "" {
				want += `,"parameters":` + tc.want
			}
			if got := suite.Field(t, tests.Build(t, callWith("gemini-2.5-pro", ""), `{"messages":[],"tools":[`+tool+`}]}`), "tools"); got != want+`}]}]` {
				t.Errorf("got  %s\nwant %s", got, want+`}]}]`)
			}
		})
	}
}

// TestSchemaBombs: references that double at each step are refused before they take the guest's fuel, whether or not they
// write anything.
func TestSchemaBombs(t *testing.T) {
	for name, step := range map[string]string{
		"properties": `{"type":"object","properties":{"a":{"$ref":"#/$defs/%[1]d"},"b":{"$ref":"#/$defs/%[1]d"}}}`,
		"anyOf":      `{"anyOf":[{"$ref":"#/$defs/%[1]d"},{"$ref":"#/$defs/%[1]d"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			defs := `"40":{"type":"string"}`
			for i := range 40 {
				defs += fmt.Sprintf(`,"%d":`, i) + fmt.Sprintf(step, i+1)
			}
			got := tests.Build(t, callWith("gemini-2.5-pro", ""), `{"messages":[],"tools":[{"name":"f","input_schema":{"properties":{"p":{"$ref":"#/$defs/0"}},"$defs":{`+defs+`}}}]}`)
			if got.Refusal == nil || got.Refusal.Kind != abi.ErrFeatureUnsupported || !strings.Contains(got.Refusal.Message, "too large") {
				t.Errorf("got %+v, want a refusal", got.Refusal)
			}
		})
	}
}
