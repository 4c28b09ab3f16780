// Relu: y = x > 0 ? x : +0. A thread an element; y may be x.
#include "alia.h"

KERNEL relu(const GLOBAL float *x, GLOBAL float *y, u64 n) {
	u64 i = element();
	float none = hidden(0);
	if (i < n)
		y[i] = x[i] > none ? x[i] : none;
}
