package messages_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jscan"
	"github.com/ainfera-ai/router/sdk/messages"
	"github.com/ainfera-ai/router/sdk/sdktest"
)

// An open is an adapter that does one thing.
type open func(body jscan.Value, out *sdk.Request) error

func (f open) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	doc, err := jscan.Parse(c.Body)
	if err != nil {
		return nil, err
	}
	out.Begin("POST", "/", abi.FramingJSON)
	return nothing{}, f(doc, out)
}

type nothing struct{}

func (nothing) Head(*sdk.Head, *sdk.Events)    {}
func (nothing) Frame(sdk.Frame, *sdk.Events)   {}
func (nothing) End(abi.EndReason, *sdk.Events) {}

// run gives a body to f and returns what it wrote, listed as dropped, and refused.
func run(t *testing.T, body string, f open) (wrote, dropped, refused string) {
	t.Helper()
	x := sdktest.Exchange{Call: `{"op":"chat","model":"m"}`, Body: body}
	got, err := x.Run(sdk.NewAdapterGuest(sdk.Manifest{}, f))
	if err != nil {
		t.Fatal(err)
	}
	if got.Refusal != nil {
		return "", "", got.Refusal.Kind + ": " + got.Refusal.Message
	}
	return got.Request.Body, strings.Join(got.Dropped, " "), ""
}

// A vendor that takes one text has a search result written out, and what only Anthropic knows left out.
func Example() {
	x := sdktest.Exchange{Call: `{"op":"chat","model":"m"}`, Body: `{"content":[
		{"type":"search_result","title":"Parrots","source":"https://example.org","content":[{"type":"text","text":"They \"talk\"."}]},
		{"type":"server_tool_use","id":"s"}]}`}
	got, err := x.Run(sdk.NewAdapterGuest(sdk.Manifest{}, open(func(body jscan.Value, out *sdk.Request) error {
		b := []byte(`{"say":"`)
		for block := range body.Get("content").Items() {
			switch kind := block.Get("type").String(); kind {
			case "search_result":
				b = messages.AppendDocument(b, block, out)
			default:
				if err := messages.LeaveOut(kind, out); err != nil {
					return err
				}
			}
		}
		_, _ = out.Write(append(b, `"}`...))
		return nil
	})))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Request.Body)
	fmt.Println(got.Dropped)
	// Output:
	// {"say":"Parrots\nhttps://example.org\nThey \"talk\"."}
	// [messages.content.server_tool_use]
}

func TestSystem(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, dropped, refused string }{
		"a string":   {`"a \"b"`, `"a \"b"`, "", ""},
		"empty":      {`""`, ``, "", ""},
		"null":       {`null`, ``, "", ""},
		"blocks":     {`[{"type":"text","text":"a"},{"text":"b","type":"text","cache_control":{"type":"ephemeral"}}]`, `"a" "b"`, "cache_control", ""},
		"of nothing": {`[{"type":"text","text":""},{"type":"text"},{"type":"text","text":null},{"type":"text","text":"a"}]`, `"a"`, "", ""},
		"the header": {`[{"type":"text","text":"x-anthropic-billing-header: cc"},{"type":"text","text":"a x-anthropic-billing-header"}]`, `"a x-anthropic-billing-header"`, "", ""},
		"an image":   {`[{"type":"text","text":"a"},{"type":"image"}]`, ``, "", abi.ErrFeatureUnsupported + ": a block of type image in system"},
	} {
		t.Run(name, func(t *testing.T) {
			wrote, dropped, refused := run(t, tc.in, func(body jscan.Value, out *sdk.Request) error {
				texts, err := messages.System(body, out)
				for i, text := range texts {
					if i > 0 {
						_, _ = out.Write([]byte(" "))
					}
					_, _ = out.Write(text)
				}
				return err
			})
			if wrote != tc.want || dropped != tc.dropped || refused != tc.refused {
				t.Errorf("got %s, dropped %q, refused %q\nwant %s, %q, %q", wrote, dropped, refused, tc.want, tc.dropped, tc.refused)
			}
		})
	}
}

func TestAppendDocument(t *testing.T) {
	for name, tc := range map[string]struct{ in, want, dropped string }{
		"a text":              {`{"title":"T","context":"C","source":{"type":"text","data":"a\nb"}}`, `T\nC\na\nb`, ""},
		"without a title":     {`{"title":null,"context":"","source":{"type":"text","data":"a"}}`, `a`, ""},
		"a string of content": {`{"source":{"type":"content","content":"a"}}`, `a`, ""},
		"blocks of content":   {`{"source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"image"},{"type":"text","text":"b"}]}}`, `a\nb`, "messages.content.document.image"},
		"a search result":     {`{"title":"T","source":"https://x","content":[{"type":"text","text":"a"}]}`, `T\nhttps://x\na`, ""},
		"nothing":             {`{"source":null}`, ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			wrote, dropped, _ := run(t, strings.ReplaceAll(tc.in, "\n", `\n`), func(body jscan.Value, out *sdk.Request) error {
				_, _ = out.Write(messages.AppendDocument(nil, body, out))
				return nil
			})
			if wrote != tc.want || dropped != tc.dropped {
				t.Errorf("got %s, dropped %q, want %s, %q", wrote, dropped, tc.want, tc.dropped)
			}
		})
	}
}

