// ColSum: each column of x, one chain of additions over rows ascending. A
// thread a column.
#include "alia.h"

KERNEL colsum(const GLOBAL float *x, GLOBAL float *y, u32 rows, u32 d) {
	u32 i = (u32)element();
	if (i >= d)
		return;
	float sum = 0;
	_Pragma("unroll 8")
	for (u64 t = 0; t < rows; t++)
		sum = sum + x[t * d + i];
	y[i] = sum;
}
