package kernel

import "math"

// Fma returns x*y+z rounded once to binary32, as the hardware instruction does
// (NUMERICS.md, section 1.3).
//
// The product of two binary32 numbers is exact in binary64, so the only
// danger is rounding twice: first the sum to 53 bits, then to 24. That is
// harmless unless the first rounding lands halfway between two binary32
// numbers or the result is subnormal; those cases take fmaOdd.
func Fma(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	return roundSum(p, float64(z), p+float64(z))
}

// roundSum rounds p+z, of which s is the nearest binary64, to binary32.
func roundSum(p, z, s float64) float32 {
	if roundsOnce(s) {
		return float32(s)
	}
	return fmaOdd(p, z, s)
}

// roundsOnce reports whether s, a sum rounded to binary64, rounds to binary32
// as the exact sum does.
func roundsOnce(s float64) bool {
	b := math.Float64bits(s)
	return b&0x1fffffff != 0x10000000 && b<<1 >= minNormal<<1
}

// minNormal is the smallest normal binary32 number as binary64 bits.
const minNormal = (1023 - 126) << 52

// fmaOdd is roundSum by way of rounding to odd, which keeps a trace of what
// was lost in the last bit, so that the second rounding is the only one that
// counts (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums",
// 2008). The error of s is Knuth's TwoSum, which is exact.
func fmaOdd(p, z, s float64) float32 {
	zz := s - p
	err := (p - (s - zz)) + (z - zz)
	b := math.Float64bits(s)
	if err != 0 && b&1 == 0 {
		if (err > 0) == (s > 0) {
			b++
		} else {
			b--
		}
	}
	return float32(math.Float64frombits(b))
}
