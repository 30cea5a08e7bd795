// Command gemini is an adapter: Anthropic Messages to and from Gemini's generateContent.
//
// It serves Google's Gemini API and, by configuration, Vertex. request.go builds the body, with turn.go, parts.go,
// result.go, tools.go, schema.go and thinking.go for its larger parts; stream.go reads the answer's chunks, with part.go
// for what they hold, arguments.go for calls that come in pieces, usage.go for the count of tokens and finish.go for the
// end. signature.go is how a thought's signature gets back onto the part that it came with.
package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/adapter"
)

var manifest = sdk.Manifest{
	Name:    "gemini",
	Version: "0.1.0",
	Framing: []string{abi.FramingSSE, abi.FramingJSON, abi.FramingJSONArray},
	Features: []string{
		sdk.FeatureChat, sdk.FeatureCount, sdk.FeatureStream, sdk.FeatureTools, sdk.FeatureImages, sdk.FeatureDocuments,
		sdk.FeatureThinking, sdk.FeatureStructuredOutput,
	},
	Settings: settings,
}

// scratchBytes is room for the usual body, at hand from the start of the module.
const scratchBytes = 16 << 10

func init() { adapter.Serve(manifest, &gemini{scratch: make([]byte, 0, scratchBytes)}) }

func main() {}

// gemini is the adapter, with what it keeps between calls.
type gemini struct {
	scratch []byte // the body being written
	opts    sdk.Options[options]
}

// Open builds the request and the reader of its answer.
func (a *gemini) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	if c.Op != abi.OpChat && c.Op != abi.OpCount {
		return nil, sdk.Unsupported("the gemini adapter has no operation " + c.Op)
	}
	opts, err := a.opts.Of(c, readOptions)
	if err != nil {
		return nil, err
	}
	t, err := translate(c, opts, out, a.scratch[:0])
	if err != nil {
		return nil, err
	}
	a.scratch = t.b
	if cap(a.scratch) > 1<<20 {
		a.scratch = nil
	}
	return &stream{counting: c.Op == abi.OpCount, names: t.names, seed: seedOf(c.Body), nth: len(t.calls)}, nil
}
