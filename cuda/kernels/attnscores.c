// AttnScores: Q K^T of each head of each segment, over w columns.
#include "segments.h"

KERNEL attnscores(const GLOBAL float *q, const GLOBAL float *k, const GLOBAL u32 *seg, GLOBAL float *y,
                  u32 heads, u32 d, u32 w) {
	segment s = segment_of(seg, heads);
	matrix a = {q + (u64)s.q * d + block_y() * w, d, 1};
	matrix b = {k + (u64)s.k * d + block_y() * w, 1, d};
	product(y + s.scores, s.nk, a, b, s.nq, s.nk, w, 0, 1);
}
