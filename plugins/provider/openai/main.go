// Command openai is an adapter: Anthropic Messages to and from Chat Completions.
//
// It serves OpenAI and everyone who copies its protocol; what they copy differently is a setting. request.go builds the
// body, with turn.go, messages.go, content.go and tools.go for its larger parts; stream.go reads the answer's chunks,
// with text.go and calls.go for what they hold, usage.go for the count of tokens and finish.go for the end. details.go is how
// what OpenRouter says of a vendor's reasoning gets back to that vendor.
package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/adapter"
)

var manifest = sdk.Manifest{
	Name:    "openai",
	Version: "0.1.0",
	Framing: []string{abi.FramingSSE, abi.FramingJSON},
	Features: []string{
		sdk.FeatureChat, sdk.FeatureStream, sdk.FeatureTools, sdk.FeatureImages, sdk.FeatureDocuments, sdk.FeatureThinking,
		sdk.FeatureStructuredOutput,
	},
	Settings: settings,
}

// scratchBytes is room for the usual body, at hand from the start of the module.
const scratchBytes = 16 << 10

func init() { adapter.Serve(manifest, &openai{scratch: make([]byte, 0, scratchBytes)}) }

func main() {}

// openai is the adapter, with what it keeps between calls.
type openai struct {
	scratch []byte // the body being written
	opts    sdk.Options[options]
}

// Open builds the request and the reader of its answer.
func (a *openai) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	if c.Op != abi.OpChat {
		return nil, sdk.Unsupported("the openai adapter has no operation " + c.Op)
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
	return &stream{names: t.names, details: t.opts.thinkingHistory == detailField}, nil
}
