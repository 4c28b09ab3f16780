// LayerNorm: a warp a row of d.
#include "alia.h"

KERNEL layernorm(const GLOBAL float *x, const GLOBAL float *gamma, const GLOBAL float *beta,
                 GLOBAL float *y, GLOBAL float *stats, float eps, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	x += t * d;
	y += t * d;
	float n = (float)d, sum = 0, squares = 0;
	OVER(i, d)
		sum = sum + x[i];
	float mean = divide(fold_sum(sum), n);
	OVER(i, d)
		squares = fma(x[i] - mean, x[i] - mean, squares);
	float r = divide(1, root(divide(fold_sum(squares), n) + eps));
	OVER(i, d)
		y[i] = fma((x[i] - mean) * r, gamma[i], beta[i]);
	if (lane() == 0) {
		stats[2 * t] = mean;
		stats[2 * t + 1] = r;
	}
}
