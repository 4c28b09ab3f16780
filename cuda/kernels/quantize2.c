// Quantize2: a warp a block of at most 128 elements of a row; the first eight
// lanes pack 16 codes each.
#include "quantum.h"

KERNEL quantize2(const GLOBAL float *x, GLOBAL u32 *q, GLOBAL float *scales, u32 length, u64 n) {
	u64 b = warp();
	if (b >= n)
		return;
	u32 blocks = (length + 127) / 128, at = (u32)(b % blocks) * 128, count = least(128, length - at);
	x += b / blocks * length + at;
	float r = root(divide(lane_dot(x, x, count), (float)count));
	float s = r * number(0x3e1a9fbe), high = r * number(0x3f7ae148); // 0.151, 0.98
	s = normal(s) ? s : 0;
	if (lane() == 0)
		scales[b] = s;
	if (lane() >= 8)
		return;
	u32 word = 0;
	for (u32 j = 0; j < 16; j++) {
		u32 i = lane() * 16 + j;
		if (i >= count)
			break;
		u32 code = bits(x[i]) >> 31 << 1 | (magnitude(x[i]) > high);
		word |= code << 2 * j;
	}
	q[b * 8 + lane()] = s == 0 ? 0 : word;
}
