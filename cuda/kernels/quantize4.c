// Quantize4: a thread a word of 8 codes, eight threads a block of 64 elements.
#include "quantum.h"

KERNEL quantize4(const GLOBAL float *x, GLOBAL u32 *q, GLOBAL float *scales, u64 n) {
	u64 w = element(), words = (n + 63) / 64 * 8;
	float v[8], top = hidden(0);
	UNROLL
	for (u32 j = 0; j < 8; j++) {
		v[j] = 8 * w + j < n ? x[8 * w + j] : 0;
		float a = magnitude(v[j]);
		top = a > top ? a : top;
	}
	UNROLL
	for (u32 by = 4; by > 0; by /= 2)
		top = larger(top, __nvvm_shfl_sync_bfly_f32(EACH, top, by, 31));
	if (w >= words)
		return;
	float s = divide(top, 7), inv = divide(1, s);
	s = normal(inv) ? s : 0;
	if (w % 8 == 0)
		scales[w / 8] = s;
	u32 word = 0;
	UNROLL
	for (u32 j = 0; j < 8; j++)
		if (8 * w + j < n)
			word |= ((u32)quantized(v[j], inv, 7) & 15) << 4 * j;
	q[w] = s == 0 ? 0 : word;
}
