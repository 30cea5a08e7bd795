package gateway

import "github.com/ainfera-ai/router/host/internal/messages"

// A dialect is one of the shapes in which callers ask and are answered. Whichever it is, the call behind it is the same:
// a Messages request on its way in, and on its way out an answer in Anthropic's grammar, checked. A dialect holds no
// call's state and is safe for concurrent use.
type dialect interface {
	// parse makes a Messages request of the caller's body. dropped are the caller's fields that have no place in one. An
	// error that isn't for the caller is none of *apiError and *messages.RequestError.
	parse(body []byte) (req *messages.Request, dropped []string, err error)
	// native says that the caller reads Anthropic's own bytes: a vendor's answers and refusals may pass as they are.
	native() bool
	// lane puts a lane's output into the dialect. It is asked before a try is sent, when the call is booked.
	lane(c *call, slug string, l lane) lane
	// errorBody is the body of an error answer.
	errorBody(e *apiError, requestID string) []byte
	// errorFrame ends a stream that can't be completed. kind is one of abi's error kinds, or a code of ours.
	errorFrame(e *apiError, kind, requestID string) []byte
	// ping is what goes out when a stream has been silent for a while. It must not be written to.
	ping() []byte
}
