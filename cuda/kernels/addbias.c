// AddBias: y[t] = x[t] + b. A block a row of d; y may be x.
#include "alia.h"

KERNEL addbias(const GLOBAL float *x, const GLOBAL float *b, GLOBAL float *y, u32 d) {
	u64 row = (u64)block() * d;
	for (u32 i = thread(); i < d; i += threads())
		y[row + i] = x[row + i] + b[i];
}
