package train

import (
	"math"

	"github.com/alia-network/alia/work/kernel"
)

// Position is the position of a step in its run, from which its learning rate
// follows.
type Position struct {
	Step  int // steps before it
	Steps int // of the whole run
}

// hyper is the inputs of [kernel.Adam] that change with the step: the rate, and the corrections
// 1/(1-beta^t) of the moments, with t = Step+1.
func (c Config) hyper(at Position) kernel.Tensor {
	t := at.Step + 1
	return kernel.Tensor{Type: kernel.F32, Shape: []int{3}, F: []float32{c.Rate(at), correction(c.Beta1PPM, t), correction(c.Beta2PPM, t)}}
}

// Rate is the learning rate of a step.
func (c Config) Rate(at Position) float32 {
	peak, t := float64(c.RatePPM)/1e6, float64(at.Step+1)
	warm := float64(c.WarmUp)
	if t < warm {
		return float32(peak * t / warm)
	}
	switch c.Decay {
	case InverseSqrt:
		peak = float64(peak * math.Sqrt(warm/t))
	case Cosine:
		x := cosine(float64(halfPi * c.done(at)))
		peak = float64(peak * float64(x*x)) // (1+cos 2x)/2 = cos x squared
	case Linear:
		peak = float64(peak * (1 - c.done(at)))
	}
	return float32(peak)
}

// NeedsSteps reports whether learning rates depend on the steps of the whole run.
func (c Config) NeedsSteps() bool { return c.Decay == Cosine || c.Decay == Linear }

const halfPi = math.Pi / 2

// done is the share of the steps after the warm-up that are taken, at most 1.
func (c Config) done(at Position) float64 {
	t := float64(at.Step + 1 - int(c.WarmUp))
	return min(t/float64(max(at.Steps+1-int(c.WarmUp), 1)), 1)
}

// cosine is cos x for 0 <= x <= pi/2 by its Taylor series, in products that
// are rounded: package math's differs between processors.
func cosine(x float64) float64 {
	q, y := float64(x*x), 1.0
	for n := 22.0; n >= 2; n -= 2 {
		y = 1 - float64(y*(q/float64(n*(n-1))))
	}
	return y
}

// correction is 1/(1-beta^t), the power by repeated squaring: float64
// products round alike everywhere, package math's Pow does not.
func correction(ppm uint32, t int) float32 {
	power, square := 1.0, float64(ppm)/1e6
	for ; t > 0; t >>= 1 {
		if t&1 == 1 {
			power = float64(power * square)
		}
		square = float64(square * square)
	}
	return float32(1 / (1 - power))
}
