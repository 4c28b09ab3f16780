// Linear8 by tensor cores, for K a multiple of 16. The rows' codes lie in shared memory as
// [row][group], so that a lane loads its four groups of a row together.
#include "tensor8.h"

// rows is the first operand, [m,k].
typedef struct {
	const GLOBAL i8 *at;
	u32 m, k;
	int aligned;
} rows;

// fetch_rows loads this thread's share of a stage: four groups of a row, zeros beyond K. Rows beyond
// the last are the last again, and are not stored.
INLINE void fetch_rows(const rows *q, u32 row, u32 from, word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++) {
		u32 e = i * THREADS + thread(), at = from * GROUP + e % 4 * 16;
		v[i] = (word4){0, 0, 0, 0};
		if (at < q->k)
			v[i] = four(q->at + (u64)least(row + e / 4, q->m - 1) * q->k + at, q->aligned);
	}
}

INLINE void keep_rows(SHARED u32 *tile, const word4 *v) {
	UNROLL
	for (u32 i = 0; i < LOADS; i++)
		*(SHARED word4 *)(tile + (i * THREADS + thread()) * 4) = v[i];
}

// stage adds a stage to every sum of this warp.
INLINE void stage(const SHARED u32 *as, const SHARED u32 *bs, int sum[DOWN][4][2]) {
	word4 b[4];
	UNROLL
	for (u32 s = 0; s < 4; s++)
		b[s] = columns(bs, corner_col(), s);
	UNROLL
	for (u32 i = 0; i < DOWN; i++) {
		word4 a = *(const SHARED word4 *)(as + (corner_row() + i * 8 + quad()) * GROUPS + member() * 4);
		UNROLL
		for (u32 s = 0; s < 4; s++)
			UNROLL
			for (u32 j = 0; j < 4; j++)
				multiply(sum[i][j], a[s], b[s][j]);
	}
}

INLINE void linear8tensor(const rows *q, const panels *w, const GLOBAL float *sx, const GLOBAL float *sw,
                          const GLOBAL float *b, GLOBAL float *y, u32 n) {
	static SHARED u32 as[2][TILE * GROUPS] __attribute__((aligned(16)));
	static SHARED u32 bs[2][WIDTH * GROUPS] __attribute__((aligned(16)));
	u32 row = block() * TILE, col = block_y() * TILE, half = 0;
	int sum[DOWN][4][2] = {};
	word4 va[LOADS], vb[LOADS];
	fetch_rows(q, row, 0, va);
	fetch(w, col, 0, vb);
	for (u32 from = 0;;) {
		keep_rows(as[half], va);
		keep(bs[half], vb);
		barrier();
		from += GROUPS;
		if (from < w->groups) {
			fetch_rows(q, row, from, va);
			fetch(w, col, from, vb);
		}
		stage(as[half], bs[half], sum);
		if (from >= w->groups)
			break;
		half = !half;
	}
	int vector = n % 4 == 0 && (u64)y % 16 == 0;
	UNROLL
	for (u32 h = 0; h < 2; h++) {
		u32 c = col + first_col(h);
		if (c >= n)
			continue;
		float scale[4], bias[4], v[4];
		UNROLL
		for (u32 j = 0; j < 4; j++) {
			u32 at = least(c + j, n - 1);
			scale[j] = sw[at];
			bias[j] = b[at];
		}
		UNROLL
		for (u32 i = 0; i < DOWN; i++) {
			u32 r = row + corner_row() + i * 8 + quad();
			if (r >= q->m)
				continue;
			UNROLL
			for (u32 j = 0; j < 4; j++)
				v[j] = (float)sum[i][j][h] * (sx[r] * scale[j]) + bias[j];
			store(y + (u64)r * n + c, v, n - c, vector);
		}
	}
}

#define LINEAR8(name)                                                                                             \
	KERNEL name(const GLOBAL i8 *q, const GLOBAL float *sx, const GLOBAL i8 *w, const GLOBAL float *sw,           \
	            const GLOBAL float *b, GLOBAL float *y, u32 m, u32 n, u32 k) {                                    \
		rows x = {q, m, k, (u64)q % 16 == 0};                                                                     \
		panels p = panels_of(w, k / GROUP, n);                                                                    \
		linear8tensor(&x, &p, sx, sw, b, y, n);                                                                   \
	}
