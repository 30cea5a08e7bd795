// Command openai-responses is an adapter: Anthropic Messages to and from OpenAI's Responses API, tools included.
//
// It serves the models that only speak Responses, and whoever copies that protocol. request.go builds the body, with
// input.go, assistant.go, content.go, tools.go and thinking.go for its larger parts; stream.go reads the
// answer's events, with event.go for what they hold, items.go, message.go, reasoning.go and calls.go for the items they
// add up to, usage.go for the count of tokens and finish.go for the end. signature.go carries a reasoning item through the
// caller and back.
package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/adapter"
)

var manifest = sdk.Manifest{
	Name:    "openai-responses",
	Version: "0.1.0",
	Framing: []string{abi.FramingSSE, abi.FramingJSON},
	Features: []string{
		sdk.FeatureChat, sdk.FeatureCount, sdk.FeatureStream, sdk.FeatureTools, sdk.FeatureImages, sdk.FeatureDocuments,
		sdk.FeatureThinking, sdk.FeatureStructuredOutput,
	},
	Settings: settings,
}

// scratchBytes is room for the usual body, at hand from the start of the module.
const scratchBytes = 16 << 10

func init() { adapter.Serve(manifest, &responses{scratch: make([]byte, 0, scratchBytes)}) }

func main() {}

// responses is the adapter, with what it keeps between calls.
type responses struct {
	scratch []byte // the body being written
	opts    sdk.Options[options]
}

// Open builds the request and the reader of its answer.
func (a *responses) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	if c.Op != abi.OpChat && c.Op != abi.OpCount {
		return nil, sdk.Unsupported("the openai-responses adapter has no operation " + c.Op)
	}
	if need := len(c.Body) + len(c.Body)/8; cap(a.scratch) < need { // to grow towards it would copy it all several times
		a.scratch = make([]byte, 0, need)
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
	if c.Op == abi.OpCount {
		return &counter{}, nil
	}
	return &stream{names: t.names}, nil
}
