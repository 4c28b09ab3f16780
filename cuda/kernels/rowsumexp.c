// RowSumExp: the sum of exp(x-m), a warp a row of d.
#include "elementary.h"

KERNEL rowsumexp(const GLOBAL float *x, const GLOBAL float *m, GLOBAL float *y, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float sum = 0;
	OVER(i, d)
		sum = sum + exponential(x[t * d + i] - m[t]);
	sum = fold_sum(sum);
	if (lane() == 0)
		y[t] = sum;
}
