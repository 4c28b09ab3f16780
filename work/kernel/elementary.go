package kernel

import "math"

// The constants of Exp and Log are bit patterns, so that no compiler or assembler
// rounds them: NUMERICS.md, sections 5.1 and 5.2. The polynomials are those of Cephes
// (Moshier, expf and logf), evaluated with fma.
const (
	expMin    = 0xc2d00000 // -104: below it exp rounds to +0
	expMax    = 0x42b20000 // 89: above it exp overflows to +Inf
	log2e     = 0x3fb8aa3b // 1/ln 2
	roundBias = 0x4b400000 // 1.5 * 2^23: adding it rounds to an integer
	negLn2Hi  = 0xbf318000 // -0.693359375: 9 bits, so n*ln2Hi is exact
	negLn2Lo  = 0x395e8083 // 2.12194440e-4
	expC0     = 0x3f000000 // 0.5
	expC1     = 0x3e2aaaaa
	expC2     = 0x3d2aa9c1
	expC3     = 0x3c088908
	expC4     = 0x3ab743ce
	expC5     = 0x39506967
	oneBits   = 0x3f800000
)

// Exp returns e**x, within 1 unit in the last place, the same bits on every
// machine. It is +0 below -104 and +Inf above 89.
func Exp(x float32) float32 {
	f := math.Float32frombits
	// The clamp bounds n to -150 to 128; beyond it the result is +0 or +Inf. A NaN fails
	// both comparisons and stays.
	if x < f(expMin) {
		x = f(expMin)
	}
	if x > f(expMax) {
		x = f(expMax)
	}
	// x = n ln 2 + r with |r| <= ln 2 / 2. Adding roundBias rounds to an integer, since
	// the last bit of so large a number counts 1. ln 2 is split in two, so that the
	// first product is exact (Cody and Waite 1980).
	t := Fma(x, f(log2e), f(roundBias))
	n := t - f(roundBias)
	r := Fma(n, f(negLn2Hi), x)
	r = Fma(n, f(negLn2Lo), r)
	// e**r = 1 + r + r*r*p(r), with p by Horner's scheme.
	p := Fma(f(expC5), r, f(expC4))
	p = Fma(p, r, f(expC3))
	p = Fma(p, r, f(expC2))
	p = Fma(p, r, f(expC1))
	p = Fma(p, r, f(expC0))
	p = Fma(p, float32(r*r), r)
	p = p + 1
	// Multiply by 2**n in two steps, because 2**n itself may not be a normal number.
	// The first step is exact, so a subnormal result is rounded once.
	k := int32(math.Float32bits(t)) - roundBias
	h := k >> 1
	return float32(float32(p*pow2(h)) * pow2(k-h))
}

// pow2 returns 2**k for -126 <= k <= 127.
func pow2(k int32) float32 { return math.Float32frombits(uint32(k+127) << 23) }

const (
	sqrtHalf = 0x3f3504f3
	logC0    = 0x3eaaaaaa
	logC1    = 0xbe7ffffc
	logC2    = 0x3e4cceac
	logC3    = 0xbe2aae50
	logC4    = 0x3e11e9bf
	logC5    = 0xbdfe5d4f
	logC6    = 0x3def251a
	logC7    = 0xbdebd1b8
	logC8    = 0x3d9021bb
	ln2Hi    = 0x3f318000
	ln2Lo    = 0xb95e8083
)

// Log returns the natural logarithm of x, the same bits on every machine:
// -Inf for a zero, NaN for a negative number.
func Log(x float32) float32 {
	f := math.Float32frombits
	// Special values first. A NaN result has one bit pattern, 0x7fc00000.
	switch {
	case x != x || x < 0:
		return f(0x7fc00000)
	case x == 0:
		return f(0xff800000)
	case x == f(0x7f800000):
		return x
	}
	e := int32(0)
	if x < f(0x00800000) { // subnormal: scale it to a normal number
		x *= 1 << 24
		e = -24
	}
	// x = 2**e * m with sqrt(1/2) <= m < sqrt(2), and r = m-1, exactly. Subtracting the
	// bits of sqrt(1/2) makes the exponent field count from there.
	b := int32(math.Float32bits(x)) - sqrtHalf
	e += b >> 23
	r := f(uint32(b&0x7fffff+sqrtHalf)) - 1
	p := Fma(f(logC8), r, f(logC7))
	for _, c := range [...]uint32{logC6, logC5, logC4, logC3, logC2, logC1, logC0} {
		p = Fma(p, r, f(c))
	}
	// log(x) = e*ln2 + r - r*r/2 + r**3*p(r), small terms first, so that their bits are
	// not lost against the large ones.
	n := float32(e)
	sq := float32(r * r)
	y := float32(float32(p*sq) * r)
	y = Fma(n, f(ln2Lo), y)
	y = Fma(sq, -0.5, y)
	y = y + r
	return Fma(n, f(ln2Hi), y)
}

// InvSqrt returns 1/sqrt(x), the root and the quotient each rounded once.
func InvSqrt(x float32) float32 {
	// The binary64 root of a binary32 number, rounded again to binary32, is
	// the correctly rounded root: 53 >= 2*24+2 bits (Figueroa 1995).
	return 1 / sqrt(x)
}

// sqrt returns the correctly rounded square root: see [InvSqrt].
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
