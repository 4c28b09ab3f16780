// AddQuantized: a thread an element; y may be x.
#include "quantum.h"

KERNEL addquantized(const GLOBAL float *x, const GLOBAL i8 *q, const GLOBAL float *scales, GLOBAL float *y,
                    float sign, u64 n) {
	u64 i = element();
	if (i < n)
		y[i] = added(x[i], q[i], sign, scales[i / 1024]);
}
