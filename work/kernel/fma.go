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

// roundSum rounds p+z once to binary32. s is p+z rounded to binary64.
func roundSum(p, z, s float64) float32 {
	if roundsOnce(s) {
		return float32(s)
	}
	return fmaOdd(p, z, s)
}

// roundsOnce reports whether s, a sum rounded to binary64, rounds to binary32
// as the exact sum does.
func roundsOnce(s float64) bool {
	// The 29 bits that binary32 does not have must not be exactly halfway, and the number
	// must not be subnormal in binary32, which has fewer bits there.
	b := math.Float64bits(s)
	return b&0x1fffffff != 0x10000000 && b<<1 >= minNormal<<1
}

// minNormal is the smallest normal binary32 number as binary64 bits.
const minNormal = (1023 - 126) << 52

// fmaOdd is roundSum by rounding to odd: if the sum is not exact, the last bit of the
// binary64 result is set, so that the second rounding sees that something was lost
// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
func fmaOdd(p, z, s float64) float32 {
	// Knuth's TwoSum gives the error of s exactly.
	zz := s - p
	err := (p - (s - zz)) + (z - zz)
	// Move an even s to the odd neighbour on the side of the exact sum.
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
