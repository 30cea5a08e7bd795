//go:build !wasip1

package sdk

// makeRoom is for modules.
func makeRoom() {}
