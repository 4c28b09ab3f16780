// LayerNormGainGrad: each column's chain of fma(dy, (x-mean)*r).
#include "columns.h"

KERNEL layernormgaingrad(const GLOBAL float *x, const GLOBAL float *stats, const GLOBAL float *dy, GLOBAL float *y,
                         u32 rows, u32 d) {
	columns(x, stats, dy, y, rows, d);
}
