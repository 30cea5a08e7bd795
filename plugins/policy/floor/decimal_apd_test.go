package main

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"github.com/ainfera-ai/router/sdk/decimal"
)

// The sdk has no dependencies, so that its decimals are held to another implementation here, where they decide.

var pythonDefault = apd.Context{Precision: decimal.Precision, Rounding: apd.RoundHalfEven, MaxExponent: 99999, MinExponent: -99999, Traps: apd.InvalidOperation}

func TestDecimalAgainstAPD(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		sameAsAPD(t, randomDecimal(r), randomDecimal(r))
	}
}

func FuzzDecimalAgainstAPD(f *testing.F) {
	f.Add("1", "3")
	f.Add("9999999999999999999999999999", "0.5")
	f.Add("18446744073709551616E-20", "-18446744073709551615")
	f.Fuzz(sameAsAPD)
}

// randomDecimal favours what goes wrong: rows of nines, fives and zeros, word boundaries, exponents that just overlap.
func randomDecimal(r *rand.Rand) string {
	n := []int{1, 2, 5, 18, 19, 20, 27, 28}[r.IntN(8)]
	var digits string
	switch r.IntN(6) {
	case 0:
		digits = strings.Repeat("9", n)
	case 1:
		digits = "1" + strings.Repeat("0", n-1)
	case 2:
		digits = strings.Repeat("5", n)
	case 3:
		digits = []string{"18446744073709551615", "18446744073709551616", "340282366920938463463374607"}[r.IntN(3)]
	default:
		for range n {
			digits += strconv.Itoa(r.IntN(10))
		}
	}
	exp := []int{0, -1, -6, -n, -n - 1, 28 - n, r.IntN(80) - 40}[r.IntN(7)]
	return []string{"", "-"}[r.IntN(2)] + digits + "E" + strconv.Itoa(exp)
}

func sameAsAPD(t *testing.T, as, bs string) {
	a, errA := decimal.Parse(as)
	b, errB := decimal.Parse(bs)
	if errA != nil || errB != nil {
		return
	}
	x, _, errX := apd.NewFromString(a.String())
	y, _, errY := apd.NewFromString(b.String())
	if errX != nil || errY != nil {
		t.Fatalf("apd can't read %s or %s", a, b)
	}
	if got, want := a.Cmp(b), x.Cmp(y); got != want {
		t.Fatalf("%s cmp %s: got %d, want %d", a, b, got, want)
	}
	m, okM := a.Units(-9)
	n, okN := b.Units(-9)
	if okM && okN && (m < n && x.Cmp(y) >= 0 || m > n && x.Cmp(y) <= 0) {
		t.Fatalf("%s is %d units, %s is %d", a, m, b, n)
	}
	var want apd.Decimal
	check := func(op string, got decimal.Decimal, ok bool, err error) {
		t.Helper()
		if (err == nil) != ok {
			t.Fatalf("%s %s %s: got ok %v, want %v", a, op, b, ok, err)
		}
		if ok && asAPD(got).Cmp(&want) != 0 {
			t.Fatalf("%s %s %s: got %s, want %s", a, op, b, got, want.String())
		}
	}
	_, err := pythonDefault.Add(&want, x, y)
	check("+", a.Add(b), true, err)
	_, err = pythonDefault.Sub(&want, x, y)
	check("-", a.Sub(b), true, err)
	_, err = pythonDefault.Mul(&want, x, y)
	check("*", a.Mul(b), true, err)
	if b.Sign() != 0 {
		q, ok := a.Quo(b)
		_, err = pythonDefault.Quo(&want, x, y)
		check("/", q, ok, err)
	}
	_, err = pythonDefault.Quantize(&want, x, -6)
	q, ok := a.Quantize(-6)
	check("to six places, beside", q, ok, err)
	if ok && q.Exponent() != int(want.Exponent) {
		t.Fatalf("%s to six places: got %s, want %s", a, q, want.String())
	}
}

func asAPD(d decimal.Decimal) *apd.Decimal {
	x, _, err := apd.NewFromString(d.String())
	if err != nil {
		panic(err)
	}
	return x
}
