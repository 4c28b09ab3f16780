package kernel

import "math/bits"

// The multipliers, key increments and rounds of Philox4x32-10: NUMERICS.md, section 7.7.
const (
	philoxM0 = 0xd2511f53
	philoxM1 = 0xcd9e8d57
	philoxW0 = 0x9e3779b9
	philoxW1 = 0xbb67ae85

	philoxRounds = 10
)

// Philox is Philox4x32-10, the counter-based generator of Salmon, Moraes,
// Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. It
// maps a counter and a key to four words. Every counter can be evaluated by itself, so
// neither the sequence nor the number of threads matters.
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	c, k := counter, key
	for range philoxRounds {
		h0, l0 := bits.Mul32(philoxM0, c[0])
		h1, l1 := bits.Mul32(philoxM1, c[2])
		c = [4]uint32{h1 ^ c[1] ^ k[0], l1, h0 ^ c[3] ^ k[1], l0}
		k[0] += philoxW0
		k[1] += philoxW1
	}
	return c
}
