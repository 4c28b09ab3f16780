package kernel

import (
	"crypto/sha256"
	"fmt"
)

// Backend is what a build knows of one of its devices on this processor.
type Backend struct {
	Name string
	// Digest is SHA-256 of all lines of the conformance file as the device
	// computes them; zero for one that this processor does not have.
	Digest [32]byte
	// Err is why the device is not used, nil where it may be.
	Err error
}

// Survey runs the conformance cases on every device of this build, the fastest
// first.
func Survey() []Backend {
	var all []Backend
	for _, b := range backends() {
		s := Backend{Name: b.name}
		if !b.usable() {
			s.Err = fmt.Errorf("this processor has no %s", b.name)
			all = append(all, s)
			continue
		}
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
