// Column reductions: one chain over all rows a column, rows ascending. Columns
// are few and chains long, so a block has 32 columns, of which its first warp
// carries the chains; all warps fetch rows, a step of them ahead, since a chain
// that waited for memory at every row would take a hundred times as long.
#include "alia.h"

enum { COLS = 32, WARPS = 8, STEP = 64, SHARE = STEP / WARPS };

// term is what a row adds to a column: v, or v*by in one fma.
typedef struct {
	float v, by;
} term;

// fetch loads this thread's share of the terms of rows from on: of X, or where
// stats is given, of dY and the normalised X.
INLINE void fetch(const GLOBAL float *x, const GLOBAL float *stats, const GLOBAL float *dy,
                  u32 from, u32 rows, u32 d, term *v) {
	u32 i = least(block() * COLS + lane(), d - 1);
	UNROLL
	for (u32 e = 0; e < SHARE; e++) {
		u64 t = least(from + e * WARPS + thread() / LANES, rows - 1), at = t * d + i;
		v[e].v = stats ? dy[at] : x[at];
		v[e].by = stats ? (x[at] - stats[2 * t]) * stats[2 * t + 1] : 0;
	}
}

INLINE void columns(const GLOBAL float *x, const GLOBAL float *stats, const GLOBAL float *dy, GLOBAL float *y,
                    u32 rows, u32 d) {
	static SHARED float v[2][STEP * COLS], by[2][STEP * COLS];
	u32 half = 0, from = 0, i = block() * COLS + lane();
	float sum = 0;
	term next[SHARE];
	fetch(x, stats, dy, 0, rows, d, next);
	for (;;) {
		UNROLL
		for (u32 e = 0; e < SHARE; e++) {
			v[half][e * WARPS * COLS + thread()] = next[e].v;
			if (stats)
				by[half][e * WARPS * COLS + thread()] = next[e].by;
		}
		barrier();
		u32 count = least(STEP, rows - from);
		from += STEP;
		if (from < rows)
			fetch(x, stats, dy, from, rows, d, next);
		if (thread() < LANES) {
			_Pragma("unroll 16")
			for (u32 s = 0; s < count; s++) {
				float a = v[half][s * COLS + lane()];
				sum = stats ? fma(a, by[half][s * COLS + lane()], sum) : sum + a;
			}
		}
		if (from >= rows)
			break;
		half = !half;
	}
	if (thread() < LANES && i < d)
		y[i] = sum;
}
