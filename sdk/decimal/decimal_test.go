package decimal_test

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/decimal"
)

func dec(t testing.TB, s string) decimal.Decimal {
	t.Helper()
	d, err := decimal.Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return d
}

// Expected texts below are what Python 3 prints for the same expression in the default context.

func TestString(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"0", "0"}, {"-0", "-0"}, {"+5", "5"}, {"007", "7"}, {"1.50", "1.50"}, {".5", "0.5"}, {"5.", "5"}, {"-1.25", "-1.25"},
		{"0.000000", "0.000000"}, {"0E-7", "0E-7"}, {"0E+2", "0E+2"}, {"0.000001", "0.000001"}, {"0.0000001", "1E-7"},
		{"0.00000012", "1.2E-7"}, {"1e3", "1E+3"}, {"12E5", "1.2E+6"}, {"12E-1", "1.2"}, {"1E-6", "0.000001"}, {"123E-8", "0.00000123"},
		{"1234567890123456789012345678", "1234567890123456789012345678"},
		{"0.1234567890123456789012345678", "0.1234567890123456789012345678"},
		{"18446744073709551615", "18446744073709551615"}, {"18446744073709551616", "18446744073709551616"},
		{"9999999999999999999999999999", "9999999999999999999999999999"},
		{"1" + strings.Repeat("0", 30), "1.000000000000000000000000000E+30"}, // a Decimal of Python's would keep all 31 digits
		{"0.5" + strings.Repeat("0", 40), "0.5000000000000000000000000000"},
		{strings.Repeat("0", 40) + "1", "1"}, {"1e9999", "1E+9999"}, {"1e-9999", "1E-9999"},
	} {
		d := dec(t, tc.in)
		if got := d.String(); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.in, got, tc.want)
		}
		if back := dec(t, d.String()); back != d {
			t.Errorf("%s: reads back as %v", tc.in, back)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want error
	}{
		{"", decimal.ErrSyntax}, {"-", decimal.ErrSyntax}, {".", decimal.ErrSyntax}, {"1..2", decimal.ErrSyntax}, {"1.2.3", decimal.ErrSyntax},
		{" 1", decimal.ErrSyntax}, {"1 ", decimal.ErrSyntax}, {"1e", decimal.ErrSyntax}, {"1e+", decimal.ErrSyntax}, {"1ex", decimal.ErrSyntax},
		{"e5", decimal.ErrSyntax}, {"NaN", decimal.ErrSyntax}, {"Infinity", decimal.ErrSyntax}, {"--1", decimal.ErrSyntax}, {"1_000", decimal.ErrSyntax},
		{"12345678901234567890123456789", decimal.ErrDigits}, {"1" + strings.Repeat("0", 40) + "1", decimal.ErrDigits},
		{"1e10000", decimal.ErrRange}, {"1e-10000", decimal.ErrRange}, {"1e99999999999999999999", decimal.ErrRange},
	} {
		if d, err := decimal.Parse(tc.in); !errors.Is(err, tc.want) || err.Error() == "" {
			t.Errorf("Parse(%q): got %v, %v; want %v", tc.in, d, err, tc.want)
		}
		if _, err := decimal.Parse([]byte(tc.in)); !errors.Is(err, tc.want) {
			t.Errorf("Parse of bytes %q: got %v", tc.in, err)
		}
	}
}

