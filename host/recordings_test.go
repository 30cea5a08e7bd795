package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/config"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// adapterOf names the adapter that speaks a recording's protocol, or says why none of ours does: the framers alone read
// those.
func adapterOf(rec *sdktest.Recording) (adapter, why string) {
	if !rec.Passes() {
		return "", fmt.Sprintf("an answer of status %d, which the host reads nothing of", rec.Status)
	}
	switch rec.API {
	case "openai.chat", "mistral.chat":
		return "openai", ""
	case "openai.responses":
		return "openai-responses", ""
	case "gemini.generateContent":
		return "gemini", ""
	case "anthropic.messages":
		return "anthropic", ""
	case "bedrock.invoke":
		if !strings.Contains(rec.Model, "claude") {
			return "", "another maker's protocol: " + rec.Model
		}
		if gjson.GetBytes(rec.Body, "type").Str == "completion" {
			return "", "Claude 2's text completions, older than Messages"
		}
		return "anthropic", ""
	case "ollama.chat":
		return "", "Ollama's own protocol: the guest in C speaks it, in TestGuestInCOnRecordings"
	case "bedrock.converse":
		return "", "Bedrock's own protocol, which no adapter speaks"
	}
	return "", "a protocol that nobody has looked at: " + rec.API
}

// blockOf names the block of examples/providers with whose settings a vendor's recordings are read; the adapter's defaults
// serve where there is none.
func blockOf(rec *sdktest.Recording, adapter string) string {
	switch adapter + " " + rec.Vendor {
	case "anthropic bedrock":
		return "bedrock"
	case "anthropic vertex":
		return "claude-on-vertex"
	case "gemini vertex":
		return "gemini-on-vertex"
	case "openai-responses azure", "openai-responses xai":
		return rec.Vendor + "-responses"
	}
	if adapter == "openai-responses" {
		return "openai-responses"
	}
	return rec.Vendor
}

// exampleSettings are the settings of every block of examples/providers, by adapter and the block's name.
func exampleSettings(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "examples", "providers", "*.hcl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	out := map[string]map[string]any{}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		src = append(src, "\nadmin {}\nplugin \"floor\" { module = \"builtin:floor\" }\n"...)
		for _, name := range []string{"anthropic", "openai", "openai-responses", "gemini"} {
			src = fmt.Appendf(src, "plugin %q { module = %q }\n", name, "builtin:"+name)
		}
		cfg, err := config.Parse(file, src, func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range cfg.Providers {
			if p.Adapter == "openai-responses" || p.Adapter == "openai" || p.Adapter == "gemini" || p.Adapter == "anthropic" {
				out[p.Adapter+" "+p.Name] = p.Settings
			}
		}
	}
	return out
}

// A tally is what passed, by vendor, feature and whether it was streamed, and what no adapter was shown, with the reason.
type tally struct {
	mu      sync.Mutex
	passed  map[[3]string]int
	skipped map[string][]string
	total   int
}

func (y *tally) pass(rec *sdktest.Recording) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.total++
	how := "whole"
	if rec.Stream {
		how = "streamed"
	}
	for _, f := range append([]string{"(all)"}, rec.Features...) {
		y.passed[[3]string{rec.Vendor, f, how}]++
	}
}

// String is the table: a line for each vendor and way, with the number of recordings that passed for each feature.
func (y *tally) String() string {
	lines := map[[2]string][]string{}
	for _, k := range sortedKeys(y.passed, func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		line := [2]string{k[0], k[2]}
		lines[line] = append(lines[line], fmt.Sprintf("%s %d", k[1], y.passed[k]))
	}
	var b strings.Builder
	for _, k := range sortedKeys(lines, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		fmt.Fprintf(&b, "%-15s %-8s %s\n", k[0], k[1], strings.Join(lines[k], ", "))
	}
	for _, why := range sortedKeys(y.skipped, strings.Compare) {
		slices.Sort(y.skipped[why])
		fmt.Fprintf(&b, "through the framers alone, %s:\n  %s\n", why, strings.Join(y.skipped[why], "\n  "))
	}
	return b.String()
}

func sortedKeys[K comparable, V any](m map[K]V, less func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, less)
	return keys
}

