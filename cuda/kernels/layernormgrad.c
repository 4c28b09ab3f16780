// LayerNormGrad: a warp a row of d.
#include "alia.h"

KERNEL layernormgrad(const GLOBAL float *x, const GLOBAL float *stats, const GLOBAL float *gamma,
                     const GLOBAL float *dy, GLOBAL float *dx, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	x += t * d;
	dy += t * d;
	dx += t * d;
	float mean = stats[2 * t], r = stats[2 * t + 1], sum = 0, dot = 0;
	OVER(i, d) {
		float g = dy[i] * gamma[i];
		sum = sum + g;
		dot = fma(g, (x[i] - mean) * r, dot);
	}
	float a = divide(fold_sum(sum), (float)d), b = divide(fold_sum(dot), (float)d);
	OVER(i, d)
		dx[i] = r * (dy[i] * gamma[i] - a - (x[i] - mean) * r * b);
}
