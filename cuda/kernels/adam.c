// Adam. A thread an element; every output may be any input of its shape, which
// hyper is where there are three elements: all threads have it before any writes.
#include "alia.h"

KERNEL adam(const GLOBAL float *g, const GLOBAL float *m, const GLOBAL float *v, const GLOBAL float *hyper,
            GLOBAL float *u, GLOBAL float *m1, GLOBAL float *v1,
            float beta1, float rest1, float beta2, float rest2, float eps, u64 n) {
	u64 i = element();
	float rate = hyper[0], fix1 = hyper[1], fix2 = hyper[2];
	barrier();
	if (i >= n)
		return;
	float d = g[i];
	float mean = fma(rest1, d, beta1 * m[i]);
	float square = fma(rest2, d * d, beta2 * v[i]);
	float step = rate * (mean * fix1);
	u[i] = divide(step, root(square * fix2) + eps);
	m1[i] = mean;
	v1[i] = square;
}
