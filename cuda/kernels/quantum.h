// What the quantised forms of tensors share.
#pragma once
#include "elementary.h"

// normal says whether x is neither zero, subnormal, infinite nor NaN.
INLINE int normal(float x) {
	u32 e = bits(x) >> 23 & 0xff;
	return e != 0 && e != 0xff;
}

// size is the bits of x without the sign. They are in the sequence of magnitudes,
// and those of NaN come last, so that no maximum hides one.
INLINE u32 size(float x) { return bits(x) & 0x7fffffff; }

INLINE u32 most(u32 a, u32 b) { return a > b ? a : b; }

// fold_most gives each of 2*from lanes the largest of their values.
INLINE u32 fold_most(u32 a, u32 from) {
	UNROLL
	for (u32 by = from; by > 0; by /= 2)
		a = most(a, (u32)__nvvm_shfl_sync_bfly_i32(EACH, (int)a, (int)by, 31));
	return a;
}

// inverse is 1/s, or 0 where that is no normal number and all codes are 0.
INLINE float inverse(float s) {
	float inv = divide(1, s);
	return normal(inv) ? inv : 0;
}

// row_scale is the scale of a row of QuantizeRows whose largest magnitude has the
// bits top. It is infinite or NaN where that is, so that products are not finite either.
INLINE float row_scale(u32 top) {
	float s = divide(number(top), 127);
	return inverse(s) != 0 ? s : top > bits(1) ? number(top) : 0;
}

// quantized is x*inv rounded to the nearest even integer within +-most.
INLINE int quantized(float x, float inv, float most) {
	x = x * inv;
	float low = hidden(-most), high = hidden(most);
	x = x > low ? x : low;
	x = x < high ? x : high;
	return (int)(bits(x + number(ROUND_BIAS)) - ROUND_BIAS);
}

// code8 is the code of x.
INLINE i8 code8(float x, float inv) { return inv == 0 ? 0 : (i8)quantized(x, inv, 127); }

// quantize_row quantises a row of d elements, each times its factor where f is given, by a warp.
INLINE void quantize_row(const GLOBAL float *x, const GLOBAL float *f, GLOBAL i8 *q, GLOBAL float *scale, u32 d) {
	u32 top = 0;
	OVER(i, d)
		top = most(top, size(f ? x[i] * f[i] : x[i]));
	float s = row_scale(fold_most(top, LANES / 2)), inv = inverse(s);
	if (lane() == 0)
		*scale = s;
	OVER(i, d)
		q[i] = code8(f ? x[i] * f[i] : x[i], inv);
}

// added is x plus sign*s times a code.
INLINE float added(float x, int code, float sign, float s) { return fma((float)code * sign, s, x); }
