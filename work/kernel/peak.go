package kernel

// fmaLoop is a device's loop of independent fma on registers, without memory.
type fmaLoop struct {
	device string
	flop   uint64 // operations of one round; an fma counts as two
	run    func(rounds int)
}

// FmaPeak runs rounds of independent fma on registers, with vectors as wide as those of
// dev's matrix product. It returns the number of floating-point operations done, from
// which a benchmark computes the speed that no product can exceed. It returns 0 where
// dev has no such loop.
func FmaPeak(dev Device, rounds int) uint64 {
	for _, l := range fmaLoops() {
		if l.device == dev.Name() && rounds > 0 {
			l.run(rounds)
			return l.flop * uint64(rounds)
		}
	}
	return 0
}
