package jscan_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ainfera-ai/router/sdk/jscan"
)

func parse(t testing.TB, doc string) jscan.Value {
	t.Helper()
	v, err := jscan.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("Parse(%q): %v", doc, err)
	}
	return v
}

var mistakes = []struct {
	doc  string
	want string
}{
	{``, "JSON at byte 0: the document is cut short"},
	{"  \n", "JSON at byte 3: the document is cut short"},
	{`nul`, "JSON at byte 3: the document is cut short"},
	{`nuls`, "JSON at byte 3: want null"},
	{`tRue`, "JSON at byte 1: want true"},
	{`x`, "JSON at byte 0: want a value"},
	{`-`, "JSON at byte 1: the document is cut short"},
	{`01`, "JSON at byte 1: more after the value"},
	{`1.`, "JSON at byte 2: the document is cut short"},
	{`1.e3`, "JSON at byte 2: want a digit"},
	{`1e+`, "JSON at byte 3: the document is cut short"},
	{`+1`, "JSON at byte 0: want a value"},
	{`"a`, "JSON at byte 2: the document is cut short"},
	{`"\x"`, "JSON at byte 2: no such escape"},
	{`"\u12g4"`, "JSON at byte 5: want a hex digit"},
	{"\"a\nb\"", "JSON at byte 2: control character in a string"},
	{`[1 2]`, "JSON at byte 3: want ',' or ']'"},
	{`[1,]`, "JSON at byte 3: want a value"},
	{`[1}`, "JSON at byte 2: want ',' or ']'"},
	{`{"a":1]`, "JSON at byte 6: want ',' or '}'"},
	{`{"a":1,}`, "JSON at byte 7: want a key in quotes"},
	{`{a:1}`, "JSON at byte 1: want a key in quotes"},
	{`{"a" 1}`, "JSON at byte 5: want ':'"},
	{`{"a":}`, "JSON at byte 5: want a value"},
	{`{} {}`, "JSON at byte 3: more after the value"},
	{strings.Repeat("[", jscan.MaxDepth+1), "JSON at byte 512: nested too deeply"},
}

func TestParseErrors(t *testing.T) {
	for _, tc := range mistakes {
		v, err := jscan.Parse([]byte(tc.doc))
		if err == nil {
			t.Errorf("Parse(%.20q) = %q, want error %q", tc.doc, v, tc.want)
		} else if err.Error() != tc.want {
			t.Errorf("Parse(%.20q): got error %q, want %q", tc.doc, err, tc.want)
		}
	}
}

func TestParseDeepest(t *testing.T) {
	n := jscan.MaxDepth
	parse(t, strings.Repeat("[", n)+strings.Repeat("]", n))
	parse(t, strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n))
	parse(t, strings.Repeat(`[{"a":`, n/2)+"1"+strings.Repeat("}]", n/2))
}

func TestParseTrims(t *testing.T) {
	if got := parse(t, " \r\n\t{ } \n"); string(got) != "{ }" {
		t.Errorf("got %q, want %q", got, "{ }")
	}
}

func TestGet(t *testing.T) {
	v := parse(t, ` { "a" : 1 , "b":{"c":[10, "x,]}" ,{"d":null}]},"k\u0065y":"esc","é":2,"dup":1,"dup":2,"":"empty","a\"b":3} `)
	for _, tc := range []struct {
		name string
		got  jscan.Value
		want string
	}{
		{"first", v.Get("a"), `1`},
		{"nested", v.Get("b").Get("c"), `[10, "x,]}" ,{"d":null}]`},
		{"element", v.Get("b").Get("c").At(1), `"x,]}"`},
		{"deepest", v.Get("b").Get("c").At(2).Get("d"), `null`},
		{"escaped key", v.Get("key"), `"esc"`},
		{"wide key", v.Get("é"), `2`},
		{"last of two", v.Get("dup"), `2`},
		{"empty key", v.Get(""), `"empty"`},
		{"quote in key", v.Get(`a"b`), `3`},
		{"no such key", v.Get("nope"), ``},
		{"key of a number", v.Get("a").Get("x"), ``},
		{"key of nothing", v.Get("nope").Get("x").At(0), ``},
		{"past the end", v.Get("b").Get("c").At(3), ``},
		{"before the start", v.Get("b").Get("c").At(-1), ``},
		{"element of an object", v.At(0), ``},
	} {
		if string(tc.got) != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
		if (tc.got == nil) != (tc.want == "") {
			t.Errorf("%s: got nil %v", tc.name, tc.got == nil)
		}
	}

	var p [3]jscan.Value
	p[1] = jscan.Value("stale")
	v.Pick(p[:], "dup", "nope", "key")
	if string(p[0]) != "2" || p[1] != nil || string(p[2]) != `"esc"` {
		t.Errorf("Pick: got %q", p)
	}
}

