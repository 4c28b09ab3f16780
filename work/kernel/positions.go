package kernel

// Positions returns the sinusoidal position table [length, dim] of Vaswani
// et al., "Attention is all you need", 2017, section 3.5: column 2i holds
// sin(p w), column 2i+1 holds cos(p w), where w = 10000**(-2i/dim).
//
// The table is computed in binary64 with sums and rounded products only, and then rounded
// to binary32, so it is the same on every machine: NUMERICS.md, section 5.4. Row p+1 is
// row p turned by the angle w, so that only sines and cosines of small angles are needed.
func Positions(length, dim int) []float32 { return sinusoids(length, dim, -2*ln10000/float64(dim)) }

// Sinusoids is [Positions] with w = 10000**(-i/steps), for steps of at least 1. Marian's
// models use it.
func Sinusoids(length, dim, steps int) []float32 {
	return sinusoids(length, dim, -ln10000/float64(steps))
}

const ln10000 = 9.210340371976182736

// sinusoids is the table [length, dim] of the frequencies e**(i*exponent).
func sinusoids(length, dim int, exponent float64) []float32 {
	pe := make([]float32, length*dim)
	step := exp64(exponent)
	w := 1.0
	for i := 0; i < dim; i += 2 {
		// One column pair: (s, c) is turned by w from row to row.
		sw, cw := sincos64(w)
		s, c := 0.0, 1.0
		for p := range length {
			row := pe[p*dim : (p+1)*dim]
			row[i] = float32(s)
			if i+1 < dim {
				row[i+1] = float32(c)
			}
			s, c = float64(s*cw)+float64(c*sw), float64(c*cw)-float64(s*sw)
		}
		w = float64(w * step)
	}
	return pe
}

// exp64 returns e**x for -10 <= x <= 0 with an error of about 1e-13: the Taylor series
// of x/1024, squared ten times.
func exp64(x float64) float64 {
	x /= 1024
	y := 1.0
	for n := 12.0; n >= 1; n-- {
		y = 1 + float64(y*(x/n))
	}
	for range 10 {
		y = float64(y * y)
	}
	return y
}

// sincos64 returns the sine and cosine of 0 <= x <= 1 by their Taylor series.
func sincos64(x float64) (sin, cos float64) {
	q := float64(x * x)
	sin, cos = 1, 1
	for n := 20.0; n >= 2; n -= 2 { // Horner's scheme, from the smallest term
		cos = 1 - float64(cos*(q/float64(n*(n-1))))
		sin = 1 - float64(sin*(q/float64(n*(n+1))))
	}
	return float64(sin * x), cos
}
