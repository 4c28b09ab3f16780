// Quantize: a warp a block of 1024 elements, or what is left of them.
#include "quantum.h"

enum { QUANTUM = 1024 };

KERNEL quantize(const GLOBAL float *x, GLOBAL i8 *q, GLOBAL float *scales, u64 n) {
	u64 b = warp(), from = b * QUANTUM;
	if (from >= n)
		return;
	u32 count = n - from < QUANTUM ? (u32)(n - from) : QUANTUM;
	u32 top = 0;
	for (u32 i = lane(); i < count; i += LANES)
		top = most(top, size(x[from + i]));
	float s = divide(number(fold_most(top, LANES / 2)), 127), inv = inverse(s);
	if (lane() == 0)
		scales[b] = inv == 0 ? 0 : s;
	for (u32 i = lane(); i < count; i += LANES)
		q[from + i] = code8(x[from + i], inv);
}