func TestParsePick(t *testing.T) {
	for _, tc := range []struct{ doc, want string }{
		{`{"id":"x","choices":[{"id":1}],"usage":null}`, `"x"|[{"id":1}]|null`},
		{" { \"usage\" : {\"choices\":2} ,\n\"id\"\t:\r1 } ", `1||{"choices":2}`},
		{`{"id":1,"other":{"id":2},"more":[{"id":3}]}`, `1||`},
		{`{"id":1,"i\u0064":[2],"usage":"a","usagf":"b"}`, `[2]||"a"`},
		{`{"\u0069d":1,"id":2,"ie":3}`, `2||`},
		{`{"a\"b":{"id":1},"x":2}`, `||`},
		{`[{"id":1}]`, `||`},
		{`{}`, `||`},
		{`"id"`, `||`},
	} {
		dst := []jscan.Value{jscan.Value("stale"), nil, nil}
		v, err := jscan.ParsePick([]byte(tc.doc), dst, "id", "choices", "usage")
		if err != nil || string(v) != strings.TrimSpace(tc.doc) {
			t.Errorf("%s: got %q, %v", tc.doc, v, err)
		}
		if got := string(bytes.Join([][]byte{dst[0], dst[1], dst[2]}, []byte("|"))); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.doc, got, tc.want)
		}
	}
	if _, err := jscan.ParsePick([]byte(`{"id":1,}`), make([]jscan.Value, 1), "id"); err == nil {
		t.Error("no error")
	}
}

