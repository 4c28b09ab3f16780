// SwishGrad: s = 1/(1+exp(-x)), dx = (dy*s)*(1+x*(1-s)). A thread an element; dx
// may be x or dy.
#include "elementary.h"

KERNEL swishgrad(const GLOBAL float *x, const GLOBAL float *dy, GLOBAL float *dx, u64 n) {
	u64 i = element();
	if (i >= n)
		return;
	float s = divide(1, 1 + exponential(-x[i]));
	dx[i] = dy[i] * s * (1 + x[i] * (1 - s));
}
