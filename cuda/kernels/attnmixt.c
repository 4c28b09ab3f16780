// AttnMixT: P^T X of each head of each segment, over its queries; rows of no
// segment are +0.
#include "segments.h"

KERNEL attnmixt(const GLOBAL float *p, const GLOBAL float *x, const GLOBAL u32 *seg, GLOBAL float *y,
                u32 heads, u32 d, u32 w, u32 rows) {
	segment s = segment_of(seg, heads);
	clear_gaps(seg, 2, y, rows, d, w);
	matrix a = {p + s.scores, 1, s.nk};
	matrix b = {x + (u64)s.q * d + block_y() * w, d, 1};
	product(y + (u64)s.k * d + block_y() * w, d, a, b, s.nk, w, s.nq, 1, 0);
}
