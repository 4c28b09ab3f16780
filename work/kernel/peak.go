package kernel

// peakLoop is a device's loop of independent arithmetic on registers, without memory.
type peakLoop struct {
	device string
	flop   uint64 // operations of one round; a product and its sum count as two
	run    func(rounds int)
}

// FmaPeak runs rounds of independent fma on registers, with vectors as wide as those of
// dev's matrix product. It returns the number of floating-point operations done, from
// which a benchmark computes the speed that no product can exceed. It returns 0 where
// dev has no such loop.
func FmaPeak(dev Device, rounds int) uint64 { return peak(fmaLoops(), dev, rounds) }

// DotPeak is [FmaPeak] of products of 8-bit codes.
func DotPeak(dev Device, rounds int) uint64 { return peak(dotLoops(), dev, rounds) }

func peak(loops []peakLoop, dev Device, rounds int) uint64 {
	for _, l := range loops {
		if l.device == dev.Name() && rounds > 0 {
			l.run(rounds)
			return l.flop * uint64(rounds)
		}
	}
	return 0
}
