// RowSum: a warp a row of d. Sum is a row of all elements.
#include "alia.h"

KERNEL rowsum(const GLOBAL float *x, GLOBAL float *y, u32 rows, u64 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float sum = 0;
	_Pragma("unroll 16") // as OVER, of a row that may be a whole tensor
	for (u64 i = lane(); i < d; i += LANES)
		sum = sum + x[t * d + i];
	sum = fold_sum(sum);
	if (lane() == 0)
		y[t] = sum;
}