// TestRecordings plays every recording through the host's framers, and those of a protocol that an adapter speaks through
// its module and the grammar too, as the server does: whole, byte by byte, and cut in two at 64 places. What the caller
// gets is the same each time, and says what an independent reading of the recording does.
func TestRecordings(t *testing.T) {
	recs, err := sdktest.Recordings()
	if err != nil {
		t.Fatal(err)
	}
	if recs == nil {
		t.Skip(sdktest.ConformanceEnv + " names no directory with recordings")
	}
	h, err := wasm.Open(t.Context(), wasm.Config{CacheDir: filepath.Join(t.TempDir(), "compiled")})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close(context.WithoutCancel(t.Context()))
	modules := map[string]*wasm.Module{}
	for _, name := range []string{"anthropic", "openai", "openai-responses", "gemini"} {
		code, err := os.ReadFile(guest(t, "./plugins/provider/"+name))
		if err != nil {
			t.Fatal(err)
		}
		if modules[name], err = h.Load(t.Context(), wasm.Spec{Name: name, Bytes: code, Isolation: wasm.IsolationShared}); err != nil {
			t.Fatal(err)
		}
	}
	settings := exampleSettings(t)
	table := &tally{passed: map[[3]string]int{}, skipped: map[string][]string{}}
	t.Run("each", func(t *testing.T) {
		for i := range recs {
			rec := &recs[i]
			t.Run(rec.Path, func(t *testing.T) {
				t.Parallel()
				adapter, why := adapterOf(rec)
				if adapter == "" {
					framed(t, rec)
					table.mu.Lock()
					defer table.mu.Unlock()
					table.skipped[why] = append(table.skipped[why], rec.Path)
					return
				}
				m := modules[adapter]
				set, err := completed(settings[adapter+" "+blockOf(rec, adapter)], m.Manifest())
				if err != nil {
					t.Fatal(err)
				}
				p := &replayed{t: t, rec: rec, m: m, settings: set, verbatim: adapter == "anthropic"}
				p.everyCut()
				if !t.Failed() {
					table.pass(rec)
				}
			})
		}
	})
	t.Logf("%d of %d recordings, 66 times each:\n%s", table.total, len(recs), table)
}

// cuts calls f with a body whole, byte by byte, and cut in two at 64 places.
func cuts(body []byte, f func(what string, pieces ...[]byte)) {
	f("whole", body)
	f("byte by byte", slices.Collect(slices.Chunk(body, 1))...)
	for i := range 64 {
		at := len(body) * i / 64
		f(fmt.Sprintf("cut at %d", at), body[:at], body[at:])
	}
}

// framed reads a recording with the framer of its kind alone: the same frames however it is cut, and all of its bytes.
func framed(t *testing.T, rec *sdktest.Recording) {
	t.Helper()
	var want []string
	cuts(rec.Body, func(what string, pieces ...[]byte) {
		var got []string
		var raw []byte
		frames(t, rec, pieces, func(f frame) {
			got = append(got, fmt.Sprintf("%q %q %v", f.Event, f.Data, f.Document))
			raw = append(raw, f.Raw...)
		}, nil)
		if !bytes.Equal(raw, rec.Body) {
			t.Fatalf("%s: the frames hold %d bytes, the recording %d", what, len(raw), len(rec.Body))
		}
		if want == nil {
			want = got
		}
		if len(got) == 0 && len(bytes.TrimSpace(rec.Body)) > 0 || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %q\nwant %q", what, got, want)
		}
	})
}

// everyCut replays the recording in every way and compares.
func (p *replayed) everyCut() {
	p.t.Helper()
	var want outcome
	cuts(p.rec.Body, func(what string, pieces ...[]byte) {
		got := p.replay(pieces, false)
		if what == "whole" {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			p.t.Fatalf("%s:\ngot  %+v\nwant %+v", what, got, want)
		}
	})
	if p.verbatim {
		p.compareVerbatim(&want)
		return
	}
	p.compare(&want)
	if want.err == "" {
		p.compareWhole(p.replay([][]byte{p.rec.Body}, true).message, want.sent)
	}
}