func TestRanges(t *testing.T) {
	v := parse(t, `{"a":[1,"two",[3],{}],"b":2,"a":3}`)
	var keys []string
	for k, val := range v.Fields() {
		keys = append(keys, string(k)+"="+string(val))
	}
	if got, want := strings.Join(keys, " "), `a=[1,"two",[3],{}] b=2 a=3`; got != want {
		t.Errorf("Fields: got %s, want %s", got, want)
	}
	list := parse(t, ` [ 1 , "two",[3], {} ] `)
	n := 0
	for range list.Items() {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 || list.Len() != 4 || v.Len() != 3 || parse(t, `[]`).Len() != 0 || parse(t, `{}`).Len() != 0 || parse(t, `7`).Len() != 0 {
		t.Errorf("Len: got %d, %d", list.Len(), v.Len())
	}
	for range v.Items() {
		t.Error("Items of an object yielded")
	}
	for range list.Fields() {
		t.Error("Fields of an array yielded")
	}
}

func TestScalars(t *testing.T) {
	for _, tc := range []struct {
		doc   string
		kind  jscan.Kind
		isInt bool
		n     int64
	}{
		{`null`, jscan.Null, false, 0},
		{`true`, jscan.Bool, false, 0},
		{`"5"`, jscan.String, false, 0},
		{`[5]`, jscan.Array, false, 0},
		{`{}`, jscan.Object, false, 0},
		{`0`, jscan.Number, true, 0},
		{`-0`, jscan.Number, true, 0},
		{`-12`, jscan.Number, true, -12},
		{`12.0`, jscan.Number, true, 12},
		{`1e3`, jscan.Number, true, 1000},
		{`1.5`, jscan.Number, false, 0},
		{`9223372036854775807`, jscan.Number, true, 9223372036854775807},
		{`-9223372036854775808`, jscan.Number, true, -9223372036854775808},
		{`9223372036854775808`, jscan.Number, false, 0},
		{`9007199254740992.0`, jscan.Number, false, 0},
		{`1e999`, jscan.Number, false, 0},
		{`100000000000000000000`, jscan.Number, false, 0},
	} {
		v := parse(t, tc.doc)
		n, ok := v.Int()
		if v.Kind() != tc.kind || ok != tc.isInt || n != tc.n {
			t.Errorf("%s: got %v, %d, %v; want %v, %d, %v", tc.doc, v.Kind(), n, ok, tc.kind, tc.n, tc.isInt)
		}
	}
	var none jscan.Value
	if none.Kind() != jscan.Absent || !none.IsNull() || none.Bool() || none.String() != "" || none.IntOr(7) != 7 {
		t.Error("a nil Value must read as nothing")
	}
	if !parse(t, `null`).IsNull() || parse(t, `0`).IsNull() || !parse(t, `true`).Bool() || parse(t, `false`).Bool() || parse(t, `"true"`).Bool() {
		t.Error("IsNull or Bool")
	}
	if f, ok := parse(t, `-1.5e2`).Float(); f != -150 || !ok {
		t.Errorf("Float: got %v, %v", f, ok)
	}
	if _, ok := parse(t, `1e999`).Float(); ok {
		t.Error("Float: 1e999 fitted")
	}
}

func TestStrings(t *testing.T) {
	for _, tc := range []struct{ doc, want string }{
		{`""`, ""},
		{`"plain"`, "plain"},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		{`"\u00c6lfred \u00e6 é"`, "Ælfred æ é"},
		{`"\ud83d\ude80"`, "🚀"},
		{`"\ud83d"`, "\ufffd"},
		{`"\ude80x"`, "\ufffdx"},
		{`"\ud83d\u0041"`, "\ufffdA"},
		{`"\ud83d\ud83d\ude80"`, "\ufffd🚀"},
		{"\"\xff\xfe\"", "\ufffd\ufffd"},
		{`5`, ""},
	} {
		v := parse(t, tc.doc)
		if got := v.String(); got != tc.want {
			t.Errorf("String of %s: got %q, want %q", tc.doc, got, tc.want)
		}
		if got := string(v.AppendString([]byte("x"))); got != "x"+tc.want {
			t.Errorf("AppendString of %s: got %q, want %q", tc.doc, got, tc.want)
		}
		if plain := string(v) == `"`+tc.want+`"` && len(tc.want) < 6; v.IsPlain() != plain {
			t.Errorf("IsPlain of %s: got %v", tc.doc, v.IsPlain())
		}
		if v.Kind() == jscan.String && (!v.Equal(tc.want) || v.Equal(tc.want+"!")) {
			t.Errorf("Equal of %s", tc.doc)
		}
	}
	if parse(t, `5`).Equal("") || parse(t, `5`).Bytes(nil) != nil {
		t.Error("a number must not be a string")
	}
}

// FuzzParse holds jscan to encoding/json: the same documents are valid, and read the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"x\u00e9\ud83d\ude80\n"],"b":{"c":{}},"a":[]}`,
		` [ ] `, `"\ud800\udfff\ud800"`, `{"\u0061":1,"a":2}`, "\"\xff\"", `01`, `-`, `[1,]`, `{"a"}`, `1e5`, `[[[`, "{\"\xff\":1,\"\ufffd\":2}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		touch(jscan.Value(b)) // unchecked bytes: anything but a panic
		v, err := jscan.Parse(b)
		if valid := json.Valid(b); valid != (err == nil) {
			if bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) > jscan.MaxDepth {
				return
			}
			t.Fatalf("json.Valid(%q) = %v, Parse: %v", b, valid, err)
		}
		sameError(t, string(b))
		if err != nil {
			if at := err.(*jscan.SyntaxError).Offset; at < 0 || at > len(b) {
				t.Fatalf("offset %d of %d bytes", at, len(b))
			}
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatal(err)
		}
		same(t, v, want)
	})
}

