// RowSumSquares: a warp a row of d.
#include "alia.h"

KERNEL rowsumsquares(const GLOBAL float *x, GLOBAL float *y, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float sum = lane_dot(x + t * d, x + t * d, d);
	if (lane() == 0)
		y[t] = sum;
}
