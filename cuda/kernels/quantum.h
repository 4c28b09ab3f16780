// What the quantised forms of tensors share.
#pragma once
#include "elementary.h"

// normal says whether x is neither zero, subnormal, infinite nor NaN.
INLINE int normal(float x) {
	u32 e = bits(x) >> 23 & 0xff;
	return e != 0 && e != 0xff;
}

// quantized is x*inv rounded to the nearest even integer within +-most.
INLINE int quantized(float x, float inv, float most) {
	x = x * inv;
	float low = hidden(-most), high = hidden(most);
	x = x > low ? x : low;
	x = x < high ? x : high;
	return (int)(bits(x + number(ROUND_BIAS)) - ROUND_BIAS);
}

// added is x plus sign*s times a code.
INLINE float added(float x, int code, float sign, float s) { return fma((float)code * sign, s, x); }