func same(t *testing.T, v jscan.Value, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if v.Kind() != jscan.Null {
			t.Fatalf("got %q, want null", v)
		}
	case bool:
		if v.Kind() != jscan.Bool || v.Bool() != want {
			t.Fatalf("got %q, want %v", v, want)
		}
	case json.Number:
		if v.Kind() != jscan.Number || string(v) != string(want) {
			t.Fatalf("got %q, want %v", v, want)
		}
		n, err := want.Int64()
		if got, ok := v.Int(); err == nil && (!ok || got != n) {
			t.Fatalf("Int of %q: got %d, %v", v, got, ok)
		}
	case string:
		if v.Kind() != jscan.String || v.String() != want || !v.Equal(want) || !utf8.ValidString(want) {
			t.Fatalf("got %q, want %q", v.String(), want)
		}
	case []any:
		if v.Kind() != jscan.Array || v.Len() != len(want) {
			t.Fatalf("got %q, want %d elements", v, len(want))
		}
		i := 0
		for item := range v.Items() {
			same(t, item, want[i])
			i++
		}
	case map[string]any:
		if v.Kind() != jscan.Object {
			t.Fatalf("got %q, want an object", v)
		}
		for k := range v.Fields() {
			if _, ok := want[string(k)]; !ok {
				t.Fatalf("key %q is not in %v", k, want)
			}
		}
		for k, val := range want {
			same(t, v.Get(k), val)
			if strings.Contains(k, "\ufffd") {
				continue // which ParsePick compares as bytes
			}
			var picked, parsed [1]jscan.Value
			v.Pick(picked[:], k)
			_, err := jscan.ParsePick(v, parsed[:], k)
			if err != nil || string(picked[0]) != string(v.Get(k)) || string(parsed[0]) != string(v.Get(k)) {
				t.Fatalf("%q of %q: Get %q, Pick %q, ParsePick %q, %v", k, v, v.Get(k), picked[0], parsed[0], err)
			}
		}
	}
}

// touch calls everything.
func touch(v jscan.Value) {
	v.Kind()
	v.IsNull()
	v.Bool()
	v.Int()
	v.Float()
	_ = v.String()
	v.Equal("x")
	v.Bytes(nil)
	v.Get("a").Get("b")
	v.At(3)
	v.Len()
	for _, val := range v.Fields() {
		val.Kind()
	}
	for val := range v.Items() {
		val.Len()
	}
}

// chunk is an OpenAI stream element as vendors send it, some 300 bytes.
const chunk = `{"id":"chatcmpl-A1b2C3d4E5f6G7h8","object":"chat.completion.chunk","created":1752300000,"model":"gpt-5-5-2026-05-01","service_tier":"default","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" quick brown \"fox\" jumps"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"q8Zk1"}`

func BenchmarkChunk(b *testing.B) {
	frame := []byte(chunk)
	var text []byte
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		var f [3]jscan.Value
		if _, err := jscan.ParsePick(frame, f[:], "id", "choices", "usage"); err != nil {
			b.Fatal(err)
		}
		var c [2]jscan.Value
		f[1].At(0).Pick(c[:], "delta", "finish_reason")
		text = c[0].Get("content").AppendString(text[:0])
		if !c[1].IsNull() || !f[2].IsNull() || len(text) != 24 {
			b.Fatal("read wrongly")
		}
	}
}

func BenchmarkEncodingJSON(b *testing.B) {
	frame := []byte(chunk)
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		var v struct {
			ID      string
			Choices []struct {
				Delta  struct{ Content string }
				Finish *string `json:"finish_reason"`
			}
			Usage *struct{}
		}
		if err := json.Unmarshal(frame, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPickItems(t *testing.T) {
	for name, tc := range map[string]struct{ doc, want string }{
		"Objects":   {` [ {"b":1,"a":"x"} ,{}, {"a":{"a":2},"c":[{}],"a":3 }]`, `{"b":1,"a":"x"} "x" 1|{}  |{"a":{"a":2},"c":[{}],"a":3 } 3 |`},
		"Others":    {`["a",1,null,[{"a":1}],{"a":"\\\"}"}]`, `"a"  |1  |null  |[{"a":1}]  |{"a":"\\\"}"} "\\\"}" |`},
		"NoArray":   {`{"a":1}`, ``},
		"EmptyOnes": {`[]`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := jscan.Parse([]byte(tc.doc))
			if err != nil {
				t.Fatal(err)
			}
			var f [2]jscan.Value
			got := ""
			for item := range v.PickItems(f[:], "a", "b") {
				got += string(item) + " " + string(f[0]) + " " + string(f[1]) + "|"
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestEscaped(t *testing.T) {
	for in, want := range map[string]string{`"a\"\u00e9b"`: `a\"\u00e9b`, `""`: "", `null`: "", `12`: "", `{"a":"b"}`: ""} {
		if got := jscan.Value(in).Escaped(); string(got) != want || (got == nil) != (in[0] != '"') {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
	if jscan.Value(nil).Escaped() != nil {
		t.Error("of nothing: got something")
	}
}
