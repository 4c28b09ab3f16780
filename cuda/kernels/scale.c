// Scale: y = x*factor. A thread an element; y may be x.
#include "alia.h"

KERNEL scale(const GLOBAL float *x, GLOBAL float *y, float factor, u64 n) {
	u64 i = element();
	if (i < n)
		y[i] = x[i] * factor;
}
