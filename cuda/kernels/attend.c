// Attend: softmax(Q K^T scale) V of each head of each segment, a block a query;
// rows of no segment are +0. Scores are kept for KEYS keys at a time, and found
// anew where there are more: a decoder has fewer.
#include "elementary.h"
#include "segments.h"

enum { KEYS = 1024 };

// fill puts the scaled scores of count keys in z: a thread a key.
INLINE void fill(SHARED float *z, const GLOBAL float *q, const GLOBAL float *k, u32 count, u32 d, u32 w, float scale) {
	barrier();
	for (u32 j = thread(); j < count; j += BLOCK) {
		float acc = 0;
		_Pragma("unroll 8")
		for (u32 c = 0; c < w; c++)
			acc = fma(q[c], k[(u64)j * d + c], acc);
		z[j] = acc * scale;
	}
	barrier();
}

// mix is one column's chain over count keys.
INLINE float mix(const SHARED float *p, const GLOBAL float *v, u32 count, u32 d, float acc) {
	_Pragma("unroll 8")
	for (u32 j = 0; j < count; j++)
		acc = fma(p[j], v[(u64)j * d], acc);
	return acc;
}

KERNEL attend(const GLOBAL float *q, const GLOBAL float *k, const GLOBAL float *v, const GLOBAL u32 *seg,
              GLOBAL float *y, u32 heads, u32 d, u32 w, u32 rows, float scale) {
	static SHARED float z[KEYS];
	segment s = segment_of(seg, heads);
	clear_gaps(seg, 0, y, rows, d, w);
	u64 head = block_y() * w;
	k += s.k * (u64)d + head;
	v += s.k * (u64)d + head;
	int again = s.nk > KEYS;
	for (u32 i = block_z(); i < s.nq; i += blocks_z()) {
		u64 row = (u64)(s.q + i) * d + head;
		float top = NEG_INF, sum = 0;
		for (u32 from = 0; from < s.nk; from += KEYS) { // every warp, so that all have it
			u32 count = least(KEYS, s.nk - from);
			fill(z, q + row, k + (u64)from * d, count, d, w, scale);
			for (u32 j = lane(); j < count; j += LANES)
				top = larger(top, z[j]);
		}
		top = fold_max(top);
		for (u32 from = 0; from < s.nk; from += KEYS) {
			u32 count = least(KEYS, s.nk - from);
			if (again)
				fill(z, q + row, k + (u64)from * d, count, d, w, scale);
			for (u32 j = lane(); j < count; j += LANES)
				sum = sum + exponential(z[j] - top);
		}
		float inv = divide(1, fold_sum(sum));
		for (u32 col = 0; col < w; col += BLOCK) {
			u32 mine = least(col + thread(), w - 1);
			float acc = 0;
			for (u32 from = 0; from < s.nk; from += KEYS) {
				u32 count = least(KEYS, s.nk - from);
				if (again)
					fill(z, q + row, k + (u64)from * d, count, d, w, scale);
				barrier();
				if (again || col == 0)
					for (u32 j = thread(); j < count; j += BLOCK)
						z[j] = exponential(z[j] - top) * inv;
				barrier();
				acc = mix(z, v + (u64)from * d + mine, count, d, acc);
			}
			if (col + thread() < w)
				y[row + mine] = acc;
		}
	}
}