func TestArithmetic(t *testing.T) {
	const nines = "9999999999999999999999999999"
	for _, tc := range []struct{ a, op, b, want string }{
		{"1.5", "+", "2.50", "4.00"},
		{"1", "+", "-1.00", "0.00"},
		{"-1", "+", "-0", "-1"},
		{"0", "+", "-0", "0"},
		{"-0", "+", "-0.0", "-0.0"},
		{"5", "+", "0E-100", "5.000000000000000000000000000"},
		{"0E+5", "+", "3", "3"},
		{nines, "+", "1", "1.000000000000000000000000000E+28"},
		{nines, "+", "0.5", "1.000000000000000000000000000E+28"},
		{nines, "+", "0.4", nines},
		{"1E+40", "+", "1", "1.000000000000000000000000000E+40"},
		{"1E+40", "-", "1", "1.000000000000000000000000000E+40"},
		{"1E+28", "-", "1", nines},
		{"1E+28", "-", "0.5", "1.000000000000000000000000000E+28"},
		{"1E+28", "-", "0.05", "1.000000000000000000000000000E+28"},
		{"1E+2000", "+", "1E-2000", "1.000000000000000000000000000E+2000"},
		{"0.1", "*", "0.2", "0.02"},
		{"-3", "*", "0", "-0"},
		{"0.3333333333333333333333333333", "*", "3", "0.9999999999999999999999999999"},
		{nines, "*", nines, "9.999999999999999999999999998E+55"},
		{"1234567890123456789012345678", "*", "2.000000000000000000000000001", "2469135780246913578024691357"},
		{"18446744073709551616", "*", "18446744073709551616", "3.402823669209384634633746074E+38"},
		{"1", "/", "3", "0.3333333333333333333333333333"},
		{"2", "/", "3", "0.6666666666666666666666666667"},
		{"1", "/", "8", "0.125"},
		{"10", "/", "2", "5"},
		{"100", "/", "0.5", "2.0E+2"},
		{"1500.0", "/", "1000000", "0.0015"},
		{"0", "/", "7", "0"},
		{"-1", "/", "7", "-0.1428571428571428571428571429"},
		{nines, "/", "0.0000001", "9.999999999999999999999999999E+34"},
		{"1", "/", nines, "1.000000000000000000000000000E-28"},
		{"1.24", "/", "0.83", "1.493975903614457831325301205"},
	} {
		a, b := dec(t, tc.a), dec(t, tc.b)
		var got decimal.Decimal
		switch tc.op {
		case "+":
			got = a.Add(b)
		case "-":
			got = a.Sub(b)
		case "*":
			got = a.Mul(b)
		case "/":
			q, ok := a.Quo(b)
			if !ok {
				t.Errorf("%s / %s: not ok", tc.a, tc.b)
			}
			got = q
		}
		if got.String() != tc.want {
			t.Errorf("%s %s %s: got %s, want %s", tc.a, tc.op, tc.b, got, tc.want)
		}
	}
	if _, ok := dec(t, "1").Quo(dec(t, "0.00")); ok {
		t.Error("1 / 0 was ok")
	}
}

func TestQuantize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		exp  int32
		want string // empty when it can't be
	}{
		{"0.0000015", -6, "0.000002"}, {"0.0000025", -6, "0.000002"}, {"0.0000035", -6, "0.000004"},
		{"0.00000250000000000000000001", -6, "0.000003"}, {"0.0000005", -6, "0.000000"}, {"0.00000051", -6, "0.000001"},
		{"-0.0000005", -6, "-0.000000"}, {"0", -6, "0.000000"}, {"1E-9999", -6, "0.000000"}, {"12", -6, "12.000000"},
		{"9.9999995", -6, "10.000000"}, {"1E+21", -6, "1000000000000000000000.000000"}, {"1E+22", -6, ""}, {"1E+9999", -6, ""},
		{"9999999999999999999999999999", 1, "1.000000000000000000000000000E+28"}, {"5E-29", -1, "0.0"}, {"0.12345", -3, "0.123"},
		{"5000000000000000000000000000E-34", -6, "0.000000"}, {"5000000000000000000000000001E-34", -6, "0.000001"},
	} {
		q, ok := dec(t, tc.in).Quantize(tc.exp)
		if ok != (tc.want != "") || ok && q.String() != tc.want {
			t.Errorf("%s to %d: got %s, %v; want %q", tc.in, tc.exp, q, ok, tc.want)
		}
		if ok && q.Exponent() != int(tc.exp) {
			t.Errorf("%s to %d: exponent %d", tc.in, tc.exp, q.Exponent())
		}
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		in   string
		exp  int32
		want uint64
		ok   bool
	}{
		{"0", -9, 0, true}, {"-0.00", -9, 0, true}, {"0E+50", -9, 0, true}, {"1", 0, 1, true}, {"1.999", 0, 1, true}, {"-1", 0, 0, false},
		{"-1E-40", -9, 0, false}, {"0.59", -9, 590000000, true}, {"0.0000000019", -9, 1, true}, {"1E-9999", -9, 0, true},
		{"0.3333333333333333333333333333", -9, 333333333, true}, {"9999999999999999999999999999E-28", -9, 999999999, true},
		{"18446744073709551615", 0, math.MaxUint64, true}, {"18446744073709551616", 0, 0, false}, {"18446744073709551616.1", -1, 0, false},
		{"18446744073709551615.9", 0, math.MaxUint64, true}, {"1E+19", 0, 1e19, true}, {"1E+20", 0, 0, false}, {"1E+9999", 0, 0, false},
	} {
		if got, ok := dec(t, tc.in).Units(tc.exp); ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s in 10^%d: got %d, %v; want %d, %v", tc.in, tc.exp, got, ok, tc.want, tc.ok)
		}
	}
}

