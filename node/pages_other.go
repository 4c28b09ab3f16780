//go:build !linux

package node

// largePages is n bytes.
func largePages(n int) []byte { return make([]byte, n) }
