// Dropout: y = kept ? x*factor : +0. A thread four elements, which share one
// draw of Philox4x32-10 (Salmon and others, SC 2011); y may be x.
#include "alia.h"

KERNEL dropout(const GLOBAL float *x, const GLOBAL u32 *key, GLOBAL float *y, u32 site, u32 drop, float factor, u64 n) {
	u64 q = element();
	if (q >= (n + 3) / 4)
		return;
	u32 c[4] = {(u32)q, (u32)(q >> 32), site, key[2]};
	u32 k0 = key[0], k1 = key[1];
	UNROLL
	for (u32 round = 0; round < 10; round++) {
		u32 h0 = high(0xd2511f53, c[0]), l0 = 0xd2511f53 * c[0];
		u32 h1 = high(0xcd9e8d57, c[2]), l1 = 0xcd9e8d57 * c[2];
		c[0] = h1 ^ c[1] ^ k0;
		c[1] = l1;
		c[2] = h0 ^ c[3] ^ k1;
		c[3] = l0;
		k0 += 0x9e3779b9;
		k1 += 0xbb67ae85;
	}
	UNROLL
	for (u32 l = 0; l < 4; l++) {
		u64 i = 4 * q + l;
		if (i < n)
			y[i] = c[l] >= drop ? x[i] * factor : 0;
	}
}
