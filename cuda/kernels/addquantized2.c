// AddQuantized2: a warp a block of at most 128 elements of a row; y may be x.
#include "quantum.h"

KERNEL addquantized2(const GLOBAL float *x, const GLOBAL u32 *q, const GLOBAL float *scales, GLOBAL float *y,
                     float sign, u32 length, u64 n) {
	u64 b = warp();
	if (b >= n)
		return;
	u32 blocks = (length + 127) / 128, at = (u32)(b % blocks) * 128, count = least(128, length - at);
	u64 from = b / blocks * length + at;
	for (u32 i = lane(); i < count; i += LANES) {
		u32 code = q[b * 8 + i / 16] >> 2 * (i % 16) & 3;
		int level = code & 1 ? 10 : 3;
		y[from + i] = added(x[from + i], code & 2 ? -level : level, sign, scales[b]);
	}
}
