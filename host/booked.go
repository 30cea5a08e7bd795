//go:build !unbooked

package main

import (
	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/gateway"
)

// callBooks is where calls are written down.
func callBooks(b *capture.Books) gateway.Books { return gateway.Booked(b) }
