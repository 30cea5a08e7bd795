package capture

import "sync"

// keyHolds are the keys that calls of this process hold: who waits for one here need not ask the store. The zero value
// is ready.
type keyHolds struct {
	mu   sync.Mutex
	held map[string]keyHold
	left []*KeyEnd // claims that the store has and nobody holds any more
}

type keyHold struct {
	claimID string
	ended   chan struct{}
}

func (h *keyHolds) begin(keyID, claimID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[string]keyHold{}
	}
	if former, ok := h.held[keyID]; ok { // another host had taken it over, and left it
		close(former.ended)
	}
	h.held[keyID] = keyHold{claimID, make(chan struct{})}
}

// ended is closed when the key's claim ends; nil, for ever open, where no call of this process holds the key.
func (h *keyHolds) ended(keyID string) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held[keyID].ended
}

// end wakes those who wait for the key. It is called when the end is durable; nil is no key.
func (h *keyHolds) end(e *KeyEnd) {
	if e == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if hold, ok := h.held[e.KeyID]; ok && hold.claimID == e.ClaimID {
		delete(h.held, e.KeyID)
		close(hold.ended)
	}
}

// leave remembers a claim that is to be freed when the store is back: this host lives on, so that no lease would do it.
func (h *keyHolds) leave(e *KeyEnd) {
	h.end(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = append(h.left, e)
}

func (h *keyHolds) takeLeft() []*KeyEnd {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := h.left
	h.left = nil
	return left
}
