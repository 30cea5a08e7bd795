package capture

import "github.com/ainfera-ai/router/host/internal/proof"

// A ChainEvent is one link of an audit chain as an export or the API gives it.
type ChainEvent = proof.Event

// A ChainResult is what verifying a chain came to.
type ChainResult = proof.ChainResult
