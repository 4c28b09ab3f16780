// Linear8 by dp4a, for few rows, as decoding has, and for all shapes.
#include "linear8.h"

KERNEL linear8(const GLOBAL i8 *q, const GLOBAL float *sx, const GLOBAL i8 *w, const GLOBAL float *sw,
               const GLOBAL float *b, GLOBAL float *y, u32 m, u32 n, u32 k) {
	static SHARED u32 codes[GROUPS * ROWS] __attribute__((aligned(16)));
	u32 row = block_y() * ROWS, col = block() * COLS + thread(), groups = parts(k, GROUP), v[GROUPS];
	const GLOBAL i8 *weight = w + place(0, least(col, n - 1), groups);
	int w_aligned = (u64)w % 4 == 0, q_aligned = (u64)q % 4 == 0 && k % 4 == 0, sum[ROWS] = {};
	for (u32 from = 0; from < groups; from += GROUPS) {
		u32 count = least(GROUPS, groups - from);
		int whole = w_aligned && count == GROUPS;
		UNROLL
		for (u32 i = 0; i < ROWS * GROUPS; i += COLS) {
			u32 r = (i + thread()) / GROUPS, g = thread() % GROUPS, at = least((from + g) * 4, k);
			codes[g * ROWS + r] = word(q + (u64)least(row + r, m - 1) * k + at, k - at, q_aligned);
		}
		const GLOBAL i8 *column = weight + (u64)from * PANEL * GROUP;
		fetch(column, whole, v);
		barrier();
		multiply(codes, column, whole, w_aligned, count, v, sum);
		barrier();
	}
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		if (row + r < m && col < n)
			y[(u64)(row + r) * n + col] = (float)sum[r] * (sx[row + r] * sw[col]) + b[col];
}
