// Linear8WeightGrad by dp4a, for small weights and for all shapes. A stage is a block of 128 rows
// of X, whose columns are the rows of the tile.
#include "linear8.h"

// turned loads a group of four codes of a column of Q [rows,k], zeros beyond the last row.
INLINE u32 turned(const GLOBAL i8 *column, u32 group, u32 rows, u32 k) {
	u32 v[GROUP], row = group * GROUP;
	UNROLL
	for (u32 j = 0; j < GROUP; j++)
		v[j] = row + j < rows ? (u32)column[(u64)(row + j) * k] : 0;
	return pack(v[0], v[1], v[2], v[3]);
}

INLINE void weightgrad(const GLOBAL i8 *q, const GLOBAL i8 *z, const GLOBAL float *scales, GLOBAL float *y, u32 rows,
                       u32 k, u32 n, int nt) {
	static SHARED u32 codes[GROUPS * ROWS] __attribute__((aligned(16)));
	u32 row = block_y() * ROWS, col = block() * COLS + thread(), groups = parts(rows, GROUP), v[GROUPS];
	u32 mine = least(col, n - 1);
	const GLOBAL i8 *panel = z + place(0, mine, groups);
	int aligned = (u64)z % 4 == 0;
	float acc[ROWS] = {};
	for (u32 from = 0; from < groups; from += GROUPS) {
		u32 count = least(GROUPS, groups - from);
		int whole = aligned && count == GROUPS, sum[ROWS] = {};
		UNROLL
		for (u32 i = 0; i < ROWS * GROUPS; i += COLS) {
			u32 r = thread() % ROWS, g = (i + thread()) / ROWS;
			codes[g * ROWS + r] = turned(q + least(row + r, k - 1), from + g, rows, k);
		}
		const GLOBAL i8 *column = panel + (u64)from * PANEL * GROUP;
		fetch(column, whole, v);
		barrier();
		multiply(codes, column, whole, aligned, count, v, sum);
		barrier();
		float s = scales[(u64)(from / GROUPS) * n + mine];
		UNROLL
		for (u32 r = 0; r < ROWS; r++)
			acc[r] = fma((float)sum[r], s, acc[r]);
	}
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		if (row + r < k && col < n)
			y[nt ? (u64)col * k + row + r : (u64)(row + r) * n + col] = acc[r];
}

#define GRADIENT(name, nt)                                                                                     \
	KERNEL name(const GLOBAL i8 *q, const GLOBAL i8 *z, const GLOBAL float *scales, GLOBAL float *y, u32 rows, \
	            u32 k, u32 n) {                                                                                 \
		weightgrad(q, z, scales, y, rows, k, n, nt);                                                             \
	}

GRADIENT(linear8weightgrad_nn, 0)
GRADIENT(linear8weightgrad_nt, 1)
