// AttnMix: P V of each head of each segment, over its keys; rows of no segment
// are +0.
#include "segments.h"

KERNEL attnmix(const GLOBAL float *p, const GLOBAL float *v, const GLOBAL u32 *seg, GLOBAL float *y,
               u32 heads, u32 d, u32 w, u32 rows) {
	segment s = segment_of(seg, heads);
	clear_gaps(seg, 0, y, rows, d, w);
	matrix a = {p + s.scores, s.nk, 1};
	matrix b = {v + (u64)s.k * d + block_y() * w, d, 1};
	product(y + (u64)s.q * d + block_y() * w, d, a, b, s.nq, w, s.nk, 0, 0);
}
