// Linear8: a tile of 8 rows by 64 columns, a thread a column. Sums of products
// of codes are exact in any order, four at a time. The rows' codes go through
// shared memory as [group of four][row], zeros beyond the last; the weight is in
// panels of 16 columns, each group of four of its rows one word a column.
#include "alia.h"

enum { ROWS = 8, COLS = 64, PANEL = 16, GROUPS = 32 }; // groups of a stage

typedef u32 word4 __attribute__((ext_vector_type(4)));

// dot adds the products of four codes to sum.
INLINE int dot(u32 a, u32 b, int sum) {
	__asm__("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
	return sum;
}

// word loads four codes, of which count exist, the others as zeros. They may
// lie at any address.
INLINE u32 word(const GLOBAL i8 *at, u32 count, int aligned) {
	if (aligned && count >= 4)
		return *(const GLOBAL u32 *)at;
	u32 v = 0;
	UNROLL
	for (u32 j = 0; j < 4; j++)
		if (j < count)
			v |= (u32)(unsigned char)at[j] << 8 * j;
	return v;
}

// add adds four rows of the weight to every sum of this thread.
INLINE void add(const SHARED u32 *codes, u32 v, int *sum) {
	u32 x[ROWS];
	*(word4 *)x = *(const SHARED word4 *)codes;
	*(word4 *)(x + 4) = *(const SHARED word4 *)(codes + 4);
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		sum[r] = dot(x[r], v, sum[r]);
}

KERNEL linear8(const GLOBAL i8 *q, const GLOBAL float *sx, const GLOBAL i8 *w, const GLOBAL float *sw,
               const GLOBAL float *b, GLOBAL float *y, u32 m, u32 n, u32 k) {
	static SHARED u32 codes[GROUPS * ROWS] __attribute__((aligned(16)));
	u32 row = block_y() * ROWS, col = block() * COLS + thread(), groups = (k + 3) / 4;
	u32 mine = least(col, n - 1), v[GROUPS];
	const GLOBAL i8 *weight = w + ((u64)(mine / PANEL) * groups * PANEL + mine % PANEL) * 4;
	int w_aligned = (u64)w % 4 == 0, q_aligned = (u64)q % 4 == 0 && k % 4 == 0, sum[ROWS] = {};
	for (u32 from = 0; from < groups; from += GROUPS) {
		u32 count = least(GROUPS, groups - from);
		int whole = w_aligned && count == GROUPS;
		UNROLL
		for (u32 i = 0; i < ROWS * GROUPS; i += COLS) {
			u32 r = (i + thread()) / GROUPS, g = thread() % GROUPS, at = least((from + g) * 4, k);
			codes[g * ROWS + r] = word(q + (u64)least(row + r, m - 1) * k + at, k - at, q_aligned);
		}
		UNROLL
		for (u32 g = 0; g < GROUPS; g++) // all at once, to wait for memory once
			if (whole)
				v[g] = word(weight + (u64)(from + g) * PANEL * 4, 4, 1);
		barrier();
		if (whole) {
			UNROLL
			for (u32 g = 0; g < GROUPS; g++)
				add(codes + g * ROWS, v[g], sum);
		} else {
			for (u32 g = 0; g < count; g++)
				add(codes + g * ROWS, word(weight + (u64)(from + g) * PANEL * 4, 4, w_aligned), sum);
		}
		barrier();
	}
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		if (row + r < m && col < n)
			y[(u64)(row + r) * n + col] = (float)sum[r] * (sx[row + r] * sw[col]) + b[col];
}
