// MatMul by tiles of 8 x 64, for products of few rows, as decoding has, or few
// tiles: a thread a column, eight chains of fma each, k ascending. The rows of
// A go through shared memory; columns of B do where k is memory's fast
// direction, so that global memory is read along rows.
#include "alia.h"

enum { ROWS = 8, COLS = 64, DEPTH = 32 };

// stage_a copies count steps of A's tile, as [step][row].
INLINE void stage_a(const GLOBAL float *a, SHARED float *tile, u32 row, u32 m, u32 k, u32 from, u32 count, int inner) {
	UNROLL
	for (u32 i = 0; i < ROWS * DEPTH; i += COLS) {
		u32 e = i + thread();
		u32 r = inner ? e / DEPTH : e % ROWS, s = inner ? e % DEPTH : e / ROWS;
		u64 line = least(row + r, m - 1), step = from + least(s, count - 1);
		tile[s * ROWS + r] = inner ? a[line * k + step] : a[step * m + line];
	}
}

// stage_b copies count steps of B's tile, as [step][column], for B [n,k].
INLINE void stage_b(const GLOBAL float *b, SHARED float *tile, u32 col, u32 n, u32 k, u32 from, u32 count) {
	UNROLL
	for (u32 i = 0; i < COLS * DEPTH; i += COLS) {
		u32 j = (i + thread()) / DEPTH, s = thread() % DEPTH;
		tile[s * (COLS + 1) + j] = b[(u64)least(col + j, n - 1) * k + from + least(s, count - 1)];
	}
}

// multiply adds one step to this thread's chains.
INLINE void multiply(const SHARED float *a, float y, float *acc) {
	float x[ROWS];
	*(float4 *)x = *(const SHARED float4 *)a;
	*(float4 *)(x + 4) = *(const SHARED float4 *)(a + 4);
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		acc[r] = fma(x[r], y, acc[r]);
}

INLINE void matmul8(const GLOBAL float *a, const GLOBAL float *b, GLOBAL float *c, u32 m, u32 n, u32 k,
                    int a_inner, int b_inner) {
	static SHARED float as[DEPTH * ROWS] __attribute__((aligned(16)));
	static SHARED float bs[DEPTH * (COLS + 1)];
	u32 row = block_y() * ROWS, col = block() * COLS, mine = least(col + thread(), n - 1);
	float acc[ROWS] = {}, y[DEPTH];
	for (u32 from = 0; from < k; from += DEPTH) {
		u32 count = least(DEPTH, k - from);
		const GLOBAL float *column = b + (u64)from * n + mine; // of B [k,n]
		stage_a(a, as, row, m, k, from, count, a_inner);
		if (b_inner)
			stage_b(b, bs, col, n, k, from, count);
		UNROLL
		for (u32 s = 0; s < DEPTH; s++) // all at once, while the others stage
			if (!b_inner && count == DEPTH)
				y[s] = column[(u64)s * n];
		barrier();
		if (count == DEPTH) {
			UNROLL
			for (u32 s = 0; s < DEPTH; s++)
				multiply(as + s * ROWS, b_inner ? bs[s * (COLS + 1) + thread()] : y[s], acc);
		} else {
			for (u32 s = 0; s < count; s++)
				multiply(as + s * ROWS, b_inner ? bs[s * (COLS + 1) + thread()] : column[(u64)s * n], acc);
		}
		barrier();
	}
	UNROLL
	for (u32 r = 0; r < ROWS; r++)
		if (row + r < m && col + thread() < n)
			c[(u64)(row + r) * n + mine] = acc[r];
}

#define PRODUCT(name, a_inner, b_inner)                                                                 \
	KERNEL name(const GLOBAL float *a, const GLOBAL float *b, GLOBAL float *c, u32 m, u32 n, u32 k) { \
		matmul8(a, b, c, m, n, k, a_inner, b_inner);                                                  \
	}

PRODUCT(matmul8_nn, 1, 0)
PRODUCT(matmul8_nt, 1, 1)
PRODUCT(matmul8_tn, 0, 0)
