package main

import (
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/jwrite"
)

// The versions that Bedrock and Vertex want in the body, instead of the header.
const (
	bedrockVersion = "bedrock-2023-05-31"
	vertexVersion  = "vertex-2023-10-16"
)

// direct is Anthropic itself.
func direct(c *sdk.Call, out *sdk.Request) error {
	path := "/v1/messages"
	if c.Op == abi.OpCount {
		path = "/v1/messages/count_tokens"
	}
	out.Begin("POST", path, framing(c, abi.FramingSSE))
	version := c.AnthropicVersion
	if version == "" {
		version = c.String("version")
	}
	out.Header("anthropic-version", version)
	b, _ := betas(c, out)
	header(b, out)
	accept(c, out)
	out.Whole()
	return nil
}

// bedrock is Amazon's: the model is in the path, the version and the betas in the body, the answer in AWS's own frames.
func bedrock(c *sdk.Call, out *sdk.Request) error {
	if c.Op == abi.OpCount {
		return sdk.Unsupported("Bedrock counts no tokens for a request in this shape")
	}
	verb := "/invoke"
	if c.Stream {
		verb = "/invoke-with-response-stream"
	}
	out.Begin("POST", "/model/"+sdk.PathEscape(c.Model)+verb, framing(c, abi.FramingAWS))
	edits := []byte(`{"set":{"anthropic_version":"` + bedrockVersion + `"`)
	b, gone := betas(c, out)
	if len(b) > 0 {
		edits = append(edits, `,"anthropic_beta":[`...)
		for _, name := range b {
			edits = jwrite.AppendString(jwrite.AppendComma(edits), name)
		}
		edits = append(edits, ']')
	}
	edits = append(edits, `},"delete":["model","stream"`...)
	out.WholeEdited(append(appendNames(edits, gone), "]}"...))
	return nil
}

// vertex is Google's: the model is in the path and the version in the body.
func vertex(c *sdk.Call, out *sdk.Request) error {
	path, gone := "/"+sdk.PathEscape(c.Model)+":rawPredict", []string{"model"}
	switch {
	case c.Op == abi.OpCount: // the one call whose model is named in the body
		path, gone = "/count-tokens:rawPredict", nil
	case c.Stream:
		path = "/" + sdk.PathEscape(c.Model) + ":streamRawPredict"
	}
	out.Begin("POST", path, framing(c, abi.FramingSSE))
	b, fields := betas(c, out)
	header(b, out)
	accept(c, out)
	edits := []byte(`{"set":{"anthropic_version":"` + vertexVersion + `"}`)
	if gone = append(gone, fields...); len(gone) > 0 {
		edits = append(appendNames(append(edits, `,"delete":[`...), gone), ']')
	}
	out.WholeEdited(append(edits, '}'))
	return nil
}

func header(betas []string, out *sdk.Request) {
	if len(betas) > 0 {
		out.Header("anthropic-beta", strings.Join(betas, ","))
	}
}

func appendNames(b []byte, names []string) []byte {
	for _, name := range names {
		b = jwrite.AppendString(jwrite.AppendComma(b), name)
	}
	return b
}

func framing(c *sdk.Call, streamed string) string {
	if c.Stream && c.Op == abi.OpChat {
		return streamed
	}
	return abi.FramingJSON
}

func accept(c *sdk.Call, out *sdk.Request) {
	if c.Stream && c.Op == abi.OpChat {
		out.Header("accept", "text/event-stream")
	}
}

// ownBetas are Anthropic's own service's: Bedrock and Vertex refuse a request that names one of them, and Claude Code names
// them to everybody. A beta goes together with the field that it opens.
var ownBetas = []struct{ prefix, field string }{
	{"oauth-", ""},
	{"prompt-caching-scope-", ""},
	{"redact-thinking-", ""},
	{"thinking-token-count-", ""},
	{"advisor-tool-", ""},
	{"fast-mode-", "speed"},
}

// betas are the caller's, in the caller's order, then the operator's, each once. Of the caller's those that are refused
// here are left out, with the fields that are gone with them; what the operator asks for stands.
func betas(c *sdk.Call, out *sdk.Request) (list, fields []string) {
	own := c.Strings("beta")
	for _, b := range c.Beta {
		switch field, refused := refuses(c, b); {
		case has(list, b):
		case !refused || has(own, b):
			list = append(list, b)
		default:
			out.Dropped("anthropic-beta." + b)
			if field != "" && !has(fields, field) {
				fields = append(fields, field)
			}
		}
	}
	for _, b := range own {
		if !has(list, b) {
			list = append(list, b)
		}
	}
	return list, fields
}

// refuses says that a beta may not be asked for, and which field is then none.
func refuses(c *sdk.Call, beta string) (field string, refused bool) {
	if c.String("platform") != "anthropic" {
		for _, own := range ownBetas {
			if strings.HasPrefix(beta, own.prefix) {
				return own.field, true
			}
		}
	}
	for _, name := range c.Strings("without_beta") {
		if prefix, all := strings.CutSuffix(name, "*"); beta == name || all && strings.HasPrefix(beta, prefix) {
			return "", true
		}
	}
	return "", false
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
