package proof

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// vectors reads a suite of the conformance set, which AINFERA_CONFORMANCE names.
func vectors[T any](t *testing.T, name string) T {
	t.Helper()
	dir := os.Getenv("AINFERA_CONFORMANCE")
	if dir == "" {
		t.Skip("AINFERA_CONFORMANCE is not set")
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	var suite T
	if err := json.Unmarshal(data, &suite); err != nil {
		t.Fatal(err)
	}
	return suite
}

func TestCanonicalVectors(t *testing.T) {
	type suite struct {
		Cases []struct {
			CaseID    string `json:"case_id"`
			InputJSON string `json:"input_json"`
			Expected  struct {
				Hex string `json:"canonical_utf8_hex"`
			}
		}
	}
	for _, c := range vectors[suite](t, "canonical_json.json").Cases {
		t.Run(c.CaseID, func(t *testing.T) {
			got, err := Canonical([]byte(c.InputJSON))
			if err != nil || hex.EncodeToString(got) != c.Expected.Hex {
				t.Errorf("got %s, %v, want %s", got, err, c.Expected.Hex)
			}
		})
	}
}

func TestChainVectors(t *testing.T) {
	type event struct {
		Event
		Alias *string `json:"prev_hash"`
	}
	type suite struct {
		Cases []struct {
			CaseID   string `json:"case_id"`
			Input    struct{ Events []event }
			Expected struct {
				Valid  bool
				Broken *int64 `json:"broken_at_seq"`
				Error  string
			}
		}
	}
	for _, c := range vectors[suite](t, "audit_chain.json").Cases {
		t.Run(c.CaseID, func(t *testing.T) {
			events := make([]Event, len(c.Input.Events))
			for i, e := range c.Input.Events {
				events[i] = e.Event
				if e.Alias != nil {
					events[i].PreviousHash = e.Alias
				}
			}
			got := VerifyChain(events)
			broken := int64(0)
			if c.Expected.Broken != nil {
				broken = *c.Expected.Broken
			}
			if got.Valid != c.Expected.Valid || got.BrokenAtSeq != broken {
				t.Errorf("got %+v, want valid %v, broken at %d (%s)", got, c.Expected.Valid, broken, c.Expected.Error)
			}
		})
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":1.0,"a":[1e16,1e-5,0.0001,123456789012345680.0,-0,-0.0,1.50]}`: `{"a":[1e+16,1e-05,0.0001,1.2345678901234568e+17,0,-0.0,1.5],"b":1.0}`,
		`"\u0000\u001f\b\f\n\r\t\u007f<>&\/"`:                                `"\u0000\u001f\b\f\n\r\t` + "\u007f" + `<>&/"`,
		`{"a":1,"a":2}`:                                                      `{"a":2}`,
		" [ ] ":                                                              "[]",
	} {
		if got, err := Canonical([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "{", "1 2", `{"a":1e999}`, "nul"} {
		if got, err := Canonical([]byte(in)); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.5,"é\n",null,true],"a":{}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := Canonical(in)
		if err != nil {
			return
		}
		twice, err := Canonical(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("not stable: %s, then %s, %v", once, twice, err)
		}
		var before, after any
		if json.Unmarshal(in, &before) == nil && (json.Unmarshal(once, &after) != nil || !reflect.DeepEqual(before, after)) {
			t.Fatalf("%s became %s", in, once)
		}
	})
}
