package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/host/internal/builtin/buildtest"
)

// withoutStreaming builds the openai adapter with one feature less in its manifest: streaming.
func withoutStreaming(t *testing.T) string {
	t.Helper()
	root, err := buildtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "plugins", "provider", "openai", "main.go")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	less := strings.Replace(string(src), "sdk.FeatureStream, ", "", 1)
	if less == string(src) {
		t.Fatal("the adapter's manifest does not say that it streams")
	}
	dir := t.TempDir()
	other, overlay, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "openai.wasm")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {file: other}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{other: []byte(less), overlay: replace} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-buildmode=c-shared", "-o", out, "./plugins/provider/openai")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	return out
}

// TestPropertyWrappedIsNative makes every call at a server whose adapter streams, and at one whose adapter can't: there the
// caller streams all the same. The rows, the answer and the errors are those of a call to the first that isn't streamed,
// for callers of both dialects.
func TestPropertyWrappedIsNative(t *testing.T) {
	more := strings.NewReplacer("%[1]q", `"o"`, "%[2]q", `"`+guest(t, "./host/testdata/guests/dictator")+`"`).Replace(laneOf)
	wrapped := withoutStreaming(t)
	for _, dialect := range []struct {
		name string
		ways []way
	}{{"messages", ways}, {"chat", inChat(ways)}} {
		t.Run(dialect.name, func(t *testing.T) {
			var servers [2]*running
			for i := range servers {
				dir, dsn := sqliteStore(t)
				r := configured(t, dir, dsn, more)
				if i == 1 {
					text, err := os.ReadFile(r.config)
					if err != nil {
						t.Fatal(err)
					}
					text = []byte(strings.Replace(string(text), guest(t, "./plugins/provider/openai"), wrapped, 1))
					if err := os.WriteFile(r.config, text, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				r.serve()
				if status, out := r.command("agent", "suspend", "idle"); status != exitOK {
					t.Fatal(out)
				}
				servers[i] = r
			}
			for _, w := range dialect.ways {
				for _, pinned := range []bool{false, true} {
					want := w.routed
					if pinned {
						want = w.pinned
					}
					if want.status == 0 || w.only == "a" {
						continue
					}
					t.Run(w.name+map[bool]string{true: "/pinned", false: "/routed"}[pinned], func(t *testing.T) {
						native, ours := w.call(t, servers[0], false, pinned), w.call(t, servers[1], true, pinned)
						ours.holds(t, "wrapped", want, &w, "o", pinned)
						if want.status == 200 {
							if mode := ours.Header["x-ainfera-stream-mode"]; mode != "wrapped" {
								t.Errorf("stream mode: got %q, want wrapped", mode)
							}
							ours.Header["x-ainfera-stream-mode"] = native.Header["x-ainfera-stream-mode"]
						}
						plain(ours, native)
						w := w
						w.started, w.differs = false, false // no byte goes out before all of it is there
						same(t, ours, native, &w)
					})
				}
			}
			for _, r := range servers {
				r.clean()
			}
		})
	}
}

var digests = regexp.MustCompile(`^[0-9a-f]{64}$`)

// plain takes out of two sights which module it was.
func plain(sights ...*sight) {
	for _, s := range sights {
		for _, rows := range [][][]string{s.Outcomes, s.Inference} {
			for _, row := range rows {
				for i := range row {
					row[i] = digests.ReplaceAllString(row[i], "a module")
				}
			}
		}
	}
}
