package train

import "math"

// MaxScale is a bound on the scales of a unit's delta, for a number of local steps
// from a position. ok is false with weight decay, which moves a parameter by a
// share of its own size, so that no bound exists.
//
// A step of Adam with beta1 = 0 is u = rate*g / (sqrt(v*c) + eps), where c is the
// correction of the second moment and v is at least (1-beta2)*g^2. So u is at most
// rate/sqrt((1-beta2)*c), whatever the gradient g. A parameter moves by at most 2*u
// when p-u is rounded, as p itself is a nearer number else. Each codec's scale is a
// fixed part of the largest number of a block, or less.
func (c Config) MaxScale(at Position, steps int) (most float32, ok bool) {
	if c.WeightDecayPPM > 0 {
		return 0, false
	}
	share := 1 - fraction(c.Beta2PPM) // exact in binary32
	var reach float64
	for range steps {
		reach += 2 * float64(c.Rate(at)) / math.Sqrt(float64(share)*float64(correction(c.Beta2PPM, at.Step+1)))
		at.Step++
	}
	part := map[uint32]float64{8: 1.0 / 127, 4: 1.0 / 7, 2: 0.151}[c.DeltaBits]
	const slack = 1.001 // for roundings of binary32, a few in each step
	return float32(reach * part * slack), true
}
