// Quantize: a warp a block of 1024 elements, or what is left of them.
#include "quantum.h"

enum { QUANTUM = 1024 };

KERNEL quantize(const GLOBAL float *x, GLOBAL i8 *q, GLOBAL float *scales, u64 n) {
	u64 b = warp(), from = b * QUANTUM;
	if (from >= n)
		return;
	u32 count = n - from < QUANTUM ? (u32)(n - from) : QUANTUM;
	float top = hidden(0);
	for (u32 i = lane(); i < count; i += LANES) {
		float v = magnitude(x[from + i]);
		top = v > top ? v : top;
	}
	top = fold_max(top);
	float s = divide(top, 127), inv = divide(1, s);
	s = normal(inv) ? s : 0;
	if (lane() == 0)
		scales[b] = s;
	for (u32 i = lane(); i < count; i += LANES)
		q[from + i] = s == 0 ? 0 : (i8)quantized(x[from + i], inv, 127);
}
