// Package merkle is the Merkle tree of RFC 6962, section 2.1.
//
// A Tree is made of leaf hashes and keeps its inner nodes, so that a leaf that changes costs as many hashes as the tree
// is high. Verify checks an inclusion proof without a tree.
package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// A Hash is that of a leaf, of a node, or of a whole tree.
type Hash [sha256.Size]byte

// String is 64 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Parse reads what String printed.
func Parse(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("a hash has %d hex digits, not %d", 2*len(h), len(s))
	}
	if _, err := hex.Decode(h[:], []byte(s)); err != nil {
		return h, fmt.Errorf("read a hash: %w", err)
	}
	return h, nil
}

// Leaf is the hash of a leaf's data. Its prefix keeps a leaf from passing for a node.
func Leaf(data []byte) Hash {
	return sha256.Sum256(append([]byte{0}, data...))
}

func node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// A Tree is an ordered list of leaves and the nodes above them. Not safe for concurrent use.
type Tree struct {
	// levels are the leaves first, the root last. A node without a right neighbour stands in for its parent, which is
	// the RFC's split at the largest power of two, read from below.
	levels [][]Hash
}

// New makes the tree over the leaves, which it keeps.
func New(leaves []Hash) *Tree {
	t := &Tree{levels: [][]Hash{leaves}}
	for below := leaves; len(below) > 1; {
		level := make([]Hash, (len(below)+1)/2)
		for i := range level {
			level[i] = parent(below, i)
		}
		t.levels = append(t.levels, level)
		below = level
	}
	return t
}

func parent(below []Hash, i int) Hash {
	if 2*i+1 == len(below) {
		return below[2*i]
	}
	return node(below[2*i], below[2*i+1])
}

// Len is the number of leaves.
func (t *Tree) Len() int { return len(t.levels[0]) }

// Set replaces the leaf at i, which must be one.
func (t *Tree) Set(i int, leaf Hash) {
	t.levels[0][i] = leaf
	for k := 1; k < len(t.levels); k++ {
		i /= 2
		t.levels[k][i] = parent(t.levels[k-1], i)
	}
}

// Root is the hash of the whole; of a tree without leaves it is that of nothing.
func (t *Tree) Root() Hash {
	if t.Len() == 0 {
		return sha256.Sum256(nil)
	}
	return t.levels[len(t.levels)-1][0]
}

// Path is the inclusion proof of the leaf at i, which must be one: the hashes beside its way to the root, from below.
func (t *Tree) Path(i int) []Hash {
	path := make([]Hash, 0, len(t.levels))
	for _, level := range t.levels[:len(t.levels)-1] {
		if beside := i ^ 1; beside < len(level) {
			path = append(path, level[beside])
		}
		i /= 2
	}
	return path
}

// Verify reports whether the path leads from a leaf at index, in a tree of size leaves, to root (RFC 9162, 2.1.3.2).
func Verify(leaf Hash, index, size int64, path []Hash, root Hash) bool {
	if index < 0 || index >= size {
		return false
	}
	h, last := leaf, size-1
	for _, beside := range path {
		if last == 0 {
			return false
		}
		if index&1 == 1 || index == last {
			h = node(beside, h)
			for index&1 == 0 && index != 0 {
				index, last = index>>1, last>>1
			}
		} else {
			h = node(h, beside)
		}
		index, last = index>>1, last>>1
	}
	return last == 0 && h == root
}