func TestCmp(t *testing.T) {
	// In ascending order; those in one string are the same value.
	order := []string{"-1E+9999", "-10", "-9.99", "-1E-9999", "0 -0 0.00 0E+50", "1E-9999", "0.3333333333333333333333333333",
		"0.3333333333333333333333333334", "1 1.0 1.000000000000000000000000000", "1.000000000000000000000000001", "10 1E+1 10.0",
		"9999999999999999999999999999", "1E+28", "1E+9999"}
	for i, as := range order {
		for j, bs := range order {
			for a := range strings.FieldsSeq(as) {
				for b := range strings.FieldsSeq(bs) {
					want := min(max(i-j, -1), 1)
					if got := dec(t, a).Cmp(dec(t, b)); got != want {
						t.Errorf("%s cmp %s: got %d, want %d", a, b, got, want)
					}
					if got := dec(t, a).Less(dec(t, b)); got != (want < 0) {
						t.Errorf("%s less %s: got %v", a, b, got)
					}
				}
			}
		}
	}
}

func TestFloat(t *testing.T) {
	for _, in := range []string{"0", "-0", "0.1", "0.3", "-2.5", "123456789.123456", "9007199254740991E-22", "9007199254740992E-22", "1E-22", "1E-23", "7E-5",
		"9007199254740993", "1.7976931348623157E+308", "4.9E-324", "1E+400", "-1E+400", "1E-400", "0.1234567890123456789012345678", "12E+3"} {
		want, _ := strconv.ParseFloat(in, 64)
		if got := dec(t, in).Float(); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("%s: got %v, want %v", in, got, want)
		}
	}
}

func TestNew(t *testing.T) {
	for _, tc := range []struct {
		n    int64
		exp  int32
		want string
	}{
		{0, 0, "0"}, {15, -1, "1.5"}, {-3, 2, "-3E+2"}, {-1 << 63, 0, "-9223372036854775808"},
	} {
		if d := decimal.New(tc.n, tc.exp); d.String() != tc.want {
			t.Errorf("New(%d, %d): got %s, want %s", tc.n, tc.exp, d, tc.want)
		}
	}
	if got := decimal.New(15, 0).Scale(-6).String(); got != "0.000015" {
		t.Errorf("Scale: got %s", got)
	}
	if decimal.New(-5, 0).Sign() != -1 || decimal.New(0, 3).Sign() != 0 || decimal.New(1, -9).Sign() != 1 {
		t.Error("Sign")
	}
}

