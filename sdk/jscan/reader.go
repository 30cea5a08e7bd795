package jscan

// A Reader reads a document once, from front to back, and checks it on the way. It is for what is read for every call or
// frame and whose shape is known: nothing is looked at twice, and a key that comes where it is expected is only compared.
//
//	r := jscan.NewReader(frame)
//	for n, ok := r.Field(keys, 0); ok; n, ok = r.Field(keys, n+1) {
//		switch n {
//		case 0:
//			id = r.Value()
//		case 1:
//			usage = r.Pick(counts[:], countKeys...)
//		default:
//			r.Value()
//		}
//	}
//	if err := r.End(); err != nil { … }
//
// What was read means nothing until End has said that the document is one. After a mistake in it nothing more is found.
// Keys are compared as in ParsePick. MaxDepth counts from where the Reader stepped in.
type Reader struct {
	b    []byte
	at   uint // the next token
	open bool // the object or array was just stepped into, so that no comma comes
	what string
}

// NewReader returns a Reader at the start of a document, whose bytes the values will alias.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Object steps into the object that comes next and reports whether one does. Anything else stays to be read.
func (r *Reader) Object() bool { return r.enter('{') }

// Array is Object for an array.
func (r *Reader) Array() bool { return r.enter('[') }

func (r *Reader) enter(bracket byte) bool {
	if r.blank(); r.at >= uint(len(r.b)) || r.b[r.at] != bracket {
		return false
	}
	r.at++
	r.open = true
	return true
}

// Field steps to the next field of the object that the Reader is in, whose value must be read next. n is the key's place
// among keys, or -1; likely is the place that is tried first. At the end of the object it steps out and more is false.
func (r *Reader) Field(keys []string, likely int) (n int, more bool) {
	b, at := r.b, r.at
	if r.open || at >= uint(len(b)) || b[at] != ',' {
		if !r.more('}') {
			return -1, false
		}
		at = r.at
	} else {
		at++
	}
	if at >= uint(len(b)) || b[at] != '"' {
		if r.at = at; !r.quote() {
			return -1, false
		}
		at = r.at
	}
	at++
	if uint(likely) < uint(len(keys)) {
		key := keys[likely]
		end := at + uint(len(key))
		if end+1 < uint(len(b)) && b[end] == '"' && b[end+1] == ':' && string(b[at:end]) == key {
			r.at = end + 2
			return likely, true
		}
	}
	if from := at; from+18 <= uint(len(b)) {
		hit := special8(load8(b, int(at)))
		if hit == 0 {
			at += 8
			hit = special8(load8(b, int(at)))
		}
		if at += uint(firstHit(hit)); at+1 < uint(len(b)) && b[at] == '"' && b[at+1] == ':' {
			r.at = at + 2
			return find(b[from:at], keys), true
		}
		at = from
	}
	return r.key(at, keys)
}

// find is a key's place among keys, or -1.
func find(key []byte, keys []string) int {
	for n := range keys {
		if len(keys[n]) == len(key) && string(key) == keys[n] {
			return n
		}
	}
	return -1
}

// Item steps to the next element of the array that the Reader is in, which must be read next. At the end of the array it
// steps out and returns false.
func (r *Reader) Item() bool {
	if !r.open && r.at < uint(len(r.b)) && r.b[r.at] == ',' {
		r.at++
		return true
	}
	return r.more(']')
}

// Value reads the value that comes next, whatever it is.
func (r *Reader) Value() Value {
	b, from := r.b, r.at
	if from < uint(len(b)) && b[from] == ' ' { // behind a colon, as many write it
		from++
	}
	at, n := from+1, uint(len(b))
	if at+16 > n {
		return r.other()
	}
	switch b[from] {
	case '"':
		hit := special8(load8(b, int(at)))
		if hit == 0 {
			at += 8
			hit = special8(load8(b, int(at)))
		}
		if at += uint(firstHit(hit)); at >= n || b[at] != '"' {
			return r.other()
		}
		at++
	case 'n', 't':
		at += 3
		if word := uint32(load8(b, int(from))); word != wordNull && word != wordTrue {
			return r.other()
		}
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if b[from] != '0' {
			hit := notDigit8(load8(b, int(at)))
			if hit == 0 {
				at += 8
				hit = notDigit8(load8(b, int(at)))
			}
			at += uint(firstHit(hit))
		}
		if at >= n || b[at] != ',' && b[at] != '}' {
			return r.other()
		}
	default:
		return r.other()
	}
	r.at = at
	return b[from:at:at]
}

