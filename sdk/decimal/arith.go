package decimal

import (
	"cmp"
	"math/bits"
)

// Add is d + e.
func (d Decimal) Add(e Decimal) Decimal {
	if d.exp < e.exp {
		d, e = e, d
	}
	if d.hi|d.lo == 0 && e.hi|e.lo == 0 {
		return Decimal{exp: e.exp, neg: d.neg && e.neg}
	}
	if d.hi|d.lo == 0 {
		return e
	}
	// d is shifted to e's exponent, exactly while that has a word's room.
	shift := int(d.exp) - int(e.exp)
	if lo, ok := d.shifted(shift); ok && e.hi == 0 && d.neg == e.neg {
		if sum, carry := bits.Add64(lo, e.lo, 0); carry == 0 && e.lo != 0 {
			return Decimal{lo: sum, exp: e.exp, neg: d.neg}
		}
	}
	if shift != 0 && shift+d.digits() > maxDigits {
		return d.padded(e.exp) // e is below half of the last digit, or zero
	}
	if e.hi|e.lo == 0 {
		return d.padded(e.exp)
	}
	a, b := mulPow10(d.wide(), shift), e.wide()
	if d.neg == e.neg {
		return round(a.plus(b), e.exp, d.neg)
	}
	switch a.cmp(b) {
	case 0:
		return Decimal{exp: e.exp}
	case 1:
		return round(a.minus(b), e.exp, d.neg)
	}
	return round(b.minus(a), e.exp, e.neg)
}

// shifted is d's coefficient × 10^n, where both are one word: the numbers of nearly every decision are, and need none of
// the wide arithmetic.
func (d Decimal) shifted(n int) (lo uint64, ok bool) {
	if d.hi != 0 || n >= len(pow10Word) {
		return 0, false
	}
	hi, lo := bits.Mul64(d.lo, pow10Word[n])
	return lo, hi == 0
}

// padded is d with its exponent as near to exp as the precision has room for.
func (d Decimal) padded(exp int32) Decimal {
	shift := min(int(d.exp-exp), Precision-d.digits())
	w := mulPow10(d.wide(), shift)
	return Decimal{lo: w[0], hi: w[1], exp: d.exp - int32(shift), neg: d.neg}
}

// Sub is d - e.
func (d Decimal) Sub(e Decimal) Decimal { return d.Add(e.Neg()) }

// Mul is d × e.
func (d Decimal) Mul(e Decimal) Decimal {
	neg := d.neg != e.neg
	if d.hi|e.hi == 0 {
		if hi, lo := bits.Mul64(d.lo, e.lo); hi == 0 {
			return Decimal{lo: lo, exp: d.exp + e.exp, neg: neg}
		}
	}
	return round(mul(d.hi, d.lo, e.hi, e.lo), d.exp+e.exp, neg)
}

// Quo is d ÷ e. ok is false when e is zero. A quotient that is exact has the exponent that is nearest to the difference
// of the two.
func (d Decimal) Quo(e Decimal) (q Decimal, ok bool) {
	if e.hi|e.lo == 0 {
		return Decimal{}, false
	}
	neg := d.neg != e.neg
	ideal := d.exp - e.exp
	if d.hi|d.lo == 0 {
		return Decimal{exp: ideal, neg: neg}, true
	}
	// One digit more than the precision, whatever the operands, and then perhaps a sticky one.
	shift := e.digits() - d.digits() + Precision + 1
	w, rest := divide(mulPow10(d.wide(), shift), e.wide())
	exp := ideal - int32(shift)
	if rest != (wide{}) {
		if _, last := divSmall(w, 5); last == 0 {
			w = w.plus(wide{1}) // so that it is taken neither for a tie nor for exact
		}
		return round(w, exp, neg), true
	}
	for exp < ideal {
		tenth, last := divSmall(w, 10)
		if last != 0 {
			break
		}
		w = tenth
		exp++
	}
	return round(w, exp, neg), true
}

// Scale is d × 10^n, exactly: Python's scaleb. Dividing by a power of ten is this.
func (d Decimal) Scale(n int32) Decimal {
	d.exp += n
	return d
}

