// Linear8: a tile of 8 rows by 64 columns, a thread a column. Sums of products
// of codes are exact in any order, four at a time. The rows' codes go through
// shared memory, zeros beyond the last; the weight is in panels of 16 columns,
// each group of four of its rows one word a column.
#include "alia.h"

enum { ROWS = 8, COLS = 64, PANEL = 16, GROUPS = 32 }; // groups of a stage

// dot adds the products of four codes to sum.
INLINE int dot(u32 a, u32 b, int sum) {
	__asm__("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
	return sum;
}

// word loads four codes, which may lie at any address.
INLINE u32 word(const GLOBAL i8 *at, int aligned) {
	if (aligned)
		return *(const GLOBAL u32 *)at;
	const GLOBAL unsigned char *b = (const GLOBAL unsigned char *)at;
	return b[0] | (u32)b[1] << 8 | (u32)b[2] << 16 | (u32)b[3] << 24;
}

// add adds four rows of the weight to every sum of this thread.
INLINE void add(const SHARED u32 *codes, u32 v, int *sum) {
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		sum[r] = dot(codes[r * GROUPS], v, sum[r]);
}

KERNEL linear8(const GLOBAL i8 *q, const GLOBAL float *sx, const GLOBAL i8 *w, const GLOBAL float *sw,
               const GLOBAL float *b, GLOBAL float *y, u32 m, u32 n, u32 k) {
	static SHARED u32 codes[ROWS * GROUPS];
	u32 row = block_y() * ROWS, col = block() * COLS + thread(), groups = (k + 3) / 4;
	u32 mine = least(col, n - 1);
	const GLOBAL i8 *weight = w + ((u64)(mine / PANEL) * groups * PANEL + mine % PANEL) * 4;
	int aligned = (u64)w % 4 == 0, sum[ROWS] = {};
	u32 v[GROUPS];
	for (u32 from = 0; from < groups; from += GROUPS) {
		UNROLL
		for (u32 i = 0; i < ROWS * GROUPS * 4; i += COLS) {
			u32 r = (i + thread()) / (GROUPS * 4), at = from * 4 + (i + thread()) % (GROUPS * 4);
			i8 code = q[(u64)least(row + r, m - 1) * k + least(at, k - 1)];
			((SHARED i8 *)codes)[i + thread()] = at < k ? code : 0;
		}
		u32 count = least(GROUPS, groups - from);
		const GLOBAL i8 *stage = weight + (u64)from * PANEL * 4;
		int whole = aligned && count == GROUPS;
		UNROLL
		for (u32 g = 0; g < GROUPS; g++) // all at once, to wait for memory once
			if (whole)
				v[g] = word(stage + g * PANEL * 4, 1);
		barrier();
		if (whole) {
			UNROLL
			for (u32 g = 0; g < GROUPS; g++)
				add(codes + g, v[g], sum);
		} else {
			for (u32 g = 0; g < count; g++)
				add(codes + g, word(stage + g * PANEL * 4, aligned), sum);
		}
		barrier();
	}
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		if (row + r < m && col < n)
			y[(u64)(row + r) * n + col] = (float)sum[r] * (sx[row + r] * sw[col]) + b[col];
}
