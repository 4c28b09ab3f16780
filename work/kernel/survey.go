package kernel

import (
	"crypto/sha256"
	"fmt"
)

// Backend is the state of one of this build's devices on this processor.
type Backend struct {
	Name string
	// Digest is SHA-256 of the conformance file as the device computes it: NUMERICS.md,
	// section 10. It is zero for a device that the processor does not support.
	Digest [32]byte
	// Err is the reason why the device cannot be used, or nil if it can.
	Err error
}

// Survey runs the conformance cases on every device of this build, and returns the
// fastest first.
func Survey() []Backend {
	var all []Backend
	for _, b := range backends() {
		s := Backend{Name: b.name}
		if !b.usable() {
			s.Err = fmt.Errorf("this processor has no %s", b.name)
			all = append(all, s)
			continue
		}
		// The digest is of all lines, also where some are wrong, so that two machines
		// can be compared; Check names the first wrong line.
		dev := newDevice(b.name, 1, b.cells())
		h := sha256.New()
		s.Err = conformance(h, dev)
		s.Digest = [32]byte(h.Sum(nil))
		if s.Err == nil {
			s.Err = Check(dev)
		}
		all = append(all, s)
	}
	return all
}
