package kernel

// fmaLoop is a device's loop of fma on registers alone.
type fmaLoop struct {
	device string
	flop   uint64 // of a round; an fma counts as two
	run    func(rounds int)
}

// FmaPeak does rounds of independent fma on registers alone, as wide as dev's
// matrix product has them, and returns the floating-point operations done: what
// no product can be faster than. It returns 0 where dev has no such loop.
func FmaPeak(dev Device, rounds int) uint64 {
	for _, l := range fmaLoops() {
		if l.device == dev.Name() && rounds > 0 {
			l.run(rounds)
			return l.flop * uint64(rounds)
		}
	}
	return 0
}
