// QuantizeRows: a warp a row of d.
#include "quantum.h"

KERNEL quantizerows(const GLOBAL float *x, GLOBAL i8 *q, GLOBAL float *scales, u32 rows, u32 d) {
	u64 t = warp();
	if (t < rows)
		quantize_row(x + t * d, 0, q + t * d, scales + t, d);
}
