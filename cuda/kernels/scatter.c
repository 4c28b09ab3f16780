// Scatter: y = base, with y[ids[t]] = x[t]. y may be base, of which no other row
// is touched then: the launch that copies it sees that there is nothing to do.
#include "alia.h"

// scatter_base: y = base. A grid goes along it, so that one that returns at
// once is small.
KERNEL scatter_base(const GLOBAL float *base, GLOBAL float *y, u64 n) {
	if (base == y)
		return;
	for (u64 i = element(); i < n; i += (u64)blocks_x() * threads())
		y[i] = base[i];
}

// scatter: y[ids[t]] = x[t]. A block a row of d.
KERNEL scatter(const GLOBAL u32 *ids, const GLOBAL float *x, GLOBAL float *y, u32 d) {
	u64 t = block();
	GLOBAL float *to = y + (u64)ids[t] * d;
	for (u32 i = thread(); i < d; i += threads())
		to[i] = x[t * d + i];
}
