package jscan

// Get returns the value of a key of an object, or nil when there is none or v is no object. Of a key that occurs twice
// the last counts, as encoding/json, Python and JavaScript have it, so that host, guest and vendor read the same. It
// walks the whole object: for several keys of one use [Value.Pick] or [Value.Fields].
func (v Value) Get(key string) Value {
	var found Value
	for i := v.inside(Object); i != 0; {
		k, end, val, next := nextField(v, i)
		if i = next; i != 0 && keyIs(v, k, end, key) {
			found = v[val:i:i]
		}
	}
	return found
}

// Pick sets dst[n] to the value of keys[n], nil where there is none, in one walk of the object. dst must be as long as
// keys. It is quickest when keys are in the order of the document.
func (v Value) Pick(dst []Value, keys ...string) {
	clear(dst)
	if v.Kind() == Object {
		pick(v, 0, dst, keys)
	}
}

// PickItems ranges over an array's elements, over nothing when v is no array, and sets dst to the fields of each as Pick
// does: array and objects in one walk, where Items would have walked an object to its end before Pick does so again.
func (v Value) PickItems(dst []Value, keys ...string) func(yield func(Value) bool) {
	return func(yield func(Value) bool) {
		for i := v.inside(Array); i != 0; {
			from := nextItem(v, i)
			clear(dst)
			if from != 0 && v[from] == '{' {
				i = pick(v, from, dst, keys)
			} else {
				i = skipValue(v, from)
			}
			if i == 0 || !yield(v[from:i:i]) {
				return
			}
		}
	}
}

// Fields ranges over an object's keys and values, in the order of the document, repeated keys included; over nothing
// when v is no object. A key is unescaped; it may alias the document and must not be changed. `switch string(key)` does
// not allocate.
func (v Value) Fields() func(yield func(key []byte, val Value) bool) {
	return func(yield func([]byte, Value) bool) {
		for i := v.inside(Object); i != 0; {
			k, end, val, next := nextField(v, i)
			if i = next; i == 0 || !yield(keyAt(v, k, end), v[val:i:i]) {
				return
			}
		}
	}
}

// Items ranges over an array's elements; over nothing when v is no array.
func (v Value) Items() func(yield func(Value) bool) {
	return func(yield func(Value) bool) {
		for i := v.inside(Array); i != 0; {
			from := nextItem(v, i)
			if i = skipValue(v, from); i == 0 || !yield(v[from:i:i]) {
				return
			}
		}
	}
}

// At returns the element of an array at i, counted from 0, or nil when there is none.
func (v Value) At(i int) Value {
	for end := v.inside(Array); end != 0 && i >= 0; i-- {
		from := nextItem(v, end)
		if end = skipValue(v, from); i == 0 && end != 0 {
			return v[from:end:end]
		}
	}
	return nil
}

// Len is the number of an array's elements or an object's fields, and 0 for anything else.
func (v Value) Len() int {
	n := 0
	for range v.Items() {
		n++
	}
	for range v.Fields() {
		n++
	}
	return n
}

// What follows walks by offsets. 0, which is always an opening bracket, says that there is nothing more; a key that has
// escapes or isn't ASCII is passed on as ^k. The functions are small and hand each other integers, and so in a guest
// stay within wasm's locals. They trust that Parse has seen the bytes, and stay in bounds if not.

// inside is where a value's first member may begin.
func (v Value) inside(k Kind) int {
	if v.Kind() == k {
		return 1
	}
	return 0
}

// pick is Pick of the object at b[i], which is cleared before. It returns the object's end, or 0 where there is none.
func pick(b []byte, i int, dst []Value, keys []string) int {
	n := 0 // after the key that was found last
	for i++; ; {
		k, end, val, next := nextField(b, i)
		if next == 0 {
			for i < len(b) && b[i] <= ' ' {
				i++
			}
			if i < len(b) && b[i] == '}' {
				return i + 1
			}
			return 0
		}
		i = next
		if n < len(keys) && keyIs(b, k, end, keys[n]) {
			dst[n] = b[val:i:i]
			n++
			continue
		}
		for m := range keys {
			if keyIs(b, k, end, keys[m]) {
				dst[m] = b[val:i:i]
				n = m + 1
				break
			}
		}
	}
}