// Quantize rounds d half-even to a multiple of 10^exp, which is then its exponent. ok is false when that takes more
// than the precision.
func (d Decimal) Quantize(exp int32) (q Decimal, ok bool) {
	shift := int(d.exp) - int(exp)
	switch {
	case d.hi|d.lo == 0:
		return Decimal{exp: exp, neg: d.neg}, true
	case shift >= 0:
		if shift+d.digits() > Precision {
			return Decimal{}, false
		}
		w := mulPow10(d.wide(), shift)
		return Decimal{lo: w[0], hi: w[1], exp: exp, neg: d.neg}, true
	case -shift > Precision:
		return Decimal{exp: exp, neg: d.neg}, true // below a tenth of the last digit
	case d.hi == 0 && -shift < len(pow10Word):
		return Decimal{lo: divWordHalfEven(d.lo, pow10Word[-shift]), exp: exp, neg: d.neg}, true
	}
	w := divHalfEven(d.wide(), -shift)
	return Decimal{lo: w[0], hi: w[1], exp: exp, neg: d.neg}, true
}

// Units is how many whole 10^exp are in d: of two numbers the greater never has fewer. ok is false when d is below zero,
// and when a word doesn't hold them.
func (d Decimal) Units(exp int32) (n uint64, ok bool) {
	shift := int(d.exp) - int(exp)
	switch {
	case d.hi|d.lo == 0 || -shift >= Precision:
		return 0, d.Sign() >= 0
	case d.neg:
		return 0, false
	case shift >= 0:
		return d.shifted(shift)
	case d.hi == 0 && -shift < len(pow10Word):
		return d.lo / pow10Word[-shift], true
	}
	q, _ := divide(d.wide(), pow10[-shift])
	return q[0], q[1]|q[2] == 0
}

// Cmp is -1 when d < e, 0 when they are the same value, 1 when d > e.
func (d Decimal) Cmp(e Decimal) int {
	s, t := d.Sign(), e.Sign()
	switch {
	case s < t:
		return -1
	case s > t:
		return 1
	case s == 0:
		return 0
	}
	return s * d.cmpAbs(e)
}

func (d Decimal) cmpAbs(e Decimal) int {
	if d.exp == e.exp {
		if d.hi != e.hi {
			return cmp.Compare(d.hi, e.hi)
		}
		return cmp.Compare(d.lo, e.lo)
	}
	if d.exp > e.exp && e.hi == 0 {
		if lo, ok := d.shifted(int(d.exp) - int(e.exp)); ok {
			return cmp.Compare(lo, e.lo)
		}
	} else if d.exp < e.exp && d.hi == 0 {
		if lo, ok := e.shifted(int(e.exp) - int(d.exp)); ok {
			return cmp.Compare(d.lo, lo)
		}
	}
	// The places of the first digits decide, and where they are the same the shift stays within the precision.
	dn, en := d.digits()+int(d.exp), e.digits()+int(e.exp)
	switch {
	case dn < en:
		return -1
	case dn > en:
		return 1
	case d.exp > e.exp:
		return mulPow10(d.wide(), int(d.exp-e.exp)).cmp(e.wide())
	}
	return d.wide().cmp(mulPow10(e.wide(), int(e.exp-d.exp)))
}

// Less reports whether d < e.
func (d Decimal) Less(e Decimal) bool { return d.Cmp(e) < 0 }

func (d Decimal) wide() wide { return wide{d.lo, d.hi} }

func (d Decimal) digits() int { return d.wide().digits() }

// round makes a Decimal of w × 10^exp, half-even at the precision.
func round(w wide, exp int32, neg bool) Decimal {
	if w[1]|w[2] != 0 {
		if over := w.digits() - Precision; over > 0 {
			w = divHalfEven(w, over)
			exp += int32(over)
			if w == pow10[Precision] {
				w = pow10[Precision-1]
				exp++
			}
		}
	}
	return Decimal{lo: w[0], hi: w[1], exp: exp, neg: neg}
}

// divHalfEven is w ÷ 10^n to the nearest integer, to the even one of two.
func divHalfEven(w wide, n int) wide {
	q, rest := divide(w, pow10[n])
	switch rest.plus(rest).cmp(pow10[n]) {
	case 1:
		return q.plus(wide{1})
	case 0:
		return q.plus(wide{q[0] & 1})
	}
	return q
}

// divWordHalfEven is w ÷ by, an even number, in the same way.
func divWordHalfEven(w, by uint64) uint64 {
	q, rest := w/by, w%by
	if half := by / 2; rest > half || rest == half && q&1 != 0 {
		q++
	}
	return q
}
