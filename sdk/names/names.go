// Package names makes names for a vendor that doesn't take the caller's.
//
// A tool's name may be longer than a vendor lets it be, or hold what it refuses, and an id has to be made for a call that
// came without one. What is made must be the same whenever the same is asked for, since an adapter remembers nothing from
// one call to the next:
//
//	var tools names.Tools
//	sent := tools.Shorten("mcp__filesystem__read_text_file_and_then_some", 32)
//	…
//	out.ToolStart(block, id, tools.Full(called))
package names

// A Hash is an FNV-1a hash of text.
type Hash uint64

// Of is s's hash.
func Of(s string) Hash { return Hash(14695981039346656037).With(s) }

// With goes on with s.
func (h Hash) With(s string) Hash {
	for i := range len(s) {
		h = (h ^ Hash(s[i])) * 1099511628211
	}
	return h
}

// String is the hash in hexBytes hex digits.
func (h Hash) String() string {
	const digits = "0123456789abcdef"
	var b [hexBytes]byte
	for i := range b {
		b[i] = digits[h>>(60-4*i)&15]
	}
	return string(b[:])
}

const hexBytes = 16

// Long is a name of 32 hex digits for s, for where two things must not come by the same name by accident.
func Long(s string) string { return Of(s).String() + Of("2"+s).String() }

// Tools remembers what the names of tools were before they were spelled for the vendor, so that the caller gets its own
// back. The zero Tools is ready.
type Tools struct{ full map[string]string }

// Shorten is a name of at most so many bytes, more than 17: the name itself, or its beginning with its hash behind it.
func (t *Tools) Shorten(name string, most int) string {
	if len(name) <= most {
		return name
	}
	short := name[:most-hexBytes-1] + "_" + Of(name).String()
	t.Put(short, name)
	return short
}

// Put notes that the vendor knows a tool as sent.
func (t *Tools) Put(sent, name string) {
	if t.full == nil {
		t.full = map[string]string{}
	}
	t.full[sent] = name
}

// Full is the caller's name of the tool that the vendor calls sent.
func (t *Tools) Full(sent string) string {
	if name, ok := t.full[sent]; ok {
		return name
	}
	return sent
}
