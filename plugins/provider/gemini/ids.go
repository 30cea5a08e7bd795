package main

import (
	"strconv"
	"strings"

	"github.com/ainfera-ai/router/sdk"
	"github.com/ainfera-ai/router/sdk/names"
)

// Prefixes of the ids of tool calls as clients get them: of one that the vendor made, which goes back to it, and of one
// that was made here because it didn't.
const (
	vendorsPrefix = "gm_"
	madePrefix    = "gc_"
)

// clientID is a vendor's id as clients get it.
func clientID(vendor string) string { return vendorsPrefix + sdk.ClientToolID(vendor) }

// vendorID is the vendor's own id again; ok is false for one that it didn't make.
func vendorID(client string) (id string, ok bool) {
	id, ok = strings.CutPrefix(client, vendorsPrefix)
	return sdk.VendorToolID(id), ok
}

// madeID is an id for a call that came without one, which is the rule for most models. It must be no other call's of the
// conversation: nth counts them, and seed tells apart two conversations with as many.
func madeID(seed names.Hash, answer, name string, nth int) string {
	return madePrefix + seed.With(answer).With(name).String() + "_" + strconv.Itoa(nth)
}

// seedBytes is how much of the request's end the ids of calls depend on.
const seedBytes = 4 << 10

// seedOf is a hash of a request, by its length and its end: two turns of a conversation differ in either.
func seedOf(body []byte) names.Hash {
	return names.Hash(len(body)).With(string(body[max(0, len(body)-seedBytes):]))
}
