package meter

// functionNames returns the part of a custom section that names functions, when it is the name section and reads as one.
// Names are for people: a section that doesn't read is dropped rather than refused, and the parts that nothing shows
// (locals, labels) are dropped too.
func functionNames(custom []byte) []byte {
	r := reader{b: custom}
	if r.name() != "name" {
		return nil
	}
	for r.more() {
		id := r.byte()
		body := r.bytes(r.count(1))
		if id == 1 && r.err == nil && readsAsNames(body) {
			return body
		}
	}
	return nil
}

func readsAsNames(b []byte) bool {
	r := reader{b: b}
	for range r.bounded(2, maxFunctions, "names") {
		r.u32()
		r.name()
		if r.err != nil {
			return false
		}
	}
	return r.err == nil && r.pos == len(b)
}

// appendNames writes a name section of function names alone.
func appendNames(b, names []byte) []byte {
	b, at := reserve(append(b, secCustom))
	b = appendName(b, "name")
	b = append(b, 1)
	b = appendU32(b, uint32(len(names)))
	b = append(b, names...)
	patch(b, at)
	return b
}
