package gateway

import (
	_ "embed" // openapi.json
	"net/http"
)

// openapiDocument says what the public listener answers. It is written by hand; a test walks the routes and holds each to
// the other.
//
//go:embed openapi.json
var openapiDocument []byte

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) { s.writeJSON(w, openapiDocument) }