func TestSources(t *testing.T) {
	for in, want := range map[string]struct{ wrote, refused string }{
		`{"type":"base64","media_type":"image/png","data":"AAAA"}`:           {`["data:image/png;base64,AAAA"]`, ""},
		`{"type":"base64","media_type":"image/png","data":"ainfera-ref:12"}`: {`["data:image/png;base64,<ref 12>"]`, ""},
		`{"type":"url","url":"https://x/\u0026"}`:                            {`["https://x/\u0026"]`, ""},
		`{"type":"url"}`:                {"", abi.ErrInvalidRequest + ": an image by url has no url"},
		`{"type":"file","file_id":"f"}`: {"", abi.ErrFeatureUnsupported + ": an image by file exists at its vendor only"},
	} {
		wrote, _, refused := run(t, in, func(source jscan.Value, out *sdk.Request) error {
			_, _ = out.Write(append(messages.AppendAddress([]byte("["), source, out), ']'))
			return messages.CheckSource("an image", source)
		})
		if wrote != want.wrote || refused != want.refused {
			t.Errorf("%s: got %s, refused %q", in, wrote, refused)
		}
	}
}

func TestAppendReminder(t *testing.T) {
	got := string(messages.AppendReminder([]byte(`"`), jscan.Value(`"a \"b"`)))
	if want := `"<system-reminder>\na \"b\n</system-reminder>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDropMarks(t *testing.T) {
	const citations = "messages.content.citations"
	for in, want := range map[string]string{
		`{}`: "", `{"cache_control":null,"citations":null}`: "", `{"citations":[]}`: "", `{"citations":{"enabled":false}}`: "",
		`{"cache_control":{"type":"ephemeral"}}`: "cache_control", `{"citations":[{"type":"char_location"}]}`: citations,
		`{"citations":{"enabled":true}}`: citations,
	} {
		_, dropped, _ := run(t, in, func(block jscan.Value, out *sdk.Request) error {
			messages.DropMarks(block.Get("cache_control"), block.Get("citations"), out)
			return nil
		})
		if dropped != want {
			t.Errorf("%s: dropped %q, want %q", in, dropped, want)
		}
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[string]string{
		"": "own", "custom": "own", "tool_search_tool_regex_20251119": "tools.tool_search_tool_regex_20251119",
		"web_search_20250305": abi.ErrFeatureUnsupported + ": tools of type web_search_20250305 exist at Anthropic only",
	} {
		own := false
		_, dropped, refused := run(t, `{}`, func(_ jscan.Value, out *sdk.Request) (err error) {
			own, err = messages.OwnTool(kind, out)
			return err
		})
		if got := dropped + refused; got != want && !(own && got == "" && want == "own") {
			t.Errorf("tool %q: own %v, %q, want %q", kind, own, got, want)
		}
	}
	for kind, want := range map[string]string{
		"mcp_tool_result": "messages.content.mcp_tool_result", "hologram": abi.ErrFeatureUnsupported + ": blocks of type hologram can't be carried to this vendor",
	} {
		_, dropped, refused := run(t, `{}`, func(_ jscan.Value, out *sdk.Request) error { return messages.LeaveOut(kind, out) })
		if dropped+refused != want {
			t.Errorf("block %q: got %q%q, want %q", kind, dropped, refused, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for in, want := range map[string][3]string{
		`{"output_config":{"format":{"a":1},"effort":"low"},"output_format":{"b":2}}`: {`{"a":1}`, "output_config.format", ""},
		`{"output_config":{"format":null,"tomorrow":1},"output_format":{"b":2}}`:      {`{"b":2}`, "output_format", "output_config.tomorrow"},
		`{}`: {"", "output_format", ""},
	} {
		var form jscan.Value
		var name string
		_, dropped, _ := run(t, in, func(body jscan.Value, out *sdk.Request) error {
			form, name = messages.Format(body.Get("output_config"), body.Get("output_format"), out)
			form = append(jscan.Value(nil), form...)
			return nil
		})
		if got := [3]string{string(form), name, dropped}; got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestThinking(t *testing.T) {
	for in, want := range map[string]struct {
		asked          bool
		level, dropped string // dropped where the model can't
	}{
		`{}`:                               {false, "", ""},
		`{"thinking":{"type":"disabled"}}`: {false, "", ""},
		`{"thinking":{"type":"adaptive"}}`: {true, "", "thinking"},
		`{"thinking":{"type":"enabled"}}`:  {true, "medium", "thinking"},
		`{"thinking":{"type":"enabled","budget_tokens":4095}}`:                                      {true, "low", "thinking"},
		`{"thinking":{"type":"enabled","budget_tokens":4096}}`:                                      {true, "medium", "thinking"},
		`{"thinking":{"type":"enabled","budget_tokens":16384}}`:                                     {true, "high", "thinking"},
		`{"thinking":{"type":"enabled","budget_tokens":1024},"output_config":{"effort":"max"}}`:     {true, "high", "thinking output_config.effort"},
		`{"thinking":{"type":"disabled"},"output_config":{"effort":"xhigh"}}`:                       {false, "high", "output_config.effort"},
		`{"thinking":{"type":"adaptive","display":"omitted"},"output_config":{"effort":"minimal"}}`: {true, "minimal", "thinking output_config.effort"},
		`{"thinking":{"type":"adaptive","depth":3,"width":null}}`:                                   {true, "", "thinking.depth thinking"},
	} {
		var asked bool
		var level string
		_, dropped, _ := run(t, in, func(body jscan.Value, out *sdk.Request) error {
			w := messages.ReadThinking(body.Get("thinking"), body.Get("output_config"), out)
			asked, level = w.Asked(), w.Level()
			if display := body.Get("thinking").Get("display"); !reflect.DeepEqual(w.Display, display) {
				t.Errorf("%s: display %s", in, w.Display)
			}
			w.Drop(out)
			return nil
		})
		if asked != want.asked || level != want.level || dropped != want.dropped {
			t.Errorf("%s: got %v %q, dropped %q", in, asked, level, dropped)
		}
	}
}
