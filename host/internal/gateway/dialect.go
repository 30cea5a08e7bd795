package gateway

import (
	"github.com/ainfera-ai/router/host/internal/messages"
	"github.com/ainfera-ai/router/host/internal/route"
)

// A dialect is one of the shapes in which callers ask and are answered. Whichever it is, the call behind it is the same:
// a Messages request on its way in, and on its way out an answer in Anthropic's grammar, checked. A dialect holds no
// call's state and is safe for concurrent use.
type dialect interface {
	// parse makes a Messages request of the caller's body. An error that isn't for the caller is none of *apiError and
	// *messages.RequestError.
	parse(body []byte) (*asked, error)
	// native says that the caller reads Anthropic's own bytes: a vendor's answers and refusals may pass as they are.
	native() bool
	// lane puts a lane's output into the dialect. It is asked before a try is sent, when the call has its ids.
	lane(c *call, e *route.Entry, provider string, l lane) lane
	// field is the caller's name for a field that Messages calls name.
	field(name string) string
	// errorBody is the body of an error answer.
	errorBody(e *apiError, requestID string) []byte
	// errorFrame ends a stream that can't be completed. kind is one of abi's error kinds, or a code of ours.
	errorFrame(e *apiError, kind, requestID string) []byte
	// ping is what goes out when a stream has been silent for a while. It must not be written to.
	ping() []byte
}

// asked is what a caller asked for.
type asked struct {
	req *messages.Request
	// dropped are the caller's fields that have no place in a Messages request.
	dropped []string
	// unsupported says what of the request nobody here can be asked for, in words for the caller; empty for nothing.
	unsupported string
	// usage and functions are of the OpenAI dialect: see chat.Request.
	usage, functions bool
}
