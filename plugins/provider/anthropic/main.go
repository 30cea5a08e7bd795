// Command anthropic is an adapter: Anthropic's own protocol, on the verbatim lane.
//
// It names path and headers and judges errors. The caller's body goes out and the vendor's frames come back past it,
// byte for byte: whatever it parsed it could only spoil. By configuration it also serves Claude on Bedrock and Vertex,
// which take the same body with two fields moved.
package main

import (
	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/abi"
	"github.com/ainfera-ai/router/sdk/adapter"
	"github.com/ainfera-ai/router/sdk/failure"
)

var manifest = sdk.Manifest{
	Name:    "anthropic",
	Version: "0.1.0",
	Framing: []string{abi.FramingSSE, abi.FramingJSON, abi.FramingAWS},
	Features: []string{
		sdk.FeatureChat, sdk.FeatureCount, sdk.FeatureStream, sdk.FeatureTools, sdk.FeatureImages, sdk.FeatureDocuments,
		sdk.FeatureThinking, sdk.FeatureStructuredOutput, sdk.FeatureVerbatim,
	},
	Settings: []sdk.Setting{
		{Name: "platform", Type: sdk.TypeString, Default: "anthropic",
			Doc: "who serves Claude: anthropic, bedrock (base_url https://bedrock-runtime.REGION.amazonaws.com) or vertex (base_url ending in /publishers/anthropic/models)"},
		{Name: "version", Type: sdk.TypeString, Default: defaultVersion,
			Doc: "the anthropic-version of callers who send none, as those of the OpenAI dialect"},
		{Name: "beta", Type: sdk.TypeList, Default: []string{}, Doc: "betas to ask for beside the caller's"},
		{Name: "without_beta", Type: sdk.TypeList, Default: []string{},
			Doc: "betas of the caller's that are refused here and left out; a name that ends in * stands for all that begin so"},
	},
}

// defaultVersion is the protocol's version, unchanged since 2023.
const defaultVersion = "2023-06-01"

func init() { adapter.Serve(manifest, anthropic{}) }

func main() {}

type anthropic struct{}

// Open names where the caller's body goes.
func (anthropic) Open(c *sdk.Call, out *sdk.Request) (sdk.Stream, error) {
	if !c.Verbatim {
		return nil, sdk.Unsupported("the anthropic adapter serves the verbatim lane only")
	}
	var err error
	switch p := c.String("platform"); p {
	case "anthropic":
		err = direct(c, out)
	case "bedrock":
		err = bedrock(c, out)
	case "vertex":
		err = vertex(c, out)
	default:
		err = &sdk.Refusal{Kind: abi.ErrAPI, Message: "setting platform: got " + p + ", want anthropic, bedrock or vertex"}
	}
	return &judge{}, err
}

// A judge reads the answers that are errors; it is shown no others.
type judge struct {
	failure.Watch
	done bool
}

// Frame judges the error by its body.
func (j *judge) Frame(f sdk.Frame, out *sdk.Events) { j.emit(f.Data, out) }

// End judges an error that had no body.
func (j *judge) End(_ abi.EndReason, out *sdk.Events) { j.emit(nil, out) }

func (j *judge) emit(body []byte, out *sdk.Events) {
	if !j.Refused() || j.done {
		return
	}
	j.done = true
	j.Failure(body).Emit(out)
}
