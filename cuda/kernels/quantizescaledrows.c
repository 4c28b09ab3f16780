// QuantizeScaledRows: a warp a row of d, times the factors of the columns.
#include "quantum.h"

KERNEL quantizescaledrows(const GLOBAL float *x, const GLOBAL float *f, GLOBAL i8 *q, GLOBAL float *scales, u32 rows,
                          u32 d) {
	u64 t = warp();
	if (t < rows)
		quantize_row(x + t * d, f, q + t * d, scales + t, d);
}
