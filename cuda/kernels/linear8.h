// Products of codes by dp4a: a tile of 8 rows by 64 columns, a thread a column. Sums of
// products of codes are exact in any sequence, four at a time. The rows' codes go through
// shared memory as [group of four][row], zeros beyond the last; the other operand is in
// panels.
#pragma once
#include "codes.h"

enum { ROWS = 8, COLS = 64, GROUPS = 32 }; // groups of a stage

typedef u32 word4 __attribute__((ext_vector_type(4)));

// dot adds the products of four codes to sum.
INLINE int dot(u32 a, u32 b, int sum) {
	__asm__("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
	return sum;
}

// add adds four rows of a column to every sum of this thread.
INLINE void add(const SHARED u32 *codes, u32 v, int *sum) {
	u32 x[ROWS];
	*(word4 *)x = *(const SHARED word4 *)codes;
	*(word4 *)(x + 4) = *(const SHARED word4 *)(codes + 4);
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		sum[r] = dot(x[r], v, sum[r]);
}

// fetch loads the words of a whole stage of this thread's column, all at once, to wait for
// memory once.
INLINE void fetch(const GLOBAL i8 *column, int whole, u32 *v) {
	UNROLL
	for (u32 g = 0; g < GROUPS; g++)
		if (whole)
			v[g] = word(column + (u64)g * PANEL * GROUP, 4, 1);
}

// multiply adds a stage to every sum, from the words that fetch has loaded if it is whole.
INLINE void multiply(const SHARED u32 *codes, const GLOBAL i8 *column, int whole, int aligned, u32 count, const u32 *v,
                     int *sum) {
	if (whole) {
		UNROLL
		for (u32 g = 0; g < GROUPS; g++)
			add(codes + g * ROWS, v[g], sum);
		return;
	}
	for (u32 g = 0; g < count; g++)
		add(codes + g * ROWS, word(column + (u64)g * PANEL * GROUP, 4, aligned), sum);
}
