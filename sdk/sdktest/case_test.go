package sdktest

import (
	"bytes"
	"strings"
	"testing"
)

const twoCases = `{"name":"one","input":{"a":1},"decision":{"b":2}}

{"name":"two","call":{"op":"chat"},"want":{"refusal":"invalid_request"}}
`

func TestPackedCasesComeBack(t *testing.T) {
	module := append(append([]byte(nil), wasmHeader...), 0, 5, 1, 'x', 1, 2, 3, 1, 1, 0)
	packed, err := PackCases(module, []byte(twoCases))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(packed, module) {
		t.Error("the module's own sections are not as they were")
	}
	for range 2 { // packed again they are there once
		cases, err := CasesOf(packed)
		if err != nil || len(cases) != 2 || cases[0].Name != "one" || string(cases[0].Decision) != `{"b":2}` || cases[1].Want.Refusal != "invalid_request" {
			t.Errorf("got %+v, %v", cases, err)
		}
		again, err := PackCases(packed, []byte(twoCases))
		if err != nil || !bytes.Equal(again, packed) {
			t.Errorf("packed again: %v, the same bytes: %t", err, bytes.Equal(again, packed))
		}
	}
	if cases, err := CasesOf(module); err != nil || cases != nil {
		t.Errorf("without: got %v, %v", cases, err)
	}
}

func TestCasesThatAreNone(t *testing.T) {
	for name, lines := range map[string]string{
		"name": `{"input":{},"decision":{}}`, "either": `{"name":"x"}`, "decision": `{"name":"x","input":{}}`,
		"want": `{"name":"x","call":{}}`, "status": `{"name":"x","call":{},"want":{},"answer":{"sse":"x"}}`,
		"unknown field": `{"name":"x","inputt":{}}`, "more than one": `{"name":"x","input":{},"decision":{}} {}`,
		"line 2": "{\"name\":\"x\",\"input\":{},\"decision\":{}}\nnone",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadCases([]byte(lines)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error that says %q", err, name)
			}
		})
	}
}

func FuzzCasesOf(f *testing.F) {
	packed, err := PackCases(wasmHeader, []byte(twoCases))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add(packed[:len(packed)-7])
	f.Add(append(append([]byte(nil), packed...), packed[8:]...))
	f.Fuzz(func(t *testing.T, module []byte) {
		if _, err := CasesOf(module); err != nil {
			return
		}
		// What reads can be packed, and reads again.
		again, err := PackCases(module, []byte(twoCases))
		if err != nil {
			t.Fatalf("pack: %v", err)
		}
		if cases, err := CasesOf(again); err != nil || len(cases) != 2 {
			t.Fatalf("got %v, %v", cases, err)
		}
	})
}
