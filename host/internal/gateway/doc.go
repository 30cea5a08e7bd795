// Package gateway is the HTTP front that callers see.
//
// call.serve tells the story of one call, downward: authenticate, read, claim its Idempotency-Key, parse, route, prepare,
// begin, try, stream, complete. A visit (platform.go) is a request for records instead, each tenant its own. The dialects differ in what they parse and write; the rooms below have never heard of HTTP. Everything that
// can be refused is refused before the status line, and after it the only way to fail is the dialect's error event.
package gateway
