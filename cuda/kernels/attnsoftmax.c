// AttnSoftmax: a warp a row of scores; y may be x.
#include "elementary.h"
#include "segments.h"

KERNEL attnsoftmax(const GLOBAL float *x, const GLOBAL u32 *seg, GLOBAL float *y, u32 heads, float scale, u32 causal) {
	segment s = segment_of(seg, heads);
	x += s.scores;
	y += s.scores;
	u32 warps = BLOCK / LANES;
	for (u32 i = block_z() * warps + thread() / LANES; i < s.nq; i += blocks_z() * warps) {
		u64 row = (u64)i * s.nk;
		u32 seen = causal ? least(i + 1, s.nk) : s.nk;
		float top = NEG_INF, sum = 0;
		for (u32 j = lane(); j < seen; j += LANES)
			top = larger(top, x[row + j] * scale);
		top = fold_max(top);
		for (u32 j = lane(); j < seen; j += LANES) {
			float e = exponential(x[row + j] * scale - top);
			sum = sum + e;
			y[row + j] = e;
		}
		float inv = divide(1, fold_sum(sum));
		for (u32 j = lane(); j < s.nk; j += LANES)
			y[row + j] = j < seen ? y[row + j] * inv : 0;
	}
}
