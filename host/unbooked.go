//go:build unbooked

package main

import (
	"context"

	"github.com/ainfera-ai/router/host/internal/capture"
	"github.com/ainfera-ai/router/host/internal/gateway"
)

// callBooks writes nothing down: it is what `make bench` compares the books with, and no build that serves has it.
func callBooks(b *capture.Books) gateway.Books { return unbooked{gateway.Booked(b)} }

type unbooked struct{ gateway.Books }

func (unbooked) Reject(context.Context, *capture.Rejection) (string, error) { return "", nil }

func (unbooked) Begin(context.Context, *capture.Begin) (gateway.Booking, error) {
	return forgotten{}, nil
}

// forgotten is a call that nobody will know of.
type forgotten struct{}

func (forgotten) RaiseHold(context.Context, int64) error { return nil }

func (forgotten) Complete(context.Context, *capture.Completion) error { return nil }
