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
