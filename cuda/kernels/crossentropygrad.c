// CrossEntropyGrad: a block a row of v logits; dx may be x. share is eps/v,
// rest is 1-eps.
#include "elementary.h"

KERNEL crossentropygrad(const GLOBAL float *x, const GLOBAL float *m, const GLOBAL float *s, const GLOBAL u32 *y,
                        const GLOBAL float *factor, GLOBAL float *dx, float share, float rest, u32 v) {
	u64 t = block();
	float top = m[t], inv = divide(1, s[t]), by = factor[0];
	u32 label = y[t];
	for (u32 i = thread(); i < v; i += threads()) {
		float g = exponential(x[t * v + i] - top) * inv - share;
		if (i == label)
			g = g - rest;
		dx[t * v + i] = g * by;
	}
}
