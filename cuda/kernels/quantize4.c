// Quantize4: a thread a word of 8 codes, eight threads a block of 64 elements.
#include "quantum.h"

KERNEL quantize4(const GLOBAL float *x, GLOBAL u32 *q, GLOBAL float *scales, u64 n) {
	u64 w = element(), words = (n + 63) / 64 * 8;
	u32 top = 0;
	float v[8];
	UNROLL
	for (u32 j = 0; j < 8; j++) {
		v[j] = 8 * w + j < n ? x[8 * w + j] : 0;
		top = most(top, size(v[j]));
	}
	top = fold_most(top, 4);
	if (w >= words)
		return;
	float s = divide(number(top), 7), inv = inverse(s);
	if (w % 8 == 0)
		scales[w / 8] = inv == 0 ? 0 : s;
	u32 word = 0;
	UNROLL
	for (u32 j = 0; j < 8; j++)
		if (8 * w + j < n)
			word |= ((u32)quantized(v[j], inv, 7) & 15) << 4 * j;
	q[w] = inv == 0 ? 0 : word;
}
