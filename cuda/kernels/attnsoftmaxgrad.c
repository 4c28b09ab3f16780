// AttnSoftmaxGrad: a warp a row of scores; ds may be p or dp.
#include "segments.h"

KERNEL attnsoftmaxgrad(const GLOBAL float *p, const GLOBAL float *dp, const GLOBAL u32 *seg, GLOBAL float *ds,
                       u32 heads, float scale, u32 causal) {
	segment s = segment_of(seg, heads);
	u32 warps = BLOCK / LANES;
	for (u32 i = block_z() * warps + thread() / LANES; i < s.nq; i += blocks_z() * warps) {
		u64 row = s.scores + (u64)i * s.nk;
		u32 seen = causal ? least(i + 1, s.nk) : s.nk;
		float t = lane_dot(p + row, dp + row, seen);
		for (u32 j = lane(); j < s.nk; j += LANES)
			ds[row + j] = j < seen ? p[row + j] * (dp[row + j] - t) * scale : 0;
	}
}