// Pick reads the value that comes next and returns it. If it is an object dst[n] becomes the value of keys[n] in it, and
// nil where there is none; dst must be as long as keys. It is quickest when keys are in the order of the document.
func (r *Reader) Pick(dst []Value, keys ...string) Value {
	for i := range dst {
		dst[i] = nil
	}
	if !r.Object() {
		return r.Value()
	}
	from, likely := r.at-1, 0
	for {
		n, more := r.Field(keys, likely)
		if !more {
			break
		}
		v := r.Value()
		if n >= 0 {
			dst[n] = v
			likely = n + 1
		}
	}
	if r.what != "" {
		return nil
	}
	return r.b[from:r.at:r.at]
}

// Kind is the kind of the value that comes next.
func (r *Reader) Kind() Kind {
	if r.blank(); r.at >= uint(len(r.b)) {
		return Absent
	}
	return kinds[r.b[r.at]]
}

// End checks that the document was read to its end. An error is a *SyntaxError.
func (r *Reader) End() error {
	if r.what == "" {
		if r.blank(); r.at < uint(len(r.b)) {
			r.fail(r.at, "more after the value")
		}
	}
	if r.what != "" {
		return &SyntaxError{int(r.at), r.what}
	}
	return nil
}

// What follows is off the straight way, on which documents of machines stay.

// fail keeps the first mistake. With nothing left to read, nothing more is found.
func (r *Reader) fail(at uint, what string) {
	if r.what == "" {
		r.b, r.at, r.what = nil, at, what
	}
}

func (r *Reader) blank() {
	if r.at < uint(len(r.b)) && r.b[r.at] <= ' ' {
		r.at = skipBlank(r.b, r.at)
	}
}

// more steps past the comma, if one is due, or past the bracket that ends the object or array.
func (r *Reader) more(bracket byte) bool {
	r.blank()
	first := r.open
	r.open = false
	switch {
	case r.at >= uint(len(r.b)):
		r.fail(r.at, cutShort)
		return false
	case r.b[r.at] == bracket:
		r.at++
		return false
	case first:
		return true
	case r.b[r.at] == ',':
		r.at++
		return true
	case bracket == '}':
		r.fail(r.at, "want ',' or '}'")
	default:
		r.fail(r.at, "want ',' or ']'")
	}
	return false
}

// quote goes to the key's opening quote.
func (r *Reader) quote() bool {
	switch r.blank(); {
	case r.at >= uint(len(r.b)):
		r.fail(r.at, cutShort)
	case r.b[r.at] != '"':
		r.fail(r.at, "want a key in quotes")
	default:
		return true
	}
	return false
}

// key reads the key that starts at b[from], and the colon.
func (r *Reader) key(from uint, keys []string) (n int, more bool) {
	quoted, end, what := checkText(r.b, from)
	if what != "" {
		r.fail(end, what)
		return -1, false
	}
	key := r.b[from : end-1]
	r.at = end
	if r.blank(); r.at >= uint(len(r.b)) {
		r.fail(r.at, cutShort)
		return -1, false
	}
	if r.b[r.at] != ':' {
		r.fail(r.at, "want ':'")
		return -1, false
	}
	r.at++
	if quoted {
		key = appendUnescaped(nil, key)
	}
	return find(key, keys), true
}

// other is Value for all that isn't a short and plain string.
func (r *Reader) other() Value {
	r.blank()
	from := r.at
	if r.what != "" {
		return nil
	}
	end, what := check(r.b, int(from))
	if what != "" {
		r.fail(uint(end), what)
		return nil
	}
	r.at = uint(end)
	return r.b[from:r.at:r.at]
}

// checkText reads the string whose first byte is b[i] and returns where it ends, behind the quote, and whether it has
// escapes; or where and what is wrong.
func checkText(b []byte, i uint) (escapes bool, end uint, what string) {
	for n := uint(len(b)); ; {
		for i+8 <= n {
			hit := special8(load8(b, int(i)))
			if hit != 0 {
				i += uint(firstHit(hit))
				break
			}
			i += 8
		}
		for i < n && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= n {
			return escapes, i, cutShort
		}
		if b[i] == '"' {
			return escapes, i + 1, ""
		}
		at, what := checkEscape(b, int(i))
		if what != "" {
			return escapes, uint(at), what
		}
		escapes, i = true, uint(at)
	}
}
