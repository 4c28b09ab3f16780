// What the attention rows share: the segment table, and a product by tiles of
// 32 x 32, each output one chain of fma, k ascending. Blocks are (segment,
// head, share of its tiles or rows); all block sizes are BLOCK.
#pragma once
#include "alia.h"

enum { BLOCK = 128, SIDE = 32, PAD = SIDE + 1 };

typedef struct {
	u32 q, nq, k, nk; // first query, queries, first key, keys
	u64 scores;       // where this block's head of them begins
} segment;

// segment_of reads the table at this block's segment. Scores lie one segment
// after the other, of different sizes: every warp adds up those before. All of
// them together are below 2^32.
INLINE segment segment_of(const GLOBAL u32 *seg, u32 heads) {
	u32 before = 0;
	for (u32 i = lane(); i < block(); i += LANES)
		before += seg[4 * i + 1] * seg[4 * i + 3];
	UNROLL
	for (u32 w = LANES / 2; w > 0; w /= 2)
		before += (u32)__nvvm_shfl_sync_bfly_i32(EACH, (int)before, w, 31);
	seg += 4 * (u64)block();
	u64 head = (u64)seg[1] * seg[3];
	return (segment){seg[0], seg[1], seg[2], seg[3], (u64)before * heads + block_y() * head};
}

// matrix is a strided view: element (i,j) is at[i*row + j*col].
typedef struct {
	const GLOBAL float *at;
	u32 row, col;
} matrix;

// stage copies a piece of x to tile[i][j], rows by columns, or to tile[j][i]
// where turn; neighbouring threads read along columns, or rows where turn.
INLINE void stage(matrix x, SHARED float *tile, u32 row, u32 rows, u32 col, u32 cols, int turn) {
	UNROLL
	for (u32 first = 0; first < SIDE * SIDE; first += BLOCK) {
		u32 e = first + thread();
		u32 i = turn ? e % SIDE : e / SIDE, j = turn ? e / SIDE : e % SIDE;
		u64 r = row + least(i, rows - 1), c = col + least(j, cols - 1);
		tile[e / SIDE * PAD + e % SIDE] = x.at[r * x.row + c * x.col];
	}
}

// product is C [m,n] = A [m,k] B [k,n]; C's rows are width apart. a_turn and
// b_turn say which operands are contiguous along columns of A and rows of B.
// A thread has four rows of two columns.
INLINE void product(GLOBAL float *c, u32 width, matrix a, matrix b, u32 m, u32 n, u32 k, int a_turn, int b_turn) {
	static SHARED float as[SIDE * PAD], bs[SIDE * PAD];
	u32 across = (n + SIDE - 1) / SIDE, tiles = (m + SIDE - 1) / SIDE * across;
	u32 i0 = thread() / 16 * 4, j0 = thread() % 16;
	for (u32 t = block_z(); t < tiles; t += blocks_z()) {
		u32 row = t / across * SIDE, col = t % across * SIDE;
		float acc[4][2] = {};
		for (u32 from = 0; from < k; from += SIDE) {
			u32 count = least(SIDE, k - from);
			stage(a, as, row, least(SIDE, m - row), from, count, a_turn);
			stage(b, bs, from, count, col, least(SIDE, n - col), b_turn);
			barrier();
			for (u32 s = 0; s < count; s++)
				UNROLL
				for (u32 i = 0; i < 4; i++)
					UNROLL
					for (u32 j = 0; j < 2; j++)
						acc[i][j] = fma(a_turn ? as[s * PAD + i0 + i] : as[(i0 + i) * PAD + s],
						                b_turn ? bs[(j0 + 16 * j) * PAD + s] : bs[s * PAD + j0 + 16 * j], acc[i][j]);
			barrier();
		}
		UNROLL
		for (u32 i = 0; i < 4; i++)
			UNROLL
			for (u32 j = 0; j < 2; j++)
				if (row + i0 + i < m && col + j0 + 16 * j < n)
					c[(u64)(row + i0 + i) * width + col + j0 + 16 * j] = acc[i][j];
	}
}

// clear_gap sets this head's columns of rows from to until-1 to +0: those no
// segment covers.
INLINE void clear_gap(GLOBAL float *c, u32 d, u32 w, u32 from, u32 until) {
	if (block_z() != 0)
		return;
	for (u32 row = from; row < until; row++)
		for (u32 j = thread(); j < w; j += BLOCK)
			c[(u64)row * d + block_y() * w + j] = 0;
}

// clear_gaps clears the rows before this segment that no segment covers, and
// after the last one. seg's column first is where a segment's rows begin, and
// the next one how many they are.
INLINE void clear_gaps(const GLOBAL u32 *seg, u32 first, GLOBAL float *c, u32 rows, u32 d, u32 w) {
	const GLOBAL u32 *mine = seg + 4 * (u64)block() + first;
	clear_gap(c, d, w, block() == 0 ? 0 : mine[-4] + mine[-3], mine[0]);
	if (block() == blocks_x() - 1)
		clear_gap(c, d, w, mine[0] + mine[1], rows);
}
