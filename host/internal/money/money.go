// Package money is the arithmetic of prices and costs: exact integers, rounded once, half-even.
//
// A cost is a whole number of micro-USD, since six places is what the ledger keeps. A price is USD per million tokens,
// which makes tokens × price a number of micro-USD without any division: the only rounding is of the price's own
// fraction, once a call, as shared/spec's capture page asks.
package money

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// priceScale is how many decimal places a price may have.
const priceScale = 9

var scale = big.NewInt(1_000_000_000)

// A Price is USD per million tokens, kept in billionths. The zero Price is free.
type Price struct{ nano int64 }

// ParsePrice reads a decimal such as "0.59". At most nine places, not negative.
func ParsePrice(s string) (Price, error) {
	nano, err := parseFixed(s, priceScale)
	if err != nil {
		return Price{}, fmt.Errorf("price %q: %w", s, err)
	}
	return Price{nano: nano}, nil
}

// IsZero reports whether the price is zero, which is how "no price" is kept.
func (p Price) IsZero() bool { return p.nano == 0 }

// Cmp compares two prices.
func (p Price) Cmp(q Price) int {
	switch {
	case p.nano < q.nano:
		return -1
	case p.nano > q.nano:
		return 1
	}
	return 0
}

// Add is the sum of two prices, as the decision's total price is one.
func (p Price) Add(q Price) Price { return Price{nano: p.nano + q.nano} }

// String prints the price without trailing zeros.
func (p Price) String() string { return formatFixed(p.nano, priceScale, 0) }

// A Bill adds up tokens at their prices and rounds once.
type Bill struct{ sum big.Int }

// Add puts tokens at a price on the bill.
func (b *Bill) Add(tokens int64, p Price) {
	if tokens <= 0 || p.nano == 0 {
		return
	}
	var t big.Int
	b.sum.Add(&b.sum, t.Mul(big.NewInt(tokens), big.NewInt(p.nano)))
}

// Micro is the sum in micro-USD, half-even. A sum past an int64 is held at the largest one.
func (b *Bill) Micro() int64 {
	var q, r big.Int
	q.QuoRem(&b.sum, scale, &r)
	switch r.Lsh(&r, 1).Cmp(scale) {
	case 1:
		q.Add(&q, big.NewInt(1))
	case 0:
		if q.Bit(0) == 1 {
			q.Add(&q, big.NewInt(1))
		}
	}
	if !q.IsInt64() {
		return math.MaxInt64
	}
	return q.Int64()
}

// ParseMicro reads USD such as "5.00" into micro-USD. At most six places, not negative.
func ParseMicro(s string) (int64, error) {
	n, err := parseFixed(s, 6)
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", s, err)
	}
	return n, nil
}

// ParseMicroJSON reads USD as a JSON string or number into micro-USD, as ParseMicro does. A number is taken by its
// digits, never as a float: 0.1 is a tenth, and 1e-06, which is how some encoders print it, a millionth.
func ParseMicroJSON(raw []byte) (int64, error) {
	text := string(raw)
	if len(raw) > 0 && raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return 0, fmt.Errorf("amount: %w", err)
		}
	}
	if len(text) > maxAmount {
		return 0, fmt.Errorf("amount of %d characters: not a decimal number", len(text))
	}
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(text), "e")
	if !scientific {
		return ParseMicro(text)
	}
	shift, err := strconv.Atoi(exponent)
	if err != nil || shift < -maxAmount || shift > maxAmount {
		return 0, fmt.Errorf("amount %q: not a decimal number", text)
	}
	n, err := parseFixed(shifted(mantissa, shift), 6)
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", text, err)
	}
	return n, nil
}

// maxAmount is how many characters an amount may have.
const maxAmount = 64

// shifted moves a decimal's point: to the right, where places is above zero.
func shifted(s string, places int) string {
	whole, frac, dotted := strings.Cut(s, ".")
	if whole == "" || dotted && frac == "" {
		return "" // no number, with or without its exponent
	}
	if places >= 0 {
		frac += strings.Repeat("0", max(0, places-len(frac)))
		return whole + frac[:places] + "." + frac[places:] + "0"
	}
	whole = strings.Repeat("0", max(0, 1-places-len(whole))) + whole
	at := len(whole) + places
	return whole[:at] + "." + whole[at:] + frac
}

// USD prints micro-USD with six places, as every _usd column and field does.
func USD(micro int64) string { return formatFixed(micro, 6, 6) }

func parseFixed(s string, places int) (int64, error) {
	whole, frac, dotted := strings.Cut(s, ".")
	if whole == "" && frac == "" || dotted && frac == "" {
		return 0, fmt.Errorf("not a decimal number")
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > places {
		return 0, fmt.Errorf("more than %d decimal places", places)
	}
	var n int64
	for i, digits := 0, whole+frac+strings.Repeat("0", places-len(frac)); i < len(digits); i++ {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("not a decimal number")
		}
		if n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, fmt.Errorf("too large")
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// formatFixed prints n·10^-places with at least keep decimal places.
func formatFixed(n int64, places, keep int) string {
	var buf [24]byte
	b := buf[:0]
	u := uint64(n)
	if n < 0 {
		b, u = append(b, '-'), uint64(-n)
	}
	pow := uint64(1)
	for range places {
		pow *= 10
	}
	b = append(strconv.AppendUint(b, u/pow, 10), '.')
	at := len(b)
	b = strconv.AppendUint(b, pow+u%pow, 10) // a leading one keeps the zeros behind it
	copy(b[at:], b[at+1:])
	b = b[:len(b)-1]
	for len(b) > at+keep && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if len(b) == at {
		b = b[:at-1]
	}
	return string(b)
}
