package capture

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// NewID mints a UUIDv7 as text: ids of one host sort by the time they were made. Every key in the books is one of
// these, never something that a vendor or a client chose.
func NewID() string {
	// The only error is that the system's randomness is gone, without which no key or id could be trusted either.
	return uuid.Must(uuid.NewV7()).String()
}

// idAfter mints an id that sorts behind last, even where the clock that last was minted by is ahead of this one: it is
// then the next that a UUIDv7 can be.
func idAfter(last string) string {
	id := NewID()
	if id > last {
		return id
	}
	u, err := uuid.Parse(last)
	if err != nil {
		return id // not one of ours, and so nothing that ours could follow
	}
	// 48 bits of time, 4 of version, 12 and, behind 2 of variant, 62 that are random: together they count on.
	high, low := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	const lowest, variant = 1<<62 - 1, 1 << 63
	if low&lowest < lowest {
		low++
	} else if low = variant; high&0xfff < 0xfff {
		high++
	} else {
		high = (high>>16+1)<<16 | 0x7000
	}
	binary.BigEndian.PutUint64(u[:8], high)
	binary.BigEndian.PutUint64(u[8:], low)
	return u.String()
}
