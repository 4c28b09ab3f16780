// AddQuantized4: a thread an element; y may be x.
#include "quantum.h"

KERNEL addquantized4(const GLOBAL float *x, const GLOBAL u32 *q, const GLOBAL float *scales, GLOBAL float *y,
                     float sign, u64 n) {
	u64 i = element();
	if (i < n)
		y[i] = added(x[i], (int)(q[i / 8] << (28 - 4 * (i % 8))) >> 28, sign, scales[i / 64]);
}
