// Embed: y[t] = fma(table[ids[t]], factor, pe[pos[t]]). A block a row of d.
#include "alia.h"

KERNEL embed(const GLOBAL float *table, const GLOBAL u32 *ids, const GLOBAL u32 *pos, const GLOBAL float *pe,
             GLOBAL float *y, float factor, u32 d) {
	u64 t = block();
	const GLOBAL float *e = table + (u64)ids[t] * d, *p = pe + (u64)pos[t] * d;
	for (u32 i = thread(); i < d; i += threads())
		y[t * d + i] = fma(e[i], factor, p[i]);
}
