// Gather: y[t] = x[ids[t]]. A block a row of d.
#include "alia.h"

KERNEL gather(const GLOBAL float *x, const GLOBAL u32 *ids, GLOBAL float *y, u32 d) {
	u64 t = block();
	const GLOBAL float *from = x + (u64)ids[t] * d;
	for (u32 i = thread(); i < d; i += threads())
		y[t * d + i] = from[i];
}
