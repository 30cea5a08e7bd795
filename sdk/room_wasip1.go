package sdk

import "runtime"

// roomBytes is what a call may allocate before the memory of its instance has to grow.
const roomBytes = 2 << 20

// makeRoom leaves the heap of a module that has just started with free pages. The host rewinds an instance for its next
// call, and one whose memory has grown since its start it can only throw away: a new one costs as much as a decision over
// fifty candidates. Pages that nobody has written cost an instance nothing.
func makeRoom() {
	room = make([]byte, roomBytes)
	room = nil
	runtime.GC()
}

// room is global so that what it holds is allocated at all.
var room []byte
