package names_test

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk/names"
)

func Example() {
	var tools names.Tools
	sent := tools.Shorten("mcp__filesystem__read_text_file_and_then_some", 32)
	fmt.Println(sent)
	fmt.Println(tools.Full(sent))
	fmt.Println(tools.Full("get_time"))
	// Output:
	// mcp__filesystem_dbeca0fe0f0b6bb0
	// mcp__filesystem__read_text_file_and_then_some
	// get_time
}

// TestHash: it is FNV-1a, in hex with all its zeros.
func TestHash(t *testing.T) {
	for _, s := range []string{"", "a", "é\x00", strings.Repeat("x", 300)} {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s))
		if got, want := names.Of(s).String(), fmt.Sprintf("%016x", h.Sum64()); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
	if names.Of("ab").With("c") != names.Of("abc") {
		t.Error("With doesn't go on")
	}
	if got := names.Hash(0xa).String(); got != "000000000000000a" {
		t.Errorf("zeros: got %s", got)
	}
	if l := names.Long("a"); len(l) != 32 || l[:16] != names.Of("a").String() || l[:16] == l[16:] {
		t.Errorf("Long: got %s", l)
	}
}

func TestShorten(t *testing.T) {
	var tools names.Tools
	for _, n := range []int{0, 63, 64} {
		if name := strings.Repeat("n", n); tools.Shorten(name, 64) != name || tools.Full(name) != name {
			t.Errorf("a name of %d bytes was shortened", n)
		}
	}
	seen := map[string]string{}
	for _, end := range []string{"a", "b", "aa"} {
		name := strings.Repeat("n", 64) + end
		sent := tools.Shorten(name, 64)
		if len(sent) != 64 || seen[sent] != "" || sent != tools.Shorten(name, 64) {
			t.Errorf("%s became %s, as did %s", name, sent, seen[sent])
		}
		seen[sent] = name
	}
	for sent, name := range seen {
		if tools.Full(sent) != name {
			t.Errorf("%s: got %s back, want %s", sent, tools.Full(sent), name)
		}
	}
}
