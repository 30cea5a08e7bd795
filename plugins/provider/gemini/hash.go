package main

// hash is FNV-1a over s: names and ids that have to be made up are the same for the same call.
func hash(s string) uint64 { return hashOn(14695981039346656037, s) }

// hashOn goes on with h.
func hashOn(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// hex16 is a hash as 16 digits.
func hex16(h uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[h>>(60-4*i)&15]
	}
	return string(b[:])
}

// seedBytes is how much of the request's end the ids of calls depend on.
const seedBytes = 4 << 10

// seedOf is a hash of a request, by its length and its end: two turns of a conversation differ in either.
func seedOf(body []byte) uint64 {
	return hashOn(uint64(len(body)), string(body[max(0, len(body)-seedBytes):]))
}
