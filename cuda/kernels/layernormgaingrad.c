// LayerNormGainGrad: each column's chain of fma(dy, (x-mean)*r) over rows
// ascending. A thread a column.
#include "alia.h"

KERNEL layernormgaingrad(const GLOBAL float *x, const GLOBAL float *stats, const GLOBAL float *dy, GLOBAL float *y,
                         u32 rows, u32 d) {
	u32 i = (u32)element();
	if (i >= d)
		return;
	float sum = 0;
	_Pragma("unroll 8")
	for (u64 t = 0; t < rows; t++)
		sum = fma(dy[t * d + i], (x[t * d + i] - stats[2 * t]) * stats[2 * t + 1], sum);
	y[i] = sum;
}
