// QuantizeRows: a warp a row of d.
#include "quantum.h"

KERNEL quantizerows(const GLOBAL float *x, GLOBAL i8 *q, GLOBAL float *scales, u32 rows, u32 d) {
	u64 t = warp();
	if (t >= rows)
		return;
	float top = hidden(0);
	for (u32 i = lane(); i < d; i += LANES) {
		float v = magnitude(x[t * d + i]);
		top = v > top ? v : top;
	}
	top = fold_max(top);
	float s = divide(top, 127), inv = divide(1, s);
	int some = normal(inv);
	s = some ? s : top > 1 ? top : 0; // infinite where codes could not be
	if (lane() == 0)
		scales[t] = s;
	for (u32 i = lane(); i < d; i += LANES)
		q[t * d + i] = some ? (i8)quantized(x[t * d + i], inv, 127) : 0;
}
