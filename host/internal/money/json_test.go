package money

import (
	"encoding/json"
	"testing"

	"github.com/cockroachdb/apd/v3"
)

func TestParseMicroJSON(t *testing.T) {
	for in, want := range map[string]int64{
		`"5.00"`: 5_000_000, `5`: 5_000_000, `0.1`: 100_000, `0.000001`: 1, `1e-06`: 1, `1E2`: 100_000_000, `"1.5e1"`: 15_000_000,
		`12.5e-1`: 1_250_000, `0`: 0, `0e9`: 0, `9223372036854.775807`: 9_223_372_036_854_775_807,
	} {
		if got, err := ParseMicroJSON([]byte(in)); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, bad := range []string{``, `""`, `-1`, `"-1"`, `1e-7`, `0.0000001`, `9223372036854.775808`, `1e99999999`, `1e60`, `null`, `true`, `{}`, `[1]`,
		`"1,5"`, `"\u0031\u0000"`, `"NaN"`, `"1e"`, `"e5"`, `"1.e5"`, `"１"`, `"` + string(make([]byte, 100)) + `"`} {
		if got, err := ParseMicroJSON([]byte(bad)); err == nil {
			t.Errorf("%.30s: got %d, want an error", bad, got)
		}
	}
}

// FuzzParseMicroJSON holds what is read against apd, which reads the same decimal exactly.
func FuzzParseMicroJSON(f *testing.F) {
	for _, s := range []string{`"5.00"`, `0.1`, `1e-06`, `1.25E+3`, `"007"`, `-1`, `1e-7`, `"1e60"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := ParseMicroJSON(raw)
		if err != nil {
			return
		}
		text := string(raw)
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				t.Fatal(err)
			}
		}
		want, _, err := apd.NewFromString(text)
		if err != nil {
			t.Fatalf("%q was read as %d, and is no number", text, got)
		}
		if want.Cmp(apd.New(got, -6)) != 0 {
			t.Fatalf("%q was read as %d micro", text, got)
		}
	})
}
