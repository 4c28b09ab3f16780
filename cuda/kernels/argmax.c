// ArgMax: the lowest index of the largest, 0 where nothing is above -Inf. A
// warp a row of d.
#include "alia.h"

KERNEL argmax(const GLOBAL float *x, GLOBAL u32 *y, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float best = NEG_INF;
	u32 at = 0;
	OVER(i, d) {
		float v = x[t * d + i];
		at = v > best ? i : at;
		best = v > best ? v : best;
	}
	UNROLL
	for (u32 w = LANES / 2; w > 0; w /= 2) {
		float v = below(best, w);
		u32 i = (u32)__nvvm_shfl_sync_down_i32(EACH, (int)at, w, 31);
		int better = v > best || (v == best && i < at);
		at = better ? i : at;
		best = better ? v : best;
	}
	if (lane() == 0)
		y[t] = at;
}
