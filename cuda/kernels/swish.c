// Swish: y = x/(1+exp(-x)). A thread an element; y may be x.
#include "elementary.h"

KERNEL swish(const GLOBAL float *x, GLOBAL float *y, u64 n) {
	u64 i = element();
	if (i < n)
		y[i] = divide(x[i], 1 + exponential(-x[i]));
}
