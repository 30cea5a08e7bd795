package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/ainfera-ai/router/host/internal/chat"
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/wasm"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// TestRecordedRequests takes what real clients asked, in either of the dialects that callers speak here, to every adapter
// that translates: each takes it or says why it can't, and whatever text, call and result was in it is in the vendor's
// request too. The recordings hold whole rounds of tools.
func TestRecordedRequests(t *testing.T) {
	recs, err := sdktest.Recordings("openai.chat", "mistral.chat", "anthropic.messages", "bedrock.invoke")
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
	settings := exampleSettings(t)
	took, refused := map[string]int{}, map[string]int{}
	for _, name := range []string{"openai", "openai-responses", "gemini"} {
		code, err := os.ReadFile(guest(t, "./plugins/provider/"+name))
		if err != nil {
			t.Fatal(err)
		}
		m, err := h.Load(t.Context(), wasm.Spec{Name: name, Bytes: code, Isolation: wasm.IsolationShared})
		if err != nil {
			t.Fatal(err)
		}
		for i := range recs {
			rec := &recs[i]
			raw, err := os.ReadFile(filepath.Join(os.Getenv(sdktest.ConformanceEnv), "fixtures", filepath.FromSlash(rec.Path), "request.json"))
			if err != nil {
				continue // the source did not keep it
			}
			req := requestOf(t, rec, raw)
			if req == nil {
				continue
			}
			t.Run(name+"/"+rec.Path, func(t *testing.T) {
				block := settings[name+" "+blockOf(rec, name)]
				set, err := completed(block, m.Manifest())
				if err != nil {
					t.Fatal(err)
				}
				sent, refusal := requestOfVendor(t, m, set, req)
				if refusal != "" {
					refused[name+": "+refusal]++
					unset := block == nil && strings.Contains(refusal, "takes no documents") // which is for the vendor's block to say
					if !unset && !slices.ContainsFunc([]string{"Anthropic only", "its vendor only", "can't be carried"}, func(why string) bool { return strings.Contains(refusal, why) }) {
						t.Errorf("refused: %s", refusal)
					}
					return
				}
				took[name]++
				holdsAll(t, req.Body(), sent)
			})
		}
	}
	for _, k := range sortedKeys(took, strings.Compare) {
		t.Logf("%-18s took %d", k, took[k])
		if took[k] < 150 {
			t.Errorf("%s took %d of the recorded requests, want most", k, took[k])
		}
	}
	for _, k := range sortedKeys(refused, strings.Compare) {
		t.Logf("refused %3d  %s", refused[k], k)
	}
}

// requestOf is a recorded request as the gateway has it, nil where the recording shows what neither dialect has: Vertex
// and Bedrock name the model elsewhere, some clients ask on purpose for what is refused, and three things are asked for that
// are a 400 here: several choices, Mistral's and xAI's own words in tool_choice, and an answer to instructions or empty words
// alone.
func requestOf(t *testing.T, rec *sdktest.Recording, raw []byte) *messages.Request {
	t.Helper()
	if adapter, _ := adapterOf(rec); adapter == "" {
		return nil
	}
	if strings.HasSuffix(rec.API, ".chat") {
		r, err := chat.Translate(raw)
		if err != nil {
			if rec.Status < 400 && !strings.HasPrefix(err.Error(), "n: ") && !strings.HasPrefix(err.Error(), "tool_choice: ") {
				t.Errorf("%s: %v", rec.Path, err)
			}
			return nil
		}
		if r.Unsupported != "" {
			return nil
		}
		raw = r.Body
	}
	req, err := messages.ParseRequest(raw)
	if err != nil {
		if rec.Status < 400 && !strings.HasSuffix(err.Error(), "at least one message is required") && gjson.GetBytes(raw, "model").Exists() {
			t.Errorf("%s: %v", rec.Path, err)
		}
		return nil
	}
	return req
}

// requestOfVendor is the body that an adapter makes of a request, or its refusal.
func requestOfVendor(t *testing.T, m *wasm.Module, settings json.RawMessage, req *messages.Request) (body []byte, refusal string) {
	t.Helper()
	s, err := m.NewStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	given, refs, _ := req.EditSegments(messages.EditSpec{Model: "m"})
	batch, err := s.Open(abi.Record{Kind: abi.KindOpen, Payload: fmt.Appendf(nil,
		`{"op":"chat","stream":true,"model":"m","slug":"m","max_tokens":64,"max_output":32000,"thinking":true,"settings":%s}`, settings)},
		abi.Record{Kind: abi.KindBody, Payload: given})
	if err != nil {
		t.Fatal(err)
	}
	r, err := abi.NewReader(batch)
	if err != nil {
		t.Fatal(err)
	}
	for {
		rec, ok, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		switch rec.Kind {
		case abi.KindRefuse:
			return nil, gjson.GetBytes(rec.Payload, "message").Str
		case abi.KindRequestBody:
			body = append(body, rec.Payload...)
		case abi.KindRequestRef:
			body = append(body, refs[rec.Payload[0]]...)
		}
	}
	if !json.Valid(body) {
		t.Fatalf("the vendor's request is not JSON: %s", body)
	}
	return body, ""
}

// holdsAll looks in the vendor's request for all that the caller's conversation says. Strings may be joined there, and
// arguments may be text or an object.
func holdsAll(t *testing.T, asked, sent []byte) {
	t.Helper()
	var all bytes.Buffer
	collect(gjson.ParseBytes(sent), &all)
	for _, m := range gjson.GetBytes(asked, "messages").Array() {
		for _, b := range blocksOf(m.Get("content")) {
			var want []string
			switch b.Get("type").Str {
			case "text":
				want = append(want, b.Get("text").Str)
			case "tool_use":
				want = append(want, b.Get("name").Str)
				collectStrings(b.Get("input"), &want)
			case "tool_result":
				for _, r := range blocksOf(b.Get("content")) {
					want = append(want, r.Get("text").Str)
				}
			}
			for _, w := range want {
				if w = strings.TrimSpace(w); !bytes.Contains(all.Bytes(), []byte(w)) {
					t.Errorf("%q of the caller's %s is not in the vendor's request", w, b.Get("type").Str)
				}
			}
		}
	}
}

// blocksOf are a content's blocks; a string is a text block.
func blocksOf(content gjson.Result) []gjson.Result {
	if content.Type == gjson.String {
		return []gjson.Result{gjson.Parse(`{"type":"text","text":` + content.Raw + `}`)}
	}
	return content.Array()
}

// collect writes every string of a value, and those of the JSON that a string holds.
func collect(v gjson.Result, to *bytes.Buffer) {
	var list []string
	collectStrings(v, &list)
	for _, s := range slices.Clone(list) {
		if strings.HasPrefix(s, "{") && gjson.Valid(s) {
			collectStrings(gjson.Parse(s), &list)
		}
	}
	to.WriteString(strings.Join(list, "\n"))
}

func collectStrings(v gjson.Result, to *[]string) {
	switch {
	case v.Type == gjson.String:
		*to = append(*to, v.Str)
	case v.IsObject() || v.IsArray():
		v.ForEach(func(_, e gjson.Result) bool {
			collectStrings(e, to)
			return true
		})
	}
}
