// exp and log of NUMERICS.md, sections 5.1 and 5.2, as work/kernel has them.
#pragma once
#include "alia.h"

#define ROUND_BIAS 0x4b400000 // 1.5 * 2^23: adding it rounds to an integer

// exponential is e**x: +0 below -104, +Inf above 89.
INLINE float exponential(float x) {
	x = x < number(0xc2d00000) ? number(0xc2d00000) : x; // -104
	x = x > number(0x42b20000) ? number(0x42b20000) : x; // 89
	// x = n ln 2 + r with |r| <= ln 2 / 2.
	float t = fma(x, number(0x3fb8aa3b), number(ROUND_BIAS));
	float n = t - number(ROUND_BIAS);
	float r = fma(n, number(0xbf318000), x);
	r = fma(n, number(0x395e8083), r);
	// e**r = 1 + r + r*r*p(r).
	float p = fma(number(0x39506967), r, number(0x3ab743ce));
	p = fma(p, r, number(0x3c088908));
	p = fma(p, r, number(0x3d2aa9c1));
	p = fma(p, r, number(0x3e2aaaaa));
	p = fma(p, r, number(0x3f000000));
	p = fma(p, r * r, r);
	p = p + 1;
	// Times 2**n in two steps: the first is exact, so a subnormal result is
	// rounded once.
	int k = (int)(bits(t) - ROUND_BIAS), h = k >> 1;
	return p * pow2(h) * pow2(k - h);
}

#define SQRT_HALF 0x3f3504f3

// logarithm is ln x: -Inf for a zero, NaN for a negative number.
INLINE float logarithm(float x) {
	if (x != x || x < 0)
		return number(0x7fc00000);
	if (x == 0)
		return NEG_INF;
	if (x == number(0x7f800000))
		return x;
	int e = 0;
	if (x < number(0x00800000)) { // subnormal
		x = x * 16777216;
		e = -24;
	}
	// x = 2**e * m with sqrt(1/2) <= m < sqrt(2); r = m-1.
	int b = (int)(bits(x) - SQRT_HALF);
	e += b >> 23;
	float r = number(((u32)b & 0x7fffff) + SQRT_HALF) - 1;
	float p = fma(number(0x3d9021bb), r, number(0xbdebd1b8));
	p = fma(p, r, number(0x3def251a));
	p = fma(p, r, number(0xbdfe5d4f));
	p = fma(p, r, number(0x3e11e9bf));
	p = fma(p, r, number(0xbe2aae50));
	p = fma(p, r, number(0x3e4cceac));
	p = fma(p, r, number(0xbe7ffffc));
	p = fma(p, r, number(0x3eaaaaaa));
	// log(1+r) = r - r*r/2 + r**3*p(r), small terms first.
	float n = (float)e, sq = r * r;
	float y = p * sq * r;
	y = fma(n, number(0xb95e8083), y);
	y = fma(sq, -0.5f, y);
	y = y + r;
	return fma(n, number(0x3f318000), y);
}
