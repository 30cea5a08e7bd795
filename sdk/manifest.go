package sdk

import (
	"strconv"

	"github.com/ainfera-ai/router/sdk/jwrite"
)

// Kinds of a module, as its manifest names them.
const (
	KindAdapter = "adapter"
	KindPolicy  = "policy"
)

// Features an adapter may list. The host routes nothing to a module that needs a feature it doesn't list, so a missing
// one costs traffic and a wrong one costs a failed call.
const (
	FeatureChat  = "chat"
	FeatureCount = "count"
	// FeatureStream says that the adapter reads the vendor's stream. Without it the call says that nobody streams, and the
	// host makes a caller's stream of the whole answer.
	FeatureStream           = "stream"
	FeatureTools            = "tools"
	FeatureImages           = "images"
	FeatureDocuments        = "documents"
	FeatureThinking         = "thinking"
	FeatureStructuredOutput = "structured_output"
	// FeatureVerbatim says that the vendor speaks Anthropic's own protocol: a caller who does too gets the vendor's
	// bytes, and this module only prepares the request and judges errors. Callers who stream are on that lane only where
	// FeatureStream is listed too.
	FeatureVerbatim = "verbatim"
)

// Types of a setting.
const (
	TypeString = "string"
	TypeNumber = "number"
	TypeBool   = "bool"
	TypeList   = "list"
)

// A Manifest is what a module says about itself. It travels inside the module; the host reads it at load, before any
// call, and refuses a module whose manifest it can't read.
type Manifest struct {
	Name    string
	Version string
	Kind    string
	// Framing lists the framings (abi.FramingSSE, …) that the adapter's requests may ask for.
	Framing  []string
	Features []string
	Settings []Setting
}

// A Setting is one name that an operator may put into the module's configuration. The host checks type and fills in
// Default before the module sees it.
type Setting struct {
	Name string
	Type string
	// Default is a string, bool, int, float64 or []string that fits Type; nil means that there is none.
	Default any
	// Doc is one line for the operator.
	Doc string
}

// AppendJSON appends the manifest as the JSON that ainfera_manifest answers. The bytes depend on m alone.
func (m *Manifest) AppendJSON(b []byte) []byte {
	b = jwrite.AppendString(append(b, `{"name":`...), m.Name)
	b = jwrite.AppendString(jwrite.AppendKey(b, "version"), m.Version)
	b = jwrite.AppendString(jwrite.AppendKey(b, "kind"), m.Kind)
	b = appendStrings(jwrite.AppendKey(b, "framing"), m.Framing)
	b = appendStrings(jwrite.AppendKey(b, "features"), m.Features)
	b = append(b, `,"settings":[`...)
	for i := range m.Settings {
		b = m.Settings[i].appendJSON(jwrite.AppendComma(b))
	}
	return append(b, "]}"...)
}

func (s *Setting) appendJSON(b []byte) []byte {
	b = jwrite.AppendString(append(b, `{"name":`...), s.Name)
	b = jwrite.AppendString(jwrite.AppendKey(b, "type"), s.Type)
	if s.Default != nil {
		b = appendValue(jwrite.AppendKey(b, "default"), s.Default)
	}
	b = jwrite.AppendString(jwrite.AppendKey(b, "doc"), s.Doc)
	return append(b, '}')
}

// appendValue appends a Default. A type that the manifest can't express is the author's mistake, found at load.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return jwrite.AppendString(b, v)
	case bool:
		return jwrite.AppendBool(b, v)
	case int:
		return jwrite.AppendInt(b, v)
	case float64:
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case []string:
		return appendStrings(b, v)
	}
	panic("sdk: the default of a setting must be a string, bool, int, float64 or []string")
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for _, s := range list {
		b = jwrite.AppendString(jwrite.AppendComma(b), s)
	}
	return append(b, ']')
}
