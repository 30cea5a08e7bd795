package sdk_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"go/format"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
)

var update = flag.Bool("update", false, "rewrite the worked example in README.md")

// kindNames are the records as the README's tables name them.
var kindNames = map[abi.Kind]string{
	abi.KindOpen: "Open", abi.KindBody: "Body", abi.KindHead: "Head", abi.KindFrame: "Frame", abi.KindEnd: "End", abi.KindInput: "Input",
	abi.KindRequest: "Request", abi.KindRequestBody: "RequestBody", abi.KindRequestRef: "RequestRef", abi.KindRequestWhole: "RequestWhole",
	abi.KindRefuse: "Refuse", abi.KindDropped: "Dropped",
	abi.KindMessageStart: "MessageStart", abi.KindText: "Text", abi.KindThinking: "Thinking", abi.KindSignature: "Signature",
	abi.KindRedactedThinking: "RedactedThinking", abi.KindToolStart: "ToolStart", abi.KindToolDelta: "ToolDelta",
	abi.KindRawBlock: "RawBlock", abi.KindRawDelta: "RawDelta", abi.KindCitation: "Citation", abi.KindBlockStop: "BlockStop",
	abi.KindUsage: "Usage", abi.KindStop: "Stop", abi.KindError: "Error", abi.KindSkipped: "Skipped", abi.KindDecision: "Decision",
}

// traced notes the batches that cross the line.
type traced struct {
	*sdk.AdapterGuest
	text bytes.Buffer
}

func (g *traced) Open(stream uint32, batch []byte) []byte {
	out := g.AdapterGuest.Open(stream, batch)
	g.dump(fmt.Sprintf("ainfera_open(%d, %d), in the arena:", stream, len(batch)), batch)
	g.dump("its result:", out)
	return out
}

func (g *traced) Push(stream uint32, batch []byte) []byte {
	out := g.AdapterGuest.Push(stream, batch)
	g.dump(fmt.Sprintf("ainfera_push(%d, %d), in the arena:", stream, len(batch)), batch)
	g.dump("its result:", out)
	return out
}

// dump writes a batch: a line for each header, then the payload, 16 bytes a line.
func (g *traced) dump(title string, b []byte) {
	fmt.Fprintf(&g.text, "%s\n", title)
	r, err := abi.NewReader(b)
	if err != nil {
		panic(err)
	}
	line := func(b []byte, note string) { fmt.Fprintf(&g.text, "  %-47s  %s\n", spaced(b), note) }
	line(b[:8], fmt.Sprintf("stream %d, %d records", r.Stream(), r.Count()))
	at := 8
	for {
		rec, ok, err := r.Next()
		if err != nil {
			panic(err)
		}
		if !ok {
			break
		}
		note := fmt.Sprintf("%s, %d bytes", kindNames[rec.Kind], len(rec.Payload))
		line(b[at:at+8], note)
		for p := rec.Payload; len(p) > 0; p = p[min(16, len(p)):] {
			line(p[:min(16, len(p))], fmt.Sprintf("  %s", p[:min(16, len(p))]))
		}
		at += 8 + len(rec.Payload)
	}
	g.text.WriteByte('\n')
}

func spaced(b []byte) string {
	var parts []string
	for _, c := range b {
		parts = append(parts, hex.EncodeToString([]byte{c}))
	}
	return strings.Join(parts, " ")
}

const exampleStart, exampleEnd = "<!-- example: go test ./sdk -update -->\n```text\n", "```\n<!-- end of example -->"

// TestReadmeExample: the bytes in the README are the ones that cross the line.
func TestReadmeExample(t *testing.T) {
	g := &traced{AdapterGuest: sdk.NewAdapterGuest(parrotManifest, parrot{})}
	x := parrotExchange
	x.Together = true
	if _, err := x.Run(g); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimRight(g.text.String(), "\n") + "\n"
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), exampleStart)
	got, after, ok2 := strings.Cut(rest, exampleEnd)
	if !ok || !ok2 {
		t.Fatal("README.md has no worked example between its marks")
	}
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the worked example is out of date: run go test -update\ngot:\n%s\nwant:\n%s", got, want)
	}
	if err := os.WriteFile("README.md", []byte(before+exampleStart+want+exampleEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReadmeKinds: the tables name every record kind with its number, and every limit with its figure.
func TestReadmeKinds(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, name := range kindNames {
		row := fmt.Sprintf("| `0x%02x` | %s |", byte(kind), name)
		if !strings.Contains(string(page), row) {
			t.Errorf("README.md has no row %q", row)
		}
	}
	for _, export := range []string{
		abi.ExportMemory, abi.ExportInitialize, abi.ExportAdapter, abi.ExportPolicy, abi.ExportManifest, abi.ExportArena,
		abi.ExportOpen, abi.ExportPush, abi.ExportClose, abi.ExportDecide,
	} {
		if !strings.Contains(string(page), "`"+export+"`") {
			t.Errorf("README.md does not name the export %s", export)
		}
	}
}

// TestReadmeCode: the Go in the README is what example_test.go compiles, up to white space and the package's name.
func TestReadmeCode(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```go\n(// parrot is.*?)```").FindSubmatch(page)
	if m == nil {
		t.Fatal("README.md shows no parrot")
	}
	code, err := format.Source(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(source, bytes.TrimSpace(code)) {
		t.Error("the parrot of README.md is not the one of example_test.go")
	}
}
