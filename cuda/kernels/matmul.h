// The matrix product C [m,n] = A [m,k] B [k,n], by tiles of TILE x TILE
// outputs: each output is one chain of fma over k ascending, in a register
// from the first step to the last. K is never padded; rows and columns past an
// edge are copies of the last one and are not stored.
//
// A block keeps DEPTH steps of both operands in shared memory, twice: while
// the threads multiply one half they load the next from global memory. In
// shared memory both are [step][row or column], so that a thread reads its
// WORK values of each as vectors; those are in two groups, half a tile apart,
// so that the lanes of a warp read neighbouring vectors.
#include "alia.h"

enum {
	DEPTH = 8,
	HALF = WORK / 2,
	ACROSS = TILE / WORK,        // threads along a side of the tile
	THREADS = ACROSS * ACROSS,
	WIDTH = TILE + 4,            // a row in shared memory, padded against bank conflicts
	LOADS = TILE * DEPTH / THREADS, // values of each operand a thread loads
};

typedef struct {
	const GLOBAL float *at;
	u32 along;  // the operand's rows (A) or columns (B)
	u32 stride; // between neighbours in memory's slow direction
	int inner;  // whether k is memory's fast direction
	int vector; // whether four neighbours can be loaded at once
} operand;

INLINE operand operand_of(const GLOBAL float *at, u32 along, u32 k, int inner) {
	u32 stride = inner ? k : along;
	int vector = stride % 4 == 0 && (u64)at % 16 == 0;
	return (operand){at, along, stride, inner, vector};
}

// place says which row or column, and which step, is a thread's load i.
INLINE void place(const operand *o, u32 i, u32 *line, u32 *step) {
	u32 e = (i / 4 * THREADS + thread()) * 4 + i % 4; // four neighbours a thread
	*line = o->inner ? e / DEPTH : e % TILE;
	*step = o->inner ? e % DEPTH : e / TILE;
}

INLINE u64 offset(const operand *o, u32 line, u32 step) {
	return o->inner ? (u64)line * o->stride + step : (u64)step * o->stride + line;
}

// fetch loads this thread's share of the next steps, count of them.
INLINE void fetch(operand *o, u32 first, u32 count, float *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i += 4) {
		u32 line, step;
		place(o, i, &line, &step);
		line += first;
		if (o->vector && count == DEPTH) {
			line = least(line, o->inner ? o->along - 1 : o->along - 4);
			*(float4 *)(v + i) = *(const GLOBAL float4 *)(o->at + offset(o, line, step));
			continue;
		}
		UNROLL
		for (u32 j = 0; j < 4; j++) {
			u32 l = least(o->inner ? line : line + j, o->along - 1);
			u32 s = o->inner ? step + j : step;
			v[i + j] = o->at[offset(o, l, least(s, count - 1))];
		}
	}
	o->at += o->inner ? DEPTH : (u64)DEPTH * o->stride;
}

INLINE void keep(const operand *o, const float *v, SHARED float *tile) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++) {
		u32 line, step;
		place(o, i, &line, &step);
		tile[step * WIDTH + line] = v[i];
	}
}

// corner is where this thread's outputs begin in its half tiles, along one
// side: lanes lie 4 x 8 in a warp, and warps beside one another.
INLINE u32 corner_row(void) { return (thread() / LANES / (ACROSS / 8) * 4 + lane() / 8) * HALF; }
INLINE u32 corner_col(void) { return (thread() / LANES % (ACROSS / 8) * 8 + lane() % 8) * HALF; }

// values loads this thread's values of one step.
INLINE void values(const SHARED float *row, u32 corner, float *v) {
	UNROLL
	for (u32 i = 0; i < WORK; i += 4)
		*(float4 *)(v + i) = *(const SHARED float4 *)(row + i / HALF * (TILE / 2) + corner + i % HALF);
}

// multiply adds one step to every output of this thread.
INLINE void multiply(const SHARED float *a, const SHARED float *b, float acc[WORK][WORK]) {
	float x[WORK], y[WORK];
	values(a, corner_row(), x);
	values(b, corner_col(), y);
	UNROLL
	for (u32 i = 0; i < WORK; i++)
		UNROLL
		for (u32 j = 0; j < WORK; j++)
			acc[i][j] = fma(x[i], y[j], acc[i][j]);
}

// store writes this thread's outputs that exist.
INLINE void store(GLOBAL float *c, u32 m, u32 n, u32 row, u32 col, float acc[WORK][WORK]) {
	int vector = n % 4 == 0 && (u64)c % 16 == 0;
	UNROLL
	for (u32 i = 0; i < WORK; i++) {
		u32 r = row + i / HALF * (TILE / 2) + corner_row() + i % HALF;
		if (r >= m)
			continue;
		UNROLL
		for (u32 j = 0; j < WORK; j += 4) {
			u32 at = col + j / HALF * (TILE / 2) + corner_col() + j % HALF;
			GLOBAL float *to = c + (u64)r * n + at;
			if (vector && at < n) {
				*(GLOBAL float4 *)to = *(float4 *)&acc[i][j];
				continue;
			}
			UNROLL
			for (u32 l = 0; l < 4; l++)
				if (at + l < n)
					to[l] = acc[i][j + l];
		}
	}
}

INLINE void matmul(operand *a, operand *b, GLOBAL float *c, u32 k) {
	static SHARED float as[2][DEPTH * WIDTH] __attribute__((aligned(16)));
	static SHARED float bs[2][DEPTH * WIDTH] __attribute__((aligned(16)));
	u32 row = block() * TILE, col = block_y() * TILE;
	float acc[WORK][WORK] = {}, va[LOADS], vb[LOADS];
	u32 half = 0, count = least(DEPTH, k);
	fetch(a, row, count, va);
	fetch(b, col, count, vb);
	for (u32 from = 0;;) {
		keep(a, va, as[half]);
		keep(b, vb, bs[half]);
		barrier();
		u32 now = count;
		from += DEPTH;
		if (from < k) {
			count = least(DEPTH, k - from);
			fetch(a, row, count, va);
			fetch(b, col, count, vb);
		}
		if (now == DEPTH) {
			UNROLL
			for (u32 s = 0; s < DEPTH; s++)
				multiply(as[half] + s * WIDTH, bs[half] + s * WIDTH, acc);
		} else {
			for (u32 s = 0; s < now; s++)
				multiply(as[half] + s * WIDTH, bs[half] + s * WIDTH, acc);
		}
		if (from >= k)
			break;
		half = !half;
	}
	store(c, a->along, b->along, row, col, acc);
}

// NAME(nn) is A [m,k] B [k,n], NAME(nt) is A [m,k] B [n,k], NAME(tn) is A [k,m] B [k,n].
#define PRODUCT(name, a_inner, b_inner)                                                                        \
	KERNEL name(const GLOBAL float *a, const GLOBAL float *b, GLOBAL float *c, u32 m, u32 n, u32 k) {           \
		operand x = operand_of(a, m, k, a_inner), y = operand_of(b, n, k, b_inner);                              \
		matmul(&x, &y, c, k);                                                                                    \
	}