// compare holds what the caller gets against an independent reading.
func (p *replayed) compare(got *outcome) {
	p.t.Helper()
	want := readingOf(p.t, p.rec)
	switch {
	case want.err != "":
		if got.err == "" || !strings.Contains(got.err, want.err) {
			p.t.Errorf("got %q, want the error %q", got.err, want.err)
		}
		return
	case want.nothing:
		if got.err == "" {
			p.t.Errorf("there is nothing in it, got %s", got.sent)
		}
		return
	case got.err != "":
		p.t.Fatalf("error: %s\n%s", got.err, got.sent)
	}
	said := saidIn(p.t, got.sent)
	if said.text != want.text {
		p.t.Errorf("text: got %q, want %q", said.text, want.text)
	}
	if said.thinking != want.thinking {
		p.t.Errorf("thinking: got %q, want %q", said.thinking, want.thinking)
	}
	if !slices.EqualFunc(said.calls, want.calls, sameCall) {
		p.t.Errorf("calls: got %v, want %v", said.calls, want.calls)
	}
	u, estimated := got.result.Settled(guess)
	if want.usage == nil {
		if !estimated {
			p.t.Errorf("the vendor counted nothing, and usage %+v is not marked as estimated", u)
		}
	} else if u != *want.usage || estimated != want.guessed {
		p.t.Errorf("usage: got %+v, estimated %v, want %+v", u, estimated, *want.usage)
	}
	if len(said.calls) > 0 && !slices.Contains([]string{"tool_use", "max_tokens", "refusal"}, got.result.StopReason) {
		p.t.Errorf("stop_reason: got %s with tool calls", got.result.StopReason)
	}
}

// sameCall compares calls by what their arguments mean; those that were cut off, as text.
func sameCall(a, b said) bool {
	var x, y any
	if json.Unmarshal([]byte(cmp.Or(a.args, "{}")), &x) != nil || json.Unmarshal([]byte(cmp.Or(b.args, "{}")), &y) != nil {
		return a == b
	}
	return a.name == b.name && (reflect.DeepEqual(x, y) || y == nil && reflect.DeepEqual(x, map[string]any{}))
}

// compareWhole holds the message for a caller who doesn't stream against the stream that others get.
func (p *replayed) compareWhole(message []byte, stream string) {
	p.t.Helper()
	for _, c := range saidIn(p.t, stream).calls {
		if c.args != "" && !json.Valid([]byte(c.args)) { // cut off in its arguments: there is no input to put together
			if got := gjson.GetBytes(message, "stop_reason").Str; !json.Valid(message) || got != "max_tokens" {
				p.t.Errorf("not streamed, a call that is cut off: got %s", message)
			}
			return
		}
	}
	doc, failed := assemble(p.t, eventsOf(p.t, stream))
	if failed != nil {
		p.t.Fatalf("the stream ended in %v", failed)
	}
	for _, field := range []string{"content", "stop_reason", "stop_sequence", "model", "id", "usage.output_tokens"} {
		if got, want := gjson.GetBytes(message, field).Value(), gjson.Get(doc, field).Value(); !reflect.DeepEqual(got, want) {
			p.t.Errorf("not streamed, %s: got %v, want %v", field, got, want)
		}
	}
}

// compareVerbatim: the bytes are the vendor's, and the tap has read in them what an independent reading does.
func (p *replayed) compareVerbatim(got *outcome) {
	p.t.Helper()
	want := readingOf(p.t, p.rec)
	switch {
	case want.err != "":
		if !strings.Contains(got.err, want.err) {
			p.t.Errorf("got %q, want the error %q", got.err, want.err)
		}
		return
	case want.nothing:
		if got.err == "" {
			p.t.Errorf("it has no end, got %s", got.sent)
		}
		return
	case got.err != "":
		p.t.Fatalf("error: %s", got.err)
	}
	if p.rec.API == "anthropic.messages" && got.sent != string(p.rec.Body) {
		p.t.Errorf("the bytes are not the recording's: got %d, want %d", len(got.sent), len(p.rec.Body))
	}
	if want.usage == nil {
		if got.result.UsageSeen {
			p.t.Errorf("the vendor counted nothing, got %+v", got.result)
		}
	} else if got.result.Usage != *want.usage || !got.result.UsageSeen {
		p.t.Errorf("usage: got %+v, want %+v", got.result, *want.usage)
	}
	if !got.result.Complete {
		p.t.Errorf("it is not complete: %+v", got.result)
	}
	if got.result.ToolCalls != len(want.calls) {
		p.t.Errorf("got %d calls, want %d", got.result.ToolCalls, len(want.calls))
	}
}

// An outcome is what one replay comes to.
type outcome struct {
	sent    string // the stream, or the vendor's bytes
	err     string
	result  messages.Result
	message []byte // for a caller who doesn't stream
}
