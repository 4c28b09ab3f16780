// ReluGrad: dx = y > 0 ? dy : +0. A thread an element; dx may be y or dy.
#include "alia.h"

KERNEL relugrad(const GLOBAL float *y, const GLOBAL float *dy, GLOBAL float *dx, u64 n) {
	u64 i = element();
	if (i < n)
		dx[i] = y[i] > hidden(0) ? dy[i] : 0;
}
