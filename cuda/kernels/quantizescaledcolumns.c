// QuantizeScaledColumns: a block has 32 columns of 128 rows, a lane a column, a warp
// 16 of the rows, which it keeps in registers.
#include "codes.h"
#include "quantum.h"

enum { ROWS = 128, WARPS = 8, SHARE = ROWS / WARPS };

KERNEL quantizescaledcolumns(const GLOBAL float *x, const GLOBAL float *f, GLOBAL i8 *q, GLOBAL float *scales, u32 rows,
                             u32 n) {
	static SHARED u32 tops[WARPS * LANES];
	u32 across = parts(n, LANES), b = block() / across, col = block() % across * LANES + lane();
	u32 row = b * ROWS + thread() / LANES * SHARE, top = 0;
	float v[SHARE];
	UNROLL
	for (u32 e = 0; e < SHARE; e++) {
		v[e] = row + e < rows && col < n ? x[(u64)(row + e) * n + col] * f[row + e] : 0;
		top = most(top, size(v[e]));
	}
	tops[thread()] = top;
	barrier();
	UNROLL
	for (u32 w = 0; w < WARPS; w++)
		top = most(top, tops[w * LANES + lane()]);
	float s = row_scale(top), inv = inverse(s);
	if (thread() < LANES && col < n)
		scales[(u64)b * n + col] = s;
	if (col >= parts(n, PANEL) * PANEL)
		return;
	u32 groups = parts(rows, GROUP);
	UNROLL
	for (u32 e = 0; e < SHARE; e += GROUP) {
		u32 group = (row + e) / GROUP, codes[GROUP];
		UNROLL
		for (u32 j = 0; j < GROUP; j++)
			codes[j] = (u32)code8(v[e + j], inv);
		if (group < groups)
			put(q + place(group, col, groups), pack(codes[0], codes[1], codes[2], codes[3]), (u64)q % 4 == 0);
	}
}