// FuzzDecimal holds sums, products and quotients to exact rational arithmetic: the result is within half of its last
// digit, and on a tie even. Rounding, not representation, is what it checks; the tables above hold the exponents.
func FuzzDecimal(f *testing.F) {
	for _, p := range [][2]string{{"1", "3"}, {"9999999999999999999999999999", "1"}, {"-0.00001", "1E+30"}, {"18446744073709551616", "18446744073709551615"},
		{"1000000000000000000000000000E-20", "4000000000000000000000000007"}, {"1E+28", "-0.5"}} {
		f.Add(p[0], p[1])
	}
	f.Fuzz(func(t *testing.T, as, bs string) {
		a, errA := decimal.Parse(as)
		b, errB := decimal.Parse(bs)
		if errA != nil || errB != nil {
			return
		}
		if back := dec(t, a.String()); back != a {
			t.Fatalf("%s reads back as %s", a, back)
		}
		if want, _ := strconv.ParseFloat(a.String(), 64); a.Float() != want {
			t.Fatalf("%s as a float: got %v, want %v", a, a.Float(), want)
		}
		if abs(a.Exponent()) > 200 || abs(b.Exponent()) > 200 {
			return
		}
		x, y := rat(a), rat(b)
		if got, want := a.Cmp(b), x.Cmp(y); got != want {
			t.Fatalf("%s cmp %s: got %d, want %d", a, b, got, want)
		}
		nearest(t, a, "+", b, a.Add(b), new(big.Rat).Add(x, y))
		nearest(t, a, "-", b, a.Sub(b), new(big.Rat).Sub(x, y))
		nearest(t, a, "*", b, a.Mul(b), new(big.Rat).Mul(x, y))
		if q, ok := a.Quo(b); ok {
			nearest(t, a, "/", b, q, new(big.Rat).Quo(x, y))
		} else if y.Sign() != 0 {
			t.Fatalf("%s / %s was not ok", a, b)
		}
		if q, ok := a.Quantize(-6); ok {
			half := new(big.Rat).SetFrac64(1, 2_000_000)
			if d := new(big.Rat).Sub(rat(q), x); d.Abs(d).Cmp(half) > 0 || d.Cmp(half) == 0 && odd(q) {
				t.Fatalf("%s to six places: got %s", a, q)
			}
		}
	})
}

func nearest(t *testing.T, a decimal.Decimal, op string, b, got decimal.Decimal, want *big.Rat) {
	t.Helper()
	diff := new(big.Rat).Sub(rat(got), want)
	if diff.Sign() == 0 {
		return
	}
	half := rat(decimal.New(5, int32(got.Exponent()-1)))
	switch c := diff.Abs(diff).Cmp(half); {
	case len(digits(got)) != decimal.Precision:
		t.Fatalf("%s %s %s: got %s, rounded before it had to be", a, op, b, got)
	case c > 0, c == 0 && odd(got):
		t.Fatalf("%s %s %s: got %s, want %s", a, op, b, got, want.FloatString(60))
	}
}

func rat(d decimal.Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		panic(d.String())
	}
	return r
}

func digits(d decimal.Decimal) string {
	mantissa, _, _ := strings.Cut(strings.TrimPrefix(d.String(), "-"), "E")
	return strings.TrimLeft(strings.Replace(mantissa, ".", "", 1), "0")
}

func odd(d decimal.Decimal) bool {
	s := digits(d)
	return s != "" && (s[len(s)-1]-'0')%2 == 1
}

func abs(n int) int { return max(n, -n) }

func BenchmarkCost(b *testing.B) {
	in, out := dec(b, "1.25"), dec(b, "10")
	for b.Loop() {
		cost := decimal.New(12345, 0).Mul(in).Scale(-6).Add(decimal.New(1024, 0).Mul(out).Scale(-6))
		if _, ok := cost.Quantize(-6); !ok {
			b.Fatal()
		}
	}
}

func BenchmarkQuo(b *testing.B) {
	x, y := dec(b, "11.25"), dec(b, "0.87")
	for b.Loop() {
		x.Quo(y)
	}
}
