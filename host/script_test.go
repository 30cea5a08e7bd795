package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ainfera-ai/router/host/internal/author"
)

// TestScripts runs the commands as an operator types them; see testdata/script.
func TestScripts(t *testing.T) {
	floor := guest(t, "./plugins/policy/floor")
	openai := guest(t, "./plugins/provider/openai")
	shipped, err := filepath.Abs("../config.hcl")
	if err != nil {
		t.Fatal(err)
	}
	goCache, err := exec.Command("go", "env", "GOCACHE").Output() // plugins are compiled with what other tests left there
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			if cond != "kit" {
				return false, fmt.Errorf("condition %q is unknown", cond)
			}
			_, err := author.Kit()
			return err == nil, nil
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("FLOOR", floor)
			e.Setenv("OPENAI", openai)
			e.Setenv("SHIPPED", shipped)
			e.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}

// TestDecideVectors puts every decision of the reference engine through the command: input lines in, canonical lines out.
func TestDecideVectors(t *testing.T) {
	root := os.Getenv("AINFERA_CONFORMANCE")
	if root == "" {
		t.Skip("SKIPPED: AINFERA_CONFORMANCE is not set: the reference engine's vectors are not here")
	}
	module := guest(t, "./plugins/policy/floor")
	for _, file := range []string{"decide_from_tests", "decide_edge_cases", "decide_random"} {
		t.Run(file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join(root, "vectors", file+".json"))
			if err != nil {
				t.Fatal(err)
			}
			var suite struct {
				Cases []struct {
					ID       string `json:"case_id"`
					Input    json.RawMessage
					Expected any
				}
			}
			if err := json.Unmarshal(raw, &suite); err != nil {
				t.Fatal(err)
			}
			var in bytes.Buffer
			for _, c := range suite.Cases {
				if err := json.Compact(&in, c.Input); err != nil {
					t.Fatal(err)
				}
				in.WriteByte('\n')
			}
			var out, errs bytes.Buffer
			if status := run(t.Context(), []string{"policy", "decide", "--module", module}, &in, &out, &errs); status != exitOK {
				t.Fatalf("status %d: %s", status, errs.String())
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != len(suite.Cases) || len(lines) == 0 {
				t.Fatalf("%d decisions of %d inputs", len(lines), len(suite.Cases))
			}
			for i, c := range suite.Cases {
				want, err := plainJSON(c.Expected) // keys sorted; the expected outputs hold no floats
				if err != nil {
					t.Fatal(err)
				}
				if lines[i] != string(want) {
					t.Errorf("%s\ngot  %s\nwant %s", c.ID, lines[i], want)
				}
			}
			t.Logf("%d cases equal", len(lines))
		})
	}
}