// nextField is the field at or after b[i]: its key, without the quotes, where its value starts, and where that ends, or 0
// when there is no field. It does itself what most fields take, since in a guest a call costs as much as a token.
func nextField(b []byte, i int) (k, end, val, next int) {
	for i < len(b) && (b[i] == ',' || b[i] <= ' ') {
		i++
	}
	if i >= len(b) || b[i] != '"' {
		return 0, 0, 0, 0
	}
	k = i + 1
	for i = k; ; i += 8 {
		if i+8 > len(b) {
			if end = skipText(b, k-1) - 1; end < k {
				return 0, 0, 0, 0
			}
			if plainRun(b[:end], k) != end {
				k = ^k
			}
			break
		}
		x := load8(b, i)
		if hit := equal8(x, '"') | odd8(x); hit != 0 {
			if end = i + firstHit(hit); b[end] != '"' {
				if end = skipText(b, k-1) - 1; end < k {
					return 0, 0, 0, 0
				}
				k = ^k
			}
			break
		}
	}
	for val = end + 1; val < len(b) && (b[val] == ':' || b[val] <= ' '); {
		val++
	}
	if val >= len(b) {
		return 0, 0, 0, 0
	}
	if b[val] == '"' {
		for i = val + 1; i+8 <= len(b); i += 8 {
			x := load8(b, i)
			if hit := equal8(x, '"') | equal8(x, '\\'); hit != 0 {
				if i += firstHit(hit); b[i] == '"' {
					return k, end, val, i + 1
				}
				break
			}
		}
	}
	return k, end, val, skipValue(b, val)
}

// keyIs compares the key at b[k:end].
func keyIs(b []byte, k, end int, key string) bool {
	if k >= 0 {
		return end-k == len(key) && string(b[k:end]) == key
	}
	return unescapedIs(b[^k:end], key)
}

func unescapedIs(b []byte, key string) bool { return string(appendUnescaped(nil, b)) == key }

// keyAt is the key at b[k:end], unescaped.
func keyAt(b []byte, k, end int) []byte {
	if k >= 0 {
		return b[k:end]
	}
	return appendUnescaped(nil, b[^k:end])
}

// nextItem is where the member at or after b[i] starts, past the comma.
func nextItem(b []byte, i int) int {
	for ; i < len(b); i++ {
		if c := b[i]; c > ' ' && c != ',' {
			if c|0x20 == '}' {
				return 0
			}
			return i
		}
	}
	return 0
}

// skipValue is the end of the value at b[i].
func skipValue(b []byte, i int) int {
	if i == 0 || i >= len(b) {
		return 0
	}
	switch c := b[i]; {
	case c == '"':
		return skipText(b, i)
	case c|0x20 == '{':
		return skipNested(b, i)
	case c == 'n' || c == 't':
		i += 4
	case c == 'f':
		i += 5
	default:
		return skipNumber(b, i)
	}
	if i > len(b) {
		return 0
	}
	return i
}

// skipNested counts brackets; that they match was checked.
func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		if i+8 <= len(b) {
			hit := structure8(load8(b, i))
			if hit == 0 {
				i += 8
				continue
			}
			i += firstHit(hit)
		}
		c := b[i]
		if c == '"' {
			if i = skipText(b, i); i == 0 {
				return 0
			}
			continue
		}
		i++
		if c|0x20 == '{' {
			depth++
		} else if c|0x20 == '}' {
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// skipNumber is the end of the number at b[i].
func skipNumber(b []byte, i int) int {
	from := i
	for i+8 <= len(b) {
		x := load8(b, i)
		if hit := below8(x, ' '+1) | equal8(x, ',') | equal8(x|ones*0x20, '}'); hit != 0 {
			i += firstHit(hit)
			break
		}
		i += 8
	}
	for i < len(b) && b[i] > ' ' && b[i] != ',' && b[i]|0x20 != '}' {
		i++
	}
	if i == from {
		return 0
	}
	return i
}

// skipText is the end of the string whose opening quote is at b[i].
func skipText(b []byte, i int) int {
	from := i + 1
	for i = from; i < len(b); i++ {
		if i+8 <= len(b) {
			hit := equal8(load8(b, i), '"')
			if hit == 0 {
				i += 7
				continue
			}
			i += firstHit(hit)
		}
		if b[i] == '"' && !isEscaped(b[from:i]) {
			return i + 1
		}
	}
	return 0
}

// isEscaped reports whether what follows text, a part of a string from its beginning, is escaped: an odd number of
// backslashes is before it. Looking back from each quote is cheaper than stopping at each backslash, of which code is full.
func isEscaped(text []byte) bool {
	n := len(text)
	for n > 0 && text[n-1] == '\\' {
		n--
	}
	return (len(text)-n)%2 == 1
}
