package capture

import (
	"errors"
	"fmt"
)

// What callers branch on.
var (
	// ErrUnavailable means that the store could not take it. A Begin that returns it booked nothing that will stay.
	ErrUnavailable = errors.New("the store is not available")
	// ErrInsufficientFunds means that a prepaid wallet does not have the hold.
	ErrInsufficientFunds = errors.New("insufficient funds")
	// ErrAgentNotActive means that the agent is suspended.
	ErrAgentNotActive = errors.New("agent is not active")
	// ErrAgentExists means that the tenant has an agent of that name.
	ErrAgentExists = errors.New("the tenant already has an agent of that name")
	// ErrUnknownTenant means that no tenant has that id.
	ErrUnknownTenant = errors.New("unknown tenant")
	// ErrUnknownAgent means that no agent has that id or name.
	ErrUnknownAgent = errors.New("unknown agent")
	// ErrAmbiguousAgent means that agents of several tenants have that name; the id tells them apart.
	ErrAmbiguousAgent = errors.New("several tenants have an agent of that name: use its id")
	// ErrUnknownKey means that no agent has that api key.
	ErrUnknownKey = errors.New("unknown api key")
	// ErrCompleted means that the call was completed before. Nothing was written.
	ErrCompleted = errors.New("the call is already completed")
	// ErrSuperseded means that somebody else activated a version in the meantime. Nothing was written.
	ErrSuperseded = errors.New("another version was activated in the meantime")
	// ErrKeyConflict means that the idempotency key was used with another body.
	ErrKeyConflict = errors.New("the idempotency key was used with another body")
	// ErrNotFound means that there is no such record.
	ErrNotFound = errors.New("not found")
)

// A CapError means that the hold would break the agent's spend policy. Nothing was booked.
type CapError struct {
	Daily                bool // the daily cap; else the per-call cap
	CapMicroUSD          int64
	WantMicroUSD         int64 // the hold that was asked for
	DayRemainingMicroUSD int64 // what the daily cap had left, when Daily
}

func (e *CapError) Error() string {
	if e.Daily {
		return fmt.Sprintf("daily cap exceeded: the call needs %d micro-USD, the day has %d left of %d", e.WantMicroUSD, e.DayRemainingMicroUSD, e.CapMicroUSD)
	}
	return fmt.Sprintf("per-call cap exceeded: the call needs %d micro-USD, the cap is %d", e.WantMicroUSD, e.CapMicroUSD)
}

// errUnexpectedRows means that an update met other rows than the optimistic path expects: a call that another host
// swept, say. The operation is tried again by itself, carefully.
var errUnexpectedRows = errors.New("a row is not in the state it was left in")

// errLocked means that a running host has the lock.
var errLocked = errors.New("another host")

// unavailable wraps a store's error so that it is ErrUnavailable to errors.Is and still says what happened.
func unavailable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
