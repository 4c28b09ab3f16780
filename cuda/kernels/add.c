// Add: z = x + y. A thread an element; z may be x or y.
#include "alia.h"

KERNEL add(const GLOBAL float *x, const GLOBAL float *y, GLOBAL float *z, u64 n) {
	u64 i = element();
	if (i < n)
		z[i] = x[i] + y[i];
}
