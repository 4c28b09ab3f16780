// RowMax: a warp a row of d.
#include "alia.h"

KERNEL rowmax(const GLOBAL float *x, GLOBAL float *y, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float top = NEG_INF;
	OVER(i, d)
		top = larger(top, x[t * d + i]);
	top = fold_max(top);
	if (lane() == 0)
		y[t] = top;
}
